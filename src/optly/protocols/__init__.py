"""
The ports: what a plug-in implements, and the values that pass through them.

A plug-in is passed in, not registered. It satisfies one of these protocols and passes the contract suite of the same
name in :mod:`optly.testing`. May import `record`, `messages`, `contacts` and what they may import.
"""

from optly.protocols.ports import (
    UNDATED,
    AsyncMessageBackend,
    BatchBackend,
    Claim,
    Clock,
    Commit,
    Found,
    Head,
    Identifier,
    Listing,
    MessageBackend,
    MessageState,
    OutboxMessage,
    Register,
    RegisterName,
    SealedLeaf,
    Settlement,
    Storage,
    StoredCode,
    Suppression,
    TakesReplies,
    Traced,
    TracingBackend,
    Webhook,
    WebhookBackend,
)

__all__ = [
    "UNDATED",
    "AsyncMessageBackend",
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
