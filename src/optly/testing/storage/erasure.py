"""
What an erasure removes, what it keeps, and the release of an address.
"""

from __future__ import annotations

from optly.contacts import Channel
from optly.protocols import MessageState, Storage
from optly.testing.storage import _base as base
from optly.testing.storage._base import Contact, Contract


class ErasureContract(Contract):
    """
    What a store has to erase, and what it has to keep.
    """

    def test_forgetting_leaves_the_proof_and_the_stop(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Values, idkeys, codes and messages of the contact are erased. The chain, the suppressions, what the same change
        adds, and all other contacts stay.
        """
        mine, hers, shared, new = (base.key() for _ in range(4))
        codes = [base.code(ada.subject), base.code(eve.subject)]
        kept = ada.message()
        settled, claimed = ada.message(), ada.message()
        storage.append(
            [
                ada.commit(
                    identifiers=[ada.identifier(mine), ada.identifier(shared)],
                    references=[ada.reference(mine)],
                    queue=[ada.message(), settled, claimed],
                    suppressions=[base.stop(mine)],
                ),
                eve.commit(
                    identifiers=[eve.identifier(hers), eve.identifier(shared)],
                    queue=[eve.message(base.NOW + base.TICK)],
                ),
            ]
        )
        storage.put_codes(codes)
        sending = storage.claim([base.claim_of(settled), base.claim_of(claimed)], base.NOW, base.NOW)
        storage.settle([base.settlement(message) for message in sending if message.message == settled.message])
        entries = list(storage.entries(ada.subject))
        last = ada.commit(
            forget=True,
            identifiers=[ada.identifier(new)],
            queue=[kept],
            suppressions=[base.stop(mine, base.NOW + base.TICK, "*/*")],
        )
        storage.append([last])

        assert last.openings == base.values_of(storage, ada.subject)
        assert [*entries, *last.entries] == list(storage.entries(ada.subject))
        assert base.problems(storage, ada.organisation, ada.subject) == ()
        found = storage.find([mine, hers, shared, new])
        left = {hers: [eve.identifier(hers)], shared: [eve.identifier(shared)], new: [ada.identifier(new)]}
        assert left == found.holders
        assert storage.referred([mine]) == {}
        assert sorted(row.scope for row in found.suppressions) == ["*/*", "email/offers"]
        assert [storage.code(row.key, base.NOW) for row in codes] == [None, codes[1]]
        assert [kept.message] == [row.message for row in storage.due(ada.organisation, Channel.EMAIL, base.NOW, 9)]
        assert storage.backlog(ada.organisation) == {MessageState.QUEUED: 2}
        assert list(storage.overdue(ada.organisation, base.NOW + base.TICK, 9)) == []
        assert set(base.values_of(storage, eve.subject)) == {"line_1"}

    def test_a_released_address_is_free(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Its contact holds it no longer, and others do; another contact's address cannot be released.
        """
        first, second = base.key(), base.key()
        storage.append([ada.commit(identifiers=[ada.identifier(first), ada.identifier(second)])])
        storage.append([eve.commit(release=[first])])
        assert storage.find([first]).holders == {first: [ada.identifier(first)]}
        storage.append([ada.commit(release=[first])])
        assert storage.find([first]).holders == {}
        storage.append([eve.commit(identifiers=[eve.identifier(first)])])
        storage.append([eve.commit(identifiers=[eve.identifier(second)]), ada.commit(release=[second])])
        assert {first: [eve.identifier(first)], second: [eve.identifier(second)]} == storage.find(
            [first, second]
        ).holders
