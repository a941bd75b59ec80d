"""
Find the application's own manager, as a web server finds an application.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import wraps
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import Any

import click

from optly.cli._terminal import plain
from optly.errors import OptlyError, RegisterError
from optly.manager import ConsentManager

_log = logging.getLogger("optly")


def app_option(*, required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Return what gives a command the option ``--app``.
    """
    return click.option(
        "--app",
        metavar="MODULE:ATTRIBUTE",
        envvar="OPTLY_APP",
        show_envvar=True,
        required=required,
        help="The application's ConsentManager, or a function that returns one.",
    )


def with_manager(command: Callable[..., None]) -> Callable[..., None]:
    """
    Give *command* the option ``--app``, and call it with the manager named there. The manager is closed afterwards.
    """

    @app_option(required=True)
    @wraps(command)
    def call(app: str, **options: Any) -> None:
        with load(app) as manager:
            if not _log.hasHandlers():
                _log.addHandler(_ToStandardError(logging.WARNING))
            command(manager, **options)

    return call


def load(app: str) -> ConsentManager:
    """
    Return the manager that *app* names, ``module:attribute``. Modules in the current directory can be imported.

    What the application prints while it starts goes to standard error, so standard output holds only the answer.

    Raises:
        click.BadParameter: No manager was found.
        OptlyError: The application creates a manager that cannot work.
    """
    module, _, attribute = app.partition(":")
    if not module or not attribute:
        raise _unusable("enter MODULE:ATTRIBUTE, such as acme.consent:manager")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    with redirect_stdout(sys.stderr), _hiding_exceptions():
        found = _import(module)
        for name in attribute.split("."):
            if not hasattr(found, name):
                raise _unusable(f"module {module} has no {attribute}")
            found = getattr(found, name)
        if callable(found):
            found = found()
    if not isinstance(found, ConsentManager):
        raise _unusable(f"{app} is not a ConsentManager or a function that returns one")
    return found


def _import(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise
        raise _unusable(f"no module named {error.name} can be imported from here") from None


@contextmanager
def _hiding_exceptions() -> Iterator[None]:
    """
    Report any exception of the application as wrong usage. Its text may hold secrets, so only its place is shown.
    """
    try:
        yield
    except RegisterError as error:  # exit code 1 would look like a "no"
        raise _unusable(str(error)) from error
    except (OptlyError, click.ClickException):
        raise
    except (Exception, SystemExit) as error:  # exit code 0 would look like a "yes"
        here = [frame for frame in extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(Path.cwd())]
        where = f" in line {here[-1].lineno} of {Path(here[-1].filename).name}" if here else ""
        raise _unusable(
            f"the application raised {type(error).__name__}{where}; import it on its own to see the full error"
        ) from error


def _unusable(why: str) -> click.BadParameter:
    return click.BadParameter(why, param_hint="--app")


class _ToStandardError(logging.Handler):
    """
    Prints the library's warnings and their reasons on standard error, for an application without logging.
    """

    def emit(self, record: logging.LogRecord) -> None:
        reason = getattr(record, "error", "")
        click.echo(plain(f"{record.getMessage()}: {reason}" if reason else record.getMessage()), err=True)
