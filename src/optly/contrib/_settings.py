"""
The settings of a web framework: a manager that the application makes itself or the arguments to make one, and the
arguments of the portal.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any, Final

import attrs

from optly.errors import ConfigurationError
from optly.manager import ConsentManager
from optly.portal import PortalSettings

_ARGUMENTS: Final = inspect.signature(ConsentManager).parameters


@attrs.frozen(kw_only=True)
class HostSettings:
    """
    The settings, without any that do not exist.

    Attributes:
        manager: The application's own manager, unchecked. None if one is to be made of `arguments`.
        arguments: Arguments of `ConsentManager`, by name.
        missing: The settings that a manager cannot be made without.
        portal: Arguments of `ConsentManager.portal`, by name.
    """

    manager: Any
    arguments: dict[str, Any]
    missing: tuple[str, ...]
    portal: Mapping[str, Any]


def read_settings(
    settings: Mapping[str, Any],
    *,
    further: Collection[str],
    without: Collection[str] = (),
    prefix: str = "",
    label: Callable[[str], str] = str,
) -> HostSettings:
    """
    Read settings that are named like the arguments of `ConsentManager`, in capitals.

    Args:
        further: Names of the settings that only this framework has.
        without: Arguments that cannot be set.
        prefix: Precedes every name in *settings*.
        label: Returns how errors refer to a setting.

    Raises:
        ConfigurationError: A setting does not exist, or does not go with another.
    """
    arguments = {f"{prefix}{name.upper()}": name for name in _ARGUMENTS if name not in without}
    manager, portal = f"{prefix}MANAGER", f"{prefix}PORTAL"
    refuse_unknown(settings, [*arguments, manager, portal, *(f"{prefix}{name}" for name in further)], label)
    found = HostSettings(
        manager=settings.get(manager),
        arguments={name: settings[setting] for setting, name in arguments.items() if setting in settings},
        missing=tuple(
            setting
            for setting, name in arguments.items()
            if _ARGUMENTS[name].default is inspect.Parameter.empty and setting not in settings
        ),
        portal=settings.get(portal, {}),
    )
    if manager in settings and found.arguments:
        extra = ", ".join(sorted(arguments.keys() & settings.keys()))
        raise ConfigurationError(f"{label(manager)} is a complete manager, not to be combined with {extra}")
    if not isinstance(found.portal, Mapping):
        raise ConfigurationError(f"{label(portal)} must be a dictionary of arguments for manager.portal")
    refuse_unknown(found.portal, PortalSettings.__annotations__, lambda name: f"{label(portal)}[{name!r}]")
    return found


def refuse_unknown(settings: Collection[Any], known: Collection[str], label: Callable[[str], str]) -> None:
    """
    Refuse names that do not exist, with a hint at those that do.
    """
    for name in settings:
        if name not in known:
            close = get_close_matches(str(name), known, 1)
            hint = f": did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(known))}"
            raise ConfigurationError(f"there is no setting {label(name)}{hint}")
