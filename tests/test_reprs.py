"""
Nothing that is printed shows who a person is, or what opens their page.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from world import World, world

import optly
from optly import Act, Attachment, Channel, Context, Wording
from optly.messages import DeliveryEvent, DeliveryStatus, InboundMessage, Message, Receipt
from optly.portal import Request
from optly.protocols import MessageState
from optly.storage import MemoryStorage
from optly.testing.messages import code_in, stop_token_in

# What a field is called that holds something of a person, or a secret.
TELLING = frozenset(
    {
        *["address", "addresses", "email", "phone", "sender", "to", "also_from", "name", "names", "typed", "domain"],
        *["value", "normal", "values", "text", "html", "rest", "whole", "subject", "body", "content", "how", "why"],
        *["reply", "detail", "outcome", "browser", "payload", "personal", "pieces", "headers", "query", "path", "href"],
        *["secret", "salt", "salts", "token", "digits", "password", "openings", "reference", "accept", "old", "new"],
    }
)
# The same names for what is of the organisation or of ours, numbered, hashed or masked.
HARMLESS = {
    "Account.sender", "Anchored.name", "Asset.name", "Backend.name", "Communication.sender", "Contact.openings",
    "DetailsChanged.name", "Edition.name", "Input.name", "Kind.name", "Language.name", "LogFile.path", "Option.value",
    "Organisation.address", "Organisation.email", "Organisation.name", "Partner.name", "Problem.detail", "Rate.domain",
    "RecordedComplaint.reference", "Search.whole", "Sender.name", "SharedStanding.name", "Standing.name",
    "StoredComplaint.reference", "UndoneChange.new", "UndoneChange.old", "Wording.text", "_Arrival.name",
    "_Detail.name", "_Event.payload", "_Fact.name", "_Text.text",
}  # fmt: skip


def _classes() -> Iterator[type]:
    for module in pkgutil.walk_packages(optly.__path__, "optly."):
        if module.name.startswith(("optly.contrib.django", "optly.testing", "optly.demo")) or "__main__" in module.name:
            continue
        for _, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if cls.__module__ == module.name and attrs.has(cls):
                yield cls


CLASSES = sorted(set(_classes()), key=lambda cls: (cls.__module__, cls.__qualname__))


def test_a_field_of_a_person_is_not_printed(subtests: pytest.Subtests) -> None:
    """
    Whatever it is called, and whichever class it is in.
    """
    for cls in CLASSES:
        with subtests.test(f"{cls.__module__}.{cls.__qualname__}"):
            made = vars(cls).get("__repr__")
            if made is None or "attrs generated" not in made.__code__.co_filename:
                continue  # it prints itself in another way: see the next test
            shown = {
                f"{cls.__name__}.{field.name.lstrip('_')}"
                for field in attrs.fields(cls)
                # What is a value of ours prints itself, and is judged by itself.
                if field.repr
                and field.name.lstrip("_") in TELLING
                and re.search(r"\b(str|Any|object)\b", str(field.type))
            }
            assert shown - HARMLESS == set()


NAME, MAIL, PHONE, WORDS = "Zebedee Quagmire", "zebedee.quagmire@example.com", "+447911123456", "xylophone grudge"
NET, BROWSER, STREET = "203.0.113.77", "Mozilla/5.0 (Quagmire)", "77 Zebra Crossing, Leeds LS1 1AA"
SECRETS = (NAME, MAIL, "zebedee", PHONE, PHONE[3:], WORDS, NET, BROWSER, "77 Zebra")


def _telling(secrets: tuple[str, ...]) -> set[str]:
    """
    Return the classes of ours of which a living object shows one of these when it is printed.
    """
    found: set[str] = set()
    for thing in gc.get_objects():
        cls = type(thing)
        if re.match(r"optly\.(?!testing)", str(cls.__module__)):
            printed = f"{thing!r} {thing!s}"
            found.update(f"{cls.__name__}: {printed[:200]}" for secret in secrets if secret.lower() in printed.lower())
    return found


def test_nothing_alive_shows_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    While messages are composed and sent, while changes are committed, and afterwards.
    """
    found: set[str] = set()
    secrets: list[str] = [*SECRETS]

    class Storage(MemoryStorage):
        appended = 0

        def append(self, commits: Any) -> None:
            self.appended += 1
            if self.appended % 4 == 1:  # to look at everything alive takes a while
                found.update(_telling(tuple(secrets)))
            super().append(commits)

    w = world(Storage(), way_back=True)
    kept = w.emails.send

    def send(message: Message) -> Receipt:
        found.update(_telling(tuple(secrets)))
        return kept(message)

    monkeypatch.setattr(w.emails, "send", send)
    _live(w, secrets)
    found.update(_telling(tuple(secrets)))
    assert found == set()


def _live(w: World, secrets: list[str]) -> None:
    m = w.manager
    ada = m.add_contact(name=NAME, email=MAIL, phone=PHONE, address=STREET)
    message = w.ask(ada)
    code, token = code_in(message), stop_token_in(message)
    secrets += [code, token]
    context = Context(address=NET, browser=BROWSER)
    m.answer(code, {(Channel.EMAIL, "offers"): True}, context=context)
    m.record_consent(
        ada, channels=["post"], purposes=["news"], wording=Wording(text="May Acme Ltd send you our news by post?"),
        act=Act.TICKED_BOX, how=WORDS, at=w.clock(), context=context, accept=WORDS,
        attachments=[Attachment(name=WORDS, media_type="text/plain", content=WORDS.encode())],
    )  # fmt: skip
    m.send(ada, "email", "offers", WORDS)
    m.deliver()
    page = m.link(ada).rpartition("/")[2]
    secrets.append(page)
    opened = m.open(page)
    own = m.self_service
    own.complain(page, WORDS)
    m.record_complaint(MAIL, text=WORDS, how="letter", name=NAME)
    complaints = list(m.complaints())
    m.receive(InboundMessage(id="1", backend="m", channel=Channel.EMAIL, sender=MAIL, text=WORDS, at=w.clock()))
    m.receive(
        DeliveryEvent(
            id="2",
            backend="m",
            channel=Channel.EMAIL,
            status=DeliveryStatus.BOUNCED,
            to=MAIL,
            detail=WORDS,
            at=w.clock(),
        )
    )
    pages = m.portal()
    form = (("content-type", "application/x-www-form-urlencoded"), ("user-agent", BROWSER))
    shown = [
        pages.handle(Request(method=method, path=path, query=f"x={MAIL}", headers=form, body=body, remote_addr=NET))
        for method, path, body in (
            ("GET", f"/l/{page}", b""),
            ("POST", f"/l/{page}/code", b""),
            ("POST", "/new-link", f"address={MAIL}".encode()),
            ("POST", f"/u/{token}", b""),
        )
    ]
    m.deliver()
    pack = m.evidence(ada)
    alive = (
        opened,
        complaints,
        shown,
        pack,
        pack.timeline(),
        m.history(ada),
        m.standing(ada),
        m.outbox_messages(MessageState.ACCEPTED),
    )
    assert alive
