"""
A rulebook is pluggable: a second one, of another country, decides in place of the first.
"""

from __future__ import annotations

from typing import Any

import pytest
from rules.canspam import EDITION, CanSpam
from rules.direct import communication, consent, stop

from optly.contacts.addresses import Channel
from optly.record.consent import Standing
from optly.rules import UKPECR, Duty, MessageKind, Reason, Rulebook

RULES: Rulebook = CanSpam(postal_address="1 High Street, Leeds LS1 1AA")


def test_it_asks_for_no_where_the_united_kingdom_asks_for_yes() -> None:
    """
    The same message to somebody who said nothing.
    """
    asked = communication(Channel.EMAIL)
    decision = RULES.assess(asked, Standing())
    assert decision.allowed
    assert (decision.reason, decision.edition) == (Reason.NO_OBJECTION, EDITION)
    assert decision.duties == (Duty.SHOW_IDENTITY, Duty.GIVE_STOP_ADDRESS)
    assert not UKPECR().assess(asked, Standing())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shows_identity": None}, Reason.IDENTITY_CONCEALED),
        ({"gives_stop_address": None}, Reason.NO_STOP_ADDRESS),
        ({"kind": MessageKind.SERVICE, "promotional": False}, Reason.SERVICE),
        ({"kind": MessageKind.SERVICE}, Reason.NO_OBJECTION),
        ({"kind": MessageKind.SERVICE, "promotional": True}, Reason.NO_OBJECTION),
    ],
)
def test_it_looks_at_what_the_message_shows(changes: dict[str, Any], reason: Reason) -> None:
    """
    And a fact that is missing refuses.
    """
    assert RULES.assess(communication(Channel.EMAIL, **changes), Standing()).reason is reason


def test_it_needs_a_postal_address() -> None:
    """
    It is a setting of the rulebook, as every message carries the same.
    """
    assert not CanSpam(postal_address=" ").assess(communication(Channel.EMAIL), Standing())


def test_a_stop_wins_under_it_too() -> None:
    """
    Until the person themselves lifts it.
    """
    asked = communication(Channel.EMAIL)
    stopped = Standing(stops=(stop(),))
    assert RULES.assess(asked, stopped).evidence == (9,)
    assert RULES.assess(asked, stopped).reason is Reason.OBJECTED
    assert not RULES.assess(asked, Standing(stops=(stop(seq=None),)))
    assert RULES.assess(asked, Standing(stops=(stop(),), consents=(consent(Channel.EMAIL, at=asked.at),)))


@pytest.mark.parametrize("channel", [channel for channel in Channel if channel is not Channel.EMAIL])
def test_what_it_does_not_decide_it_refuses(channel: Channel) -> None:
    """
    Texts and calls are the business of another act.
    """
    assert RULES.assess(communication(channel), Standing()).reason is Reason.NOT_COVERED
