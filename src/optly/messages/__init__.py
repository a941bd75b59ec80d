"""
Messages: what is sent, receipts and delivery events, replies, the parts of a text, and the pace of sending.

May import `contacts`, `instants` and what they may import. Pure.
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
