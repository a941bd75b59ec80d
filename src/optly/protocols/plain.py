"""
The ports that are never awaited: they do no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeAlias, runtime_checkable

from optly.protocols.blocking import Storage
from optly.protocols.http import Request
from optly.protocols.values import Webhook


@runtime_checkable
class WebhookBackend(Protocol):
    """
    The half of a backend that receives its provider's requests. Mounted with the pages, at ``base_url/hooks/name``.
    """

    @property
    def name(self) -> str:
        """
        The last part of the path.
        """

    def webhook(self, request: Request, *, now: datetime) -> Webhook:
        """
        Verify that a request comes from the provider, and parse it. One that does not is refused in the response.

        Raises nothing and has no lasting effect: the caller records the events, and a repeated request gives events
        with the same names.
        """


@runtime_checkable
class TakesReplies(Protocol):
    """
    A backend that can receive replies to its messages. A reply is not offered where it could not be received.
    """

    @property
    def takes_replies(self) -> bool:
        """
        Whether replies come back through its webhook, so that a question may say "reply YES or STOP".
        """


# Has a function called after the transaction that is under way was committed, and not if it is rolled back.
OnCommit: TypeAlias = Callable[[Callable[[], object]], object]


@runtime_checkable
class TransactionalStorage(Protocol):
    """
    A store that can take part in a transaction that the host begins and ends.
    """

    def within(self, connection: object) -> Storage:
        """
        Return a store that reads and writes on *connection*. It commits nothing, and is used as the connection is: by
        one thread at a time, until the host closes that.

        Raises:
            UsageError: It is not a connection to the database of this store.
        """

    def commit_hook(self, connection: object) -> OnCommit | None:
        """
        Return what has a function called after the host has committed on *connection*; None if nothing tells.
        """


class Clock(Protocol):
    """
    Returns the current time as an aware datetime.
    """

    def __call__(self) -> datetime: ...
