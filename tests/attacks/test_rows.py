"""
Rows that somebody with the database and no key has altered or removed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from world import EMAIL_OFFERS, PHONE, World, world

from optly import Channel, Contact, Content, Subscriber
from optly._operations import repository
from optly.errors import DamagedError, LinkInvalidError
from optly.links import LinkTarget, code_key
from optly.protocols import Found
from optly.record.events import LinkKind
from optly.record.ledger import Finding, link, start
from optly.rules.decision import Reason
from optly.storage import MemoryStorage, SQLStorage
from optly.testing.messages import code_in

PEOPLE = ("ann@example.com", "bob@example.com", "cat@example.com")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "optly.db"


def opened(file: Path) -> World:
    return world(storage=SQLStorage(f"sqlite:///{file}"))


def agreed(w: World, email: str, name: str = "") -> Contact:
    contact = w.manager.add_contact(name=name or email, email=email, subscriber=Subscriber.INDIVIDUAL)
    w.manager.answer(code_in(w.ask(contact, channels=[Channel.EMAIL])), {EMAIL_OFFERS: True})
    w.later()
    assert w.manager.check(contact, *EMAIL_OFFERS)
    return contact


def alter(file: Path, statement: str, *values: object) -> None:
    """
    Alter a database that nobody has open, the way whoever has the file could.
    """
    database = sqlite3.connect(file)
    with database:
        assert database.execute(statement, values).rowcount
    database.close()


def damage(file: Path, contact: Contact) -> None:
    """
    Make a record that cannot be read: neither its read model nor its events.
    """
    alter(file, "UPDATE optly_heads SET snapshot = x'00' WHERE subject_id = ?", contact.subject)
    alter(file, "UPDATE optly_events SET payload = x'00' WHERE subject_id = ? AND seq = 1", contact.subject)


# ---- what is gone stops


@pytest.mark.parametrize("read_model", ["UPDATE optly_heads SET snapshot = x'00' WHERE subject_id = ?", ""])
def test_a_stop_whose_event_was_removed_is_not_forgotten(file: Path, read_model: str) -> None:
    """
    Promises 1 and 11: a chain that is shorter than it was is no reason to write to somebody.
    """
    w = opened(file)
    ann = agreed(w, PEOPLE[0])
    w.manager.record_objection(ann)
    w.manager.close()
    alter(
        file, "DELETE FROM optly_events WHERE subject_id = ? AND seq = (SELECT max(seq) FROM optly_events)", ann.subject
    )
    if read_model:
        alter(file, read_model, ann.subject)
    w = opened(file)
    for who in (ann, PEOPLE[0]):
        with pytest.raises(DamagedError):
            w.manager.check(who, *EMAIL_OFFERS)
    with pytest.raises(DamagedError):
        w.manager.send(ann, *EMAIL_OFFERS, Content(subject="Hi", text="Hello"))
    w.manager.close()


def test_a_chain_that_is_read_again_has_to_be_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Promise 11: the events behind a read model of an earlier release are believed only as far as they are chained, and
    what is added to them does not make them one.
    """
    w = opened(file)
    ann, bob = agreed(w, PEOPLE[0]), agreed(w, PEOPLE[1])
    w.manager.record_objection(ann)
    w.manager.close()
    database = sqlite3.connect(file)
    chain = database.execute("SELECT seq, payload FROM optly_events WHERE subject_id = ? ORDER BY seq", (ann.subject,))
    head = start("acme", ann.id)
    for seq, payload in chain.fetchall():
        payload = payload.replace(b"2026", b"2016") if b"objection-raised" in payload else payload
        head = link(head, payload)
        altered = "UPDATE optly_events SET payload = ?, hash = ? WHERE subject_id = ? AND seq = ?"
        database.execute(altered, (payload, head, ann.subject, seq))
    database.commit()
    database.close()
    monkeypatch.setattr(repository, "_SNAPSHOT_VERSION", b"6")
    w = opened(file)
    assert w.manager.check(bob, *EMAIL_OFFERS)
    for _ in range(2):
        assert w.manager.check(ann, *EMAIL_OFFERS).reason is Reason.UNREADABLE
        w.manager.withdraw(ann, channels=[Channel.SMS])
    w.manager.close()


@pytest.mark.parametrize("forged", ["a cut", "another's", "an event"])
def test_nobody_without_the_key_makes_a_head(file: Path, forged: str) -> None:
    """
    Promise 11: a withdrawal cannot be cut out, nor the read model of somebody else be put in its place. What is added
    afterwards does not vouch for it, nothing of it is signed, the others are sealed, and the contact can be stopped.
    """
    w = opened(file)
    ann, bob = agreed(w, PEOPLE[0]), agreed(w, PEOPLE[1])
    w.manager.withdraw(ann, channels=[Channel.EMAIL])
    sealed = w.storage.sealed("acme", [ann.subject])
    w.manager.close()
    if forged == "a cut":
        alter(
            file,
            "DELETE FROM optly_events WHERE subject_id = ? AND CAST(payload AS TEXT) LIKE '%consent-withdrawn%'",
            ann.subject,
        )
        alter(
            file,
            "UPDATE optly_heads SET (version, hash, snapshot) = (SELECT e.seq, e.hash, b.snapshot FROM optly_events e,"
            " optly_heads b WHERE e.subject_id = optly_heads.subject_id AND b.subject_id = ? ORDER BY e.seq DESC LIMIT"
            " 1) WHERE subject_id = ?",
            bob.subject,
            ann.subject,
        )
    elif forged == "another's":
        alter(
            file,
            "UPDATE optly_heads SET (snapshot, mac) = (SELECT snapshot, mac FROM optly_heads WHERE subject_id = ?)"
            " WHERE subject_id = ?",
            bob.subject,
            ann.subject,
        )
    else:
        last = "(SELECT max(seq) FROM optly_events WHERE subject_id = ?1)"
        alter(
            file,
            f"INSERT INTO optly_events SELECT ?1, {last} + 1, hash, x'00', payload FROM optly_events"
            f" WHERE subject_id = ?1 AND CAST(payload AS TEXT) LIKE '%consent-given%'",
            ann.subject,
        )
    w = opened(file)
    for _ in range(2):
        for who in (ann, PEOPLE[0]):
            assert w.manager.check(who, *EMAIL_OFFERS).reason is Reason.UNREADABLE
        w.later()
        if forged != "an event":
            w.manager.withdraw(ann, channels=[Channel.SMS])
    w.manager.seal()
    assert w.storage.sealed("acme", [ann.subject]) == sealed
    assert w.storage.sealed("acme", [bob.subject])
    assert not w.manager.verify()
    w.manager.close()


def test_what_another_holder_objected_to_stands_when_their_record_is_gone(file: Path) -> None:
    """
    Promises 1 and 11: on a shared line, nobody knows what a holder objected to whose record was removed.
    """
    w = opened(file)
    ann = agreed(w, PEOPLE[0], "Ann")
    bob = w.manager.add_contact(name="Bob", email=PEOPLE[0], subscriber=Subscriber.INDIVIDUAL)
    w.manager.record_objection(bob)
    assert not w.manager.check(ann, *EMAIL_OFFERS)
    w.manager.close()
    alter(file, "DELETE FROM optly_heads WHERE subject_id = ?", bob.subject)
    w = opened(file)
    for who in (ann, PEOPLE[0]):
        with pytest.raises(DamagedError):
            w.manager.check(who, *EMAIL_OFFERS)
    w.manager.close()


@pytest.mark.parametrize("scope", ["", "*", "carrier_pigeon/offers", "email"])
def test_a_suppression_that_cannot_be_read_suppresses(file: Path, scope: str) -> None:
    """
    Promises 12 and 18: of what it covered nobody knows how little it was; and it fails no look-up.
    """
    w = opened(file)
    w.manager.erase(agreed(w, PEOPLE[0]))
    w.manager.close()
    alter(file, "UPDATE optly_suppressions SET scope = ?", scope)
    w = opened(file)
    again = w.manager.add_contact(name="Ann", email=PEOPLE[0], subscriber=Subscriber.COMPANY)
    assert w.manager.check(PEOPLE[0], *EMAIL_OFFERS).reason is Reason.SUPPRESSED
    assert w.manager.check(again, *EMAIL_OFFERS).reason is Reason.UNREADABLE
    w.manager.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE optly_suppressions SET at = 0",
        "UPDATE optly_suppressions SET scope = 'fax/offers'",
        "UPDATE optly_suppressions SET mac = x''",
        "UPDATE optly_suppressions SET mac = zeroblob(20)",
    ],
)
def test_a_spoilt_suppression_frees_no_address(file: Path, statement: str, caplog: pytest.LogCaptureFixture) -> None:
    """
    Promises 11 and 12: not even by what would have lifted it, and it is named in the log.
    """
    w = opened(file)
    w.manager.erase(agreed(w, PEOPLE[0]))
    w.later()
    again = w.manager.add_contact(name="Ann", email=PEOPLE[0], subscriber=Subscriber.COMPANY)
    w.manager.choose(w.manager.link(again).rpartition("/")[2], {EMAIL_OFFERS: True})
    assert w.manager.check(PEOPLE[0], *EMAIL_OFFERS)
    w.manager.close()
    alter(file, statement)
    w = opened(file)
    for who in (again, PEOPLE[0]):
        assert not w.manager.check(who, *EMAIL_OFFERS)
    assert any("not as they were written" in record.message for record in caplog.records)
    w.manager.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE optly_identifiers SET subject_id = :other WHERE subject_id = :ann",
        "UPDATE optly_identifiers SET line = 7 WHERE subject_id = :ann",
        "UPDATE optly_identifiers SET mac = x'' WHERE subject_id = :ann",
        "UPDATE optly_identifiers SET idkey = (SELECT idkey FROM optly_identifiers WHERE subject_id = :ann)"
        " WHERE subject_id = :other",
        "INSERT INTO optly_identifiers SELECT idkey, :other, 1, key_version, mac FROM optly_identifiers"
        " WHERE subject_id = :ann",
    ],
)
def test_an_address_that_was_given_to_another_contact_permits_nothing(file: Path, statement: str) -> None:
    """
    Promises 9 and 11: nobody without the key makes one contact the holder of another's address, and a stop that comes
    from there stops it all the same.
    """
    w = opened(file)
    ann, other = agreed(w, PEOPLE[0]), agreed(w, PEOPLE[1])
    w.manager.close()
    names = {"ann": ann.subject, "other": other.subject}
    database = sqlite3.connect(file)
    with database:
        assert database.execute(statement, {k: v for k, v in names.items() if f":{k}" in statement}).rowcount
    database.close()
    w = opened(file)
    assert not w.manager.check(PEOPLE[0], *EMAIL_OFFERS)
    assert other not in w.manager.holders(PEOPLE[0])
    assert w.manager.import_objections([PEOPLE[0]], Channel.EMAIL, how="a letter").recorded == 1
    assert not w.manager.check(PEOPLE[0], *EMAIL_OFFERS)
    w.manager.close()


@pytest.mark.parametrize("made", ["up", "of another", "to last"])
def test_nobody_without_the_key_makes_a_link(file: Path, made: str) -> None:
    """
    Promises 2 and 11: a code that somebody put into the database opens nothing, nor does one that was altered.
    """
    w = opened(file)
    ann, bob = agreed(w, PEOPLE[0]), agreed(w, PEOPLE[1])
    w.manager.record_objection(bob)
    w.manager.add_line(ann, phone=PHONE)
    own = w.manager.link(ann, Channel.SMS).rpartition("/")[2]  # that of an email is not in the database
    target = LinkTarget(kind=LinkKind.MANAGE, contact=bob.id, line=1, channel=Channel.EMAIL, handed_over=True)
    w.manager.close()
    if made == "up":
        row = (code_key("0" * 26), bob.subject, target.dump())
        alter(file, "INSERT INTO optly_codes SELECT ?, ?, NULL, ?, mac FROM optly_codes LIMIT 1", *row)
    elif made == "of another":
        alter(
            file,
            "UPDATE optly_codes SET subject_id = ?, value = ? WHERE code_key = ?",
            bob.subject,
            target.dump(),
            code_key(own),
        )
    else:
        alter(file, "UPDATE optly_codes SET expires_at = 9999999999999999 WHERE code_key = ?", code_key(own))
    w = opened(file)
    w.later()
    with pytest.raises(LinkInvalidError):
        w.manager.choose("0" * 26 if made == "up" else own, {EMAIL_OFFERS: True})
    assert not w.manager.check(bob, *EMAIL_OFFERS)
    w.manager.close()


def test_nothing_is_sent_that_somebody_put_into_the_outbox(file: Path) -> None:
    """
    Promise 11: the words of a message that waits are those it was queued with, or it is not sent.
    """
    w = opened(file)
    ann, bob = agreed(w, PEOPLE[0]), agreed(w, PEOPLE[1])
    for contact in (ann, bob):
        w.manager.send(contact, *EMAIL_OFFERS, Content(subject="Offers", text="Ten per cent off."))
    w.manager.close()
    alter(
        file,
        "UPDATE optly_outbox SET body = CAST(replace(CAST(body AS TEXT), 'Ten', 'Nine') AS BLOB) WHERE subject_id = ?"
        " AND length(body)",
        ann.subject,
    )
    w = opened(file)
    w.later(timedelta(hours=1))
    w.manager.deliver()
    assert [message.to for message in w.emails.outbox if message.subject == "Offers"] == [PEOPLE[1]]
    w.manager.close()


def test_a_reference_leads_to_nobody_else(file: Path) -> None:
    """
    Promise 11: whoever has the database does not exchange a customer for another.
    """
    w = opened(file)
    ann = w.manager.add_contact(reference="customer 1", name="Ann", email=PEOPLE[0])
    bob = agreed(w, PEOPLE[1])
    assert w.manager.find_reference("customer 1") == ann
    w.manager.close()
    alter(file, "UPDATE optly_references SET subject_id = ? WHERE subject_id = ?", bob.subject, ann.subject)
    w = opened(file)
    with pytest.raises(DamagedError):
        w.manager.find_reference("customer 1")
    w.manager.close()


# ---- and stops nobody else


def test_a_record_that_cannot_be_read_is_refused_and_the_others_are_screened(file: Path) -> None:
    """
    Promise 17: of a list that is screened, one is refused, and says why.
    """
    w = opened(file)
    contacts = [agreed(w, email) for email in PEOPLE]
    w.manager.close()
    damage(file, contacts[1])
    w = opened(file)
    decisions = list(w.manager.screen([PEOPLE[0], "nonsense", *PEOPLE[1:]], *EMAIL_OFFERS))
    assert [decision.reason for decision in decisions] == [
        Reason.CONSENTED,
        Reason.NOT_AN_ADDRESS,
        Reason.UNREADABLE,
        Reason.CONSENTED,
    ]
    assert not decisions[2].allowed
    w.manager.close()


@pytest.mark.parametrize("missing", [False, True])
def test_a_record_that_cannot_be_read_keeps_no_stop_of_others_from_being_imported(file: Path, missing: bool) -> None:
    """
    Promises 1 and 17: every other stop of the list is recorded. So is that of who cannot be read, unless events are
    missing; the place of one that is not recorded is returned.
    """
    w = opened(file)
    contacts = [agreed(w, email) for email in PEOPLE]
    w.manager.close()
    damage(file, contacts[1])
    if missing:
        alter(file, "DELETE FROM optly_events WHERE subject_id = ? AND seq = 1", contacts[1].subject)
    w = opened(file)
    imported = w.manager.import_objections(["nonsense", *PEOPLE], Channel.EMAIL, how="the old list")
    assert (imported.recorded, imported.malformed, imported.damaged) == ((2, (1,), (3,)) if missing else (3, (1,), ()))
    for contact in (contacts[0], contacts[2]):
        assert not w.manager.check(contact, *EMAIL_OFFERS)
    w.manager.close()


def test_a_record_that_cannot_be_read_keeps_nobody_else_from_being_asked(file: Path) -> None:
    """
    Promise 17: a campaign asks the others, and returns why one was not asked.
    """
    w = opened(file)
    contacts = [w.manager.add_contact(name=email, email=email, subscriber=Subscriber.COMPANY) for email in PEOPLE]
    w.manager.close()
    damage(file, contacts[1])
    w = opened(file)
    campaign = w.manager.request_consents(
        contacts, campaign="winter", via=Channel.EMAIL, channels=[Channel.EMAIL], purposes=["offers"]
    )
    assert campaign.asked == 2
    assert [asked.contact for asked in campaign.refused] == [contacts[1]]
    w.manager.close()


def test_a_value_that_cannot_be_read_is_reported_with_everything_else(file: Path) -> None:
    """
    Promises 11 and 17: verification says what it finds, and does not end at the first row that is no text.
    """
    w = opened(file)
    contacts = [agreed(w, email) for email in PEOPLE]
    w.manager.seal()
    w.manager.close()
    alter(file, "UPDATE optly_personal SET value = x'ff' WHERE subject_id = ?", contacts[0].subject)
    alter(file, "UPDATE optly_events SET payload = x'00' WHERE subject_id = ? AND seq = 2", contacts[2].subject)
    w = opened(file)
    found = {(problem.contact, problem.finding) for problem in w.manager.verify().problems}
    assert (contacts[0].id, Finding.UNREADABLE) in found
    assert (contacts[2].id, Finding.UNREADABLE) in found
    assert not any(contact == contacts[1].id for contact, _ in found)
    w.manager.close()


# ---- an address that is not the one that was recorded


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE optly_personal SET value = CAST('stranger@example.com' AS BLOB)",
        "UPDATE optly_personal SET value = CAST('cat@example.com' AS BLOB)",
        "DELETE FROM optly_personal",
    ],
)
def test_nothing_is_sent_to_an_address_that_was_put_in_place_of_another(file: Path, statement: str) -> None:
    """
    Promises 9 and 11: a permission is for the address it was given at, and whoever has the database cannot point it at
    another, nor hide what others objected to there.
    """
    w = opened(file)
    ann, bob = agreed(w, PEOPLE[0]), agreed(w, PEOPLE[1])
    w.manager.add_contact(name="Cat", email=PEOPLE[2], subscriber=Subscriber.INDIVIDUAL)
    for contact in (ann, bob):
        w.manager.send(contact, *EMAIL_OFFERS, Content(subject="Offers", text="Ten per cent off."))
    w.manager.close()
    alter(file, f"{statement} WHERE subject_id = ? AND slot = 'line_1'", ann.subject)
    w = opened(file)
    w.later(timedelta(hours=1))
    w.manager.deliver()
    assert [message.to for message in w.emails.outbox if message.subject == "Offers"] == [PEOPLE[1]]
    with pytest.raises(DamagedError):
        w.manager.check(ann, *EMAIL_OFFERS)
    w.manager.record_objection(ann)
    w.manager.close()


def test_a_line_that_is_left_while_it_is_looked_up_is_not_taken_for_damage() -> None:
    """
    Promise 17: what changed between two reads is no sign that somebody altered it.
    """
    storage = Interrupted()
    w = world(storage=storage)
    ann = agreed(w, PEOPLE[0])
    storage.other = lambda: w.manager.leave_line(ann, email=PEOPLE[0], how="letter: moved out")
    w.manager.check(ann, *EMAIL_OFFERS)


class Interrupted(MemoryStorage):
    """
    A store in which another writer acts before the next look-up of addresses.
    """

    other: Callable[[], object] | None = None

    def find(self, idkeys: Sequence[bytes], stops: Sequence[bytes] = ()) -> Found:
        other, self.other = self.other, None
        if other is not None:
            other()
        return super().find(idkeys, stops)


# ---- nothing forged is signed


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE optly_tiles SET data = zeroblob(length(data))",
        "UPDATE optly_tiles SET data = x''",
        "UPDATE optly_tiles SET data = 'text'",
        "DELETE FROM optly_tiles",
        "UPDATE optly_logs SET origin = 'acme.example.com/my/acne/0011223344556677'",
        "UPDATE optly_logs SET root = zeroblob(32)",
        "UPDATE optly_logs SET size = size + 1",
        "UPDATE optly_logs SET note = CAST(replace(CAST(note AS TEXT), 'acme', 'acne') AS BLOB)",
    ],
)
def test_no_head_is_signed_that_does_not_extend_the_one_before(file: Path, statement: str) -> None:
    """
    Promise 11: before the sealer signs, it checks what it extends. What was altered has no new signature, and messages
    go out all the same.
    """
    w = opened(file)
    agreed(w, PEOPLE[0])
    before = w.manager.seal()
    assert before is not None
    bob = agreed(w, PEOPLE[1])
    w.manager.send(bob, *EMAIL_OFFERS, Content(subject="Offers", text="Ten per cent off."))
    w.manager.close()
    alter(file, statement)
    w = opened(file)
    w.later(timedelta(hours=1))
    with pytest.raises(DamagedError):
        w.manager.seal()
    w.manager.deliver()
    assert [message.to for message in w.emails.outbox if message.subject == "Offers"] == [PEOPLE[1]]
    assert not w.manager.verify()
    w.manager.close()
