"""
Messages that are sent by send_one HTTP call each: one, and many at once.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Final

from optly import typed
from optly.backends._http import Answer, Call, Caller, NoAnswerError, NotSentError
from optly.errors import ConfigurationError
from optly.messages import PROMPTLY, BatchInterrupted, Fault, Message, Outcome, Receipt, says_unsent

_log = logging.getLogger("optly")

_MOST_CONNECTIONS: Final = 100  # the most that httpx opens
_LONGEST_WAIT: Final = 3600


def check_limits(*, timeout: timedelta, connections: int) -> None:
    """
    Check the limits for calls.

    Raises:
        ConfigurationError: One of them is out of range.
    """
    if timeout <= timedelta(0) or not 1 <= connections <= _MOST_CONNECTIONS:
        raise ConfigurationError("timeout must be longer than zero, and connections from 1 to 100")


def not_sent(reply: str) -> Receipt:
    """
    Return the receipt of a message that cannot have been accepted, for reasons that have nothing to do with it.
    """
    return Receipt(outcome=Outcome.RETRY_LATER, fault=Fault.BACKEND, reply=reply, begun=False)


def send_once(call: Call, *, caller: Caller, parse: Callable[[Answer], Receipt]) -> Receipt:
    """
    Make *call* once and return the outcome of the message in it.

    Args:
        parse: Turns the answer, if there is send_one, into a receipt.
    """
    try:
        answer = caller.call(call)
    except NotSentError as error:
        return not_sent(f"no connection: {error}")
    except NoAnswerError as error:
        return Receipt(outcome=Outcome.IN_DOUBT, fault=Fault.BACKEND, reply=f"no answer: {error}")
    return parse(answer)


def retry_after(answer: Answer) -> timedelta | None:
    """
    Return how long the provider asks us to wait, at most an hour, or None if it gives no whole number of seconds.
    """
    seconds = answer.headers.get("retry-after", "")
    if not re.fullmatch(r"[0-9]{1,6}", seconds, re.ASCII):
        return None
    return timedelta(seconds=min(int(seconds), _LONGEST_WAIT))


def send_many(
    messages: Sequence[Message], *, send: Callable[[Message], Receipt], connections: int
) -> Sequence[Receipt]:
    """
    Send each of *messages*, several at a time, and return the outcomes in the same order.

    Once one fails because of the backend itself, the rest is not sent: it would fail too, and with a provider that no
    longer answers all of it would be in doubt. Nor is one sent that has waited for longer than `PROMPTLY`.

    Args:
        send: Sends one. Must be safe to share between threads.
        connections: How many are sent at once.
    """
    over: list[Receipt] = []  # the receipt of whatever is not begun any more, once something has gone wrong
    until = time.monotonic() + PROMPTLY.total_seconds()

    def send_one(message: Message) -> Receipt:
        if over:
            return over[-1]
        if time.monotonic() > until:
            return typed.evolve(not_sent("not sent: other messages took too long"), fault=None)
        try:
            receipt = send(message)
        except Exception as error:
            if says_unsent(error):
                return Receipt(outcome=Outcome.REFUSED, fault=Fault.MESSAGE, reply=str(error))
            # The others are not in doubt with it. The error may hold an address.
            _log.error(
                "message backend raised an exception", extra={"message_id": message.id, "error": type(error).__name__}
            )
            return Receipt(outcome=Outcome.IN_DOUBT)
        if receipt.fault is Fault.BACKEND:
            rest = not_sent("not sent after another message failed")
            over.append(typed.evolve(rest, retry_after=receipt.retry_after))
        return receipt

    sending: list[Future[Receipt]] = []
    with ThreadPoolExecutor(connections) as pool:
        try:
            sending += (pool.submit(send_one, message) for message in messages)
            wait(sending)
        except BaseException as why:
            # Those under way are finished, and no other is begun.
            unsent = typed.evolve(not_sent("not sent: interrupted"), fault=None)
            over.append(unsent)
            wait(sending)
            receipts = [each.result() for each in sending]
            raise BatchInterrupted([*receipts, *[unsent] * (len(messages) - len(receipts))], why) from None
    return [each.result() for each in sending]
