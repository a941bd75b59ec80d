"""
Every wrong argument of a public call, and every wrong field of a public value, is answered in our own words.
"""

from __future__ import annotations

import asyncio
import enum
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache
from types import ModuleType
from typing import Any, ClassVar
from uuid import UUID

import attrs
import pytest
from world import ACME, EMAIL, EMAIL_OFFERS, KEYS, PHONE, PURPOSES, World, awaited, world

import optly
from optly import (
    Act,
    Channel,
    ConsentManager,
    EmailAddress,
    Engagement,
    OptlyError,
    Solicited,
    Subscriber,
    Wording,
    messages,
    rules,
    typed,
)
from optly.backends import MemoryBackend
from optly.contacts import Contact
from optly.errors import InvalidValueError, NaiveDatetimeError, UnknownContactError, UsageError
from optly.messages import DeliveryEvent, Message, Outcome, Receipt, pacing
from optly.portal.settings import PortalSettings
from optly.protocols import MessageState
from optly.record import events
from optly.self_service import Person, SelfService
from optly.storage import MemoryStorage

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
NO_ID = "0" * 32


class Marked(str):
    """
    A text as a framework marks it, which answers str() with itself.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return self


class Theirs(enum.StrEnum):
    """
    A host's own enumeration.
    """

    OURS = "individual"
    OTHER = "limited company"


class Anything:
    """
    Takes whatever it is called with.
    """

    def __init__(self, *_: object) -> None: ...


class Stamp(datetime):
    """
    An instant as a table of data, or a frozen clock, gives it.
    """


EAST, WEST = timezone(timedelta(hours=23)), timezone(timedelta(hours=-23))

# What a form, a CSV file, a column or a slip of the hand gives. The last of them is right nowhere.
NOTHING = object()
WRONG: list[Any] = [
    None, True, 1, 0, -1, 10**30, 1.5, "", "yes", "no", " ", "no such thing", Theirs.OTHER, b"bytes",
    bytearray(b"bytes"), ["a text"], [None], [1], {"a": "dict"}, {1: 2}, {("email", "offers"): "yes"},
    {("email", "offers")}, (1, 2, 3), AT.replace(tzinfo=None), datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC), date.min, date.max,
    datetime.max.replace(tzinfo=WEST), datetime.min.replace(tzinfo=EAST), datetime(1900, 1, 1, tzinfo=EAST),
    datetime(2500, 1, 1, tzinfo=UTC),
    datetime(2999, 12, 31, 23, 59, tzinfo=WEST), Stamp(2026, 11, 20, 12), date(2026, 11, 20),
    timedelta.max, timedelta.min, "\ud800", "half \udfff@example.com", "a NUL \0", "a" + "\u0301" * 30_000,
    "x" * 10_000_000, EMAIL, EMAIL.encode(), PHONE, NO_ID, UUID(NO_ID), Contact(NO_ID), str, Anything,
    lambda *_: None, NOTHING,
]  # fmt: skip


class Watched(MemoryStorage):
    """
    Says how often it was changed.
    """

    changes = 0

    def _changed(self, operation: str, *args: Any) -> None:
        self.changes += 1


# The right arguments, by name, and those that have another meaning in one call.
RIGHT: Mapping[str, Callable[[World, Contact], Any]] = {
    "actor": lambda w, ada: "staff",
    "act": lambda w, ada: Act.TICKED_BOX,
    "address": lambda w, ada: EMAIL,
    "addresses": lambda w, ada: [EMAIL],
    "answers": lambda w, ada: {EMAIL_OFFERS: True},
    "at": lambda w, ada: w.clock() - timedelta(days=1),
    "campaign": lambda w, ada: "spring",
    "channel": lambda w, ada: "email",
    "channels": lambda w, ada: ["email"],
    "code": lambda w, ada: w.manager.link(ada).rpartition("/")[2],
    "complaint": lambda w, ada: "CMP-7K4D-2M",
    "connection": lambda w, ada: object(),
    "contact": lambda w, ada: ada,
    "contacts": lambda w, ada: [ada],
    "content": lambda w, ada: "Hello",
    "digits": lambda w, ada: "123456",
    "domain": lambda w, ada: "firm.example.com",
    "email": lambda w, ada: EMAIL,
    "engagement": lambda w, ada: Engagement.SUPPORT,
    "event": lambda w, ada: DeliveryEvent(id="1", backend="m", channel="email", status="delivered", to=EMAIL, at=AT),  # type: ignore[arg-type]
    "goods": lambda w, ada: "bicycles",
    "how": lambda w, ada: "paper form",
    "kind": lambda w, ada: "email",
    "message": lambda w, ada: NO_ID,
    "purpose": lambda w, ada: "offers",
    "purposes": lambda w, ada: ["offers"],
    "reference": lambda w, ada: "customer 7",
    "refusal_offered": lambda w, ada: True,
    "sent": lambda w, ada: True,
    "session": lambda w, ada: "0" * 26,
    "similar_purposes": lambda w, ada: ["offers"],
    "state": lambda w, ada: MessageState.QUEUED,
    "text": lambda w, ada: "You wrote to me again.",
    "ticked": lambda w, ada: [("email", "offers")],
    "token": lambda w, ada: "0" * 26,
    "via": lambda w, ada: "email",
    "who": lambda w, ada: ada,
    "wording": lambda w, ada: Wording(text="May Acme Ltd email you about offers?"),
}
APART: Mapping[tuple[str, str], Callable[[World, Contact], Any]] = {
    ("outbox_messages", "state"): lambda w, ada: MessageState.QUEUED,
    ("check", "kind"): lambda w, ada: "marketing",
    ("screen", "kind"): lambda w, ada: "marketing",
    ("verdicts", "kind"): lambda w, ada: "marketing",
    ("record_communication", "kind"): lambda w, ada: "marketing",
    ("propose", "address"): lambda w, ada: EmailAddress.parse("new@example.com"),
}


def _public(cls: type) -> Iterator[str]:
    for name, _ in inspect.getmembers(cls, inspect.isfunction):
        if not name.startswith("_") and name not in ("close", "portal"):
            yield name


def _faces() -> list[tuple[type, str]]:
    return [(cls, name) for cls in (ConsentManager, SelfService, Person) for name in _public(cls)]


@cache
def _arguments(cls: type, name: str) -> list[inspect.Parameter]:
    return [*inspect.signature(getattr(cls, name)).parameters.values()][1:]


def _given(w: World, ada: Contact, cls: type, name: str) -> dict[str, Any]:
    given = {}
    for parameter in _arguments(cls, name):
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            right = APART.get((name, parameter.name)) or RIGHT[parameter.name]
            given[parameter.name] = right(w, ada)
    return given


def _face(w: World, ada: Contact, cls: type) -> Any:
    if cls is ConsentManager:
        return w.manager
    own = w.manager.self_service
    return own if cls is SelfService else own.enter(w.manager.link(ada).rpartition("/")[2])


def _asked() -> tuple[World, Contact]:
    w = world(Watched())
    ada = w.add()
    w.ask(ada)
    return w, ada


def _refusal(call: Callable[[], object]) -> OptlyError | None:
    """
    Return the refusal that a call ends in, or None; any other error is a failure, and so is one that shows a value.
    """
    try:
        call()
    except OptlyError as error:
        refusal = error
    else:
        return None
    assert not any(given in f"{refusal} {refusal!r}" for given in (EMAIL, "no such thing", "limited company"))
    return refusal


def _call(face: Any, name: str, given: dict[str, Any]) -> None:
    """
    Make a call, and read what it returns to the end.
    """
    found = getattr(face, name)(**given)
    if isinstance(found, Iterator):
        list(found)


@pytest.mark.parametrize(("cls", "name"), _faces(), ids=lambda it: it if isinstance(it, str) else it.__name__)
def test_a_wrong_argument_is_answered_in_our_own_words(cls: type, name: str) -> None:
    """
    No call with any value that is wrong for one of its arguments ends in an error from the inside, and one that is
    refused changes nothing.
    """
    w, ada = _asked()
    face = _face(w, ada, cls)
    for parameter in _arguments(cls, name):
        facts = parameter.kind is parameter.VAR_KEYWORD
        for argument in typing.get_type_hints(rules.Facts) if facts else [parameter.name]:
            for value in WRONG:
                if argument == "report" and callable(value):
                    continue  # a function of the host's, and what it raises is the host's
                given = {**_given(w, ada, cls, name), argument: value}
                before = w.storage.changes  # type: ignore[attr-defined]
                refusal = _refusal(lambda: _call(face, name, given))  # noqa: B023
                assert value is not NOTHING or refusal, argument
                if isinstance(refusal, InvalidValueError):
                    assert argument in str(refusal) or "contact" in str(refusal)
                assert refusal is None or w.storage.changes == before, argument  # type: ignore[attr-defined]
    assert w.manager.verify()


@pytest.mark.parametrize(("cls", "name"), _faces(), ids=lambda it: it if isinstance(it, str) else it.__name__)
def test_an_argument_that_there_is_not_is_said(cls: type, name: str) -> None:
    """
    It is named, and nothing is done.
    """
    w, ada = _asked()
    face = _face(w, ada, cls)
    with pytest.raises((TypeError, UsageError), match="adress"):
        _call(face, name, {**_given(w, ada, cls, name), "adress": EMAIL})


SETTINGS: dict[str, Any] = {
    "organisation": ACME,
    "purposes": PURPOSES,
    "storage": MemoryStorage(),
    "keys": KEYS,
    "base_url": "https://acme.example.com/my",
}


@pytest.mark.parametrize("name", [parameter.name for parameter in _arguments(ConsentManager, "__init__")])
def test_a_wrong_setting_is_answered_in_our_own_words(name: str) -> None:
    """
    A key instead of keys, a URL instead of a store, the name of a purpose instead of a purpose.
    """
    for value in [*WRONG, "sqlite:///x", ["offers"], [MemoryBackend], MemoryBackend(channel=Channel.EMAIL), ACME, KEYS]:
        refusal = _refusal(lambda: ConsentManager(**{**SETTINGS, name: value}))  # noqa: B023
        assert value is not NOTHING or refusal


@pytest.mark.parametrize("name", PortalSettings.__annotations__)
def test_a_wrong_setting_of_the_pages_is_answered_in_our_own_words(name: str) -> None:
    """
    Minutes instead of a length of time, a colour instead of a theme.
    """
    w = world()
    for value in [*WRONG, 60, "blue", "1"]:
        refusal = _refusal(lambda: w.manager.portal(**{name: value}))  # noqa: B023
        assert value is not NOTHING or isinstance(refusal, InvalidValueError)


def test_a_backend_may_name_its_channel() -> None:
    """
    What is queued for it is sent.
    """

    class Own:
        name, channel = "own", "email"
        outbox: ClassVar[list[Message]] = []

        def send(self, message: Message) -> Receipt:
            self.outbox.append(message)
            return Receipt(outcome=Outcome.ACCEPTED)

        def close(self) -> None: ...

    w, backend = world(), Own()
    manager = ConsentManager(**{**SETTINGS, "storage": MemoryStorage(), "backends": [backend], "clock": w.clock})
    ada = manager.add_contact(email=EMAIL, subscriber=Subscriber.COMPANY)
    manager.send(ada, "email", "offers", "Hello")
    manager.deliver()
    assert len(backend.outbox) == 1


def _values(*modules: ModuleType) -> list[type]:
    found = {
        value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value) and attrs.has(value) and not name.startswith("_")
    }
    return sorted(found, key=lambda cls: cls.__qualname__)


# What a host may make. What the gate makes for every address of a list, and what follows from the record, is made by
# us, of what was read here.
OURS = ("Communication", "Decision")
VALUES = [
    cls
    for cls in _values(optly, optly.contacts, messages, pacing, events, rules)
    if cls.__module__.startswith(("optly.contacts", "optly.keys", "optly.messages", "optly.record", "optly.rules.comm"))
    and cls.__name__ not in OURS
]

# Fields that are right, of values that judge more than types.
EXAMPLES: Mapping[str, dict[str, Any]] = {
    "Contact": {"id": NO_ID},
    "PhoneNumber": {"value": PHONE},
    "Organisation": {"key": "acme", "name": "Acme", "address": "Leeds"},
    "Purpose": {"key": "offers", "title": "Offers"},
    "Keys": {"current": "a key that is only used in tests"},
    "Rate": {"limit": 1, "channel": "email"},
    "QuietHours": {"start": time(22), "end": time(7)},
}
SIMPLE: Mapping[type, Any] = {
    str: "offers", int: 1, bool: True, datetime: AT, timedelta: timedelta(days=1), bytes: b"x", date: AT.date()
}  # fmt: skip


def _example(hint: Any) -> Any:
    """
    Return a value of a type, as simple as there is.
    """
    parts = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return ()
    if hint is dict or (typing.get_origin(hint) is not None and not parts):
        return {}
    if parts:
        return _example(parts[0])
    if hint in SIMPLE:
        return SIMPLE[hint]
    return next(iter(hint)) if issubclass(hint, enum.Enum) else hint(**_fields(hint))


def _fields(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    needed = {field.name for field in attrs.fields(cls) if field.default is attrs.NOTHING}
    known = EXAMPLES.get(cls.__name__, {})
    return {**{name: _example(hints[name]) for name in needed - known.keys()}, **known}


@pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__qualname__)
def test_a_wrong_field_is_answered_in_our_own_words(cls: type) -> None:
    """
    No value is made with any field that is wrong, and the refusal names the field.
    """
    right = _fields(cls)
    cls(**right)
    for field in attrs.fields(cls):
        if not field.init:
            continue
        for value in WRONG:
            refusal = _refusal(lambda: cls(**{**right, field.name: value}))  # noqa: B023
            assert value is not NOTHING or refusal, field.name
            assert not isinstance(refusal, InvalidValueError) or f".{field.name}" in str(refusal)


@pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__qualname__)
def test_a_copy_is_as_attrs_makes_it(cls: type) -> None:
    """
    A copy with other values takes and refuses in each field what the constructor does, and shares the rest.
    """
    value = cls(**_fields(cls))
    for field in attrs.fields(cls):
        if not field.init:
            continue
        for given in (getattr(value, field.name), None, object()):
            changed = {field.alias: given}
            refusal = _refusal(lambda: typed.evolve(value, **changed))  # noqa: B023
            assert str(refusal) == str(_refusal(lambda: attrs.evolve(value, **changed)))  # noqa: B023
            if refusal is None:
                assert typed.evolve(value, **changed) == attrs.evolve(value, **changed)
    with pytest.raises(TypeError, match="unknown"):
        typed.evolve(value, unknown=1)


def test_a_contact_is_named_in_the_same_ways_everywhere() -> None:
    """
    As a contact, by its id, by its id as a UUID, and by the text of that.
    """
    w = world()
    ada = w.add()
    unique = UUID(ada.id)
    for named in (ada, ada.id, ada.id.upper(), unique, str(unique), Marked(ada.id)):
        assert w.manager.standing(named) == w.manager.standing(ada)
        assert w.manager.history(named) == w.manager.history(ada)
        assert w.manager.check(named, "email", "offers").contact == ada.id
        assert w.manager.record_complaint(named, text="Stop it.", how="telephone").contact == ada
    for method in (w.manager.standing, w.manager.erase, w.manager.evidence, w.manager.link, w.manager.revoke_links):
        with pytest.raises(UnknownContactError, match=r"manager\.find"):
            method(EMAIL)
        with pytest.raises(UnknownContactError):
            method(NO_ID)
    assert w.manager.standing(ada).version


def test_what_means_the_same_is_taken() -> None:
    """
    The text of a member, also of another enumeration; a marked text; an instant of another class; several in any form.
    """
    w = world()
    ada = w.manager.add_contact(name=Marked("Ada"), email=Marked(EMAIL), subscriber=Theirs.OURS)  # type: ignore[arg-type]
    assert w.manager.standing(ada).subscriber is Subscriber.INDIVIDUAL
    words = Wording(text=Marked("May Acme Ltd email you about offers?"))
    w.manager.record_consent(
        ada, channels=iter(["email"]), purposes={"offers"}, wording=words,
        act="ticked_box", how=Marked("form"), at=Stamp(2026, 11, 20, 12, tzinfo=UTC), actor="person",  # type: ignore[arg-type]
    )  # fmt: skip
    given = next(event for event in w.manager.history(ada) if isinstance(event, events.ConsentGiven))
    assert (given.act, given.actor, given.occurred_at) == (Act.TICKED_BOX, events.Actor.PERSON, AT)
    assert w.manager.check(EMAIL, "email", "offers")
    assert w.manager.verify()


def test_a_naive_datetime_is_said_to_be_one() -> None:
    """
    Under its name, wherever it is given.
    """
    naive = AT.replace(tzinfo=None)
    w = world()
    ada = w.add()
    with pytest.raises(NaiveDatetimeError, match="withdraw: at"):
        w.manager.withdraw(ada, at=naive)
    with pytest.raises(NaiveDatetimeError, match=r"Solicited\.at"):
        Solicited(how="form", at=naive)
    with pytest.raises(NaiveDatetimeError, match="check: at"):
        w.manager.check(EMAIL, "email", "offers", at=naive)


def test_the_awaited_form_answers_as_the_blocking_one() -> None:
    """
    And its methods are still coroutine functions.
    """

    async def wrong() -> None:
        manager = awaited(MemoryBackend(channel=Channel.EMAIL))
        assert inspect.iscoroutinefunction(manager.check)
        with pytest.raises(InvalidValueError, match="add_contact: subscriber must be one of Subscriber"):
            await manager.add_contact(email=EMAIL, subscriber="Individual")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="solicitd"):
            await manager.check(EMAIL, "email", "offers", solicitd=True)  # type: ignore[call-arg]
        assert await manager.find(EMAIL) is None

    asyncio.run(wrong())


@pytest.mark.parametrize("zone", [UTC, EAST, WEST])
@pytest.mark.parametrize("year", [1, 1899, 3000, 9999])
def test_an_instant_in_no_year_of_ours_is_refused(year: int, zone: timezone) -> None:
    """
    Every call and every value that takes one says so under its name, in whatever zone it is given.
    """
    at = datetime(year, 1 if year < 2000 else 12, 1 if year < 2000 else 31, tzinfo=zone)
    w, ada = _asked()
    for cls, name in _faces():
        if "at" in inspect.signature(getattr(cls, name)).parameters:
            with pytest.raises(InvalidValueError, match="at is not in the years"):
                _call(_face(w, ada, cls), name, {**_given(w, ada, cls, name), "at": at})
    for cls in VALUES:
        for field in attrs.fields(cls):
            if field.init and "datetime" in str(field.type):
                with pytest.raises(InvalidValueError, match=f"{field.name} is not in the years"):
                    cls(**{**_fields(cls), field.name: at})


@pytest.mark.parametrize("number", [0, -1, -(2**40)])
@pytest.mark.parametrize("name", ["deliver", "outbox_messages", "reconcile"])
def test_a_limit_is_at_least_one(name: str, number: int) -> None:
    """
    None at all is not what anyone asks for, and a database takes a negative number for no limit.
    """
    w, ada = _asked()
    with pytest.raises(InvalidValueError, match=f"{name}: limit must be at least 1"):
        _call(w.manager, name, {**_given(w, ada, ConsentManager, name), "limit": number})
