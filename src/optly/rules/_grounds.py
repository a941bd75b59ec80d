"""
What the regulations of :mod:`optly.rules.pecr` share: which stop, consent and listing counts, and how to answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import IntEnum
from functools import cache, lru_cache, partial
from itertools import chain, repeat
from types import MappingProxyType
from typing import Final

from optly import typed
from optly.contacts import Channel
from optly.instants import has_happened
from optly.record.events import Defect, Through
from optly.record.standing import Standing, StandingConsent, StandingStop
from optly.rules.communication import Communication, MessageKind
from optly.rules.decision import RIGHT_TO_OBJECT, Decision, Duty, Reason
from optly.rules.editions import Fines, edition_at, months_later, uk_date

# Days after which a listing counts: at 27 the caller is excused, at 28 refused. Reg 2(5), which counts whole days since
# August 2025, may excuse the 28th day too; nothing decided that, and it is not relied on.
LISTED_DAYS: Final = 28
_SHORTEST_MONTH: Final = 28
# How old a copy of a register may be, in days, the last included. Industry's rule, from the same period.
COPY_DAYS: Final = 28
# What a stop of a body that is no natural person is honoured under, where no regulation protects it. The ICO recommends
# it: https://ico.org.uk/for-organisations/direct-marketing-and-privacy-and-electronic-communications/business-to-business-marketing
# (read 2026-11-23).
POLICY: Final = "policy: honour opt-out"

# What each defect of a consent offends, beside the regulation that asks for it; where several, with "; " between them.
_OFFENDED: Final[Mapping[Defect, str]] = {
    Defect.NOT_AFFIRMATIVE: "UK GDPR 4(11)",
    Defect.CHANNEL_NOT_NAMED: "UK GDPR 4(11)",
    Defect.PURPOSE_NOT_NAMED: "UK GDPR 4(11)",
    Defect.SENDER_NOT_NAMED: "UK GDPR 4(11)",
    Defect.OTHERS_NOT_NAMED: "UK GDPR 4(11)",
    Defect.NO_CHOICE_OF_SENDER: "UK GDPR 4(11)",
    Defect.NOT_THE_HOLDER: "UK GDPR 4(11)",
    Defect.TOO_OLD: "UK GDPR 4(11)",
    Defect.DORMANT: "UK GDPR 4(11)",
    Defect.CONDITIONAL: "UK GDPR 7(4)",
    Defect.BUNDLED: "UK GDPR 7(2)",
    Defect.CHILD: "UK GDPR 8(1); UK GDPR 4(11)",
    Defect.NOT_OLD_ENOUGH: "UK GDPR 4(11)",
    Defect.UNPROVEN: "UK GDPR 7(1)",
    Defect.STOPPED_BEFORE: RIGHT_TO_OBJECT,
}


# ---- answers


def _answer(
    communication: Communication,
    standing: Standing,
    reason: Reason,
    regulation: str,
    *also: str,
    allowed: bool,
    evidence: tuple[int, ...] = (),
    failed: tuple[str, ...] = (),
    consent: StandingConsent | None = None,
    duties: tuple[Duty, ...] = (),
    through: Through | None = None,
) -> Decision:
    """
    Return the answer under *regulation*, which rests on the other provisions too.
    """
    edition = edition_at(communication.at)
    return Decision(
        allowed=allowed,
        reason=reason,
        regulation=regulation,
        also=_further(regulation, also),
        channel=communication.channel,
        purpose=communication.purpose,
        title=communication.title,
        kind=communication.kind,
        subscriber=standing.subscriber_of(communication.line),
        at=communication.at,
        edition=edition.name,
        # Post is under the UK GDPR alone, whose fines were never the lower ones.
        fines=Fines.HIGHER_MAXIMUM if communication.channel is Channel.POST else edition.fines,
        contact=communication.contact,
        line=communication.line,
        evidence=evidence if consent is None else (consent.seq,),
        failed=failed,
        listings=communication.listings,
        valid_until=None if consent is None else consent.expires_at,
        duties=duties,
        through=through,
    )


@lru_cache(maxsize=512)
def _further(regulation: str, also: tuple[str, ...]) -> tuple[str, ...]:
    """
    Return the further provisions, each once, without those that *regulation* names.
    """
    named = regulation.split("; ")
    return tuple([provision for provision in dict.fromkeys(also) if provision not in named])


allow: Final = partial(_answer, allowed=True)
refuse: Final = partial(_answer, allowed=False)


def first(ground: Decision, *objections: Decision | None) -> Decision:
    """
    Return the first of *objections* that there is, else *ground*. A refusal is false, so `or` would pass it over.
    """
    for objection in objections:
        if objection is not None:
            return objection
    return ground


# ---- stops

# What stands behind a stop that nobody made. The dead have no rights under the UK GDPR (recital 27), so that their
# families are spared by the CAP Code; what is known to be wrong about the living may not be used (Art 5(1)(d)).
_NO_OBJECTION: Final[Mapping[Through | None, str]] = {
    Through.DECEASED: "CAP Code 10",
    Through.GONE_AWAY: "UK GDPR 5(1)(d)",
}


def stop_of(communication: Communication, standing: Standing, *channels: Channel) -> StandingStop | None:
    """
    Return the latest thing the person stopped: the message itself or, for a request for consent, what it asks about.

    Args:
        channels: Channels the message counts as beside its own.
    """
    line, purpose, at, parties = communication.line or 0, communication.purpose, communication.at, communication.parties
    latest = standing.stop(communication.channel, purpose, line, at, parties=parties)
    for channel, number in chain(zip(channels, repeat(line)), communication.asks):
        stop = standing.stop(channel, purpose, number, at, parties=parties)
        if stop is not None and (latest is None or latest.at < stop.at):
            latest = stop
    return latest


def right_of(communication: Communication, standing: Standing) -> str:
    """
    Return what a stop is honoured under, beside any regulation that lets the subscriber stop this: the right of a
    natural person to object or, of a body that has no such right, a policy.

    The regulations ask whose line it is, and Article 21 who objects: someone who works at a company and has an address
    of the company's is a data subject, and their right is absolute. So they are no natural person only if neither the
    contact nor the line is one's.

    Source: UK GDPR Art 4(1) and 21(2) and (3), https://www.legislation.gov.uk/eur/2016/679/article/21 (as reported
    2026-11-23); the ICO, https://ico.org.uk/for-organisations/direct-marketing-and-privacy-and-electronic-communications/
    business-to-business-marketing (read 2026-11-23).
    """
    body = standing.subscriber.corporate and standing.subscriber_of(communication.line).corporate
    return POLICY if body else RIGHT_TO_OBJECT


def refuse_stopped(
    communication: Communication, standing: Standing, stop: StandingStop, regulation: str, *also: str
) -> Decision:
    """
    Refuse what was stopped.
    """
    right = right_of(communication, standing)
    if regulation == RIGHT_TO_OBJECT:
        regulation = right
    failed = () if stop.organisation is None else ("organisation",)
    if stop.holder:
        return refuse(
            communication, standing, Reason.OBJECTED_BY_HOLDER, regulation, *_beside(right, regulation), *also
        )
    if stop.seq is None:
        further = (*_beside(right, regulation), *also)
        return refuse(communication, standing, Reason.SUPPRESSED, right, *further, failed=failed, through=stop.through)
    personal = () if right == POLICY else (RIGHT_TO_OBJECT, *(() if stop.objection else ("UK GDPR 7(3)",)))
    if stop.through in _NO_OBJECTION:
        # That someone died or has gone is nobody's objection.
        instead = _NO_OBJECTION[stop.through]
        personal, regulation = (instead,), instead if regulation == right else regulation
    return refuse(
        communication,
        standing,
        Reason.OBJECTED if stop.objection else Reason.WITHDRAWN,
        regulation,
        *also,
        *personal,
        evidence=(stop.seq,),
        failed=failed,
        through=stop.through,
    )


def _beside(right: str, regulation: str) -> tuple[str, ...]:
    return () if regulation == right else (regulation,)


def is_solicited(communication: Communication, stop: StandingStop | None) -> bool:
    """
    Tell whether the message is what the person asked for, after whatever stop there is.

    A request for consent answers them once, without anything beside the question, and not where they stopped what it
    asks about: typing an address into a form does not show that it is one's own. Whether the address is on record does
    not matter.

    A wish whose clock is ahead is one of now, so that it does not come after a stop of now.
    """
    asked = communication.solicited
    if asked is None or not has_happened(asked.at, communication.at):
        return False
    if communication.kind is MessageKind.SOLICITED:
        return stop is None or stop.at < min(asked.at, communication.at)
    return (
        communication.kind is MessageKind.CONSENT_REQUEST
        and stop is None
        and communication.attempt == 1
        and communication.promotional is False
    )


# ---- consent


def without_spent_wish(communication: Communication, standing: Standing, within: timedelta) -> Communication:
    """
    Return the message without the wish it rests on, if that was granted before or is older than *within*.

    One wish, known by its time and its line, is granted once: a series that follows what was asked for is not what was
    asked for (We Buy Any Car, ICO 2022).
    """
    asked = communication.solicited
    if asked is None:
        return communication
    spent = communication.kind is MessageKind.SOLICITED and (
        communication.attempt > 1
        or any(wish.line == communication.line and wish.asked_at == asked.at for wish in standing.answered)
    )
    if spent or communication.at - asked.at > within:
        return typed.evolve(communication, solicited=None)
    return communication


@cache
def _at_least(months: int) -> timedelta:
    return timedelta(days=months * _SHORTEST_MONTH)


def set_aside_old(
    communication: Communication, standing: Standing, first_contact_months: int, dormant_months: int | None
) -> Standing:
    """
    Return the standing without the consents that are too old for what would be the first marketing in a long time.

    Those that someone else collected count up to *first_contact_months*, to the microsecond, and as long as they stand
    once there has been marketing on their strength. Any consent counts up to *dormant_months* after it was given, or
    after the latest such marketing.
    """
    if communication.first_contact is False:
        return standing
    soonest = first_contact_months if dormant_months is None else min(first_contact_months, dormant_months)
    # Counting months takes time, and a consent younger than so many of the shortest cannot be too old.
    aged = communication.at - _at_least(soonest)
    if not [consent for consent in standing.consents if consent.at <= aged]:
        return standing
    kept: list[StandingConsent] = []
    old: list[StandingConsent] = []
    for consent in standing.consents:
        defect = None
        if consent.purpose == communication.purpose:
            used = standing.used(consent)
            borrowed = consent.collected_by not in ("", communication.responsible)
            if borrowed and used is None and months_later(consent.at, first_contact_months) < communication.at:
                defect = Defect.TOO_OLD
            elif dormant_months is not None and months_later(used or consent.at, dormant_months) < communication.at:
                defect = Defect.DORMANT
        if defect is None:
            kept.append(consent)
        else:
            old.append(typed.evolve(consent, defects=(defect,)))
    if not old:
        return standing
    return typed.evolve(standing, consents=tuple(kept), unsound=(*standing.unsound, *old))


def consent_to(
    channel: Channel, communication: Communication, standing: Standing, *parties: str
) -> StandingConsent | None:
    """
    Return the consent for the channel that each of *parties* may rely on, or None.

    A consent that names nobody was given to the organisation that keeps the record, which is the sender, and to nobody
    at whose instigation it sends (Leave.EU and Eldon v Information Commissioner [2021] UKUT 26 (AAC)).
    """
    if communication.line is None:
        return None
    running = standing.running(
        channel, communication.purpose, communication.line, communication.at, parties=communication.parties
    )
    for consent in running:
        for party in parties:
            if not _covers(consent, communication, party):
                break
        else:
            return consent
    return None


def _covers(consent: StandingConsent, communication: Communication, party: str) -> bool:
    named = consent.organisations
    return party == communication.sender if named is None else party in named


def refuse_unconsented(
    communication: Communication,
    standing: Standing,
    channel: Channel,
    prohibition: str,
    exception: str,
    *also: str,
    reason: Reason | None = None,
    by: Mapping[str, str] = MappingProxyType({}),
) -> Decision:
    """
    Return the refusal for want of consent: under the *exception* where there is a consent that does not do, else under
    the *prohibition*, and with what is wrong with the consent that comes nearest.

    Args:
        by: Who has to be able to rely on it beside those responsible, by the fact that fails where they are not.
    """
    known = [consent for consent in (*standing.consents, *standing.unsound) if consent.at <= communication.at]
    here = [
        consent
        for consent in known
        if consent.channel is channel
        and consent.purpose == communication.purpose
        and consent.line == communication.line
    ]
    nearest = min(here, key=lambda consent: (len(consent.defects), -consent.seq), default=None)
    found, failed = _flaw(communication, nearest, by)
    regulation, other = (exception, prohibition) if known else (prohibition, exception)
    defects = () if nearest is None else nearest.defects
    offended = [provision for defect in defects for provision in _OFFENDED[defect].split("; ")]
    right = right_of(communication, standing)
    offended = [right if provision == RIGHT_TO_OBJECT else provision for provision in offended]
    return refuse(
        communication,
        standing,
        reason or found,
        f"{regulation}; UK GDPR 7(1)" if found is Reason.CONSENT_UNPROVEN else regulation,
        other,
        *also,
        *offended,
        evidence=() if nearest is None else (nearest.seq,),
        failed=failed,
    )


def _flaw(
    communication: Communication, nearest: StandingConsent | None, by: Mapping[str, str]
) -> tuple[Reason, tuple[str, ...]]:
    if communication.line is None:
        return Reason.NOT_ON_RECORD, ("line",)
    if nearest is None:
        return Reason.NO_CONSENT, ("consent",)
    match nearest.defects:
        case ():
            if nearest.expires_at is not None and nearest.expires_at < communication.at:
                return Reason.CONSENT_EXPIRED, ("expires_at",)
            parties = {"organisations": communication.responsible, **by}
            uncovered = [fact for fact, party in parties.items() if not _covers(nearest, communication, party)]
            return Reason.NO_CONSENT, tuple(uncovered[:1]) if uncovered else ("consent",)
        case (Defect.UNPROVEN,):
            return Reason.CONSENT_UNPROVEN, ("unproven",)
        case (Defect.TOO_OLD | Defect.DORMANT,):
            return Reason.CONSENT_TOO_OLD, nearest.defects
        case defects:
            return Reason.CONSENT_UNSOUND, defects


# ---- registers


class Screening(IntEnum):
    """
    What the registers say of a number, the worse the higher.
    """

    CLEAR = 0
    NEWLY_LISTED = 1
    NOT_CHECKED = 2
    LISTED = 3


def screen(communication: Communication, *registers: str) -> tuple[Screening, tuple[str, ...]]:
    """
    Return the worst of what the *registers* say, and the names of those that say so.

    A register that was not asked, or in too old a copy, is not checked. Days are those of the United Kingdom.
    """
    day = uk_date(communication.at)
    found: dict[str, Screening] = dict.fromkeys(registers, Screening.NOT_CHECKED)
    for listing in communication.listings:
        if listing.register not in found or (day - listing.as_of).days > COPY_DAYS:
            continue
        if listing.listed_on is None or listing.listed_on > day:
            state = Screening.CLEAR
        else:
            recent = (day - listing.listed_on).days < LISTED_DAYS
            state = Screening.NEWLY_LISTED if recent else Screening.LISTED
        known = found[listing.register]
        found[listing.register] = state if known is Screening.NOT_CHECKED else max(known, state)
    worst = max(found.values())
    return worst, tuple(name for name, state in found.items() if state is worst)
