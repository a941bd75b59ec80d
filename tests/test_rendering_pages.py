"""
A person whose language is not English reads no English on any page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

import attrs
from brackets import unbracketed
from world import EMAIL, PURPOSES, World, world

from optly import Channel
from optly.locale.i18n import language_name, languages
from optly.portal import Portal, Request
from optly.portal.choices import yes_to
from optly.portal.done import Act
from optly.testing.messages import code_in

MOUNT = "/my"


class Read(HTMLParser):
    """
    What a page says, where it leads, and what it lets one send.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []
        self.forms: list[tuple[str, dict[str, str]]] = []
        self._silent = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        self._silent = tag == "style"
        self.text += "".join(f" {facts[name]}" for name in ("aria-label", "alt", "placeholder") if name in facts)
        if tag == "a":
            self.links.append(facts["href"])
        elif tag == "form":
            self.forms.append((facts["action"], {}))
        elif tag in ("input", "select", "textarea") and (facts.get("type") != "radio" or "checked" in facts):
            self.forms[-1][1][facts["name"]] = facts.get("value", "")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text += data


REFERENCE = re.compile(r"CMP-[0-9A-Z-]+")


@attrs.define
class Person:
    """
    Somebody with a browser that keeps cookies, who reads every page they are shown.
    """

    portal: Portal
    facts: tuple[str, ...]
    read: set[str] = attrs.field(factory=set)
    cookies: dict[str, str] = attrs.field(factory=dict)

    def send(self, method: str, path: str, form: Mapping[str, str] = {}) -> Read:
        """
        Send a request, follow where it leads, and read what comes.
        """
        parts = urlsplit(path)
        headers = [("sec-fetch-site", "same-origin"), ("accept-language", "ar")]
        headers += [("cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))]
        headers += [("content-type", "application/x-www-form-urlencoded")] if method == "POST" else []
        response = self.portal.handle(
            Request(
                method=method,
                path=parts.path.removeprefix(MOUNT),
                query=parts.query,
                headers=tuple(headers),
                body=urlencode(form).encode() if method == "POST" else b"",
            )
        )
        for name, value in response.headers:
            if name == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        location = dict(response.headers).get("location")
        if location:
            return self.send("GET", urljoin(path, location))
        page = Read(response.body.decode())
        self.check(path, page.text)
        return page

    def check(self, path: str, text: str) -> None:
        self.read.add(path)
        references = REFERENCE.findall(text)
        assert "" == unbracketed(text, (*self.facts, *references)), (path, text)

    def look_around(self, path: str) -> list[tuple[str, dict[str, str]]]:
        """
        Follow every link that leads on from *path*, and return the forms there are.
        """
        ahead, seen, forms = [path], set[str](), dict[str, dict[str, str]]()
        while ahead:
            here = ahead.pop()
            if here in seen or not here.startswith(MOUNT) or "lang=" in here:
                continue
            seen.add(here)
            page = self.send("GET", here)
            ahead += [urljoin(here, link).partition("#")[0] for link in page.links if not link.startswith("mailto:")]
            forms |= dict(page.forms)
        return list(forms.items())


def facts(made: World) -> tuple[str, ...]:
    """
    Return what stands on a page whatever its language.
    """
    organisation = made.manager.organisation
    wordings = [purpose.wording(organisation, channel) for purpose in PURPOSES for channel in Channel]
    return (
        *{text for wording in wordings for text in (wording.text, wording.hint, wording.yes, wording.no)},
        *[purpose.title for purpose in PURPOSES],
        *[language_name(tag) for tag in languages(made.manager.catalogues)],
        *(organisation.name, organisation.address, organisation.freephone, organisation.email, "MyOptly"),
        *(EMAIL, "a•••@e•••.com", "b•••@e•••.com", "+447911123456", "Ada Lovelace"),
    )


def steps(forms: Iterable[tuple[str, dict[str, str]]]) -> list[tuple[str, dict[str, str]]]:
    """
    Return the forms in an order in which each can be sent: what ends everything comes last.
    """
    last = ("/stop", "/undo", "/finish")
    return sorted(
        forms, key=lambda form: next((place for place, end in enumerate(last, 1) if form[0].endswith(end)), 0)
    )


def test_no_page_says_a_word_that_is_in_no_catalogue(bracketed: tuple[Path, ...]) -> None:
    """
    Behind a link, in a session, by a stop link and before anybody is known; in order, in error and at the end.
    """
    made = world(catalogues=bracketed)
    contact = made.add(language="ar")
    person = Person(made.manager.portal(), facts(made))
    bo = made.add(language="ar", name="Bo", email="bo@example.com", phone="+447911123457")
    hasty = f"{MOUNT}/l/{code_in(made.ask(bo))}"
    yes = yes_to(PURPOSES[0].wording(made.manager.organisation, Channel.EMAIL))
    person.send("POST", hasty, {"email-offers": yes, "sms-offers": "no"})
    for _ in range(2):
        person.send("POST", f"{hasty}/confirm")
        made.later(timedelta(minutes=5))
    stop = f"{MOUNT}/l/{made.manager.link(bo).rpartition('/')[2]}/stop"
    for path, form in person.send("POST", stop).forms:
        person.send("POST", path, form)

    question = code_in(made.ask(contact))
    made.later(timedelta(hours=1))
    link = f"{MOUNT}/l/{question}"
    person.send("GET", link)
    for form in (
        {},
        {"email-offers": "yes-0123456789abcdef", "sms-offers": "x"},
        {"email-offers": "no", "sms-offers": "no"},
    ):
        person.send("POST", link, form)
    person.send("GET", link)

    manage = f"{MOUNT}/l/" + made.manager.link(contact).rpartition("/")[2]
    for path, form in steps(person.look_around(manage)):
        person.send("POST", path, form)
        person.send("POST", path)
        person.look_around(manage)

    person.send("POST", f"{manage}/code")
    made.manager.deliver()
    found = [re.search(r"^    ([0-9]{6})$", message.text, re.M) for message in made.emails.outbox]
    digits = next(match[1] for match in reversed(found) if match)
    (path, form) = next(form for form in person.send("GET", f"{MOUNT}/me/code").forms if "digits" in form[1])
    person.send("POST", path, form | {"digits": "000000" if digits != "000000" else "111111"})
    person.send("POST", path, form | {"digits": digits})
    for path, form in steps(person.look_around(f"{MOUNT}/me/details")):
        for filled in (form, {"csrf": form.get("csrf", "")} | {name: "?" for name in form if name != "csrf"}):
            person.send("POST", path, filled)
        person.look_around(f"{MOUNT}/me/details")

    token = made.manager.unsubscribe_headers(contact, "offers")["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    for path, form in person.look_around(f"{MOUNT}/u/{token}"):
        person.send("POST", path, form)
        person.send("POST", path)
    for path, form in person.look_around(f"{MOUNT}/new-link"):
        for typed in ("", "?", EMAIL):
            person.send("POST", path, form | {"address": typed})
    for path in ("", "/nothing", "/l/unknown", "/u/unknown", "/me/details", "/help"):
        person.send("GET", MOUNT + path)
    person.send("POST", f"{MOUNT}/help")
    shown = {path.partition("?")[0].rpartition("/")[2] for path in person.read}
    assert {"confirm", "stop", "complaint", "code", "details", "email", "language", "history", "copy"} <= shown
    assert {act.value for act in Act} == {act for path in person.read for act in re.findall(r"done=([a-z]+)~", path)}
