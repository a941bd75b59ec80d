"""
From the configuration of an application to its manager and the path of its pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from flask import Flask

from optly.contacts import Contact
from optly.contrib._mounting import mount_path
from optly.contrib._settings import HostSettings, read_settings
from optly.contrib.flask.signals import send_signals
from optly.errors import ConfigurationError
from optly.keys import Keys
from optly.links import Pages
from optly.manager import ConsentManager
from optly.record.events import Event

_PREFIX: Final = "OPTLY_"
_MOUNT: Final = "MOUNT"


def read_config(app: Flask) -> tuple[str, Callable[[], ConsentManager], Mapping[str, Any]]:
    """
    Return the path to mount the pages at, a function that makes the manager, and the arguments of the portal.

    Raises:
        ConfigurationError: The settings cannot work.
    """
    config = {name: value for name, value in app.config.items() if name.startswith(_PREFIX) and value is not None}
    settings = read_settings(config, further=[_MOUNT], prefix=_PREFIX)
    mount = config.get(f"{_PREFIX}{_MOUNT}")
    if mount is not None:
        mount = f"/{mount.strip('/')}"
    manager = settings.manager
    make: Callable[[], ConsentManager]
    base_path: str | None
    if manager is None:
        make, base_path = _from_arguments(app, settings)
    elif isinstance(manager, ConsentManager):
        make, base_path = (lambda: manager), manager.pages.path
    else:
        make, base_path = (manager if callable(manager) else lambda: manager), mount
    if base_path is None:
        made = require_manager(make())
        make, base_path = (lambda: made), made.pages.path
    return mount_path(base_path, given=mount, root=app.config["APPLICATION_ROOT"]), make, settings.portal


def _from_arguments(app: Flask, settings: HostSettings) -> tuple[Callable[[], ConsentManager], str]:
    if settings.missing:
        raise ConfigurationError(
            f"set OPTLY_MANAGER or the arguments to make one: {', '.join(sorted(settings.missing))} is missing"
        )
    arguments = settings.arguments
    if not isinstance(arguments["keys"], Keys):
        raise ConfigurationError("OPTLY_KEYS has to be Keys(current=…), because earlier keys may belong to it")
    own, signals = arguments.get("on_events"), send_signals(app)

    def on_events(contact: Contact, events: Sequence[Event]) -> None:
        try:
            if own is not None:
                own(contact, events)
        finally:
            signals(contact, events)

    path = Pages(arguments["base_url"]).path
    return (lambda: ConsentManager(**{**arguments, "on_events": on_events})), path


def require_manager(made: object) -> ConsentManager:
    """
    Return what an application made, if it is a blocking manager.
    """
    if not isinstance(made, ConsentManager):
        raise ConfigurationError("OPTLY_MANAGER must be a ConsentManager, or a function that returns one")
    return made
