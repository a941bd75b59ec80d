"""
The versions of an organisation's keys, and its log of sealed chains.
"""

from __future__ import annotations

import attrs
import pytest

from optly.errors import ConflictError
from optly.protocols import SealedLeaf, Storage, Suppression
from optly.record.ledger import Leaf
from optly.record.merkle import WIDTH, leaf_hash, root
from optly.testing.storage._base import NOW, SECRET, TICK, Contact, Contract, grown, key, seal


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
        head, tiles = grown(storage, ada.organisation, leaves, 0)
        storage.append([ada.commit()])
        storage.seal(ada.organisation, head, leaves, tiles, 0)
        assert [ada.leaf] == list(storage.unsealed(ada.organisation, 9))
        assert leaves == [sealed.leaf for sealed in storage.log_leaves(ada.organisation, 0, 1)]

    def test_the_log_keeps_its_leaves_in_order(self, storage: Storage, organisation: str) -> None:
        """
        They are read from any position, so many at a time, and not those of another organisation.
        """
        contacts = [Contact(organisation) for _ in range(7)]
        assert storage.log_head(organisation) is None
        assert list(storage.log_leaves(organisation, 0, 9)) == []
        sealed: list[Leaf] = []
        for round_ in range(4):
            storage.append([contact.commit() for contact in contacts[round_:]])
            sealed += seal(storage, organisation, 5)
        everything = [SealedLeaf(index=index, leaf=leaf) for index, leaf in enumerate(sealed)]
        assert len(everything) > 9
        assert everything == list(storage.log_leaves(organisation, 0, 99))
        assert everything[2:6] == list(storage.log_leaves(organisation, 2, 4))
        assert everything[-1:] == list(storage.log_leaves(organisation, len(everything) - 1, 4))
        assert list(storage.log_leaves(organisation, len(everything), 9)) == []
        assert list(storage.log_leaves(f"{organisation}2", 0, 9)) == []

    def test_a_tile_grows_until_it_is_full(self, storage: Storage, organisation: str) -> None:
        """
        The hashes in the tiles are those of the leaves, across the limit of a tile and beyond; what is not there is not
        returned.
        """
        contacts = [Contact(organisation) for _ in range(WIDTH + 2)]
        storage.append([contact.commit() for contact in contacts])
        sealed: list[Leaf] = []
        for limit in (WIDTH - 1, 1, 1, 1):
            sealed += seal(storage, organisation, limit)
            tiles = {tile.place: tile.data for tile in storage.tiles(organisation, [(1, 0), (0, 1), (0, 0), (0, 2)])}
            hashes = [leaf_hash(leaf.entry(organisation, leaf.blind(SECRET))) for leaf in sealed]
            assert b"".join(hashes) == tiles[0, 0] + tiles.get((0, 1), b"")
            assert ((0, 1) in tiles, (1, 0) in tiles) == (len(sealed) > WIDTH, len(sealed) >= WIDTH)
            head = storage.log_head(organisation)
            assert head is not None
            assert head.checkpoint.root == root(tiles, (0, len(sealed)))
        assert list(storage.tiles(f"{organisation}2", [(0, 0)])) == []

    def test_the_leaves_of_a_contact_are_found(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        By organisation, in order; none for a contact that was never sealed.
        """
        organisation = ada.organisation
        storage.append([ada.commit()])
        assert storage.sealed(organisation, [ada.subject]) == {}
        (first,) = seal(storage, organisation)
        storage.append([ada.commit()])
        (second,) = seal(storage, organisation)
        storage.append([eve.commit()])
        expected = [SealedLeaf(index=0, leaf=first), SealedLeaf(index=1, leaf=second)]
        assert {ada.subject: expected} == storage.sealed(organisation, [ada.subject, eve.subject])
        assert storage.sealed(f"{organisation}2", [ada.subject]) == {}
        (third,) = seal(storage, organisation)
        expected_of_eve = [SealedLeaf(index=2, leaf=third)]
        leaves = storage.sealed(organisation, [eve.subject, key(), ada.subject])
        assert {ada.subject: expected, eve.subject: expected_of_eve} == leaves
        assert storage.sealed(organisation, []) == {}

    def test_a_sealer_that_was_too_slow_is_refused(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        The log does not fork, and what was to be sealed is still unsealed.
        """
        organisation = ada.organisation
        storage.append([ada.commit()])
        seal(storage, organisation)
        before = storage.log_head(organisation)
        tiles_before = list(storage.tiles(organisation, [(0, 0)]))
        storage.append([eve.commit()])
        for previous in (0, 2):
            head, tiles = grown(storage, organisation, [eve.leaf], previous)
            with pytest.raises(ConflictError):
                storage.seal(organisation, head, [eve.leaf], tiles, previous)
        assert before == storage.log_head(organisation)
        assert tiles_before == list(storage.tiles(organisation, [(0, 0)]))
        assert [eve.leaf] == list(storage.unsealed(organisation, 9))
        assert [ada.leaf] == [sealed.leaf for sealed in storage.log_leaves(organisation, 0, 9)]
        assert storage.sealed(organisation, [eve.subject]) == {}

    def test_a_head_is_signed_anew_without_a_leaf(self, storage: Storage, ada: Contact) -> None:
        """
        After the key has changed, for example.
        """
        storage.append([ada.commit()])
        seal(storage, ada.organisation)
        head = storage.log_head(ada.organisation)
        assert head is not None
        again = attrs.evolve(head, checkpoint=attrs.evolve(head.checkpoint, note="another signature — Ä\n"))
        storage.seal(ada.organisation, again, [], [], 1)
        assert again == storage.log_head(ada.organisation)
