"""
What an operation costs on a contact to whom much was sent, beside one to whom little was: ``python
benchmarks/contacts.py``.

To every contact marketing is sent, three messages to some and thousands to the others, each with the reply of a
provider, which is kept as a personal value. The floor is an operation on one of the first, the path the same on one of
the others, alternately and in one store. Only the time of the processor counts, so that other programs on the machine
disturb little. What matters is that none of it grows with what was sent. ``--profile`` shows where the time of the
others goes.
"""

from __future__ import annotations

import cProfile
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, Final

import attrs
from delivery import manager
from measure import Measured, options, table

from optly import Channel, ConsentManager, Contact, Content, Subscriber
from optly.backends import MemoryBackend
from optly.protocols import Storage
from optly.storage import MemoryStorage, SQLStorage
from optly.testing.messages import code_in

CONTENT: Final = Content(subject="Ten per cent off", text="All our teapots cost ten per cent less this week.")
FEW: Final = 3
AIM: Final = "at most 1.2"


@attrs.frozen
class Bench:
    """
    An organisation, and contacts to whom little and much was sent.
    """

    manager: ConsentManager
    backend: MemoryBackend
    few: Sequence[Contact]
    many: Sequence[Contact]

    def send(self, contact: Contact) -> str:
        return self.manager.send(contact, Channel.EMAIL, "offers", CONTENT)

    def asked(self, contact: Contact) -> str:
        """
        Ask a contact, and return the code of the link.
        """
        self.drain()
        self.manager.request_consent(contact, via=Channel.EMAIL, channels=[Channel.EMAIL], purposes=["offers"])
        self.manager.deliver()
        return code_in(self.backend.outbox[0])

    def drain(self) -> None:
        """
        Send all that waits, and forget it.
        """
        self.manager.deliver()
        self.backend.outbox.clear()


def bench(storage: Storage, contacts: int, many: int) -> Bench:
    """
    Add as many contacts of each kind, and send to them.
    """
    backend = MemoryBackend(channel=Channel.EMAIL)
    made = manager(storage, backend)
    both = [
        [
            made.add_contact(email=f"p{number}@{kind}.example.com", name="Ada Ltd", subscriber=Subscriber.COMPANY)
            for number in range(contacts)
        ]
        for kind in ("few", "many")
    ]
    grown = Bench(made, backend, *both)
    for number in range(many):
        for contact in (*grown.many, *(grown.few if number < FEW else ())):
            grown.send(contact)
        if number % 100 == 99 or number == many - 1:
            grown.drain()
    return grown


@attrs.frozen(kw_only=True)
class Operation:
    """
    One call, and what has to be done before it, which is not measured.
    """

    name: str
    call: Callable[[Bench, Contact, Any], object]
    before: Callable[[Bench, Contact], Any] = lambda _bench, _contact: None
    repeat: int = 1


OPERATIONS: Final = (
    Operation(name="check", call=lambda b, contact, _: b.manager.check(contact, Channel.EMAIL, "offers"), repeat=20),
    Operation(name="standing", call=lambda b, contact, _: b.manager.standing(contact), repeat=20),
    Operation(name="send", call=lambda b, contact, _: b.send(contact)),
    Operation(name="deliver", before=Bench.send, call=lambda b, _contact, _: b.manager.deliver()),
    Operation(
        name="answer",
        before=Bench.asked,
        call=lambda b, _contact, code: b.manager.answer(code, {(Channel.EMAIL, "offers"): True}),
    ),
)


def measured(name: str, made: Bench, operation: Operation, rounds: int, profile: cProfile.Profile | None) -> Measured:
    """
    Call an operation on each contact in turn, and return the median of each kind.
    """
    taken: tuple[list[float], list[float]] = [], []

    def calls() -> Iterator[tuple[bool, Contact]]:
        for _ in range(rounds):
            for few, many in zip(made.few, made.many, strict=True):
                yield False, few
                yield True, many

    for much, contact in calls():
        given = operation.before(made, contact)
        with profile if profile is not None and much else nullcontext():
            start = time.process_time()
            for _ in range(operation.repeat):
                operation.call(made, contact, given)
            taken[much].append((time.process_time() - start) / operation.repeat)
    made.drain()
    floor, path = map(statistics.median, taken)
    return Measured(name=f"{operation.name}, {name}", floor=floor, path=path, aim=AIM)


def main() -> None:
    chosen = options(__doc__ or "", profile="show where the time goes")
    contacts, many, rounds = (1, 12, 1) if chosen.small else (2, 3000, 30)
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        stores: Sequence[tuple[str, Storage]] = (
            ("memory", MemoryStorage()),
            ("SQLite", SQLStorage(f"sqlite:///{directory}/optly.db")),
        )
        for name, storage in stores:
            made = bench(storage, contacts, many)
            for operation in OPERATIONS:
                profiler = cProfile.Profile() if chosen.profile else None
                rows.append(measured(name, made, operation, rounds, profiler))
                if profiler is not None:
                    print(f"\n{rows[-1].name}")
                    pstats.Stats(profiler).sort_stats("cumulative").print_stats(15)
            made.manager.close()
    print(f"{FEW} messages beside {many:,}, on {contacts} contacts of each kind\n\n{table(rows)}")


if __name__ == "__main__":
    main()
