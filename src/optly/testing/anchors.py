"""
What every anchor has to hold to.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache

import pytest

from optly.errors import RetryableError
from optly.keys import Keys
from optly.protocols import Anchor
from optly.record.checkpoints import origin, sign

_KEYS = Keys(current="a key that is only used in tests")
_NAME = origin("https://acme.example.com/my", "acme", bytes(8))


@cache
def note(size: int) -> str:
    """
    Return a checkpoint of a log of *size* leaves, the same each time.
    """
    return sign(_KEYS, _NAME, size, bytes(32), datetime(2026, 11, 24, tzinfo=UTC)).note


class AnchorContract:
    """
    Tests for the author of an anchor. Subclass it and say how your anchor is made::

        class TestStoneAnchor(AnchorContract):
            secrets = ["the chisel"]

            @pytest.fixture
            def anchor(self):
                return StoneAnchor(quarry, tool="the chisel")

            @pytest.fixture
            def cut_off(self):
                return StoneAnchor(flooded_quarry, tool="the chisel")

    Attributes:
        secrets: What the anchor was given and must not show.
    """

    secrets: Sequence[str] = ()

    @pytest.fixture
    def anchor(self) -> Anchor:
        """
        An anchor that holds nothing yet.
        """
        raise NotImplementedError("override the fixture anchor")

    @pytest.fixture
    def cut_off(self) -> Anchor:
        """
        An anchor whose place cannot be reached.
        """
        raise NotImplementedError("override the fixture cut_off")

    def test_it_satisfies_the_protocol(self, anchor: Anchor) -> None:
        """
        And has a name.
        """
        assert isinstance(anchor, Anchor)
        assert anchor.name

    def test_it_begins_empty(self, anchor: Anchor) -> None:
        """
        Which is not an error.
        """
        assert anchor.latest() is None

    def test_it_returns_what_was_published_last(self, anchor: Anchor) -> None:
        """
        As it was, also if it was published before, and is of any length that a checkpoint may have.
        """
        long = note(7) + "".join(f"— witness.example/{number} {'A' * 4000}\n" for number in range(16))
        for each in (note(1), note(2), note(2), long, note(10**12)):
            anchor.publish(each)
            assert anchor.latest() == each

    def test_threads_may_share_it(self, anchor: Anchor) -> None:
        """
        What it holds afterwards is whole, and one of those that were published.
        """
        notes = [note(size) for size in range(1, 25)]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(anchor.publish, notes))
        assert anchor.latest() in notes

    def test_a_place_that_cannot_be_reached_raises(self, cut_off: Anchor) -> None:
        """
        Rather than pretending that it holds nothing, or that it has kept what it was given.
        """
        with pytest.raises((OSError, RetryableError)):
            cut_off.latest()
        with pytest.raises((OSError, RetryableError)):
            cut_off.publish(note(1))

    def test_closing_twice_is_harmless(self, anchor: Anchor) -> None:
        """
        The second time does nothing.
        """
        anchor.close()
        anchor.close()

    def test_it_shows_no_secret(self, anchor: Anchor) -> None:
        """
        Neither in its repr nor in its str.
        """
        assert not [secret for secret in self.secrets if secret in f"{anchor!r}{anchor}"]
