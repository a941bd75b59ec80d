"""
A scenario's facts, put on record and to the gate through the public surface: commands, `decide`, `fold`, `assess`.

The form of a scenario is told in the README.md beside the shared file. The record is that of the sender: what was said
to anyone else is on it only as what it is, a consent or an objection that names another.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs

from optly.contacts.addresses import AddressKind, Channel
from optly.contacts.parties import Subscriber
from optly.protocols import Listing, RegisterName
from optly.record.commands import (
    AddContact,
    ChangeDetails,
    Command,
    NewLine,
    RecordCharitySoftOptIn,
    RecordConsent,
    RecordSoftOptIn,
    Stop,
    Unsound,
)
from optly.record.consent import Standing, StandingStop, decide, fold
from optly.record.events import Act, Actor, Choice, Engagement, Evidence, Manner
from optly.rules import (
    Call,
    Charity,
    CharityLaw,
    ClientRelationship,
    Communication,
    Decision,
    MessageKind,
    RefusalCost,
    Solicited,
)
from optly.rules.editions import uk_date

Facts = Mapping[str, Any]

SHIPPED = Path(__file__).parents[1] / "scenarios.json"

ACTS = {
    "ticked_unticked_box": Act.TICKED_BOX,
    "chose_yes": Act.CHOSE_YES,
    "verbal_yes": Act.SAID_YES,
    "pre_ticked": Act.PRE_TICKED,
    "opt_out_box_left_unticked": Act.OPT_OUT_BOX_LEFT,
    "order_submitted": Act.ORDER_SUBMITTED,
    "account_registration": Act.ACCOUNT_REGISTRATION,
    "privacy_policy_only": Act.PRIVACY_POLICY_ONLY,
}
COSTS = {"free": RefusalCost.FREE, "standard_rate": RefusalCost.COST_OF_SENDING, None: None}
LAWS = {law.value: law for law in CharityLaw} | {"ni": CharityLaw.NORTHERN_IRELAND}
REGISTERS = {RegisterName.TPS: "tps", RegisterName.CTPS: "ctps", RegisterName.FPS: "fax_ps"}
WORDING = "0" * 64


def path() -> Path:
    """
    Return the file to read: the one that OPTLY_SCENARIOS names, else the shared one beside the checkout, else ours.
    """
    if named := os.environ.get("OPTLY_SCENARIOS"):
        return Path(named)
    shared = SHIPPED.parents[2] / "shared" / "pecr" / "scenarios.json"
    return shared if shared.exists() else SHIPPED


def load(file: Path) -> list[dict[str, Any]]:
    scenarios: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return scenarios


def instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@attrs.define
class Case:
    """
    One scenario while it is being put on record.
    """

    scenario: Facts
    standing: Standing = attrs.field(factory=Standing)
    lines: dict[tuple[AddressKind, str], int] = attrs.field(factory=dict)
    commands: list[tuple[datetime, Command]] = attrs.field(factory=list)

    @property
    def facts(self) -> Facts:
        facts: Facts = self.scenario["facts"]
        return facts

    @property
    def channel(self) -> Channel:
        return Channel(self.scenario["channel"])

    @property
    def purpose(self) -> str:
        return self.scenario["purpose"] or "unknown"

    @property
    def at(self) -> datetime:
        return instant(self.facts["at"])

    @property
    def responsible(self) -> str:
        return str(self.facts.get("instigator") or self.facts["sender"])

    def line(self, channel: Channel, value: str | None) -> int:
        """
        Return the number of a line, which is new if it was not named before. An unknown line is none of the others.
        """
        return self.lines.setdefault((channel.kind, value or "unknown"), len(self.lines) + 1)

    def later(self, at: datetime, command: Command) -> None:
        """
        Do *command* at that instant, in the order of time; never, if that is after the message.
        """
        if at <= self.at:
            self.commands.append((at, command))


def put(scenario: Facts) -> tuple[Communication, Standing]:
    """
    Return what the gate is asked, and what is on record at that instant.
    """
    case = Case(scenario)
    facts = case.facts
    case.line(case.channel, facts["to"])
    for consent in facts["consents"]:
        _consent(case, consent)
    for objection in facts["objections"]:
        _objection(case, objection)
    if facts["soft_opt_in"] is not None:
        _soft_opt_in(case, facts["soft_opt_in"])
    if facts["charity_soft_opt_in"] is not None:
        _charity_soft_opt_in(case, facts["charity_soft_opt_in"])
    start = min((at for at, _ in case.commands), default=case.at) - timedelta(days=1)
    now = Subscriber(facts.get("type_now") or scenario["subscriber"] or "unknown")
    was = Subscriber(facts.get("type_when_list_built") or now)
    lines = tuple(NewLine(kind=kind, value=value) for kind, value in case.lines)
    case.standing = fold(decide(AddContact(lines=lines, subscriber=was), Standing(), now=start), case.standing)
    case.later(case.at, ChangeDetails(subscriber=now, how="as the scenario says"))
    for at, command in sorted(case.commands, key=lambda item: item[0]):
        # A list from somebody else, of a person who had stopped it, is kept and lifts nothing.
        case.standing = fold(decide(command, case.standing, now=at), case.standing)
    case.standing = case.standing.with_stops(_suppressions(case))
    return _communication(case), case.standing


def _consent(case: Case, consent: Facts) -> None:
    channel = Channel(consent["channel"])
    line = case.line(channel, consent["line"])
    given_at = case.at if consent["at"] is None else instant(consent["at"])
    recorded_at = case.facts.get("consent_recorded_at")
    expires_at = None if consent["expires_at"] is None else instant(consent["expires_at"])
    direct = consent["collected_by"] == case.responsible
    everything = {**case.facts, **consent}
    age, parental = everything.get("age_at_consent"), everything.get("parental_authorisation")
    evidence = consent["evidence"] or {}
    manner = Manner(
        conditional=consent["conditional"],
        bundled=consent["bundled"],
        channel_named=consent["channel_named"],
        sender_named=consent["named_sender"],
        organisations=None if consent["sender"] == case.facts["sender"] else (consent["sender"],),
        chosen_singly=(everything.get("partners_in_list") or 1) == 1 or everything.get("choice_per_partner"),
        by_holder=consent["by_line_holder"],
        of_age=age is None or age >= 13 or parental,
        collected_by="" if direct else consent["collected_by"] or "unknown",
        unproven=tuple(part for part in Evidence if not evidence.get(part)),
    )
    record = RecordConsent(
        choices=tuple(
            Choice(channel=channel, purpose=purpose, line=line, wording=WORDING, expires_at=expires_at)
            for purpose in consent["purposes"] or ["unknown"]
        ),
        act=ACTS.get(consent["act"], Act.SILENCE),
        how="as the scenario says",
        at=given_at,
        actor=Actor.PERSON if direct else Actor.STAFF,
        manner=manner,
        unsound=Unsound.KEEP,
    )
    case.later(given_at if recorded_at is None else instant(recorded_at), record)
    if consent["withdrawn_at"] is not None:
        withdrawn_at = instant(consent["withdrawn_at"])
        stop = Stop(
            objection=False,
            channels=(channel,),
            purposes=tuple(consent["purposes"] or ()),
            line=line,
            at=withdrawn_at,
        )
        case.later(withdrawn_at, stop)


def _objection(case: Case, objection: Facts) -> None:
    if objection.get("via") == "suppression_list_after_erasure":
        return  # nobody is on record; see `_suppressions`
    everything = objection["channel"] == "all"
    at = instant(objection["at"])
    channel = case.channel if everything else Channel(objection["channel"])
    # Someone who wants nothing on any channel means every line of theirs, for no one line has every channel.
    line = None if everything or objection["line"] is None else case.line(channel, objection["line"])
    to = None if objection["sender"] == case.facts["sender"] else objection["sender"]
    stop = Stop(objection=True, channels=() if everything else (channel,), line=line, at=at, organisation=to)
    case.later(at, stop)


def _suppressions(case: Case) -> list[StandingStop]:
    return [
        StandingStop(
            channel=None if objection["channel"] == "all" else Channel(objection["channel"]),
            purpose=None,
            line=None,
            at=instant(objection["at"]),
            objection=True,
            seq=None,
        )
        for objection in case.facts["objections"]
        if objection.get("via") == "suppression_list_after_erasure"
        and objection["line"] in (None, case.facts["to"])
        and instant(objection["at"]) <= case.at
    ]


def _soft_opt_in(case: Case, soft: Facts) -> None:
    at = None if soft["collected_at"] is None else instant(soft["collected_at"])
    similar = soft["own_products"] and soft["similar_products"]
    record = RecordSoftOptIn(
        channel=case.channel,
        line=case.line(case.channel, case.facts["to"]),
        obtained_by=soft["details_collected_by"] or "",
        in_sale=soft["context"] in ("sale", "negotiation"),
        goods="goods",
        similar_purposes=(case.purpose,) if similar else (),
        refusal_offered=soft["optout_at_collection"] is True,
        refused=soft["refused_at_collection"],
        at=at,
    )
    case.later(at or case.at, record)


def _charity_soft_opt_in(case: Case, soft: Facts) -> None:
    at = None if soft["collected_at"] is None else instant(soft["collected_at"])
    record = RecordCharitySoftOptIn(
        channel=case.channel,
        line=case.line(case.channel, case.facts["to"]),
        obtained_by=soft["details_collected_by"] or "",
        engagement=Engagement(soft["context"]) if soft["context"] in ("interest", "support") else Engagement.OTHER,
        purpose_held=soft["purpose_held_at_collection"],
        refusal_offered=soft["optout_at_collection"],
        refused=soft["refused_at_collection"],
        at=at,
    )
    case.later(at or case.at, record)


def _communication(case: Case) -> Communication:
    facts, kind = case.facts, MessageKind(case.scenario["message_kind"] or "marketing")
    content: Facts = facts.get("content") or {}
    charity = facts["charity_soft_opt_in"]
    soft = facts["soft_opt_in"] or charity or {"optout_each_message": True, "optout_free": True}
    cost = COSTS.get(content.get("optout_cost"), RefusalCost.MORE)
    if not soft["optout_free"]:
        cost = None if soft["optout_free"] is None else RefusalCost.MORE
    return Communication(
        channel=case.channel,
        kind=kind,
        sender=facts["sender"],
        instigator=facts.get("instigator") or "",
        purpose=case.purpose,
        contact="0" * 32,
        line=case.line(case.channel, facts["to"]),
        at=case.at,
        solicited=_solicited(case, kind),
        attempt=facts.get("attempt") or 1,
        promotional=_promotional(kind, facts.get("content")),
        shows_identity=content.get("identity_shown"),
        gives_stop_address=content.get("optout_address"),
        offers_refusal=soft["optout_each_message"],
        refusal_cost=cost,
        first_contact=next(
            (fact["first_contact"] for fact in (facts, *facts["consents"]) if fact.get("first_contact") is not None),
            None,
        ),
        charity=_charity(charity),
        charitable_only=None if charity is None else charity["sole_purpose"],
        call=_call(case),
        listings=_listings(case),
        delivered=content.get("delivered"),
    )


def _promotional(kind: MessageKind, content: Facts | None) -> bool | None:
    """
    Tell whether a service message promotes something. It is not told of calls, nor of what is marketing as it is.
    """
    if kind is not MessageKind.SERVICE or content is None:
        return False
    promotional: bool | None = content.get("promotional")
    return promotional


def _solicited(case: Case, kind: MessageKind) -> Solicited | None:
    asked_at = case.facts.get("requested_at") or case.facts.get("submitted_by_person_at")
    if asked_at is not None:
        return Solicited(how="as the scenario says", at=instant(asked_at))
    # That a message is solicited is a fact of the scenario. Without a time, the message is the answer.
    return Solicited(how="as the scenario says", at=case.at) if kind is MessageKind.SOLICITED else None


def _charity(soft: Facts | None) -> Charity | None:
    if soft is None or soft["is_charity"] is not True or soft["jurisdiction"] not in LAWS:
        return None
    return Charity(law=LAWS[soft["jurisdiction"]], registered=soft["on_scottish_register"])


def _call(case: Case) -> Call:
    call = case.facts.get("call")
    if call is None:
        return Call()
    avoids_ban = case.facts.get("relationship_set_up_to_avoid_ban", False)
    client = ClientRelationship(
        calls_envisaged=call["reasonably_envisaged"],
        refusal_at_collection=call["optout_at_collection"],
        refusal_each_time=call["optout_each_contact"],
        avoids_ban=avoids_ban,
    )
    return Call(
        shows_number=call["cli_presented"],
        gives_name=call["name_given"],
        contact_requested=call["contact_requested"],
        gives_contact=call["contact_given"],
        contact_is_free=call["contact_is_address_or_free_number"],
        recorded=call["recorded_matter"] or case.facts.get("agent_triggers_recordings") or call["recorded_matter"],
        claims_management=call["claims_management"],
        pensions=call["pension"],
        authorised=call["caller_authorised_or_trustee"],
        client=client if call["existing_client"] or avoids_ban else None,
        connected=call["connected"],
    )


def _listings(case: Case) -> tuple[Listing, ...]:
    """
    Answer as a register would at that instant: a number that was taken off before that day is not listed.
    """
    registers, day = case.facts["registers"] or {}, uk_date(case.at)
    answers = []
    for register, name in REGISTERS.items():
        try:
            since = registers[f"{name}_listed_on"]
            listed_on = None if since is None else date.fromisoformat(since)
            removed = registers.get("removed_on")
        except (KeyError, ValueError):
            continue  # it could not be asked
        gone = removed is not None and date.fromisoformat(removed) < day
        answers.append(
            Listing(
                register=register,
                listed_on=None if gone or listed_on is None or listed_on > day else listed_on,
                at=case.at,
                checked_at=case.at,
                as_of=day,
                version="scenario",
            )
        )
    return tuple(answers)


_PROVISION = re.compile(r"(?:UK GDPR )?\d+[A-Z]*(?:\(\w+\))*")


def provisions(text: str) -> list[str]:
    """
    Return the provisions a text names, or the text itself, such as "outside PECR", if it names none.
    """
    return _PROVISION.findall(text.replace("UK GDPR Art ", "UK GDPR ")) or [text]


def within(one: str, other: str) -> bool:
    """
    Tell whether one provision is the other or lies in it, as 22(3)(c) does in 22(3).
    """
    return one == other or one.startswith(other + "(") or other.startswith(one + "(")


def agrees(decision: Decision, scenario: Facts) -> bool:
    """
    Compare the answer, and the provision as :func:`test_scenarios.test_a_scenario_is_decided_as_a_lawyer_would` says.
    """
    named = [*provisions(decision.regulation), *decision.also]
    wanted = provisions(scenario["regulation"])[0]
    return decision.allowed is (scenario["expected"] == "allowed") and any(within(one, wanted) for one in named)
