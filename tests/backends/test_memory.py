"""
What the backends for tests and for developers keep and show.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from optly.backends import ConsoleBackend, MemoryBackend
from optly.contacts.addresses import Channel
from optly.messages import Message, Outcome, Receipt

Write = Callable[..., Message]


def test_the_outbox_holds_what_may_have_reached_somebody(write: Write) -> None:
    """
    Not what was refused or put off; `attempts` holds everything.
    """
    backend = MemoryBackend(outcomes=[Receipt(outcome=outcome) for outcome in Outcome])
    messages = [write(id=f"{number:032x}") for number in range(len(Outcome) + 1)]
    outcomes = [backend.send(message).outcome for message in messages]
    assert [*Outcome, Outcome.ACCEPTED] == outcomes
    taken = {Outcome.ACCEPTED, Outcome.IN_DOUBT}
    assert [m for m, outcome in zip(messages, outcomes, strict=True) if outcome in taken] == backend.outbox
    assert messages == backend.attempts


def test_a_function_can_answer_and_can_crash(write: Write) -> None:
    """
    What it raises comes out, and the attempt is on record.
    """

    def answer(message: Message) -> Receipt:
        if message.subject:
            raise ZeroDivisionError
        return Receipt(outcome=Outcome.REFUSED)

    backend = MemoryBackend(answer=answer)
    assert Outcome.REFUSED is backend.send(write()).outcome
    with pytest.raises(ZeroDivisionError):
        backend.send(write(subject="x"))
    assert len(backend.attempts) == 2
    assert backend.outbox == []


def test_the_console_shows_all_a_developer_needs(write: Write) -> None:
    """
    Whom it goes to, the headers, and the text with its links.
    """
    stream = io.StringIO()
    ConsoleBackend(stream=stream).send(
        write(
            subject="Your choices", headers={"List-Unsubscribe": "<https://x.example.com/s>"}, text="Go to https://l\n"
        )
    )
    lines = stream.getvalue().splitlines()
    assert lines[1:-1] == [
        "To: ada@example.com",
        "Subject: Your choices",
        "List-Unsubscribe: <https://x.example.com/s>",
        "",
        "Go to https://l",
    ]


def test_the_console_is_whatever_it_is_at_the_time(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A backend made before the output was redirected writes to where it is redirected.
    """
    ConsoleBackend(Channel.SMS).send(write(channel=Channel.SMS, to="+447911123456", text="Yes?"))
    assert "To: +447911123456\n\nYes?\n" in capsys.readouterr().out
