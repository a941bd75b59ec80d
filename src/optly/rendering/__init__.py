"""
What each message says, in which language, and what it looks like: one module a message. Pure.

Nothing that someone typed into a form goes into a request, not even a name: otherwise a stranger could be sent any
words through us.

Most functions take *language*, for which they use the nearest language there is a catalogue for, and *more*, the
catalogues of the host.

May import `messages`, `rules` and what they may import.
"""

from optly.locale.i18n import long_date
from optly.rendering._templates import environment, render
from optly.rendering.changes import changed_notice
from optly.rendering.codes import code_message
from optly.rendering.complaints import complaint_alert, complaint_received
from optly.rendering.copies import copy_message
from optly.rendering.help import help_text
from optly.rendering.links import link_message
from optly.rendering.promotions import marketing, unsubscribe_headers
from optly.rendering.receipts import receipt
from optly.rendering.requests import request
from optly.rendering.stops import stopped_notice

__all__ = [
    "changed_notice",
    "code_message",
    "complaint_alert",
    "complaint_received",
    "copy_message",
    "environment",
    "help_text",
    "link_message",
    "long_date",
    "marketing",
    "receipt",
    "render",
    "request",
    "stopped_notice",
    "unsubscribe_headers",
]
