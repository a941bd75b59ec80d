"""
Reads from HTML what a person finds on a page: its text, its links and its forms. Pure.

It is built on the standard library's parser, which knows tags and no tree. That is enough for forms, whose controls
belong to the last form opened wherever they are, and it spares hosts a compiled parser (lxml, selectolax) or a second
framework (WebTest) for a few tests. Our tests compare it with Chromium.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import unescape
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

import attrs

from optly.testing._forms import Control, Form, Option

_VOID: Final = re.compile("area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr")
_INLINE: Final = re.compile("a|abbr|b|bdi|bdo|cite|code|em|i|kbd|label|mark|q|s|small|span|strong|sub|sup|u|wbr")
# Their text belongs to them alone, and the content of the others is not on the page at all.
_APART: Final = frozenset({"textarea", "title", "option"})
_UNSEEN: Final = frozenset({"script", "style", "template"})
_RESOURCES: Final = {"link": "href", "img": "src", "script": "src", "iframe": "src", "source": "src"}
# What an opening tag closes, if that is still open.
_CLOSES: Final = {"option": "option", "optgroup": "option", "button": "button", "a": "a"}
# Later versions of the parser read entities in these; for earlier ones it is done here.
_RAW: Final = frozenset() if hasattr(HTMLParser, "RCDATA_CONTENT_ELEMENTS") else frozenset({"textarea", "title"})


@attrs.frozen
class Link:
    """
    A link: its whole address, and the text one clicks.
    """

    url: str = attrs.field(repr=False)
    text: str


@attrs.frozen(kw_only=True)
class Content:
    """
    What is on a page.

    Attributes:
        words: The text, each run of blanks as one.
        resources: The addresses of what the page loads: style sheets, images, scripts and frames.
    """

    title: str
    words: str
    links: tuple[Link, ...]
    resources: tuple[str, ...]
    forms: tuple[Form, ...]


def read_html(html: str, url: str = "", referrer_policy: str = "") -> Content:
    """
    Read a page that came from *url*.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    base = urljoin(url, reader.base)
    return Content(
        title=reader.title.words if reader.title else "",
        words=reader.page.words,
        links=tuple(Link(urljoin(base, each.facts["href"]), each.words) for each in reader.links),
        resources=tuple(urljoin(base, address) for address in reader.resources),
        forms=tuple(
            Form(
                page=url,
                base=base,
                referrer_policy=referrer_policy,
                controls=_last_radio_button_pressed(
                    [_control(each, reader.labels) for each in reader.controls if reader.owner(each) is form]
                ),
                attributes=form.facts,
            )
            for form in reader.forms
        ),
    )


@attrs.define(eq=False)
class _Element:
    """
    An element, as far as it was read.

    Attributes:
        form: The form it is in.
        inside: The elements around it, from the outermost.
        legend: Of a fieldset, its first.
        options: Of a list, with whether the group of each is disabled.
    """

    tag: str
    facts: Mapping[str, str]
    form: _Element | None = None
    inside: Sequence[_Element] = ()
    text: str = ""
    legend: _Element | None = None
    options: list[tuple[_Element, bool]] = attrs.field(factory=list)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = _Element("", {})
        self.title: _Element | None = None
        self.base = ""
        self.links: list[_Element] = []
        self.resources: list[str] = []
        self.forms: list[_Element] = []
        self.labels: list[_Element] = []
        self.controls: list[_Element] = []
        self._form: _Element | None = None
        self._open = [self.page]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Of an attribute that is there twice, the first counts.
        facts = {name: value or "" for name, value in reversed(attrs)}
        if tag in _CLOSES:
            self.handle_endtag(_CLOSES[tag])
        self._blank(tag)
        element = _Element(tag, facts, self._form, tuple(self._open))
        if not self._innermost("template"):
            self._take(element)
        if not _VOID.fullmatch(tag) and tag != "form":
            self._open.append(element)
        if tag in _RAW:
            self.set_cdata_mode(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # a browser takes no notice of the slash

    def handle_endtag(self, tag: str) -> None:
        self._blank(tag)
        if tag == "form" and not self._innermost("template"):
            self._form = None
        elif element := self._innermost(tag):
            del self._open[self._open.index(element) :]

    def handle_data(self, data: str) -> None:
        here = self._open[-1]
        if here.tag in _APART:
            here.text += unescape(data) if here.tag in _RAW else data
        elif not any(element.tag in _UNSEEN for element in self._open):
            for element in self._open:
                element.text += data

    def _take(self, element: _Element) -> None:
        facts = element.facts
        if address := facts.get(_RESOURCES.get(element.tag, "")):
            self.resources.append(address)
        match element.tag:
            case "base":
                self.base = self.base or facts.get("href", "")
            case "title":
                self.title = self.title or element
            case "a" | "area" if "href" in facts:
                self.links.append(element)
            case "form" if self._form is None:  # one inside another is not there, for a browser
                self.forms.append(element)
                self._form = element
            case "label":
                self.labels.append(element)
            case "legend":
                fieldset = self._innermost("fieldset")
                if fieldset and not fieldset.legend:
                    fieldset.legend = element
            case "option":
                group = self._innermost("optgroup")
                if of := self._innermost("select"):
                    of.options.append((element, group is not None and "disabled" in group.facts))
            case "input" | "button" if facts.get("type", "").lower() in ("button", "reset"):
                pass  # without scripts they send nothing
            case "input" | "button" | "select" | "textarea":
                self.controls.append(element)

    def owner(self, control: _Element) -> _Element | None:
        """
        Return the form a control belongs to: the one it names, or else the one it is in.
        """
        if "form" not in control.facts:
            return control.form
        return next((form for form in self.forms if form.facts.get("id") == control.facts["form"] != ""), None)

    def _innermost(self, tag: str) -> _Element | None:
        return next((element for element in reversed(self._open) if element.tag == tag), None)

    def _blank(self, tag: str) -> None:
        if not _INLINE.fullmatch(tag):
            for element in self._open:
                if element.tag not in _APART:
                    element.text += " "


def _last_radio_button_pressed(controls: Sequence[Control]) -> tuple[Control, ...]:
    last = {each.name: each for each in controls if each.kind == "radio" and each.checked}
    return tuple(
        attrs.evolve(each, checked=last[each.name] is each) if each.kind == "radio" and each.name in last else each
        for each in controls
    )


def _control(element: _Element, labels: Sequence[_Element]) -> Control:
    facts, kind, value = element.facts, element.tag, element.facts.get("value", "")
    label = _label(element, labels) or facts.get("aria-label", "")
    match kind:
        case "input":
            kind = facts.get("type", "").lower() or "text"
            if kind in ("radio", "checkbox"):
                value = facts.get("value", "on")
            elif kind in ("submit", "image"):
                label = value or facts.get("alt") or "Submit"
        case "button":
            kind, label = "submit", element.words or label
        case "textarea":
            value = element.text.removeprefix("\n")
    around = [each for each in element.inside if each.tag == "fieldset"]
    return Control(
        kind=kind,
        name=facts.get("name", ""),
        value="" if kind == "file" else value,
        label=label,
        question=around[-1].legend.words if around and around[-1].legend else "",
        checked="checked" in facts,
        disabled="disabled" in facts
        or any("disabled" in each.facts and each.legend not in element.inside for each in around),
        options=_options(element),
        attributes=facts,
    )


def _label(control: _Element, labels: Sequence[_Element]) -> str:
    if control.facts.get("type", "").lower() == "hidden":
        return ""
    name = control.facts.get("id")
    return " ".join(
        label.words
        for label in labels
        if (label.facts["for"] == name if "for" in label.facts else label in control.inside)
    )


def _options(control: _Element) -> tuple[Option, ...]:
    options = [
        Option(
            value=element.facts.get("value", element.words),
            label=element.facts.get("label") or element.words,
            selected="selected" in element.facts,
            disabled="disabled" in element.facts or in_disabled_group,
        )
        for element, in_disabled_group in control.options
    ]
    if "multiple" not in control.facts and options:
        # Of several that are selected the last one is, and of none the first that can be chosen.
        chosen = [option for option in options if option.selected][-1:] or (
            [option for option in options if not option.disabled][:1]
            if control.facts.get("size", "1") in ("0", "1", "")
            else []
        )
        options = [attrs.evolve(option, selected=option in chosen) for option in options]
    return tuple(options)
