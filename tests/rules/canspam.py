"""
A second rulebook, as an example: commercial email under the CAN-SPAM Act of the United States.

UK law asks whether the person said yes; this asks only whether they said no. None of it is legal advice.
"""

from __future__ import annotations

from typing import Final

import attrs

from optly.contacts.addresses import Channel
from optly.record.consent import Standing
from optly.rules import Communication, Decision, Duty, MessageKind, Reason

EDITION: Final = "CAN-SPAM, email, as reported 2026-11-23"


@attrs.frozen(kw_only=True)
class CanSpam:
    """
    Commercial email to anyone, businesses included, needs no consent. It needs a true sender, a postal address and a
    way to stop, and is never sent to people who used that way.

    Stops take effect at once, although the act allows ten business days.

    Not covered: texts and calls (TCPA), which are refused; whether the subject is true and the advertisement is marked
    as one; whether the way to stop works for thirty days.

    Source: CAN-SPAM Act 2003, 15 USC 7704(a), as reported in
    https://way2mail.net/knowledgebase/what-are-the-main-requirements-for-compliance (2026-11-23).

    Attributes:
        postal_address: The sender's, as it appears in each message.
    """

    postal_address: str

    @property
    def edition(self) -> str:
        return EDITION

    def assess(self, communication: Communication, standing: Standing) -> Decision:
        """
        Decide in this order: whether the act applies, what the person stopped, what the message shows.
        """
        if communication.channel is not Channel.EMAIL:
            return self._answer(communication, Reason.NOT_COVERED, "not covered")
        if communication.kind is MessageKind.SERVICE and communication.promotional is False:
            return self._answer(communication, Reason.SERVICE, "15 USC 7702(2)", allowed=True)
        stop = standing.stop(communication.channel, communication.purpose, communication.line or 0, communication.at)
        if stop is not None:
            evidence = () if stop.seq is None else (stop.seq,)
            return self._answer(communication, Reason.OBJECTED, "15 USC 7704(a)(4)", evidence=evidence)
        if not communication.shows_identity or not self.postal_address.strip():
            return self._answer(communication, Reason.IDENTITY_CONCEALED, "15 USC 7704(a)(5)")
        if not communication.gives_stop_address:
            return self._answer(communication, Reason.NO_STOP_ADDRESS, "15 USC 7704(a)(3)")
        return self._answer(communication, Reason.NO_OBJECTION, "15 USC 7704(a)", allowed=True)

    def _answer(
        self,
        communication: Communication,
        reason: Reason,
        regulation: str,
        *,
        allowed: bool = False,
        evidence: tuple[int, ...] = (),
    ) -> Decision:
        return Decision(
            allowed=allowed,
            reason=reason,
            regulation=regulation,
            channel=communication.channel,
            purpose=communication.purpose,
            kind=communication.kind,
            at=communication.at,
            edition=EDITION,
            contact=communication.contact,
            line=communication.line,
            evidence=evidence,
            duties=(Duty.SHOW_IDENTITY, Duty.GIVE_STOP_ADDRESS) if allowed else (),
        )
