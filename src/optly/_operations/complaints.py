"""
Complaints: recorded from any door, acknowledged, reported to the organisation with a reminder before the deadline, and
answered.

A complaint of a contact is in the contact's record. That of someone who is not on record has a record of its own. Both
are in the organisation's list, with where to reply; that is kept until the person has heard the outcome, even if the
contact is erased. For the same reason messages about a complaint are queued under its id.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs
import msgspec

from optly import rendering, typed
from optly._operations import throttle
from optly._operations.access import Access
from optly._operations.application import Application
from optly._operations.blind_index import line_values
from optly._operations.contacts import known_address
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.repository import Plan, Record
from optly.contacts import Address, AddressKind, Channel, Contact, is_email, recorded_address
from optly.errors import (
    AddressError,
    AmbiguousLineError,
    AnswerError,
    ConflictError,
    LedgerError,
    UnknownComplaintError,
    UsageError,
)
from optly.instants import end_of_day
from optly.keys import sha256
from optly.locale.i18n import read_tag_or_none
from optly.messages import Content
from optly.protocols import OutboxMessage, StoredComplaint
from optly.record.commands import AnswerComplaint, Complain, DecideComplaint
from optly.record.complaint_references import read_reference, record_of, reference_key
from optly.record.consent import fold
from optly.record.events import Actor, ComplaintDecided, ComplaintReceived, ComplaintResolved, ContactErased
from optly.record.standing import Complaint, Standing
from optly.results import RecordedComplaint
from optly.typed import mended

_log = logging.getLogger("optly")

# The day on which it is received is the first. DPA 2018 s. 164A(3).
ACKNOWLEDGED_WITHIN: Final = timedelta(days=30)

# How long before the deadline the organisation is reminded.
_REMINDED_BEFORE: Final = timedelta(days=7)

LONGEST: Final = 5000  # characters

_PAGE: Final = 500
_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)

# The channel for a reply to an address of each kind, in the order in which one is chosen.
_REPLIES_BY: Final = {
    AddressKind.EMAIL: Channel.EMAIL,
    AddressKind.PHONE: Channel.SMS,
    AddressKind.POST: Channel.POST,
}


@attrs.frozen(kw_only=True)
class Reply:
    """
    Where to reply to a complaint, as it is kept with the complaint.

    Attributes:
        line: Number of the contact's line that it is; 0 if it is no line of theirs.
        language: The language to reply in.
    """

    channel: Channel
    value: str = attrs.field(repr=False)
    line: int = 0
    language: str = "en"

    @property
    def address(self) -> Address:
        return recorded_address(self.value, self.channel.kind)


def acknowledge_by(at: datetime) -> datetime:
    """
    Return the last instant at which the receipt of a complaint can be acknowledged: the end of the thirtieth day in the
    United Kingdom, counted from the day on which it was received.
    """
    return end_of_day(at, later=ACKNOWLEDGED_WITHIN.days - 1)


async def read_reply_address(app: Application, address: str | Address) -> Address:
    """
    Read where to reply: an email address, a telephone number or, if there are letters in it, a postal address.

    Raises:
        AddressError: It is malformed, or of another kind.
    """
    if isinstance(address, str):
        kind = AddressKind.POST if any(map(str.isalpha, address)) else AddressKind.PHONE
        address = await known_address(app, address, AddressKind.EMAIL if is_email(address) else kind)
    if address.kind not in _REPLIES_BY:
        raise AddressError("a reply goes to an email address, a telephone number or a postal address")
    return address


# ---- recording


async def complain(access: Access, text: str, once: str = "") -> Complaint:
    app = access.app
    access.require_line()
    _require_text(text, AnswerError)
    text = mended(text)
    wanted = sha256(f"complaint\0{access.mark}\0{mended(once)}\0{text}")[:16].hex() if once else ""
    if (known := access.record.standing.complaint(wanted)) is not None:
        return known
    await throttle.count(app, "complaint", access.contact.id, throttle.COMPLAINTS)
    complaint = await _new_id(app, wanted)
    values = await access.addresses()

    def plan(standing: Standing, now: datetime) -> Plan | None:
        if standing.complaint(complaint) is not None:
            return None
        command = Complain(
            complaint=complaint,
            acknowledge_by=acknowledge_by(now),
            text=text,
            link=access.target.kind,
            code=access.mark,
            line=access.target.line,
        )
        reply = Reply(
            channel=access.target.channel,
            value=values[access.target.line].value,
            line=access.target.line,
            language=standing.language,
        )
        return _plan(app, access.contact, command, now, reply, send=True)

    applied = await access.apply(plan)
    recorded = applied.standing.complaint(complaint)
    assert recorded is not None
    return recorded


async def record(
    app: Application,
    contact: Contact | None,
    *,
    text: str,
    at: datetime | None,
    how: str,
    name: str,
    reply_to: Address | None,
    language: str | None,
    actor: Actor,
    send: bool,
) -> RecordedComplaint:
    """
    Record a complaint that was made in another way than through a link.

    Args:
        contact: Who made it; None for someone who is not on record. An erased contact is not on record.
    """
    _require_text(text, UsageError)
    if not how.strip():
        raise UsageError("say in which way the complaint was made, such as how='telephone'")
    language = read_tag_or_none(language)
    holder = None if contact is None else await app.repository.require(contact)
    if holder is not None and holder.standing.erased_at is not None:
        holder = None
    if holder is not None and name:
        raise UsageError("name= is for someone who is not on record: the contact has a name already")
    complaint = await _new_id(app)
    contact = Contact(record_of(complaint)) if holder is None else Contact(holder.subject.hex())
    reply = None if holder is None or reply_to is not None else await _own_reply(app, holder, required=send)
    if reply_to is not None:
        chosen = holder.standing.language if holder is not None and language is None else language or "en"
        reply = Reply(channel=_REPLIES_BY[reply_to.kind], value=reply_to.value, language=chosen)
    elif reply is not None and language is not None:
        reply = typed.evolve(reply, language=language)

    def plan(_standing: Standing, now: datetime) -> Plan:
        command = Complain(
            complaint=complaint,
            acknowledge_by=acknowledge_by(now if at is None else at),
            text=text,
            at=at,
            how=how.strip(),
            name=name.strip(),
            actor=actor,
            apart=holder is None,
        )
        return _plan(app, contact, command, now, reply, send=send)

    await app.repository.apply(contact, plan, read=holder)
    return await find(app, complaint)


def _require_text(text: str, error: type[AnswerError | UsageError]) -> None:
    if len(text) > LONGEST:
        raise error(f"the complaint is longer than {LONGEST} characters")
    if not text.strip():
        raise error("the complaint is empty: say what is wrong")


async def _new_id(app: Application, wanted: str = "") -> str:
    """
    Return a new id whose reference is not taken: the one that is *wanted*, if it can be.
    """
    for _ in range(100):
        complaint, wanted = wanted or app.settings.random(16).hex(), ""
        if await app.storage.complaint(app.settings.organisation.key, reference_key(complaint)) is None:
            return complaint
    raise ConflictError("no reference for a complaint is free: try again")


async def _own_reply(app: Application, record: Record, *, required: bool = False) -> Reply | None:
    """
    Return where to reply to a contact: on a channel that is served, if there is one. None if there is nowhere, or
    several places, for others may read at one of them.

    Raises:
        AmbiguousLineError: There are several, although one is *required*.
    """
    values = line_values(record.standing, await app.repository.openings_of(record))
    present = [number for number in record.standing.present() if number in values]
    own = {channel: [n for n in present if values[n].kind is channel.kind] for channel in _REPLIES_BY.values()}
    reached = [channel for channel, numbers in own.items() if numbers]
    channel = next((channel for channel in reached if channel in app.backends), next(iter(reached), None))
    if channel is None:
        return None
    if len(own[channel]) > 1:
        if required:
            raise AmbiguousLineError("the contact has several addresses to reply to: name one, with reply_to=")
        return None
    [number] = own[channel]
    return Reply(channel=channel, value=values[number].value, line=number, language=record.standing.language)


def _plan(
    app: Application, contact: Contact, command: Complain, now: datetime, reply: Reply | None, *, send: bool
) -> Plan:
    deadline = command.acknowledge_by
    alert = Payload(
        kind=PayloadKind.ALERT,
        channel=Channel.EMAIL,
        line=0,
        language="en",
        until=deadline,
        complaint=command.complaint,
        contact=contact.id,
    )
    reminded_at = deadline - _REMINDED_BEFORE
    due: list[tuple[Payload, datetime]] = []
    if reply is not None and send:
        acknowledgement = typed.evolve(
            alert,
            kind=PayloadKind.COMPLAINT,
            channel=reply.channel,
            line=reply.line,
            language=reply.language,
            at=command.at or now,
        )
        due.append((acknowledgement, now))
    if app.settings.organisation.email:
        due.append((alert, now))
        if reminded_at > now:
            due.append((typed.evolve(alert, reminder=True), reminded_at))
    return Plan(
        command=command,
        queue=[_queued(app, payload, at) for payload, at in due if payload.channel in app.backends],
        reply=b"" if reply is None else msgspec.json.encode(reply),
    )


def _queued(app: Application, payload: Payload, due_at: datetime, message: bytes | None = None) -> OutboxMessage:
    assert payload.complaint is not None
    return encode(payload, bytes.fromhex(payload.complaint), message or app.settings.random(16), due_at)


# ---- the list


async def stored(app: Application, complaint: str) -> StoredComplaint | None:
    """
    Return the entry of the complaint with this id or this reference, however it is typed; None if there is none.
    """
    text = complaint.strip().lower()
    key = reference_key(text) if _ID.fullmatch(text) else read_reference(complaint)
    row = None if key is None else await app.storage.complaint(app.settings.organisation.key, key)
    # Another complaint may have the reference that would be made from this id.
    return row if row is None or not _ID.fullmatch(text) or row.complaint.hex() == text else None


async def require(app: Application, complaint: str) -> StoredComplaint:
    row = await stored(app, complaint)
    if row is None:
        raise UnknownComplaintError("there is no complaint with this reference")
    return row


async def find(app: Application, complaint: str) -> RecordedComplaint:
    row = await require(app, complaint)
    found = _recorded(row, await app.repository.load(Contact(row.subject.hex())))
    if found is None:
        raise UnknownComplaintError("the record of this complaint is missing")
    slots: dict[str, str] = {}
    for entry in await app.storage.entries(row.subject):
        event = entry.event()
        if isinstance(event, ComplaintReceived | ComplaintDecided | ComplaintResolved) and event.complaint == found.id:
            named = {slot.partition("_")[0]: slot for slot in entry.slots()}
            if not isinstance(event, ComplaintReceived):
                named.pop("how", None)
            slots |= named
    openings = await app.repository.openings(row.subject, slots.values())
    texts = {name: openings[slot].value for name, slot in slots.items() if slot in openings}
    reply = _read_reply(app, row)
    return typed.evolve(
        found,
        text=texts.get("text", ""),
        how=texts.get("how", ""),
        name=texts.get("name", ""),
        outcome=texts.get("outcome", ""),
        reply_to=None if reply is None else reply.address,
    )


async def page(
    app: Application, open: bool | None, after: StoredComplaint | None
) -> tuple[list[RecordedComplaint], StoredComplaint | None]:
    """
    Return one part of the list, and the last entry of it; None for that if there are no more.

    A complaint whose record cannot be read is logged and left out, so that it does not hide the others.

    Args:
        after: The last entry of the part before.
    """
    rows = await app.storage.complaints(app.settings.organisation.key, open, after, _PAGE)
    records = await _records(app, rows)
    found = [_recorded(row, records[row.subject]) for row in rows if row.subject in records]
    return [complaint for complaint in found if complaint is not None], rows[-1] if len(rows) == _PAGE else None


async def _records(app: Application, rows: Sequence[StoredComplaint]) -> dict[bytes, Record]:
    subjects = [row.subject for row in rows]
    try:
        return await app.repository.load_all(subjects)
    except LedgerError:
        records: dict[bytes, Record] = {}
        for row in rows:
            try:
                records |= await app.repository.load_all([row.subject])
            except LedgerError as error:
                _log.error(
                    "complaint cannot be listed, because its record cannot be read",
                    extra={"complaint": row.complaint.hex(), "error": str(error)},
                )
        return records


def _recorded(row: StoredComplaint, record: Record) -> RecordedComplaint | None:
    complaint = record.standing.complaint(row.complaint.hex())
    if complaint is None:
        _log.error("complaint is listed but not in its record", extra={"complaint": row.complaint.hex()})
        return None
    return RecordedComplaint(
        id=complaint.id,
        reference=complaint.reference,
        contact=Contact(row.subject.hex()),
        on_record=row.subject.hex() != record_of(complaint.id),
        at=complaint.at,
        acknowledge_by=complaint.acknowledge_by,
        acknowledged_at=complaint.acknowledged_at,
        decided_at=complaint.decided_at,
        resolved_at=complaint.resolved_at,
        sending=bool(complaint.message),
    )


# ---- answering


async def locate(app: Application, contact: Contact | None, complaint: str) -> tuple[Contact, str]:
    """
    Return whose record a complaint is in, and its id.

    Args:
        contact: Who made it; None to find it by the complaint alone.
    """
    if contact is not None and _ID.fullmatch(complaint):
        return contact, complaint
    row = await require(app, complaint)
    if contact is not None and contact.subject != row.subject:
        raise UnknownComplaintError("the contact made no such complaint")
    return Contact(row.subject.hex()), row.complaint.hex()


async def answer_complaint(
    app: Application,
    contact: Contact | None,
    complaint: str,
    *,
    how: str,
    outcome: str = "",
    resolved: bool,
    actor: Actor,
) -> Standing:
    contact, complaint = await locate(app, contact, complaint)
    command = AnswerComplaint(complaint=complaint, how=how, outcome=outcome, resolved=resolved, actor=actor)
    return (await app.repository.apply(contact, command)).standing


async def send_outcome(
    app: Application, contact: Contact | None, complaint: str, *, outcome: str, actor: Actor
) -> Standing:
    """
    Record the outcome, and queue it as a message to the person.

    Raises:
        UsageError: There is nowhere to reply.
        NoBackendError: No backend serves the channel to reply on.
    """
    contact, complaint = await locate(app, contact, complaint)
    if len(outcome) > LONGEST:
        raise UsageError(f"the outcome is longer than {LONGEST} characters")
    record = await app.repository.require(contact)
    row = await stored(app, complaint)
    reply = None if row is None else _read_reply(app, row)
    if record.standing.erased_at is None and (
        reply is None or (reply.line and record.standing.meant(reply.channel.kind, reply.line) is None)
    ):
        # Someone else may read at an address that the person has given up.
        reply = await _own_reply(app, record)
    elif row is not None and reply is not None and await _is_given_up(app, row, reply):
        reply = None
    known = record.standing.complaint(complaint)
    if known is not None and (known.resolved_at is not None or known.message):
        return record.standing  # sent, or on its way: a repeat sends nothing
    if reply is None:
        raise UsageError("there is nowhere to reply: inform the person in another way, and say how")
    app.require_backend(reply.channel)
    message = app.settings.random(16)
    payload = Payload(
        kind=PayloadKind.OUTCOME,
        channel=reply.channel,
        line=reply.line,
        language=reply.language,
        complaint=complaint,
        contact=contact.id,
        content=Content(text=outcome.strip()),
    )

    def plan(_standing: Standing, now: datetime) -> Plan:
        command = DecideComplaint(complaint=complaint, outcome=outcome, message=message.hex(), actor=actor)
        return Plan(command=command, queue=(_queued(app, payload, now, message),))

    return (await app.repository.apply(contact, plan, read=record)).standing


async def letter(app: Application, complaint: str, outcome: str) -> Content:
    """
    Return a letter to print: with the outcome or, without one, the acknowledgement.
    """
    found = await find(app, complaint)
    reply = _read_reply(app, await require(app, complaint))
    head = rendering.Letterhead(
        organisation=app.settings.organisation,
        channel=Channel.POST,
        language="en" if reply is None else reply.language,
        more=app.settings.catalogues,
    )
    if outcome.strip():
        return rendering.complaint_outcome(head, reference=found.reference, outcome=outcome.strip())
    return rendering.complaint_received(head, reference=found.reference, on=found.at, by=found.acknowledge_by)


def _read_reply(app: Application, row: StoredComplaint) -> Reply | None:
    """
    Return where to reply; None if that was erased, or if the entry is not as it was written, which is logged.
    """
    if not app.repository.macs.fits(row):
        _log.error("complaint was altered, and nobody is replied to", extra={"complaint": row.complaint.hex()})
        return None
    return msgspec.json.decode(row.reply, type=Reply) if row.reply else None


async def reply_address(app: Application, payload: Payload) -> Address | None:
    """
    Return the address that is kept with a complaint; None if it was erased, was given up, or there is none.
    """
    row = await stored(app, payload.complaint or "")
    reply = None if row is None else _read_reply(app, row)
    if row is None or reply is None or reply.channel is not payload.channel:
        return None
    return None if await _is_given_up(app, row, reply) else reply.address


async def _is_given_up(app: Application, row: StoredComplaint, reply: Reply) -> bool:
    """
    Whether the place to reply to was a line of the contact's, and no longer one when they were erased.
    """
    events = [entry.event() for entry in await app.storage.entries(row.subject)] if reply.line else []
    erased = next((index for index, event in enumerate(events) if isinstance(event, ContactErased)), None)
    return erased is not None and not fold(events[:erased]).has(reply.line)
