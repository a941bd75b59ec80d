"""
What providers tell: each request is read by the backend it is for, and answered once all of it is on record.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from optly.portal.http import Refusal
from optly.protocols.http import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from optly.manager import ConsentManager
    from optly.results import Received


def hear(manager: ConsentManager, request: Request, name: str, told: Callable[[Received], object] | None) -> Response:
    """
    Take what a provider tells the backend of that name.

    What cannot be recorded now raises, and the provider comes again: what was recorded of it then counts once.
    """
    backend = manager.webhooks.get(name)
    if backend is None:
        raise Refusal(HTTPStatus.NOT_FOUND)
    heard = backend.webhook(request, now=manager.clock())
    for event in heard.events:
        received = manager.receive(event)
        if told is not None:
            told(received)
    return heard.response
