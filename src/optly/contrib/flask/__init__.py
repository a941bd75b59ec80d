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

from optly.contrib.flask.extension import AppState as AppState
from optly.contrib.flask.extension import FlaskOptly as FlaskOptly
from optly.contrib.flask.extension import current_manager as current_manager
from optly.contrib.flask.signals import consent_given as consent_given
from optly.contrib.flask.signals import consent_refused as consent_refused
from optly.contrib.flask.signals import consent_withdrawn as consent_withdrawn
from optly.contrib.flask.signals import contact_details_changed as contact_details_changed
from optly.contrib.flask.signals import send_signals as send_signals
