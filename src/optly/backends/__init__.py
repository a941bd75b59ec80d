"""
What hands messages to a provider. Each module is loaded when its backend is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optly.backends.console import ConsoleBackend
    from optly.backends.memory import MemoryBackend
    from optly.backends.ses import SESBackend
    from optly.backends.smtp import TLS, SMTPBackend
    from optly.backends.twilio import TwilioBackend

__all__ = ["TLS", "ConsoleBackend", "MemoryBackend", "SESBackend", "SMTPBackend", "TwilioBackend"]

_HOMES = {
    "ConsoleBackend": "console",
    "MemoryBackend": "memory",
    "SESBackend": "ses",
    "SMTPBackend": "smtp",
    "TLS": "smtp",
    "TwilioBackend": "twilio",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
