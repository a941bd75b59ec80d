"""
The same walk through each of the examples, in a real browser without scripts: from the sign-up to the last goodbye.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs
import httpx
import pytest
from hosts import HOSTS, Host, running, words

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.slow

ADA, NEW, BOB = "ada@example.com", "ada.king@example.com", "bob@example.com"
READING_TIME = 3.1  # seconds; nobody reads what there is to confirm in less


@pytest.fixture(scope="module", params=HOSTS)
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, needs_server: None
) -> Iterator[Host]:
    """
    Each of the examples, started once.
    """
    with running(request.param, tmp_path_factory.mktemp("host")) as started:
        yield started


@attrs.frozen
class Walker:
    """
    Somebody who uses the pages and says what is to be seen. In a window beside theirs sits somebody of Acme's.
    """

    host: Host
    page: Page
    desk: Page

    def sees(self, heading: str) -> None:
        """
        Wait for a page with this heading.
        """
        self.page.get_by_role("heading", level=1, name=heading, exact=True).wait_for()

    def opens(self, link: str, heading: str) -> None:
        self.page.goto(link)
        self.sees(heading)

    def presses(self, button: str, heading: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()
        self.sees(heading)

    def follows(self, link: str, heading: str) -> None:
        self.page.get_by_role("link", name=link, exact=True).click()
        self.sees(heading)

    def changes(self, detail: str, heading: str) -> None:
        self.page.locator(f"main a[href*='/me/{detail}']").click()
        self.sees(heading)

    def fills(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).fill(text)

    def chooses(self, field: str) -> None:
        self.page.locator(f"label[for={field}]").click()

    def holds(self, text: str) -> bool:
        return text in self.page.locator("main").inner_text()

    def signs_up(self, email: str) -> None:
        self.opens(self.host.url, "Hear from Acme")
        self.fills("Your name", "Ada Lovelace")
        self.fills("Email address", email)
        for box in ("email_offers", "email_news"):
            self.chooses(box)
        self.presses("Sign up", "Check your messages")

    def offers(self, email: str) -> str:
        """
        Have Acme send an offer, and return what it says.
        """
        acme = attrs.evolve(self, page=self.desk)
        acme.opens(f"{self.host.url}/offer", "Send an offer")
        acme.fills("Email address", email)
        self.desk.get_by_role("button", name="Send").click()
        heading = self.desk.locator("h1", has_text=re.compile(r"^(Sent|Not sent: \w+)$"))
        heading.wait_for()
        return heading.inner_text()

    def digits(self, email: str, *, after: int = 0) -> str:
        found = re.search(r"\b\d{6}\b", words(self.host.mail("your code", email, after=after)))
        assert found is not None
        return found[0]

    def signs_in(self, *, after: int = 0) -> None:
        """
        Go from one's choices to one's details, by a one-time code.
        """
        self.follows("Your details", "We need to check it’s you")
        self.presses("Send me a code", "Enter the code")
        self.fills("Security code", "000000" if self.digits(ADA, after=after) != "000000" else "111111")
        self.page.get_by_role("button", name="Continue").click()
        self.page.get_by_role("alert").wait_for()
        self.fills("Security code", self.digits(ADA, after=after))
        self.presses("Continue", "Your details")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """
    A browser without scripts.
    """
    with browser.new_context(java_script_enabled=False) as made:
        yield made


@pytest.fixture
def walker(host: Host, context: BrowserContext) -> Walker:
    return Walker(host, context.new_page(), context.new_page())


def test_the_whole_walk(walker: Walker, host: Host) -> None:
    """
    Every page is met on the way, what is said counts, and nothing is asked of another host.
    """
    asked: set[str] = set()
    walker.page.context.on("request", lambda request: asked.add(urlsplit(request.url).netloc))

    # She is asked, answers at once, and confirms that it was her.
    walker.signs_up(ADA)
    assert walker.offers(ADA) == "Not sent: no_consent"
    walker.opens(host.link(host.mail("what would you like to hear about", ADA)), "What would you like to hear about?")
    assert not walker.holds(ADA)
    walker.chooses("email-offers-yes")
    walker.chooses("email-news-no")
    walker.presses("Save my choices", "Was that you?")
    walker.page.get_by_role("button", name="Yes, that was me").click()
    walker.page.get_by_role("alert").wait_for()
    shown = time.monotonic()
    assert walker.holds("Please read this, then press again.")
    assert walker.offers(ADA) == "Not sent: no_consent"
    assert walker.offers("stranger@example.com") == "Not sent: not_on_record"
    time.sleep(max(0, shown + READING_TIME - time.monotonic()))
    walker.presses("Yes, that was me", "Your choices are saved")
    assert walker.offers(ADA) == "Sent"
    mine = host.link(host.mail("20% off", ADA))

    # Her own page, her details, and a name.
    walker.opens(mine, "Your choices")
    assert not walker.holds(ADA)
    walker.signs_in()
    assert walker.holds(ADA)
    assert walker.holds("Ada Lovelace")
    walker.changes("name", "Change your name")
    walker.fills("Name", "Ada King")
    walker.presses("Save", "Your details")
    assert walker.holds("Ada King")

    # Another address, proved there, told to the old one, and undone from it.
    walker.changes("email", "Change your email address")
    walker.fills("Email address", NEW)
    walker.presses("Continue", "Enter the code")
    walker.fills("Security code", walker.digits(NEW))
    walker.presses("Continue", "Your details")
    assert walker.holds(NEW)
    assert walker.offers(NEW) == "Not sent: no_consent"
    undo = host.link(host.mail("your details have changed", ADA))
    walker.opens(undo, "Undo this change?")
    walker.presses("Undo the change", "The change is undone")
    walker.opens(f"{host.url}/my/me/details", "You are signed out")
    assert walker.offers(ADA) == "Sent"

    # What is held about her, in the words that she was shown, and a copy of it.
    walker.opens(mine, "Your choices")
    walker.signs_in(after=1)
    walker.follows("Your history", "Your history")
    assert walker.holds("May Acme Ltd send you offers and discounts on our products by email?")
    walker.follows("A copy of your data", "A copy of your data")
    walker.presses("Send me the copy", "The copy is on its way")
    copy = host.mail("the copy of your data", ADA)
    assert "Ada King" in words(copy)
    assert NEW in words(copy)
    walker.follows("Complain", "Complain about how we use your data")
    walker.fills("What is your complaint?", "You wrote to my late father.")
    walker.presses("Send the complaint", "We have your complaint")
    assert "complaint" in host.mail("complaint", ADA)["Subject"]
    assert "father" not in words(host.mail("Complaint", "privacy@acme.example.com"))

    # In Welsh, kept through a form.
    walker.follows("Your choices", "Your choices")
    walker.follows("Cymraeg", "Eich dewisiadau")
    assert walker.page.locator("html").get_attribute("lang") == "cy"
    walker.chooses("email-news-yes")
    walker.page.locator("main form button").first.click()
    walker.page.locator(".done .tick").wait_for()
    assert walker.page.locator("html").get_attribute("lang") == "cy"
    walker.follows("English", "Your choices are saved")

    # Everything is stopped, taken back, and stopped again.
    walker.presses("Stop everything", "Stopped")
    assert walker.offers(ADA) == "Not sent: objected"
    walker.presses("Undo", "The stop is undone")
    assert walker.offers(ADA) == "Sent"
    walker.presses("Stop everything", "Stopped")
    walker.presses("Finish", "You are signed out")
    assert [cookie["name"] for cookie in walker.page.context.cookies() if "optly" in cookie["name"]] == []

    # A new link for whoever has none, and the same page for whoever is not known.
    pages = []
    for address in ("nobody@example.com", ADA):
        walker.opens(f"{host.url}/my/new-link", "Send me a new link")
        walker.fills("Your email address or mobile number", address)
        walker.presses("Send me the link", "Check your messages")
        # The link to the other language says when it was sent.
        pages.append(re.sub(r"done=[^&\"]+", "", walker.page.content()))
    assert pages[0] == pages[1]
    walker.opens(host.link(host.mail("your MyOptly page", ADA)), "Your choices")
    assert host.mails("nobody@example.com") == []

    assert asked == {urlsplit(host.url).netloc}


def test_without_a_cookie_and_in_three_actions(walker: Walker, host: Host, browser: Browser) -> None:
    """
    Two answers and the button: that is all it takes, and stopping everything takes one.
    """
    walker.signs_up(BOB)
    mail = host.mail("what would you like to hear about", BOB)
    walker.opens(host.link(mail), "What would you like to hear about?")
    walker.chooses("email-offers-no")
    walker.chooses("email-news-no")
    walker.presses("Save my choices", "Your choices are saved")
    walker.presses("Stop everything", "Stopped")
    assert [cookie["name"] for cookie in walker.page.context.cookies() if "optly" in cookie["name"]] == []
    stop = host.link(mail, "u")
    assert httpx.post(stop, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert walker.offers(BOB) == "Not sent: objected"
