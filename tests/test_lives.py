"""
Promises 1, 2, 4, 8, 9 and 15 over random lives of several people, against a plain model (`lives`).

Addresses are shared, changed, given up and erased; domains object and lists of objections are imported; servers have
clocks that are apart, and keys that are rotated under way. Found when it was written: a server whose clock was behind
the record refused a stop for a domain, and that someone had left an address, as told for the future.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from lives import Agreed, Model, Person, Stopped, drawn, lived, shortened
from services import POSTGRESQL
from stores import ON_DISK, made

from optly import Channel
from optly.storage import MemoryStorage


@pytest.mark.parametrize("seed", range(8))
def test_a_short_life(seed: int) -> None:
    """
    The gate says what the model says, after each step and on each server; nothing is sent over a stop, or twice.
    """
    lived(drawn(seed, 30), MemoryStorage())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 350))
def test_a_long_life(seed: int) -> None:
    """
    The same, with more to happen in it. The steps that are needed for a failure are shown.
    """
    steps = drawn(seed, 70)

    def fails(some: object) -> bool:
        try:
            lived(some, MemoryStorage())  # type: ignore[arg-type]
        except Exception:
            return True
        return False

    if fails(steps):
        lived(shortened(steps, fails), MemoryStorage())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1012))
@pytest.mark.parametrize("kind", [*ON_DISK, POSTGRESQL])
def test_a_life_in_a_store_that_lasts(kind: str, seed: int, tmp_path: Path) -> None:
    """
    The same in a file and in databases.
    """
    for storage in made(kind, tmp_path):
        lived(drawn(seed, 40), storage)


def test_the_model_itself() -> None:
    """
    It refuses what was stopped, of anyone who has the address, and allows what was agreed to since.
    """
    email, scope = "ann@example.com", (Channel.EMAIL, "offers")
    model = Model(people={who: Person(has={Channel.EMAIL: email}, had={email}) for who in ("ann", "bob")})
    assert not model.allows("ann", scope)
    model.log.append(Agreed("ann", scope, email, lifts=True))
    assert model.allows("ann", scope)
    model.log.append(Stopped("bob", Channel.EMAIL))
    assert not model.allows("ann", scope)
    model.log.append(Agreed("ann", scope, email, lifts=True))
    assert not model.allows("ann", scope)
    model.log.append(Agreed("bob", scope, email, lifts=True))
    assert model.allows("ann", scope)
    assert not model.allows("ann", (Channel.EMAIL, "news"))
