"""
How the pages look: every one of them in a real browser, and what an organisation adds of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
import pytest
from axe import axe_finds
from hypothesis import example, given
from hypothesis import strategies as st
from portal.gallery import ACME, LOGO, MOUNT, pictures, served

from optly.errors import ConfigurationError
from optly.portal.assets import assets
from optly.portal.colours import READABLE, contrast, normal, shade
from optly.portal.look import Look
from optly.portal.theme import Theme
from optly.testing.pages import Sample, samples

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


# What one presses, but for links within a sentence, which are as high as its lines (WCAG 2.2, 2.5.8).
SIZES = """
() => [...document.querySelectorAll(
  ".top a, .bottom a, .summary a, .ways-on a, .act a, button, .answer label, input:not([type=hidden]), select, textarea"
)].map((element) => {
  const box = element.getBoundingClientRect();
  return [element.outerHTML.slice(0, 60), box.width, box.height];
}).filter(([, width, height]) => Math.min(width, height) < 24)
"""

LARGE = """
() => Object.assign(document.documentElement.style, {
  fontSize: "200%", letterSpacing: "0.12em", wordSpacing: "0.16em", lineHeight: "1.5",
})
"""

WIDTHS: list[tuple[int, Literal["active", "none"]]] = [(1280, "active"), (320, "none")]

# What sticks out at the side, and by how much.
TOO_WIDE = "() => document.documentElement.scrollWidth - innerWidth"

# Each stop of the Tab key: whether it can be seen that one is there, and whether anything lies over it.
FOCUSED = """
() => {
  const element = document.activeElement;
  if (element === document.body) return null;
  const shown = element.matches(".answer input") ? element.nextElementSibling : element;
  const style = getComputedStyle(shown), box = shown.getBoundingClientRect();
  const over = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height / 2, 10));
  const free = over && (shown.contains(over) || element.contains(over) || over.contains(shown));
  return [element.outerHTML.slice(0, 80), parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== "none", free];
}
"""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """
    Every page in each of its states, by name.
    """
    with served(pictures(tmp_path_factory.mktemp("catalogues"))) as addresses:
        yield addresses


# ---- in a browser


@pytest.mark.slow
@pytest.mark.parametrize(
    "screen",
    [
        pytest.param({"color_scheme": "light", "viewport": {"width": 320, "height": 640}}, id="small-and-light"),
        pytest.param({"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}}, id="wide-and-dark"),
    ],
)
def test_axe_finds_nothing(browser: Browser, gallery: Mapping[str, str], screen: dict[str, Any]) -> None:
    """
    On any page, in any state, in either scheme. Nothing comes from another host, nothing is complained about, nothing
    sticks out at the side, and nothing to press is smaller than 24 pixels.
    """
    requested: list[str] = []
    complaints: list[str] = []
    with browser.new_context(**screen) as context:
        context.on("request", lambda request: requested.append(request.url))
        context.on("console", lambda message: complaints.append(message.text))
        page = context.new_page()
        for name, address in gallery.items():
            page.goto(address)
            assert 0 == page.evaluate(TOO_WIDE), name
            assert [] == page.evaluate(SIZES), name
            assert "" == axe_finds(page), name
    here = next(iter(gallery.values())).rpartition("/")[0]
    assert {here} == {address[: len(here)] for address in requested}
    assert [] == complaints


@pytest.mark.slow
def test_letters_twice_as_large_fit(browser: Browser, gallery: Mapping[str, str]) -> None:
    """
    At 200 per cent and further apart, nothing sticks out, on a desk or on a telephone; nor does it with forced colours.

    Source: WCAG 2.2, 1.4.4 and 1.4.12.
    """
    with browser.new_context() as context:
        page = context.new_page()
        for name, address in gallery.items():
            page.goto(address)
            page.evaluate(LARGE)
            for width, colours in WIDTHS:
                page.emulate_media(forced_colors=colours)
                page.set_viewport_size({"width": width, "height": 800})
                assert 0 == page.evaluate(TOO_WIDE), (name, width)


@pytest.mark.parametrize("name", ["choices", "choices-error", "choices-rtl", "change-error", "history", "code_enter"])
def test_the_keyboard_reaches_everything_in_order(browser: Browser, gallery: Mapping[str, str], name: str) -> None:
    """
    Each stop of the Tab key can be seen and is covered by nothing. The first one skips to what matters, or, where
    something went wrong, leads to it.
    """
    with browser.new_context(viewport={"width": 640, "height": 480}) as context:
        page = context.new_page()
        page.goto(gallery[name])
        if "error" in name:
            page.wait_for_selector(".summary:focus")
        stops = []
        for _ in range(60):
            page.keyboard.press("Tab")
            stop = page.evaluate(FOCUSED)
            if stop is None:
                break
            stops.append(stop)
        assert [] == [stop for stop in stops if stop[1:] != [True, True]]
        assert len({stop[0] for stop in stops}) >= 5
        assert stops[0][0].startswith('<a href="#' if "error" in name else '<a class="skip" href="#main"')


def _order(page: Page) -> list[float]:
    boxes = [page.locator(f"label[for=email-offers-{answer}]").bounding_box() for answer in ("yes", "no")]
    return [box["x"] for box in boxes if box is not None]


def test_a_page_from_right_to_left_is_its_mirror_image(browser: Browser, gallery: Mapping[str, str]) -> None:
    """
    Yes stands before no in the direction that is read.
    """
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(gallery["choices"])
        yes, no = _order(page)
        page.goto(gallery["choices-rtl"])
        mirrored_yes, mirrored_no = _order(page)
        assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
    assert yes < no
    assert mirrored_yes > mirrored_no


def test_on_a_wide_screen_the_answers_stand_in_columns(browser: Browser, gallery: Mapping[str, str]) -> None:
    """
    A row for each channel, a column for each answer; on a small one the answers stand below their question.
    """
    tops = """() => [...document.querySelectorAll(".question")].map((row) => {
      const [a, b] = [row.querySelector("legend"), row.querySelector(".answers")].map((e) => e.getBoundingClientRect());
      return [b.y >= a.bottom, b.x];
    })"""
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        page.goto(gallery["choices-many"])
        wide = page.evaluate(tops)
        page.set_viewport_size({"width": 400, "height": 800})
        small = page.evaluate(tops)
    assert len(wide) == 48
    assert {False} == {below for below, _ in wide}
    assert len({place for _, place in wide}) == 1
    assert {True} == {below for below, _ in small}


def test_what_is_printed_is_the_record_and_not_the_buttons(browser: Browser, gallery: Mapping[str, str]) -> None:
    """
    History, choices and address stay; what only a screen can use goes.
    """
    with browser.new_context() as context:
        page = context.new_page()
        page.emulate_media(media="print")
        for name in ("history", "choices", "details"):
            page.goto(gallery[name])
            assert page.locator("h1").is_visible()
            assert page.locator("address").is_visible()
            assert 0 == page.locator("button:visible, .ways:visible, .session:visible, .stop:visible").count()


def test_the_host_cannot_hide_the_way_out_by_its_style(browser: Browser, tmp_path: Path) -> None:
    """
    Not even with rules that are said to be important.
    """
    hiding = "main h1 { color: rgb(1, 2, 3) !important } .stop, .stop form, .stop .button { display: none !important; "
    hiding += "visibility: hidden !important; opacity: 0 !important; position: absolute !important; }"
    theme = Theme(extra_css=hiding)
    hidden = [
        attrs.evolve(picture, look=attrs.evolve(picture.look, theme=theme))
        for picture in pictures(tmp_path)
        if picture.name == "choices"
    ]
    with served(iter(hidden)) as addresses, browser.new_context() as context:
        page = context.new_page()
        page.goto(addresses["choices"])
        assert "rgb(1, 2, 3)" == page.locator("h1").evaluate("element => getComputedStyle(element).color")
        stop = page.get_by_role("button", name="Stop everything")
        assert stop.is_visible()
        assert "1" == stop.evaluate("element => getComputedStyle(element).opacity")
        stop.click(trial=True)


# ---- the colour

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(COLOURS)
@example("#ffffff")
@example("#000000")
@example("#ffdd00")
@example("#777777")
def test_every_colour_can_be_read(colour: str) -> None:
    """
    Whatever colour an organisation has: what is written in it, and on it, stands out 4.5 to 1 in both schemes.
    """
    theme = Theme(colour=colour)
    for shades, papers in ((theme.light, ("#f7f5f0", "#ffffff")), (theme.dark, ("#101615", "#182120"))):
        assert shades["brand"] == colour
        for name in ("main", "main-deep"):
            for paper in (*papers, shades["tint"], shades["on-main"]):
                assert contrast(shades[name], paper) >= READABLE


@given(COLOURS)
@example("#0b5f59")
def test_a_colour_that_can_be_read_stays_as_it_is(colour: str) -> None:
    """
    Only what is too light is darkened.
    """
    theme = Theme(colour=colour)
    papers = ("#f7f5f0", "#ffffff", theme.light["tint"])
    if all(contrast(colour, paper) >= READABLE for paper in papers):
        assert contrast(theme.light["main"], colour) < 1.02


@given(COLOURS, COLOURS)
def test_contrast_is_symmetric_and_within_its_limits(one: str, other: str) -> None:
    """
    From 1, the same, to 21, black and white.
    """
    assert contrast(one, other) == contrast(other, one)
    assert 1 <= contrast(one, other) <= 21
    assert contrast(one, one) == 1


def test_contrast_is_that_of_the_guidelines() -> None:
    """
    The ends of the scale, and the lightest grey that can be read on white.
    """
    assert round(contrast("#000000", "#ffffff"), 6) == 21
    assert contrast("#767676", "#ffffff") >= 4.5 > contrast("#777777", "#ffffff")


@given(COLOURS, st.floats(0, 1))
def test_a_shade_is_a_colour_of_the_lightness_asked_for(colour: str, lightness: float) -> None:
    """
    Black at one end, white at the other, and grey stays grey.
    """
    assert normal(shade(colour, lightness)) == shade(colour, lightness)
    assert contrast(shade(colour, 0), "#000000") < 1.02
    assert contrast(shade(colour, 1), "#ffffff") < 1.02
    red, green, blue = (int(shade(colour, lightness, chroma=0)[place : place + 2], 16) for place in (1, 3, 5))
    assert max(red, green, blue) - min(red, green, blue) <= 1


@pytest.mark.parametrize("colour", ["teal", "0b5f59", "#0b5f5", "#0b5f59ff", "#0b5f5g", "", "#fff;}", "rgb(0,0,0)"])
def test_what_is_not_a_colour_is_refused(colour: str) -> None:
    """
    It goes into a style sheet.
    """
    with pytest.raises(ConfigurationError, match="#rrggbb"):
        Theme(colour=colour)


def test_a_short_colour_means_the_long_one() -> None:
    """
    As in a style sheet.
    """
    assert Theme(colour="#FD0").colour == "#ffdd00"


# ---- the logo

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">{}</svg>'


@pytest.mark.parametrize("logo", [PNG, LOGO, SVG.format("<path d='M0 0h9v9z' fill='url(#a)'/>").encode()])
def test_a_picture_is_served_as_what_it_is(logo: bytes, tmp_path: Path) -> None:
    """
    From memory or from a file, under a name that changes with it.
    """
    (tmp_path / "logo").write_bytes(logo)
    theme = Theme(logo=tmp_path / "logo")
    assert theme == Theme(logo=logo)
    asset = assets(theme)["logo"]
    assert asset.body == logo
    assert re.fullmatch(r"logo-[0-9a-f]{12}\.(png|svg)", asset.name)
    assert asset.media_type == ("image/png" if logo == PNG else "image/svg+xml")


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<g onload='alert(1)'/>",
        "<a xlink:href='#x'><path/></a>",
        "<image xlink:href='https://elsewhere.example.com/x.png'/>",
        "<image href='//elsewhere.example.com/x.png'/>",
        "<use href='other.svg#part'/>",
        "<image href='data:image/svg+xml;base64,AAAA'/>",
        "<style>@import 'https://elsewhere.example.com/x.css';</style>",
        "<style>path { fill: url(https://elsewhere.example.com/x) }</style>",
        "<style>path { fill: u\\72l(https://elsewhere.example.com/x) }</style>",
        "<style>path { fill: url(<![CDATA[https:]]>//elsewhere.example.com/x) }</style>",
        "<path fill='url(https://elsewhere.example.com/x)'/>",
        "<path style='fill: URL( x.svg#a )'/>",
        "<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'>x</p></foreignObject>",
        "<animate attributeName='href' to='https://elsewhere.example.com'/>",
        "<set attributeName='href' to='https://elsewhere.example.com'/>",
        "<h:script xmlns:h='http://www.w3.org/1999/xhtml'>alert(1)</h:script>",
    ],
)
def test_a_logo_that_does_more_than_be_shown_is_refused(inside: str) -> None:
    """
    A script, a link, an animation, or anything from elsewhere.
    """
    with pytest.raises(ConfigurationError, match="SVG of a logo"):
        Theme(logo=SVG.format(inside).encode())


@pytest.mark.parametrize(
    ("logo", "why"),
    [
        (b"", "PNG or"),
        (b"GIF89a", "PNG or"),
        (b"<svg>", "PNG or"),
        (b"<svg/>", "PNG or an SVG"),
        (b"<html xmlns='http://www.w3.org/2000/svg'/>", "PNG or an SVG"),
        (b"<!DOCTYPE svg [<!ENTITY a 'b'>]>" + LOGO, "document type"),
        (b"<?xml-stylesheet href='https://elsewhere.example.com/x.css'?>" + LOGO, "processing instructions"),
        (PNG + bytes(256 * 1024), "256 kB"),
        (Path("/nowhere/logo.svg"), "cannot be read"),
    ],
    ids=str,
)
def test_what_is_not_a_logo_is_refused(logo: bytes | Path, why: str) -> None:
    """
    With a reason.
    """
    with pytest.raises(ConfigurationError, match=why):
        Theme(logo=logo)


def test_a_logo_of_just_the_largest_size_is_taken() -> None:
    """
    The limit is inclusive.
    """
    assert Theme(logo=PNG + bytes(256 * 1024 - len(PNG))).logo is not None


def test_a_logo_for_the_dark_alone_is_refused() -> None:
    """
    There would be none by day.
    """
    with pytest.raises(ConfigurationError, match="light scheme too"):
        Theme(logo_dark=LOGO)


def test_the_files_of_two_themes_do_not_share_a_name() -> None:
    """
    So a browser that keeps one for ever never shows it for the other.
    """
    one, other = Theme(), Theme(colour="#7a3db8", logo=LOGO, logo_dark=PNG)
    assert assets(one)["optly.css"].name != assets(other)["optly.css"].name
    assert assets(one)["optly.svg"].name != assets(other)["optly.svg"].name
    look = Look(organisation=ACME, mount=MOUNT, theme=other)
    for name in ("optly.css", "optly.svg", "logo", "logo-dark"):
        response = look.file(assets(other)[name].name)
        assert response is not None
        assert response.body == assets(other)[name].body
    assert look.file(assets(one)["optly.css"].name) is None


# ---- pages

every_sample = pytest.mark.parametrize(
    "sample", [*samples(ACME, MOUNT)], ids=lambda sample: f"{sample.template} {sample.state}".strip()
)


def body(look: Look, template: str = "help", **facts: Any) -> str:
    """
    Return a page as it is sent, with made-up facts.
    """
    sample = next(sample for sample in samples(look.organisation, look.mount) if sample.template == template)
    return look.page(HTTPStatus.OK, template, **{**sample.facts, **facts}).body.decode()


def test_no_language_is_promised_that_is_not_there() -> None:
    """
    A page in a language without a catalogue is English and says so; each is linked under its own name.
    """
    look = Look(organisation=ACME, mount=MOUNT)
    assert '<html lang="en" dir="ltr">' in body(look, language="ar")
    welsh = body(look, "choices", language="cy-GB")
    assert '<html lang="cy" dir="ltr">' in welsh
    assert '<a href="/my/l/sample?lang=en" lang="en" hreflang="en"><bdi>English</bdi></a>' in welsh
    assert '<span lang="cy" aria-current="true"><bdi>Cymraeg</bdi></span>' in welsh


@every_sample
def test_nothing_that_is_shown_can_break_out(sample: Sample) -> None:
    """
    What people and organisations are called is text, whatever it looks like.
    """
    evil = '"><script>alert(1)</script>%s%(a)s{{ 1 }}'
    look = Look(organisation=attrs.evolve(ACME, name=evil, address=evil), mount=MOUNT)
    facts = {
        name: evil if isinstance(value, str) and name not in PATHS else value for name, value in sample.facts.items()
    }
    page = look.page(HTTPStatus.OK, sample.template, **facts).body.decode()
    assert "<script" not in page
    assert "&gt;&lt;script&gt;alert(1)&lt;/script&gt;%s%(a)s{{ 1 }}" in page


PATHS = frozenset({"home", "action", "resend", "more", "complaint_href", "details_href", "code", "token", "csrf"})


def test_errors_come_first_in_the_title_and_are_told_at_their_field() -> None:
    """
    In the title, in a summary that leads to the field, and at the field, which is described by it.
    """
    look = Look(organisation=ACME, mount=MOUNT)
    shown = [sample for sample in samples(ACME, MOUNT) if sample.state == "error"]
    assert {"choices", "held", "code_enter", "change", "complaint", "new_link"} == {s.template for s in shown}
    for sample in shown:
        page = look.page(HTTPStatus.UNPROCESSABLE_ENTITY, sample.template, **sample.facts).body.decode()
        assert "<title>Error: " in page
        summary = re.findall(r'<li><a href="#([^"]+)">(.*?)</a></li>', page)
        assert [page.count(f'id="{target}"') for target, _ in summary] == [1] * len(summary)
        assert len({text for _, text in summary}) == len(summary) >= 1
        described = re.findall(r'aria-invalid="true"', page)
        assert len(described) == (0 if sample.template in ("choices", "held") else 1)


@every_sample
def test_what_points_to_a_part_of_the_page_finds_it(sample: Sample) -> None:
    """
    Labels, descriptions and links within the page; and no two parts go by one name.
    """
    look = Look(organisation=ACME, mount=MOUNT)
    page = look.page(HTTPStatus.OK, sample.template, **sample.facts).body.decode()
    names = re.findall(r'\bid="([^"]+)"', page)
    assert sorted(set(names)) == sorted(names)
    pointed = re.findall(r'(?:aria-(?:describedby|labelledby)|\bfor)="([^"]+)"|href="#([^"]+)"', page)
    assert {name for ids, anchor in pointed for name in (*ids.split(), anchor) if name} <= set(names)


def test_headers_say_that_nobody_keeps_the_page_and_what_language_it_is_in() -> None:
    """
    And a view adds its own.
    """
    look = Look(organisation=ACME, mount=MOUNT)
    response = look.page(HTTPStatus.OK, "help", ("vary", "cookie"), title="Help", language="cy")
    headers = dict(response.headers)
    assert headers["cache-control"] == "no-store"
    assert headers["content-language"] == "cy"
    assert headers["vary"] == "cookie"
    assert headers["content-length"] == str(len(response.body))


# ---- templates of the host


def test_a_host_may_replace_a_part_or_a_block_of_it(tmp_path: Path) -> None:
    """
    Of one page, or of every page. What takes the place of ours can include or extend it.
    """
    templates = {
        "help": "<h1>Ask us</h1>",
        "footer": '{% include "optly/footer.html.j2" %}<p>Our own {{ organisation.name }}</p>',
        "choices": '{% extends "optly/choices.html.j2" %}{% block elsewhere %}{{ super() }}<p>More</p>{% endblock %}',
    }
    for name, text in templates.items():
        (tmp_path / f"{name}.html.j2").write_text(text, encoding="utf-8")
    look = Look(organisation=ACME, mount=MOUNT, templates=[tmp_path])
    assert () == look.check()
    page = body(look)
    assert "<h1>Ask us</h1>" in page
    assert "Our own Acme Ltd" in page
    page = body(look, "choices")
    assert "Our own Acme Ltd" in page
    assert "Help with this page" in page
    assert "Your details and history" in page
    assert "<p>More</p>" in page


@pytest.mark.parametrize("name", ["templates", "catalogues"])
def test_a_directory_that_is_not_there_is_told_at_once(tmp_path: Path, name: str) -> None:
    """
    And not when the first page is asked for.
    """
    missing: dict[str, Any] = {name: [tmp_path / "nowhere"]}
    with pytest.raises(ConfigurationError, match="there is no directory"):
        Look(organisation=ACME, mount=MOUNT, **missing)


def test_every_template_has_a_sample(tmp_path: Path) -> None:
    """
    So that none goes unchecked.
    """
    import optly.portal

    shipped = {path.name for path in (Path(optly.portal.__file__).parent / "templates").iterdir()}
    parts = {f"{name}.html.j2" for name in ("page", "parts", "head", "header", "footer", "new_link_form")}
    assert shipped - parts == {f"{sample.template}.html.j2" for sample in samples(ACME, MOUNT)}
