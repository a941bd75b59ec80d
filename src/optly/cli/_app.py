"""
Finding the host's own manager, as a web server finds an application.
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


def with_manager(command: Callable[..., None]) -> Callable[..., None]:
    """
    Give *command* the option ``--app``, and call it with the manager that this names. The manager is closed in the end.
    """

    @click.option(
        "--app",
        metavar="MODULE:ATTRIBUTE",
        envvar="OPTLY_APP",
        show_envvar=True,
        required=True,
        help="Where the application has its ConsentManager, or a function that returns one.",
    )
    @wraps(command)
    def with_it(app: str, **told: Any) -> None:
        with load(app) as manager:
            if not logging.getLogger("optly").hasHandlers():
                logging.getLogger("optly").addHandler(_Aside(logging.WARNING))
            command(manager, **told)

    return with_it


def load(app: str) -> ConsentManager:
    """
    Return the manager that *app* names, ``module:attribute``. The current directory can be imported from.

    What the application prints while it starts goes to standard error, so that an answer stands alone.

    Raises:
        click.BadParameter: There is none.
        OptlyError: The application makes one that cannot work.
    """
    module, _, attribute = app.partition(":")
    if not module or not attribute:
        raise _unusable("write MODULE:ATTRIBUTE, such as acme.consent:manager")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    with redirect_stdout(sys.stderr), _telling_where():
        found = _imported(module)
        for name in attribute.split("."):
            if not hasattr(found, name):
                raise _unusable(f"there is no {attribute} in {module}")
            found = getattr(found, name)
        if callable(found):
            found = found()
    if not isinstance(found, ConsentManager):
        raise _unusable(f"{app} is no ConsentManager and no function that returns one")
    return found


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise
        raise _unusable(f"there is no module {error.name} to be imported from here") from None


@contextmanager
def _telling_where() -> Iterator[None]:
    """
    Turn whatever the application raises into wrong usage. It may hold secrets, so that only where it was is told.
    """
    try:
        yield
    except RegisterError as error:  # exit code 1 would look like a no
        raise _unusable(str(error)) from error
    except (OptlyError, click.ClickException):
        raise
    except (Exception, SystemExit) as error:  # an exit with 0 would look like a yes
        here = [frame for frame in extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(Path.cwd())]
        where = f" in line {here[-1].lineno} of {Path(here[-1].filename).name}" if here else ""
        raise _unusable(
            f"the application raised {type(error).__name__}{where}; import it by itself to see the whole of it"
        ) from error


def _unusable(why: str) -> click.BadParameter:
    return click.BadParameter(why, param_hint="--app")


class _Aside(logging.Handler):
    """
    Says on standard error what the library warns of, with its reason, where the application keeps no log.
    """

    def emit(self, record: logging.LogRecord) -> None:
        reason = getattr(record, "error", "")
        click.echo(plain(f"{record.getMessage()}: {reason}" if reason else record.getMessage()), err=True)
