# mypy: disable-error-code="import-untyped, untyped-decorator"
"""
The manager of the site: made when it is first needed, once in each process.
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
class _Made:
    manager: ConsentManager
    portal: Portal
    owned: bool
    process: int


class _Current:
    """
    Keeps what the process it is asked in has made.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._settings: Settings | None = None
        self._made: _Made | None = None

    def settings(self) -> Settings:
        with self._lock:
            if self._settings is None:
                self._settings = _settings.read()
            return self._settings

    def get(self) -> _Made:
        with self._lock:
            # What was made before a fork holds connections that are the other process's.
            if self._made is None or self._made.process != os.getpid():
                self._made = _make(self.settings())
            return self._made

    def forget(self) -> None:
        with self._lock:
            made, self._made, self._settings = self._made, None, None
            if made is not None and made.owned and made.process == os.getpid():
                made.manager.close()


def _make(settings: Settings) -> _Made:
    manager = settings.make()
    try:
        portal = manager.portal(**settings.portal)
    except ConfigurationError:
        if settings.owned:
            manager.close()
        raise
    return _Made(manager, portal, settings.owned, os.getpid())


_current = _Current()


def get_manager() -> ConsentManager:
    """
    Return the manager of the site. Safe to call from any thread, any number of times; do not close it.

    Raises:
        ConfigurationError: The setting ``OPTLY`` cannot work.
        RetryableError: The store cannot be reached.
    """
    return _current.get().manager


def get_portal() -> Portal:
    """
    Return the MyOptly pages of the site. Raises what `get_manager` does.
    """
    return _current.get().portal


def get_settings() -> Settings:
    """
    Return the setting ``OPTLY``, read. The store is not asked.

    Raises:
        ConfigurationError: It cannot work.
    """
    return _current.settings()


@receiver(setting_changed)
def _on_setting_changed(*, setting: str, **_: Any) -> None:
    if setting == "OPTLY":
        _current.forget()
