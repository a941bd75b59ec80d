"""
Recording consents, soft opt-ins and stops that were given elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from optly._operations.application import Application
from optly._operations.contacts import add_address, holders, numbers_of
from optly._operations.lines import Named, require_line, require_lines
from optly._operations.repository import Plan
from optly.contacts import Address, Channel, Contact, Subscriber, Wording, recognise_address, recognise_domain
from optly.contacts.parties import require_key
from optly.errors import AddressError, LedgerError, UsageError
from optly.record.commands import (
    AddContact,
    ObjectForDomain,
    RecordCharitySoftOptIn,
    RecordConsent,
    RecordSoftOptIn,
    Stop,
)
from optly.record.consent import require_happened
from optly.record.events import Actor, Choice, Manner, Through
from optly.record.standing import Standing
from optly.results import Imported

_log = logging.getLogger("optly")


async def record_consent(
    app: Application,
    contact: Contact,
    named: Named,
    *,
    channels: Sequence[Channel],
    purposes: Sequence[str],
    wording: Wording,
    at: datetime,
    how: str,
    manner: Manner | None,
    **facts: Any,
) -> Standing:
    from optly._operations.reading import of_consent

    known = {key: app.settings.purpose(key) for key in purposes}
    readings = tuple(
        of_consent(app, wording, channel, purpose, how, manner) for channel in channels for purpose in known.values()
    )
    record = await app.repository.require(contact)
    numbers = await numbers_of(app, record, named)

    def plan(standing: Standing, _now: datetime) -> Plan:
        lines = require_lines(standing, channels, numbers)
        choices = tuple(
            Choice(
                channel=channel,
                purpose=key,
                line=lines[channel],
                wording=wording.digest,
                expires_at=None if purpose.validity is None else at + purpose.validity,
            )
            for channel in channels
            for key, purpose in known.items()
        )
        command = RecordConsent(choices=choices, readings=readings, at=at, how=how, manner=manner, **facts)
        return Plan(command=command, wordings=(wording,))

    return (await app.repository.apply(contact, plan, suppressions=True, read=record)).standing


async def record_soft_opt_in(
    app: Application,
    contact: Contact,
    named: Named,
    kind: type[RecordSoftOptIn] | type[RecordCharitySoftOptIn],
    *,
    channels: Sequence[Channel],
    **facts: Any,
) -> Standing:
    """
    Record details collected in a sale, or by a charity, separately for each channel.
    """
    for key in facts.get("similar_purposes", ()):
        app.settings.purpose(key)
    if not channels:
        raise UsageError("a soft opt-in needs at least one channel")
    standing = Standing()
    numbers = await numbers_of(app, await app.repository.require(contact), named)
    for channel in channels:

        def plan(standing: Standing, _now: datetime, channel: Channel = channel) -> Plan:
            # The lines of all channels are looked up before the first is recorded: all are recorded, or none.
            lines = require_lines(standing, channels, numbers)
            return Plan(command=kind(channel=channel, line=lines[channel], **facts))

        standing = (await app.repository.apply(contact, plan)).standing
    return standing


async def stop(
    app: Application,
    contact: Contact,
    named: Named,
    *,
    objection: bool,
    channels: Sequence[Channel],
    purposes: Sequence[str],
    at: datetime | None,
    actor: Actor,
    how: str,
    organisation: str | None = None,
    through: Through | None = None,
) -> Standing:
    if through is Through.DOMAIN:
        raise UsageError("a stop for a domain is recorded by record_domain_objection")
    for key in purposes:
        app.settings.purpose(key)
    record = await app.repository.require(contact, partial=True)
    numbers = await numbers_of(app, record, named, removed=True)
    if len(numbers) > 1:
        raise UsageError("name one address or number for a stop, or none to stop them all")
    if organisation is not None:
        require_key(organisation)
    command = Stop(
        objection=objection,
        channels=tuple(channels),
        purposes=tuple(purposes),
        line=numbers[0] if numbers else None,
        at=at,
        actor=actor,
        how=how,
        organisation=None if organisation == app.settings.organisation.key else organisation,
        through=through,
    )
    return (await app.repository.apply(contact, command, read=record)).standing


async def gone_away(app: Application, contact: Contact, channel: Channel, named: Named, **facts: Any) -> Standing:
    """
    Record that someone can no longer be reached at the line of a channel.
    """
    record = await app.repository.require(contact, partial=True)
    number = require_line(record.standing, channel, await numbers_of(app, record, named))
    return await stop(
        app,
        contact,
        Named(numbers=(number,)),
        objection=True,
        channels=(),
        purposes=(),
        through=Through.GONE_AWAY,
        **facts,
    )


async def object_for_domain(
    app: Application,
    domain: str,
    contact: Contact | None,
    *,
    purposes: Sequence[str],
    at: datetime | None,
    actor: Actor,
    how: str,
) -> Contact:
    """
    Record an objection for every address at a domain: in the record of a contact, or in one of its own.
    """
    named = recognise_domain(domain)
    for key in purposes:
        app.settings.purpose(key)
    if contact is None:
        if at is not None:
            require_happened(at, app.settings.clock())  # before anything is recorded
        contact = Contact(app.settings.random(16).hex())
        added = AddContact(subscriber=Subscriber.COMPANY, actor=actor)
        await app.repository.apply(contact, Plan(command=added, needed=True))
    else:
        await app.repository.require(contact)

    def plan(_standing: Standing, now: datetime) -> Plan:
        since = now if at is None else at
        return Plan(command=ObjectForDomain(domain=named, purposes=tuple(purposes), at=since, actor=actor, how=how))

    await app.repository.apply(contact, plan)
    return contact


async def import_objections(
    app: Application,
    addresses: Iterable[str | Address],
    channel: Channel,
    *,
    channels: Sequence[Channel] = (),
    through: Through | None = None,
    at: datetime | None,
    actor: Actor,
    how: str,
) -> Imported:
    if at is not None:
        require_happened(at, app.settings.clock())  # before anyone is added
    recorded, malformed, damaged = 0, [], []
    object_to = partial(stop, app, objection=True, purposes=(), at=at, actor=actor, how=how, through=through)
    for position, text in enumerate(addresses, 1):
        try:
            address = recognise_address(text, channel.kind)
        except AddressError:
            malformed.append(position)
            continue
        try:
            sharing = await holders(app, address)
            contact = await add_address(app, address, actor, needed=True)
            await object_to(contact, Named(), channels=channels)
            # Which of several who share an address objected is not known. Elsewhere than there, each of them did.
            beyond = [each for each in channels if each.kind is not channel.kind] if len(sharing) > 1 else []
            for holder in sharing if beyond else ():
                await object_to(holder, Named(), channels=beyond)
        except LedgerError as error:
            _log.error("objection cannot be recorded", extra={"position": position, "error": type(error).__name__})
            damaged.append(position)
        else:
            recorded += 1
    return Imported(recorded=recorded, malformed=tuple(malformed), damaged=tuple(damaged))
