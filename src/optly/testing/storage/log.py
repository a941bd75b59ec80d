"""
The versions of an organisation's keys, and its log of sealed chains.
"""

from __future__ import annotations

import attrs
import pytest

from optly.errors import ConflictError
from optly.protocols import Storage, Suppression
from optly.record.ledger import Leaf, grow
from optly.testing.storage._base import NOW, TICK, Contact, Contract, checkpoint, key, seal


class LogContract(Contract):
    """
    What a store has to do with an organisation's keys and its log.
    """

    def test_the_versions_of_keys_are_remembered(self, storage: Storage, organisation: str) -> None:
        """
        Each once, by organisation.
        """
        assert storage.key_versions(organisation) == frozenset()
        for version in ("k1", "K1", "k2", "k1"):
            storage.add_key_version(organisation, version)
        storage.add_key_version(f"{organisation}2", "k3")
        assert storage.key_versions(organisation) == {"k1", "K1", "k2"}

    def test_a_key_brings_its_marks(self, storage: Storage, organisation: str) -> None:
        """
        They are found like other suppressions, each scope by itself; a repeat is harmless and keeps the later instant.
        """
        one, other = key(), key()
        marks = [
            Suppression(idkey=one, scope="key/k2", at=NOW, key_version="k2"),
            Suppression(idkey=other, scope="key/k2", at=NOW, key_version="k2"),
        ]
        storage.add_key_version(organisation, "k1")
        storage.add_key_version(organisation, "k2", marks)
        assert set(marks) == set(storage.find([one, other]).suppressions)
        storage.add_key_version(organisation, "k2", [attrs.evolve(marks[0], at=NOW + TICK)])
        storage.add_key_version(organisation, "k3", [attrs.evolve(marks[0], scope="key/k3", key_version="k3")])
        assert {("key/k2", "k2", NOW + TICK), ("key/k3", "k3", NOW)} == {
            (row.scope, row.key_version, row.at) for row in storage.find([one]).suppressions
        }
        assert storage.key_versions(organisation) == {"k1", "k2", "k3"}

    def test_a_chain_that_grew_is_unsealed_until_it_is_sealed(
        self, storage: Storage, ada: Contact, eve: Contact
    ) -> None:
        """
        And again after it has grown once more; no more are returned than the limit.
        """
        organisation = ada.organisation
        other = Contact(f"{organisation}2")
        storage.append([ada.commit(), eve.commit(), other.commit()])
        assert {ada.leaf, eve.leaf} == set(storage.unsealed(organisation, 9))
        assert len(storage.unsealed(organisation, 1)) == 1
        seal(storage, organisation)
        assert list(storage.unsealed(organisation, 9)) == []
        assert [other.leaf] == list(storage.unsealed(other.organisation, 9))
        storage.append([ada.commit(events=2)])
        assert [ada.leaf] == list(storage.unsealed(organisation, 9))

    def test_a_chain_that_grew_while_it_was_sealed_stays_unsealed(self, storage: Storage, ada: Contact) -> None:
        """
        The leaf that was sealed is in the log, and the rest is sealed next time.
        """
        storage.append([ada.commit()])
        leaves = list(storage.unsealed(ada.organisation, 9))
        storage.append([ada.commit()])
        edge = grow((), 0, [leaf.hash(ada.organisation) for leaf in leaves])
        storage.seal(ada.organisation, leaves, edge, checkpoint(ada.organisation, 1, edge), 0)
        assert [ada.leaf] == list(storage.unsealed(ada.organisation, 9))
        assert leaves == list(storage.log_leaves(ada.organisation, 1))

    def test_the_log_keeps_its_leaves_in_order(self, storage: Storage, organisation: str) -> None:
        """
        They give the root of the checkpoint, and the edge continues from there.
        """
        contacts = [Contact(organisation) for _ in range(7)]
        assert storage.log_head(organisation) is None
        assert list(storage.log_leaves(organisation, 0)) == []
        sealed: list[Leaf] = []
        for round_ in range(4):
            storage.append([contact.commit() for contact in contacts[round_:]])
            sealed += seal(storage, organisation, 5)
        head = storage.log_head(organisation)
        assert head is not None
        leaves = list(storage.log_leaves(organisation, head[0].size))
        assert sealed == leaves
        assert sealed[:6] == list(storage.log_leaves(organisation, 6))
        edge = grow((), 0, [leaf.hash(organisation) for leaf in leaves])
        assert (checkpoint(organisation, len(leaves), edge), list(edge)) == (head[0], list(head[1]))

    def test_the_latest_leaf_of_a_contact_is_found(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        By organisation; None for a contact that was never sealed.
        """
        organisation = ada.organisation
        storage.append([ada.commit()])
        assert storage.sealed(organisation, ada.subject) is None
        seal(storage, organisation)
        storage.append([ada.commit()])
        seal(storage, organisation)
        storage.append([eve.commit()])
        found = storage.sealed(organisation, ada.subject)
        assert found is not None
        assert (1, ada.leaf) == (found.index, found.leaf)
        assert storage.sealed(organisation, eve.subject) is None
        assert storage.sealed(f"{organisation}2", ada.subject) is None

    def test_a_sealer_that_was_too_slow_is_refused(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        The log does not fork, and what was to be sealed is still unsealed.
        """
        organisation = ada.organisation
        storage.append([ada.commit()])
        seal(storage, organisation)
        before = storage.log_head(organisation)
        storage.append([eve.commit()])
        for previous in (0, 2):
            edge = grow((), 0, [eve.leaf.hash(organisation)])
            with pytest.raises(ConflictError):
                storage.seal(organisation, [eve.leaf], edge, checkpoint(organisation, previous + 1, edge), previous)
        assert before == storage.log_head(organisation)
        assert [eve.leaf] == list(storage.unsealed(organisation, 9))
        assert [ada.leaf] == list(storage.log_leaves(organisation, 9))
        assert storage.sealed(organisation, eve.subject) is None

    def test_a_head_is_signed_anew_without_a_leaf(self, storage: Storage, ada: Contact) -> None:
        """
        After the key has changed, for example.
        """
        storage.append([ada.commit()])
        seal(storage, ada.organisation)
        head = storage.log_head(ada.organisation)
        assert head is not None
        again = attrs.evolve(head[0], note="another signature — Ä\n")
        storage.seal(ada.organisation, [], head[1], again, 1)
        assert (again, head[1]) == storage.log_head(ada.organisation)
