"""
The extension, and what it keeps of each application.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import attrs
import click
from flask import Flask, current_app
from werkzeug.local import LocalProxy
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from optly.contacts.addresses import Channel
from optly.contacts.parties import Contact
from optly.contrib._mounting import mount_path
from optly.contrib.flask.settings import read_config, require_manager
from optly.errors import ConfigurationError
from optly.manager import ConsentManager
from optly.portal import Portal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_NAME: Final = "optly"


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
        state = AppState(*read_config(app))
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
                manager = require_manager(self._make())
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


def _of_current_app() -> AppState:
    state = current_app.extensions.get(_NAME)
    if not isinstance(state, AppState):
        raise ConfigurationError("this application has no Optly yet: FlaskOptly(app)")
    return state


def _current_manager() -> ConsentManager:
    return _of_current_app().manager


# The manager of the application that is active.
current_manager: ConsentManager = LocalProxy(_current_manager)  # type: ignore[assignment]


def _add_commands(app: Flask) -> None:
    try:
        from optly.contrib.flask.commands import commands
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
