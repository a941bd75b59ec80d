"""
Calls that meet: what one reads has changed before it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from world import EMAIL, PHONE, world

from optly.protocols import Reference
from optly.storage import MemoryStorage


class Interrupted(MemoryStorage):
    """
    A store in which another writer is faster: it acts before the next look-up of a reference.
    """

    other: Callable[[], object] | None = None

    def referred(self, idkeys: Sequence[bytes]) -> Mapping[bytes, Reference]:
        other, self.other = self.other, None
        if other is not None:
            other()
        return super().referred(idkeys)


@pytest.mark.parametrize("details", [{"name": "Ada", "email": EMAIL}, {"name": "", "phone": PHONE}])
def test_two_calls_at_once_add_one_contact(details: dict[str, Any]) -> None:
    """
    Promise 10: also when the other has written between the two look-ups of this one.
    """
    storage = Interrupted()
    w = world(storage=storage)
    added = []
    storage.other = lambda: added.append(w.manager.add_contact(**details))
    contact = w.manager.add_contact(**details)
    assert added == [contact]


def test_a_contact_whose_details_have_changed_since_is_not_taken_for_a_new_one() -> None:
    """
    Promise 16: whoever was added under the same details may be somebody else by now.
    """
    w = world()
    ada = w.manager.add_contact(name="Ada", email=EMAIL)
    w.manager.change_details(ada, name="Grace")
    other = w.manager.add_contact(name="Ada", email=EMAIL)
    assert other != ada
    assert w.manager.add_contact(name="Ada", email=EMAIL) == other
