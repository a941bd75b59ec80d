"""
The ports that are never awaited: they do no I/O.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

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


class Clock(Protocol):
    """
    Returns the current time as an aware datetime.
    """

    def __call__(self) -> datetime: ...
