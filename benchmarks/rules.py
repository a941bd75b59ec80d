"""
How many communications `assess` decides in a second on one core, and where the time goes.

    python benchmarks/rules.py              # a table, with the cost of making an answer beside it as the floor
    python benchmarks/rules.py --profile    # the same, and a profile
"""

from __future__ import annotations

import cProfile
import pstats
from datetime import UTC, date, datetime, timedelta
from statistics import median
from time import perf_counter

import attrs
from measure import options

from optly.contacts.addresses import AddressKind, Channel
from optly.contacts.parties import Subscriber
from optly.protocols import Listing, RegisterName
from optly.record.consent import Line, Standing, StandingConsent, StandingSoftOptIn, StandingStop
from optly.rules import UKPECR, Call, Communication, Decision, MessageKind

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
AIM = 100_000
COUNT = 20_000


def _communication(channel: Channel) -> Communication:
    return Communication(
        channel=channel,
        kind=MessageKind.MARKETING,
        sender="acme",
        purpose="offers",
        contact="0" * 32,
        line=1,
        at=AT,
        call=Call(shows_number=True, gives_name=True, claims_management=False, pensions=False),
        listings=tuple(
            Listing(register=name, listed_on=None, at=AT, checked_at=AT, as_of=date(2026, 11, 20), version="1")
            for name in (RegisterName.TPS, RegisterName.CTPS)
        ),
    )


def _standings() -> dict[str, tuple[Communication, Standing]]:
    email, call = _communication(Channel.EMAIL), _communication(Channel.LIVE_CALL)
    year = AT - timedelta(days=300)
    lines = (Line(number=1, kind=AddressKind.EMAIL), Line(number=2, kind=AddressKind.PHONE))
    blank = Standing(version=2, lines=lines, subscriber=Subscriber.INDIVIDUAL)
    # Three channels and two purposes, as people have who answered everything.
    consents = tuple(
        StandingConsent(
            channel=channel, purpose=purpose, line=1, wording="0" * 64, at=year, expires_at=None, own=True, seq=3
        )
        for channel in (Channel.SMS, Channel.LIVE_CALL, Channel.EMAIL)
        for purpose in ("news", "offers")
    )
    stop = StandingStop(
        channel=Channel.EMAIL, purpose="offers", line=None, at=AT - timedelta(days=9), objection=False, seq=4
    )
    sale = StandingSoftOptIn(
        channel=Channel.EMAIL,
        line=1,
        obtained_by="acme",
        in_sale=True,
        similar_purposes=("offers",),
        refusal_offered=True,
        at=year,
        seq=3,
    )
    return {
        "email, consented": (email, attrs.evolve(blank, consents=consents)),
        "email, consented, stopped before": (
            email,
            attrs.evolve(blank, consents=consents, stops=(attrs.evolve(stop, at=year - timedelta(days=9)),)),
        ),
        "email, consent collected elsewhere": (
            email,
            attrs.evolve(blank, consents=tuple(attrs.evolve(given, collected_by="partner") for given in consents)),
        ),
        "email, soft opt-in": (email, attrs.evolve(blank, soft_opt_ins=(sale,))),
        "email, company": (email, attrs.evolve(blank, subscriber=Subscriber.COMPANY)),
        "email, withdrawn": (email, attrs.evolve(blank, consents=consents, stops=(stop,))),
        "email, nothing on record": (email, Standing()),
        "live call, on no register": (call, blank),
    }


def _seconds(work: list[tuple[Communication, Standing]], rules: UKPECR) -> float:
    assess = rules.assess
    start = perf_counter()
    for communication, standing in work:
        assess(communication, standing)
    return (perf_counter() - start) / len(work)


def _floor(decision: Decision, count: int) -> float:
    facts = {field.name: getattr(decision, field.name) for field in attrs.fields(Decision)}
    start = perf_counter()
    for _ in range(count):
        Decision(**facts)
    return (perf_counter() - start) / count


def main() -> None:
    arguments = options(__doc__ or "", profile="show where the time goes")
    rounds, count = (1, 8) if arguments.small else (7, COUNT)
    rules, kinds = UKPECR(), _standings()
    mixed = [pair for _ in range(count // len(kinds)) for pair in kinds.values()]
    print(f"{'':40}{'µs':>8}{'a second':>12}")
    for name, work in {**{name: [pair] * count for name, pair in kinds.items()}, "all of them in turn": mixed}.items():
        each = median(_seconds(work, rules) for _ in range(rounds))
        print(f"{name:40}{each * 1e6:8.2f}{1 / each:12,.0f}")
    floor = median(_floor(rules.assess(*kinds["email, consented"]), count) for _ in range(rounds))
    print(f"{'floor: making one Decision':40}{floor * 1e6:8.2f}{1 / floor:12,.0f}")
    print(f"{'aim':40}{1e6 / AIM:8.2f}{AIM:12,}")
    if arguments.profile:
        profile = cProfile.Profile()
        profile.runcall(_seconds, mixed, rules)
        pstats.Stats(profile).sort_stats("tottime").print_stats(15)


if __name__ == "__main__":
    main()
