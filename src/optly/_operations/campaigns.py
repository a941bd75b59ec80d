"""
Campaigns: asking every contact on a list once, in batches, and resuming after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from optly._operations.application import Application
from optly._operations.ask import ConsentRequest, plan_request
from optly._operations.repository import Plan, Planner, Record
from optly.contacts import Contact
from optly.errors import (
    AmbiguousLineError,
    LedgerError,
    MissingLineError,
    NotPermittedError,
    UnknownContactError,
    UsageError,
)
from optly.keys import sha256
from optly.results import Asked, Campaign

_BATCH: Final = 100

# Refusals that concern one contact of a list, not the rest.
_REFUSALS: Final = (NotPermittedError, AmbiguousLineError, MissingLineError, UnknownContactError)


async def request_consents(
    app: Application,
    contacts: Iterable[Contact],
    campaign: str,
    request: ConsentRequest,
    report: Callable[[Asked], object] | None,
) -> Campaign:
    request.check(app)
    if not campaign.strip():
        raise UsageError("a campaign needs a name, so that a second run of it is recognised")
    asked = before = 0
    refused = []
    remaining = iter(contacts)
    while batch := list(dict.fromkeys(islice(remaining, _BATCH))):
        for outcome in await _ask_batch(app, batch, campaign, request):
            asked += outcome.question is not None and not outcome.before
            before += outcome.before
            if outcome.refusal is not None:
                refused.append(outcome)
            if report is not None:
                report(outcome)
    return Campaign(asked=asked, before=before, refused=tuple(refused))


async def _ask_batch(
    app: Application, contacts: Sequence[Contact], campaign: str, request: ConsentRequest
) -> list[Asked]:
    """
    Ask contacts at once. If a record cannot be read, ask each by itself, so that only that one is not asked.
    """
    try:
        return await _ask_all(app, contacts, campaign, request)
    except LedgerError as error:
        if len(contacts) == 1:
            return [Asked(contact=contacts[0], refusal=error)]
    return [asked for contact in contacts for asked in await _ask_batch(app, [contact], campaign, request)]


async def _ask_all(
    app: Application, contacts: Sequence[Contact], campaign: str, request: ConsentRequest
) -> list[Asked]:
    records = await app.repository.load_all([contact.subject for contact in contacts])
    contexts = await app.repository.all_with_suppressions(list(records.values()))
    outcomes: dict[Contact, Asked] = {}
    changes: list[tuple[Record, Plan]] = []
    for contact in contacts:
        record, (standing, _) = records[contact.subject], contexts[contact.subject]
        try:
            plan = _planner(app, contact, campaign, request, record)(standing, app.settings.clock())
        except _REFUSALS as error:
            outcomes[contact] = Asked(contact=contact, refusal=error)
            continue
        if plan is None:
            question = standing.question(_ids(app, contact, campaign)[0])
            outcomes[contact] = Asked(contact=contact, question=question, before=True)
        else:
            changes.append((record, plan))
    written = await app.repository.apply_all(changes)
    for record, _ in changes:
        contact = Contact(record.subject.hex())
        if record.subject in written:
            question = written[record.subject].standing.question(_ids(app, contact, campaign)[0])
            outcomes[contact] = Asked(contact=contact, question=question)
        else:
            outcomes[contact] = await _ask_one(app, contact, campaign, request, record)
    return [outcomes[contact] for contact in contacts]


async def _ask_one(app: Application, contact: Contact, campaign: str, request: ConsentRequest, record: Record) -> Asked:
    """
    Ask one contact that another writer has just changed, maybe another run of the same campaign.
    """
    try:
        applied = await app.repository.apply(
            contact, _planner(app, contact, campaign, request, record), suppressions=True
        )
    except _REFUSALS as error:
        return Asked(contact=contact, refusal=error)
    question = applied.standing.question(_ids(app, contact, campaign)[0])
    return Asked(contact=contact, question=question, before=not applied.events)


def _planner(app: Application, contact: Contact, campaign: str, request: ConsentRequest, record: Record) -> Planner:
    if not record.version:
        raise UnknownContactError("there is no such contact")
    question, message, reminder = _ids(app, contact, campaign)
    return plan_request(app, contact, request, question, (message, reminder))


def _ids(app: Application, contact: Contact, campaign: str) -> tuple[str, bytes, bytes]:
    """
    Return the ids of a campaign's question to a contact, of its message and of its reminder. They are always the same,
    so that a second run finds what the first one did.
    """
    text = f"campaign\0{app.settings.organisation.key}\0{campaign}\0{contact.id}"
    question, message, reminder = (sha256(f"{text}\0{part}")[:16] for part in ("question", "message", "reminder"))
    return question.hex(), message, reminder
