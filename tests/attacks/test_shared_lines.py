"""
Stops that come through an address of several people.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from world import EMAIL, EMAIL_OFFERS, PHONE, SMS_OFFERS, world

from optly import Act, Actor, Channel, Subscriber, Through, Wording

WORDS = Wording(text="I would like Acme Ltd to send me offers and discounts on its products by email.")


@pytest.mark.parametrize("shared", [False, True])
def test_an_imported_objection_stops_what_it_names_whoever_shares_the_address(shared: bool) -> None:
    """
    Promise 1: a request that names a channel which does not reach the address it came with is not lost because
    another person has that address too.
    """
    w = world()
    ada = w.add()
    if shared:
        w.manager.add_contact(name="Bob", phone=PHONE, subscriber=Subscriber.INDIVIDUAL)
    w.manager.record_consent(
        ada,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=WORDS,
        act=Act.TICKED_BOX,
        how="paper form",
        at=w.clock() - timedelta(days=1),
        actor=Actor.PERSON,
    )
    assert w.manager.check(ada, *EMAIL_OFFERS)
    imported = w.manager.import_objections(
        [PHONE],
        Channel.SMS,
        channels=[Channel.EMAIL, Channel.SMS],
        through=Through.FUNDRAISING_PREFERENCE_SERVICE,
        how="requests of November",
    )
    assert imported.recorded == 1
    for who, (channel, purpose) in ((ada, EMAIL_OFFERS), (EMAIL, EMAIL_OFFERS), (ada, SMS_OFFERS), (PHONE, SMS_OFFERS)):
        assert not w.manager.check(who, channel, purpose)
