"""
The ports: what a plug-in implements, and the values that pass through them.

A plug-in is passed in, not registered. It satisfies one of these protocols and passes the contract suite of the same
name in :mod:`optly.testing`. May import `record`, `messages`, `contacts` and what they may import.
"""

from optly.protocols.awaited import (
    AsyncBatchBackend,
    AsyncMessageBackend,
    AsyncRegister,
    AsyncStorage,
    AsyncTracingBackend,
)
from optly.protocols.blocking import BatchBackend, MessageBackend, Register, Storage, TracingBackend
from optly.protocols.plain import Clock, TakesReplies, WebhookBackend
from optly.protocols.values import (
    UNDATED,
    Claim,
    Commit,
    Found,
    Head,
    Identifier,
    Listing,
    MessageState,
    OutboxMessage,
    RegisterName,
    SealedLeaf,
    Settlement,
    StoredCode,
    Suppression,
    Traced,
    Webhook,
)

__all__ = [
    "UNDATED",
    "AsyncBatchBackend",
    "AsyncMessageBackend",
    "AsyncRegister",
    "AsyncStorage",
    "AsyncTracingBackend",
    "BatchBackend",
    "Claim",
    "Clock",
    "Commit",
    "Found",
    "Head",
    "Identifier",
    "Listing",
    "MessageBackend",
    "MessageState",
    "OutboxMessage",
    "Register",
    "RegisterName",
    "SealedLeaf",
    "Settlement",
    "Storage",
    "StoredCode",
    "Suppression",
    "TakesReplies",
    "Traced",
    "TracingBackend",
    "Webhook",
    "WebhookBackend",
]
