"""
Mail that comes back, from the bytes that arrive to what the gate says afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import attrs
import mails
import programs
import pytest
from mails import INPUTS, needs_inputs, reported
from world import EMAIL, KEYS, World, world

from optly import Act, Channel, Contact, Content, Purpose, Wording
from optly.backends import _ses_records, mail
from optly.backends.verp import ReturnPath
from optly.messages import DeliveryEvent, DeliveryStatus, Message
from optly.messages.replies import stops_at_all
from optly.protocols.http import Request
from optly.record.events import MessageReceived
from optly.results import Effect, Received

PATH = ReturnPath("@bounces.acme.example.com", KEYS)


@attrs.frozen
class Ada:
    """
    Ada, who agreed to offers by email and was sent one message.
    """

    w: World
    contact: Contact
    letter: Message

    def receives(self, raw: str | bytes, *, recipient: str = "") -> list[Received]:
        """
        Receive a mail about the message; its ids are put in for the names in braces.
        """
        if isinstance(raw, str):
            raw = self.filled(raw).replace("\n", "\r\n").encode()
        events = mail.read(raw, now=self.w.clock(), return_path=PATH, recipient=recipient)
        return [self.w.manager.receive(event) for event in events]

    def filled(self, text: str) -> str:
        names = {
            "ID": self.letter.id,
            "CONTACT": self.letter.contact,
            "VERP": self.return_path,
            "SENT": self.letter.text,
            "SENT_HTML": self.letter.html,
            "QUOTED": "".join(f"> {line}\n" for line in self.letter.text.splitlines()),
        }
        for name, value in names.items():
            text = text.replace(f"{{{{{name}}}}}", value)
        return text

    @property
    def return_path(self) -> str:
        return PATH.address_for(self.letter.contact, self.letter.id)

    @property
    def reason(self) -> str:
        return str(self.w.manager.check(EMAIL, Channel.EMAIL, "offers").reason)

    @property
    def kept(self) -> list[str]:
        """
        The messages that are kept for people to read.
        """
        events = self.w.manager.history(self.contact)
        return [next(iter(event.personal.values())) for event in events if isinstance(event, MessageReceived)]


def written_to(w: World, content: Content | str = "Ten per cent off.") -> Ada:
    contact = w.add()
    w.manager.record_consent(
        contact,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=Wording(text="May Acme Ltd email you offers and discounts?", language="en"),
        act=Act.TICKED_BOX,
        how="form",
        at=w.clock() - timedelta(days=2),
    )
    if isinstance(content, str):
        content = Content(subject="This week", text=content, html=f"<p>{content}</p>")
    w.manager.send(contact, Channel.EMAIL, "offers", content)
    w.manager.deliver()
    w.later()
    return Ada(w, contact, w.emails.outbox[-1])


@pytest.fixture
def ada() -> Ada:
    return written_to(world())


def reply(text: str, *, headers: Sequence[str] = (), answers: bool = True) -> str:
    """
    A mail from Ada in plain text.

    Args:
        headers: Instead of those of the same name.
    """
    written = {
        "Received": "from mail.example.com by mx.acme.example.com with ESMTP id 1; Fri, 27 Nov 2026 10:00:00 +0000",
        "From": "Ada <ada@example.com>",
        "To": "hello@acme.example.com",
        "Subject": "Re: This week" if answers else "Hello",
        "Message-ID": "<x1@example.com>",
        **({"In-Reply-To": "<{{ID}}@acme.example.com>"} if answers else {}),
        "Content-Type": "text/plain; charset=utf-8",
    }
    for header in headers:
        name, _, value = header.partition(": ")
        written[name] = value
    return "".join(f"{name}: {value}\n" for name, value in written.items() if value) + f"\n{text}\n"


# ---- what was reported

STOPPED: Final = ("objected",)
SENT_ON: Final = ("consented",)
OUT_OF_USE: Final = ("undeliverable",)


def test_every_input_is_tried() -> None:
    """
    Here; those of n with the backend that sends, and those of t with the other words of replies.
    """
    assert {*"abcdefghijkl", *"nt"} >= {name[0] for name in reported()}


@needs_inputs
@pytest.mark.parametrize("name", reported("abcdej"))
def test_a_stop_that_was_reported_lost_is_one(ada: Ada, name: str) -> None:
    """
    However it came, and whatever the mail calls itself.
    """
    ada.receives((INPUTS / name).read_text())
    assert ada.reason in STOPPED


@needs_inputs
@pytest.mark.parametrize("name", reported("f"))
def test_a_stop_that_nobody_meant_is_none(ada: Ada, name: str) -> None:
    """
    Somebody else's newsletter, and what a mail program quotes. Nobody is put on record for it.
    """
    before = set(ada.w.storage.subjects("acme"))
    ada.receives((INPUTS / name).read_text())
    assert ada.reason in SENT_ON
    assert before == set(ada.w.storage.subjects("acme"))


@needs_inputs
@pytest.mark.parametrize("name", reported("g"))
def test_a_live_address_is_not_taken_for_dead(ada: Ada, name: str) -> None:
    """
    What the server said beside the code was a rate, a block or a quota.
    """
    received = ada.receives((INPUTS / name).read_text())
    assert [DeliveryStatus.FAILED] == [each.event.status for each in received if isinstance(each.event, DeliveryEvent)]
    assert ada.reason in SENT_ON


@needs_inputs
@pytest.mark.parametrize("name", reported("h"))
def test_a_bounce_that_was_reported_lost_is_read(ada: Ada, name: str) -> None:
    """
    Whatever has become of its form on the way.
    """
    (received,) = ada.receives((INPUTS / name).read_text())
    assert isinstance(received.event, DeliveryEvent)
    assert (Effect.RECORDED, ada.contact) == (received.effect, received.contact)
    only_failed = name.startswith("h10")
    assert ada.reason in (SENT_ON if only_failed else OUT_OF_USE)
    assert not only_failed or not received.event.code


@needs_inputs
@pytest.mark.parametrize("name", reported("i"))
def test_a_dead_address_is_not_written_to_for_ever(name: str) -> None:
    """
    Where no code says so, it is out of use after two weeks of nothing else.
    """
    ada = written_to(world())
    for week in range(3):
        assert ada.reason in SENT_ON
        raw = (INPUTS / name).read_text().replace("<d1@", f"<d{week}@")
        ada.receives(raw)
        ada.w.later(timedelta(days=7))
        if ada.w.allowed():
            ada.w.manager.send(ada.contact, Channel.EMAIL, "offers", "Ten per cent off.")
            ada.w.manager.deliver()
        ada = attrs.evolve(ada, letter=ada.w.emails.outbox[-1])
    assert ada.reason in OUT_OF_USE


@needs_inputs
@pytest.mark.parametrize("name", reported("k"))
def test_what_ses_calls_a_bounce_is_not_always_one(ada: Ada, name: str) -> None:
    """
    The same words mean the same by mail, over SMTP and from Amazon.
    """
    record = json.loads(ada.filled((INPUTS / name).read_text()))
    (event,) = _ses_records.events(record, backend="ses", name="n", at=ada.w.clock())
    assert DeliveryStatus.FAILED is event.status
    assert Effect.RECORDED is ada.w.manager.receive(event).effect
    assert ada.reason in SENT_ON


@needs_inputs
@pytest.mark.parametrize("name", reported("l"))
def test_a_button_that_was_refused_for_its_form_stops(ada: Ada, name: str) -> None:
    """
    Whatever the mail program posts.
    """
    given = json.loads((INPUTS / name).read_text())
    path = ada.letter.headers["List-Unsubscribe"].strip("<>").removeprefix("https://acme.example.com/my")
    headers = tuple((header, value) for header, value in given["headers"])
    posted = Request(method=given["method"], path=path, headers=headers, body=given["body"].encode())
    assert ada.w.manager.portal().handle(posted).status == 200
    assert ada.reason in STOPPED


# ---- the mailto: of the button


@pytest.mark.parametrize(
    "head",
    [
        "From: Ada <ada@example.com>\nSubject: unsubscribe\n",
        "From: someone.else@example.net\nSubject: \n",
        "Subject: Automatic reply\nAuto-Submitted: auto-replied\nPrecedence: bulk\nList-Id: <x.example.com>\n",
        "From: Ada <ada@example.com>\nSubject: START\nContent-Type: multipart/report\n",
        "",
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_whatever_comes_to_the_address_for_stops_is_a_stop(ada: Ada, head: str, known: bool) -> None:
    """
    Mail programs send what they like, from whatever address, and it may be written in capitals.
    """
    address = PATH.stop_address_for(ada.letter.contact, ada.letter.id).upper()
    raw = head if known else f"{head}To: <{address}>\n"
    received = ada.receives(f"{raw}\nYes please", recipient=address if known else "")
    assert [Effect.STOPPED] == [each.effect for each in received]
    assert ada.reason == "objected"
    assert [Effect.REPEATED] == [each.effect for each in ada.receives(f"{raw}\nYes please", recipient=address)]


def test_an_address_for_stops_that_was_made_up_stops_nothing(ada: Ada) -> None:
    """
    Nor does the return path of the message, to which machines write.
    """
    address = PATH.stop_address_for(ada.letter.contact, ada.letter.id)
    forged = ("x" if address[0] == "y" else "y") + address[1:]
    for other in (forged, ada.return_path):
        ada.receives(f"From: machine@example.net\nTo: <{other}>\nAuto-Submitted: auto-replied\n\nHello")
    assert ada.reason == "consented"


# ---- what is not reported yet


@pytest.mark.parametrize(("wanted", "raw"), programs.REPLIES.values(), ids=programs.REPLIES)
def test_what_a_program_repeats_of_our_words_is_not_taken_for_theirs(wanted: str, raw: str) -> None:
    """
    Marked as a quote or not, in whatever language, and whether they write above, below or in between.
    """
    ada = written_to(world(), programs.CONTENT)
    (received,) = ada.receives(raw)
    assert (Effect.STOPPED if wanted == mails.STOPPED else Effect.KEPT) is received.effect
    assert ada.reason in (STOPPED if wanted == mails.STOPPED else SENT_ON)


@pytest.mark.parametrize(("wanted", "raw"), mails.PEOPLE.values(), ids=mails.PEOPLE)
def test_what_others_write_comes_to_what_they_mean(ada: Ada, wanted: str, raw: str) -> None:
    """
    Whatever program, language, forwarder, list or server it came from.
    """
    before = set(ada.w.storage.subjects("acme"))
    received = ada.receives(raw)
    if wanted == mails.STOPPED:
        assert ada.reason in STOPPED
        return
    assert ada.reason in (OUT_OF_USE if wanted == mails.BOUNCED else SENT_ON)
    assert before == set(ada.w.storage.subjects("acme"))
    effects = {each.effect for each in received}
    assert (
        effects
        <= {
            mails.KEPT: {Effect.KEPT},
            mails.NOTED: {Effect.NOTED},
            mails.NOBODY: {Effect.UNKNOWN},
            mails.NOTHING: set(),
            mails.BOUNCED: {Effect.RECORDED},
            mails.FAILED: {Effect.RECORDED},
        }[wanted]
    )
    assert bool(effects) == (wanted != mails.NOTHING)


UNMARKED: Final = "Thanks!\n\nFrom: Acme <hello@acme.example.com>\nSent: Friday\nTo: Ada\nSubject: {}\n\n{}\n"


def test_a_stop_from_another_line_stops_the_one_that_was_written_to(ada: Ada) -> None:
    """
    Also where the same person has both: they were written to at the one and reply from the other.
    """
    manager = ada.w.manager
    manager.add_line(ada.contact, email="ada@new.example.com")
    ada.receives(reply("Please stop", headers=["From: ada@new.example.com"]))
    stopped = {stop.line for stop in manager.standing(ada.contact).stops if stop.channel is Channel.EMAIL}
    assert {line.number for line in manager.standing(ada.contact).lines if line.kind is Channel.EMAIL.kind} == stopped
    assert ada.reason in STOPPED


def test_a_repeated_question_is_no_stop() -> None:
    """
    Its wording is pinned, so it is known what we wrote in it, even if it speaks of stopping.
    """
    w = world(purposes=[Purpose(key="offers", title="Tips on how to stop junk mail")])
    contact = w.add(email="ada@example.com")
    letter = w.ask(contact, channels=[Channel.EMAIL])
    assert "stop junk" in letter.text
    ada = Ada(w, contact, letter)
    assert [Effect.KEPT] == [each.effect for each in ada.receives(reply(UNMARKED.format(letter.subject, letter.text)))]
    stop = UNMARKED.format(letter.subject, letter.text) + "\nStop writing to me"
    ada.receives(reply(stop, headers=["Message-ID: <x2@example.com>"]))
    assert ada.reason == "objected"


def test_only_what_we_wrote_in_that_message_is_taken_away() -> None:
    """
    The same words in reply to another message, or to none of ours, are the person's.
    """
    for answered in ("<{{ID}}@acme.example.com>", "<0123456789abcdef0123456789abcdef@acme.example.com>", ""):
        ada = written_to(world(), programs.CONTENT)
        ada.receives(reply(UNMARKED.format("This week", "{{SENT}}"), headers=[f"In-Reply-To: {answered}"]))
        assert ada.reason in (SENT_ON if "ID" in answered else STOPPED)


@pytest.mark.parametrize("line", [*programs.CONTENT.text.splitlines(), "Stop all marketing by email from Acme Ltd"])
def test_a_person_may_answer_with_our_own_words(line: str) -> None:
    """
    Who copies one line of ours that speaks of stopping means it.
    """
    ada = written_to(world(), programs.CONTENT)
    ada.receives(reply(f"{line}\n\n{{{{QUOTED}}}}"))
    assert ada.reason in (STOPPED if stops_at_all(line) else SENT_ON)


@pytest.mark.parametrize(
    ("subject", "wanted"),
    [
        ("Re: Stop press: ten per cent off", SENT_ON),
        ("RE: [EXT] Stop press: ten per cent off - is it tea?", SENT_ON),
        ("Re: Stop press: ten per cent off. Please stop!", STOPPED),
        ("Re: unsubscribe me", STOPPED),
        ("Re: Sale - please take me off your mailing list, I moved to Spain", STOPPED),
        ("Re: Stop", STOPPED),
    ],
)
def test_our_own_subject_is_not_taken_for_theirs(subject: str, wanted: tuple[str, ...]) -> None:
    """
    Unless they changed it.
    """
    ada = written_to(world(), Content(subject="Stop press: ten per cent off", text="Tea.", html="<p>Tea.</p>"))
    ada.receives(reply("Ada\n\n{{QUOTED}}", headers=[f"Subject: {subject}"]))
    assert ada.reason in wanted


def test_a_stop_beside_our_words_covers_no_more_than_it_names() -> None:
    """
    That our message gives a number to call does not make a stop of calls of it.
    """
    ada = written_to(world(), programs.CONTENT)
    ada.receives(reply("\n\nFrom: Acme\nSent: Friday\n\n{{SENT}}\n\nplease unsubscribe"))
    assert {Channel.EMAIL} == {stop.channel for stop in ada.w.manager.standing(ada.contact).stops}


@pytest.mark.parametrize("below", ["No more emails, please", "Thanks, that is kind"])
def test_what_stands_below_a_long_letter_is_read(below: str) -> None:
    """
    Of what is too long to be read, the end is read as well as the beginning.
    """
    content = Content(subject="News", text="Tea is good. " * 4000, html="<p>Tea is <i>good</i>.</p>" * 4000)
    ada = written_to(world(), content)
    ada.receives(programs.outlook_html("", quote=f"{{{{SENT_HTML}}}}<p>{below}</p>"))
    assert ada.reason in (STOPPED if "No more" in below else SENT_ON)


def test_a_quote_of_somebody_else_is_not_read() -> None:
    """
    Such as of a colleague who was asked in between.
    """
    ada = written_to(world(), programs.CONTENT)
    quote = "> They stop if you ask, don't worry.\n> > Tea\n"
    ada.receives(reply(f"Thank you, Bo.\n\nOn Friday Bo <bo@example.org> wrote:\n{quote}"))
    assert ada.reason in SENT_ON
