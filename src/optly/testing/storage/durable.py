"""
What was written survives, and several processes lose nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from typing import Any, ClassVar

import attrs
import pytest

from optly.contacts import Channel
from optly.errors import StorageLockedError
from optly.protocols import MessageState, Storage, StoredCode
from optly.testing.storage import _base as base
from optly.testing.storage._base import Contact, Contract
from optly.testing.storage.complaints import closed, complaint


class DurableContract(Contract):
    """
    What a store has to do besides if it outlives its process.

    Attributes:
        shared: Whether several processes may hold the store at a time.
    """

    shared: ClassVar[bool] = True

    @pytest.fixture
    def opener(self) -> base.Opener:
        """
        Return a callable that opens the same store each time, here or, because it can be pickled, in another process.
        """
        raise NotImplementedError("give the contract an opener fixture")

    @pytest.fixture
    def storage(self, opener: base.Opener) -> Iterator[Storage]:
        storage = opener()
        yield storage
        storage.close()

    def test_what_was_written_is_there_when_it_is_opened_again(
        self, storage: Storage, opener: base.Opener, ada: Contact, eve: Contact
    ) -> None:
        """
        All of it: contacts, addresses, stops, wordings, messages in each state, complaints, codes, counters, keys and
        the log.
        """
        organisation = ada.organisation
        queued, claimed, back, done = (ada.message() for _ in range(4))
        kept, taken, counter = base.code(ada.subject, expires_at=base.NOW), base.code(ada.subject), base.key()
        mine, hers = base.key(), base.key()
        storage.append(
            [
                ada.commit(
                    events=2,
                    identifiers=[ada.identifier(mine)],
                    suppressions=[base.stop(mine)],
                    wordings={base.WORDING: b"x"},
                    queue=[queued, claimed, back, done],
                    complaints=[complaint(ada, "AAAAA2", 1), complaint(ada, "BBBBB2")],
                ),
                eve.commit(identifiers=[eve.identifier(hers)], suppressions=[base.stop(hers)]),
            ]
        )
        strange, finished = (attrs.evolve(ada.message(), subject=base.key()) for _ in range(2))
        storage.enqueue(organisation, [strange, finished])
        storage.settle(
            [base.settlement(message) for message in storage.claim([base.claim_of(finished)], base.NOW, base.NOW)]
        )
        sending = storage.claim([base.claim_of(message) for message in (claimed, back, done)], base.NOW, base.NOW)
        by_name = {message.message: message for message in sending}
        storage.settle([base.settlement(by_name[back.message], MessageState.QUEUED, base.NOW)])
        base.seal(storage, organisation, 1)
        storage.put_codes([kept, taken])
        storage.take_code(taken.key, base.NOW)
        storage.count(counter, base.NOW, base.NOW)
        storage.add_key_version(organisation, "k1", [base.stop(hers, base.NOW, "key/k1")])
        storage.append([ada.commit(settle=[base.settlement(by_name[done.message])], closed=[closed(ada, "BBBBB2")])])
        storage.append([eve.commit(forget=True, suppressions=[base.stop(hers, base.NOW + base.TICK)])])
        before = everything(storage, ada, eve, [mine, hers], [kept, taken])
        storage.close()

        again = opener()
        try:
            assert before == everything(again, ada, eve, [mine, hers], [kept, taken])
            assert again.count(counter, base.NOW, base.NOW) == 2
            again.append([ada.commit(), eve.commit()])
            assert base.problems(again, organisation, ada.subject) == ()
        finally:
            again.close()

    def test_processes_lose_nothing(self, storage: Storage, opener: base.Opener, ada: Contact) -> None:
        """
        Several of them append to one contact. If they may share the store, the chain has no gap and verifies;
        otherwise they are refused.
        """
        with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
            if self.shared:
                storage.append([ada.commit()])
                work = [pool.submit(append_many, opener, ada.organisation, ada.subject, 10) for _ in range(3)]
                for done in work:
                    done.result()
                assert len(storage.entries(ada.subject)) == 31
                assert base.problems(storage, ada.organisation, ada.subject) == ()
            else:
                assert not pool.submit(try_to_open, opener).result()
                assert not try_to_open(opener)
                storage.close()
                assert pool.submit(try_to_open, opener).result()


def append_many(opener: base.Opener, organisation: str, subject: bytes, count: int) -> None:
    """
    Append *count* times through a handle opened here.
    """
    storage = opener()
    try:
        for _ in range(count):
            base.append_again(storage, organisation, subject)
    finally:
        storage.close()


def try_to_open(opener: base.Opener) -> bool:
    """
    Return whether the store can be opened here.
    """
    try:
        opener().close()
    except StorageLockedError:
        return False
    return True


def everything(
    storage: Storage, ada: Contact, eve: Contact, idkeys: Sequence[bytes], codes: Sequence[StoredCode]
) -> Mapping[str, Any]:
    """
    Return everything a store reports about two contacts.
    """
    organisation, late = ada.organisation, base.NOW + timedelta(days=1)
    found = storage.find(idkeys)
    return {
        "heads": storage.load([ada.subject, eve.subject]),
        "entries": [list(storage.entries(contact.subject)) for contact in (ada, eve)],
        "openings": [base.values_of(storage, contact.subject) for contact in (ada, eve)],
        "holders": found.holders,
        "references": storage.referred(idkeys),
        "suppressions": sorted(found.suppressions, key=lambda row: row.idkey),
        "wordings": storage.wordings([base.WORDING]),
        "subjects": sorted(storage.subjects(organisation)),
        "due": sorted(storage.due(organisation, Channel.EMAIL, late, 9), key=lambda row: row.message),
        "in_doubt": list(storage.messages(organisation, MessageState.IN_DOUBT, 9)),
        "overdue": list(storage.overdue(organisation, late, 9)),
        "backlog": dict(storage.backlog(organisation)),
        "codes": [storage.code(row.key, base.NOW) for row in codes],
        "complaints": list(storage.complaints(organisation, None, None, 9)),
        "keys": storage.key_versions(organisation),
        "log_head": storage.log_head(organisation),
        "leaves": list(storage.log_leaves(organisation, 0, 99)),
        "tiles": list(storage.tiles(organisation, [(0, 0)])),
        "unsealed": sorted(storage.unsealed(organisation, 9), key=lambda leaf: leaf.subject),
        "sealed": storage.sealed(organisation, [ada.subject, eve.subject]),
    }
