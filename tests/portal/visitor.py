"""
Somebody with a browser, and an organisation that asks them. What the tests of the portal share.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import timedelta
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import attrs
from world import PURPOSES, World, world

from optly import Channel, ConsentManager, Contact, Purpose, Wording
from optly.portal import Portal, Request, Response
from optly.testing.messages import code_in

ORIGIN = "https://acme.example.com"
FORM = ("content-type", "application/x-www-form-urlencoded")
FROM_HERE = (("sec-fetch-site", "same-origin"), ("origin", ORIGIN))
ONE_CLICK = b"List-Unsubscribe=One-Click"
# What every response carries.
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "strict-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "x-robots-tag": "noindex, nofollow, noarchive",
}
WELSH = Wording(text="A gaiff Acme Ltd anfon cynigion atoch drwy e-bost?", yes="Cewch", no="Na chewch", language="cy")


@attrs.frozen
class Acme:
    """
    An organisation with one purpose, one contact of it, and the links they were sent.
    """

    world: World
    ada: Contact

    @classmethod
    def open(cls, base_url: str = f"{ORIGIN}/my", *, purposes: Sequence[Purpose] = PURPOSES[:1]) -> Acme:
        made = world(base_url=base_url, purposes=purposes)
        return cls(made, made.add())

    @property
    def manager(self) -> ConsentManager:
        return self.world.manager

    def later(self, **by: float) -> None:
        """
        Let time pass.
        """
        self.world.later(timedelta(**by))

    def ask(self, *channels: Channel) -> str:
        """
        Ask a question by email and return the code in the message.
        """
        return code_in(self.world.ask(self.ada, channels=channels or (Channel.EMAIL, Channel.SMS)))

    def myoptly(self) -> str:
        """
        Return the code of a MyOptly link.
        """
        return self.manager.link(self.ada).rpartition("/")[2]

    def token(self, purpose: str | None = None) -> str:
        """
        Return the token of a stop link.
        """
        header = self.manager.unsubscribe_headers(self.ada, purpose)["List-Unsubscribe"]
        return header.strip("<>").rpartition("/")[2]

    def answers(self) -> Mapping[tuple[Channel, str], bool | None]:
        """
        Return what is on record.
        """
        return {item.key: item.answer for item in self.manager.open(self.myoptly()).items}

    def record(self) -> Any:
        """
        Return a copy of everything that is stored, but for what counts how often something was tried.
        """
        state = deepcopy(self.world.storage._state)  # type: ignore[attr-defined]
        state.counters.clear()
        return state


class _Reader(HTMLParser):
    """
    Collects the forms of a page.
    """

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, list[dict[str, str | None]]]] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        facts = dict(attrs)
        if tag == "form":
            assert facts["method"] == "post"
            self.forms.append((facts["action"] or "", []))
        if tag == "input":
            self.forms[-1][1].append(facts)


@attrs.frozen
class Page:
    """
    A page as a browser reads it.
    """

    response: Response

    @property
    def text(self) -> str:
        return self.response.body.decode()

    @property
    def status(self) -> int:
        return self.response.status

    def headers(self, name: str) -> list[str]:
        """
        Return every value of a header.
        """
        return [value for key, value in self.response.headers if key == name]

    @property
    def title(self) -> str:
        found = re.search("<title>(.*?)</title>", self.text)
        assert found
        return found[1]

    def _read(self) -> _Reader:
        reader = _Reader()
        reader.feed(self.text)
        reader.close()
        return reader

    @property
    def tags(self) -> set[str]:
        return set(self._read().tags)

    @property
    def actions(self) -> list[str]:
        return [action for action, _ in self._read().forms]

    def fields(self, action: str) -> list[dict[str, str | None]]:
        """
        Return the inputs of the form that is sent to *action*.
        """
        return dict(self._read().forms)[action]

    def filled_in(self, action: str, answers: Mapping[str, bool]) -> dict[str, str]:
        """
        Return what the form sends when the buttons of *answers* are pressed, by field name.
        """
        inputs = self.fields(action)
        sent = {
            field["name"]: field["value"] for field in inputs if field.get("type") == "hidden" or "checked" in field
        }
        by_id = {field["id"]: field for field in inputs if "id" in field}
        for name, yes in answers.items():
            sent[name] = by_id[f"{name}-{'yes' if yes else 'no'}"]["value"]
        return {str(name): str(value) for name, value in sent.items()}


@attrs.frozen
class Visitor:
    """
    Asks a portal for pages and presses the buttons on them, as a browser does that says where a form came from. Keeps
    cookies until they are taken back.
    """

    portal: Portal
    mount: str = "/my"
    cookies: dict[str, str] = attrs.field(factory=dict)

    def ask(self, method: str, path: str, *headers: tuple[str, str], body: bytes = b"") -> Page:
        """
        Send any request and keep the cookies of the response.
        """
        if self.cookies:
            headers = (*headers, ("cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        place, _, query = path.partition("?")
        page = Page(self.portal.handle(Request(method=method, path=place, query=query, headers=headers, body=body)))
        for cookie in page.headers("set-cookie"):
            pair, *attributes = cookie.split("; ")
            name, _, value = pair.partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in attributes:
                del self.cookies[name]
        return page

    def get(self, path: str, *headers: tuple[str, str]) -> Page:
        return self.ask("GET", path, *headers)

    def post(self, path: str, body: bytes | Mapping[str, str] = b"", *headers: tuple[str, str]) -> Page:
        if not isinstance(body, bytes):
            body = urlencode(body).encode()
        if not any(name == "content-type" for name, _ in headers):
            headers = (FORM, *headers)
        return self.ask("POST", path, *headers, body=body)

    def submit(self, path: str, answers: Mapping[str, bool]) -> Page:
        """
        Open the page at *path*, press the buttons of *answers* and save.
        """
        sent = self.get(path).filled_in(self.mount + path, answers)
        return self.post(path, sent, *FROM_HERE)

    def press(self, page: Page, path: str, **typed: str) -> Page:
        """
        Type something in on a page, press the button of the form that is sent to *path*, and go where that leads.
        """
        return self.follow(self.post(path, {**page.filled_in(self.mount + path, {}), **typed}, *FROM_HERE))

    def follow(self, page: Page) -> Page:
        """
        Go where a response leads.
        """
        while page.status == HTTPStatus.SEE_OTHER:
            (location,) = page.headers("location")
            page = self.get(location.removeprefix(self.mount))
        return page
