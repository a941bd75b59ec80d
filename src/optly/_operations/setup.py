"""
From what a host passes to a manager to the desk its flows work at. Reads the store once: are all its keys there?
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import attrs

from optly._operations.desk import Desk, Listener, Outlet
from optly._operations.run import Port
from optly.contacts.addresses import (
    Account,
    Address,
    AddressKind,
    Channel,
    EmailAddress,
    PhoneNumber,
    PostalAddress,
    parse_address,
)
from optly.contacts.parties import Organisation
from optly.contacts.purposes import Purpose
from optly.errors import ConfigurationError, NaiveDatetimeError
from optly.keys import Keys
from optly.links import Pages, StopLinks
from optly.locale.i18n import require_readable
from optly.messages import Content
from optly.messages.pacing import Budget, QuietHours, Rate
from optly.protocols import (
    AsyncMessageBackend,
    BatchBackend,
    Clock,
    MessageBackend,
    Register,
    Storage,
    TakesReplies,
    TracingBackend,
    WebhookBackend,
)
from optly.rules import UKPECR, Rulebook

T = TypeVar("T")


def system_clock() -> datetime:
    """
    Return the time.
    """
    return datetime.now(UTC)


def _by(key: Callable[[T], str], values: Iterable[T], what: str) -> dict[str, T]:
    found: dict[str, T] = {}
    for value in values:
        if key(value) in found:
            raise ConfigurationError(f"two {what} have the key {key(value)}")
        found[key(value)] = value
    return found


def make_desk(
    port: type[Port],
    *,
    organisation: Organisation,
    purposes: Iterable[Purpose],
    storage: Storage,
    backends: Iterable[MessageBackend | AsyncMessageBackend],
    registers: Iterable[Register],
    keys: Keys,
    base_url: str,
    rulebook: Rulebook | None,
    clock: Clock | None,
    receipts: bool,
    rates: Iterable[Rate],
    quiet_hours: QuietHours | None,
    budget: Budget | None,
    catalogues: Iterable[Path],
    on_events: Listener | None,
) -> Desk:
    """
    Check the settings and put them together.

    Args:
        port: Gives the ports the shape of coroutines.

    Raises:
        ConfigurationError: Something cannot work, such as a key that is missing for what is on record.
    """
    by_key = _by(lambda purpose: purpose.key, purposes, "purposes")
    if not by_key:
        raise ConfigurationError("a manager needs at least one purpose")
    by_channel: dict[Channel, Outlet] = {}
    for backend in backends:
        if backend.channel in by_channel:
            raise ConfigurationError(f"two message backends serve {backend.channel}")
        by_channel[backend.channel] = Outlet(
            port=port(backend),
            name=backend.name,
            batches=isinstance(backend, BatchBackend),
            takes_replies=isinstance(backend, TakesReplies) and backend.takes_replies,
            traces=isinstance(backend, TracingBackend),
        )
    more = tuple(catalogues)
    require_readable(more)
    known = storage.key_versions(organisation.key)
    given = [key.version for key in keys.all]
    if missing := known - set(given):
        raise ConfigurationError(
            f"the record was written with {len(missing)} key(s) that are not among the keys given: add them to "
            "Keys(previous=[…]), or their suppressions would not be seen"
        )
    if given[0] not in known:
        storage.add_key_version(organisation.key, given[0])
    return Desk(
        organisation=organisation,
        purposes=by_key,
        storage=port(storage),
        outlets=by_channel,
        registers=tuple(port(register) for register in registers),
        keys=keys,
        pages=Pages(base_url),
        stop_links=StopLinks.of(keys),
        rulebook=UKPECR() if rulebook is None else rulebook,
        clock=system_clock if clock is None else clock,
        random=secrets.token_bytes,
        receipts=receipts,
        rates=tuple(rates),
        quiet_hours=quiet_hours,
        budget=budget,
        catalogues=more,
        ear=make_ear(port, on_events),
    )


@attrs.frozen
class _Ear:
    hear: Listener


def make_ear(port: type[Port], listener: Listener | None) -> Port | None:
    """
    Give whoever listens to events the shape of a port.

    Raises:
        ConfigurationError: It is a coroutine function, which nobody would await where the pages run in threads.
    """
    if inspect.iscoroutinefunction(listener):
        raise ConfigurationError("on_events is a plain function: it is called in a thread, and not awaited")
    return None if listener is None else port(_Ear(listener))


def webhooks_of(backends: Iterable[MessageBackend | AsyncMessageBackend]) -> dict[str, WebhookBackend]:
    """
    Return the backends that hear from their providers, by name.
    """
    hooks: dict[str, WebhookBackend] = {}
    for backend in backends:
        if isinstance(backend, WebhookBackend):
            hooks[backend.name] = backend
    return hooks


def read_addresses(
    email: str | EmailAddress | None,
    phone: str | PhoneNumber | None,
    address: str | PostalAddress | None,
    account: str | Account | None,
) -> list[Address]:
    """
    Read the addresses of a contact as a host gives them.

    Raises:
        AddressError: One is malformed.
    """
    given = (
        (email, AddressKind.EMAIL),
        (phone, AddressKind.PHONE),
        (address, AddressKind.POST),
        (account, AddressKind.ACCOUNT),
    )
    return [parse_address(text, kind) for text, kind in given if text is not None]


def read_own(address: str | PostalAddress | None) -> Address | None:
    """
    Read a postal address as its holder gives it, if they do.

    Raises:
        AddressError: It is malformed.
    """
    return None if address is None else parse_address(address, AddressKind.POST)


def read_channels(channels: Iterable[Channel | str]) -> Sequence[Channel]:
    """
    Read channels as a host names them.

    Raises:
        UnknownChannelError: There is no such channel.
    """
    return [Channel.of(channel) for channel in channels]


def read_content(content: Content | str) -> Content:
    """
    Take a plain text for what it is.
    """
    return Content(text=content) if isinstance(content, str) else content


def read_instant(at: datetime | None) -> datetime | None:
    """
    Take an instant as a host gives it, if it gives one.

    Raises:
        NaiveDatetimeError: It has no time zone.
    """
    if at is not None and at.utcoffset() is None:
        raise NaiveDatetimeError("the instant has no time zone: use datetime.now(timezone.utc) or the like")
    return at
