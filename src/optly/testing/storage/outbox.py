"""
Messages in the outbox: due, claimed, settled, in doubt, and without a contact.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import attrs
import pytest

from optly.contacts import Channel
from optly.errors import ClaimLostError, ConflictError
from optly.protocols import MessageState, OutboxMessage, Storage
from optly.testing.storage._base import (
    DAY,
    NOW,
    TICK,
    Contact,
    Contract,
    claim_of,
    code,
    ended,
    key,
    settlement,
    values_of,
)


class OutboxContract(Contract):
    """
    What a store has to do with the messages in the outbox.
    """

    def test_messages_are_due_in_the_order_of_their_times(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        From the exact microsecond on, longest overdue first, no more than the limit, and of one organisation only.
        """
        messages = [ada.message(NOW - n * TICK) for n in (-1, 0, 1, 2)]
        other = Contact(f"{ada.organisation}2")
        storage.append([ada.commit(queue=messages), other.commit(queue=[other.message(NOW)])])
        assert [messages[3], messages[2], messages[1]] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9))
        assert [messages[3], messages[2]] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 2))
        assert list(storage.due(eve.organisation, Channel.EMAIL, NOW - 3 * TICK, 9)) == []

    def test_a_message_is_claimed_once(self, storage: Storage, ada: Contact) -> None:
        """
        What is returned has the token of the claim, and a second caller gets nothing.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        claims = [claim_of(message), claim_of(ada.message())]
        assert list(storage.claim(claims, NOW - TICK, NOW)) == []
        assert [attrs.evolve(message, token=claims[0].token)] == list(storage.claim(claims, NOW, NOW + TICK))
        again = [claim_of(message)]
        assert list(storage.claim(again, NOW + timedelta(days=1), NOW + timedelta(days=2))) == []
        assert list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9)) == []
        assert storage.backlog(ada.organisation) == {MessageState.SENDING: 1}

    def test_the_name_of_a_message_is_used_once(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        By one contact, whether waiting or done; another contact may have a message with the same id.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        before = ada.version, ada.head
        with pytest.raises(ConflictError):
            storage.append([ada.commit(queue=[message])])
        (sending,) = storage.claim([claim_of(message)], NOW, NOW)
        storage.settle([settlement(sending)])
        ada.version, ada.head = before
        with pytest.raises(ConflictError):
            storage.append([ada.commit(queue=[message])])
        storage.append([eve.commit(queue=[attrs.evolve(message, subject=eve.subject)])])
        assert storage.backlog(ada.organisation) == {MessageState.ACCEPTED: 1, MessageState.QUEUED: 1}

    def test_codes_are_kept_if_the_claim_succeeds(self, storage: Storage, ada: Contact) -> None:
        """
        And only then.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        first, second, third = (code(ada.subject) for _ in range(3))
        storage.claim([claim_of(message, first, second)], NOW, NOW)
        storage.claim([claim_of(message, third)], NOW, NOW)
        assert [storage.code(row.key, NOW) for row in (first, second, third)] == [first, second, None]

    def test_many_are_claimed_at_once(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Of one contact and of another, and no more of them than were to be.
        """
        hers, others = [ada.message() for _ in range(600)], [eve.message() for _ in range(3)]
        storage.append([ada.commit(queue=hers), eve.commit(queue=others)])
        (before,) = storage.claim([claim_of(hers[0])], NOW, NOW)
        wanted = [hers[0], *hers[1:-1], others[0]]
        claims = [claim_of(message) for message in wanted]
        tokens = {claim.message: claim.token for claim in claims[1:]}
        claimed = storage.claim(claims, NOW, NOW)
        assert tokens == {message.message: message.token for message in claimed}
        assert before.message not in tokens
        assert list(storage.claim([claim_of(message) for message in wanted], NOW, NOW)) == []

    def test_a_lease_runs_out(self, storage: Storage, ada: Contact) -> None:
        """
        It still holds at its last instant. The message is not claimed again until its outcome is settled.
        """
        first, second, waiting = ada.message(), ada.message(), ada.message(NOW + TICK)
        storage.append([ada.commit(queue=[first, second, waiting])])
        both = [*storage.claim([claim_of(second)], NOW, NOW + TICK)]
        both += storage.claim([claim_of(first)], NOW, NOW + 2 * TICK)
        assert list(storage.overdue(ada.organisation, NOW + TICK, 9)) == []
        assert both[:1] == list(storage.overdue(ada.organisation, NOW + 2 * TICK, 9))
        late = NOW + timedelta(days=1)
        assert both == list(storage.overdue(ada.organisation, late, 9))
        assert both[:1] == list(storage.overdue(ada.organisation, late, 1))
        assert list(storage.overdue(f"{ada.organisation}2", late, 9)) == []
        assert list(storage.claim([claim_of(first)], late, late)) == []

    def test_messages_are_due_by_channel(self, storage: Storage, ada: Contact) -> None:
        """
        A channel whose provider is down does not hold up the others.
        """
        email, sms = ada.message(), ada.message(NOW - TICK, channel=Channel.SMS)
        storage.append([ada.commit(queue=[email, sms])])
        assert [email] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9))
        assert [sms] == list(storage.due(ada.organisation, Channel.SMS, NOW, 9))
        assert list(storage.due(ada.organisation, Channel.POST, NOW, 9)) == []
        (claimed,) = storage.claim([claim_of(sms)], NOW, NOW + TICK)
        assert sms == attrs.evolve(claimed, token=b"")
        assert [claimed] == list(storage.overdue(ada.organisation, NOW + 2 * TICK, 9))

    @pytest.mark.parametrize("state", [state for state in MessageState if state is not MessageState.SENDING])
    def test_a_doubt_is_kept_until_more_is_known(self, storage: Storage, ada: Contact, state: MessageState) -> None:
        """
        With its body. It is neither due nor overdue, and is settled once more is known, with a change or without one.
        """
        first, second = ada.message(NOW), ada.message(NOW - TICK)
        storage.append([ada.commit(queue=[first, second])])
        sending = {m.message: m for m in storage.claim([claim_of(first), claim_of(second)], NOW, NOW)}
        doubts = [sending[second.message], sending[first.message]]
        storage.append([ada.commit(settle=[settlement(doubts[0], MessageState.IN_DOUBT)])])
        storage.settle([settlement(doubts[1], MessageState.IN_DOUBT)])
        late = NOW + timedelta(days=1)
        assert list(storage.due(ada.organisation, Channel.EMAIL, late, 9)) == []
        assert list(storage.overdue(ada.organisation, late, 9)) == []
        assert list(storage.claim([claim_of(first)], late, late)) == []
        assert doubts == list(storage.messages(ada.organisation, MessageState.IN_DOUBT, 9))
        assert doubts[:1] == list(storage.messages(ada.organisation, MessageState.IN_DOUBT, 1))
        assert list(storage.messages(f"{ada.organisation}2", MessageState.IN_DOUBT, 9)) == []
        storage.settle([settlement(attrs.evolve(doubts[0], token=key()), state)])
        assert doubts == list(storage.messages(ada.organisation, MessageState.IN_DOUBT, 9))
        storage.append([ada.commit(settle=[settlement(doubts[0], state)])])
        storage.settle([settlement(doubts[1], state)])
        assert storage.backlog(ada.organisation) == {state: 2}

    @pytest.mark.parametrize("state", [MessageState.ACCEPTED, MessageState.REFUSED, MessageState.WITHHELD])
    def test_an_outcome_is_final(self, storage: Storage, ada: Contact, state: MessageState) -> None:
        """
        The message is no longer due or claimed, and is counted under its outcome.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        (sending,) = storage.claim([claim_of(message)], NOW, NOW)
        storage.settle([settlement(sending, state)])
        storage.settle([settlement(sending, MessageState.QUEUED, NOW)])
        late = NOW + timedelta(days=1)
        assert storage.backlog(ada.organisation) == {state: 1}
        assert [attrs.evolve(sending, body=b"")] == list(storage.messages(ada.organisation, state, 9))
        assert list(storage.due(ada.organisation, Channel.EMAIL, late, 9)) == []
        assert list(storage.overdue(ada.organisation, late, 9)) == []
        assert list(storage.claim([claim_of(message)], late, late)) == []

    def test_a_message_may_be_forgotten(self, storage: Storage, ada: Contact) -> None:
        """
        Nothing of it stays, not even in the counts. One that was claimed again since is left alone.
        """
        message, kept = ada.message(), ada.message()
        storage.append([ada.commit(queue=[message, kept])])
        sending = {m.message: m for m in storage.claim([claim_of(message), claim_of(kept)], NOW, NOW)}
        forgotten = attrs.evolve(settlement(sending[message.message], MessageState.WITHHELD), forget=True)
        late = attrs.evolve(forgotten, message=kept.message)
        storage.settle([forgotten, late])
        assert storage.backlog(ada.organisation) == {MessageState.SENDING: 1}
        assert list(storage.messages(ada.organisation, MessageState.WITHHELD, 9)) == []

    def test_a_message_is_put_back(self, storage: Storage, ada: Contact) -> None:
        """
        With its body, at its new time and with its new counts, which the next claim leaves as they are.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        (sending,) = storage.claim([claim_of(message)], NOW, NOW)
        counted = attrs.evolve(sending, attempts=1, tries=2)
        storage.settle([settlement(counted, MessageState.QUEUED, NOW + TICK)])
        assert list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9)) == []
        back = attrs.evolve(counted, due_at=NOW + TICK)
        assert [back] == list(storage.due(ada.organisation, Channel.EMAIL, NOW + TICK, 9))
        assert list(storage.overdue(ada.organisation, NOW + timedelta(days=1), 9)) == []
        again = claim_of(message)
        assert [attrs.evolve(back, token=again.token)] == list(storage.claim([again], NOW + TICK, NOW))

    def test_a_claim_that_was_cut_off_is_given_back(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Whoever has its token needs no answer to it. What another worker claimed first stays claimed.
        """
        mine, theirs = ada.message(), eve.message()
        storage.append([ada.commit(queue=[mine]), eve.commit(queue=[theirs])])
        (sending,) = storage.claim([claim_of(theirs)], NOW, NOW + TICK)
        claims = [claim_of(mine), claim_of(theirs)]
        storage.claim(claims, NOW, NOW + TICK)
        wanted = [attrs.evolve(mine, token=claims[0].token), attrs.evolve(theirs, token=claims[1].token)]
        storage.settle([settlement(message, MessageState.QUEUED) for message in wanted])
        assert wanted[:1] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9))
        assert [sending] == list(storage.overdue(ada.organisation, NOW + 2 * TICK, 9))

    def test_a_worker_that_was_too_slow_settles_nothing(self, storage: Storage, ada: Contact) -> None:
        """
        Its message was requeued and claimed again; its outcome no longer counts, with a change or without one.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        (slow,) = storage.claim([claim_of(message)], NOW, NOW)
        storage.settle([settlement(slow, MessageState.QUEUED, NOW)])
        version = (ada.version, ada.head)
        with pytest.raises(ClaimLostError):
            storage.append([ada.commit(settle=[settlement(slow)])])
        ada.version, ada.head = version
        (fast,) = storage.claim([claim_of(message)], NOW, NOW)
        storage.settle([settlement(slow)])
        with pytest.raises(ClaimLostError):
            storage.append([ada.commit(settle=[settlement(slow)])])
        ada.version, ada.head = version
        assert storage.backlog(ada.organisation) == {MessageState.SENDING: 1}
        assert len(storage.entries(ada.subject)) == 1

        storage.append([ada.commit(settle=[settlement(fast, MessageState.REFUSED)])])
        assert storage.backlog(ada.organisation) == {MessageState.REFUSED: 1}
        assert len(storage.entries(ada.subject)) == 2

    def test_a_message_that_is_gone_cannot_be_settled_in_a_change(self, storage: Storage, ada: Contact) -> None:
        """
        The contact was erased while the worker was busy, so the worker has to decide again.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        (sending,) = storage.claim([claim_of(message)], NOW, NOW)
        storage.append([ada.commit(forget=True)])
        storage.settle([settlement(sending)])
        with pytest.raises(ClaimLostError):
            storage.append([ada.commit(settle=[settlement(sending)])])
        assert storage.backlog(ada.organisation) == {}

    def test_a_lost_claim_matters_only_to_a_change_that_is_in_time(self, storage: Storage, ada: Contact) -> None:
        """
        A change decided on another version has to be decided again, whatever happened to the message.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        late = Contact(ada.organisation, ada.subject).commit(settle=[settlement(message)])
        with pytest.raises(ConflictError) as caught:
            storage.append([late])
        assert not isinstance(caught.value, ClaimLostError)

    def test_an_erasure_settles_nothing(self, storage: Storage, ada: Contact) -> None:
        """
        It removes the messages, so a change that asks for both is refused, and nothing is erased.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        (sending,) = storage.claim([claim_of(message)], NOW, NOW)
        with pytest.raises(ClaimLostError):
            storage.append([ada.commit(forget=True, settle=[settlement(sending)])])
        assert storage.backlog(ada.organisation) == {MessageState.SENDING: 1}
        assert list(values_of(storage, ada.subject)) == ["line_1"]

    def test_a_message_needs_no_contact(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Its subject is not on record, and is not added; it is delivered like any other.
        """
        organisation, late = ada.organisation, NOW + timedelta(days=1)
        done, back, doubted, dead, later, other = (
            contact.message(NOW - n * TICK)
            for n, contact in ((4, ada), (3, ada), (2, eve), (1, eve), (-1, ada), (0, ada))
        )
        storage.enqueue(organisation, [later, dead, doubted, back, done])
        storage.enqueue(f"{organisation}2", [other])
        assert [done, back, doubted, dead] == list(storage.due(organisation, Channel.EMAIL, NOW, 9))
        kept = code(ada.subject)
        sending = storage.claim([claim_of(done, kept), *map(claim_of, (back, doubted, dead))], NOW, NOW + TICK)
        by_name = {message.message: message for message in sending}
        assert storage.code(kept.key, NOW) == kept
        assert storage.revoke_codes(ada.subject) == 1
        storage.settle(
            [
                settlement(by_name[done.message]),
                settlement(by_name[back.message], MessageState.QUEUED, NOW + TICK),
                settlement(by_name[doubted.message], MessageState.IN_DOUBT),
            ]
        )
        again = attrs.evolve(by_name[back.message], due_at=NOW + TICK)
        assert {again.message, later.message} == {m.message for m in storage.due(organisation, Channel.EMAIL, late, 9)}
        finished = attrs.evolve(by_name[done.message], body=b"")
        assert [finished] == list(storage.messages(organisation, MessageState.ACCEPTED, 9))
        assert [by_name[doubted.message]] == list(storage.messages(organisation, MessageState.IN_DOUBT, 9))
        assert [by_name[dead.message]] == list(storage.overdue(organisation, late, 9))
        assert storage.backlog(organisation) == {
            MessageState.QUEUED: 2,
            MessageState.SENDING: 1,
            MessageState.ACCEPTED: 1,
            MessageState.IN_DOUBT: 1,
        }
        assert list(storage.subjects(organisation)) == []
        assert storage.load([ada.subject, eve.subject]) == {}
        assert list(storage.unsealed(organisation, 9)) == []

    def test_a_message_without_a_change_touches_no_contact(self, storage: Storage, ada: Contact) -> None:
        """
        The contact's head stays as it is, so no other change is blocked; an erasure removes the message too.
        """
        storage.append([ada.commit()])
        before = storage.load([ada.subject])
        message = ada.message()
        storage.enqueue(ada.organisation, [message])
        assert before == storage.load([ada.subject])
        assert [message] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9))
        storage.append([ada.commit(forget=True)])
        assert storage.backlog(ada.organisation) == {}

    @pytest.mark.parametrize("done", [False, True], ids=["waiting", "done"])
    def test_a_name_that_is_taken_takes_the_other_messages_with_it(
        self, storage: Storage, ada: Contact, done: bool
    ) -> None:
        """
        Whether the id came with a change or without one, and wherever it is among the others.
        """
        changed, plain = ada.message(), ada.message()
        storage.append([ada.commit(queue=[changed])])
        storage.enqueue(ada.organisation, [plain])
        if done:
            storage.settle([settlement(m) for m in storage.claim([claim_of(changed), claim_of(plain)], NOW, NOW)])
        before = storage.backlog(ada.organisation)
        twice = ada.message()
        for taken in ([changed], [plain], [twice, twice]):
            for messages in ([ada.message(), *taken], [*taken, ada.message()]):
                with pytest.raises(ConflictError):
                    storage.enqueue(ada.organisation, messages)
        with pytest.raises(ConflictError):
            storage.append([ada.commit(queue=[plain])])
        assert before == storage.backlog(ada.organisation)
        assert len(storage.entries(ada.subject)) == 1
        storage.enqueue(ada.organisation, [attrs.evolve(plain, subject=key())])

    @pytest.mark.parametrize("lost", [False, True], ids=["held", "lost"])
    @pytest.mark.parametrize("state", [state for state in MessageState if state is not MessageState.SENDING])
    def test_a_code_that_nobody_was_given_goes_with_the_claim(
        self, storage: Storage, ada: Contact, state: MessageState, lost: bool
    ) -> None:
        """
        Whatever becomes of the message, and whether or not the claim was lost; the other codes stay.
        """
        message, unused, kept = ada.message(), code(ada.subject), code(ada.subject)
        storage.append([ada.commit(queue=[message])])
        (sending,) = storage.claim([claim_of(message, unused, kept)], NOW, NOW)
        settled = attrs.evolve(settlement(sending, state), unused=[unused.key, key() + key()])
        storage.settle([attrs.evolve(settled, token=key()) if lost else settled])
        assert [storage.code(row.key, NOW) for row in (unused, kept)] == [None, kept]
        assert storage.backlog(ada.organisation) == {MessageState.SENDING if lost else state: 1}

    def test_a_change_removes_codes_that_nobody_was_given(self, storage: Storage, ada: Contact) -> None:
        """
        If it is written, and not if the claim was lost.
        """
        message, unused = ada.message(), code(ada.subject)
        storage.append([ada.commit(queue=[message])])
        (sending,) = storage.claim([claim_of(message, unused)], NOW, NOW)
        settled = attrs.evolve(settlement(sending, MessageState.WITHHELD), unused=[unused.key])
        before = ada.version, ada.head
        with pytest.raises(ClaimLostError):
            storage.append([ada.commit(settle=[attrs.evolve(settled, token=key())])])
        assert storage.code(unused.key, NOW) == unused
        ada.version, ada.head = before
        storage.append([ada.commit(settle=[settled])])
        assert storage.code(unused.key, NOW) is None

    def test_what_waits_is_found_by_its_subject(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Whether it was claimed or not, and until its outcome is final.
        """
        waits, doubted, done, other = ada.message(), ada.message(), ada.message(), eve.message()
        storage.enqueue(ada.organisation, [waits, doubted, done, other])
        doubted, done = _claimed(storage, [doubted, done])
        assert {waits, doubted, done} == set(storage.waiting(ada.subject))
        storage.settle([settlement(doubted, state=MessageState.IN_DOUBT), settlement(done)])
        assert {waits.message, doubted.message} == {row.message for row in storage.waiting(ada.subject)}
        assert list(storage.waiting(key())) == []

    def test_what_ended_is_removed(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        After the instant it is told, whatever the outcome was, of one organisation, and no others: what waits or is in
        doubt stays, and so does what nobody said to remove. Its id is free again.
        """
        ends = {
            MessageState.ACCEPTED: NOW - 2 * TICK,
            MessageState.REFUSED: NOW - TICK,
            MessageState.WITHHELD: NOW,
            MessageState.IN_DOUBT: NOW - 2 * TICK,
            MessageState.QUEUED: NOW - 2 * TICK,
        }
        messages, kept, other = [ada.message() for _ in ends], ada.message(), eve.message()
        storage.enqueue(ada.organisation, [*messages, kept])
        storage.enqueue(f"{ada.organisation}2", [other])
        *sending, kept, other = _claimed(storage, [*messages, kept, other])
        storage.settle(
            [
                *(ended(message, at, state) for message, (state, at) in zip(sending, ends.items(), strict=True)),
                settlement(kept),
                ended(other, NOW - DAY),
            ]
        )
        assert storage.remove_ended(ada.organisation, NOW - 2 * TICK, 9) == 0
        assert storage.remove_ended(ada.organisation, NOW, 9) == 2
        left = {MessageState.ACCEPTED: 1, **dict.fromkeys(list(ends)[2:], 1)}
        assert left == storage.backlog(ada.organisation)
        assert {MessageState.ACCEPTED: 1} == storage.backlog(f"{ada.organisation}2")
        assert [kept.message] == [row.message for row in storage.messages(ada.organisation, MessageState.ACCEPTED, 9)]
        assert storage.remove_ended(ada.organisation, NOW + TICK, 9) == 1
        assert storage.remove_ended(ada.organisation, NOW + 9 * DAY, 9) == 0
        storage.enqueue(ada.organisation, messages[:2])
        with pytest.raises(ConflictError):
            storage.enqueue(ada.organisation, [attrs.evolve(kept, token=b"")])

    def test_what_ended_is_removed_in_small_steps(self, storage: Storage, ada: Contact) -> None:
        """
        No more at once than is said, what ended first first, until nothing is left.
        """
        messages = [ada.message() for _ in range(5)]
        storage.enqueue(ada.organisation, messages)
        ends = [NOW + n * TICK for n in (3, 0, 4, 1, 2)]
        storage.settle(
            [ended(message, at) for message, at in zip(_claimed(storage, messages), ends, strict=True)],
        )
        removed, left = [], [{messages[n].message for n in names} for names in ([0, 2, 4], [2], [], [])]
        for expected in left:
            removed.append(storage.remove_ended(ada.organisation, NOW + DAY, 2))
            rows = storage.messages(ada.organisation, MessageState.ACCEPTED, 9)
            assert expected == {row.message for row in rows}
        assert removed == [2, 2, 1, 0]

    def test_what_ended_by_a_change_is_removed_too(self, storage: Storage, ada: Contact) -> None:
        """
        A doubt that was settled late counts from then on.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        (sending,) = _claimed(storage, [message])
        storage.append([ada.commit(settle=[settlement(sending, MessageState.IN_DOUBT)])])
        storage.append([ada.commit(settle=[ended(sending, NOW + DAY)])])
        assert [storage.remove_ended(ada.organisation, at, 9) for at in (NOW + DAY, NOW + DAY + TICK)] == [0, 1]
        assert storage.backlog(ada.organisation) == {}
        assert len(storage.entries(ada.subject)) == 3


def _claimed(storage: Storage, messages: Sequence[OutboxMessage]) -> list[OutboxMessage]:
    """
    Claim messages, and return them in the same order.
    """
    claimed = {row.message: row for row in storage.claim([claim_of(message) for message in messages], NOW, NOW + DAY)}
    return [claimed[message.message] for message in messages]
