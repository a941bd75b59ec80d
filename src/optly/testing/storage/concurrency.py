"""
Several threads at once: one of them succeeds, or all of them in turn.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from optly.errors import ConflictError, ReferenceTakenError
from optly.protocols import MessageState, OutboxMessage, Storage
from optly.testing.storage import _base as base
from optly.testing.storage._base import Contact, Contract


class ConcurrencyContract(Contract):
    """
    What a store has to do when several threads use it at once.
    """

    def test_contacts_added_at_once_share_an_address(self, storage: Storage, organisation: str) -> None:
        """
        None is lost, and none waits for another.
        """
        idkey = base.key()
        contacts = [Contact(organisation) for _ in range(6)]

        def add(number: int) -> None:
            contact = contacts[number]
            storage.append([contact.commit(identifiers=[contact.identifier(idkey)])])

        base.at_once(6, add)
        holders = [row.subject for row in storage.find([idkey]).holders[idkey]]
        assert sorted(contact.subject for contact in contacts) == holders

    def test_of_those_that_take_a_reference_at_once_one_gets_it(self, storage: Storage, organisation: str) -> None:
        """
        The others raise `ReferenceTakenError`.
        """
        idkey = base.key()
        contacts = [Contact(organisation) for _ in range(6)]

        def claim(number: int) -> bool:
            contact = contacts[number]
            try:
                storage.append([contact.commit(references=[contact.reference(idkey)])])
            except ReferenceTakenError:
                return False
            return True

        assert base.at_once(6, claim).count(True) == 1
        owner = storage.referred([idkey])[idkey].subject
        assert [owner] == list(storage.subjects(organisation))

    def test_of_workers_that_claim_at_once_each_message_goes_to_one(self, storage: Storage, ada: Contact) -> None:
        """
        And none is left over.
        """
        messages = [ada.message() for _ in range(30)]
        storage.append([ada.commit(queue=messages)])

        def claim(number: int) -> Sequence[OutboxMessage]:
            mine = messages[number:] + messages[:number]
            return [
                message
                for start in range(0, len(mine), 5)
                for message in storage.claim([base.claim_of(m) for m in mine[start : start + 5]], base.NOW, base.NOW)
            ]

        sending = [message for messages in base.at_once(4, claim) for message in messages]
        assert sorted(message.message for message in messages) == sorted(message.message for message in sending)

    def test_of_those_that_use_a_name_at_once_one_does(self, storage: Storage, ada: Contact) -> None:
        """
        With all its messages; the others add nothing, whatever the order in which they name theirs.
        """
        contested = [ada.message(), ada.message()]

        def enqueue(number: int) -> bool:
            order = contested if number % 2 else contested[::-1]
            try:
                storage.enqueue(ada.organisation, [*order, ada.message()])
            except ConflictError:
                return False
            return True

        assert base.at_once(6, enqueue).count(True) == 1
        assert storage.backlog(ada.organisation) == {MessageState.QUEUED: 3}

    def test_of_those_that_take_a_code_at_once_one_gets_it(self, storage: Storage, ada: Contact) -> None:
        """
        The others get None.
        """
        once = base.code(ada.subject)
        storage.put_codes([once])
        taken = base.at_once(8, lambda _: storage.take_code(once.key, base.NOW))
        assert [row for row in taken if row is not None] == [once]

    def test_of_those_that_count_at_once_each_gets_its_own_number(self, storage: Storage) -> None:
        """
        No two get the same.
        """
        name = base.key()

        def count(_: int) -> list[int]:
            return [storage.count(name, base.NOW, base.NOW) for _ in range(5)]

        assert list(range(1, 31)) == sorted(number for numbers in base.at_once(6, count) for number in numbers)

    def test_of_those_that_count_at_once_none_goes_beyond_the_most(self, storage: Storage) -> None:
        """
        As many are counted as there may be, each with its own number, and the others get one above it.
        """
        for most in (1, 3):
            for by in (1, 2):
                name = base.key()
                counted = base.at_once(6, lambda _: storage.count(name, base.NOW, base.NOW, by, most=most))  # noqa: B023
                numbers = sorted(counted)
                within = [by * n for n in range(1, 7) if by * (n - 1) < most]
                assert numbers == within + [within[-1] + by] * (6 - len(within))
                assert storage.count(name, base.NOW, base.NOW, 0) == within[-1]

    def test_of_those_that_seal_at_once_one_does(self, storage: Storage, ada: Contact) -> None:
        """
        From the first leaf on.
        """
        storage.append([ada.commit()])

        def seal(number: int) -> bool:
            head, tiles = base.grown(storage, ada.organisation, [ada.leaf], 0)
            head = attrs.evolve(head, checkpoint=attrs.evolve(head.checkpoint, note=f"{number}\n"))
            try:
                storage.seal(ada.organisation, head, [ada.leaf], tiles, 0)
            except ConflictError:
                return False
            return True

        assert base.at_once(5, seal).count(True) == 1
        assert [ada.leaf] == [sealed.leaf for sealed in storage.log_leaves(ada.organisation, 0, 9)]

    def test_threads_that_append_to_one_contact_lose_nothing(self, storage: Storage, ada: Contact) -> None:
        """
        Each decides again until it succeeds; the chain has no gap and verifies.
        """

        def append(_: int) -> None:
            for _ in range(5):
                base.append_again(storage, ada.organisation, ada.subject)

        base.at_once(4, append)
        assert len(storage.entries(ada.subject)) == 20
        assert base.problems(storage, ada.organisation, ada.subject) == ()

    def test_threads_that_append_to_many_contacts_do_not_hinder_one_another(
        self, storage: Storage, organisation: str
    ) -> None:
        """
        Changes to the same contacts in opposite orders do not deadlock.
        """
        contacts = [Contact(organisation) for _ in range(6)]

        def append(number: int) -> int:
            order = contacts if number % 2 else contacts[::-1]
            commits = [
                Contact(organisation, contact.subject).commit(wordings={base.WORDING: b"x"}) for contact in order
            ]
            try:
                storage.append(commits)
            except ConflictError:
                return 0
            return 1

        assert sum(base.at_once(4, append)) == 1
        assert {contact.subject: 1 for contact in contacts} == {
            subject: head.version for subject, head in storage.load([c.subject for c in contacts]).items()
        }

    def test_closing_twice_is_harmless(self, storage: Storage) -> None:
        """
        The second time does nothing.
        """
        storage.close()
        storage.close()
