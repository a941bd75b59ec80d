"""
What a person finds on a page without scripts: its text, its links, and its forms, which can be filled in. Pure.

Built on the standard library's parser. Beautiful Soup, or WebTest above it, would be a dependency and save little: it
knows neither labels nor what a browser refuses, and loses the fields of a form that is cut short by a table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from html import unescape
from html.parser import HTMLParser
from typing import Final, TypeAlias
from urllib.parse import urldefrag, urlencode, urljoin, urlsplit

import attrs

from optly.portal.guard import VOID

Headers: TypeAlias = tuple[tuple[str, str], ...]
Answer: TypeAlias = "str | bool | Sequence[str]"

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_INLINE: Final = re.compile("a|abbr|b|bdi|bdo|cite|code|em|i|kbd|label|mark|q|s|small|span|strong|sub|sup|u|wbr")
_DISABLING: Final = frozenset({"fieldset", "optgroup", "select"})
_LOADED: Final = {"link": "href", "img": "src", "script": "src", "iframe": "src", "source": "src"}


class PageError(AssertionError):
    """
    The page does not allow what was asked for: a browser would find no such link, field, option or button, or refuse.
    """


@attrs.frozen
class Link:
    """
    A link: its whole address, and the text one clicks.
    """

    url: str = attrs.field(repr=False)
    text: str


@attrs.frozen(kw_only=True, eq=False)
class Control:
    """
    A field or a button of a form. An option of a list is a radio button, or a checkbox if the list takes several.

    Attributes:
        kind: ``text`` for anything that is typed, ``radio``, ``checkbox``, ``submit``; ``hidden`` for all else.
        label: The text of its label, or the text on a button or an option.
        question: The legend of the fieldset it is in; for an option, the label of its list.
        checked: Whether it is ticked or chosen.
        group: The same for radio buttons that release each other and for the options of one list.
        attributes: As written on the page; for an option, those of its list too.
    """

    kind: str
    name: str
    value: str = attrs.field(repr=False)
    label: str
    question: str
    checked: bool
    disabled: bool
    group: object = attrs.field(repr=False)
    attributes: Mapping[str, str] = attrs.field(repr=False)

    @property
    def title(self) -> str:
        """
        What a person calls it. The label of a radio button is an answer.
        """
        return (self.question if self.kind == "radio" else self.label) or self.question or self.name

    @property
    def is_choice(self) -> bool:
        return self.kind in ("radio", "checkbox")

    @property
    def values(self) -> Sequence[str]:
        """
        What is typed into it or chosen.
        """
        return [self.value] if not self.disabled and (self.checked or not self.is_choice) else []

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        """
        What it adds to a form that is sent. A button adds it only if it is the one that was pressed.
        """
        return [(self.name, value) for value in self.values if self.name]

    def is_called(self, key: str) -> bool:
        return self.kind != "hidden" and key in (self.name, self.question, self.title)


@attrs.frozen(kw_only=True)
class Form:
    """
    A form on a page. Filling it in returns another one, so that one form can be filled in and sent many times.

    Attributes:
        controls: Fields and buttons in the order of the page.
        attributes: As written on the page.
    """

    page: Page = attrs.field(repr=False)
    controls: Sequence[Control]
    attributes: Mapping[str, str] = attrs.field(repr=False)

    @property
    def action(self) -> str:
        """
        The whole address the form is sent to.
        """
        return urljoin(self.page.url, self.attributes.get("action", "").strip())

    @property
    def fields(self) -> Sequence[Control]:
        return [control for control in self.controls if control.kind != "submit"]

    @property
    def buttons(self) -> Sequence[Control]:
        return [control for control in self.controls if control.kind == "submit"]

    def fill_in(self, answers: Mapping[str, Answer]) -> Form:
        """
        Return the form with *answers* filled in.

        Args:
            answers: What to fill in, by the name, the label or the question (the legend) of a field. An answer to
                radio buttons, checkboxes or a list is the label or the value of what to choose, or a sequence of them;
                a single checkbox takes True or False as well.

        Raises:
            PageError: There is no such field or option, or more than one, or a person could not do that.
        """
        form = self
        for key, answer in answers.items():
            changed = form._changed(key, answer)
            form = attrs.evolve(form, controls=[changed.get(control, control) for control in form.controls])
        return form

    def _changed(self, key: str, answer: Answer) -> Mapping[Control, Control]:
        found = [field for field in self.fields if field.is_called(key)]
        kinds = [field.kind for field in found]
        match answer:
            case _ if not found:
                others = {field.title for field in self.fields if field.kind != "hidden"}
                raise PageError(f"there is no field {key!r} to fill in, but {sorted(others)}")
            case bool() if kinds == ["checkbox"]:
                changed = {found[0]: attrs.evolve(found[0], checked=answer)}
            case str() if kinds == ["text"]:
                changed = {found[0]: attrs.evolve(found[0], value=answer)}
            case str() | Sequence() if found[0].is_choice:
                chosen = [_only(each, found) for each in ([answer] if isinstance(answer, str) else answer)]
                if found[0].kind == "radio":
                    if len(chosen) != 1:
                        raise PageError(f"{key!r} takes one answer")
                    # A browser releases the other buttons of that name, wherever in the form they are.
                    found = [field for field in self.fields if field.group == chosen[0].group]
                kept = [field for field in found if field.disabled and field not in chosen]
                changed = {each: attrs.evolve(each, checked=each in chosen) for each in found if each not in kept}
            case _:
                raise PageError(f"{key!r} ({', '.join(kinds)}) does not take {answer!r}")
        for field in changed:
            if field.disabled or (field.kind == "text" and "readonly" in field.attributes):
                raise PageError(f"{field.label or field.name!r} cannot be changed")
        return changed

    def submission(self, button: str = "") -> tuple[str, str, bytes]:
        """
        Return what a browser sends when a button is pressed: the method, the address and the body.

        Args:
            button: The text on it. By default what the Enter key presses, which is the first button.

        Raises:
            PageError: There is no such button, or it is disabled, or a required field is empty.
        """
        pressed = _only(button, self.buttons) if button else next(iter(self.buttons), None)
        says = dict(self.attributes)
        if pressed:
            if pressed.disabled:
                raise PageError(f"the button {pressed.label!r} is disabled")
            says |= {name[4:]: value for name, value in pressed.attributes.items() if name.startswith("form")}
        for field in self.fields if "novalidate" not in says else ():
            same = [each for each in self.fields if each.group == field.group]
            is_required = "required" in field.attributes and not field.disabled and "readonly" not in field.attributes
            if is_required and not any(value for each in same for value in each.values):
                raise PageError(f"{field.title!r} is required")
        pairs = [pair for each in self.controls if each.kind != "submit" or each is pressed for pair in each.pairs]
        body = urlencode([(_lines(name), _lines(value)) for name, value in pairs])
        url = attrs.evolve(self, attributes=says).action
        if says.get("method", "").lower() == "post":
            return "POST", url, body.encode()
        return "GET", urlsplit(url)._replace(query=body).geturl(), b""


def _only(name: str, known: Sequence[Control]) -> Control:
    """
    Return the one of them with this label or, if none is labelled so, with this value.
    """
    found = [each for each in known if each.label == name] or [each for each in known if each.value == name]
    if len(found) != 1:
        raise PageError(f"{len(found)} of {[each.label or each.value for each in known]} are called {name!r}")
    return found[0]


def _lines(text: str) -> str:
    """
    Return *text* with the ends of lines that browsers send.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


@attrs.frozen(kw_only=True)
class Page:
    """
    A response, read as a page.

    Attributes:
        url: The address it came from, without a fragment.
        headers: Names in lower case; a header that was sent twice is there twice.
        text: The source of the page.
        words: What a person reads on it, each run of blanks as one.
        resources: The addresses of what it loads: style sheets, images, scripts and frames.
    """

    url: str = attrs.field(repr=False)
    status: int
    headers: Headers = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    def values(self, name: str) -> Sequence[str]:
        """
        Return every value of a header, by its name in lower case.
        """
        return [value for known, value in self.headers if known == name]

    @property
    def text(self) -> str:
        _, _, charset = ",".join(self.values("content-type")).lower().partition("charset=")
        return self.body.decode(charset.partition(";")[0].strip(' "') or "utf-8", "replace")

    @property
    def location(self) -> str:
        """
        The whole address that a redirect leads to; empty for any other response.
        """
        where = self.values("location")
        return urldefrag(urljoin(self.url, where[0])).url if where and self.status in _REDIRECTS else ""

    @cached_property
    def _elements(self) -> Sequence[Element]:
        is_html = any(value.lower().startswith("text/html") for value in self.values("content-type"))
        return read_elements(self.text if is_html else "")

    @property
    def title(self) -> str:
        return next((each.words for each in self._elements if each.tag == "title"), "")

    @property
    def words(self) -> str:
        return self._elements[0].words

    @property
    def links(self) -> tuple[Link, ...]:
        found = [each for each in self._elements if each.tag in ("a", "area") and "href" in each.facts]
        return tuple(Link(urljoin(self.url, each.facts["href"]), each.words) for each in found)

    @property
    def resources(self) -> tuple[str, ...]:
        found = [each.facts.get(_LOADED.get(each.tag, "")) for each in self._elements]
        return tuple(urljoin(self.url, address) for address in found if address)

    @cached_property
    def forms(self) -> tuple[Form, ...]:
        # One inside another is not there, for a browser.
        forms = {each: list[Control]() for each in self._elements if each.tag == "form" and not each.form}
        by_id = {each.facts.get("id"): each for each in reversed(forms)}
        for element in self._elements:
            source = element.around("select") or element
            owner = by_id.get(source.facts["form"]) if "form" in source.facts else source.form
            if owner and (control := _control(element, source, self._elements)):
                forms[owner].append(control)
        return tuple(
            Form(page=self, controls=_chosen(controls), attributes=form.facts) for form, controls in forms.items()
        )

    def form(self, button: str | None = None, *, action: str | None = None) -> Form:
        """
        Return the form with this button, the form that is sent to *action*, or the only one there is.

        Args:
            button: The text on the button.
            action: Relative to the page, or whole.

        Raises:
            PageError: There is no such form, or more than one.
        """
        found = [
            form
            for form in self.forms
            if (button is None or button in [each.label for each in form.buttons])
            and (action is None or form.action == urljoin(self.url, action))
        ]
        if len(found) != 1:
            buttons = [[button.label for button in form.buttons] for form in self.forms]
            raise PageError(f"{len(found)} such forms are on the page; the buttons of its forms say {buttons}")
        return found[0]


def read(html: str, url: str = "") -> Page:
    """
    Read HTML that did not come over the web: an email, for one.
    """
    return Page(url=url, status=200, headers=(("content-type", "text/html; charset=utf-8"),), body=html.encode())


@attrs.define(eq=False)
class Element:
    """
    An element, as far as it was read.

    Attributes:
        inside: The elements around it, from the outermost.
        form: The form it is in.
    """

    tag: str
    facts: Mapping[str, str]
    inside: Sequence[Element] = ()
    form: Element | None = None
    text: str = ""

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def around(self, tag: str) -> Element | None:
        return next((each for each in reversed(self.inside) if each.tag == tag), None)


def read_elements(html: str) -> Sequence[Element]:
    """
    Return the elements of a page in order. The first stands for the page as a whole.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.elements


class _Reader(HTMLParser):
    CDATA_CONTENT_ELEMENTS = ("script", "style", "template", "textarea", "title")  # type: ignore[misc]

    def __init__(self) -> None:
        super().__init__()
        self.elements = [Element("", {})]
        self._open = self.elements[:]
        self._form: Element | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not _INLINE.fullmatch(tag):
            self.handle_data(" ")
        # Of an attribute that is there twice, the first counts.
        facts = {name: value or "" for name, value in reversed(attrs)}
        element = Element(tag, facts, tuple(self._open), self._form)
        self.elements.append(element)
        if tag == "form":
            self._form = self._form or element
        elif tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        opened = [each.tag for each in self._open]
        if tag in opened:
            del self._open[len(opened) - 1 - opened[::-1].index(tag) :]
        if not _INLINE.fullmatch(tag):
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        here = self._open[-1]
        if here.tag in ("textarea", "title"):
            here.text += unescape(data)
        elif here.tag == "option":
            here.text += data
        elif here.tag not in self.CDATA_CONTENT_ELEMENTS:
            for element in self._open:
                element.text += data


def _control(element: Element, source: Element, page: Sequence[Element]) -> Control | None:
    """
    Return the field, button or option that an element is, or None.

    Args:
        source: What names it: the list for an option, and itself for everything else.
    """
    legends = {each.around("fieldset"): each for each in reversed(page) if each.tag == "legend"}
    labels = [
        each.words
        for each in page
        if each.tag == "label"
        and (each.facts["for"] == source.facts.get("id") if "for" in each.facts else each in source.inside)
    ]
    label = " ".join(labels) or source.facts.get("aria-label", "")
    legend = legends.get(element.around("fieldset"))
    question = legend.words if legend else ""
    name, value = source.facts.get("name", ""), element.facts.get("value", "")
    group: object = element
    match element.tag, element.facts.get("type", "").lower():
        case "input" | "button", "button" | "reset" | "image":
            return None  # without scripts they send nothing
        case "button", _:
            kind, label = "submit", element.words or label
        case "input", "submit":
            kind, label = "submit", value or "Submit"
        case "input", "radio" | "checkbox" as kind:
            value = element.facts.get("value", "on")
            group = name if kind == "radio" else element
        case "input", "hidden" | "file":
            kind, label = "hidden", ""
        case "input", _:
            kind = "text"
        case "textarea", _:
            kind, value = "text", element.text.removeprefix("\n")
        case "option", _ if source is not element:
            kind, group = "checkbox" if "multiple" in source.facts else "radio", source
            label, question = element.facts.get("label") or element.words, label or question
            value = element.facts.get("value", element.words)
        case _:
            return None
    return Control(
        kind=kind,
        name=name,
        value=value,
        label=label,
        question=question,
        checked=not element.facts.keys().isdisjoint({"checked", "selected"}),
        disabled="disabled" in element.facts
        or any(
            "disabled" in each.facts and each.tag in _DISABLING and legends.get(each) not in element.inside
            for each in element.inside
        ),
        group=group,
        attributes={**source.facts, **element.facts},
    )


def _chosen(controls: Sequence[Control]) -> Sequence[Control]:
    """
    Return the controls with the last radio button of each group chosen, or the first of a drop-down list.
    """
    chosen: dict[object, Control] = {}
    for each in controls:
        is_shown = isinstance(each.group, Element) and each.attributes.get("size", "1") in ("0", "1", "")
        if each.kind == "radio" and (each.checked or (is_shown and not each.disabled and each.group not in chosen)):
            chosen[each.group] = each
    return [
        attrs.evolve(each, checked=each is chosen[each.group]) if each.group in chosen else each for each in controls
    ]
