"""
A text that no store can hold is refused before anything is written, and one that a person wrote is kept all the same.
"""

from __future__ import annotations

import sys
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services import MYSQL, POSTGRESQL
from stores import STORES, made
from world import EMAIL, PHONE, World, world

from optly import Act, Attachment, Channel, Content, Context, Wording
from optly.errors import AddressError, AnswerError, InvalidValueError, OptlyError
from optly.messages import DeliveryEvent, DeliveryStatus, InboundMessage
from optly.portal import Request
from optly.record.events import ComplaintReceived, MessageReceived, ObjectionRaised
from optly.rules import Reason
from optly.testing.messages import code_in, stop_token_in
from optly.typed import LONGEST, require_text

HEAP = "a" + "\u0301" * 30_000
HOSTILE = {
    "half a surrogate pair": "Ada \ud800",
    "the other half": "\udfffAda",
    "a NUL": "Ada\0",
    "a heap of marks": HEAP,
    "a heap of marks that is not too long": "a" + "\u0301" * 300,
}
TOO_LONG = {**HOSTILE, "too much": "x" * 2_000_000}


@pytest.fixture(name="w", params=[*STORES, POSTGRESQL, MYSQL])
def _world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """
    A world over each kind of store.
    """
    for storage in made(request.param, tmp_path):
        yield world(storage)


@pytest.mark.parametrize("text", TOO_LONG.values(), ids=TOO_LONG)
def test_it_is_refused_by_name(w: World, text: str) -> None:
    """
    In whatever a host passes, and nothing is written.
    """
    ada, m = w.add(), w.manager
    before, words = m.history(ada), Wording(text="May Acme Ltd email you about offers?")
    consent: dict[str, Any] = {
        "channels": ["email"], "purposes": ["offers"], "wording": words, "act": Act.TICKED_BOX, "at": w.clock()
    }  # fmt: skip
    calls: dict[str, Any] = {
        "name": lambda: m.change_details(ada, name=text),
        "language": lambda: m.change_details(ada, language=text),
        "reference": lambda: m.add_contact(reference=text),
        "how": lambda: m.record_objection(ada, how=text),
        "text": lambda: m.record_complaint(ada, text=text, how="letter"),
        "accept": lambda: m.record_consent(ada, how="form", accept=text, **consent),
        "Attachment.name": lambda: Attachment(name=text, media_type="text/plain", content=b"x"),
        "Content.text": lambda: Content(text=text),
        "Wording.text": lambda: Wording(text=text),
        "content": lambda: m.send(ada, "email", "offers", text),
        "campaign": lambda: m.request_consents(
            [ada], campaign=text, via="email", channels=["email"], purposes=["news"]
        ),
    }
    for name, call in calls.items():
        with pytest.raises(OptlyError, match=rf"(?i){name.rpartition('.')[2]}") as refused:
            call()
        assert isinstance(refused.value, InvalidValueError) or name == "Wording.text"
        assert "Ada" not in str(refused.value)
    began = time.process_time()
    places = {"email": f"{text}@example.com", "phone": text, "address": f"{text}, Leeds", "account": f"app:{text}"}
    for kind, address in places.items():
        for call in (lambda **it: m.add_contact(**it), lambda **it: m.change_details(ada, **it)):
            with pytest.raises(AddressError):
                call(**{kind: address})
    refused_one, other = m.screen([places["email"], EMAIL], "email", "offers")
    assert (refused_one.reason, other.contact) == (Reason.NOT_AN_ADDRESS, ada.id)
    assert time.process_time() - began < 1
    assert m.history(ada) == before
    assert m.verify()


def test_what_is_just_short_enough_is_kept(w: World) -> None:
    """
    To the letter, in the longest letters there are.
    """
    ada, long = w.manager.add_contact(name="\U0001f600" * LONGEST, email=EMAIL), "\U00010400" * LONGEST
    w.manager.record_objection(ada, how=long)
    scan = Attachment(name="a", media_type="a/b", content=b"x" * 6_000_000)
    w.manager.record_consent(
        ada, channels=["email"], purposes=["offers"], wording=Wording(text="May Acme Ltd email you about offers?"),
        act=Act.TICKED_BOX, how=long, at=w.clock(), attachments=[scan],
    )  # fmt: skip
    told = [event.personal[slot] for event in w.manager.history(ada) for slot in event.personal if "how" in slot]
    assert told == [long] * 2
    assert w.manager.history(ada)[0].personal["name_1"] == "\U0001f600" * LONGEST
    with pytest.raises(InvalidValueError, match=r"name is longer than 5,000 characters"):
        w.manager.change_details(ada, name="x" * (LONGEST + 1))
    with pytest.raises(InvalidValueError, match=r"Attachment\.content is larger"):
        Attachment(name="a", media_type="a/b", content=b"x" * 6_000_001)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_stop_is_lost_for_what_comes_with_it(w: World, text: str) -> None:
    """
    In the mail, in what a provider reports, in what a browser calls itself.
    """
    ada = w.add()
    message = w.ask(ada)
    m = w.manager

    def stops() -> int:
        return sum(isinstance(event, ObjectionRaised) for event in m.history(ada))

    m.receive(
        InboundMessage(id=f"mail {text}", backend="m", channel=Channel.EMAIL, sender=EMAIL, also_from=(text,),
                       subject=text, text=f"STOP\n\n{text}", rest=text, whole=text, at=w.clock())
    )  # fmt: skip
    assert stops() == 1
    w.later()
    m.receive(
        DeliveryEvent(id=f"report {text}", backend="m", channel=Channel.EMAIL, status=DeliveryStatus.COMPLAINED,
                      to=EMAIL, contact=text, message=text, code=text, status_code=text, detail=text, at=w.clock())
    )  # fmt: skip
    assert stops() == 2
    w.later()
    m.stop_by_token(stop_token_in(message), context=Context(address=text, browser=text))
    m.stop(code_in(message), context=Context(address=text, browser=text))
    assert stops() >= 3
    m.receive(
        InboundMessage(id="2", backend="m", channel=Channel.SMS, sender=PHONE, text=f"How is {text}?", at=w.clock())
    )
    kept = next(event for event in m.history(ada) if isinstance(event, MessageReceived))
    [words] = kept.personal.values()
    assert words.startswith("How is")
    assert words.encode()
    assert m.verify()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_complaint_is_not_lost_for_a_sign(w: World, text: str) -> None:
    """
    What can be kept of it is kept. One that is too long is said to be.
    """
    ada = w.add()
    own = w.manager.self_service
    code = w.manager.link(ada).rpartition("/")[2]
    if len(text) > LONGEST:
        with pytest.raises(AnswerError):
            own.complain(code, text)
        return
    own.complain(code, text)
    event = next(event for event in w.manager.history(ada) if isinstance(event, ComplaintReceived))
    assert event.personal
    assert w.manager.verify()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_pages_answer(w: World, text: str) -> None:
    """
    With no page that says that something went wrong on our side, and without taking long.
    """
    ada = w.add()
    code = w.manager.link(ada).rpartition("/")[2]
    pages = w.manager.portal()
    sent = quote(text.encode("utf-8", "surrogatepass"))
    form = (("content-type", "application/x-www-form-urlencoded"), ("user-agent", text[:8000]))
    began = time.process_time()
    for path, body in (
        ("/new-link", f"address={sent}%40example.com"),
        (f"/l/{code}/complaint", f"text={sent}"),
        (f"/l/{sent}", ""),
        (f"/u/{sent}", ""),
        (f"/l/{code}/stop", ""),
    ):
        for method in ("GET", "POST"):
            request = Request(method=method, path=path, query=f"lang={sent}", headers=form, body=body.encode())
            assert pages.handle(request).status < 500, path
    assert time.process_time() - began < 2


MARKS = [chr(number) for number in range(sys.maxunicode + 1) if unicodedata.combining(chr(number))]
# Marks between other letters, of which there may be as many in a row.
PARTS = st.tuples(st.text(max_size=3), st.sampled_from(MARKS), st.integers(0, 40), st.sampled_from(["", " ", "λ" * 31]))
HEAPS = st.lists(PARTS, max_size=4).map(
    lambda parts: "".join(before + mark * count + after for before, mark, count, after in parts)
)


@given(HEAPS)
def test_a_heap_is_more_than_thirty_marks_in_a_row(text: str) -> None:
    """
    Of any marks, wherever it is; and nothing else is refused for its marks.
    """
    longest, row = 0, 0
    for sign in text:
        row = row + 1 if unicodedata.combining(sign) else 0
        longest = max(longest, row)
    refused = longest > 30 or "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text)
    try:
        assert text == require_text(text, "name")
    except InvalidValueError:
        assert refused
    else:
        assert not refused


@pytest.mark.parametrize("mark", [MARKS[0], MARKS[-1], "\u05b0", "\u3099"])
def test_thirty_marks_in_a_row_are_the_most(mark: str) -> None:
    """
    Thirty are taken, one more is not.
    """
    assert require_text("a" + mark * 30, "name")
    with pytest.raises(InvalidValueError, match="30 combining marks"):
        require_text("a" + mark * 31, "name")


def test_a_long_text_in_other_letters_is_quickly_judged() -> None:
    """
    A newsletter with its quotation marks, as one in plain letters: a hundred thousand letters are read in a moment.
    """
    plain, curly = "<p>She said 'yes'.</p>" * 8000, "<p>She said ‘yes’.</p>" * 8000

    def taken(text: str) -> float:
        times = []
        for _ in range(20):
            start = time.process_time()
            require_text(text, "name", 1_000_000)
            times.append(time.process_time() - start)
        return min(times)

    assert taken(curly) < taken(plain) + 0.003
