"""
How much a store holds, as it counts it.
"""

from __future__ import annotations

from optly.protocols import Storage
from optly.testing.storage._base import DAY, NOW, TICK, WORDING, Contact, Contract, claim_of, code, ended, key, stop


class SizesContract(Contract):
    """
    What a store has to count.
    """

    def test_what_is_there_is_counted(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Of one organisation where rows name it, and of the whole store where they do not. What was erased no longer
        counts; the events and the contact do.
        """
        since = (NOW - DAY, NOW - 30 * DAY)
        before, none = storage.measure(ada.organisation, since), storage.measure(f"{ada.organisation}2", since)
        assert (0, 0, 0, (0, 0)) == (before.contacts, before.events, before.personal, before.ended)
        digest = key().hex() + WORDING[:32]
        times = [since[0], since[0] - TICK, since[1], since[1] - TICK]
        storage.append([ada.commit(events=3, wordings={digest: b"words"}), eve.commit(events=2)])
        storage.append([Contact(f"{ada.organisation}2").commit(suppressions=[stop(key(), at) for at in times])])
        storage.put_codes([code(ada.subject), code(key())])
        messages = [ada.message() for _ in times]
        storage.enqueue(ada.organisation, [*messages, ada.message()])
        sending = storage.claim([claim_of(message) for message in messages], NOW, NOW)
        storage.settle([ended(message, at) for message, at in zip(sending, times, strict=True)])
        after = storage.measure(ada.organisation, since)
        assert (2, 5, 5, (1, 3)) == (after.contacts, after.events, after.personal, after.ended)
        assert (2, 4, 1) == (
            after.codes - before.codes,
            after.suppressions - before.suppressions,
            after.wordings - before.wordings,
        )
        assert (1, 3) == tuple(new - old for new, old in zip(after.suppressed, before.suppressed, strict=True))
        assert none.contacts == 0
        assert storage.measure(f"{ada.organisation}2", since).contacts == 1
        assert after.size is None or 0 < after.size
        storage.append([ada.commit(forget=True)])
        left = storage.measure(ada.organisation, since)
        assert (2, 6, 3, (0, 0)) == (left.contacts, left.events, left.personal, left.ended)
