# mypy: disable-error-code="import-untyped"
"""
The setting ``OPTLY``: what it may hold, and how a manager is made of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, TypeVar

import attrs
from django.conf import settings
from django.utils.module_loading import import_string

from optly.contacts.parties import Organisation
from optly.contacts.purposes import Purpose
from optly.contrib.django.signals import send_signals
from optly.errors import ConfigurationError
from optly.keys import Keys
from optly.manager import ConsentManager
from optly.portal import PortalSettings

T = TypeVar("T")

_ARGUMENTS: Final = {
    name.upper(): parameter
    for name, parameter in inspect.signature(ConsentManager).parameters.items()
    if name != "on_events"
}
_REQUIRED: Final = tuple(name for name, parameter in _ARGUMENTS.items() if parameter.default is parameter.empty)
_OWN: Final = ("MANAGER", "PORTAL", "UNMARKED", "EMAIL_INNER_BACKEND")
_SMTP: Final = "django.core.mail.backends.smtp.EmailBackend"


class Unmarked(StrEnum):
    """
    What becomes of a mail that does not say whether it is marketing.

    REFUSE: It is not sent.
    SERVICE: It is sent as it is: the site sees to it that all of its marketing says so.
    """

    REFUSE = "refuse"
    SERVICE = "service"


@attrs.frozen(kw_only=True)
class Facts:
    """
    What is known of the manager before it is made.
    """

    base_url: str
    backends: int


@attrs.frozen(kw_only=True)
class Settings:
    """
    The setting, read.

    Attributes:
        make: Makes the manager, or finds the one that the site has.
        owned: Whether the manager is closed with the settings it was made of. One that the site has is the site's.
        facts: None where the manager is made by a function of the site's.
        keys: The keys, as far as the setting holds them.
        portal: Arguments of `ConsentManager.portal`.
        unmarked: None if the site has not decided.
        inner_backend: What the gated email backend hands mails over with.
    """

    make: Callable[[], ConsentManager] = attrs.field(repr=False)
    owned: bool
    facts: Facts | None
    keys: Keys | None = attrs.field(repr=False)
    portal: Mapping[str, Any]
    unmarked: Unmarked | None
    inner_backend: str


def read() -> Settings:
    """
    Read the setting. The store is not asked, and nothing is connected.

    Raises:
        ConfigurationError: It cannot work. The message names the key.
    """
    value = getattr(settings, "OPTLY", None)
    if not isinstance(value, Mapping):
        raise ConfigurationError("the setting OPTLY is missing: a dictionary with MANAGER, or with what makes one")
    _refuse_unknown(value, [*_ARGUMENTS, *_OWN], "OPTLY")
    portal = _mapping(value.get("PORTAL", {}), "PORTAL")
    _refuse_unknown(portal, PortalSettings.__annotations__, "OPTLY['PORTAL']")
    make = _from_site(value) if "MANAGER" in value else _from_parts(value)
    return attrs.evolve(
        make,
        portal=portal,
        unmarked=_unmarked(value.get("UNMARKED")),
        inner_backend=_text(value.get("EMAIL_INNER_BACKEND", _SMTP), "EMAIL_INNER_BACKEND"),
    )


def _refuse_unknown(value: Mapping[Any, Any], known: Iterable[str], where: str) -> None:
    for name in value:
        if name not in known:
            close = get_close_matches(str(name), known, 1)
            hint = f": did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(known))}"
            raise ConfigurationError(f"{where} has no key {name!r}{hint}")


def _settings(make: Callable[[], ConsentManager], *, owned: bool, facts: Facts | None, keys: Keys | None) -> Settings:
    return Settings(make=make, owned=owned, facts=facts, keys=keys, portal={}, unmarked=None, inner_backend=_SMTP)


# ---- a manager of the site's


def _from_site(value: Mapping[str, Any]) -> Settings:
    if parts := [name for name in _ARGUMENTS if name in value]:
        raise ConfigurationError(
            f"OPTLY has MANAGER, which is made already, and {', '.join(parts)}, of which one would be made: keep one"
        )
    found = _imported(value["MANAGER"], "MANAGER")
    if isinstance(found, ConsentManager):
        facts = Facts(base_url=found.pages.base_url, backends=len(found.backends))
        return _settings(lambda: found, owned=False, facts=facts, keys=None)
    if not callable(found):
        raise ConfigurationError("OPTLY['MANAGER'] names neither a ConsentManager nor a function that returns one")

    def make() -> ConsentManager:
        made = found()
        if not isinstance(made, ConsentManager):
            raise ConfigurationError("the function that OPTLY['MANAGER'] names returned no ConsentManager")
        return made

    return _settings(make, owned=True, facts=None, keys=None)


# ---- a manager that is made of its parts


def _from_parts(value: Mapping[str, Any]) -> Settings:
    if absent := [name for name in _REQUIRED if name not in value]:
        raise ConfigurationError(f"OPTLY has no {', '.join(absent)}, and no MANAGER that would do without")
    parts: dict[str, Any] = {name: value[name] for name in _ARGUMENTS if name in value}
    parts["ORGANISATION"] = _one_of(Organisation, parts["ORGANISATION"], "ORGANISATION")
    parts["PURPOSES"] = [_one_of(Purpose, each, "PURPOSES") for each in _sequence(parts["PURPOSES"], "PURPOSES")]
    parts["KEYS"] = keys = _keys(parts["KEYS"])
    base_url = _text(parts["BASE_URL"], "BASE_URL")
    backends = _sequence(parts.get("BACKENDS", ()), "BACKENDS")
    registers = _sequence(parts.get("REGISTERS", ()), "REGISTERS")
    if not parts["PURPOSES"]:
        raise ConfigurationError("OPTLY['PURPOSES'] is empty: a manager needs at least one purpose")

    def make() -> ConsentManager:
        given = {name.lower(): part for name, part in parts.items()}
        given["storage"] = _storage(parts["STORAGE"])
        given["backends"] = [_built(each, "BACKENDS") for each in backends]
        given["registers"] = [_built(each, "REGISTERS") for each in registers]
        if "RULEBOOK" in parts:
            given["rulebook"] = _built(parts["RULEBOOK"], "RULEBOOK")
        if "CLOCK" in parts:
            given["clock"] = _imported(parts["CLOCK"], "CLOCK")
        return ConsentManager(**given, on_events=send_signals)

    return _settings(make, owned=True, facts=Facts(base_url=base_url, backends=len(backends)), keys=keys)


def _one_of(kind: type[T], value: Any, name: str) -> T:
    if isinstance(value, Mapping):
        return _called(kind, value, name)
    if not isinstance(value, kind):
        raise ConfigurationError(f"OPTLY[{name!r}] takes a dictionary or {kind.__name__}(…)")
    return value


def _called(make: Callable[..., T], options: Mapping[str, Any], name: str) -> T:
    try:
        inspect.signature(make).bind(**options)
    except TypeError as error:
        raise ConfigurationError(f"OPTLY[{name!r}]: {getattr(make, '__name__', make)}: {error}") from None
    return make(**options)


def _keys(value: Any) -> Keys:
    if isinstance(value, Keys):
        return value
    if isinstance(value, str):
        value = [value]
    keys = _sequence(value, "KEYS")
    if not keys or not all(isinstance(key, str) for key in keys):
        raise ConfigurationError("OPTLY['KEYS'] takes a key or a list of keys, the current one first")
    return Keys(current=keys[0], previous=keys[1:])


def _storage(value: Any) -> Any:
    if isinstance(value, str) and "://" in value:
        from optly.storage import SQLStorage

        return SQLStorage(value)
    return _built(value, "STORAGE")


def _built(value: Any, name: str) -> Any:
    """
    Return what *value* stands for: an object that is there, the path of a class or a function that makes one, or both
    the path and what it is called with, as in the setting ``STORAGES`` of Django's.
    """
    if isinstance(value, Mapping):
        _refuse_unknown(value, ("BACKEND", "OPTIONS"), f"OPTLY[{name!r}]")
        if "BACKEND" not in value:
            raise ConfigurationError(f"OPTLY[{name!r}] has a dictionary without BACKEND, the path of what is made")
        options = _mapping(value.get("OPTIONS", {}), f"{name}/OPTIONS")
        return _called(_imported(value["BACKEND"], name), options, name)
    if isinstance(value, str):
        found = _imported(value, name)
        return _called(found, {}, name) if inspect.isroutine(found) or inspect.isclass(found) else found
    return value


def _imported(value: Any, name: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except ImportError as error:
        raise ConfigurationError(f"OPTLY[{name!r}]: {error}") from error


def _sequence(value: Any, name: str) -> list[Any]:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise ConfigurationError(f"OPTLY[{name!r}] takes a list")
    return list(value)


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"OPTLY[{name!r}] takes a dictionary")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"OPTLY[{name!r}] takes a text")
    return value


def _unmarked(value: Any) -> Unmarked | None:
    try:
        return None if value is None else Unmarked(value)
    except ValueError:
        raise ConfigurationError(f"OPTLY['UNMARKED'] is one of {', '.join(Unmarked)}") from None
