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

EX_TEMPFAIL: Final = 75  # sysexits.h: the mail system keeps the email and tries again
_MOST: Final = 1024 * 1024  # bytes of an email that are read


class _RetryOnError(click.Command):
    """
    Exits with 75 on any error. With another code the mail system bounces the email, and a stop request in it is lost.
    """

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        try:
            return super().make_context(*args, **settings)
        except click.ClickException as error:
            raise _retry(error.format_message()) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except click.ClickException as error:
            raise _retry(error.format_message()) from error
        except OptlyError as error:
            raise _retry(str(error)) from error
        except KeyboardInterrupt:
            raise _retry("interrupted") from None
        except Exception as error:  # Its text may hold an address, and a mail system shows it to the sender.
            raise _retry(f"the email cannot be processed now: {type(error).__name__}") from None


def _retry(why: str) -> click.exceptions.Exit:
    click.echo(f"Error: {plain(why)}", err=True)
    return click.exceptions.Exit(EX_TEMPFAIL)


@click.command("receive-mail", cls=_RetryOnError)
@click.option("--recipient", default="", metavar="ADDRESS", help="The address it was sent to, if no header says so.")
@with_manager
def command(manager: ConsentManager, *, recipient: str) -> None:
    """
    Read one email from standard input: a bounce, a spam report or a reply.

    For a mail system that runs a program for each email. Prints one line with the outcome, without personal data.
    Receiving an email twice changes nothing. The exit code is 0 if the email was recorded or has nothing to record, and
    75 on any error, so that the mail system keeps the email and tries again.

    \b
    Examples:
      optly receive-mail --app acme.consent:manager < mail.eml
      bounces: "|optly receive-mail --app acme.consent:manager"    in Postfix's aliases
    """
    raw = _beginning(sys.stdin.buffer)
    events = read(raw, now=manager.clock(), return_path=_return_path(manager), recipient=recipient)
    click.echo(_summary(manager.receive(event).effect for event in events))


def _beginning(mail: IO[bytes]) -> bytes:
    """
    Return the part of an email that is used. The rest is read too, because a mail system may treat a closed pipe as a
    failure.
    """
    raw = mail.read(_MOST)
    while mail.read(_MOST):
        pass
    return raw


def _summary(effects: Iterable[Effect]) -> str:
    counted = Counter(effects)
    outcomes = ", ".join(f"{number} {effect}" for effect, number in counted.items())
    return f"{count(counted.total(), 'event')}{': ' if outcomes else ''}{outcomes}"


def _return_path(manager: ConsentManager) -> ReturnPath | None:
    """
    Return the return path of the manager's email backend, if it gives each message one of its own.
    """
    paths = (getattr(backend, "return_path", None) for backend in manager.backends)
    return next((path for path in paths if isinstance(path, ReturnPath)), None)
