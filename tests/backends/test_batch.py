"""
Many messages by one HTTP call each.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Collection
from concurrent.futures import Future

import pytest

from optly.backends import _batch
from optly.backends._batch import send_many
from optly.contacts import Channel
from optly.messages import BatchInterrupted, Fault, Message, Outcome, Receipt

ACCEPTED = Receipt(outcome=Outcome.ACCEPTED)


def messages(count: int) -> list[Message]:
    return [Message(id=f"{n:032x}", channel=Channel.EMAIL, to="ada@example.com", text="hi") for n in range(count)]


class TimeLimitError(BaseException):
    """
    What a task queue raises when a task takes too long.
    """


@pytest.mark.parametrize("waiting", [1, 2])
def test_what_was_under_way_when_interrupted_has_a_receipt(monkeypatch: pytest.MonkeyPatch, waiting: int) -> None:
    """
    It is finished, nothing else is begun, and the caller is told which is which.
    """
    begun: list[str] = []
    three = threading.Event()
    strikes = iter([True] * waiting)

    def strike(futures: Collection[Future[Receipt]]) -> object:
        assert three.wait(5)
        if next(strikes, False):
            raise TimeLimitError
        return concurrent.futures.wait(futures)

    def send(message: Message) -> Receipt:
        begun.append(message.id)
        if len(begun) == 3:
            three.set()
        time.sleep(0.1)
        return ACCEPTED

    monkeypatch.setattr(_batch, "wait", strike)
    many = messages(40)
    if waiting == 2:
        with pytest.raises(TimeLimitError):
            send_many(many, send=send, connections=3)
        assert len(begun) == 3
        return
    with pytest.raises(BatchInterrupted) as caught:
        send_many(many, send=send, connections=3)
    assert isinstance(caught.value.why, TimeLimitError)
    receipts = caught.value.receipts
    assert len(receipts) == len(many)
    assert set(begun) == {m.id for m, r in zip(many, receipts, strict=True) if r.outcome is Outcome.ACCEPTED}
    assert {(r.begun, r.fault) for r in receipts if r.outcome is not Outcome.ACCEPTED} == {(False, None)}


def test_a_fault_of_the_provider_is_the_fault_of_the_rest() -> None:
    """
    Which is not begun.
    """
    down = Receipt(outcome=Outcome.RETRY_LATER, fault=Fault.BACKEND)
    receipts = send_many(messages(9), send=lambda _message: down, connections=1)
    assert [True] + [False] * 8 == [receipt.begun for receipt in receipts]
    assert {Fault.BACKEND} == {receipt.fault for receipt in receipts}
