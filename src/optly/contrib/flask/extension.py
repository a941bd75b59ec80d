"""
The extension, and its state in each application.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import attrs
import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from werkzeug.local import LocalProxy
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from optly.cli import INSTALL, is_extra_missing
from optly.contacts import Channel, Contact
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
    Gives Flask applications the MyOptly pages, the commands ``flask optly …``, and two helpers for templates.

    One object can serve any number of applications. Each has its own manager, mount and portal, kept in
    ``app.extensions["optly"]``. These settings are read from ``app.config`` at once:

    - ``OPTLY_MANAGER``: a `ConsentManager`, or a function that returns one. The function is called when the manager is
      first needed; without ``OPTLY_MOUNT`` that is at once.
    - Or the arguments of `ConsentManager`, in capitals: ``OPTLY_ORGANISATION``, ``OPTLY_BASE_URL`` and so on.
    - ``OPTLY_MOUNT``: the path of the pages in the application. By default the path of `base_url` without
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
            ConfigurationError: The settings cannot work, or the application has Optly already.
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
        The manager of the current application.

        Raises:
            ConfigurationError: That application does not have Optly.
        """
        return _current_state().manager


@attrs.frozen
class _Opened:
    manager: ConsentManager
    portal: Portal
    pages: WSGIApplication


@attrs.define(eq=False)
class AppState:
    """
    The manager and pages of one application. Safe to share between threads.

    Attributes:
        mount: The path of the pages in the application.
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
        The manager, made now if it has not been needed before.
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

    def preferences_url(
        self, contact: Contact, channel: Channel | str = Channel.EMAIL, *, line: int | None = None
    ) -> str:
        """
        Make a MyOptly link for a contact, like `ConsentManager.link`. Each call makes a new one.
        """
        return self.manager.link(contact, channel, line=line)

    def unsubscribe_url(
        self,
        contact: Contact,
        purpose: str | None = None,
        channel: Channel | str = Channel.EMAIL,
        *,
        line: int | None = None,
    ) -> str:
        """
        Return the URL of the page where a contact stops messages for *purpose*, or for every purpose.
        """
        headers = self.manager.unsubscribe_headers(contact, purpose, channel=channel, line=line)
        return headers["List-Unsubscribe"].strip("<>")


def _mount(app: Flask, state: AppState) -> None:
    """
    Mount the pages around the application but inside any `ProxyFix`, so that they too see who sent a request.
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


def _current_state() -> AppState:
    state = current_app.extensions.get(_NAME)
    if not isinstance(state, AppState):
        raise ConfigurationError("this application has no Optly yet: FlaskOptly(app)")
    return state


def _current_manager() -> ConsentManager:
    return _current_state().manager


# The manager of the current application.
current_manager: ConsentManager = LocalProxy(_current_manager)  # type: ignore[assignment]


def _add_commands(app: Flask) -> None:
    try:
        from optly.cli._host import HostCommands
    except ModuleNotFoundError as missing:
        if not is_extra_missing(missing):
            raise
        app.cli.add_command(_without_extra)
    else:
        app.cli.add_command(HostCommands(manager=with_appcontext(_current_manager), program="flask optly"))


@click.command("optly", short_help="Needs optly[cli].", context_settings={"ignore_unknown_options": True})
@click.argument("_", nargs=-1)
def _without_extra(_: tuple[str, ...]) -> None:
    raise click.UsageError(f"flask optly {INSTALL}")
