"""
Optly inside of Flask.

The pages are mounted below the application and not in it. So what the application puts around its own views, such as a
CSRF check, a log-in or headers of another kind, does not reach them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from optly.addresses import Channel
from optly.contrib._mounting import mount_path
from optly.errors import ConfigurationError
from optly.events import (
    ConsentGiven,
    ConsentRefused,
    ConsentWithdrawn,
    ContactAdded,
    DetailsChanged,
    Event,
    LineAdded,
    LineRemoved,
    ObjectionRaised,
)
from optly.keys import Keys
from optly.links import Pages
from optly.manager import ConsentManager
from optly.parties import Contact
from optly.portal import Portal

try:
    import click
    from blinker import NamedSignal, Namespace
    from flask import Flask, current_app, has_app_context
    from werkzeug.local import LocalProxy
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.middleware.proxy_fix import ProxyFix
except ModuleNotFoundError as missing:
    raise ConfigurationError(f"{missing.name} is missing: pip install 'optly[flask]'") from None

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_NAME: Final = "optly"
_PARTS: Final = inspect.signature(ConsentManager).parameters
_PORTAL: Final = frozenset(inspect.signature(ConsentManager.portal).parameters) - {"self"}
_OWN: Final = frozenset({"manager", "mount", "portal"})

Listener: TypeAlias = Callable[[Contact, Sequence[Event]], object]

_signals: Final = Namespace()

consent_given: Final = _signals.signal("consent-given", "Somebody said yes.")
consent_refused: Final = _signals.signal("consent-refused", "Somebody said no.")
consent_withdrawn: Final = _signals.signal("consent-withdrawn", "Somebody withdrew a consent, or objected.")
contact_details_changed: Final = _signals.signal("contact-details-changed", "What is known of a contact changed.")


# ---- the extension


class FlaskOptly:
    """
    Gives Flask applications their MyOptly pages, the commands ``flask optly …``, and two helpers for templates.

    Any number of applications may be given to one object; each has a manager, a mount and a portal of its own, which
    are kept in ``app.extensions["optly"]``. What it reads of ``app.config``, at once:

    - ``OPTLY_MANAGER``: a `ConsentManager`, or a function that returns one. The function is called when it is first
      needed; without ``OPTLY_MOUNT`` that is now.
    - Or the arguments of `ConsentManager`, each in capitals: ``OPTLY_ORGANISATION``, ``OPTLY_BASE_URL`` and so on.
    - ``OPTLY_MOUNT``: where in the application the pages are. By default the path of `base_url` without
      ``APPLICATION_ROOT``.
    - ``OPTLY_PORTAL``: arguments of `ConsentManager.portal`, by name.
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """
        Add Optly to *app*.

        Raises:
            ConfigurationError: The settings cannot work, or it was added before.
        """
        if _NAME in app.extensions:
            raise ConfigurationError("this application has Optly already")
        state = _state_of(app)
        app.extensions[_NAME] = state
        _mount(app, state)
        app.add_template_global(state.preferences_url, "optly_preferences_url")
        app.add_template_global(state.unsubscribe_url, "optly_unsubscribe_url")
        _add_commands(app)

    @property
    def manager(self) -> ConsentManager:
        """
        The manager of the application that is active.

        Raises:
            ConfigurationError: That application has no Optly.
        """
        return _of_current_app().manager


@attrs.frozen
class _Opened:
    manager: ConsentManager
    portal: Portal
    pages: WSGIApplication


@attrs.define(eq=False)
class AppState:
    """
    What one application has of Optly. Safe to share between threads.

    Attributes:
        mount: Where in the application the pages are.
    """

    mount: str
    _make: Callable[[], ConsentManager]
    _settings: Mapping[str, Any]
    _lock: Lock = attrs.field(factory=Lock, init=False)
    _opened: _Opened | None = attrs.field(default=None, init=False)

    def _open(self) -> _Opened:
        with self._lock:
            if self._opened is None:
                manager = _require_manager(self._make())
                mount_path(manager.pages.path, given=self.mount)
                portal = manager.portal(**self._settings)
                self._opened = _Opened(manager, portal, portal.wsgi())
            return self._opened

    @property
    def manager(self) -> ConsentManager:
        """
        The manager, which is made now if nobody needed it before.
        """
        return self._open().manager

    @property
    def portal(self) -> Portal:
        """
        The pages.
        """
        return self._open().portal

    def pages(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        """
        Serve the pages, as a WSGI application.
        """
        return self._open().pages(environ, start_response)

    def preferences_url(self, contact: Contact, channel: Channel | str = Channel.EMAIL) -> str:
        """
        Make a MyOptly link for a contact, as `ConsentManager.link` does. Each call makes another one.
        """
        return self.manager.link(contact, channel)

    def unsubscribe_url(
        self, contact: Contact, purpose: str | None = None, channel: Channel | str = Channel.EMAIL
    ) -> str:
        """
        Return the address of the page on which a contact stops messages for *purpose*, or for every purpose.
        """
        headers = self.manager.unsubscribe_headers(contact, purpose, channel=channel)
        return headers["List-Unsubscribe"].strip("<>")


# ---- where it is mounted


def _mount(app: Flask, state: AppState) -> None:
    """
    Put the pages below the application, and below a `ProxyFix` that was put there before, so that they too are told
    who sent a request.
    """
    outside: Any = None
    inside: Any = app.wsgi_app
    while isinstance(inside, ProxyFix):
        outside, inside = inside, inside.app
    mounted = DispatcherMiddleware(inside, {state.mount: state.pages})
    if outside is None:
        app.wsgi_app = mounted  # type: ignore[method-assign]
    else:
        outside.app = mounted


# ---- the settings


def _state_of(app: Flask) -> AppState:
    settings = {name: value for name, value in app.config.get_namespace("OPTLY_").items() if value is not None}
    mount, portal = settings.get("mount"), settings.get("portal", {})
    if unknown := portal.keys() - _PORTAL:
        raise ConfigurationError(f"OPTLY_PORTAL holds what no portal is made with: {', '.join(sorted(unknown))}")
    if mount is not None:
        mount = f"/{mount.strip('/')}"
    make, base_path = _maker(app, settings)
    if base_path is None:
        base_path = mount
    if base_path is None:
        manager = _require_manager(make())
        make, base_path = (lambda: manager), manager.pages.path
    return AppState(mount_path(base_path, given=mount, root=app.config["APPLICATION_ROOT"]), make, portal)


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
    listeners = [send_signals(app), *([parts["on_events"]] if "on_events" in parts else [])]

    def tell(contact: Contact, events: Sequence[Event]) -> None:
        for listener in listeners:
            listener(contact, events)

    return (lambda: ConsentManager(**{**parts, "on_events": tell})), Pages(parts["base_url"]).path


def _in_capitals(names: Iterable[str]) -> str:
    return ", ".join(sorted(f"OPTLY_{name.upper()}" for name in names))


def _require_manager(made: object) -> ConsentManager:
    if not isinstance(made, ConsentManager):
        raise ConfigurationError("OPTLY_MANAGER is a ConsentManager, or a function that returns one")
    return made


# ---- what is active


def _of_current_app() -> AppState:
    state = current_app.extensions.get(_NAME)
    if not isinstance(state, AppState):
        raise ConfigurationError("this application has no Optly yet: FlaskOptly(app)")
    return state


def _current_manager() -> ConsentManager:
    return _of_current_app().manager


# The manager of the application that is active.
current_manager: ConsentManager = LocalProxy(_current_manager)  # type: ignore[assignment]


# ---- signals


def send_signals(app: Flask) -> Listener:
    """
    Return what to give a manager as `on_events`, so that the signals of this module are sent by *app*.

    A manager that is made of the parts in ``app.config`` has it already. Receivers are called as ``receiver(app,
    contact=…, event=…)``, with the application active, in the thread that recorded the event.
    """

    def tell(contact: Contact, events: Sequence[Event]) -> None:
        with nullcontext() if _is_active(app) else app.app_context():
            for signal, event in _worth_telling(events):
                signal.send(app, contact=contact, event=event)

    return tell


def _is_active(app: Flask) -> bool:
    return has_app_context() and current_app._get_current_object() is app  # type: ignore[attr-defined]


def _worth_telling(events: Sequence[Event]) -> Iterator[tuple[NamedSignal, Event]]:
    is_new = any(isinstance(event, ContactAdded) for event in events)
    for event in events:
        match event:
            case ConsentGiven() if not event.defects:
                yield consent_given, event
            case ConsentRefused():
                yield consent_refused, event
            case ConsentWithdrawn() | ObjectionRaised():
                yield consent_withdrawn, event
            case DetailsChanged() | LineAdded() | LineRemoved() if not is_new:
                yield contact_details_changed, event


# ---- commands


def _add_commands(app: Flask) -> None:
    try:
        from optly.contrib._flask_commands import commands
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "rich":
            raise
        app.cli.add_command(_without_extra)
    else:
        app.cli.add_command(commands)


@click.command("optly", short_help="Needs optly[cli].", context_settings={"ignore_unknown_options": True})
@click.argument("_", nargs=-1)
def _without_extra(_: tuple[str, ...]) -> None:
    raise click.UsageError("flask optly needs more than the library alone: pip install 'optly[cli]'")
