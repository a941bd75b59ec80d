"""
A stranger at the example applications, over HTTP, with a mailbox and a number of their own and somebody else's address.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hosts import HOSTS, Host, running, words
from processes import wait_for

from optly import Channel, ConsentManager, Contact, Keys, Organisation, Purpose, Subscriber
from optly.storage import SQLStorage
from optly.testing.browser import Browser, Page

ADA, ADAS_NUMBER = "ada@example.com", "+447911123456"
MALLORY, MALLORYS_NUMBER = "mallory@example.net", "+447911123457"
SECRETS = ("Ada", "Lovelace", "ada@", "123456", "Secret Lane")
READING_TIME = 3.1  # seconds

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
