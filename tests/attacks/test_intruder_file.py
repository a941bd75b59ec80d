"""
An intruder who can write to the file of a store and has no key. Its checks need none, so they are made to fit: of each
kind of line one is removed, repeated, exchanged for another and put back as it was, and each of its values is changed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from world import EMAIL_OFFERS, KEYS, PHONE, World, world

from optly import Channel, Contact, Content, Keys, Subscriber
from optly.errors import DamagedError, OptlyError
from optly.protocols import StoredCode
from optly.storage import FileStorage
from optly.storage._journal import Journal
from optly.storage.file import _OPERATIONS, _TABLES
from optly.testing.clock import FrozenClock
from optly.testing.messages import code_in

pytestmark = pytest.mark.slow

ANN, BOB, CAT = "ann@example.com", "bob@example.com", "cat@example.com"
ROTATED = Keys(current="the key that comes after it", previous=[KEYS.current])

US: Final = "found by us"

# ---- what was expected: all of it is found, but for this

AGAIN: Final = "says the same once more"
ORDER: Final = "the order of these two does not matter"
WHEN: Final = "when or how often a message is tried, not whether: it is gated again"
UNSENT: Final = "a message that is not sent, or that is sent once more and gated again"
LIMITS: Final = "limits guesses; what they are for begins with a code that the file does not hold"
CLOSED: Final = "a link that does not open"
REVOKED: Final = "a link that was revoked opens to the person who holds it"
SEALED: Final = "what was sealed last is sealed again; a checkpoint that was kept shows that it was before"
EARLIER: Final = "signed with the key before, which is still known"
RESTORED: Final = "which key is current is written again at the next start"
DONE: Final = "of a message that is done with, and has no words any more"
REPEATED: Final = "names a change that was made, so that a repeat is known"
DECIDED: Final = "of a line that is written: whether a full store would have refused it"
SUPERSEDED: Final = "a later line of the file says it anew"

_ANYHOW: Final = {"repeat": AGAIN, "swap": ORDER}
HARMLESS: Final[Mapping[str, Mapping[str, str]]] = {
    # operations
    "append": {"swap": ORDER, "idem": REPEATED, "needed": DECIDED, "queue.attempts": WHEN, "queue.tries": WHEN},
    "enqueue": {"delete": UNSENT, "swap": ORDER, **dict.fromkeys(["0", "attempts", "body", "mac", "tries"], UNSENT)},
    "claim": {**_ANYHOW},
    "settle": {
        **_ANYHOW,
        **dict.fromkeys(["delete", "message", "subject", "token", "forget"], UNSENT),
        "unused": CLOSED,
        **dict.fromkeys(["attempts", "tries"], WHEN),
        "ended_at": DONE,
    },
    "remove_ended": {**_ANYHOW, **dict.fromkeys(["delete", "0", "1", "2"], DONE)},
    "put_codes": {**_ANYHOW, "delete": CLOSED},
    "take_code": {**_ANYHOW, "delete": REVOKED, "0": REVOKED, "1": REVOKED},
    "revoke_codes": {**_ANYHOW, "delete": REVOKED, "0": REVOKED},
    "expire": {**_ANYHOW, "delete": REVOKED, "0": REVOKED, "1": REVOKED},
    "renew": {**_ANYHOW, **dict.fromkeys(["delete", "table", "key", "old"], EARLIER)},
    "add_key_version": {**_ANYHOW, "delete": RESTORED, "0": RESTORED},
    "seal": {"delete": SEALED, "swap": ORDER},
    # tables
    "contacts": {**_ANYHOW, "idems": REPEATED, "grown": SUPERSEDED, "sealed": SUPERSEDED},
    "holders": {**_ANYHOW},
    "references": {**_ANYHOW},
    "suppressions": {**_ANYHOW},
    "wordings": {**_ANYHOW},
    "outbox": {
        **_ANYHOW,
        **dict.fromkeys(["delete", "organisation", "state"], UNSENT),
        **dict.fromkeys(["message.attempts", "message.tries"], WHEN),
    },
    "settled": {
        **_ANYHOW,
        **dict.fromkeys(["delete", "organisation", "state", "message.mac", "message.token"], DONE),
        **dict.fromkeys(["message.attempts", "message.tries", "ended_at"], DONE),
    },
    "codes": {**_ANYHOW, "delete": CLOSED},
    "counters": {**_ANYHOW, "delete": LIMITS, "0": LIMITS, "1": LIMITS},
    "key_versions": {**_ANYHOW},
    "logs": {
        **_ANYHOW,
        **dict.fromkeys(["checkpoint.note", "checkpoint.origin", "checkpoint.root", "secret"], SUPERSEDED),
    },
    "tiles": {**_ANYHOW, "delete": SUPERSEDED, "0": SUPERSEDED},
    "leaves": {**_ANYHOW},
    "complaints": {**_ANYHOW},
}


@attrs.frozen
class Site:
    """
    A file, and the records of its lines.

    Attributes:
        kinds: The kinds of lines there are, at least.
        stopped: Those to whom nothing is allowed.
        at: When all of that has happened.
    """

    file: Path
    records: Sequence[str]
    kinds: Collection[str]
    stopped: Sequence[str | Contact]
    at: datetime

    def judge(self, records: Sequence[str], copy: Path) -> str:
        """
        Write a file with these records, start the application, and return what found the alteration.

        Raises:
            AssertionError: Something was allowed or sent that was not before.
        """
        for suffix in ("", ".mark"):
            shutil.copy(self.file.with_name(self.file.name + suffix), copy.with_name(copy.name + suffix))
        journal = Journal(copy)
        list(journal.recover())
        journal.replace([record.encode() for record in records])
        journal.close()
        try:
            storage = FileStorage(copy)
        except DamagedError:
            return US
        try:
            w = world(storage, clock=FrozenClock(self.at), keys=ROTATED)
            found = "nobody" if w.manager.verify() else US
        except (OptlyError, LookupError):  # a log that counts more leaves than there are
            return US
        else:
            self._use(w)
            return found
        finally:
            storage.close()

    def _use(self, w: World) -> None:
        for who in self.stopped:
            with suppress(OptlyError, LookupError):
                assert not w.manager.check(who, *EMAIL_OFFERS)
        w.later(timedelta(hours=1))
        with suppress(OptlyError, LookupError):
            w.manager.deliver()
        sent = [message for message in w.emails.outbox if message.subject == "Offers"]
        assert {(message.to, message.text.partition("\n")[0]) for message in sent} <= {(ANN, "Ten per cent off.")}


def _agreed(w: World, email: str) -> Contact:
    contact = w.manager.add_contact(
        reference=email,
        name=email,
        email=email,
        phone=PHONE if email == ANN else None,
        subscriber=Subscriber.INDIVIDUAL,
    )
    w.manager.answer(code_in(w.ask(contact, channels=[Channel.EMAIL])), {EMAIL_OFFERS: True})
    w.later()
    return contact


@pytest.fixture(scope="module", params=["operations", "tables"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    file, clock = tmp_path_factory.mktemp("intruder") / "optly.jsonl", FrozenClock()
    storage = FileStorage(file)
    w = world(storage, clock=clock)
    ann, bob, cat = (_agreed(w, email) for email in (ANN, BOB, CAT))
    w.manager.record_domain_objection("acme.example", purposes=["offers"], how="letter")
    w.manager.record_complaint(ann, text="Too loud.", how="by telephone", reply_to=ANN, send=False)
    w.manager.self_service.request_link(ANN)
    w.manager.deliver()
    if request.param == "tables":
        w.manager.erase(cat)  # which rewrites the file
        w = world(storage, clock=clock, keys=ROTATED)
    else:
        w.manager.seal()
        w = world(storage, clock=clock, keys=ROTATED)
        w.manager.renew_rows()
    w.manager.record_objection(bob)
    w.manager.revoke_links(bob)
    w.manager.send(ann, *EMAIL_OFFERS, Content(subject="Offers", text="Ten per cent off."))
    if request.param == "operations":
        passing = StoredCode(key=bytes(32), subject=bob.subject, value=b"", expires_at=clock())
        storage.put_codes([passing, attrs.evolve(passing, key=b"k" * 32)])
        storage.take_code(passing.key, clock())
        storage.expire(clock() + timedelta(seconds=1), 9)
        assert storage.remove_ended("acme", clock() + timedelta(seconds=1), 1)
    w.manager.link(ann, Channel.SMS)  # which is stored
    w.later(timedelta(days=1))
    if request.param == "tables":
        w.manager.erase(w.manager.add_contact(email="dan@example.com"))
    w.manager.seal()
    assert w.manager.verify()
    storage.close()
    journal = Journal(file)
    records = [record.decode() for record in journal.recover()]
    journal.close()
    if request.param == "tables":
        return Site(file, records, _TABLES, [BOB, bob, CAT], clock())
    return Site(file, records, _OPERATIONS, [BOB, bob], clock())


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """
    Yield the path to each value in a record.
    """
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _leaves(part, (*path, key))
    if not isinstance(value, dict | list):
        yield path


def _with(value: Any, path: Sequence[Any], change: Callable[[Any], Any]) -> Any:
    copied = json.loads(json.dumps(value))
    place = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = change(place[path[-1]])
    return copied


def _changed(value: Any) -> Any:
    match value:
        case None:
            return "AAAA"
        case bool():
            return not value
        case int():
            return value + 1
        case _:
            middle = len(value) // 2
            return value[:middle] + ("B" if value[middle : middle + 1] == "A" else "A") + value[middle + 1 :]


def _alterations(records: Sequence[str], place: int) -> Iterator[tuple[str, list[str]]]:
    """
    Yield the records with one of them altered in each way, and what was done: one of each value by its name, or by its
    place if it has none.
    """
    before, record, after = list(records[:place]), records[place], list(records[place + 1 :])
    yield "delete", [*before, *after]
    yield "repeat", [*before, record, record, *after]
    yield "swap", [*before[:-1], record, *before[-1:], *after]
    kind, value = json.loads(record)
    named: dict[str, tuple[Any, ...]] = {}
    for path in _leaves(value):
        names = [part for part in path if isinstance(part, str)]
        named.setdefault(".".join(names) or str(path[0]), path)
    for name, path in named.items():
        yield name, [*before, json.dumps([kind, _with(value, path, _changed)]), *after]


def test_every_kind_of_line_has_a_verdict() -> None:
    """
    Also one that is new: whoever adds it says first what an intruder can do with it.
    """
    assert {*_OPERATIONS, *_TABLES} == HARMLESS.keys()


def test_a_line_of_a_file_has_the_verdict_that_was_expected(site: Site, tmp_path: Path) -> None:
    """
    Promise 11: whatever is not written down as harmless is found, and nothing is allowed or sent by any of it.
    """
    kinds = {json.loads(record)[0]: place for place, record in enumerate(site.records)}
    assert kinds.keys() >= set(site.kinds)
    unfound: dict[str, set[str]] = {}
    number = 0
    for kind, place in kinds.items():
        unfound[kind] = set()
        for name, records in _alterations(site.records, place):
            number += 1
            if site.judge(records, tmp_path / f"{number}.jsonl") != US:
                unfound[kind].add(name)
    wrong = {kind: names - HARMLESS[kind].keys() for kind, names in unfound.items()}
    assert not any(wrong.values()), wrong


def test_a_line_that_does_not_fit_is_found_as_the_file_is_opened(site: Site, tmp_path: Path) -> None:
    """
    A byte that changed, and lines that are gone, twice there or exchanged, whatever is in them.
    """
    lines = site.file.read_bytes().splitlines(keepends=True)
    mark = site.file.with_name("optly.jsonl.mark").read_bytes()
    for place in range(1, len(lines) - 1):
        line = lines[place]
        flipped = line[:-9] + bytes([line[-9] ^ 1]) + line[-8:]
        for altered in ([flipped], [], [line, line], [lines[place + 1], line]):
            rest = lines[place + (2 if len(altered) == 2 and altered[0] is not line else 1) :]
            file = tmp_path / "altered.jsonl"
            file.write_bytes(b"".join([*lines[:place], *altered, *rest]))
            file.with_name("altered.jsonl.mark").write_bytes(mark)
            with pytest.raises(DamagedError):
                FileStorage(file)
