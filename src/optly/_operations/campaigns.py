"""
Asking a list: everybody once, in batches, and the same again after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from optly._operations.application import Application
from optly._operations.ask import Asking, planned_request
from optly._operations.repository import Plan, Planner, Record
from optly.contacts.parties import Contact
from optly.errors import MissingLineError, NotPermittedError, UnknownContactError, UsageError
from optly.keys import sha256
from optly.results import Asked, Campaign

_BATCH: Final = 100

# What keeps one contact of a list from being asked, and no other.
_REFUSALS: Final = (NotPermittedError, MissingLineError, UnknownContactError)


async def request_consents(
    app: Application,
    contacts: Iterable[Contact],
    campaign: str,
    wanted: Asking,
    report: Callable[[Asked], object] | None,
) -> Campaign:
    """
    Ask everybody on a list whom the gate lets be asked, each once, however often the list is gone through.
    """
    if not campaign.strip():
        raise UsageError("a campaign needs a name, by which a second run of it is known")
    asked = before = 0
    refused = []
    remaining = iter(contacts)
    while batch := list(dict.fromkeys(islice(remaining, _BATCH))):
        for outcome in await _ask_all(app, batch, campaign, wanted):
            asked += outcome.question is not None and not outcome.before
            before += outcome.before
            if outcome.refusal is not None:
                refused.append(outcome)
            if report is not None:
                report(outcome)
    return Campaign(asked=asked, before=before, refused=tuple(refused))


async def _ask_all(app: Application, contacts: Sequence[Contact], campaign: str, wanted: Asking) -> list[Asked]:
    records = await app.repository.load_all([contact.subject for contact in contacts])
    whole = await app.repository.all_with_suppressions(list(records.values()))
    outcomes: dict[Contact, Asked] = {}
    changes: list[tuple[Record, Plan]] = []
    for contact in contacts:
        record, (standing, _) = records[contact.subject], whole[contact.subject]
        try:
            planned = _one_of(app, contact, campaign, wanted, record)(standing, app.settings.clock())
        except _REFUSALS as error:
            outcomes[contact] = Asked(contact=contact, refusal=error)
            continue
        if planned is None:
            question = standing.question(_names(app, contact, campaign)[0])
            outcomes[contact] = Asked(contact=contact, question=question, before=True)
        else:
            changes.append((record, planned))
    written = await app.repository.apply_all(changes)
    for record, _ in changes:
        contact = Contact(record.subject.hex())
        if record.subject in written:
            question = written[record.subject].standing.question(_names(app, contact, campaign)[0])
            outcomes[contact] = Asked(contact=contact, question=question)
        else:
            outcomes[contact] = await _ask_again(app, contact, campaign, wanted, record)
    return [outcomes[contact] for contact in contacts]


async def _ask_again(app: Application, contact: Contact, campaign: str, wanted: Asking, record: Record) -> Asked:
    """
    Ask one contact whom another writer was faster with, maybe another run of the same campaign.
    """
    try:
        applied = await app.repository.apply(
            contact, _one_of(app, contact, campaign, wanted, record), suppressions=True
        )
    except _REFUSALS as error:
        return Asked(contact=contact, refusal=error)
    question = applied.standing.question(_names(app, contact, campaign)[0])
    return Asked(contact=contact, question=question, before=not applied.events)


def _one_of(app: Application, contact: Contact, campaign: str, wanted: Asking, record: Record) -> Planner:
    if not record.version:
        raise UnknownContactError("there is no such contact")
    question, *messages = _names(app, contact, campaign)
    return planned_request(app, contact, wanted, question, (bytes.fromhex(messages[0]), bytes.fromhex(messages[1])))


def _names(app: Application, contact: Contact, campaign: str) -> tuple[str, str, str]:
    """
    Return the names of a campaign's question to a contact, of its message and of its reminder: always the same, so that
    a second run finds what a first one did.
    """
    text = f"campaign\0{app.settings.organisation.key}\0{campaign}\0{contact.id}"
    question, message, reminder = (sha256(f"{text}\0{part}").hex()[:32] for part in ("question", "message", "reminder"))
    return question, message, reminder
