"""
A message backend, as the operations use it.
"""

from __future__ import annotations

import attrs

from optly.protocols import AsyncBatchBackend, AsyncMessageBackend, AsyncTracingBackend


@attrs.frozen(kw_only=True)
class Backend:
    """
    A message backend and what it supports.

    Attributes:
        one: Sends one message.
        batch: Sends many messages at once; None if not supported.
        traces: Looks up sent messages at the provider; None if not supported.
        takes_replies: Whether people can reply to its messages.
    """

    name: str
    one: AsyncMessageBackend
    batch: AsyncBatchBackend | None
    traces: AsyncTracingBackend | None
    takes_replies: bool
