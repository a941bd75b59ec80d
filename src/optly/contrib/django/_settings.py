# mypy: disable-error-code="import-untyped"
"""
The setting ``OPTLY``, and how a manager is made from it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

import attrs
from django.conf import settings
from django.utils.module_loading import import_string

from optly import typed
from optly.contacts import Organisation, Purpose
from optly.contrib._settings import HostSettings, read_settings, refuse_unknown
from optly.contrib.django.signals import send_signals
from optly.errors import ConfigurationError
from optly.keys import Keys
from optly.manager import ConsentManager

T = TypeVar("T")

_SMTP: Final = "django.core.mail.backends.smtp.EmailBackend"


class Unmarked(StrEnum):
    """
    What happens to an email that does not say whether it is marketing.

    REFUSE: It is not sent.
    SERVICE: It is sent unchanged. The site ensures that all of its marketing is marked.
    """

    REFUSE = "refuse"
    SERVICE = "service"


@attrs.frozen(kw_only=True)
class Facts:
    """
    What is known about the manager before it is made.
    """

    base_url: str
    backends: int


@attrs.frozen(kw_only=True)
class Settings:
    """
    The parsed setting.

    Attributes:
        make: Makes the manager, or returns the site's own.
        owned: Whether to close the manager when the setting changes. The site's own manager is not closed.
        facts: None if the manager is made by a function of the site.
        keys: The keys, if the setting has them.
        portal: Arguments of `ConsentManager.portal`.
        unmarked: None if the site has not decided.
        inner_backend: The backend or mailer that sends what the gated email backend allows.
    """

    make: Callable[[], ConsentManager] = attrs.field(repr=False)
    owned: bool = True
    facts: Facts | None = None
    keys: Keys | None = attrs.field(default=None, repr=False)
    portal: Mapping[str, Any] = attrs.field(factory=dict)
    unmarked: Unmarked | None = None
    inner_backend: str = _SMTP


def read() -> Settings:
    """
    Read the setting, without making any connection.

    Raises:
        ConfigurationError: It cannot work. The message names the key.
    """
    value = getattr(settings, "OPTLY", None)
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            "the setting OPTLY is missing: a dictionary with MANAGER, or the arguments to make one"
        )
    given = read_settings(
        value, further=["UNMARKED", "EMAIL_INNER_BACKEND"], without=["on_events"], label=lambda name: f"OPTLY[{name!r}]"
    )
    found = _from_site(given.manager) if "MANAGER" in value else _from_arguments(given)
    return typed.evolve(
        found,
        portal=given.portal,
        unmarked=_unmarked(value.get("UNMARKED")),
        inner_backend=_string(value.get("EMAIL_INNER_BACKEND", _SMTP), "EMAIL_INNER_BACKEND"),
    )


def _from_site(value: Any) -> Settings:
    found = _import(value, "MANAGER")
    if isinstance(found, ConsentManager):
        facts = Facts(base_url=found.pages.base_url, backends=len(found.backends))
        return Settings(make=lambda: found, owned=False, facts=facts)
    if not callable(found):
        raise ConfigurationError("OPTLY['MANAGER'] names neither a ConsentManager nor a function that returns one")

    def make() -> ConsentManager:
        made = found()
        if not isinstance(made, ConsentManager):
            raise ConfigurationError("the function that OPTLY['MANAGER'] names returned no ConsentManager")
        return made

    return Settings(make=make)


def _from_arguments(given: HostSettings) -> Settings:
    if given.missing:
        raise ConfigurationError(f"OPTLY has no {', '.join(given.missing)}, and no MANAGER")
    arguments = given.arguments
    arguments["organisation"] = _one_of(Organisation, arguments["organisation"], "ORGANISATION")
    purposes = _sequence(arguments["purposes"], "PURPOSES")
    if not purposes:
        raise ConfigurationError("OPTLY['PURPOSES'] is empty: a manager needs at least one purpose")
    arguments["purposes"] = [_one_of(Purpose, purpose, "PURPOSES") for purpose in purposes]
    arguments["keys"] = keys = _keys(arguments["keys"])
    base_url = _string(arguments["base_url"], "BASE_URL")
    backends = _sequence(arguments.get("backends", ()), "BACKENDS")
    registers = _sequence(arguments.get("registers", ()), "REGISTERS")
    anchors = _sequence(arguments.get("anchors", ()), "ANCHORS")

    def make() -> ConsentManager:
        made = {
            **arguments,
            "storage": _storage(arguments["storage"]),
            "backends": [_build(backend, "BACKENDS") for backend in backends],
            "registers": [_build(register, "REGISTERS") for register in registers],
            "anchors": [_build(anchor, "ANCHORS") for anchor in anchors],
        }
        if "rulebook" in made:
            made["rulebook"] = _build(made["rulebook"], "RULEBOOK")
        if "clock" in made:
            made["clock"] = _import(made["clock"], "CLOCK")
        return ConsentManager(**made, on_events=send_signals)

    return Settings(make=make, facts=Facts(base_url=base_url, backends=len(backends)), keys=keys)


def _one_of(kind: type[T], value: Any, name: str) -> T:
    if isinstance(value, Mapping):
        return _call(kind, value, name)
    if not isinstance(value, kind):
        raise ConfigurationError(f"OPTLY[{name!r}] takes a dictionary or {kind.__name__}(…)")
    return value


def _call(make: Callable[..., T], options: Mapping[str, Any], name: str) -> T:
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
    return _build(value, "STORAGE")


def _build(value: Any, name: str) -> Any:
    """
    Return what *value* describes: an object, the path of a class or a function that makes one, or a dictionary with the
    path and its options, as in Django's own setting ``STORAGES``.
    """
    if isinstance(value, Mapping):
        refuse_unknown(value, ("BACKEND", "OPTIONS"), lambda key: f"OPTLY[{name!r}][{key!r}]")
        if "BACKEND" not in value:
            raise ConfigurationError(
                f"OPTLY[{name!r}] has a dictionary without BACKEND, the path of a class or a function"
            )
        options = value.get("OPTIONS", {})
        if not isinstance(options, Mapping):
            raise ConfigurationError(f"OPTLY['{name}/OPTIONS'] takes a dictionary")
        return _call(_import(value["BACKEND"], name), options, name)
    if isinstance(value, str):
        found = _import(value, name)
        return _call(found, {}, name) if inspect.isroutine(found) or inspect.isclass(found) else found
    return value


def _import(value: Any, name: str) -> Any:
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


def _string(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"OPTLY[{name!r}] takes a string")
    return value


def _unmarked(value: Any) -> Unmarked | None:
    try:
        return None if value is None else Unmarked(value)
    except ValueError:
        raise ConfigurationError(f"OPTLY['UNMARKED'] must be one of {', '.join(Unmarked)}") from None
