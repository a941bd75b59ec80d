"""
The Privacy and Electronic Communications (EC Directive) Regulations 2003 (S.I. 2003/2426): electronic mail.

One function a regulation. What this edition does not decide it refuses: calls, fax and post, and among the grounds for
electronic mail the charities' soft opt-in of reg 22(3A). None of this is legal advice.
"""

from __future__ import annotations

from typing import Final

import attrs

from optly.addresses import Channel
from optly.consent import Standing
from optly.rules.communication import Communication, MessageKind
from optly.rules.decision import Decision, Duty, Reason

EDITION: Final = "UK PECR, electronic mail, as in force on 2026-11-23"

# Reg 2(1): a message that is stored in the network or in the terminal until it is collected. Push by inference.
ELECTRONIC_MAIL: Final = frozenset(
    {
        Channel.EMAIL,
        Channel.SMS,
        Channel.MMS,
        Channel.VOICEMAIL,
        Channel.SOCIAL_DM,
        Channel.IN_APP,
        Channel.PUSH,
    }
)

_DUTIES: Final = (Duty.SHOW_IDENTITY, Duty.GIVE_STOP_ADDRESS)


def _decision(
    communication: Communication,
    *,
    allowed: bool,
    reason: Reason,
    regulation: str,
    evidence: tuple[int, ...] = (),
    duties: tuple[Duty, ...] = (),
) -> Decision:
    return Decision(
        allowed=allowed,
        reason=reason,
        regulation=regulation,
        channel=communication.channel,
        purpose=communication.purpose,
        at=communication.at,
        edition=EDITION,
        contact=communication.contact,
        line=communication.line,
        evidence=evidence,
        duties=duties,
    )


def stops(communication: Communication, standing: Standing) -> Decision | None:
    """
    Refuse what the person stopped: the message itself and, for a request for consent, each thing it asks about.

    Not covered: profiling that is not a message.

    Source: UK GDPR Art 21(2) and (3) and Art 7(3), https://www.legislation.gov.uk/eur/2016/679/article/21; PECR reg
    22(2), "for the time being", https://www.legislation.gov.uk/uksi/2003/2426/regulation/22 (read 2026-11-23).
    """
    if standing.erased_at is not None:
        return _decision(communication, allowed=False, reason=Reason.ERASED, regulation="UK GDPR 21(3)")
    if not standing.stops:
        return None
    for channel, line in ((communication.channel, communication.line or 0), *communication.asks):
        stop = standing.stop(channel, communication.purpose, line, communication.at)
        if stop is None:
            continue
        if stop.seq is None:
            return _decision(communication, allowed=False, reason=Reason.SUPPRESSED, regulation="UK GDPR 21(3)")
        return _decision(
            communication,
            allowed=False,
            reason=Reason.OBJECTED if stop.objection else Reason.WITHDRAWN,
            regulation="UK GDPR 21(3)" if stop.objection else "22(2)",
            evidence=(stop.seq,),
        )
    return None


def electronic_mail(communication: Communication, standing: Standing) -> Decision:
    """
    Decide a message by electronic mail that nobody stopped.

    A corporate subscriber is not protected by the rule. An individual, and whoever is not known to be something else,
    has to have consented (22(2)) or to have been a customer in the way of 22(3). Asking for consent is marketing; it
    goes without either only where the person asked to be asked, because then the message is not unsolicited (22(1)).

    Not covered: the charities' soft opt-in of 22(3A).

    Source: PECR reg 22, https://www.legislation.gov.uk/uksi/2003/2426/regulation/22 (read 2026-11-23).
    """
    if standing.subscriber.corporate and communication.line is not None:
        return _decision(
            communication, allowed=True, reason=Reason.CORPORATE_SUBSCRIBER, regulation="22(1)", duties=_DUTIES
        )
    solicited = communication.solicited
    if (
        communication.kind is MessageKind.CONSENT_REQUEST
        and solicited is not None
        and solicited.at <= communication.at
        and communication.line is not None
    ):
        return _decision(communication, allowed=True, reason=Reason.SOLICITED, regulation="22(1)", duties=_DUTIES)
    if communication.line is None:
        return _decision(communication, allowed=False, reason=Reason.NOT_ON_RECORD, regulation="22(2)")
    consent = standing.consent(communication.channel, communication.purpose, communication.line, communication.at)
    if consent is not None:
        return _decision(
            communication,
            allowed=True,
            reason=Reason.CONSENTED,
            regulation="22(2)",
            evidence=(consent.seq,),
            duties=_DUTIES,
        )
    return soft_opt_in(communication, standing) or _without_consent(communication, standing)


def _without_consent(communication: Communication, standing: Standing) -> Decision:
    expired = [
        consent.seq
        for consent in standing.consents
        if (consent.channel, consent.purpose, consent.line)
        == (communication.channel, communication.purpose, communication.line)
        and consent.expires_at is not None
        and consent.expires_at < communication.at
    ]
    return _decision(
        communication,
        allowed=False,
        reason=Reason.CONSENT_EXPIRED if expired else Reason.NO_CONSENT,
        regulation="22(2)",
        evidence=tuple(expired),
    )


def soft_opt_in(communication: Communication, standing: Standing) -> Decision | None:
    """
    Decide by the soft opt-in for customers, if one is on record for the line. Each of its parts has to be there.

    Any stop that ever covered the message rules it out, even one that was lifted: a consent that ran out does not fall
    back to what came before it.

    Source: PECR reg 22(3), https://www.legislation.gov.uk/uksi/2003/2426/regulation/22 (read 2026-11-23).
    """
    for known in standing.soft_opt_ins:
        if (known.channel, known.line) != (communication.channel, communication.line) or known.at > communication.at:
            continue
        if any(stop.covers(known.channel, communication.purpose, known.line) for stop in standing.stops):
            return None
        missing = (
            ("22(3)(a)", known.in_sale and known.obtained_by == communication.sender),
            ("22(3)(b)", communication.purpose in known.similar_purposes),
            ("22(3)(c)", known.refusal_offered),
        )
        for provision, there in missing:
            if not there:
                return _decision(
                    communication,
                    allowed=False,
                    reason=Reason.SOFT_OPT_IN_INCOMPLETE,
                    regulation=provision,
                    evidence=(known.seq,),
                )
        return _decision(
            communication,
            allowed=True,
            reason=Reason.SOFT_OPT_IN,
            regulation="22(3)",
            evidence=(known.seq,),
            duties=(*_DUTIES, Duty.OFFER_FREE_REFUSAL),
        )
    return None


def identity_and_stop_address(communication: Communication) -> Decision | None:
    """
    Refuse a message that hides whom it is sent for or gives no address for requests to stop.

    Holds for every subscriber, and for messages that were asked for too.

    Source: PECR reg 23(a) and (b), https://www.legislation.gov.uk/uksi/2003/2426/regulation/23 (read 2026-11-23).
    """
    if not communication.shows_identity:
        return _decision(communication, allowed=False, reason=Reason.IDENTITY_CONCEALED, regulation="23(a)")
    if not communication.gives_stop_address:
        return _decision(communication, allowed=False, reason=Reason.NO_STOP_ADDRESS, regulation="23(b)")
    return None


@attrs.frozen
class UKPECR:
    """
    The law of the United Kingdom on marketing by electronic mail.
    """

    @property
    def edition(self) -> str:
        return EDITION

    def assess(self, communication: Communication, standing: Standing) -> Decision:
        """
        Decide, in the order: what the person stopped, the ground for sending, the duties of the message itself.
        """
        if (stopped := stops(communication, standing)) is not None:
            return stopped
        if communication.channel not in ELECTRONIC_MAIL:
            return _decision(communication, allowed=False, reason=Reason.NOT_COVERED, regulation="19 to 21B")
        decision = electronic_mail(communication, standing)
        return (identity_and_stop_address(communication) or decision) if decision else decision
