"""
A browser without a screen: it opens links, reads pages and sends the forms on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

import attrs

_SECONDS: Final = 10
_VOID: Final = frozenset({"input", "br", "hr", "img", "link", "meta", "base"})


@attrs.frozen(kw_only=True)
class Field:
    """
    Something on a form that is sent along.

    Attributes:
        question: What stands above the button, for a button that belongs to a question.
        label: What stands beside it.
    """

    name: str
    value: str
    kind: str
    checked: bool
    question: str
    label: str


@attrs.frozen(kw_only=True)
class Form:
    """
    A form, and where it is sent.
    """

    action: str = attrs.field(repr=False)
    fields: tuple[Field, ...]

    def fill_in(self, answers: Mapping[str, str]) -> Mapping[str, str]:
        """
        Return what the form sends when the button with the label is pressed under each question.

        Raises:
            LookupError: There is no such question, or no such answer to it, or more than one.
        """
        sent = {field.name: field.value for field in self.fields if field.kind == "hidden" or field.checked}
        for question, label in answers.items():
            buttons = [field for field in self.fields if (field.question, field.label) == (question, label)]
            if len(buttons) != 1:
                raise LookupError(f"{len(buttons)} buttons say {label!r} under {question!r}")
            sent[buttons[0].name] = buttons[0].value
        return sent


@attrs.frozen(kw_only=True)
class Page:
    """
    What came back.

    Attributes:
        cookie: What it has a browser keep, as a browser sends it back; empty for nothing.
        location: Where it sends a browser on; empty for nowhere.
    """

    url: str = attrs.field(repr=False)
    status: int
    text: str = attrs.field(repr=False)
    cookie: str = attrs.field(default="", repr=False)
    location: str = attrs.field(default="", repr=False)

    @property
    def words(self) -> str:
        """
        What is to be read on it.
        """
        return " ".join(_read(self.text).words.split())

    @property
    def links(self) -> tuple[str, ...]:
        return tuple(urljoin(self.url, link) for link in _read(self.text).links)

    @property
    def forms(self) -> tuple[Form, ...]:
        reader = _read(self.text)
        return tuple(
            Form(
                action=urljoin(self.url, action),
                fields=tuple(
                    Field(
                        name=facts.get("name") or "",
                        value=facts.get("value") or "",
                        kind=facts.get("type") or "text",
                        checked="checked" in facts,
                        question=" ".join(reader.legends[legend].split()) if legend is not None else "",
                        label=" ".join(reader.labels.get(facts.get("id") or "", "").split()),
                    )
                    for facts, legend in inputs
                ),
            )
            for action, inputs in reader.forms
        )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words = ""
        self.links: list[str] = []
        self.forms: list[tuple[str, list[tuple[dict[str, str | None], int | None]]]] = []
        self.legends: list[str] = []
        self.labels: dict[str, str] = {}
        self._inside: list[str] = []
        self._label = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        match tag:
            case "a" if href := facts.get("href"):
                self.links.append(href)
            case "form":
                self.forms.append((facts.get("action") or "", []))
            case "legend":
                self.legends.append("")
            case "label":
                self._label = facts.get("for") or ""
            case "input" if self.forms:
                legend = len(self.legends) - 1 if "fieldset" in self._inside else None
                self.forms[-1][1].append((facts, legend))
        if tag not in _VOID:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while tag in self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.words += data
        if "legend" in self._inside:
            self.legends[-1] += data
        if "label" in self._inside:
            self.labels[self._label] = self.labels.get(self._label, "") + data


def _read(text: str) -> _Reader:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader


def read(html: str, url: str = "") -> Page:
    """
    Read HTML that came by another way than the web.
    """
    return Page(url=url, status=200, text=html)


def get(url: str, cookie: str = "") -> Page:
    """
    Open a link.
    """
    return _ask("GET", url, headers={"Cookie": cookie} if cookie else None)


def head(url: str) -> Page:
    """
    Look at a link without opening it, as scanners in front of a mailbox do.
    """
    return _ask("HEAD", url)


def send(form: Form, fields: Mapping[str, str], cookie: str = "") -> Page:
    """
    Send a form, as a browser does from the page it stands on.
    """
    parts = urlsplit(form.action)
    headers = {"Origin": f"{parts.scheme}://{parts.netloc}", "Sec-Fetch-Site": "same-origin"}
    return _ask("POST", form.action, fields, {**headers, "Cookie": cookie} if cookie else headers)


def one_click(url: str) -> Page:
    """
    Do what a mail program does when its own button for stopping is pressed.

    Source: RFC 8058 section 3.1.
    """
    return _ask("POST", url, {"List-Unsubscribe": "One-Click"})


def _ask(
    method: str, url: str, fields: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Page:
    # Not urllib, which would go through whatever proxy the environment names.
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=_SECONDS)
    form = {} if fields is None else {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        body = None if fields is None else urlencode(fields)
        connection.request(method, parts.path, body, {**form, **(headers or {})})
        response = connection.getresponse()
        return Page(
            url=url,
            status=response.status,
            text=response.read().decode("utf-8", "replace"),
            cookie=response.getheader("Set-Cookie", "").partition(";")[0],
            location=urljoin(url, response.getheader("Location", "")),
        )
    finally:
        connection.close()
