"""
The list of an organisation's complaints: in order, found by reference, closed, and kept apart.
"""

from __future__ import annotations

import attrs
import pytest

from optly.contacts import Channel
from optly.errors import ConflictError
from optly.protocols import Storage, StoredComplaint
from optly.testing.storage import _base as base
from optly.testing.storage._base import Contact, Contract


def complaint(contact: Contact, reference: str, days: int = 0) -> StoredComplaint:
    """
    Return a complaint of a contact that is due so many days after `NOW`.
    """
    return StoredComplaint(
        reference=reference,
        complaint=base.key(),
        subject=contact.subject,
        due_at=base.NOW + days * base.DAY,
        reply=base.BYTES,
        mac=base.mac(reference, contact.subject),
    )


def closed(contact: Contact, reference: str) -> StoredComplaint:
    """
    Return a complaint as it is once it is closed.
    """
    row = complaint(contact, reference)
    return attrs.evolve(row, open=False, reply=b"", mac=base.mac(reference, contact.subject, "closed"))


def listed(storage: Storage, organisation: str, open: bool | None = None) -> list[str]:
    """
    Return the references of all complaints, read two at a time.
    """
    references: list[str] = []
    after = None
    while part := storage.complaints(organisation, open, after, 2):
        references += [row.reference for row in part]
        after = part[-1]
    return references


class ComplaintsContract(Contract):
    """
    What a store has to do with complaints.
    """

    def test_complaints_are_listed_by_when_they_are_due(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Those due at the same instant by their references. Nothing is listed twice and nothing is left out, however the
        list is divided.
        """
        mine = [complaint(ada, "AAAAA2", 2), complaint(ada, "CCCCC2"), complaint(ada, "BBBBB2")]
        hers = [complaint(eve, "DDDDD2", 1), complaint(eve, "EEEEE2", -90_000)]
        assert [] == listed(storage, ada.organisation)
        storage.append([ada.commit(complaints=mine), eve.commit(complaints=hers)])
        assert ["EEEEE2", "BBBBB2", "CCCCC2", "DDDDD2", "AAAAA2"] == listed(storage, ada.organisation)
        assert [hers[1], mine[2]] == list(storage.complaints(ada.organisation, None, None, 2))
        assert listed(storage, ada.organisation, True) == listed(storage, ada.organisation)
        assert [] == listed(storage, ada.organisation, False)

    def test_a_complaint_is_found_by_its_reference(self, storage: Storage, ada: Contact) -> None:
        """
        All of it, and only in its own organisation.
        """
        mine = complaint(ada, "AAAAA2")
        storage.append([ada.commit(complaints=[mine])])
        assert mine == storage.complaint(ada.organisation, "AAAAA2")
        assert storage.complaint(ada.organisation, "AAAAA3") is None
        assert storage.complaint(f"{ada.organisation}-2", "AAAAA2") is None
        assert [] == listed(storage, f"{ada.organisation}-2")

    def test_a_closed_complaint_stays_without_where_to_reply(self, storage: Storage, ada: Contact) -> None:
        """
        A repeat is harmless, and so is a reference that is not in the list.
        """
        storage.append([ada.commit(complaints=[complaint(ada, "AAAAA2"), complaint(ada, "BBBBB2")])])
        for _ in range(2):
            storage.append([ada.commit(closed=[closed(ada, "AAAAA2"), closed(ada, "XXXXX2")])])
        row = storage.complaint(ada.organisation, "AAAAA2")
        assert row is not None
        assert (False, b"", closed(ada, "AAAAA2").mac) == (row.open, row.reply, row.mac)
        assert ["BBBBB2"] == listed(storage, ada.organisation, True)
        assert ["AAAAA2"] == listed(storage, ada.organisation, False)
        assert ["AAAAA2", "BBBBB2"] == listed(storage, ada.organisation)

    def test_a_reference_is_taken_once(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Within one organisation; nothing else of the change is written.
        """
        other = Contact(f"{ada.organisation}-2")
        storage.append([ada.commit(complaints=[complaint(ada, "AAAAA2")])])
        storage.append([other.commit(complaints=[complaint(other, "AAAAA2")])])
        with pytest.raises(ConflictError):
            storage.append([eve.commit(complaints=[complaint(eve, "BBBBB2"), complaint(eve, "AAAAA2")])])
        assert {} == storage.load([eve.subject])
        assert ["AAAAA2"] == listed(storage, ada.organisation)

    def test_a_complaint_survives_the_erasure_of_its_contact(self, storage: Storage, ada: Contact) -> None:
        """
        With where to reply, and with messages about it that are queued under its own id.
        """
        mine = complaint(ada, "AAAAA2")
        message = Contact(ada.organisation, mine.complaint).message()
        storage.append([ada.commit(complaints=[mine], queue=[message, ada.message()])])
        storage.append([ada.commit(forget=True)])
        assert mine == storage.complaint(ada.organisation, "AAAAA2")
        assert [message.message] == [row.message for row in storage.due(ada.organisation, Channel.EMAIL, base.NOW, 9)]

    def test_a_change_settles_a_message_about_a_complaint(self, storage: Storage, ada: Contact) -> None:
        """
        Though it is queued under the id of the complaint and not of the contact.
        """
        mine = complaint(ada, "AAAAA2")
        storage.append([ada.commit(complaints=[mine], queue=[Contact(ada.organisation, mine.complaint).message()])])
        (queued,) = storage.due(ada.organisation, Channel.EMAIL, base.NOW, 9)
        (claimed,) = storage.claim([base.claim_of(queued)], base.NOW, base.NOW)
        storage.append([ada.commit(settle=[base.settlement(claimed)], closed=[closed(ada, "AAAAA2")])])
        assert [] == list(storage.overdue(ada.organisation, base.NOW + base.TICK, 9))
        assert [] == listed(storage, ada.organisation, True)
