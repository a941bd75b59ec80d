"""
What goes out: what it says, in which language, and what it looks like. Pure.

No name and no other text that somebody typed into a form goes into a request: whoever fills in the form could otherwise
have us send their words to a stranger.

Most take *language*, of which the nearest is spoken that there is a catalogue for, and *more*, the catalogues of the
host.
"""

from optly.locale.i18n import long_date
from optly.rendering._templates import environment, render
from optly.rendering.messages import help_text, marketing, receipt, request, unsubscribe_headers
from optly.rendering.notices import (
    changed_notice,
    code_message,
    complaint_alert,
    complaint_received,
    copy_message,
    link_message,
    stopped_notice,
)

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
