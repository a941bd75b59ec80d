"""
What the regulations of :mod:`optly.rules.pecr` share: which stop, consent and listing counts, and how to answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from functools import partial
from typing import Final

import attrs

from optly.contacts import Channel
from optly.record.events import Defect, Through
from optly.record.standing import Standing, StandingConsent, StandingStop
from optly.rules.communication import Communication, MessageKind
from optly.rules.decision import Decision, Duty, Reason
from optly.rules.editions import Fines, edition_at, months_later, uk_date

# Days after which a listing counts: at 27 the caller is excused, at 28 refused. Reg 2(5), which counts whole days since
# August 2025, may excuse the 28th day too; nothing decided that, and it is not relied on.
LISTED_DAYS: Final = 28
# How old a copy of a register may be, in days, the last included. Industry's rule, from the same period.
COPY_DAYS: Final = 28


# What each defect of a consent offends, beside the regulation that asks for it.
_OFFENDED: Final[Mapping[Defect, str]] = {
    Defect.NOT_AFFIRMATIVE: "UK GDPR 4(11)",
    Defect.CHANNEL_NOT_NAMED: "UK GDPR 4(11)",
    Defect.SENDER_NOT_NAMED: "UK GDPR 4(11)",
    Defect.NO_CHOICE_OF_SENDER: "UK GDPR 4(11)",
    Defect.CONDITIONAL: "UK GDPR 7(4)",
    Defect.BUNDLED: "UK GDPR 7(2)",
    Defect.CHILD: "UK GDPR 8(1)",
    Defect.UNPROVEN: "UK GDPR 7(1)",
    Defect.STOPPED_BEFORE: "UK GDPR 21(3)",
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
        also=tuple(provision for provision in dict.fromkeys(also) if provision != regulation),
        channel=communication.channel,
        purpose=communication.purpose,
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
    if not standing.stops:
        return None
    line = communication.line or 0
    scopes = ((communication.channel, line), *((channel, line) for channel in channels), *communication.asks)
    found = [
        stop
        for channel, number in scopes
        if (stop := standing.stop(channel, communication.purpose, number, communication.at)) is not None
    ]
    return max(found, key=lambda stop: stop.at, default=None)


def refuse_stopped(
    communication: Communication, standing: Standing, stop: StandingStop, regulation: str, *also: str
) -> Decision:
    if stop.seq is None:
        return refuse(
            communication, standing, Reason.SUPPRESSED, "UK GDPR 21(3)", regulation, *also, through=stop.through
        )
    also = (*also, "UK GDPR 21(3)", *(() if stop.objection else ("UK GDPR 7(3)",)))
    if stop.through in _NO_OBJECTION:
        # That someone died or has gone is nobody's objection.
        instead = _NO_OBJECTION[stop.through]
        also = (*(provision for provision in also if provision != "UK GDPR 21(3)"), instead)
        regulation = instead if regulation == "UK GDPR 21(3)" else regulation
    return refuse(
        communication,
        standing,
        Reason.OBJECTED if stop.objection else Reason.WITHDRAWN,
        regulation,
        *also,
        evidence=(stop.seq,),
        through=stop.through,
    )


def is_solicited(communication: Communication, stop: StandingStop | None) -> bool:
    """
    Tell whether the message is what the person asked for, after whatever stop there is.

    A request for consent answers them once, without anything beside the question, and not where they stopped what it
    asks about: typing an address into a form does not show that it is one's own.
    """
    asked = communication.solicited
    if asked is None or asked.at > communication.at or communication.line is None:
        return False
    if communication.kind is MessageKind.SOLICITED:
        return stop is None or stop.at < asked.at
    return (
        communication.kind is MessageKind.CONSENT_REQUEST
        and stop is None
        and communication.attempt == 1
        and communication.promotional is False
    )


# ---- consent


def set_aside_old(communication: Communication, standing: Standing, months: int) -> Standing:
    """
    Return the standing without the consents that someone else collected too long ago to be the first contact.

    They count up to that many months to the microsecond, and as long as they stand once the sender has been in contact.
    """
    if communication.first_contact is False:
        return standing
    kept: list[StandingConsent] = []
    old: list[StandingConsent] = []
    for consent in standing.consents:
        too_old = (
            consent.collected_by
            and consent.purpose == communication.purpose
            and months_later(consent.at, months) < communication.at
        )
        (old if too_old else kept).append(consent)
    if not old:
        return standing
    return attrs.evolve(
        standing,
        consents=tuple(kept),
        unsound=(*standing.unsound, *(attrs.evolve(consent, defects=(Defect.TOO_OLD,)) for consent in old)),
    )


def consent_to(
    party: str, channel: Channel, communication: Communication, standing: Standing
) -> StandingConsent | None:
    """
    Return the consent that *party* may rely on for the channel, or None.
    """
    if communication.line is None:
        return None
    for consent in standing.running(channel, communication.purpose, communication.line, communication.at):
        named = consent.organisations
        if party == communication.responsible if named is None else party in named:
            return consent
    return None


def refuse_unconsented(
    communication: Communication,
    standing: Standing,
    channel: Channel,
    prohibition: str,
    exception: str,
    *also: str,
    reason: Reason | None = None,
) -> Decision:
    """
    Return the refusal for want of consent: under the *exception* where there is a consent that does not do, else under
    the *prohibition*, and with what is wrong with the consent that comes nearest.
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
    found, failed = _flaw(communication, nearest)
    regulation, other = (exception, prohibition) if known else (prohibition, exception)
    offended = [] if nearest is None else [_OFFENDED[defect] for defect in nearest.defects if defect in _OFFENDED]
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


def _flaw(communication: Communication, nearest: StandingConsent | None) -> tuple[Reason, tuple[str, ...]]:
    if communication.line is None:
        return Reason.NOT_ON_RECORD, ("line",)
    if nearest is None:
        return Reason.NO_CONSENT, ("consent",)
    match nearest.defects:
        case ():
            ended = nearest.expires_at is not None and nearest.expires_at < communication.at
            return (Reason.CONSENT_EXPIRED, ("expires_at",)) if ended else (Reason.NO_CONSENT, ("organisations",))
        case (Defect.UNPROVEN,):
            return Reason.CONSENT_UNPROVEN, ("unproven",)
        case (Defect.TOO_OLD,):
            return Reason.CONSENT_TOO_OLD, ("too_old",)
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
