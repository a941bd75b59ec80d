"""
Screening a list gives what checking each of its addresses gives.

`lives` compares the two over the lives of people. Here it is the shortcut alone: standings that are answered alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, get_type_hints

import attrs
import pytest
from services import POSTGRESQL
from stores import ON_DISK, made
from world import EMAIL_OFFERS, World, world

from optly import Channel, Subscriber
from optly._operations.gate import Lines
from optly._operations.repository import dump_standing
from optly._operations.row_macs import of_head
from optly._operations.running import run_to_completion
from optly._operations.screening import _decisions, _verdicts
from optly.contacts import AddressKind
from optly.protocols import Found, Head, Identifier, with_mac
from optly.record import glance, standing
from optly.record.events import Defect, Engagement, Through
from optly.record.standing import Standing
from optly.rules import UKPECR, Charity, CharityLaw, Facts, MessageKind, Rulebook

DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
# Ages of what is recorded, beside the months that the rules count.
AGES: Final = (
    *(-DAY, -TICK, timedelta(0), TICK, DAY, 167 * DAY, 169 * DAY, 200 * DAY),
    *(1000 * DAY, 1110 * DAY, 1200 * DAY),
)
KINDS: Final = (Subscriber.INDIVIDUAL, Subscriber.COMPANY, Subscriber.UNKNOWN)


def makers(r: random.Random, now: datetime) -> dict[str, Callable[[], Any]]:
    """
    Return what draws a thing for each list of a standing. Most are about offers by email to the first line.
    """

    def at() -> datetime:
        return now - r.choice(AGES)

    def scope() -> dict[str, Any]:
        return {
            "channel": r.choice([*[Channel.EMAIL] * 9, Channel.SMS]),
            "line": r.choice([*[1] * 9, 2]),
            "at": at(),
            "seq": r.randrange(1, 9),
        }

    def consent(*defects: Defect) -> standing.StandingConsent:
        return standing.StandingConsent(
            **scope(),
            purpose=r.choice([*["offers"] * 9, "news"]),
            wording="0" * 64,
            expires_at=r.choice([None, None, now - TICK, now, now + TICK, now + DAY]),
            own=r.random() < 0.5,
            by_person=r.random() < 0.5,
            organisations=r.choice([None, None, ("other",), ("acme", "other")]),
            collected_by=r.choice(["", "", "", "acme", "broker"]),
            defects=defects,
        )

    def stop() -> standing.StandingStop:
        given = scope()
        return standing.StandingStop(
            channel=r.choice([None, given["channel"]]),
            purpose=r.choice([None, "offers", "news"]),
            line=r.choice([None, given["line"]]),
            at=given["at"],
            objection=r.random() < 0.5,
            seq=given["seq"],
            organisation=r.choice([None, None, "other"]),
            through=r.choice([None, None, *Through]),
        )

    def soft_opt_in() -> standing.StandingSoftOptIn:
        return standing.StandingSoftOptIn(
            **scope(),
            obtained_by=r.choice(["acme", "acme", "other"]),
            in_sale=r.random() < 0.8,
            similar_purposes=r.choice([("offers",), ("offers", "news"), ("news",)]),
            refusal_offered=r.random() < 0.8,
            refused=r.choice([False, False, None, True]),
            dated=r.random() < 0.8,
        )

    def charity_soft_opt_in() -> standing.StandingCharitySoftOptIn:
        return standing.StandingCharitySoftOptIn(
            **scope(),
            obtained_by=r.choice(["acme", "acme", "other"]),
            engagement=r.choice(list(Engagement)),
            purpose_held=r.choice([True, True, None, False]),
            refusal_offered=r.choice([True, True, None, False]),
            refused=r.choice([False, False, None, True]),
            dated=r.random() < 0.8,
        )

    def use() -> standing.StandingUse:
        used = scope()
        return standing.StandingUse(purpose="offers", channel=used["channel"], line=used["line"], at=used["at"])

    return {
        "consents": consent,
        "stops": stop,
        "unsound": lambda: consent(*r.sample(list(Defect), r.choice([1, 1, 2]))),
        "soft_opt_ins": soft_opt_in,
        "charity_soft_opt_ins": charity_soft_opt_in,
        "uses": use,
        "failures": lambda: standing.StandingFailure(**scope()),
    }


SHARES: Final = (0.7, 0.3, 0.3, 0.3, 0.2, 0.3, 0.05)  # of those who have any


def drawn(r: random.Random, now: datetime, count: int) -> Iterator[Standing]:
    """
    Yield standings of contacts with two lines, and for each those that differ from it in one value.
    """
    make = makers(r, now)
    for _ in range(count):
        lists = {
            name: tuple(make[name]() for _ in range(r.choice([1, 1, 1, 2]) if r.random() < share else 0))
            for name, share in zip(make, SHARES, strict=True)
        }
        lines = tuple(
            standing.Line(number=number, kind=AddressKind.EMAIL, removed=removed, subscriber=r.choice([None, *KINDS]))
            for number, removed in ((1, r.random() < 0.05), (2, False))
        )
        known: Any = Standing(
            version=9,
            subscriber=r.choice(KINDS),
            lines=lines,
            erased_at=now if r.random() < 0.02 else None,
            recorded_at=r.choice([None, now, now, now + TICK]),
            **lists,  # type: ignore[arg-type]
        )
        yield known
        for name, things in lists.items():
            for place, thing in enumerate(things):
                other = make[name]()
                for field in attrs.fields(type(thing)):
                    changed = attrs.evolve(thing, **{field.name: getattr(other, field.name)})
                    yield attrs.evolve(known, **{name: (*things[:place], changed, *things[place + 1 :])})


class Ours:
    """
    A rulebook that is not ours, though it answers with ours.
    """

    edition = UKPECR().edition
    assess = UKPECR().assess


RULEBOOKS: Final[Mapping[str, Rulebook]] = {
    "ours": UKPECR(),
    "a charity's": UKPECR(
        charity=Charity(law=CharityLaw.ENGLAND_WALES), charitable_purposes=frozenset({"offers"}), dormant_months=None
    ),
    "another": Ours(),
}


def many(w: World, r: random.Random, count: int) -> Found:
    """
    Return what a look-up finds of some contacts and of those who resemble them. Their keys are numbers.
    """
    macs, holders, heads = w.manager._app.repository.macs, {}, {}
    for number, known in enumerate(drawn(r, w.clock(), count)):
        subject = r.randbytes(16)
        holder = macs.sign(Identifier(idkey=b"%16d" % number, subject=subject, line=1, key_version=""))
        head = Head(
            organisation="acme",
            version=9,
            hash=bytes(32),
            snapshot=dump_standing(known),
            snapshot_version=9,
        )
        holders[holder.idkey], heads[subject] = [holder], with_mac(head, macs.sign_head(subject, of_head(head)))
    return Found(holders, (), heads)


@pytest.mark.parametrize(
    ("rulebook", "facts", "kind"),
    [
        ("ours", {}, MessageKind.MARKETING),
        ("ours", {"instigator": "other"}, MessageKind.MARKETING),
        ("a charity's", {}, MessageKind.MARKETING),
        ("a charity's", {"first_contact": False, "refusal_cost": None}, MessageKind.MARKETING),
        ("ours", {}, MessageKind.SERVICE),
        ("another", {}, MessageKind.MARKETING),
    ],
)
def test_those_who_are_alike_are_answered_as_each_would_be(rulebook: str, facts: Facts, kind: MessageKind) -> None:
    """
    Whatever is recorded of them, and whoever was asked about first.
    """
    w = world(rulebook=RULEBOOKS[rulebook])
    found = many(w, random.Random(1), 60)
    lines = Lines.found(w.manager._app, found, Channel.EMAIL, ("offers",), kind, None, facts)
    decide, allows, plain = _decisions(lines), _verdicts(lines), 0
    for idkey in found.holders:
        keys = ((idkey,), ())
        answer, expected = decide(keys), run_to_completion(lines.decide(*keys, None))
        assert answer in (None, expected)
        assert allows(keys) is (None if answer is None else expected.allowed)
        plain += answer is not None
    assert (plain > 500) is (kind is MessageKind.MARKETING and rulebook != "another")


def test_a_glance_reads_what_is_there() -> None:
    """
    Each of its fields is one of the standing, and of the same type.
    """
    for name, part in vars(glance).items():
        if not name.startswith("Glance") or not isinstance(part, type):
            continue
        other = name.removeprefix("Glanced")
        of = get_type_hints(
            Standing if name == "Glance" else vars(standing).get(other) or vars(standing)[f"Standing{other}"]
        )
        for field, kind in get_type_hints(part).items():
            expected = str(of[field])
            for whole in ("StandingConsent", "StandingStop", "StandingSoftOptIn", "StandingCharitySoftOptIn"):
                expected = expected.replace(f"standing.{whole}", f"glance.{whole.replace('Standing', 'Glanced')}")
            for whole in ("StandingUse", "StandingFailure", "Line"):
                expected = expected.replace(f"standing.{whole}", f"glance.Glanced{whole.replace('Standing', '')}")
            assert str(kind) == expected


@pytest.mark.parametrize("kind", ["memory", *ON_DISK, POSTGRESQL])
def test_a_long_list_is_answered_as_each_is(kind: str, tmp_path: Path) -> None:
    """
    In more than one batch: those who agreed, stopped, share a line, object as a domain, were erased or altered, and
    nobody.
    """
    for storage in made(kind, tmp_path):
        w = world(storage)
        people = [f"p{number}@{'firm' if number % 5 == 4 else 'mail'}.example.com" for number in range(20)]
        contacts = [
            w.add(name=f"P{number}", email=email, phone=f"+4479111234{number:02}")
            for number, email in enumerate(people)
        ]
        for number, contact in enumerate(contacts):
            w.later()
            if number % 4:
                w.agreed(contact)
            if number % 4 == 3:
                w.manager.withdraw(contact)
        w.later()
        w.manager.record_domain_objection("firm.example.com", how="by letter")
        w.manager.erase(contacts[1])
        other = w.add(name="Other", email=people[2], phone=None)
        w.manager.record_objection(other)
        listed = [*people, "nobody@example.com", "malformed", people[5].upper()] * 110
        for at in (None, w.clock() - timedelta(seconds=1)):
            expected = [
                None if each == "malformed" else w.manager.check(each, *EMAIL_OFFERS, at=at) for each in listed[:23]
            ]
            decisions = list(w.manager.screen(listed[: None if at is None else 23], *EMAIL_OFFERS, at=at))
            assert [None if d.reason == "not_an_address" else d for d in decisions[:23]] == expected
            assert decisions == decisions[:23] * (len(decisions) // 23)
        assert list(w.manager.verdicts(listed, *EMAIL_OFFERS)) == [
            decision.allowed for decision in w.manager.screen(listed, *EMAIL_OFFERS)
        ]
