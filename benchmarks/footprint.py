"""
The bytes that one marketing message leaves in SQLite: ``python benchmarks/footprint.py``.

Companies get one message a week. What their tables and indexes take is measured before, and again once the messages
have left the outbox and once a year has passed, each time in a copy without free pages, so that what is counted is what
stays. The receipt of each is one of Postfix, as `SMTPBackend` returns it.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import attrs
from measure import options

from optly import ConsentManager, Content, Keys, Organisation, Purpose, Subscriber
from optly.backends import MemoryBackend
from optly.messages import Message, Outcome, Receipt
from optly.storage import SQLStorage
from optly.testing.clock import FrozenClock

AIM: Final = 700
WEEK: Final = timedelta(days=7)
CONTENT: Final = Content(subject="Offers of the week", text="Ten per cent off everything. " * 40)

# What each table holds.
PARTS: Final = {
    "events": "events",
    "personal": "personal values",
    "outbox": "outbox",
    "codes": "codes",
    "leaves": "leaves of the log",
    "tiles": "tiles of the log",
    "heads": "read models",
}
PREFIX: Final = "optly_"


def part_of(name: str, table: str) -> str:
    """
    Return what a table or an index is counted as. SQLite gives a primary key an index of its own.
    """
    kind = PARTS.get(table.removeprefix(PREFIX), "everything else")
    if name == table:
        return kind
    return f"{kind}, by {'primary key' if name.startswith('sqlite_autoindex') else name.rpartition('_')[2]}"


def bytes_of(path: Path, copy: Path) -> Counter[str]:
    """
    Return the bytes that each part of a database takes, without free pages.
    """
    with sqlite3.connect(path) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()
    connection = sqlite3.connect(copy)
    rows = connection.execute(
        "SELECT s.name, coalesce(m.tbl_name, s.name), sum(s.pgsize - s.unused) FROM dbstat s "
        "LEFT JOIN sqlite_schema m ON m.name = s.name GROUP BY s.name"
    ).fetchall()
    connection.close()
    copy.unlink()
    sizes: Counter[str] = Counter()
    for name, table, size in rows:
        sizes[part_of(name, table)] += size
    return sizes


def accepted(message: Message) -> Receipt:
    queued = f"4Y1rkS{message.id[:9]}"
    reply = f"250 2.0.0 Ok: queued as {queued}"
    return Receipt(outcome=Outcome.ACCEPTED, code=250, status="2.0.0", reply=reply, provider_id=queued)


@attrs.frozen
class Company:
    """
    A company that writes to others each week.
    """

    manager: ConsentManager
    clock: FrozenClock

    @classmethod
    def opened(cls, path: Path) -> Company:
        clock = FrozenClock()
        manager = ConsentManager(
            organisation=Organisation(
                key="acme",
                name="Acme Ltd",
                address="1 High Street, Leeds LS1 1AA",
                email="privacy@acme.example.com",
            ),
            purposes=[Purpose(key="offers", title="Offers and discounts on our products")],
            storage=SQLStorage(f"sqlite:///{path}"),
            backends=[MemoryBackend(answer=accepted)],
            keys=Keys(current="a key that only measures"),
            base_url="https://acme.example.com/my",
            clock=clock,
        )
        return cls(manager, clock)

    def later(self, by: timedelta) -> None:
        """
        Let time pass, and the worker do its rounds.
        """
        self.clock.advance(by)
        self.manager.deliver()


def table(before: Mapping[str, int], after: Mapping[str, int], later: Mapping[str, int], count: int) -> str:
    lines = ["| bytes a message | after 30 days | after a year |", "|---|---:|---:|"]
    per = {name: [(sizes.get(name, 0) - before.get(name, 0)) / count for sizes in (after, later)] for name in after}
    for name, sizes in sorted(per.items(), key=lambda row: -row[1][1]):
        if any(round(size) for size in sizes):
            lines.append(f"| {name} | {sizes[0]:,.0f} | {sizes[1]:,.0f} |")
    sums = [sum(sizes[n] for sizes in per.values()) for n in range(2)]
    lines.append(f"| **in all**, aim ≤ {AIM} | **{sums[0]:,.0f}** | **{sums[1]:,.0f}** |")
    return "\n".join(lines)


def main() -> None:
    contacts, weeks = (20, 2) if options(__doc__ or "").small else (500, 20)
    with tempfile.TemporaryDirectory() as directory:
        path, copy = Path(directory) / "optly.db", Path(directory) / "copy.db"
        company = Company.opened(path)
        manager = company.manager
        people = [
            manager.add_contact(email=f"person.{n:05}@customer.example.com", subscriber=Subscriber.COMPANY)
            for n in range(contacts)
        ]
        manager.send(people[0], "email", "offers", CONTENT)
        company.later(WEEK)
        before = bytes_of(path, copy)
        for _ in range(weeks):
            for contact in people:
                manager.send(contact, "email", "offers", CONTENT)
            company.later(timedelta())
            company.later(WEEK)
        company.later(timedelta(days=31))
        assert sum(manager.backlog().values()) == 0
        after = bytes_of(path, copy)
        company.later(timedelta(days=367))
        print(table(before, after, bytes_of(path, copy), contacts * weeks))
        manager.close()


if __name__ == "__main__":
    main()
