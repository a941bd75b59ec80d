"""
``optly receive-mail``
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from typing import IO, Any, Final

import click

from optly.backends.mail import read
from optly.backends.verp import ReturnPath
from optly.cli._app import with_manager
from optly.cli._terminal import plain
from optly.cli._words import count
from optly.errors import OptlyError
from optly.manager import ConsentManager
from optly.results import Effect

EX_TEMPFAIL: Final = 75  # sysexits.h: the mail system keeps the mail and tries again
_MOST: Final = 1024 * 1024  # bytes; nothing of a mail is looked at after these


class _Patient(click.Command):
    """
    Ends with 75 whatever is wrong. With any other code the mail system sends the mail back, and a stop in it is lost.
    """

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        try:
            return super().make_context(*args, **settings)
        except click.ClickException as error:
            raise _later(error.format_message()) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except click.ClickException as error:
            raise _later(error.format_message()) from error
        except OptlyError as error:
            raise _later(str(error)) from error
        except Exception as error:  # Its text may hold an address, and a mail system shows it to whoever wrote.
            raise _later(f"the mail cannot be taken now: {type(error).__name__}") from None


def _later(why: str) -> click.exceptions.Exit:
    click.echo(f"Error: {plain(why)}", err=True)
    return click.exceptions.Exit(EX_TEMPFAIL)


@click.command("receive-mail", cls=_Patient)
@click.option("--recipient", default="", metavar="ADDRESS", help="The address it came to, if no header says so.")
@with_manager
def command(manager: ConsentManager, *, recipient: str) -> None:
    """
    Take one mail from standard input: a bounce, a complaint, a reply.

    For a mail system that runs a program for each mail. One line tells what came of it, and nothing about anybody. A
    mail that comes twice changes nothing. The exit code is 0 when what it says is on record, or when it says nothing;
    and 75 whatever is wrong, so that the mail is kept and comes again.

    \b
    Examples:
      optly receive-mail --app acme.consent:manager < mail.eml
      bounces: "|optly receive-mail --app acme.consent:manager"    in Postfix's aliases
    """
    raw = _beginning(sys.stdin.buffer)
    events = read(raw, now=manager.clock(), return_path=_return_path(manager), recipient=recipient)
    click.echo(_told(manager.receive(event).effect for event in events))


def _beginning(mail: IO[bytes]) -> bytes:
    """
    Return as much of a mail as is looked at. The rest is read too: a mail system may take a pipe that is closed on it
    for a failure.
    """
    raw = mail.read(_MOST)
    while mail.read(_MOST):
        pass
    return raw


def _told(effects: Iterable[Effect]) -> str:
    counted = Counter(effects)
    led_to = ", ".join(f"{number} {effect}" for effect, number in counted.items())
    return f"{count(counted.total(), 'event')}{': ' if led_to else ''}{led_to}"


def _return_path(manager: ConsentManager) -> ReturnPath | None:
    """
    Return what the manager's messages are sent with, if their backend gives each a return path of its own.
    """
    paths = (getattr(backend, "return_path", None) for backend in manager.backends)
    return next((path for path in paths if isinstance(path, ReturnPath)), None)
