# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
Optly as a Django application.
"""

from __future__ import annotations

import logging
from typing import Final

from django.apps import AppConfig

from optly.portal import RedactLinks

# Where Django logs the paths of requests.
_LOGS: Final = ("django.request", "django.server")


class OptlyConfig(AppConfig):
    """
    Registers the system checks, and keeps links out of Django's own logs.
    """

    name = "optly.contrib.django"
    label = "optly"
    verbose_name = "Optly"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from optly.contrib.django.checks import register

        register()
        for name in _LOGS:
            logger = logging.getLogger(name)
            if not any(isinstance(known, RedactLinks) for known in logger.filters):
                logger.addFilter(RedactLinks())
