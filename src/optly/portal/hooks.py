"""
What providers report: each request is read by the backend it is for, and answered once all of it is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

import attrs

from optly.messages import DeliveryEvent, InboundMessage
from optly.portal.http import Refusal
from optly.protocols import Clock, WebhookBackend
from optly.protocols.http import Request, Response
from optly.results import Received


@attrs.frozen(kw_only=True)
class Hooks:
    """
    The webhooks that are mounted with the pages.

    Attributes:
        backends: The backends that receive webhooks, by name.
        record: Records an event.
        on_received: Called with the result of each event, after it is recorded; None for nothing.
    """

    backends: Mapping[str, WebhookBackend]
    record: Callable[[DeliveryEvent | InboundMessage], Received]
    on_received: Callable[[Received], object] | None
    clock: Clock

    def respond(self, name: str, request: Request) -> Response:
        """
        Record what a provider reports to the backend of that name, and return the response to it.

        What cannot be recorded now raises, and the provider repeats the request: what was recorded of it then counts
        once.
        """
        backend = self.backends.get(name)
        if backend is None:
            raise Refusal(HTTPStatus.NOT_FOUND)
        webhook = backend.webhook(request, now=self.clock())
        for event in webhook.events:
            received = self.record(event)
            if self.on_received is not None:
                self.on_received(received)
        return webhook.response
