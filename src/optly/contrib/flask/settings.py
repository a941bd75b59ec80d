"""
From the configuration of an application to what makes its manager, and where its pages are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from flask import Flask

from optly.contacts.parties import Contact
from optly.contrib._mounting import mount_path
from optly.contrib.flask.signals import send_signals
from optly.errors import ConfigurationError
from optly.keys import Keys
from optly.links import Pages
from optly.manager import ConsentManager
from optly.portal import PortalSettings
from optly.record.events import Event

_PARTS: Final = inspect.signature(ConsentManager).parameters
_OWN: Final = frozenset({"manager", "mount", "portal"})


def read_settings(app: Flask) -> tuple[str, Callable[[], ConsentManager], Mapping[str, Any]]:
    """
    Return where the pages are to be mounted, what makes the manager, and what the portal is made with.

    Raises:
        ConfigurationError: The settings cannot work.
    """
    settings = {name: value for name, value in app.config.get_namespace("OPTLY_").items() if value is not None}
    mount, portal = settings.get("mount"), settings.get("portal", {})
    if not isinstance(portal, Mapping):
        raise ConfigurationError("OPTLY_PORTAL is a dict of settings of the pages")
    if unknown := portal.keys() - PortalSettings.__annotations__.keys():
        raise ConfigurationError(f"OPTLY_PORTAL holds what the pages have no setting for: {', '.join(sorted(unknown))}")
    if mount is not None:
        mount = f"/{mount.strip('/')}"
    make, base_path = _maker(app, settings)
    if base_path is None:
        base_path = mount
    if base_path is None:
        manager = require_manager(make())
        make, base_path = (lambda: manager), manager.pages.path
    return mount_path(base_path, given=mount, root=app.config["APPLICATION_ROOT"]), make, portal


def _maker(app: Flask, settings: Mapping[str, Any]) -> tuple[Callable[[], ConsentManager], str | None]:
    """
    Return what makes the manager, and the path of its `base_url` where that is known already.
    """
    manager = settings.get("manager")
    parts = {name: value for name, value in settings.items() if name not in _OWN}
    if manager is None:
        return _from_parts(app, parts)
    if parts:
        raise ConfigurationError(f"OPTLY_MANAGER is the whole of it and goes without {_in_capitals(parts)}")
    if isinstance(manager, ConsentManager):
        return (lambda: manager), manager.pages.path
    return (manager if callable(manager) else lambda: manager), None


def _from_parts(app: Flask, parts: dict[str, Any]) -> tuple[Callable[[], ConsentManager], str]:
    if unknown := parts.keys() - _PARTS.keys():
        raise ConfigurationError(f"there is no setting {_in_capitals(unknown)}")
    if missing := [name for name, part in _PARTS.items() if part.default is part.empty and name not in parts]:
        raise ConfigurationError(f"set OPTLY_MANAGER, or the parts of it: {_in_capitals(missing)} is missing")
    if not isinstance(parts["keys"], Keys):
        raise ConfigurationError("OPTLY_KEYS is made by Keys(current=…), because earlier keys may go with it")
    own, signals = parts.get("on_events"), send_signals(app)

    def tell(contact: Contact, events: Sequence[Event]) -> None:
        try:
            if own is not None:
                own(contact, events)
        finally:
            signals(contact, events)

    return (lambda: ConsentManager(**{**parts, "on_events": tell})), Pages(parts["base_url"]).path


def _in_capitals(names: Iterable[str]) -> str:
    return ", ".join(sorted(f"OPTLY_{name.upper()}" for name in names))


def require_manager(made: object) -> ConsentManager:
    """
    Return what a host made, if it is a manager that blocks.
    """
    if not isinstance(made, ConsentManager):
        raise ConfigurationError("OPTLY_MANAGER is a ConsentManager, or a function that returns one")
    return made
