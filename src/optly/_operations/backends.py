"""
A message backend as the operations see it.
"""

from __future__ import annotations

import attrs

from optly.protocols import AsyncBatchBackend, AsyncMessageBackend, AsyncTracingBackend


@attrs.frozen(kw_only=True)
class Backend:
    """
    What can be done with a backend.

    Attributes:
        one: Sends one message.
        batch: Sends many at once; None if the backend cannot.
        traces: Looks up what the provider has; None if the backend cannot.
        takes_replies: Whether a message can be answered by a reply.
    """

    name: str
    one: AsyncMessageBackend
    batch: AsyncBatchBackend | None
    traces: AsyncTracingBackend | None
    takes_replies: bool
