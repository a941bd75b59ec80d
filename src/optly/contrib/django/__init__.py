# mypy: disable-error-code="import-untyped"
"""
Optly in Django.

Add ``optly.contrib.django`` to ``INSTALLED_APPS``, configure the manager in the setting ``OPTLY``, and include
``optly.contrib.django.urls`` at the path of ``BASE_URL``. Signals are in `optly.contrib.django.signals`; the email
backend that screens marketing is in `optly.contrib.django.mail`.
"""

from __future__ import annotations

from optly.errors import ConfigurationError

try:
    import django as _django  # noqa: F401
except ModuleNotFoundError as missing:
    raise ConfigurationError(f"{missing.name} is missing: pip install 'optly[django]'") from None

from optly.contrib.django._site import get_manager, get_portal

__all__ = ["get_manager", "get_portal"]
