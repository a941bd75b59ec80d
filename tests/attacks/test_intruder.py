"""
An intruder who can write to the database and has no key: every column of every table is changed, emptied, exchanged for
that of another row, and put back as it was earlier, and so is every row.

What becomes of each was written down before: it is found by us, or only by a checkpoint that was kept elsewhere, or it
is harmless, and why. Whatever it is, nothing is allowed that was not, and nothing is sent that was not queued.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import attrs
import pytest
from services import fresh_database
from sqlalchemy import BigInteger, Column, Engine, SmallInteger, Table, create_engine, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool
from world import EMAIL_OFFERS, KEYS, World, world

from optly import Channel, Contact, Content, Keys, Subscriber
from optly.errors import OptlyError
from optly.storage import SQLStorage
from optly.storage._schema import metadata
from optly.testing.clock import FrozenClock
from optly.testing.messages import code_in

pytestmark = pytest.mark.slow

Row: TypeAlias = dict[str, Any]
Database: TypeAlias = dict[str, list[Row]]

ANN, BOB, CAT = "ann@example.com", "bob@example.com", "cat@example.com"
ROTATED = Keys(current="the key that comes after it", previous=[KEYS.current])

# ---- what was expected

US: Final = "found by us"
ANCHOR: Final = "found only by a checkpoint that was kept elsewhere"
# Anything else says why it is harmless.
LATER: Final = "when it is sent, not whether: it is gated again"
UNSENT: Final = "a message that is not sent"
KEPT: Final = "when a message that is done with is removed; one that waits stays, whatever it says"
TWICE: Final = "what was sent once may be sent once more, to the same person, if it is still allowed then"
LIMITS: Final = "limits guesses; the session that the digits are for begins with a code that the database does not hold"
CLOSED: Final = "a link that does not open"
SAME: Final = "the same row again"
FORMER: Final = "leads to someone who was erased or has left the address, and is allowed nothing there"
RESTORED: Final = "it is written again at the next start"

# By table and column, and for a row as a whole. A column may have one verdict for each way of altering it.
Verdict: TypeAlias = "str | Mapping[str, str]"
VERDICTS: Final[Mapping[str, Mapping[str, Verdict]]] = {
    "heads": {
        **dict.fromkeys(["subject_id", "organisation", "version", "hash", "snapshot", "named", "mac", "row"], US),
        "dirty": {"change": US, "delete": US, "swap": US, "replay": US},
    },
    "events": {
        **dict.fromkeys(["subject_id", "seq", "hash", "payload", "row"], US),
        "idem": "names a change that was made, so that a repeat is known; no name can be known before the change",
    },
    "personal": dict.fromkeys(["subject_id", "slot", "salt", "value", "row"], US),
    "outbox": {
        **dict.fromkeys(["subject_id", "message_id", "channel", "body", "mac"], US),
        "organisation": UNSENT,
        "state": {"change": TWICE, "delete": TWICE, "swap": US, "replay": TWICE},
        **dict.fromkeys(["due_at", "lease_until", "attempts", "tries", "token"], LATER),
        "ended_at": KEPT,
        "row": {"delete": UNSENT, "swap": US, "replay": TWICE},
    },
    "identifiers": {
        **dict.fromkeys(["idkey", "subject_id", "line", "key_version", "mac"], US),
        "row": {"delete": US, "swap": US, "replay": FORMER},
    },
    "references": {
        **dict.fromkeys(["idkey", "subject_id", "key_version", "mac"], US),
        "row": {"delete": US, "swap": US, "replay": FORMER},
    },
    "suppressions": dict.fromkeys(["idkey", "scope", "at", "key_version", "mark", "mac", "row"], US),
    "codes": {
        "code_key": {"change": US, "delete": CLOSED, "swap": US},
        **dict.fromkeys(["subject_id", "expires_at", "value", "mac"], US),
        "row": {"delete": CLOSED, "swap": US, "replay": "opens what it opened, to who has the code: it was no stop"},
    },
    "counters": dict.fromkeys(["code_key", "number", "until", "row"], LIMITS),
    "wordings": dict.fromkeys(["digest", "content", "row"], US),
    "key_versions": {
        "organisation": US,
        "version": {"change": US, "delete": US, "swap": SAME},
        "row": {"delete": US, "swap": SAME},
    },
    "logs": dict.fromkeys(["organisation", "size", "origin", "secret", "root", "note", "row"], US),
    "tiles": dict.fromkeys(["organisation", "level", "number", "data", "row"], US),
    "leaves": dict.fromkeys(["organisation", "place", "subject_id", "version", "head", "row"], US),
    "complaints": dict.fromkeys(
        ["organisation", "reference", "complaint_id", "subject_id", "due_at", "is_open", "reply", "mac", "row"], US
    ),
    "schema_version": {"version": US, "row": RESTORED},
}
WAYS: Final = ("change", "delete", "swap", "replay")


def test_every_column_has_a_verdict() -> None:
    """
    Also one that is new: whoever adds it says first what an intruder can do with it.
    """
    tables = {name.removeprefix("optly_"): table for name, table in metadata.tables.items()}
    columns = {name: {*table.columns.keys(), "row"} for name, table in tables.items()}
    assert columns == {name: set(verdicts) for name, verdicts in VERDICTS.items()}


# ---- the database, as it was earlier and as it is


@attrs.frozen
class Site:
    """
    A database, and what was in it.

    Attributes:
        kept: A checkpoint of the log as it is now, kept elsewhere.
        ann, bob: Who agreed, and who objected. Cat was erased.
        at: When all of that has happened.
    """

    engine: Engine
    storage: SQLStorage
    earlier: Database
    now: Database
    kept: str
    ann: Contact
    bob: Contact
    at: datetime

    def put(self, database: Database) -> None:
        """
        Raises:
            IntegrityError: No database could hold these rows.
        """
        with self.engine.begin() as connection:
            for name, table in metadata.tables.items():
                connection.execute(delete(table))
                if rows := database[name]:
                    connection.execute(insert(table), rows)


def read(engine: Engine) -> Database:
    with engine.connect() as connection:
        return {
            name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for name, table in metadata.tables.items()
        }


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if request.param == "sqlite":
        yield _site(f"sqlite:///{tmp_path_factory.mktemp('intruder') / 'optly.db'}")
        return
    with fresh_database(request.param) as url:
        yield _site(url)


def _site(url: str) -> Site:
    clock, storage, engine = FrozenClock(), SQLStorage(url), create_engine(url, poolclass=NullPool)
    w = world(storage, clock=clock)
    ann, bob, cat = (_agreed(w, email) for email in (ANN, BOB, CAT))
    w.manager.record_domain_objection("acme.example", purposes=["offers"], how="letter")
    closed = w.manager.record_complaint(bob, text="Too many.", how="by telephone", reply_to=BOB, send=False)
    w.manager.record_complaint(ann, text="Too loud.", how="by telephone", reply_to=ANN, send=False)
    sent = Content(subject="Offers", text="Five per cent off.")
    w.manager.send(ann, *EMAIL_OFFERS, sent)
    w.manager.send(bob, *EMAIL_OFFERS, sent)
    w.manager.link(bob)
    w.manager.self_service.request_link(ANN)
    w.manager.seal()
    earlier = read(engine)

    w.later()
    w.manager.deliver()
    w = world(storage, clock=clock, keys=ROTATED)
    w.manager.record_objection(bob)
    w.manager.resolve_complaint(bob, closed.id, how="by letter")
    w.manager.erase(cat)
    w.manager.send(ann, *EMAIL_OFFERS, Content(subject="Offers", text="Ten per cent off."))
    w.manager.link(ann)
    kept = w.manager.seal()
    w.later()
    w.manager.record_objection(bob, channels=[Channel.SMS])
    assert kept is not None
    assert w.manager.verify()
    return Site(engine, storage, earlier, read(engine), kept.note, ann, bob, clock())


def _agreed(w: World, email: str) -> Contact:
    contact = w.manager.add_contact(reference=email, name=email, email=email, subscriber=Subscriber.INDIVIDUAL)
    w.manager.answer(code_in(w.ask(contact, channels=[Channel.EMAIL])), {EMAIL_OFFERS: True})
    w.later()
    return contact


# ---- what an intruder does

# The row that is altered, where it is not one of Bob's: by what it holds.
TARGETS: Final[Mapping[str, Callable[[Row], bool]]] = {
    "suppressions": lambda row: row["scope"] == "*/*",
    "key_versions": lambda row: row["version"] == KEYS.all[0].version,
    "outbox": lambda row: bool(row["body"]),
}


def _of(contact: Contact) -> Callable[[Row], bool]:
    return lambda row: row.get("subject_id") == contact.subject


def _chosen(site: Site, name: str) -> tuple[int, int | None]:
    """
    Return the places of the row that is altered, and of another.
    """
    rows = site.now[f"optly_{name}"]
    wanted = TARGETS.get(name) or _of(site.bob)
    of_bob = [place for place, row in enumerate(rows) if wanted(row)]
    target = of_bob[-1] if of_bob else 0
    others = [place for place, row in enumerate(rows) if place not in of_bob]
    of_ann = [place for place in others if rows[place].get("subject_id") == site.ann.subject]
    return target, next(iter([*of_ann[-1:], *others]), None)


def _changed(column: Column[Any], value: Any) -> Any:
    if isinstance(column.type, SmallInteger) and value in (0, 1):
        return 1 - value
    match value:
        case None:
            return 1 if isinstance(column.type, BigInteger) else bytes(16)
        case bytes():
            middle = len(value) // 2
            return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :] if value else b"\x01"
        case str():
            return value[:-1] + ("a" if value[-1:] != "a" else "b")
        case _:
            return value + 1


def _emptied(column: Column[Any], value: Any) -> Any:
    return None if column.nullable else type(value)()


def _same_row(table: Table, row: Row, rows: Sequence[Row]) -> Row | None:
    keys = [column.name for column in table.primary_key.columns]
    return next((other for other in rows if all(other[key] == row[key] for key in keys)), None)


def _altered(site: Site, name: str, column: str, way: str) -> Database | None:
    """
    Return the database as the intruder leaves it; None if that changes nothing.
    """
    table, database = metadata.tables[f"optly_{name}"], copy.deepcopy(site.now)
    rows = database[table.name]
    place, other = _chosen(site, name)
    before = _same_row(table, rows[place], site.earlier[table.name])
    values = [column.name for column in table.columns if not column.primary_key]
    if column != "row":
        row, old = rows[place], table.columns[column]
        match way:
            case "change":
                row[column] = _changed(old, row[column])
            case "delete":
                row[column] = _emptied(old, row[column])
            case "swap" if other is not None:
                row[column], rows[other][column] = rows[other][column], row[column]
            case "replay" if before is not None:
                row[column] = before[column]
    elif way == "delete":
        del rows[place]
    elif way == "swap" and other is not None:
        for key in values:
            rows[place][key], rows[other][key] = rows[other][key], rows[place][key]
    elif way == "replay":
        earlier = site.earlier[table.name]
        again = [row for row in earlier if _same_row(table, row, rows) is None]
        rows[:] = [_same_row(table, row, earlier) or row for row in rows] + again
    return None if database == site.now else database


# ---- what becomes of it

# Rows that do not stay: a message that was altered is taken out and logged, a code that has expired is removed.
TIDIED: Final = ("outbox", "codes")


def _verified(w: World, site: Site) -> str:
    """
    Return by what the alteration is found.
    """
    if not w.manager.verify():
        return US
    return "nobody" if w.manager.verify(checkpoint=site.kept) else ANCHOR


def _judged(site: Site, name: str) -> str:
    """
    Start the application, use it and verify its record; return what found the alteration.

    Raises:
        AssertionError: Something was allowed or sent that was not before.
    """
    try:
        w = world(site.storage, clock=FrozenClock(site.at), keys=ROTATED)
        site.storage._database._prepared = False
        found = _verified(w, site)
    except OptlyError:
        return US
    for who in (BOB, CAT, site.bob):
        with suppress(OptlyError):
            assert not w.manager.check(who, *EMAIL_OFFERS)
    for reference, contact in ((ANN, site.ann), (BOB, site.bob)):
        with suppress(OptlyError):
            assert w.manager.find_reference(reference) in (contact, None)
    with suppress(OptlyError):
        for complaint in w.manager.complaints(open=None):
            reply_to = w.manager.complaint(complaint.id).reply_to
            assert reply_to is None or reply_to.value in (ANN, BOB)
    w.later(timedelta(hours=1))
    with suppress(OptlyError):
        w.manager.deliver()
    sent = [message for message in w.emails.outbox if message.subject == "Offers"]
    offers = {(message.to, message.text.partition("\n")[0]) for message in sent}
    assert offers <= {(ANN, "Ten per cent off."), (ANN, "Five per cent off.")}
    with suppress(OptlyError):
        w.manager.seal()  # nothing that was altered is vouched for
        assert found != US or name in TIDIED or not w.manager.verify()
    return found


@pytest.mark.parametrize("name", VERDICTS)
def test_an_intruder_finds_what_was_expected(site: Site, name: str) -> None:
    """
    Promise 11: each alteration has the verdict that was written down.
    """
    wrong, tried = {}, set()
    for column, verdicts in VERDICTS[name].items():
        for way in WAYS:
            database = _altered(site, name, column, way)
            verdict = verdicts if isinstance(verdicts, str) else verdicts.get(way, "")
            if database is None:
                continue
            try:
                site.put(database)
            except IntegrityError:
                continue
            tried.add(column)
            found = _judged(site, name)
            expected = verdict if verdict in (US, ANCHOR) else "nobody" if verdict else "no verdict"
            if found != expected:
                wrong[column, way] = found
    assert wrong == {}
    assert tried >= set(VERDICTS[name]) - {"row"}


def test_a_database_that_was_put_back_as_a_whole_is_found_by_an_anchor(site: Site) -> None:
    """
    All of its rows are genuine, and so is the log: only what was kept elsewhere shows that there was more.
    """
    site.put(site.earlier)
    w = world(site.storage, clock=FrozenClock(site.at), keys=ROTATED)
    assert _verified(w, site) == ANCHOR


def test_a_contact_who_was_put_back_is_found(site: Site) -> None:
    """
    By the log, which goes on beyond what is left of them.
    """
    database = copy.deepcopy(site.now)
    for name, rows in database.items():
        if "subject_id" in metadata.tables[name].columns and name != "optly_leaves":
            rows[:] = [row for row in rows if row["subject_id"] != site.bob.subject]
            rows += [row for row in site.earlier[name] if row["subject_id"] == site.bob.subject]
    site.put(database)
    w = world(site.storage, clock=FrozenClock(site.at), keys=ROTATED)
    assert _verified(w, site) == US
