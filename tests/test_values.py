"""
What cannot be read back is never written: a contact can always be checked, stopped and erased.
"""

from __future__ import annotations

from typing import Any

import pytest
from world import EMAIL, World, world

from optly import Act, Channel, Manner, OptlyError, Wording

WORDING = Wording(text="May Acme Ltd email you about offers?")

# What a CSV file or a column of a database gives for a flag or a choice.
FLAGS: list[Any] = [0, 1, "yes", "no", "true", "", 0.0]
CHOICES: list[Any] = ["limited company", "Individual", "", 5, None, True]


def _usable(w: World) -> None:
    """
    Check, stop and erase whoever has the address, if they are on record.
    """
    assert not w.manager.check(EMAIL, Channel.EMAIL, "offers")
    assert [bool(decision) for decision in w.manager.screen([EMAIL], Channel.EMAIL, "offers")] == [False]
    ada = w.manager.find(EMAIL)
    if ada is not None:
        w.manager.history(ada)
        w.manager.record_objection(ada)
        w.manager.erase(ada)
        assert w.manager.verify()


@pytest.mark.parametrize("subscriber", CHOICES, ids=repr)
def test_a_subscriber_that_there_is_not_is_not_written(subscriber: Any) -> None:
    """
    Nobody is on record with it, and the address can be added as it should be.
    """
    w = world()
    with pytest.raises(OptlyError):
        w.manager.add_contact(email=EMAIL, subscriber=subscriber)
    assert w.manager.find(EMAIL) is None
    w.add()
    _usable(w)


@pytest.mark.parametrize("flag", FLAGS, ids=repr)
@pytest.mark.parametrize("name", ["refusal_offered", "refused", "in_sale"])
def test_a_flag_that_is_none_is_not_written(name: str, flag: Any) -> None:
    """
    A soft opt-in with 1 or "no" for a flag is refused.
    """
    w = world()
    ada = w.add()
    facts: dict[str, Any] = {"refusal_offered": True, name: flag}
    with pytest.raises(OptlyError):
        w.manager.record_soft_opt_in(
            ada, channels=["email"], similar_purposes=["offers"], goods="bicycles", at=w.clock(), **facts
        )
    _usable(w)


MANNERS: list[dict[str, Any]] = [{"collected_by": None}, {"bundled": "no"}, {"of_age": 1}]


@pytest.mark.parametrize("facts", MANNERS, ids=str)
def test_a_manner_that_cannot_be_read_is_not_written(facts: dict[str, Any]) -> None:
    """
    Nor is the consent it was told of.
    """
    w = world()
    ada = w.add()
    with pytest.raises(OptlyError):
        w.manager.record_consent(
            ada, channels=["email"], purposes=["offers"], wording=WORDING, act=Act.TICKED_BOX, how="paper form",
            at=w.clock(), manner=Manner(**facts),
        )  # fmt: skip
    _usable(w)
