"""
The one-time codes, sessions and links that a contact gets, and what is on record at the end of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Barrier

import attrs
from world import World, world

from optly import Channel, Contact, EmailAddress
from optly.contacts.addresses import AddressKind
from optly.errors import LinkError, LinkInvalidError, TooManyTriesError, WrongDigitsError
from optly.messages import Message
from optly.protocols import Storage
from optly.record.events import LineAdded, LinkKind
from optly.testing.messages import code_in
from optly.testing.storage import Opener

NEW, NEWER = "ada@elsewhere.example.com", "ada@third.example.com"


def digits_in(outbox: Sequence[Message]) -> list[str]:
    """
    Return the one-time codes in messages, in their order.
    """
    return [digits for message in outbox for digits in re.findall(r"\b\d{6}\b", message.text)]


def latest_digits(w: World, via: Channel = Channel.EMAIL) -> str:
    """
    Deliver, and return the one-time code that went out last.
    """
    w.manager.deliver()
    return digits_in(w.emails.outbox if via is Channel.EMAIL else w.texts.outbox)[-1]


def link_of(w: World, contact: Contact, via: Channel = Channel.EMAIL) -> str:
    return w.manager.link(contact, via).rpartition("/")[2]


def raised(w: World, code: str, via: Channel = Channel.EMAIL) -> str:
    """
    Go through the one-time code and return the raised session.
    """
    session = w.manager.self_service.request_code(code)
    return w.manager.self_service.step_up(session, latest_digits(w, via))


def moved(w: World, session: str, to: str) -> str:
    """
    Prove a new email address, and return the session that goes on.
    """
    w.manager.self_service.propose(session, EmailAddress.parse(to))
    return w.manager.self_service.prove(session, AddressKind.EMAIL, latest_digits(w))


def undo_of(w: World, to: str) -> str:
    """
    Deliver, and return the code of the latest link to an address that undoes something.
    """
    w.manager.deliver()
    codes = [code_in(message) for message in w.emails.outbox if message.to == to and "/l/" in message.text]
    return [code for code in codes if _undoes(w, code)][-1]


def _undoes(w: World, code: str) -> bool:
    try:
        return w.manager.open(code).kind is LinkKind.UNDO
    except LinkError:
        return False


def lines(w: World, contact: Contact) -> tuple[str, ...]:
    """
    Return the addresses on record.
    """
    added = [event for event in w.manager.history(contact) if isinstance(event, LineAdded)]
    values = {event.line: event.personal[f"line_{event.line}"] for event in added}
    return tuple(values[number] for number in w.manager.standing(contact).present())


def everything_in(storage: Storage) -> str:
    """
    Return all that the store in memory holds, as text: what is bytes, read as letters and as hexadecimal digits.
    """
    return "\n".join(_told(storage._state))  # type: ignore[attr-defined]


def _told(value: object) -> Iterator[str]:
    if isinstance(value, bytes):
        yield value.decode("latin-1")
        yield value.hex()
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _told(key)
            yield from _told(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _told(each)
    elif attrs.has(kind := type(value)):
        for field in attrs.fields(kind):
            yield from _told(getattr(value, field.name))
    else:
        yield str(value)


def try_digits(opener: Opener, session: str, codes: list[str], barrier: Barrier | None) -> list[str]:
    """
    Try one code after another, and return what came of each.
    """
    with world(opener()).manager as manager:
        if barrier is not None:
            barrier.wait(20)
        return [tried(manager.self_service.step_up, session, digits) for digits in codes]


def tried(step_up: Callable[[str, str], str], session: str, digits: str) -> str:
    """
    Try a code and return what came of it: the name of an error, or that the session is raised.
    """
    try:
        step_up(session, digits)
    except (WrongDigitsError, TooManyTriesError, LinkInvalidError) as error:
        return type(error).__name__
    return "raised"
