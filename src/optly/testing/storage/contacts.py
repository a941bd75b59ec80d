"""
What is recorded of contacts: their chains, personal values, addresses, suppressions and wordings.
"""

from __future__ import annotations

import os
from itertools import islice

import attrs
import pytest

from optly.contacts import Channel
from optly.errors import ConflictError, ReferenceTakenError
from optly.protocols import Head, Storage
from optly.record.ledger import Entry, Opening
from optly.testing.storage._base import (
    BYTES,
    NOW,
    TICK,
    Contact,
    Contract,
    code,
    is_written,
    key,
    problems,
    stop,
    values_of,
)


class ContactsContract(Contract):
    """
    What a store has to do with contacts, their chains and their addresses.
    """

    def test_it_is_a_store(self, storage: Storage) -> None:
        """
        It has every method of the protocol.
        """
        assert isinstance(storage, Storage)

    def test_what_was_appended_is_there(self, storage: Storage, ada: Contact) -> None:
        """
        Entries, openings and the head are read back as they were given, byte for byte.
        """
        first = attrs.evolve(ada.commit(events=2), snapshot=BYTES)
        second = ada.commit()
        storage.append([first])
        storage.append([second])
        assert [*first.entries, *second.entries] == list(storage.entries(ada.subject))
        assert {**first.openings, **second.openings} == values_of(storage, ada.subject)
        head = Head(
            organisation=ada.organisation,
            version=3,
            hash=second.head,
            snapshot=second.snapshot,
            snapshot_version=3,
            named=second.named,
            mac=second.mac,
        )
        assert {ada.subject: head} == storage.load([ada.subject])
        assert problems(storage, ada.organisation, ada.subject) == ()

    def test_what_is_not_on_record_is_not_in_the_result(self, storage: Storage, organisation: str) -> None:
        """
        Nothing is invented, and nothing raises.
        """
        assert storage.load([key()]) == {}
        assert list(storage.entries(key())) == []
        assert values_of(storage, key()) == {}
        assert storage.wordings([os.urandom(32).hex()]) == {}
        assert list(storage.subjects(organisation)) == []
        assert not storage.committed(key(), key())
        found = storage.find([key()])
        assert (found.holders, list(found.suppressions), found.heads) == ({}, [], {})

    def test_nothing_is_found_for_nothing(self, storage: Storage) -> None:
        """
        An empty list is not a special case for the caller.
        """
        found = storage.find([])
        assert (found.holders, list(found.suppressions), found.heads) == ({}, [], {})
        assert storage.load([]) == {}
        assert storage.wordings([]) == {}
        assert list(storage.claim([], NOW, NOW)) == []
        storage.append([])
        storage.enqueue("acme", [])
        storage.settle([])
        storage.put_codes([])

    def test_chains_are_read_for_many_contacts(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Each contact's own and in order, of more contacts than fit in one query; one without any is left out.
        """
        others = [Contact(ada.organisation) for _ in range(600)]
        commits = [ada.commit(events=3), eve.commit(), *[other.commit() for other in others]]
        storage.append(commits)
        storage.append([again := ada.commit(events=9)])
        wanted = {commit.subject: list(commit.entries) for commit in commits}
        wanted[ada.subject] += again.entries
        chains = storage.chains([eve.subject, key(), *[other.subject for other in others], ada.subject])
        assert wanted == {subject: list(chain) for subject, chain in chains.items()}
        assert storage.chains([]) == {}

    def test_personal_values_are_read_for_many_contacts(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Each contact's own; a contact without any is left out.
        """
        first, second = ada.commit(events=2), eve.commit()
        storage.append([first, second])
        wanted = {ada.subject: first.openings, eve.subject: second.openings}
        assert wanted == storage.openings([eve.subject, key(), ada.subject])

    def test_some_personal_values_are_read_without_the_others(
        self, storage: Storage, ada: Contact, eve: Contact
    ) -> None:
        """
        The very slots that are named, of each contact that has any of them; of no slots, nothing.
        """
        names = ["line_1", "line_10", "Line_1", "line", "name_1", "reply_3"]
        values = {name: Opening(salt=os.urandom(32), value=name) for name in names}
        other = {"line_1": Opening(salt=os.urandom(32), value="another"), "reply_9": values["reply_3"]}
        storage.append([attrs.evolve(ada.commit(), openings=values), attrs.evolve(eve.commit(), openings=other)])

        def read(*slots: str) -> dict[bytes, dict[str, Opening]]:
            found = storage.openings([eve.subject, key(), ada.subject], slots)
            return {subject: dict(of) for subject, of in found.items()}

        assert read("line_1") == {ada.subject: {"line_1": values["line_1"]}, eve.subject: {"line_1": other["line_1"]}}
        assert read("name_1", "name_2", "line_1%") == {ada.subject: {"name_1": values["name_1"]}}
        assert read("reply_9", "Line_1") == {
            ada.subject: {"Line_1": values["Line_1"]},
            eve.subject: {"reply_9": other["reply_9"]},
        }
        assert read("line_2") == {}
        assert read() == {}
        assert storage.openings([], ["line_1"]) == {}

    def test_personal_values_are_read_however_many_are_named(self, storage: Storage, ada: Contact) -> None:
        """
        More contacts and more slots than one statement has room for.
        """
        values = {f"line_{number}": Opening(salt=os.urandom(32), value=str(number)) for number in range(1100)}
        storage.append([attrs.evolve(ada.commit(), openings=values)])
        nobody = [key() for _ in range(1100)]
        assert storage.openings([ada.subject], [*values]) == {ada.subject: values}
        wanted = ["line_0", "line_600", "line_1099"]
        found = {ada.subject: {slot: values[slot] for slot in wanted}}
        assert storage.openings([*nobody, ada.subject], wanted) == found
        assert storage.openings([ada.subject, *nobody], [*values]) == {ada.subject: values}

    def test_bytes_are_kept_as_they_are(self, storage: Storage, ada: Contact) -> None:
        """
        NULs, bytes that are not text and trailing spaces, in values and in keys; accents and case in texts.
        """
        idkey, other = b"\0\xffA" + os.urandom(12) + b" ", b"\0\xffa" + os.urandom(12) + b"\0"
        digest = os.urandom(32).hex()
        message = ada.message(body=BYTES)
        personal = {"name_1": Opening(salt=BYTES[:32], value="Åda  O’Neill\0 😀 "), "Name_1": Opening(BYTES[32:64], "")}
        commit = attrs.evolve(
            ada.commit(), openings=personal, entries=[Entry(seq=1, payload=BYTES, hash=BYTES[:32])], snapshot=BYTES
        )
        storage.append(
            [
                attrs.evolve(
                    commit,
                    identifiers=[ada.identifier(idkey), ada.identifier(other, 2)],
                    wordings={digest: BYTES},
                    queue=[message],
                )
            ]
        )
        kept = code(ada.subject, value=BYTES)
        storage.put_codes([kept])
        assert personal == values_of(storage, ada.subject)
        assert commit.entries == list(storage.entries(ada.subject))
        assert storage.load([ada.subject])[ada.subject].snapshot == BYTES
        assert {idkey: 1, other: 2} == {
            name: row.line for name, rows in storage.find([idkey, other]).holders.items() for row in rows
        }
        assert {digest: BYTES} == storage.wordings([digest])
        assert [message] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 1))
        assert storage.code(kept.key, NOW) == kept

    def test_megabytes_are_kept(self, storage: Storage, ada: Contact) -> None:
        """
        A message may carry a picture.
        """
        message = ada.message(body=os.urandom(2_000_000))
        storage.append([ada.commit(queue=[message])])
        assert [message] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 1))

    def test_holders_are_found_by_idkeys_and_stops_by_further_ones_too(self, storage: Storage, ada: Contact) -> None:
        """
        What is looked up as a stop alone finds no holder, and what is given twice is found once.
        """
        own, domain = key(), key()
        storage.append([ada.commit(identifiers=[ada.identifier(own)], suppressions=[stop(own), stop(domain)])])
        for idkeys, stops in (
            ([own], [domain]),
            ([own, own], [domain, own, domain]),
            ([own], [domain, *(key() for _ in range(20))]),
        ):
            found = storage.find(idkeys, stops)
            assert ({own: [ada.identifier(own)]}, {ada.subject}) == (found.holders, {*found.heads})
            assert sorted([own, domain]) == sorted(row.idkey for row in found.suppressions)
        found = storage.find([], [own, domain])
        assert ({}, {}, 2) == (found.holders, found.heads, len(found.suppressions))

    def test_many_are_found_at_once(self, storage: Storage, organisation: str) -> None:
        """
        Thousands of idkeys in one call, most of them unknown, some given twice.
        """
        contacts = [Contact(organisation) for _ in range(30)]
        idkeys = {key(): contact for contact in contacts}
        storage.append(
            [
                contact.commit(identifiers=[contact.identifier(idkey)], suppressions=[stop(idkey)])
                for idkey, contact in idkeys.items()
            ]
        )
        wanted = [*islice(idkeys, 10), *(key() for _ in range(3000)), *idkeys]
        found = storage.find(wanted)
        assert {idkey: contact.subject for idkey, contact in idkeys.items()} == {
            idkey: row.subject for idkey, rows in found.holders.items() for row in rows
        }
        assert sorted(idkeys) == sorted(row.idkey for row in found.suppressions)
        subjects = [contact.subject for contact in contacts]
        assert set(subjects) == set(storage.load([*subjects, *wanted]))
        assert found.heads == storage.load(subjects)

    def test_a_change_decided_on_another_version_is_refused(self, storage: Storage, ada: Contact) -> None:
        """
        An older one, a newer one, or none where there is a contact already; nothing is written.
        """
        storage.append([ada.commit()])
        storage.append([ada.commit()])
        before = storage.entries(ada.subject), storage.load([ada.subject])
        for version in (0, 1, 3):
            late = Contact(ada.organisation, ada.subject, version).commit(wordings={os.urandom(32).hex(): b"x"})
            with pytest.raises(ConflictError):
                storage.append([late])
            assert storage.wordings(list(late.wordings)) == {}
            assert not is_written(storage, late)
        assert before == (storage.entries(ada.subject), storage.load([ada.subject]))

    def test_a_contact_of_another_organisation_is_not_changed(self, storage: Storage, ada: Contact) -> None:
        """
        Even by a caller that knows its id and version.
        """
        storage.append([ada.commit()])
        with pytest.raises(ConflictError):
            storage.append([attrs.evolve(ada.commit(), organisation="other")])
        assert len(storage.entries(ada.subject)) == 1

    def test_several_changes_are_written_together(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Both are there.
        """
        storage.append([ada.commit(), eve.commit(events=2)])
        assert {ada.subject: 1, eve.subject: 2} == {
            subject: head.version for subject, head in storage.load([ada.subject, eve.subject]).items()
        }

    def test_several_changes_are_refused_together(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        One that is too late takes all the others with it, whatever the order.
        """
        storage.append([ada.commit()])
        late = Contact(ada.organisation, ada.subject).commit()
        message, idkey = eve.message(), key()
        new = eve.commit(
            identifiers=[eve.identifier(idkey)], suppressions=[stop(idkey)], queue=[message], wordings={"0" * 64: b"x"}
        )
        for commits in ([new, late], [late, new]):
            with pytest.raises(ConflictError):
                storage.append(commits)
        assert storage.load([eve.subject]) == {}
        assert list(storage.entries(eve.subject)) == []
        assert values_of(storage, eve.subject) == {}
        found = storage.find([idkey])
        assert (found.holders, list(found.suppressions)) == ({}, [])
        assert list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9)) == []
        assert not is_written(storage, new)

    def test_a_commit_is_known_by_its_name(self, storage: Storage, ada: Contact) -> None:
        """
        Its author can check whether it was written; repeating it changes nothing.
        """
        commits = [ada.commit(events=2), ada.commit()]
        for commit in commits:
            storage.append([commit])
        storage.append([attrs.evolve(ada.commit(), idem=None)])
        for commit in commits:
            assert is_written(storage, commit)
            assert not is_written(storage, attrs.evolve(commit, subject=key()))
            with pytest.raises(ConflictError):
                storage.append([commit])
        assert not storage.committed(ada.subject, key())
        assert len(storage.entries(ada.subject)) == 4

    def test_a_taken_slot_is_kept(self, storage: Storage, ada: Contact) -> None:
        """
        A commitment in the ledger depends on the value, so it is not overwritten; an erasure frees the slot.
        """
        storage.append([ada.commit()])
        with pytest.raises(ConflictError):
            storage.append([attrs.evolve(ada.commit(), openings={"line_1": Opening(bytes(32), "eve@example.com")})])
        assert values_of(storage, ada.subject)["line_1"].value == "ada1@example.com"
        ada.version, ada.head = 1, storage.load([ada.subject])[ada.subject].hash
        again = {"line_1": Opening(bytes(32), "again")}
        storage.append([attrs.evolve(ada.commit(), openings=again, forget=True)])
        assert again == values_of(storage, ada.subject)

    def test_an_address_has_several_holders(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        A household's number, a shared mailbox; each holder by a line of its own, in the order of their subjects.
        """
        idkey = key()
        storage.append([ada.commit(identifiers=[ada.identifier(idkey)])])
        storage.append([eve.commit(identifiers=[eve.identifier(key()), eve.identifier(idkey, 2)])])
        both = sorted([ada.identifier(idkey), eve.identifier(idkey, 2)], key=lambda row: row.subject)
        assert both == storage.find([idkey]).holders[idkey]

    def test_holders_are_found_with_their_heads(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        As `load` returns them, after each change, and for each holder of a shared address once.
        """
        idkey, other = key(), key()
        storage.append([ada.commit(identifiers=[ada.identifier(idkey), ada.identifier(other, 2)])])
        storage.append([eve.commit(identifiers=[eve.identifier(idkey)])])
        both = [ada.subject, eve.subject]
        assert storage.find([idkey, other, key()]).heads == storage.load(both)
        storage.append([ada.commit(), eve.commit(suppressions=[stop(idkey)])])
        found = storage.find([idkey])
        assert found.heads == storage.load(both)
        assert {subject: head.version for subject, head in found.heads.items()} == dict.fromkeys(both, 2)
        assert storage.find([other]).heads == storage.load([ada.subject])

    def test_a_reference_has_one_contact(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        A second contact under it is refused with the whole of its change; the same contact may be given it again.
        """
        idkey, other = key(), key()
        storage.append([ada.commit(references=[ada.reference(idkey)])])
        storage.append([ada.commit(references=[ada.reference(idkey), ada.reference(other)])])
        with pytest.raises(ReferenceTakenError):
            storage.append([eve.commit(references=[eve.reference(key()), eve.reference(idkey)])])
        assert storage.referred([idkey, other, key()]) == {idkey: ada.reference(idkey), other: ada.reference(other)}
        assert storage.load([eve.subject]) == {}

    def test_two_new_contacts_cannot_have_one_reference(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Not even in one call.
        """
        idkey = key()
        with pytest.raises(ReferenceTakenError):
            storage.append([contact.commit(references=[contact.reference(idkey)]) for contact in (ada, eve)])
        assert storage.load([ada.subject, eve.subject]) == {}

    def test_a_contact_may_name_its_own_address_again(self, storage: Storage, ada: Contact) -> None:
        """
        It then belongs to the line it was last given with.
        """
        idkey = key()
        storage.append([ada.commit(identifiers=[ada.identifier(idkey, 1)])])
        storage.append([ada.commit(identifiers=[ada.identifier(idkey, 2)])])
        assert storage.find([idkey]).holders == {idkey: [ada.identifier(idkey, 2)]}

    def test_a_stop_keeps_the_later_instant(self, storage: Storage, ada: Contact) -> None:
        """
        With its MAC, whichever is written first; different scopes are kept apart.
        """
        early, late = key(), key()
        for first, second in ((early, late), (late, early)):
            storage.append([ada.commit(suppressions=[stop(first, NOW), stop(second, NOW + TICK)])])
        storage.append([ada.commit(suppressions=[stop(early, NOW - TICK, "*/*")])])
        kept = {stop(early, NOW + TICK), stop(late, NOW + TICK), stop(early, NOW - TICK, "*/*")}
        assert kept == set(storage.find([early, late]).suppressions)

    def test_stops_with_marks_of_their_own_stay_beside_each_other(self, storage: Storage, ada: Contact) -> None:
        """
        Whatever their times are. Of those without, the latest is kept.
        """
        idkey = key()
        for mark, at in ((b"", NOW), (b"1" * 8, NOW), (b"2" * 8, NOW - TICK), (b"", NOW + TICK), (b"", NOW - TICK)):
            storage.append([ada.commit(suppressions=[stop(idkey, at, mark=mark)])])
        kept = {stop(idkey, NOW, mark=b"1" * 8), stop(idkey, NOW - TICK, mark=b"2" * 8), stop(idkey, NOW + TICK)}
        assert kept == set(storage.find([idkey]).suppressions)

    def test_the_first_wording_stays(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        A text in the register is never overwritten.
        """
        digest, other = os.urandom(32).hex(), os.urandom(32).hex()
        storage.append([ada.commit(wordings={digest: b"first"})])
        storage.append([eve.commit(wordings={digest: b"second", other: b"other"})])
        assert {digest: b"first", other: b"other"} == storage.wordings([digest, other])

    def test_the_contacts_of_an_organisation_are_listed(self, storage: Storage, organisation: str) -> None:
        """
        Each once, including erased ones, and no other organisation's.
        """
        contacts = [Contact(organisation) for _ in range(1201)]
        storage.append([contact.commit() for contact in contacts])
        storage.append([contacts[0].commit(forget=True), Contact(f"{organisation}2").commit()])
        assert sorted(contact.subject for contact in contacts) == sorted(storage.subjects(organisation))
