"""
Where a contact has two addresses of a kind, what is made for one of them is about that one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stores import STORES, opened
from world import EMAIL, EMAIL_OFFERS, PURPOSES, World, world

from optly import Act, Actor, Channel, Contact, Solicited, Subscriber, Wording
from optly.contacts.addresses import EmailAddress
from optly.errors import AmbiguousLineError, MissingLineError, NotPermittedError
from optly.record.events import CommunicationMade, Engagement
from optly.rules import Reason, RefusalCost

SECOND = "countess@example.com"
SAID: dict[str, Any] = {
    "shows_identity": True,
    "gives_stop_address": True,
    "offers_refusal": True,
    "refusal_cost": RefusalCost.FREE,
}


FIRST, PHONES, SECONDS = 1, 2, 3


def agreed(here: World, address: str) -> None:
    """
    Have her agree to offers at an address of hers.
    """
    here.manager.record_consent(
        ada_of(here),
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=PURPOSES[0].wording(here.manager.organisation, Channel.EMAIL),
        act=Act.TICKED_BOX,
        how="on her account page",
        at=here.clock(),
        actor=Actor.PERSON,
        email=address,
    )


def world_with_two_lines() -> World:
    """
    Somebody is on record who agreed to offers at her first address, and has a second.
    """
    here = world()
    ada = here.add()
    agreed(here, EMAIL)
    here.later()
    here.manager.add_line(ada, email=SECOND)
    return here


@pytest.fixture
def here() -> World:
    return world_with_two_lines()


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


@pytest.mark.parametrize(("line", "allowed"), [(FIRST, False), (SECONDS, True)])
def test_a_stop_link_stops_the_line_it_was_made_for(here: World, line: int, allowed: bool) -> None:
    """
    And not the other.
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


def test_a_choice_is_about_the_line_it_was_made_through(here: World) -> None:
    """
    Of several of a kind, the one whose link was opened: a yes there, and a no, change nothing of the others.
    """
    ada = ada_of(here)
    through = here.manager.link(ada, line=SECONDS).rpartition("/")[2]
    for answer in (True, False):
        here.later()
        here.manager.choose(through, {EMAIL_OFFERS: answer})
        allowed = [here.manager.check(ada, *EMAIL_OFFERS, line=line).allowed for line in (FIRST, SECONDS)]
        assert [True, answer] == allowed


def test_a_yes_that_is_repeated_lifts_what_an_erasure_left(here: World) -> None:
    """
    Somebody else who had the address was erased, which stops it for all; the yes on the page is newer.
    """
    ada = ada_of(here)
    other = here.manager.add_contact(reference="other", name="Eve", email=EMAIL, subscriber=Subscriber.INDIVIDUAL)
    here.later()
    here.manager.erase(other)
    here.later()
    assert not here.manager.check(ada, *EMAIL_OFFERS, line=FIRST)
    here.manager.choose(here.manager.link(ada, line=FIRST).rpartition("/")[2], {EMAIL_OFFERS: True})
    assert here.manager.check(ada, *EMAIL_OFFERS, line=FIRST)


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


def acts(here: World, **line: Any) -> dict[str, Callable[[], object]]:
    """
    Return everything that is bound to one of the lines of a contact, by the name of its method.
    """
    manager, ada, wording = here.manager, ada_of(here), Wording(text="May Acme Ltd email me offers?")
    collected: dict[str, Any] = {"channels": [Channel.EMAIL], "at": here.clock(), "refusal_offered": True, **line}
    return {
        "request_consent": lambda: manager.request_consent(
            ada,
            via=Channel.EMAIL,
            channels=[Channel.EMAIL],
            purposes=["offers"],
            basis=Solicited(how="form", at=here.clock()),
            **line,
        ),
        "record_consent": lambda: manager.record_consent(
            ada,
            channels=[Channel.EMAIL],
            purposes=["offers"],
            wording=wording,
            act=Act.TICKED_BOX,
            how="paper",
            at=here.clock(),
            **line,
        ),
        "record_soft_opt_in": lambda: manager.record_soft_opt_in(
            ada, similar_purposes=["offers"], goods="bicycles", **collected
        ),
        "record_charity_soft_opt_in": lambda: manager.record_charity_soft_opt_in(
            ada, engagement=Engagement.SUPPORT, **collected
        ),
        "check": lambda: manager.check(ada, Channel.EMAIL, "offers", **line),
        "send": lambda: manager.send(ada, Channel.EMAIL, "offers", "Hello", **line),
        "record_communication": lambda: manager.record_communication(ada, Channel.EMAIL, "offers", **line, **SAID),
        "link": lambda: manager.link(ada, **line),
        "unsubscribe_headers": lambda: manager.unsubscribe_headers(ada, "offers", **line),
        "restore_line": lambda: manager.restore_line(ada, Channel.EMAIL, how="rang them", **line),
    }


@pytest.mark.parametrize("method", sorted(acts(world_with_two_lines())))
def test_an_act_names_its_line_where_there_are_several(here: World, method: str) -> None:
    """
    By its number or by its value; without either nothing happens.
    """
    before = here.manager.history(ada_of(here))
    with pytest.raises(AmbiguousLineError):
        acts(here)[method]()
    with pytest.raises(MissingLineError):
        acts(here, email="nobody@example.com")[method]()
    assert before == here.manager.history(ada_of(here))
    acts(here, line=FIRST)[method]()
    acts(here, email=EMAIL.upper())[method]()


@pytest.mark.parametrize("stop", ["withdraw", "record_objection"])
def test_a_stop_that_names_no_line_stops_them_all(here: World, stop: str) -> None:
    """
    One that names a line stops that one.
    """
    ada = ada_of(here)
    agreed(here, SECOND)
    getattr(here.manager, stop)(ada, email=SECOND)
    assert [True, False] == [bool(here.manager.check(address, Channel.EMAIL, "offers")) for address in (EMAIL, SECOND)]
    getattr(here.manager, stop)(ada)
    assert [False, False] == [bool(here.manager.check(address, Channel.EMAIL, "offers")) for address in (EMAIL, SECOND)]


def test_consent_of_a_new_address_does_not_land_on_the_old(here: World) -> None:
    """
    Nor a soft opt-in, nor a question.
    """
    ada = ada_of(here)
    here.manager.withdraw(ada, email=EMAIL)
    here.later()
    agreed(here, SECOND)
    assert [False, True] == [bool(here.manager.check(address, Channel.EMAIL, "offers")) for address in (EMAIL, SECOND)]
    asked = here.manager.request_consent(
        ada,
        via=Channel.EMAIL,
        channels=[Channel.EMAIL],
        purposes=["news"],
        basis=Solicited(how="form", at=here.clock()),
        email=SECOND,
    )
    assert (SECONDS, [SECONDS]) == (asked.line, [choice.line for choice in asked.choices])
    here.manager.deliver()
    assert SECOND == here.emails.outbox[-1].to


def test_a_new_address_replaces_the_one_that_is_named(here: World) -> None:
    """
    Where there are several, one has to be named, and the other stays.
    """
    ada = ada_of(here)
    with pytest.raises(AmbiguousLineError):
        here.manager.change_details(ada, email="third@example.com")
    here.manager.change_details(ada, email="third@example.com", replaces=SECONDS)
    assert here.manager.find(EMAIL) == ada
    assert here.manager.find(SECOND) is None
    assert here.manager.find("third@example.com") == ada


def test_an_address_replaces_no_line_of_another_kind(here: World) -> None:
    """
    The contact would have both of them, and whoever named the line meant otherwise.
    """
    ada = ada_of(here)
    standing = here.manager.standing(ada)
    with pytest.raises(MissingLineError):
        here.manager.change_details(ada, phone="+447911123499", replaces=SECONDS)
    assert standing == here.manager.standing(ada)


@pytest.mark.parametrize("store", STORES)
def test_an_address_that_was_given_up_and_taken_back_is_still_hers(store: str, tmp_path: Path) -> None:
    """
    To leave it as it was before frees nothing: her objection stands there. To leave it now frees it.
    """
    here = world(opened(store, tmp_path))
    with here.manager:
        ada = here.add()
        here.manager.record_objection(ada)
        for address in (SECOND, EMAIL):
            here.manager.change_details(ada, email=address)
            here.later()
        here.manager.leave_line(ada, line=FIRST, how="the mailbox was closed for a while")
        assert (ada,) == here.manager.holders(EMAIL)
        bob = here.manager.add_contact(name="Bob", email=EMAIL)
        assert Reason.OBJECTED_BY_HOLDER is here.manager.check(bob, Channel.EMAIL, "offers").reason
        here.manager.leave_line(ada, email=EMAIL, how="the mailbox is Bob's now")
        assert (bob,) == here.manager.holders(EMAIL)
        assert Reason.NO_CONSENT is here.manager.check(bob, Channel.EMAIL, "offers").reason
