"""
Where a contact has two addresses of a kind, what is made for one of them is about that one.
"""

from __future__ import annotations

from typing import Any

import pytest
from world import EMAIL, PURPOSES, World, world

from optly import Act, Actor, Channel, Contact
from optly.contacts.addresses import EmailAddress
from optly.errors import MissingLineError, NotPermittedError
from optly.record.events import CommunicationMade
from optly.rules import RefusalCost

SECOND = "countess@example.com"
SAID: dict[str, Any] = {
    "shows_identity": True,
    "gives_stop_address": True,
    "offers_refusal": True,
    "refusal_cost": RefusalCost.FREE,
}


FIRST, PHONES, SECONDS = 1, 2, 3


@pytest.fixture
def here() -> World:
    """
    Somebody is on record who agreed to offers at her first address, and has a second.
    """
    here = world()
    ada = here.add()
    here.manager.record_consent(
        ada,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=PURPOSES[0].wording(here.manager.organisation, Channel.EMAIL),
        act=Act.TICKED_BOX,
        how="on her account page",
        at=here.clock(),
        actor=Actor.PERSON,
    )
    here.later()
    assert ada == here.add(email=SECOND)
    return here


def ada_of(here: World) -> Contact:
    ada = here.manager.find(EMAIL)
    assert ada is not None
    return ada


def test_a_communication_is_gated_and_recorded_on_the_line_that_is_used(here: World) -> None:
    """
    The consent is for the first line and for no other.
    """
    ada = ada_of(here)
    with pytest.raises(NotPermittedError):
        here.manager.record_communication(ada, Channel.EMAIL, "offers", line=SECONDS, **SAID)
    here.manager.record_communication(ada, Channel.EMAIL, "offers", line=FIRST, **SAID)
    made = here.manager.history(ada)[-1]
    assert isinstance(made, CommunicationMade)
    assert FIRST == made.line


@pytest.mark.parametrize(("line", "allowed"), [(FIRST, False), (SECONDS, True), (None, False)])
def test_a_stop_link_stops_the_line_it_was_made_for(here: World, line: int | None, allowed: bool) -> None:
    """
    Without a line it is the first.
    """
    stop = here.manager.unsubscribe_headers(ada_of(here), "offers", line=line)["List-Unsubscribe"]
    here.manager.stop_by_token(stop.strip("<>").rpartition("/")[2])
    assert allowed == here.allowed()


def test_a_link_shows_the_line_it_was_made_for(here: World) -> None:
    """
    So that whoever opens it sees whose page it is.
    """
    link = here.manager.link(ada_of(here), line=SECONDS)
    assert EmailAddress.parse(SECOND).masked == here.manager.open(link.rpartition("/")[2]).masked


@pytest.mark.parametrize("line", [PHONES, 9])
def test_a_line_that_the_channel_cannot_reach_is_none(here: World, line: int) -> None:
    """
    One is a telephone's and the other is nobody's.
    """
    ada, before = ada_of(here), here.manager.history(ada_of(here))
    with pytest.raises(MissingLineError):
        here.manager.record_communication(ada, Channel.EMAIL, "offers", line=line, **SAID)
    with pytest.raises(MissingLineError):
        here.manager.link(ada, line=line)
    with pytest.raises(MissingLineError):
        here.manager.unsubscribe_headers(ada, "offers", line=line)
    assert before == here.manager.history(ada)
