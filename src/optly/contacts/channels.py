"""
Which channels reach the same line, and which of them are stopped together.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from optly.contacts.addresses import AddressKind, Channel

# Electronic mail is whatever is stored until it is collected (PECR reg 2(1)): every channel but these. Named the other
# way round so that a stop covers a channel that is added later.
_NOT_ELECTRONIC_MAIL: Final = frozenset({Channel.LIVE_CALL, Channel.AUTOMATED_CALL, Channel.FAX, Channel.POST})

ELECTRONIC_MAIL: Final = frozenset(Channel) - _NOT_ELECTRONIC_MAIL


@cache
def reaching(kind: AddressKind) -> tuple[Channel, ...]:
    """
    Return every channel that reaches an address of a kind.
    """
    return tuple(channel for channel in Channel if channel.kind is kind)


@cache
def stopped_with(channel: Channel) -> tuple[Channel, ...]:
    """
    Return what a stop by a message on *channel*, or through a link in one, stops: every kind of message to that line.

    Nobody who writes STOP under a text distinguishes it from a picture message, a chat or a voicemail. All of these
    are electronic mail, under one regulation. Calls are not covered: the person spoke of messages,
    calls are under regulations of their own, each with its own objection ("such calls", reg 21(1)(a)), and a consent to
    automated calls names them (reg 19(2)). A stop in words that name calls, or everything, covers those too.

    Source: PECR regs 2(1), 19, 21 and 22, https://www.legislation.gov.uk/uksi/2003/2426 (read 2026-11-23).
    """
    if channel not in ELECTRONIC_MAIL:
        return (channel,)
    return tuple(other for other in reaching(channel.kind) if other in ELECTRONIC_MAIL)
