"""
What goes out and what comes back: messages, their receipts, the parts of a text, replies, and how fast they may go.

May import `contacts` and what it may import. Pure.
"""

from optly.messages.message import (
    Content,
    DeliveryEvent,
    DeliveryStatus,
    Fault,
    InboundMessage,
    Keyword,
    Message,
    Outcome,
    Receipt,
    no_line_break,
)

__all__ = [
    "Content",
    "DeliveryEvent",
    "DeliveryStatus",
    "Fault",
    "InboundMessage",
    "Keyword",
    "Message",
    "Outcome",
    "Receipt",
    "no_line_break",
]
