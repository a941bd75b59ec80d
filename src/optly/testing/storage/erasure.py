"""
What an erasure removes, what it keeps, and the release of an address.
"""

from __future__ import annotations

from optly.contacts import Channel
from optly.protocols import MessageState, Storage
from optly.testing.storage._base import (
    NOW,
    TICK,
    Contact,
    Contract,
    claim_of,
    code,
    key,
    problems,
    settlement,
    stop,
    values_of,
)


class ErasureContract(Contract):
    """
    What a store has to erase, and what it has to keep.
    """

    def test_forgetting_leaves_the_proof_and_the_stop(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Values, idkeys, codes and messages of the contact are erased. The chain, the suppressions, what the same change
        adds, and all other contacts stay.
        """
        mine, hers, new = key(), key(), key()
        codes = [code(ada.subject), code(eve.subject)]
        kept = ada.message()
        settled, claimed = ada.message(), ada.message()
        storage.append(
            [
                ada.commit(
                    identifiers=[ada.identifier(mine)],
                    queue=[ada.message(), settled, claimed],
                    suppressions=[stop(mine)],
                ),
                eve.commit(identifiers=[eve.identifier(hers)], queue=[eve.message(NOW + TICK)]),
            ]
        )
        storage.put_codes(codes)
        sending = storage.claim([claim_of(settled), claim_of(claimed)], NOW, NOW)
        storage.settle([settlement(message) for message in sending if message.message == settled.message])
        entries = list(storage.entries(ada.subject))
        last = ada.commit(
            forget=True, identifiers=[ada.identifier(new)], queue=[kept], suppressions=[stop(mine, NOW + TICK, "*/*")]
        )
        storage.append([last])

        assert last.openings == values_of(storage, ada.subject)
        assert [*entries, *last.entries] == list(storage.entries(ada.subject))
        assert problems(storage, ada.organisation, ada.subject) == ()
        found = storage.find([mine, hers, new])
        assert {hers: eve.subject, new: ada.subject} == {name: row.subject for name, row in found.identifiers.items()}
        assert sorted(row.scope for row in found.suppressions) == ["*/*", "email/offers"]
        assert [storage.code(row.key, NOW) for row in codes] == [None, b"target"]
        assert [kept.message] == [row.message for row in storage.due(ada.organisation, Channel.EMAIL, NOW, 9)]
        assert storage.backlog(ada.organisation) == {MessageState.QUEUED: 2}
        assert list(storage.overdue(ada.organisation, NOW + TICK, 9)) == []
        assert set(values_of(storage, eve.subject)) == {"line_1"}

    def test_a_released_address_is_free(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Another contact may take it, in the same call too; another contact's address cannot be released.
        """
        first, second = key(), key()
        storage.append([ada.commit(identifiers=[ada.identifier(first), ada.identifier(second)])])
        storage.append([eve.commit(release=[first])])
        assert storage.find([first]).identifiers == {first: ada.identifier(first)}
        storage.append([ada.commit(release=[first])])
        assert storage.find([first]).identifiers == {}
        storage.append([eve.commit(identifiers=[eve.identifier(first)])])
        storage.append([eve.commit(identifiers=[eve.identifier(second)]), ada.commit(release=[second])])
        assert {first: eve.identifier(first), second: eve.identifier(second)} == storage.find(
            [first, second]
        ).identifiers
