"""
Complaints from any door: recorded, listed, found by a reference that is read out, and answered, also after an erasure.
"""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import ON_DISK, opened
from world import ACME, EMAIL, PHONE, World, awaited, world

from optly import Act, Channel, Organisation
from optly._operations.complaints import LONGEST, acknowledge_by
from optly._operations.leases import LEASE
from optly._operations.running import run_to_completion
from optly.backends import MemoryBackend
from optly.contacts import AddressKind, EmailAddress
from optly.errors import (
    AddressError,
    AmbiguousLineError,
    ConfigurationError,
    NoBackendError,
    UnknownComplaintError,
    UnknownContactError,
    UsageError,
)
from optly.messages import Content, DeliveryEvent, DeliveryStatus, Fault, Outcome, Receipt
from optly.protocols import MessageState
from optly.record.commands import ChangeDetails, NewLine, ProveLine
from optly.record.complaint_references import ALPHABET, read_reference, reference_key, reference_of
from optly.record.events import (
    Actor,
    ComplaintAcknowledged,
    ComplaintDecided,
    ComplaintReceived,
    ComplaintResolved,
    Grade,
    MessageAccepted,
)
from optly.record.views import History
from optly.results import ComplaintState, DoubtFinding, RecordedComplaint
from optly.timeline.for_the_person import days

EVE = "eve@example.org"
TEXT = "You rang my late mother."
OUTCOME = "You were right.\n\nWe have erased the number."
TICK = timedelta(microseconds=1)


@pytest.fixture
def w(on_each_store: World) -> World:
    return on_each_store


def by_telephone(w: World, who: Any = None, **facts: Any) -> RecordedComplaint:
    return w.manager.record_complaint(who, **{"text": TEXT, "how": "telephone", **facts})


def sent_to(w: World, address: str) -> list[Any]:
    """
    Return what was sent to an address.
    """
    return [message for backend in (w.emails, w.texts) for message in backend.outbox if message.to == address]


def events_of(w: World, complaint: RecordedComplaint, kind: type[Any]) -> list[Any]:
    return [event for event in w.manager.history(complaint.contact) if isinstance(event, kind)]


# ---- references

ids = st.binary(min_size=16, max_size=16).map(bytes.hex)


@given(complaint=ids)
def test_a_reference_is_read_back_however_it_is_typed(complaint: str) -> None:
    """
    In small letters, without hyphens, with spaces, without the prefix, in letters of full width.
    """
    reference = reference_of(complaint)
    assert re.fullmatch(rf"CMP-[{ALPHABET}]{{4}}-[{ALPHABET}]{{2}}", reference)
    bare = reference.removeprefix("CMP-")
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in reference)
    spaced = " ".join(reference)
    for typed in (reference, reference.lower(), bare, bare.replace("-", ""), f" {spaced} ", wide, f"{reference}."):
        assert reference_key(complaint) == read_reference(typed)


@given(complaint=ids, place=st.integers(0, 5), letter=st.sampled_from(ALPHABET))
def test_one_wrong_letter_is_noticed(complaint: str, place: int, letter: str) -> None:
    """
    Wherever it is, the one that checks included.
    """
    key = reference_key(complaint)
    typed = key[:place] + letter + key[place + 1 :]
    assert (key if typed == key else None) == read_reference(typed)


@given(complaint=ids, places=st.tuples(st.integers(0, 5), st.integers(0, 5)))
def test_two_exchanged_letters_are_noticed(complaint: str, places: tuple[int, int]) -> None:
    """
    Next to each other or not.
    """
    key = reference_key(complaint)
    typed = list(key)
    first, second = places
    typed[first], typed[second] = typed[second], typed[first]
    same = "".join(typed)
    assert (key if same == key else None) == read_reference(same)


def test_the_reference_that_the_documentation_shows_is_one() -> None:
    """
    Once times 5, twice 14, three times 2, four times 9, five times 0, minus five times 15: nothing is left of 23.
    """
    assert "7K4D2M" == read_reference("CMP-7K4D-2M")
    assert [5, 14, 2, 9, 0, 15] == [ALPHABET.index(letter) for letter in "7K4D2M"]
    assert 0 == (5 + 2 * 14 + 3 * 2 + 4 * 9 - 5 * 15) % 23


@pytest.mark.parametrize("text", ["", "CMP", "CMP-", "CMP-0O1I-LL", "CMP-7K4D-2MX", "7K4D2", "complaint", "é" * 6])
def test_what_is_no_reference_is_not_read(text: str) -> None:
    """
    Too short, too long, or with a letter that no reference has.
    """
    assert read_reference(text) is None


def test_no_letter_of_a_reference_is_taken_for_another() -> None:
    """
    None of those that look or sound like a digit, and no vowel, so that no word comes about.
    """
    assert set() == set(ALPHABET) & set("01OQILSZBUVAE")
    assert 23 == len(set(ALPHABET)) == len(ALPHABET)


def test_a_reference_that_is_taken_is_not_given_again(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Another complaint of the organisation may have it by chance.
    """
    first = by_telephone(w)
    same = int(first.id, 16) + len(ALPHABET) ** 5
    drawn = [bytes.fromhex(first.id), same.to_bytes(16), b"\x07" * 16]
    settings = w.manager._app.settings
    others = settings.random
    object.__setattr__(settings, "random", lambda length: drawn.pop(0) if length == 16 and drawn else others(length))
    assert reference_of(same.to_bytes(16).hex()) == first.reference
    assert "07" * 16 == by_telephone(w).id


# ---- recording


def test_a_complaint_by_telephone_is_on_the_contacts_record(w: World) -> None:
    """
    It is acknowledged by email, the organisation is alerted, and a list and a look-up show it.
    """
    ada = w.add()
    at = w.clock() - timedelta(days=3)
    complaint = by_telephone(w, ada, at=at)
    assert (True, ada, ComplaintState.RECEIVED) == (complaint.on_record, complaint.contact, complaint.state)
    assert (at, acknowledge_by(at)) == (complaint.at, complaint.acknowledge_by)
    assert (TEXT, "telephone", EmailAddress.parse(EMAIL)) == (complaint.text, complaint.how, complaint.reply_to)
    (received,) = events_of(w, complaint, ComplaintReceived)
    assert (Actor.STAFF, Grade.D, at) == (received.actor, received.grade, received.occurred_at)
    w.manager.deliver()
    assert complaint.reference in sent_to(w, EMAIL)[0].text
    assert complaint.reference in sent_to(w, ACME.email)[0].text
    assert TEXT not in sent_to(w, ACME.email)[0].text
    (listed,) = w.manager.complaints()
    assert (complaint.id, ComplaintState.ACKNOWLEDGED, "") == (listed.id, listed.state, listed.text)
    assert complaint.id == w.manager.complaint(complaint.reference.lower().replace("-", " ")).id
    assert complaint.id == w.manager.complaint(complaint.id).id
    assert w.manager.verify()


def test_a_complaint_of_someone_on_no_record_is_kept_apart(w: World) -> None:
    """
    Though the address is Ada's: a matching address does not say who complained.
    """
    ada = w.add()
    before = w.manager.history(ada)
    complaint = by_telephone(w, EMAIL, name="Eve")
    assert (False, "Eve", EmailAddress.parse(EMAIL)) == (complaint.on_record, complaint.name, complaint.reply_to)
    assert ada != complaint.contact
    w.manager.deliver()
    assert before == w.manager.history(ada)
    assert ComplaintState.ACKNOWLEDGED is w.manager.complaint(complaint.reference).state
    assert "Eve" in repr(w.manager.evidence(complaint.contact).to_json())
    assert w.manager.evidence(complaint.contact).verify()
    w.manager.erase(complaint.contact)
    assert ("", "") == (w.manager.complaint(complaint.id).text, w.manager.complaint(complaint.id).name)


@pytest.mark.parametrize(
    ("reply_to", "channel"),
    [(EVE, Channel.EMAIL), ("07911\u2009123457", Channel.SMS), ("1 Low Road\nYork YO1 7HH", None), (None, None)],
)
def test_a_reply_goes_where_it_can_go(w: World, reply_to: str | None, channel: Channel | None) -> None:
    """
    By email, by text, or, for post and for someone who left no address, nowhere: a letter is printed.
    """
    complaint = by_telephone(w, reply_to=reply_to)
    w.manager.deliver()
    answered = [m.channel for b in (w.emails, w.texts) for m in b.outbox if m.to != ACME.email]
    assert ([] if channel is None else [channel]) == answered
    state = ComplaintState.RECEIVED if channel is None else ComplaintState.ACKNOWLEDGED
    assert state is w.manager.complaint(complaint.id).state


def test_an_erased_contact_complains_like_someone_on_no_record(w: World) -> None:
    """
    Nothing comes back into the record that was erased.
    """
    ada = w.add()
    w.manager.erase(ada)
    before = w.manager.history(ada)
    complaint = by_telephone(w, ada, reply_to=EVE)
    assert not complaint.on_record
    assert before == w.manager.history(ada)


def test_what_is_no_complaint_is_refused(w: World) -> None:
    """
    And nothing is recorded.
    """
    ada = w.add()
    refused: list[tuple[type[Exception], dict[str, Any]]] = [
        (UsageError, {"text": " "}),
        (UsageError, {"text": "x" * (LONGEST + 1)}),
        (UsageError, {"how": " "}),
        (UsageError, {"at": w.clock() + timedelta(hours=1)}),
        (UsageError, {"at": w.clock().replace(tzinfo=None)}),
        (UsageError, {"who": ada, "name": "Eve"}),
        (AddressError, {"reply_to": "eve@"}),
        (AddressError, {"reply_to": "12"}),
    ]
    for error, facts in refused:
        with pytest.raises(error):
            by_telephone(w, **facts)
    with pytest.raises(UnknownContactError):
        by_telephone(w, type(ada)("0" * 32))
    assert [] == list(w.manager.complaints(open=None))
    by_telephone(w, text="x" * LONGEST)


def test_a_complaint_recorded_late_has_no_reminder_beside_the_alert(w: World) -> None:
    """
    The organisation is alerted once where the week before the deadline has begun, and twice where it has not.
    """
    late = acknowledge_by(w.clock() - timedelta(days=25))
    by_telephone(w, at=w.clock() - timedelta(days=25))
    w.manager.deliver()
    assert 1 == len(sent_to(w, ACME.email))
    early = by_telephone(w)
    assert late < early.acknowledge_by
    w.clock.now = early.acknowledge_by - timedelta(days=7)
    w.manager.deliver()
    assert 3 == len(sent_to(w, ACME.email))


# ---- the list


def test_the_list_is_in_order_of_the_deadline(w: World) -> None:
    """
    Over all contacts and those on no record, with what is open apart from what is resolved.
    """
    ada = w.add()
    days = [3, 9, 1, 27]
    made = {ago: by_telephone(w, ada if ago > 5 else None, at=w.clock() - timedelta(days=ago)) for ago in days}
    own = w.manager.self_service.complain(w.manager.link(ada).rpartition("/")[2], "Too many letters.")
    w.manager.resolve_complaint(None, made[9].reference, how="in person")
    expected = [made[ago].id for ago in (27, 9, 3, 1)] + [own.id]
    assert expected == [complaint.id for complaint in w.manager.complaints(open=None)]
    assert [made[9].id] == [complaint.id for complaint in w.manager.complaints(open=False)]
    assert [id for id in expected if id != made[9].id] == [complaint.id for complaint in w.manager.complaints()]


def test_a_list_of_several_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Is read part by part, also where a part ends with the list.
    """
    monkeypatch.setattr("optly._operations.complaints._PAGE", 2)
    w = world()
    for count in range(5):
        assert count == len(list(w.manager.complaints()))
        by_telephone(w)


def test_a_record_that_cannot_be_read_hides_no_other_complaint(caplog: pytest.LogCaptureFixture) -> None:
    """
    It is logged and left out.
    """
    w = world()
    broken, whole = by_telephone(w), by_telephone(w)
    contact = w.storage._state.contacts[broken.contact.subject]  # type: ignore[attr-defined]
    contact.entries[0] = type(contact.entries[0])(seq=1, payload=b"{", hash=b"")
    contact.snapshot = b""
    assert [whole.id] == [complaint.id for complaint in w.manager.complaints()]
    assert any(getattr(record, "complaint", "") == broken.id for record in caplog.records)


def test_another_organisation_sees_none_of_it() -> None:
    """
    Neither in its list nor by the reference, the id or the contact.
    """
    w = world()
    ada = w.add()
    complaint = by_telephone(w, ada)
    own = Organisation(key="other", name="Other Ltd", address="2 Road", email="privacy@other.example.com")
    other = world(w.storage, clock=w.clock, organisation=own)
    assert [] == list(other.manager.complaints(open=None))
    for name in (complaint.reference, complaint.id):
        with pytest.raises(UnknownComplaintError):
            other.manager.complaint(name)
        with pytest.raises(UnknownComplaintError):
            other.manager.resolve_complaint(None, name, how="by post")
    assert ComplaintState.RECEIVED is w.manager.complaint(complaint.id).state


def test_a_complaint_is_overdue_after_its_last_instant(w: World) -> None:
    """
    And no more once it was acknowledged.
    """
    complaint = by_telephone(w)
    assert not complaint.is_overdue(complaint.acknowledge_by)
    assert complaint.is_overdue(complaint.acknowledge_by + TICK)
    w.manager.acknowledge_complaint(None, complaint.reference, how="by post")
    assert not w.manager.complaint(complaint.id).is_overdue(complaint.acknowledge_by + TICK)


def test_a_complaint_that_is_not_there(w: World) -> None:
    """
    Nor one that another contact made.
    """
    ada = w.add()
    eve = w.manager.add_contact(email=EVE)
    complaint = by_telephone(w, ada)
    wrong = reference_of("0" * 32)
    for name in (wrong, "nonsense", "0" * 32):
        with pytest.raises(UnknownComplaintError):
            w.manager.complaint(name)
    with pytest.raises(UnknownComplaintError):
        w.manager.acknowledge_complaint(eve, complaint.reference, how="by post")
    with pytest.raises(UsageError):
        w.manager.acknowledge_complaint(eve, complaint.id, how="by post")


# ---- the outcome


def test_the_outcome_is_sent_once_and_recorded(w: World) -> None:
    """
    However often it is queued, and the complaint is resolved when the provider accepts it.
    """
    ada = w.add()
    complaint = by_telephone(w, ada, send=False)
    for _ in range(2):
        w.manager.resolve_complaint(ada, complaint.id, outcome=OUTCOME, send=True)
    assert ComplaintState.SENDING is w.manager.complaint(complaint.id).state
    w.manager.deliver()
    w.manager.resolve_complaint(None, complaint.reference, outcome=OUTCOME, send=True)
    w.manager.deliver()
    (message,) = sent_to(w, EMAIL)
    for held in ("We have erased the number.", complaint.reference):
        assert held in message.text
        assert held in message.html
    assert {} == message.headers
    resolved = w.manager.complaint(complaint.id)
    assert (ComplaintState.RESOLVED, OUTCOME, None) == (resolved.state, resolved.outcome, resolved.reply_to)
    assert w.clock() == resolved.acknowledged_at == resolved.resolved_at
    (accepted,) = [event for event in events_of(w, complaint, MessageAccepted) if event.message == message.id]
    assert [message.id] == [event.message for event in events_of(w, complaint, ComplaintResolved)]
    assert 1 == accepted.line
    assert w.manager.verify()


def test_the_outcome_reaches_someone_who_was_erased(w: World) -> None:
    """
    Erased before the outcome was decided, or after; and then the address is gone from the store.
    """
    ada = w.add()
    first, second = by_telephone(w, ada), by_telephone(w, ada)
    w.manager.resolve_complaint(None, first.reference, outcome="The first.", send=True)
    w.manager.erase(ada)
    w.manager.resolve_complaint(None, second.reference, outcome="The second.", send=True)
    w.manager.deliver()
    texts = " ".join(message.text for message in sent_to(w, EMAIL))
    assert all(held in texts for held in ("The first.", "The second."))
    for complaint in (first, second):
        found = w.manager.complaint(complaint.id)
        assert (ComplaintState.RESOLVED, None, "", "") == (found.state, found.reply_to, found.text, found.outcome)
    assert {} == {slot: value for event in w.manager.history(ada) for slot, value in event.personal.items()}
    assert not w.manager.check(EMAIL, Channel.EMAIL, "offers")
    assert w.manager.verify()


def test_the_outcome_reaches_someone_on_no_record_whose_record_was_erased(w: World) -> None:
    """
    Whether it was queued before or is queued after.
    """
    first, second = by_telephone(w, EVE, name="Eve"), by_telephone(w, EVE, name="Eve")
    w.manager.resolve_complaint(None, first.reference, outcome="The first.", send=True)
    for complaint in (first, second):
        w.manager.erase(complaint.contact)
    w.manager.resolve_complaint(None, second.reference, outcome="The second.", send=True)
    w.manager.deliver()
    texts = " ".join(message.text for message in sent_to(w, EVE))
    assert all(held in texts for held in ("The first.", "The second."))
    for complaint in (first, second):
        found = w.manager.complaint(complaint.id)
        assert (ComplaintState.RESOLVED, None, "", "") == (found.state, found.reply_to, found.name, found.text)
    assert w.manager.verify()


def test_the_person_sees_the_outcome_in_their_history(w: World) -> None:
    """
    With the reference, and staff see both in the evidence.
    """
    ada = w.add()
    complaint = by_telephone(w, ada)
    w.manager.resolve_complaint(ada, complaint.id, outcome=OUTCOME, send=True)
    w.manager.deliver()
    history = History(events=w.manager.history(ada), wordings={}, lines={})
    told = [text for day in days(history, "en", (), None)[0] for item in day.items for text in item.detail]
    assert {complaint.reference, TEXT, OUTCOME} <= set(told)
    page = w.manager.evidence(ada).to_html()
    assert all(shown in page for shown in (complaint.reference, "You were right."))


@pytest.mark.parametrize("store", ON_DISK)
def test_where_to_reply_leaves_the_disk_with_the_outcome(tmp_path: Path, store: str) -> None:
    """
    Once the person was informed of it.
    """
    w = world(opened(store, tmp_path))
    complaint = by_telephone(w, EVE)

    def on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.iterdir())

    for how in ("by telephone", "again"):
        w.manager.deliver()
        w.manager.resolve_complaint(None, complaint.reference, how=how)
    assert EVE.encode() not in on_disk()
    w.manager.close()


def test_the_outcome_goes_to_the_address_that_the_person_has_now(w: World) -> None:
    """
    Where it was changed since; but to the one they gave for the reply, if they gave one.
    """
    ada = w.add()
    own, given_ = by_telephone(w, ada), by_telephone(w, ada, reply_to=EVE)
    w.manager.change_details(ada, email="ada@new.example.com")
    for complaint in (own, given_):
        w.manager.resolve_complaint(None, complaint.reference, outcome=OUTCOME, send=True)
    w.manager.deliver()
    assert own.reference in " ".join(message.text for message in sent_to(w, "ada@new.example.com"))
    assert given_.reference in " ".join(message.text for message in sent_to(w, EVE))
    assert [] == sent_to(w, EMAIL)


def test_no_answer_goes_to_an_address_that_the_person_gave_up(w: World) -> None:
    """
    Someone else may read there now. An outcome that was not queued yet goes to another address of theirs.
    """
    ada = w.add(email=None)
    before, after = by_telephone(w, ada), by_telephone(w, ada, send=False)
    w.manager.resolve_complaint(ada, before.id, outcome="The first.", send=True)
    command = ChangeDetails(remove=(1,), add=(NewLine(kind=AddressKind.EMAIL, value=EVE),), actor=Actor.STAFF)
    run_to_completion(w.manager._app.repository.apply(ada, command))
    w.manager.resolve_complaint(ada, after.id, outcome="The second.", send=True)
    w.manager.deliver()
    assert [] == sent_to(w, PHONE)
    assert ["The second."] == [
        line
        for message in sent_to(w, EVE)
        for line in message.text.splitlines()
        if line.startswith("The ") and "." in line
    ]
    assert ComplaintState.RECEIVED is w.manager.complaint(before.id).state


def test_a_reply_to_someone_with_several_addresses_names_one(w: World) -> None:
    """
    Others may read at one of them. Without an acknowledgement to send, the complaint is recorded all the same.
    """
    ada = w.add(email="info@example.com")
    w.manager.add_line(ada, email=EMAIL)
    with pytest.raises(AmbiguousLineError):
        by_telephone(w, ada)
    assert [] == list(w.manager.complaints())
    unsent, named = by_telephone(w, ada, send=False), by_telephone(w, ada, reply_to=EMAIL)
    with pytest.raises(UsageError):
        w.manager.resolve_complaint(ada, unsent.id, outcome=OUTCOME, send=True)
    w.manager.resolve_complaint(ada, named.id, outcome=OUTCOME, send=True)
    w.manager.deliver()
    assert [] == sent_to(w, "info@example.com")
    assert 2 == len(sent_to(w, EMAIL))


@pytest.mark.parametrize("erased", [False, True], ids=["on record", "erased"])
@pytest.mark.parametrize("queued", [False, True], ids=["decided later", "decided before"])
def test_an_answer_goes_nowhere_but_to_who_complained(w: World, *, erased: bool, queued: bool) -> None:
    """
    Of the line that the complaint came through, somebody new has the address by now; of the others, nobody knows which
    is meant, or the person was erased.
    """
    ada = w.add()
    for email in ("info@example.com", "sales@example.com"):
        w.manager.add_line(ada, email=email)
    code = w.manager.link(ada, email=EMAIL).rpartition("/")[2]
    complaint = w.manager.self_service.complain(code, TEXT)
    w.manager.deliver()
    w.emails.outbox.clear()
    decide = partial(w.manager.resolve_complaint, ada, complaint.id, outcome=OUTCOME, send=True)
    if queued:
        decide()
    w.manager.leave_line(ada, email=EMAIL, how="the mailbox was given to somebody new")
    if erased:
        w.manager.erase(ada)
    if not queued:
        with pytest.raises(UsageError):
            decide()
    w.manager.deliver()
    assert [] == [message.to for message in w.emails.outbox]
    assert ComplaintState.ACKNOWLEDGED is w.manager.complaint(complaint.id).state


def test_an_answer_follows_to_the_address_that_was_proved_since(w: World) -> None:
    """
    Though there are others: the person showed from the line they complained through that it is theirs.
    """
    ada = w.add(email="info@example.com")
    w.manager.add_line(ada, email=EMAIL)
    code = w.manager.link(ada, email=EMAIL).rpartition("/")[2]
    complaint = w.manager.self_service.complain(code, TEXT)
    planned = ProveLine(line=NewLine(kind=AddressKind.EMAIL, value=EVE), replaces=(3,), through=3)
    run_to_completion(w.manager._app.repository.apply(ada, planned))
    w.manager.resolve_complaint(ada, complaint.id, outcome=OUTCOME, send=True)
    w.manager.deliver()
    assert 2 == len(sent_to(w, EVE))
    assert [] == sent_to(w, "info@example.com")


def test_a_refused_outcome_leaves_the_complaint_open(w: World) -> None:
    """
    It can be sent again, or said in another way. The address of someone on no record is no line that could fail.
    """
    complaint = by_telephone(w, EVE, send=False)
    w.emails.answer = lambda message: Receipt(
        outcome=Outcome.REFUSED if message.to == EVE else Outcome.ACCEPTED, fault=Fault.ADDRESS, reply="550 no"
    )
    w.manager.resolve_complaint(None, complaint.reference, outcome=OUTCOME, send=True)
    w.manager.deliver()
    found = w.manager.complaint(complaint.id)
    assert (ComplaintState.RECEIVED, True) == (found.state, found.decided_at is not None)
    assert () == w.manager.standing(complaint.contact).failures
    assert [complaint.id] == [each.id for each in w.manager.complaints()]
    w.emails.answer = lambda _message: Receipt(outcome=Outcome.ACCEPTED)
    w.manager.resolve_complaint(None, complaint.reference, outcome=OUTCOME, send=True)
    w.manager.deliver()
    assert ComplaintState.RESOLVED is w.manager.complaint(complaint.id).state
    assert 2 == len(events_of(w, complaint, ComplaintDecided))


def test_an_outcome_told_otherwise_is_not_sent_too(w: World) -> None:
    """
    Where it waited to be sent.
    """
    ada = w.add()
    complaint = by_telephone(w, ada, send=False)
    w.manager.resolve_complaint(ada, complaint.id, outcome=OUTCOME, send=True)
    w.manager.resolve_complaint(ada, complaint.id, how="by telephone")
    w.manager.deliver()
    assert [] == sent_to(w, EMAIL)
    assert ComplaintState.RESOLVED is w.manager.complaint(complaint.id).state


def test_an_outcome_that_cannot_be_sent_is_refused(w: World) -> None:
    """
    With what to do instead.
    """
    by_post, nowhere = by_telephone(w, reply_to="1 Low Road, York YO1 7HH"), by_telephone(w)
    with pytest.raises(NoBackendError):
        w.manager.resolve_complaint(None, by_post.id, outcome=OUTCOME, send=True)
    with pytest.raises(UsageError, match="nowhere to reply"):
        w.manager.resolve_complaint(None, nowhere.id, outcome=OUTCOME, send=True)
    for facts in ({"outcome": " ", "send": True}, {"outcome": "x" * (LONGEST + 1), "send": True}, {"outcome": OUTCOME}):
        with pytest.raises(UsageError):
            w.manager.resolve_complaint(None, by_post.id, **facts)
    with pytest.raises(UsageError):
        w.manager.resolve_complaint(None, by_post.id, outcome=OUTCOME, send=True, how="by post")
    letter = w.manager.complaint_letter(by_post.reference, outcome=OUTCOME)
    assert all(held in letter.text for held in (by_post.reference, "We have erased the number.", ACME.address))
    assert "30 days" not in letter.text
    assert by_post.reference in w.manager.complaint_letter(by_post.reference).text
    w.manager.resolve_complaint(None, by_post.reference, outcome=OUTCOME, how="letter, first class")
    found = w.manager.complaint(by_post.id)
    assert (ComplaintState.RESOLVED, OUTCOME) == (found.state, found.outcome)


def test_a_letter_goes_through_the_outbox_where_post_is_served() -> None:
    """
    With the postal address, the same way as an email.
    """
    letters = MemoryBackend(channel=Channel.POST)
    w = world(backends=[letters])
    complaint = w.manager.record_complaint(text=TEXT, how="letter", reply_to="1 Low Road, York YO1 7HH")
    w.manager.resolve_complaint(None, complaint.reference, outcome=OUTCOME, send=True)
    w.manager.deliver()
    w.manager.deliver()
    assert ["1 Low Road, York YO1 7HH"] * 2 == [message.to for message in letters.outbox]
    assert "We have erased the number." in letters.outbox[-1].text
    assert ComplaintState.RESOLVED is w.manager.complaint(complaint.id).state


def test_the_outcome_by_text(w: World) -> None:
    """
    On one line, with the reference.
    """
    complaint = by_telephone(w, PHONE, send=False)
    w.manager.resolve_complaint(None, complaint.reference, outcome=OUTCOME, send=True)
    w.manager.deliver()
    (message,) = sent_to(w, PHONE)
    assert (
        f"Acme Ltd: the outcome of your complaint {complaint.reference}: You were right. We have erased" in message.text
    )


def test_markup_in_an_outcome_is_text() -> None:
    """
    In the HTML form too.
    """
    w = world()
    complaint = by_telephone(w, EVE, send=False)
    w.manager.resolve_complaint(None, complaint.id, outcome="a <b>bold</b> & %(reference)s word", send=True)
    w.manager.deliver()
    (message,) = sent_to(w, EVE)
    assert "a &lt;b&gt;bold&lt;/b&gt; &amp; %(reference)s word" in message.html
    assert "a <b>bold</b> & %(reference)s word" in message.text


# ---- doubts and reports


def doubtful(w: World, **facts: Any) -> tuple[RecordedComplaint, str]:
    """
    Record a complaint whose acknowledgement is in doubt, and return it with the id of that message.
    """
    w.emails.answer = lambda message: Receipt(
        outcome=Outcome.ACCEPTED if message.to == ACME.email else Outcome.IN_DOUBT
    )
    complaint = by_telephone(w, **facts)
    w.manager.deliver()
    (entry,) = w.manager.outbox_messages(MessageState.IN_DOUBT)
    assert complaint.contact == entry.contact
    return complaint, entry.message


@pytest.mark.parametrize("apart", [True, False])
def test_an_acknowledgement_in_doubt_that_was_sent_is_one(w: World, *, apart: bool) -> None:
    """
    Settled by hand.
    """
    complaint, message = doubtful(w, who=EVE if apart else w.add())
    assert ComplaintState.RECEIVED is w.manager.complaint(complaint.id).state
    assert w.manager.resolve_doubt(complaint.contact, message, sent=True)
    assert ComplaintState.ACKNOWLEDGED is w.manager.complaint(complaint.id).state
    assert [message] == [event.message for event in events_of(w, complaint, ComplaintAcknowledged)]


@pytest.mark.parametrize("apart", [True, False])
def test_an_acknowledgement_in_doubt_that_was_delivered_is_one(w: World, *, apart: bool) -> None:
    """
    Settled by a later report of the provider; a repeat changes nothing.
    """
    complaint, message = doubtful(w, who=EVE if apart else w.add())
    w.manager.receive(
        DeliveryEvent(
            id="1",
            backend="memory",
            channel=Channel.EMAIL,
            status=DeliveryStatus.DELIVERED,
            message=message,
            contact=complaint.contact.id,
            at=w.clock(),
        )
    )
    assert [DoubtFinding.SENT] == [doubt.finding for doubt in w.manager.reconcile()]
    assert [] == w.manager.reconcile()
    assert ComplaintState.ACKNOWLEDGED is w.manager.complaint(complaint.id).state


def test_an_outcome_in_doubt_resolves_once_it_is_known_to_be_sent(w: World) -> None:
    """
    Until then it is not sent again, and where to reply is kept.
    """
    complaint = by_telephone(w, EVE, send=False)
    w.emails.answer = lambda _message: Receipt(outcome=Outcome.IN_DOUBT)
    w.manager.resolve_complaint(None, complaint.id, outcome=OUTCOME, send=True)
    w.manager.deliver()
    w.manager.resolve_complaint(None, complaint.id, outcome=OUTCOME, send=True)
    w.manager.deliver()
    assert 1 == len(sent_to(w, EVE))
    found = w.manager.complaint(complaint.id)
    assert (ComplaintState.SENDING, EmailAddress.parse(EVE)) == (found.state, found.reply_to)
    sent = sent_to(w, EVE)[0]
    assert w.manager.resolve_doubt(complaint.contact, sent.id, sent=True)
    assert ComplaintState.RESOLVED is w.manager.complaint(complaint.id).state


def test_an_outcome_in_doubt_that_came_back_can_be_sent_again(w: World) -> None:
    """
    And the first one is not sent after it.
    """
    complaint = by_telephone(w, EVE, send=False)
    w.emails.answer = lambda _message: Receipt(outcome=Outcome.IN_DOUBT)
    w.manager.resolve_complaint(None, complaint.id, outcome="The first.", send=True)
    w.manager.deliver()
    first = sent_to(w, EVE)[0]
    w.manager.receive(
        DeliveryEvent(
            id="1",
            backend="memory",
            channel=Channel.EMAIL,
            status=DeliveryStatus.BOUNCED,
            message=first.id,
            contact=complaint.contact.id,
            at=w.clock(),
        )
    )
    w.manager.resolve_complaint(None, complaint.id, outcome="The second.", send=True)
    assert w.manager.resolve_doubt(complaint.contact, first.id, sent=False)
    w.emails.answer = lambda _message: Receipt(outcome=Outcome.ACCEPTED)
    for _ in range(2):
        w.manager.deliver()
    assert 1 == sum("The second." in message.text for message in sent_to(w, EVE))
    assert 1 == sum("The first." in message.text for message in sent_to(w, EVE))
    assert ComplaintState.RESOLVED is w.manager.complaint(complaint.id).state


def test_an_alert_that_was_sent_acknowledges_nothing(w: World) -> None:
    """
    It is a message about the complaint, but not to the person.
    """
    w.emails.answer = lambda _message: Receipt(outcome=Outcome.IN_DOUBT)
    complaint = by_telephone(w)
    w.manager.deliver()
    (entry,) = w.manager.outbox_messages(MessageState.IN_DOUBT)
    before = w.manager.history(complaint.contact)
    assert w.manager.resolve_doubt(complaint.contact, entry.message, sent=True)
    assert before == w.manager.history(complaint.contact)
    assert ComplaintState.RECEIVED is w.manager.complaint(complaint.id).state


def test_a_worker_that_dies_leaves_the_outcome_in_doubt(w: World) -> None:
    """
    As it does with any message.
    """
    ada = w.add()
    complaint = by_telephone(w, ada, send=False)
    w.manager.deliver()
    w.manager.resolve_complaint(ada, complaint.id, outcome=OUTCOME, send=True)

    def die(_message: Any) -> Receipt:
        raise KeyboardInterrupt

    w.emails.answer = die
    with pytest.raises(KeyboardInterrupt):
        w.manager.deliver()
    w.emails.answer = lambda _message: Receipt(outcome=Outcome.ACCEPTED)
    w.later(LEASE + TICK)
    w.manager.deliver()
    assert ComplaintState.SENDING is w.manager.complaint(complaint.id).state


def test_a_spam_report_about_an_answer_stops_nothing_of_the_complaint(w: World) -> None:
    """
    A spam report by a mail provider is not a complaint under data protection law.
    """
    complaint = by_telephone(w, EVE)
    w.manager.deliver()
    (message,) = sent_to(w, EVE)
    w.manager.receive(
        DeliveryEvent(
            id="1",
            backend="memory",
            channel=Channel.EMAIL,
            status=DeliveryStatus.COMPLAINED,
            message=message.id,
            contact=message.contact,
            at=w.clock(),
        )
    )
    assert 1 == len(list(w.manager.complaints()))
    assert 1 == len(events_of(w, complaint, ComplaintReceived))


def test_two_messages_about_one_record_in_one_batch(w: World) -> None:
    """
    An answer to a complaint and another message to the contact are both recorded.
    """
    ada = w.add()
    code = w.agreed(ada)
    complaint = w.manager.self_service.complain(code, "Too many letters.")
    w.manager.send(ada, Channel.EMAIL, "offers", "Offer")
    w.manager.resolve_complaint(ada, complaint.id, outcome=OUTCOME, send=True)
    w.manager.deliver()
    assert ComplaintState.RESOLVED is w.manager.complaint(complaint.id).state
    accepted = {event.message for event in w.manager.history(ada) if isinstance(event, MessageAccepted)}
    assert {message.id for message in sent_to(w, EMAIL)} <= accepted
    assert w.manager.verify()


# ---- nothing personal where it does not belong


def test_nothing_personal_is_in_reprs_and_logs(w: World, caplog: pytest.LogCaptureFixture) -> None:
    """
    Neither the words nor the name nor the address.
    """
    caplog.set_level(logging.DEBUG)
    complaint = by_telephone(w, EVE, name="Eve Adams")
    w.manager.resolve_complaint(None, complaint.id, outcome=OUTCOME, send=True)
    rows = w.storage.complaints(ACME.key, None, None, 9)
    shown = repr((w.manager.complaint(complaint.id), rows, w.manager.storage, list(w.manager.complaints())))
    w.manager.deliver()
    logged = " ".join(str(vars(record)) for record in caplog.records)
    for secret in (EVE, "Eve Adams", "mother", "erased the number"):
        assert secret not in shown
        assert secret not in logged


# ---- settings


@pytest.mark.parametrize("email", ["Acme privacy <privacy@acme.example.com>", "privacy", "a@b@c", "privacy@", " "])
def test_an_address_that_no_email_reaches_is_refused(email: str) -> None:
    """
    When the manager is made, and not when someone complains.
    """
    with pytest.raises(ConfigurationError, match=r"Organisation\.email"):
        world(organisation=Organisation(key="acme", name="Acme Ltd", address="Leeds", email=email))


NOBODY = attrs.evolve(ACME, email="")


def marketed(w: World) -> list[str]:
    """
    Ask and market to Ada, deliver, and return the subjects of what was sent.
    """
    ada = w.add()
    w.manager.record_consent(
        ada,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=w.manager.purposes["offers"].wording(w.manager.organisation, Channel.EMAIL),
        act=Act.TICKED_BOX,
        how="paper form",
        at=w.clock() - TICK,
    )
    w.manager.send(ada, Channel.EMAIL, "offers", Content(subject="An offer", text="Hello"))
    w.manager.deliver()
    return [message.subject for message in w.emails.outbox]


def test_nothing_is_sent_while_nobody_would_hear_of_a_complaint(caplog: pytest.LogCaptureFixture) -> None:
    """
    No marketing and no question, as start-up says in the log. It waits, and goes once there is an address or a hook.
    """
    w = world(organisation=NOBODY)
    assert ["WARNING"] == [record.levelname for record in caplog.records if "alerted to complaints" in record.message]
    assert [] == marketed(w)
    assert {MessageState.QUEUED: 1} == w.manager.backlog()
    caplog.clear()
    w.later(timedelta(hours=2))
    hooked = world(w.storage, organisation=NOBODY, clock=w.clock, on_events=lambda _contact, _events: None)
    hooked.manager.deliver()
    assert ["An offer"] == [message.subject for message in hooked.emails.outbox]
    assert ["An offer"] == marketed(world())
    assert [] == caplog.records


def test_stops_pages_and_the_gate_work_though_nobody_hears_of_complaints() -> None:
    """
    And what the person asked for is sent: a complaint is acknowledged, and listed for whoever looks.
    """
    w = world(organisation=NOBODY)
    ada = w.add()
    code = w.manager.link(ada).rpartition("/")[2]
    complaint = w.manager.self_service.complain(code, "Too many letters.")
    session = w.manager.self_service.request_code(code)
    w.manager.deliver()
    assert session
    assert 2 == len(sent_to(w, EMAIL)) == len(w.emails.outbox)
    assert [complaint.reference] == [each.reference for each in w.manager.complaints()]
    w.manager.stop(code)
    assert not w.manager.check(ada, Channel.EMAIL, "offers")


def test_start_up_says_that_no_email_alerts_the_organisation(caplog: pytest.LogCaptureFixture) -> None:
    """
    Where no backend could send it; a manager that sends nothing at all has nothing to say.
    """
    world(backends=[MemoryBackend(channel=Channel.SMS)])
    assert ["WARNING"] == [
        record.levelname for record in caplog.records if "alerts the organisation to complaints" in record.message
    ]
    caplog.clear()
    world(backends=[])
    world(backends=[MemoryBackend(channel=Channel.SMS)], on_events=lambda _contact, _events: None)
    assert [] == caplog.records


# ---- awaited


def test_the_awaited_form_does_the_same() -> None:
    """
    With the list as an asynchronous iterator.
    """

    async def main() -> list[str]:
        async with awaited(MemoryBackend(channel=Channel.EMAIL)) as manager:
            complaint = await manager.record_complaint(EVE, text=TEXT, how="letter")
            listed = [each.reference async for each in manager.complaints()]
            await manager.resolve_complaint(None, complaint.reference, outcome=OUTCOME, send=True)
            await manager.deliver()
            closed = [each.reference async for each in manager.complaints(open=False)]
            return [complaint.reference, *listed, *closed]

    assert 1 == len(set(asyncio.run(main())))
