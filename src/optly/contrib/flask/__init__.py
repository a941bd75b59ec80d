"""
Optly in Flask.

The pages are mounted beside the application's own views. What the application applies to its views, such as a CSRF
check, a log-in or extra headers, does not affect them.
"""

from __future__ import annotations

from optly.errors import ConfigurationError

try:
    import blinker as _blinker  # noqa: F401
    import flask as _flask  # noqa: F401
except ModuleNotFoundError as missing:
    raise ConfigurationError(f"{missing.name} is missing: pip install 'optly[flask]'") from None

from optly.contrib.flask.extension import AppState, FlaskOptly, current_manager
from optly.contrib.flask.signals import (
    consent_given,
    consent_refused,
    consent_withdrawn,
    contact_details_changed,
    send_signals,
)

__all__ = [
    "AppState",
    "FlaskOptly",
    "consent_given",
    "consent_refused",
    "consent_withdrawn",
    "contact_details_changed",
    "current_manager",
    "send_signals",
]
