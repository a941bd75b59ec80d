"""
The application: what every operation of one manager works with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import attrs

from optly._operations.blind_index import BlindIndex
from optly._operations.repository import Repository
from optly._operations.settings import Settings
from optly.contacts import Channel, Organisation, Purpose
from optly.errors import NoBackendError, UsageError
from optly.links import Pages, SignedLinks
from optly.messages import Message, Receipt
from optly.protocols import (
    AsyncRegister,
    AsyncStorage,
    AsyncTracingBackend,
    Clock,
)
from optly.record.checkpoints import Checkpoint

# How many messages a backend is given at first: it may be slow, or refuse all of them.
FEW: Final = 4


@attrs.define
class Pace:
    """
    How many messages a backend is given at once: as many as it begins before what they were gated by is too old.

    Attributes:
        size: The number for the next part of a batch.
    """

    size: int = FEW

    def adapt(self, count: int, took: timedelta, within: timedelta) -> None:
        """
        Learn how long *count* messages took that were to be begun within a time.
        """
        if took > within:
            self.size = max(1, int(count * (within / took)))
        elif count >= self.size and took < within / 2:
            self.size *= 4


@attrs.frozen(kw_only=True)
class Backend:
    """
    A message backend and what it supports.

    Attributes:
        many: Whether it takes several messages at once.
        send: Sends one part of a batch and adds the receipts, in the same order, to a list. What it knows is in that
            list even if it was interrupted, or the caller was while it waited.
        traces: Looks up sent messages at the provider; None if not supported.
        takes_replies: Whether people can reply to its messages.
        pace: How fast it is known to be.
    """

    name: str
    many: bool
    send: Callable[[Sequence[Message], list[Receipt]], Awaitable[None]]
    close: Callable[[], Awaitable[None]]
    traces: AsyncTracingBackend | None
    takes_replies: bool
    pace: Pace = attrs.field(factory=Pace)


@attrs.define
class Tidied:
    """
    When this process last removed what has expired; None before it first did.
    """

    at: datetime | None = None


@attrs.define
class Signing:
    """
    What signs MyOptly links; None while the log, whose secret that takes, is not known to have begun.
    """

    links: SignedLinks | None = attrs.field(default=None, repr=False)


@attrs.define
class Anchored:
    """
    A place outside the store that keeps heads of the log.

    Attributes:
        known: Whether it was ever reached.
        seen: The latest head that this process knows to be there; None if there is none.
    """

    name: str
    publish: Callable[[str], Awaitable[None]]
    latest: Callable[[], Awaitable[str | None]]
    close: Callable[[], Awaitable[None]]
    known: bool = False
    seen: Checkpoint | None = None


@attrs.frozen(kw_only=True)
class Application:
    """
    What every operation works with.

    Attributes:
        unfinished: What ends batches that could not be ended, because the store could not be reached.
        hosted: Whether what is written is committed by the host, later or never.
    """

    settings: Settings
    repository: Repository
    index: BlindIndex
    storage: AsyncStorage
    backends: Mapping[Channel, Backend]
    registers: Sequence[AsyncRegister]
    anchors: Sequence[Anchored] = ()
    tidied: Tidied = attrs.field(factory=Tidied, init=False, repr=False, eq=False)
    signing: Signing = attrs.field(factory=Signing, init=False, repr=False, eq=False)
    unfinished: deque[Callable[[], Awaitable[None]]] = attrs.field(factory=deque, repr=False)
    hosted: bool = False

    @property
    def hears_complaints(self) -> bool:
        """
        Whether the organisation has an address that people can complain to, or a listener that hears of complaints.
        """
        return bool(self.settings.organisation.email) or self.repository.listener is not None

    def require_commits(self, what: str) -> None:
        """
        Raise unless what is written is on record at once.

        Args:
            what: What needs that, in words.

        Raises:
            UsageError: It is committed with a transaction of the host's.
        """
        if self.hosted:
            raise UsageError(f"{what} cannot be undone: do it after the commit, with the manager itself")

    def require_backend(self, channel: Channel) -> None:
        """
        Raise unless messages can be sent on a channel.

        Raises:
            NoBackendError: No backend serves it.
        """
        if channel not in self.backends:
            raise NoBackendError(f"no message backend serves {channel}: pass one to the manager")


class Face:
    """
    What both faces show of the settings.
    """

    _app: Application

    @property
    def organisation(self) -> Organisation:
        """
        The organisation that asks.
        """
        return self._app.settings.organisation

    @property
    def purposes(self) -> Mapping[str, Purpose]:
        """
        The purposes, by key.
        """
        return self._app.settings.purposes

    @property
    def pages(self) -> Pages:
        """
        The URLs of the MyOptly pages.
        """
        return self._app.settings.pages

    @property
    def catalogues(self) -> tuple[Path, ...]:
        """
        The directories with the host's own catalogues.
        """
        return self._app.settings.catalogues

    @property
    def clock(self) -> Clock:
        """
        The clock, which returns the current time.
        """
        return self._app.settings.clock


async def close(app: Application) -> None:
    if app.hosted:
        return
    for backend in app.backends.values():
        await backend.close()
    for anchor in app.anchors:
        await anchor.close()
    await app.storage.close()
