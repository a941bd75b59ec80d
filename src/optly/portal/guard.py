"""
What a page must keep, whoever wrote its template: the way out, the secret of the session, and fair questions. Pure.

A page is read as a browser reads it, after it was made. So nothing is asked of a template but what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlsplit

import attrs

Attributes: TypeAlias = Mapping[str, str]

CSRF_FIELD: Final = "csrf"

_FORBIDDEN: Final = frozenset(
    {"applet", "base", "embed", "frame", "frameset", "iframe", "object", "plaintext", "script", "style"}
)
# What lies inside of these is not there for whoever reads the page.
_UNSEEN: Final = frozenset(
    {"canvas", "head", "math", "noembed", "noframes", "noscript", "option", "select", "svg", "template", "textarea"}
    | {"title", "xmp", "audio", "video"}
)
_VOID: Final = frozenset(
    {"area", "br", "col", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}  # never closed
)
_LOADED: Final = frozenset({"background", "data", "poster", "src", "srcset", "xlink:href"})
_SCHEMES: Final = frozenset({"", "http", "https", "mailto", "tel"})


class Question(Protocol):
    """
    A question with its two buttons: what the form calls it, what each of them sends, and which is pressed.
    """

    @property
    def name(self) -> str: ...
    @property
    def yes(self) -> str: ...
    @property
    def no(self) -> str: ...
    @property
    def pressed(self) -> bool | None: ...


@attrs.frozen(kw_only=True)
class Rules:
    """
    What is true of the page that is read.

    Attributes:
        mount: Path under which the pages lie.
        stop: Where the button that stops everything sends its form, or None if the page needs none.
        csrf: The secret that every form has to hold, or None if there is no session.
        questions: What the page asks.
    """

    mount: str
    stop: str | None = None
    csrf: str | None = attrs.field(default=None, repr=False)
    questions: Sequence[Question] = ()


@attrs.frozen(kw_only=True)
class Finding:
    """
    What is wrong with a page. Holds nothing of what was on it.

    Attributes:
        template: Which page, by the name of its template.
        line: Where, counted from 1 in what the template made; 0 for what is missing.
        message: What, in a sentence.
    """

    template: str
    line: int
    message: str


@attrs.define(kw_only=True)
class _Element:
    """
    An element that is not closed yet, or one of those a form is made of.
    """

    tag: str
    attributes: Attributes
    line: int
    seen: bool
    disabled: bool
    around: tuple[tuple[str, str], ...]
    text: str = ""

    def get(self, name: str) -> str:
        return self.attributes.get(name, "")

    @property
    def kind(self) -> str:
        """
        The type of a control, as a browser understands it.
        """
        return self.get("type").lower() or {"button": "submit", "input": "text"}.get(self.tag, self.tag)

    @property
    def submits(self) -> bool:
        return self.kind in ("submit", "image") and self.tag in ("button", "input")

    @property
    def named(self) -> bool:
        return bool((self.text or self.get("value") or self.get("aria-label") or self.get("alt")).strip())

    @property
    def looks(self) -> object:
        """
        What it looks like, as far as the page says: everything but what tells it from its twin.
        """
        told = {name: value for name, value in self.attributes.items() if name not in ("id", "for", "value", "checked")}
        return self.tag, told, self.around, self.seen, self.disabled


@attrs.define(kw_only=True)
class _Form:
    element: _Element
    controls: list[_Element] = attrs.field(factory=list)

    @property
    def action(self) -> str:
        return self.element.get("action")

    def named(self, name: str) -> list[_Element]:
        return [control for control in self.controls if control.get("name") == name]


class _Reader(HTMLParser):
    """
    Takes in the page: its forms, and everything that is wrong by itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self.open: list[_Element] = []
        self.forms: list[_Form] = []
        self.labels: list[_Element] = []
        self.wrong: list[tuple[int, str]] = []
        self.language = ""
        self.title = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Of an attribute that is given twice a browser takes the first.
        attributes = {name: value or "" for name, value in reversed(attrs)}
        element = self._element(tag, attributes)
        self._judge(element)
        if tag == "html":
            self.language = element.get("lang")
        elif tag == "form":
            if any(around.tag == "form" for around in self.open):
                self.wrong.append((element.line, "a form lies inside another, where browsers leave it out"))
            self.forms.append(_Form(element=element))
        elif tag in ("button", "input", "select", "textarea"):
            self._control(element)
        elif tag == "label":
            self.labels.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Only in a drawing does the stroke at the end close an element; in HTML it says nothing.
        self.handle_starttag(tag, attrs)
        if tag not in _VOID and any(element.tag == "svg" for element in self.open):
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self.open) - 1, -1, -1):
            if self.open[place].tag == tag:
                del self.open[place:]
                return

    def handle_data(self, data: str) -> None:
        for element in self.open:
            if element.tag == "button":
                element.text += data
            elif element.tag == "title" and not any(around.tag == "svg" for around in self.open):
                self.title += data

    def _element(self, tag: str, attributes: Attributes) -> _Element:
        parent = self.open[-1] if self.open else None
        hidden = (
            "hidden" in attributes
            or "inert" in attributes
            or attributes.get("aria-hidden", "").lower() == "true"
            or "unseen" in attributes.get("class", "").split()
            or (tag in ("details", "dialog") and "open" not in attributes)
        )
        within = (parent.tag, parent.get("class")) if parent else None
        return _Element(
            tag=tag,
            attributes=attributes,
            line=self.getpos()[0],
            seen=not hidden and (parent is None or (parent.seen and parent.tag not in _UNSEEN)),
            disabled=("disabled" in attributes) or (parent is not None and parent.disabled),
            around=() if parent is None or within is None else (*parent.around, within),
        )

    def _control(self, element: _Element) -> None:
        if "form" in element.attributes:
            self.wrong.append((element.line, "a control names the form it belongs to instead of lying in it"))
        elif self.forms and any(around is self.forms[-1].element for around in self.open):
            self.forms[-1].controls.append(element)

    def _judge(self, element: _Element) -> None:
        if element.tag in _FORBIDDEN:
            self.wrong.append((element.line, f"<{element.tag}> is not for these pages"))
        if element.tag == "meta" and "http-equiv" in element.attributes:
            self.wrong.append((element.line, "<meta http-equiv> is not for these pages"))
        for name, value in element.attributes.items():
            if name.startswith("on"):
                self.wrong.append((element.line, "an attribute holds a script"))
            elif name == "style":
                self.wrong.append((element.line, "an attribute holds a style, which browsers are told to leave out"))
            elif name in _LOADED or (name == "href" and element.tag not in ("a", "area")):
                if not all(_is_here(part) for part in _addresses(name, value)):
                    self.wrong.append((element.line, "something is loaded from another host"))
            elif name == "href" and _scheme(value) not in _SCHEMES:
                self.wrong.append((element.line, "a link leads neither to a page nor to a mailbox nor to a telephone"))


def _addresses(name: str, value: str) -> list[str]:
    return [part.split()[0] for part in value.split(",") if part.strip()] if name == "srcset" else [value]


def _scheme(address: str) -> str:
    try:
        return urlsplit(address).scheme
    except ValueError:
        return "?"


def _is_here(address: str) -> bool:
    """
    Tell whether an address lies on this host. A browser takes a backslash for a stroke.
    """
    try:
        parts = urlsplit(address.strip().replace("\\", "/"))
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc


def _is_under(address: str, mount: str) -> bool:
    path = urlsplit(address).path if _is_here(address) else ""
    return path.startswith(f"{mount}/") and not {"..", "."} & set(path.replace("\\", "/").split("/"))


def findings(template: str, page: str, rules: Rules) -> tuple[Finding, ...]:
    """
    Return what is wrong with *page*, which came of *template*; nothing if it may be shown.
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    wrong = [
        *reader.wrong,
        *_frame(reader),
        *(finding for form in reader.forms for finding in _form(form, rules)),
        *_way_out(reader, rules),
        *_questions(reader, rules),
    ]
    return tuple(Finding(template=template, line=line, message=message) for line, message in wrong)


_Found: TypeAlias = Iterator[tuple[int, str]]


def _frame(reader: _Reader) -> _Found:
    if not reader.language.strip():
        yield 0, "the page does not say what language it is in: <html lang>"
    if not reader.title.strip():
        yield 0, "the page has no title"


def _form(form: _Form, rules: Rules) -> _Found:
    line = form.element.line
    if form.element.get("method").lower() != "post":
        yield line, "a form is not sent by POST"
    targets = [form.action, *(c.get("formaction") for c in form.controls if "formaction" in c.attributes)]
    if not all(_is_under(target, rules.mount) for target in targets):
        yield line, "a form is sent to somewhere else than these pages"
    if form.element.get("enctype").lower() not in ("", "application/x-www-form-urlencoded"):
        yield line, "a form is sent in a way in which these pages do not read it"
    if any(name in control.attributes for control in form.controls for name in ("formmethod", "formenctype")):
        yield line, "a button sends its form in another way than the form says"
    if rules.csrf is not None:
        held = [(control.kind, control.get("value"), control.disabled) for control in form.named(CSRF_FIELD)]
        if held != [("hidden", rules.csrf, False)]:
            yield line, f"a form does not hold the secret of the session, once and hidden: {CSRF_FIELD}"
    for control in form.controls:
        asked = any(control.get("name") == question.name for question in rules.questions)
        if "checked" in control.attributes and not asked:
            yield control.line, "something is ticked before anybody ticked it"


def _way_out(reader: _Reader, rules: Rules) -> _Found:
    if rules.stop is not None and not any(_stops(form, rules.stop) for form in reader.forms):
        yield 0, "there is no button, to be seen and pressed without anything to fill in, that stops everything"


def _stops(form: _Form, action: str) -> bool:
    buttons = [control for control in form.controls if control.submits]
    others = [control for control in form.controls if control not in buttons and control.kind != "hidden"]
    pressed = [button for button in buttons if button.seen and not button.disabled and button.named]
    return (
        form.action == action
        and form.element.seen
        and not others
        and any("formaction" not in button.attributes for button in pressed)
    )


def _questions(reader: _Reader, rules: Rules) -> _Found:
    for question in rules.questions:
        buttons = [control for form in reader.forms for control in form.named(question.name)]
        line = buttons[0].line if buttons else 0
        if sorted(button.get("value") for button in buttons) != sorted((question.yes, question.no)) or any(
            button.kind != "radio" for button in buttons
        ):
            yield line, "a question does not have just its two answers, as buttons of which one can be pressed"
            continue
        if any(not button.seen or button.disabled for button in buttons):
            yield line, "an answer cannot be seen or cannot be pressed"
        labels = [[label for label in reader.labels if label.get("for") == button.get("id")] for button in buttons]
        if not all(labels):
            yield line, "an answer has no label"
        elif buttons[0].looks != buttons[1].looks or _looks(labels[0]) != _looks(labels[1]):
            yield line, "yes and no do not look alike"
        pressed = [button.get("value") for button in buttons if "checked" in button.attributes]
        allowed = {None: [], True: [question.yes], False: [question.no]}[question.pressed]
        if pressed != allowed:
            yield line, "another answer is filled in than the one on record"


def _looks(labels: Sequence[_Element]) -> list[object]:
    return [label.looks for label in labels]
