"""
What Twilio's error codes mean for a message, as data, and how the codes and their texts are read.

Twilio may change its codes, so this is what is known of some of them; an unknown one suppresses nobody. Each has a
page: https://www.twilio.com/docs/api/errors/21610 and so on (those marked with a date were read on that date; the
others are known from use).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import attrs

from optly.messages import DeliveryStatus, Fault, Outcome
from optly.messages.plain import clean


@attrs.frozen
class Verdict:
    """
    What a code means: for a message that is being sent, and for one that was accepted before.
    """

    outcome: Outcome
    fault: Fault | None
    later: DeliveryStatus = DeliveryStatus.FAILED


OPTED_OUT: Final = Verdict(Outcome.REFUSED, Fault.OPTED_OUT, DeliveryStatus.OPTED_OUT)
ADDRESS: Final = Verdict(Outcome.REFUSED, Fault.ADDRESS, DeliveryStatus.BOUNCED)
HANDSET: Final = Verdict(Outcome.RETRY_LATER, Fault.MAILBOX)
CONTENT: Final = Verdict(Outcome.REFUSED, Fault.MESSAGE)
ACCOUNT: Final = Verdict(Outcome.RETRY_LATER, Fault.BACKEND)
REFUSED: Final = Verdict(Outcome.REFUSED, None)

VERDICTS: Final[Mapping[int, Verdict]] = {
    # The person
    21610: OPTED_OUT,  # replied STOP (2026-11-23)
    # The number
    21211: ADDRESS,  # not a valid number
    21614: ADDRESS,  # not a mobile (2026-11-24)
    21635: ADDRESS,  # a landline (2026-11-24)
    30005: ADDRESS,  # no such handset
    30006: ADDRESS,  # a landline: "do not retry" (2026-11-24)
    # The handset
    30003: HANDSET,  # off or out of reach; temporary (2026-11-24)
    # The message
    21602: CONTENT,  # empty
    21605: CONTENT,  # too long
    21617: CONTENT,  # more than 1,600 characters
    30007: CONTENT,  # filtered by the network or by Twilio
    **dict.fromkeys([*range(35110, 35120), 35126], CONTENT),  # the time of sending (35115: 2026-11-23)
    # The account and its settings: to be corrected; nothing is lost until then
    20001: ACCOUNT,  # credentials
    20003: ACCOUNT,  # log-in
    20005: ACCOUNT,  # account not active
    20006: ACCOUNT,  # no access
    20403: ACCOUNT,  # forbidden
    20404: ACCOUNT,  # no such account
    20429: ACCOUNT,  # too many requests, which are not processed (2026-11-23)
    14107: ACCOUNT,  # too many messages
    21212: ACCOUNT,  # sender
    21408: ACCOUNT,  # country not permitted
    21601: ACCOUNT,  # sender cannot send texts (2026-11-24)
    21603: ACCOUNT,  # sender missing
    21606: ACCOUNT,  # sender not ours, or not for texts (2026-11-24)
    21608: ACCOUNT,  # trial account (2026-11-24)
    21609: ACCOUNT,  # address for callbacks
    21611: ACCOUNT,  # queue of the sender full for hours
    21659: ACCOUNT,  # sender not ours (2026-11-24)
    21660: ACCOUNT,  # sender of another account (2026-11-24)
    21701: ACCOUNT,  # messaging service
    21703: ACCOUNT,
    21704: ACCOUNT,
    21705: ACCOUNT,
    21730: ACCOUNT,  # maintenance (2026-11-24)
    30001: ACCOUNT,  # queue overflow
    30002: ACCOUNT,  # account suspended
    # The pair of sender and number, which says nothing about the number alone
    21612: REFUSED,  # this sender cannot reach that number (2026-11-24)
    30004: REFUSED,  # blocked on the way, it may be by the handset
    30008: REFUSED,  # unknown to Twilio too
}


def verdict(code: int | None) -> Verdict:
    """
    Return what a code means. An unknown one, or none, is a refusal that says nothing about the person.
    """
    return REFUSED if code is None else VERDICTS.get(code, REFUSED)


_CODE = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_LONGEST_REPLY: Final = 1000


def code_of(value: object) -> int | None:
    """
    Return the code in *value*, as Twilio writes it, or None if it is not one.
    """
    return int(str(value)) if _CODE.fullmatch(str(value)) else None


def words(*parts: object) -> str:
    """
    Join the parts of Twilio's answer into one line that any store can keep.
    """
    return clean(" ".join(" ".join(str(word).split()) for word in parts if word))[:_LONGEST_REPLY]
