"""
Pictures of every page for the documentation: in light, in dark, in Welsh and on a narrow telephone.

The pictures are those of the pages as they are now: beside them stands what each page said when it was taken, and a
page that says something else by now, or is drawn by another style sheet, is found out. ``OPTLY_WRITE_PICTURES=1`` takes
them anew.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs
import pytest
from axe import axe_finds
from portal.servers import asgi_server
from portal.visitor import Acme
from world import PURPOSES

from optly.portal.assets import assets
from optly.portal.theme import Theme
from optly.testing.messages import code_in, stop_token_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

pytestmark = pytest.mark.slow

PICTURES = Path(__file__).parents[2] / "docs" / "images" / "myoptly"
SAYS = PICTURES / "pictures.json"
COLOURS = 48


WIDE: ViewportSize = {"width": 900, "height": 800}
NARROW: ViewportSize = {"width": 320, "height": 800}

# What is taken of a page in each language: the name of the picture, the scheme and the size.
TAKEN: dict[str, list[tuple[str, Literal["light", "dark"], ViewportSize]]] = {
    "en": [("light", "light", WIDE), ("dark", "dark", WIDE), ("narrow", "light", NARROW)],
    "cy": [("welsh", "light", WIDE)],
}


@attrs.define
class Album:
    """
    The pages, served, and somebody who goes through them.
    """

    acme: Acme
    url: str
    page: Page
    language: str

    def goes_to(self, path: str) -> None:
        self.page.goto(f"{self.url}{path}?lang={self.language}")

    def presses(self, form: str) -> None:
        self.page.locator(f"form[action*='{form}'] button").first.click()
        self.page.wait_for_load_state()

    def digits(self) -> str:
        self.acme.manager.deliver()
        found = [re.search(r"^ +(\d{6})$", message.text, re.M) for message in self.acme.world.emails.outbox]
        return [each[1] for each in found if each is not None][-1]

    def signs_in(self) -> None:
        self.goes_to(f"/l/{self.acme.myoptly()}/code")
        self.presses("/code")
        self.page.fill("#digits", self.digits())
        self.presses("/me/code")


# ---- how to come to each page


def question(album: Album) -> None:
    album.goes_to(f"/l/{album.acme.ask()}")


def held(album: Album) -> None:
    question(album)
    album.page.locator("label[for=email-offers-yes]").click()
    album.page.locator("label[for=sms-offers-no]").click()
    album.page.locator("main form button").first.click()
    album.page.wait_for_load_state()


def saved(album: Album) -> None:
    held(album)
    album.acme.later(minutes=1)
    album.presses("/confirm")


def choices(album: Album) -> None:
    album.acme.world.agreed(album.acme.ada)
    album.acme.later(minutes=1)
    album.acme.manager.deliver()
    album.goes_to(f"/l/{album.acme.myoptly()}")


def stopped(album: Album) -> None:
    choices(album)
    album.presses("/stop")


def code(album: Album) -> None:
    album.goes_to(f"/l/{album.acme.myoptly()}/code")


def digits(album: Album) -> None:
    code(album)
    album.presses("/code")


def details(album: Album) -> None:
    album.signs_in()


def change(album: Album) -> None:
    album.signs_in()
    album.goes_to("/me/email")


def history(album: Album) -> None:
    album.acme.world.agreed(album.acme.ada)
    album.acme.later(hours=20)
    album.signs_in()
    album.goes_to("/me/history")


def copy(album: Album) -> None:
    album.signs_in()
    album.goes_to("/me/copy")


def complaint(album: Album) -> None:
    album.goes_to(f"/l/{album.acme.myoptly()}/complaint")


def undo_change(album: Album) -> None:
    change(album)
    album.page.fill("#value", "ada@lovelace.example.org")
    album.presses("/me/email")
    album.page.fill("#digits", album.digits())
    album.presses("/me/email/code")
    album.acme.manager.deliver()
    album.goes_to(f"/l/{code_in(album.acme.world.emails.outbox[-1])}")


def stop(album: Album) -> None:
    album.goes_to(f"/u/{stop_token_in(album.acme.world.ask(album.acme.ada))}")


def new_link(album: Album) -> None:
    album.goes_to("/new-link")


def help(album: Album) -> None:
    album.goes_to("/help")


def problem(album: Album) -> None:
    link = album.acme.ask()
    album.acme.later(days=40)
    album.goes_to(f"/l/{link}")


PAGES: dict[str, Callable[[Album], None]] = {
    page.__name__.replace("_", "-"): page
    for page in (
        question, held, saved, choices, stopped, code, digits, details, change, undo_change, history, copy, complaint,
        stop, new_link, help, problem,
    )
}  # fmt: skip


@pytest.fixture
def acme() -> Acme:
    """
    An organisation with two purposes, which has titles for them in Welsh.
    """
    titles = {"offers": "Cynigion a gostyngiadau ar ein cynnyrch", "news": "Newyddion am ein gwaith"}
    welsh = [attrs.evolve(purpose, titles={"cy": titles[purpose.key]}) for purpose in PURPOSES]
    return Acme.open("http://127.0.0.1/my", purposes=welsh)


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Page]:
    """
    A window for all of them.
    """
    with browser.new_context(viewport=WIDE) as context:
        yield context.new_page()


@pytest.fixture
def page(window: Page) -> Page:
    """
    The window, as if it were new.
    """
    window.context.clear_cookies()
    window.set_viewport_size(WIDE)
    window.emulate_media(color_scheme="light")
    return window


@pytest.fixture
def url(acme: Acme) -> Iterator[str]:
    """
    Where the pages are served.
    """
    with asgi_server(acme.manager.portal().asgi()) as base:
        yield f"{base}/my"


def compact(picture: bytes) -> bytes:
    """
    Return a picture in fewer colours, which is all a page has.
    """
    from PIL import Image

    packed = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def what_is_seen(page: Page) -> str:
    """
    Return a digest of what a page says and of the style sheet that draws it.
    """
    text = " ".join(page.inner_text("body").split())
    sheet = assets(Theme())["optly.css"].name
    return hashlib.sha256(f"{sheet}\0{text}".encode()).hexdigest()[:16]


@pytest.mark.parametrize("language", TAKEN)
@pytest.mark.parametrize("name", PAGES)
def test_the_pictures_are_those_of_the_page(name: str, language: str, acme: Acme, url: str, page: Page) -> None:
    """
    They show the page as it is, and axe finds nothing on it. What it makes of every
    state on other screens is in the tests of the look.
    """
    acme.manager.change_details(acme.ada, language=language)
    PAGES[name](Album(acme, url, page, language))
    assert page.locator("html").get_attribute("lang") == language
    assert axe_finds(page) == ""
    seen = what_is_seen(page)
    if os.environ.get("OPTLY_WRITE_PICTURES") == "1":
        take(page, name, language, seen)
    known = json.loads(SAYS.read_text())
    for screen, _, _ in TAKEN[language]:
        assert (PICTURES / f"{name}-{screen}.png").read_bytes().startswith(b"\x89PNG")
        assert known[f"{name}-{screen}.png"] == seen, "take the pictures anew: OPTLY_WRITE_PICTURES=1"


def take(page: Page, name: str, language: str, seen: str) -> None:
    """
    Take the pictures of a page, and write down what it said.
    """
    PICTURES.mkdir(parents=True, exist_ok=True)
    known = json.loads(SAYS.read_text()) if SAYS.exists() else {}
    for screen, scheme, size in TAKEN[language]:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        file = PICTURES / f"{name}-{screen}.png"
        file.write_bytes(compact(page.screenshot(full_page=True)))
        known[file.name] = seen
    SAYS.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n")


def test_there_is_no_picture_of_what_is_not_there_any_more() -> None:
    """
    Each belongs to a page and a screen.
    """
    expected = {f"{name}-{screen}.png" for name in PAGES for screens in TAKEN.values() for screen, _, _ in screens}
    assert expected == {path.name for path in PICTURES.glob("*.png")} == json.loads(SAYS.read_text()).keys()
    assert sum(path.stat().st_size for path in PICTURES.glob("*.png")) < 4_000_000
