"""
A stranger at the example applications, over HTTP, with a mailbox and a number of their own and somebody else's address.
"""

from __future__ import annotations

import re
import time
from html import escape
from itertools import combinations, product
from pathlib import Path

import attrs
import pytest
from hosts import HOSTS, Host, running, words
from processes import wait_for

from optly import Channel, ConsentManager, Contact, Keys, Organisation, Purpose, Solicited, Subscriber
from optly.backends import MemoryBackend
from optly.protocols import MessageState
from optly.record.standing import QuestionState, Standing
from optly.storage import SQLStorage
from optly.testing.browser import Browser, Page

ADA, ADAS_NUMBER = "ada@example.com", "+447911123456"
MALLORY, MALLORYS_NUMBER = "mallory@example.net", "+447911123457"
SECRETS = ("Ada", "Lovelace", "ada@", "123456", "Secret Lane")
READING_TIME = 3.1  # seconds

# What a stranger types into the forms of their own pages, by the name of the field.
HERS = {
    "name": "Mallory",
    "email": ADA,
    "phone": ADAS_NUMBER,
    "address": "1 Other Street, Leeds",
    "text": "Who is Ada?",
}

FORMS = [(MALLORY, ADAS_NUMBER), (ADA, MALLORYS_NUMBER), (ADA, ADAS_NUMBER), (MALLORY, MALLORYS_NUMBER)]
BOXES = ("Acme may email me offers and discounts", "Acme may text me offers and discounts")


def acme(directory: Path) -> ConsentManager:
    """
    Return a manager on the same record as the example's.
    """
    return ConsentManager(
        organisation=Organisation(key="acme", name="Acme Ltd", address="1 High Street, Leeds LS1 1AA"),
        purposes=[Purpose(key=key, title=key) for key in ("offers", "news")],
        storage=SQLStorage(f"sqlite:///{directory / 'optly.db'}"),
        # What is asked here, the example sends.
        backends=[MemoryBackend(Channel.EMAIL), MemoryBackend(Channel.SMS)],
        keys=Keys(current="a key for nothing but this very test"),
        base_url="https://acme.example.com/my",
    )


def known(manager: ConsentManager) -> Contact:
    """
    Put Ada on record, who wants to hear nothing.
    """
    ada = manager.add_contact(
        name="Ada Lovelace",
        email=ADA,
        phone=ADAS_NUMBER,
        address="7 Secret Lane, Leeds LS1 1AA",
        subscriber=Subscriber.INDIVIDUAL,
    )
    manager.record_objection(ada, how="telephone")
    return ada


class Stranger:
    """
    Reads what comes to their own mailbox and number, and uses all of it.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.browser = Browser.over_http(host.url)

    def signs_up(self, email: str, phone: str) -> Page:
        page = self.browser.get("/")
        typed = {"Your name": "Mallory", "Email address": email, "Mobile number, for texts": phone}
        return self.browser.press(page.form("Sign up").fill_in({**typed, **dict.fromkeys(BOXES, True)}), "Sign up")

    def texts(self) -> list[str]:
        """
        Return the text messages to their own number.
        """
        sent = self.host.texts.read_text() if self.host.texts.exists() else ""
        return [text for text in re.split(r"(?m)^(?=.*\+44)", sent) if MALLORYS_NUMBER in text]

    def link(self, text: str) -> str | None:
        found = re.search(rf"{re.escape(self.host.url)}/my/l/\w+", text)
        return None if found is None else found[0]

    def agrees(self, url: str) -> None:
        """
        Say yes to everything on the page behind a link, and confirm that it was a person.
        """
        page = self.browser.get(url)
        names = re.findall(r'name="([^"]+)"[^>]*value="(yes-[^"]+)"', page.body.decode())
        assert names
        page = self._posted(url, names)
        if "Was that you?" in page.text:
            time.sleep(READING_TIME)
            self.browser.press(page.form("Yes, that was me"), "Yes, that was me")

    def _posted(self, url: str, fields: list[tuple[str, str]]) -> Page:
        body = "&".join(f"{name}={value}" for name, value in fields).encode()
        return self.browser.open("POST", url, (("content-type", "application/x-www-form-urlencoded"),), body)

    def signs_in(self, url: str) -> Page:
        """
        Go to the details behind a link, by the one-time code that comes to the mailbox.
        """
        page = self.browser.press(self.browser.get(f"{url}/code").form("Send me a code"), "Send me a code")
        digits = re.search(r"\b\d{6}\b", words(self.host.mail("your code", MALLORY)))
        assert digits is not None
        return self.browser.press(page.form("Continue").fill_in({"Security code": digits[0]}), "Continue")


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTS)
def test_a_stranger_gets_at_nothing_of_anybody(name: str, tmp_path: Path) -> None:
    """
    Whatever they type into the form, follow, ask for, choose and undo.
    """
    with running(name, tmp_path) as host, acme(tmp_path) as manager:
        ada = known(manager)
        before = manager.history(ada)
        stranger = Stranger(host)
        answers = {stranger.signs_up(email, phone).text for email, phone in FORMS}
        assert 1 == len(answers)
        question = host.link(host.mail("what would you like to hear about", MALLORY))
        asked = wait_for(lambda: stranger.texts() or None)
        stranger.agrees(question)
        by_text = stranger.link(asked[-1])
        assert by_text is not None
        stranger.agrees(by_text)

        wanted = stranger.browser.get("/my/new-link").form(action="/my/new-link").fill_in({"address": MALLORY})
        stranger.browser.press(wanted)
        mine = host.link(host.mail("your MyOptly page", MALLORY))
        seen = [stranger.browser.get(mine), stranger.signs_in(mine)]
        seen += [stranger.browser.get(f"/my/me/{place}") for place in ("details", "history", "copy")]
        stranger.browser.press(seen[-1].form(action="/my/me/copy"))
        copy = host.mail("the copy of your data", MALLORY)
        stranger.agrees(mine)
        read = " ".join([*(page.text for page in seen), words(copy), *(words(mail) for mail in host.mails(MALLORY))])
        for secret in SECRETS:
            assert secret not in read.replace(MALLORYS_NUMBER, "").replace(MALLORY, "")
        assert before == manager.history(ada)
        assert [] == host.mails(ADA)
        for address, channel in ((ADA, Channel.EMAIL), (ADAS_NUMBER, Channel.SMS)):
            assert not manager.check(address, channel, "offers")

        # Every form in their own session takes what is hers, and attaches it to nobody.
        for place in ("details", "name", "email", "phone", "address", "language", "history", "copy", "complaint"):
            page = stranger.browser.get(f"/my/me/{place}")
            for form in page.forms:
                typed = {field.name: HERS.get(field.name, "") for field in form.fields if field.kind == "text"}
                pressed = stranger.browser.press(form.fill_in(typed))
                assert pressed.status < 500
                if any(field.name == "digits" for each in pressed.forms for field in each.fields):
                    guessed = pressed.form("Continue").fill_in({"digits": "000000"})
                    assert "Continue" in stranger.browser.press(guessed, "Continue").text
        assert before == manager.history(ada)
        assert (ada,) == manager.holders(ADA) == manager.holders(ADAS_NUMBER, Channel.SMS)
        # All that she is sent is the codes that were asked for at her addresses, and they say nothing.
        for mail in host.mails(ADA):
            assert "your code" in mail["Subject"]
            assert not any(secret in words(mail) for secret in SECRETS)


WHOSE = ("a stranger's own", "of someone who objected", "of someone who was asked", "")


@attrs.frozen
class Typed:
    """
    One way of filling in the sign-up form, with people of its own, because each address has a budget.

    Attributes:
        email, phone: Whose they are; empty for a field that is left empty.
    """

    number: int
    email: str
    phone: str
    boxes: tuple[str, ...]

    def email_of(self, whose: str) -> str:
        return f"p{self.number}.{WHOSE.index(whose)}@example.com" if whose else ""

    def phone_of(self, whose: str) -> str:
        return f"+4479112{self.number:03}{WHOSE.index(whose):02}" if whose else ""

    @property
    def fields(self) -> dict[str, str | bool]:
        return {
            "Your name": "Mallory",
            "Email address": self.email_of(self.email),
            "Mobile number, for texts": self.phone_of(self.phone),
            **dict.fromkeys(self.boxes, True),
        }

    @property
    def shape(self) -> tuple[bool, bool, tuple[str, ...]]:
        """
        What of it the answer may depend on.
        """
        return bool(self.email), bool(self.phone), self.boxes


ALL_BOXES = (*BOXES, "Acme may email me news")
EVERY_WAY = [
    Typed(number, email, phone, boxes)
    for number, (email, phone, boxes) in enumerate(
        product(WHOSE, WHOSE, [tuple(chosen) for size in range(4) for chosen in combinations(ALL_BOXES, size)])
    )
]


def on_record(manager: ConsentManager, typed: Typed) -> dict[Contact, Standing]:
    """
    Put on record whoever's address is typed, in the way they are known: one person, where both are theirs.
    """
    known = {}
    for whose in {typed.email, typed.phone} & set(WHOSE[1:3]):
        email = typed.email_of(whose) if typed.email == whose else None
        phone = typed.phone_of(whose) if typed.phone == whose else None
        contact = manager.add_contact(name="Ada Lovelace", email=email, phone=phone, subscriber=Subscriber.INDIVIDUAL)
        if whose == WHOSE[1]:
            manager.record_objection(contact, how="telephone")
        else:
            via = Channel.SMS if email is None else Channel.EMAIL
            manager.request_consent(
                contact,
                via=via,
                channels=[via],
                purposes=["offers", "news"],
                basis=Solicited(how="telephone", at=manager.clock()),
            )
        known[contact] = manager.standing(contact)
    return known


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTS)
def test_no_two_fields_of_the_form_get_at_anything(name: str, tmp_path: Path) -> None:
    """
    Whosever the email address and the number are, and whatever is ticked: the answer is the same for all, who objected
    hears nothing, and of someone who was asked the question stays open and nothing else changes.
    """
    with running(name, tmp_path) as host, acme(tmp_path) as manager:
        known = {typed: on_record(manager, typed) for typed in EVERY_WAY}
        stranger = Stranger(host)
        form = stranger.browser.get("/").form("Sign up")
        answers: dict[tuple[bool, bool, tuple[str, ...]], set[str]] = {}
        for typed in EVERY_WAY:
            page = stranger.browser.press(form.fill_in(typed.fields), "Sign up")
            text = re.sub(r'value="\w{64}"', "", page.text)  # Django's own secret, another in each form
            for value in filter(None, (typed.email_of(typed.email), typed.phone_of(typed.phone))):
                text = text.replace(escape(value), "")
            answers.setdefault(typed.shape, set()).add(f"{page.status} {text}")
        assert {1} == {len(each) for each in answers.values()}
        wait_for(lambda: not manager.backlog().get(MessageState.QUEUED) or None)
        for before in known.values():
            for contact, standing in before.items():
                now = manager.standing(contact)
                if standing.stops:
                    assert standing == now
                else:
                    [asked, *forms] = now.questions
                    assert (QuestionState.OPEN, standing.questions[0].id) == (asked.state, asked.id)
                    assert all(question.unproved for question in forms)
                    changed = {"version", "recorded_at", "questions", "pending", "uses"}
                    same = [field.name for field in attrs.fields(Standing) if field.name not in changed]
                    assert [getattr(standing, field) for field in same] == [getattr(now, field) for field in same]
        objected = {typed.email_of(WHOSE[1]) for typed in EVERY_WAY}
        written_to = {address for envelope in host.inbox.envelopes for address in envelope.rcpt_tos}
        assert written_to
        assert not objected & written_to
