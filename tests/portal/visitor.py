"""
A person with a browser, and an organisation that asks them for consent. What the tests of the portal share.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

import attrs
from portal.sessions import digits_in
from world import PURPOSES, World, world

from optly import Channel, ConsentManager, Contact, Purpose, Wording
from optly.portal import Portal, Response
from optly.testing import browser
from optly.testing.browser import Browser
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

BOB, BOBS_PHONE = "bob@example.com", "+447911123457"


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


@attrs.frozen
class Page:
    """
    A page as a browser reads it.
    """

    shown: browser.Page

    @property
    def response(self) -> Response:
        return Response(status=HTTPStatus(self.shown.status), headers=self.shown.headers, body=self.shown.body)

    @property
    def text(self) -> str:
        return self.shown.text

    @property
    def status(self) -> int:
        return self.shown.status

    @property
    def title(self) -> str:
        assert self.shown.title
        return self.shown.title

    def headers(self, name: str) -> list[str]:
        """
        Return every value of a header.
        """
        return list(self.shown.values(name))

    @property
    def tags(self) -> set[str]:
        return set(re.findall(r"<([a-z0-9]+)", self.text))

    @property
    def actions(self) -> list[str]:
        return [form.action.removeprefix(ORIGIN) for form in self.shown.forms]

    def _form(self, action: str) -> browser.Form:
        form = self.shown.form(action=action)
        assert form.attributes["method"] == "post"
        return form

    def fields(self, action: str) -> list[Mapping[str, str]]:
        """
        Return the inputs of the form that is sent to *action*, as they stand in the page.
        """
        return [field.attributes for field in self._form(action).fields]

    def filled_in(self, action: str, answers: Mapping[str, bool]) -> dict[str, str]:
        """
        Return what the form sends when the buttons of *answers* are pressed, by field name.
        """
        form = self._form(action)
        values = {field.attributes.get("id"): field.value for field in form.fields}
        chosen = {name: values[f"{name}-{'yes' if yes else 'no'}"] for name, yes in answers.items()}
        return dict(parse_qsl(form.fill_in(chosen).submission()[2].decode(), keep_blank_values=True))


@attrs.frozen
class Visitor:
    """
    Requests pages of a portal and presses the buttons on them, as a browser that says where a form came from. Sends no
    other header that a test does not name. Keeps cookies until they are taken back.
    """

    portal: Portal
    mount: str = "/my"
    cookies: dict[str, str] = attrs.field(factory=dict)

    def ask(self, method: str, path: str, *headers: tuple[str, str], body: bytes = b"") -> Page:
        """
        Send any request and keep the cookies of the response.
        """
        place, query, rest = path.partition("?")
        visiting = Browser.over_handle(self.portal.handle, ORIGIN + self.mount)
        visiting.cookies = self.cookies
        return Page(visiting.ask(method, self.mount + quote(place) + query + rest, headers, body))

    def get(self, path: str, *headers: tuple[str, str]) -> Page:
        return self.ask("GET", path, *headers)

    def post(self, path: str, body: bytes | Mapping[str, str] = b"", *headers: tuple[str, str]) -> Page:
        """
        Send a form, and go where that leads.
        """
        return self.follow(self.send(path, body, *headers))

    def send(self, path: str, body: bytes | Mapping[str, str] = b"", *headers: tuple[str, str]) -> Page:
        """
        Send a form and return the response to it.
        """
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
        return self.post(path, {**page.filled_in(self.mount + path, {}), **typed}, *FROM_HERE)

    def follow(self, page: Page) -> Page:
        """
        Go where a response leads.
        """
        while page.status == HTTPStatus.SEE_OTHER:
            path, *query = page.shown.location.removeprefix(ORIGIN + self.mount).partition("?")
            page = self.get(unquote(path) + "".join(query))
        return page


def pending(acme: Acme, visitor: Visitor, contact: Contact | None = None) -> Page:
    """
    Come by a MyOptly link and ask for a one-time code.
    """
    code = acme.manager.link(contact or acme.ada).rpartition("/")[2]
    return visitor.press(visitor.get(f"/l/{code}/code"), f"/l/{code}/code")


def sign_in(acme: Acme, visitor: Visitor, contact: Contact | None = None) -> Page:
    """
    Type it in, too.
    """
    page = pending(acme, visitor, contact)
    acme.manager.deliver()
    return visitor.press(page, "/me/code", digits=digits_in(acme.world.emails.outbox)[-1])


def add_bob(acme: Acme) -> Contact:
    return acme.world.add(name="Bob Babbage", email=BOB, phone=BOBS_PHONE)
