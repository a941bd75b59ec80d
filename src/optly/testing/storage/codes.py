"""
Random codes, which expire, are taken once and are revoked, and counters.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import attrs

from optly.protocols import Storage
from optly.testing.storage._base import BYTES, NOW, TICK, Contact, Contract, code, key


class CodesContract(Contract):
    """
    What a store has to do with codes and counters.
    """

    def test_a_code_is_there_until_it_expires(self, storage: Storage, ada: Contact) -> None:
        """
        It is still there at its last instant; without one it stays.
        """
        passing, lasting = code(ada.subject, expires_at=NOW), code(ada.subject)
        storage.put_codes([passing, lasting])
        assert [storage.code(passing.key, at) for at in (NOW, NOW + TICK)] == [passing, None]
        assert storage.code(lasting.key, NOW + timedelta(days=36500)) == lasting
        assert storage.code(os.urandom(32), NOW) is None

    def test_a_code_is_taken_once(self, storage: Storage, ada: Contact) -> None:
        """
        An expired code is not taken at all.
        """
        passing, lasting = code(ada.subject, expires_at=NOW), code(ada.subject, value=BYTES)
        storage.put_codes([passing, lasting])
        assert storage.take_code(passing.key, NOW + TICK) is None
        assert storage.take_code(passing.key, NOW) == passing
        assert storage.take_code(passing.key, NOW) is None
        assert storage.take_code(lasting.key, NOW) == lasting
        assert storage.code(lasting.key, NOW) is None

    def test_a_code_is_put_anew(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        The latest replaces the earlier in every field.
        """
        first = code(ada.subject, expires_at=NOW)
        storage.put_codes([first])
        again = attrs.evolve(code(eve.subject, value=b"other", expires_at=NOW + TICK), key=first.key)
        storage.put_codes([again])
        assert storage.code(first.key, NOW + TICK) == again
        assert [[*storage.revoke_codes(contact.subject)] for contact in (ada, eve)] == [[], [again]]

    def test_codes_are_revoked_by_contact(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        All of one contact, none of another; a repeat is harmless.
        """
        codes = [code(ada.subject), code(ada.subject, expires_at=NOW), code(eve.subject)]
        storage.put_codes(codes)
        assert sorted(storage.revoke_codes(ada.subject), key=lambda row: row.key) == sorted(
            codes[:2], key=lambda row: row.key
        )
        assert [*storage.revoke_codes(ada.subject)] == []
        assert [storage.code(row.key, NOW) for row in codes] == [None, None, codes[2]]

    def test_a_counter_counts_until_its_time_has_passed(self, storage: Storage) -> None:
        """
        The time given first is the one that counts; it is inclusive, and after it the count starts again.
        """
        name, until = key(), NOW + 10 * TICK
        assert storage.count(name, NOW, until) == 1
        assert storage.count(name, NOW, until + timedelta(days=1)) == 2
        assert storage.count(name, until, until + timedelta(days=1)) == 3
        assert storage.count(name, until + TICK, until + 2 * TICK) == 1
        assert storage.count(name, until + 2 * TICK, until + 2 * TICK) == 2
        assert storage.count(name, until + 3 * TICK, until + 3 * TICK) == 1
        assert storage.count(key(), NOW, until) == 1

    def test_several_are_counted_at_once(self, storage: Storage) -> None:
        """
        As many as are given, at the first count and at later ones.
        """
        name, until = key(), NOW + timedelta(hours=1)
        assert [3, 4, 6, 2] == [
            storage.count(name, NOW, until, 3),
            storage.count(name, NOW, until),
            storage.count(name, until, until, 2),
            storage.count(name, until + TICK, until + TICK, 2),
        ]

    def test_nothing_is_counted_beyond_the_most(self, storage: Storage) -> None:
        """
        The number that is returned is above it each time. Once the time has passed, it is counted again.
        """
        name, until = key(), NOW + 10 * TICK
        counts = [storage.count(name, NOW, until, most=2) for _ in range(5)]
        assert counts == [1, 2, 3, 3, 3]
        assert storage.count(name, until, until, 4, most=2) == 6
        assert storage.count(name, until, until) == 3
        assert storage.count(name, until, until, most=3) == 4
        assert [1, 1, 1] == [storage.count(name, until + TICK, until + TICK, most=most) for most in (0, 0, 2)]

    def test_what_has_expired_is_cleared_away(self, storage: Storage, ada: Contact) -> None:
        """
        Codes and counters whose last instant has passed, and no others.
        """
        long_ago = datetime(1999, 12, 31, tzinfo=UTC)
        while storage.expire(long_ago + timedelta(days=1), 1000):
            pass
        codes = [code(ada.subject, expires_at=at) for at in (long_ago - TICK, long_ago, None)]
        storage.put_codes(codes)
        counters = [key(), key()]
        storage.count(counters[0], long_ago, long_ago - TICK)
        storage.count(counters[1], long_ago, long_ago)
        assert storage.expire(long_ago, 10) == 2
        assert storage.expire(long_ago, 10) == 0
        assert [storage.code(row.key, long_ago - TICK) for row in codes] == [None, *codes[1:]]
        assert [storage.count(name, long_ago, long_ago) for name in counters] == [1, 2]

    def test_what_has_expired_is_cleared_away_in_small_steps(self, storage: Storage, ada: Contact) -> None:
        """
        No more at once than is said, of codes and of counters; then the rest, until nothing is left.
        """
        long_ago = datetime(1999, 12, 31, tzinfo=UTC)
        while storage.expire(long_ago + timedelta(days=1), 1000):
            pass
        storage.put_codes([code(ada.subject, expires_at=long_ago) for _ in range(5)])
        for _ in range(3):
            storage.count(key(), long_ago, long_ago)
        kept = code(ada.subject, expires_at=long_ago + TICK)
        storage.put_codes([kept])
        assert [2 + 2, 2 + 1, 1, 0] == [storage.expire(long_ago + TICK, 2) for _ in range(4)]
        assert storage.code(kept.key, long_ago + TICK) == kept
