"""
From what a host passes to a manager to the application its operations work with.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar, cast

from optly._operations.application import Application
from optly._operations.backends import Backend
from optly._operations.blind_index import BlindIndex
from optly._operations.repository import Listener, Repository
from optly._operations.running import Wrap, awaited_backend, awaited_register, awaited_storage
from optly._operations.settings import Settings
from optly.contacts.addresses import Channel
from optly.contacts.parties import Organisation
from optly.contacts.purposes import Purpose
from optly.errors import ConfigurationError
from optly.keys import Keys
from optly.links import Pages, StopLinks
from optly.locale.i18n import require_readable
from optly.messages.pacing import Budget, QuietHours, Rate
from optly.protocols import (
    AsyncBatchBackend,
    AsyncMessageBackend,
    AsyncTracingBackend,
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


def make_settings(
    *,
    organisation: Organisation,
    purposes: Iterable[Purpose],
    keys: Keys,
    base_url: str,
    rulebook: Rulebook | None,
    clock: Clock | None,
    receipts: bool,
    rates: Iterable[Rate],
    quiet_hours: QuietHours | None,
    budget: Budget | None,
    catalogues: Iterable[Path],
) -> Settings:
    """
    Check the settings.

    Raises:
        ConfigurationError: They cannot work.
    """
    by_key = _by(lambda purpose: purpose.key, purposes, "purposes")
    if not by_key:
        raise ConfigurationError("a manager needs at least one purpose")
    readable = tuple(catalogues)
    require_readable(readable)
    return Settings(
        organisation=organisation,
        purposes=by_key,
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
        catalogues=readable,
    )


def make_application(
    wrap: Wrap,
    settings: Settings,
    *,
    storage: Storage,
    backends: Iterable[MessageBackend | AsyncMessageBackend],
    registers: Iterable[Register],
    on_events: Listener | None,
) -> Application:
    """
    Put settings and ports together. Reads the store once: are all its keys there?

    Args:
        wrap: How blocking ports are awaited.

    Raises:
        ConfigurationError: Something cannot work, such as a key that is missing for what is on record.
    """
    by_channel = _by_channel(backends, wrap)
    if inspect.iscoroutinefunction(on_events):
        raise ConfigurationError("on_events is a plain function: it is called in a thread, and not awaited")
    _require_keys(storage, settings)
    return application(
        wrap,
        settings,
        storage=storage,
        backends=by_channel,
        registers=registers,
        on_events=on_events,
    )


def application(
    wrap: Wrap,
    settings: Settings,
    *,
    storage: Storage,
    backends: Mapping[Channel, Backend],
    registers: Iterable[Register] = (),
    on_events: Listener | None,
) -> Application:
    """
    Put together what was checked before.
    """
    index = BlindIndex(settings.organisation.key, settings.keys)
    awaited = awaited_storage(storage, wrap)
    return Application(
        settings=settings,
        repository=Repository(
            settings=settings,
            index=index,
            storage=awaited,
            served=backends,
            listener=None if on_events is None else wrap(on_events),
        ),
        index=index,
        storage=awaited,
        backends=backends,
        registers=tuple(awaited_register(register, wrap) for register in registers),
    )


def _by_channel(backends: Iterable[MessageBackend | AsyncMessageBackend], wrap: Wrap) -> dict[Channel, Backend]:
    found: dict[Channel, Backend] = {}
    for backend in backends:
        if backend.channel in found:
            raise ConfigurationError(f"two message backends serve {backend.channel}")
        awaited = awaited_backend(backend, wrap)
        found[backend.channel] = Backend(
            name=backend.name,
            one=awaited,
            batch=cast("AsyncBatchBackend", awaited) if isinstance(backend, BatchBackend) else None,
            traces=cast("AsyncTracingBackend", awaited) if isinstance(backend, TracingBackend) else None,
            takes_replies=isinstance(backend, TakesReplies) and backend.takes_replies,
        )
    return found


def _require_keys(storage: Storage, settings: Settings) -> None:
    key = settings.organisation.key
    known = storage.key_versions(key)
    given = [each.version for each in settings.keys.all]
    if missing := known - set(given):
        raise ConfigurationError(
            f"the record was written with {len(missing)} key(s) that are not among the keys given: add them to "
            "Keys(previous=[…]), or their suppressions would not be seen"
        )
    if given[0] not in known:
        storage.add_key_version(key, given[0])


def webhooks_of(backends: Iterable[MessageBackend | AsyncMessageBackend]) -> dict[str, WebhookBackend]:
    """
    Return the backends that receive webhooks, by name.
    """
    return {backend.name: backend for backend in backends if isinstance(backend, WebhookBackend)}
