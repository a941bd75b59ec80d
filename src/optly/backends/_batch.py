"""
Messages that are handed over by a call each: one, and many at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Final

import attrs

from optly.backends._http import Answer, Call, Caller, NoAnswerError, NotSentError
from optly.errors import ConfigurationError, UsageError
from optly.messages import Fault, Message, Outcome, Receipt

_MOST_CONNECTIONS: Final = 100  # what httpx opens at most
_LONGEST_WAIT: Final = 3600


def check_limits(*, timeout: timedelta, connections: int) -> None:
    """
    Make sure that calls can be made within these limits.

    Raises:
        ConfigurationError: They cannot.
    """
    if timeout <= timedelta(0) or not 1 <= connections <= _MOST_CONNECTIONS:
        raise ConfigurationError("timeout must be more than nothing, and connections 1 to 100")


def not_said(reply: str) -> Receipt:
    """
    Return the receipt of a message that nobody can have taken, for reasons that have nothing to do with it.
    """
    return Receipt(outcome=Outcome.RETRY_LATER, fault=Fault.BACKEND, reply=reply)


def hand_over(call: Call, *, caller: Caller, parse: Callable[[Answer], Receipt]) -> Receipt:
    """
    Make *call*, once, and say what became of the message in it.

    Args:
        parse: Reads the answer, if there is one.
    """
    try:
        answer = caller.call(call)
    except NotSentError as error:
        return not_said(f"no connection: {error}")
    except NoAnswerError as error:
        return Receipt(outcome=Outcome.IN_DOUBT, fault=Fault.BACKEND, reply=f"no answer: {error}")
    return parse(answer)


def asked_to_wait(answer: Answer) -> timedelta | None:
    """
    Return how long the provider asks us to wait, up to an hour, or None if it does not ask in whole seconds.
    """
    asked = answer.headers.get("retry-after", "")
    return timedelta(seconds=min(int(asked), _LONGEST_WAIT)) if re.fullmatch(r"[0-9]{1,6}", asked, re.ASCII) else None


def hand_over_all(
    messages: Sequence[Message], *, send: Callable[[Message], Receipt], connections: int
) -> Sequence[Receipt]:
    """
    Send each of *messages*, several at a time, and say what became of each, in the same order.

    Once one founders on the backend itself, the rest is not said: it would fare the same, and with a provider that has
    fallen silent all of it would be in doubt.

    Args:
        send: Sends one. Has to be safe to share between threads.
        connections: How many are sent at once.
    """
    foundered: list[Receipt] = []

    def one(message: Message) -> Receipt:
        if foundered:
            rest = not_said("not said after another message foundered")
            return attrs.evolve(rest, retry_after=foundered[0].retry_after)
        try:
            receipt = send(message)
        except UsageError as error:
            return Receipt(outcome=Outcome.REFUSED, fault=Fault.MESSAGE, reply=str(error))
        if receipt.fault is Fault.BACKEND:
            foundered.append(receipt)
        return receipt

    with ThreadPoolExecutor(connections) as pool:
        return list(pool.map(one, messages))
