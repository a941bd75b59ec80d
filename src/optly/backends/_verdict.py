"""
What a mail server's reply means for a message. Pure.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

import attrs

from optly import typed
from optly.backends._diagnosis import Cause, diagnose, say_nobody_is_there
from optly.messages import Fault, Outcome, Receipt

_NOT_TEXT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)", re.ASCII)
_LONGEST, _LONGEST_ID = 1000, 200

_QUEUED = re.compile(
    r"\bqueued as ([\w.@-]+)"  # Postfix, aiosmtpd
    r"|\bOK id=([\w.-]+)"  # Exim
    r"|^(?:2\.\d\.\d )?([\w.-]+) Message accepted for delivery"  # Sendmail, OpenSMTPD
    r"|^Ok ([0-9a-f]{16}-[0-9a-f-]+)$",  # Amazon SES
    re.ASCII | re.IGNORECASE,
)

CLOSING: Final = 421

# About the connection, the log-in or our commands, whatever the message: RFC 4954 6, RFC 3207 4, RFC 5321 4.2.2.
_OURS = frozenset({CLOSING, 454, 500, 502, 503, 504, 530, 534, 535, 538, 555})
# RFC 3463 3; 5.1.7 and 5.1.8 are about the sender.
_SYSTEM_OR_SENDER = frozenset({"4.3.1", "4.3.2", "4.3.5", "5.3.5", "5.1.7", "5.1.8"})
_MAILBOX = frozenset({"4.2.1", "4.2.2", "5.2.2"})
_TOO_LONG, _TOO_LONG_STATUS = 552, frozenset({"5.2.3", "5.3.4"})


# About our account or our address as the sender, at whichever step it is said: Gmail, Microsoft 365.
_ACCOUNT_STATUS = frozenset({"5.4.5", "5.1.90", "5.2.252", "5.7.60"})
_ACCOUNT = re.compile(
    r"(?:send|submission|relay|daily|hourly|message|recipient|smtp)\w*[\s-]*(?:rate[\s-]*)?quota"
    r"|(?:daily|hourly|send|relay|rate)\w*\s+(?:\w+\s+){0,2}limit|only \d+ messages"
    r"|(?:too many|(?:maximum )?number of) (?:recipients|messages)|messages? per (?:day|hour|minute)"
    r"|not verified|not owned|not (?:allowed|authori[sz]ed|permitted) to (?:send|relay)|send\s?as\s?denied"
    r"|relay(?:ing)?(?: access)? (?:denied|not permitted|disallowed|not allowed)|unable to relay"
    r"|sender (?:address )?rejected|account (?:is |has been )?(?:suspended|disabled|blocked|on hold)",
    re.IGNORECASE,
)


class Step(IntEnum):
    MAIL = 0
    RCPT = 1
    DATA = 2
    DOT = 3


STEPS: Final = tuple(Step)
_GOES_ON = {Step.MAIL: 2, Step.RCPT: 2, Step.DATA: 3, Step.DOT: 2}


@attrs.frozen
class Reply:
    """
    A server's reply at one step, or how it failed to reply.

    Attributes:
        code: None if nothing arrived, or what arrived was not a reply.
        text: The lines of the reply without their codes, or what went wrong. May contain an address.
    """

    code: int | None
    text: str = attrs.field(repr=False)

    @property
    def status(self) -> str:
        """
        The enhanced status code, or empty.
        """
        found = _STATUS.match(self.text)
        return found.group() if found else ""

    def lets_go_on(self, step: Step) -> bool:
        """
        Whether it lets the next step follow *step*.
        """
        return self.code is not None and self.code // 100 == _GOES_ON[step]

    @property
    def refuses(self) -> bool:
        """
        Whether it refuses the command, temporarily or permanently, on a connection that stays open.
        """
        return self.code is not None and self.code // 100 in (4, 5) and self.code != CLOSING


def judge(reply: Reply, step: Step, *, said: bool) -> Receipt:
    """
    Return what a reply means for a message.

    A refusal says nothing about the address unless its enhanced code does, and no word beside it: a bare 550 is also
    used for a block by policy or by reputation. At MAIL all the server knows of the message is our own address and a
    size, so a refusal there would apply to any other message as well.

    Args:
        said: Whether the server may have received the final dot. From then on silence, or anything that is not an
            answer, means doubt.
    """
    match (reply.code or 0) // 100:
        case 2 if step is Step.DOT and said:
            return receipt(reply, Outcome.ACCEPTED)
        case 4 | 5 as severity:
            outcome, fault = _sort(reply, step, permanent=severity == 5)
            # After RCPT it may be the message that is refused.
            lasting = step is Step.RCPT and outcome is Outcome.REFUSED and fault is None
            permanent = lasting and diagnose(reply.status, reply.text) is Cause.UNSAID
            return receipt(reply, outcome, fault, permanent=permanent)
        case _:
            return receipt(reply, Outcome.IN_DOUBT if said else Outcome.RETRY_LATER, Fault.BACKEND)


def _is_account(reply: Reply) -> bool:
    """
    Whether a refusal is about our account, or our address as the sender, and so about no message.
    """
    return reply.status in _ACCOUNT_STATUS or _ACCOUNT.search(reply.text) is not None


def _sort(reply: Reply, step: Step, *, permanent: bool) -> tuple[Outcome, Fault | None]:
    code, status = reply.code, reply.status
    if code in _OURS or status in _SYSTEM_OR_SENDER or (permanent and _is_account(reply)):
        return Outcome.RETRY_LATER, Fault.BACKEND
    # Yahoo says 552 of a mailbox that it cannot find.
    full = code == _TOO_LONG and not (step is Step.RCPT and not status and say_nobody_is_there(reply.text))
    if status in _MAILBOX or (full and not status and step is Step.RCPT):
        return Outcome.RETRY_LATER, Fault.MAILBOX
    if permanent and (full or status in _TOO_LONG_STATUS or status.startswith("5.6.")):
        return Outcome.REFUSED, Fault.MESSAGE
    if step is Step.MAIL:
        return Outcome.RETRY_LATER, Fault.BACKEND
    if not permanent:
        return Outcome.RETRY_LATER, None
    cause = diagnose(status, reply.text)
    if cause is Cause.GONE:
        return Outcome.REFUSED, Fault.ADDRESS
    return Outcome.REFUSED, Fault.MESSAGE if status.startswith("5.7.") and cause is Cause.ELSEWHERE else None


def receipt(reply: Reply, outcome: Outcome, fault: Fault | None = None, *, permanent: bool = False) -> Receipt:
    """
    Return the receipt for a reply, cut and cleaned so that any store can keep it.

    The text of an acceptance must never prevent the acceptance from being recorded.
    """
    text = reply.text if reply.code is None else f"{reply.code} {reply.text}"
    queued = _QUEUED.search(reply.text) if outcome is Outcome.ACCEPTED else None
    return Receipt(
        outcome=outcome,
        reply=_NOT_TEXT.sub("\ufffd", text)[:_LONGEST],
        code=reply.code,
        status=reply.status,
        fault=fault,
        permanent=permanent,
        provider_id="" if queued is None else queued[queued.lastindex or 0][:_LONGEST_ID],
    )


def not_sent(why: str, outcome: Outcome = Outcome.RETRY_LATER, fault: Fault | None = Fault.BACKEND) -> Receipt:
    """
    Return the receipt of a message that was not begun.
    """
    return typed.evolve(receipt(Reply(None, f"not sent: {why}"), outcome, fault), begun=False)
