"""
A real browser walks through the pages, with and without scripts, on a telephone and on a desk, by day and by night.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from portal.servers import asgi_server
from portal.visitor import Acme
from world import EMAIL_OFFERS, SMS_OFFERS

from optly.demo.web import WebServer
from optly.protocols.http import Request, Response

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# What text looks like to somebody: the colour of the letters and of what lies behind them (WCAG 2.2, 1.4.3).
CONTRASTS = """
() => {
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = parts(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
  };
  const found = [];
  for (const element of document.body.querySelectorAll("*")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    const [a, b] = [light(parts(getComputedStyle(element).color)), light(behind(element))];
    found.push([element.textContent.trim().slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
  }
  return found;
}
"""

SIZES = """
() => [...document.querySelectorAll("footer a, .summary a, button, label")].map((element) => {
  const box = element.getBoundingClientRect();
  return [element.tagName, box.width, box.height];
})
"""


@attrs.frozen
class Site:
    """
    The pages of an organisation, served.
    """

    acme: Acme
    url: str

    def links(self) -> list[str]:
        """
        Return an address of every kind of page.
        """
        used = self.acme.ask()
        self.acme.manager.answer(used, {EMAIL_OFFERS: True})
        token = self.acme.token("offers")
        codes = [used, self.acme.ask(), self.acme.myoptly()]
        return [*(f"{self.url}/l/{code}" for code in codes), f"{self.url}/u/{token}", f"{self.url}/help", self.url]


@pytest.fixture
def site() -> Iterator[Site]:
    """
    The pages on a real server.
    """
    acme = Acme.open("http://127.0.0.1/my")
    with asgi_server(acme.manager.portal(hold_yes_within=None).asgi()) as base:
        yield Site(acme, f"{base}/my")


@attrs.define
class Hand:
    """
    Presses what it is told to, and counts.
    """

    page: Page
    presses: int = 0

    def choose(self, field: str) -> None:
        self.presses += 1
        self.page.locator(f"label[for={field}]").click()

    def press(self, name: str) -> None:
        self.presses += 1
        self.page.get_by_role("button", name=name).click()

    def heading(self) -> str:
        return self.page.locator("h1").inner_text()


@attrs.define
class Seen:
    """
    What a browser loaded and complained about.
    """

    requests: list[Any] = attrs.field(factory=list)
    complaints: list[str] = attrs.field(factory=list)

    @classmethod
    def of(cls, context: BrowserContext) -> Seen:
        seen = cls()
        context.on("request", lambda request: seen.requests.append(request))
        context.on("console", lambda message: seen.complaints.append(message.text))
        return seen


@pytest.mark.parametrize("scripts", [False, True])
def test_a_person_answers_changes_and_stops(browser: Browser, site: Site, scripts: bool) -> None:
    """
    Two yeses take three presses and stopping everything takes one. Nothing is loaded from elsewhere, nothing is kept in
    the browser, and nothing that is loaded learns the link.
    """
    acme = site.acme
    with browser.new_context(java_script_enabled=scripts) as context:
        seen = Seen.of(context)
        page = context.new_page()

        page.goto(f"{site.url}/l/{acme.ask()}")
        hand = Hand(page)
        hand.choose("email-offers-yes")
        hand.choose("sms-offers-yes")
        hand.press("Save my choices")
        assert (hand.heading(), hand.presses) == ("Your choices are saved", 3)
        assert acme.answers() == {EMAIL_OFFERS: True, SMS_OFFERS: True}

        acme.later(minutes=1)
        code = acme.myoptly()
        page.goto(f"{site.url}/l/{code}")
        hand = Hand(page)
        hand.choose("sms-offers-no")
        hand.press("Save my choices")
        assert (hand.heading(), hand.presses) == ("Your choices are saved", 2)
        assert acme.answers() == {EMAIL_OFFERS: True, SMS_OFFERS: False}

        acme.later(minutes=1)
        page.get_by_role("link", name="Back to your choices").click()
        hand = Hand(page)
        hand.press("Stop everything")
        assert (hand.heading(), hand.presses) == ("Stopped", 1)
        assert acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: False}

        acme.later(minutes=1)
        page.get_by_role("link", name="your choices").click()
        hand = Hand(page)
        hand.choose("email-offers-yes")
        hand.press("Save my choices")
        assert acme.answers() == {EMAIL_OFFERS: True, SMS_OFFERS: False}

        assert context.cookies() == []
        assert seen.complaints == []
        assert {True} == {request.url.startswith(f"{site.url}/") for request in seen.requests}
        assert not any("/l/" in request.all_headers().get("referer", "") for request in seen.requests)
        posted = [request.all_headers() for request in seen.requests if request.method == "POST"]
        origin = site.url.removesuffix("/my")
        assert [(origin, "same-origin")] * 4 == [(sent["origin"], sent["sec-fetch-site"]) for sent in posted]


@pytest.mark.parametrize("scripts", [False, True])
def test_a_stop_link_takes_one_press(browser: Browser, site: Site, scripts: bool) -> None:
    """
    Opening it does nothing, its only button does it all.
    """
    acme = site.acme
    acme.manager.choose(acme.myoptly(), {EMAIL_OFFERS: True})
    acme.later(minutes=1)
    with browser.new_context(java_script_enabled=scripts) as context:
        page = context.new_page()
        page.goto(f"{site.url}/u/{acme.token()}")
        assert acme.answers()[EMAIL_OFFERS] is True
        hand = Hand(page)
        hand.press("Stop these messages")
        assert (hand.heading(), hand.presses) == ("Stopped", 1)
    assert acme.answers()[EMAIL_OFFERS] is False


def test_an_error_takes_the_reader_to_the_question(browser: Browser, site: Site) -> None:
    """
    What went wrong has the focus, and leads to the button that puts it right; the keyboard alone will do.
    """
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{site.url}/l/{site.acme.ask()}")
        page.get_by_role("button", name="Save my choices").press("Enter")
        page.wait_for_selector(".summary")
        assert page.title() == "Error: Your choices – Acme Ltd"
        assert page.evaluate("document.activeElement.className") == "summary"
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Shift+Tab")
        assert page.evaluate("document.activeElement.name") == "email-offers"
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        page.wait_for_selector(".record")
    answers = site.acme.answers()
    assert answers[EMAIL_OFFERS] is not None
    assert answers[SMS_OFFERS] is None


def test_the_keyboard_alone_will_do(browser: Browser, site: Site) -> None:
    """
    From the top of the page to the two answers, and from there to the stop: Tab, the space bar, an arrow and Enter.
    """

    def tab_to(selector: str) -> None:
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.locator(f"{selector}:focus").count():
                return
        pytest.fail(f"the Tab key never came to {selector}")

    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site.url}/l/{site.acme.ask()}")
        tab_to("input[name=email-offers]")
        page.keyboard.press("Space")
        tab_to("input[name=sms-offers]")
        page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")
        tab_to("main form button")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Your choices are saved").wait_for()
        assert site.acme.answers() == {EMAIL_OFFERS: True, SMS_OFFERS: False}
        site.acme.later(minutes=1)
        tab_to("form[action$='/stop'] button")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Stopped").wait_for()
    assert site.acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: False}


def test_a_browser_that_keeps_no_cookie_answers_and_stops(browser: Browser) -> None:
    """
    Only for the details a cookie is needed, and whoever asks for them without one is told so.
    """

    acme = Acme.open("http://127.0.0.1/my")
    portal = acme.manager.portal(hold_yes_within=None)

    def without_cookies(request: Request) -> Response:
        # Chromium has no switch for it that a context of its own could be given.
        response = portal.handle(request)
        kept = tuple((name, value) for name, value in response.headers if name != "set-cookie")
        return attrs.evolve(response, headers=kept)

    with (
        WebServer() as server,
        server.serving(without_cookies, "/my"),
        browser.new_context(java_script_enabled=False) as context,
    ):
        page = context.new_page()
        url = f"{server.url}/my"
        page.goto(f"{url}/l/{acme.ask()}")
        hand = Hand(page)
        hand.choose("email-offers-yes")
        hand.choose("sms-offers-no")
        hand.press("Save my choices")
        assert (hand.heading(), hand.presses) == ("Your choices are saved", 3)
        acme.later(minutes=1)
        link = f"{url}/l/{acme.myoptly()}"
        page.goto(f"{link}/code")
        hand.press("Send me a code")
        assert hand.heading() == "You are signed out"
        assert "your browser did not store the cookie" in page.locator("main").inner_text()
        page.goto(link)
        hand = Hand(page)
        hand.press("Stop everything")
        assert (hand.heading(), hand.presses) == ("Stopped", 1)
    assert acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: False}


def test_sentences_stand_apart(browser: Browser, site: Site) -> None:
    """
    No full stop is followed by the next sentence without a space between them.
    """
    with browser.new_context() as context:
        page = context.new_page()
        for url in site.links():
            for language in ("en", "cy"):
                page.goto(f"{url}?lang={language}")
                assert re.findall(r"\S*[.!?][A-Z]\S*", page.inner_text("body")) == []


@pytest.mark.parametrize(
    "screen",
    [
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"forced_colors": "active"},
    ],
    ids=str,
)
def test_every_page_fits_a_small_telephone(browser: Browser, site: Site, screen: dict[str, Any]) -> None:
    """
    At 320 pixels nothing scrolls sideways, letters stand out 4.5 to 1, and what one presses is large enough: 44 pixels
    high for answers and buttons, 24 for links that stand by themselves.
    """
    with browser.new_context(viewport={"width": 320, "height": 640}, **screen) as context:
        page = context.new_page()
        for url in site.links():
            page.goto(url)
            assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [320, 320]
            for tag, width, height in page.evaluate(SIZES):
                assert min(width, height) >= (24 if tag == "A" else 44), (url, tag, width, height)
            if "color_scheme" in screen:
                contrasts = page.evaluate(CONTRASTS)
                assert contrasts
                assert [(text, ratio) for text, ratio in contrasts if ratio < 4.5] == []


def test_no_answer_weighs_more_than_the_other(browser: Browser, site: Site) -> None:
    """
    Yes and no look the same and are the same size; so do the button that saves and the one that stops.
    """
    look = """element => {
      const style = getComputedStyle(element), box = element.getBoundingClientRect();
      return [style.color, style.backgroundColor, style.borderColor, style.font, box.width, box.height];
    }"""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{site.url}/l/{site.acme.ask()}")
        answers = [page.locator(f"label[for=email-offers-{answer}]").evaluate(look) for answer in ("yes", "no")]
        assert answers[0] == answers[1]
        save, stop = (page.get_by_role("button", name=name).evaluate(look) for name in ("Save", "Stop"))
        assert save == stop


def test_a_form_on_another_site_is_turned_away(browser: Browser, site: Site) -> None:
    """
    Even one that knows the link. Only a stop is one wherever its form stands.
    """
    code = site.acme.myoptly()
    form = f'<form method="post" action="{site.url}/l/{code}"><button>Win a prize</button></form>'
    before = site.acme.record()
    with browser.new_context() as context:
        page = context.new_page()
        page.route("http://localhost:9/", lambda route: route.fulfill(body=form, content_type="text/html"))
        page.goto("http://localhost:9/")
        with page.expect_response(f"{site.url}/l/{code}") as response:
            page.get_by_role("button").click()
        assert response.value.status == 403
    assert before == site.acme.record()
