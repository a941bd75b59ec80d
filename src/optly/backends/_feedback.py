"""
What a mailbox provider's report of feedback means, no matter who passes it on. Pure.
"""

from __future__ import annotations

from typing import Final

from optly.messages import DeliveryStatus

# The person moved it out of the spam folder (RFC 6430); a check of a signature failed (RFC 6591).
_NO_COMPLAINT: Final = frozenset({"not-spam", "auth-failure"})
_OPT_OUT: Final = frozenset({"opt-out", "opt-out-list"})


def feedback_status(kind: str) -> DeliveryStatus | None:
    """
    Return what feedback of a kind says; None if it says nothing about what the person wants.

    Someone who reports a message as a fraud or a virus does not want another one, and neither does someone who
    reports it as something that this version does not know.

    Source: RFC 5965 7.3, RFC 6430 and RFC 6591; Amazon SES reports the same kinds.
    """
    if kind in _NO_COMPLAINT:
        return None
    return DeliveryStatus.OPTED_OUT if kind in _OPT_OUT else DeliveryStatus.COMPLAINED
