# mypy: disable-error-code="import-untyped, untyped-decorator"
"""
The manager of the site: made when first needed, once per process.
"""

from __future__ import annotations

import os
from threading import RLock
from typing import Any

import attrs
from django.core.signals import setting_changed
from django.dispatch import receiver

from optly.contrib.django import _settings
from optly.contrib.django._settings import Settings
from optly.errors import ConfigurationError
from optly.manager import ConsentManager
from optly.portal import Portal


@attrs.frozen
class _Opened:
    manager: ConsentManager
    portal: Portal
    owned: bool
    process: int


class _Site:
    """
    Keeps the settings, manager and portal of the current process.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._settings: Settings | None = None
        self._opened: _Opened | None = None

    def settings(self) -> Settings:
        with self._lock:
            if self._settings is None:
                self._settings = _settings.read()
            return self._settings

    def get(self) -> _Opened:
        with self._lock:
            # After a fork, the connections belong to the parent process.
            if self._opened is None or self._opened.process != os.getpid():
                self._opened = _open(self.settings())
            return self._opened

    def forget(self) -> None:
        with self._lock:
            opened, self._opened, self._settings = self._opened, None, None
            if opened is not None and opened.owned and opened.process == os.getpid():
                opened.manager.close()


def _open(settings: Settings) -> _Opened:
    manager = settings.make()
    try:
        portal = manager.portal(**settings.portal)
    except ConfigurationError:
        if settings.owned:
            manager.close()
        raise
    return _Opened(manager, portal, settings.owned, os.getpid())


_site = _Site()


def get_manager() -> ConsentManager:
    """
    Return the manager of the site. Safe to call from any thread, any number of times. Do not close it.

    Raises:
        ConfigurationError: The setting ``OPTLY`` cannot work.
        RetryableError: The database cannot be reached.
    """
    return _site.get().manager


def get_portal() -> Portal:
    """
    Return the MyOptly pages of the site. Raises what `get_manager` does.
    """
    return _site.get().portal


def get_settings() -> Settings:
    """
    Return the parsed setting ``OPTLY``, without connecting to the database.

    Raises:
        ConfigurationError: It cannot work.
    """
    return _site.settings()


@receiver(setting_changed)
def _on_setting_changed(*, setting: str, **_: Any) -> None:
    if setting == "OPTLY":
        _site.forget()
