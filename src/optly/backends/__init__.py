"""
Backends, which send messages through a provider. Each is imported when it is first used.

May import `protocols` and what it may import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optly import _lazy

if TYPE_CHECKING:
    from optly.backends.console import ConsoleBackend
    from optly.backends.memory import MemoryBackend
    from optly.backends.ses import SESBackend
    from optly.backends.smtp import TLS, SMTPBackend
    from optly.backends.twilio import TwilioBackend

__all__ = ["TLS", "ConsoleBackend", "MemoryBackend", "SESBackend", "SMTPBackend", "TwilioBackend"]

__getattr__ = _lazy.importer(
    __name__,
    {
        "ConsoleBackend": "console",
        "MemoryBackend": "memory",
        "SESBackend": "ses",
        "SMTPBackend": "smtp",
        "TLS": "smtp",
        "TwilioBackend": "twilio",
    },
)
