# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
``manage.py optly …``: the commands that work with a manager, run with the manager of the site.
"""

from __future__ import annotations

import os
import sys
from argparse import SUPPRESS
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections

from optly.cli import INSTALL, is_extra_missing
from optly.contrib.django import get_manager


class Command(BaseCommand):
    """
    Passes everything but Django's own options to the commands of ``optly``.
    """

    help = "Ask for consent to marketing, record it as evidence, and act on it."
    # Only the command itself knows its exit codes: a mail system bounces an email for any code but 75 of receive-mail.
    requires_system_checks: Any = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        parser = super().create_parser(prog_name, subcommand, add_help=False, allow_abbrev=False, **kwargs)
        parser.parse_args = partial(_parse_args, parser)
        return parser

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--skip-checks", action="store_true", help=SUPPRESS)  # as they always are

    def print_help(self, prog_name: str, subcommand: str) -> None:
        self.run_from_argv([prog_name, subcommand, "--help"])

    def handle(self, *args: str, **options: Any) -> None:
        try:
            import click

            from optly.cli._host import HostCommands
        except ModuleNotFoundError as missing:
            if not is_extra_missing(missing):
                raise
            raise CommandError(f"manage.py optly {INSTALL}", returncode=2) from None
        commands = HostCommands(manager=get_manager, program="manage.py optly", after_batch=close_old_connections)
        with ExitStack() as stack:
            for name, wanted in [("NO_COLOR", options["no_color"]), ("FORCE_COLOR", options["force_color"])]:
                if wanted and name not in os.environ:
                    os.environ[name] = "1"
                    stack.callback(os.environ.pop, name, None)
            # The streams that `call_command` was given.
            stack.enter_context(redirect_stdout(options.get("stdout") or sys.stdout))
            stack.enter_context(redirect_stderr(options.get("stderr") or sys.stderr))
            try:
                code = commands.main(
                    args=list(args) or ["--help"],
                    prog_name="manage.py optly",
                    standalone_mode=False,
                    default_map=None if options["verbosity"] else {name: {"quiet": True} for name in commands.names},
                )
            except click.ClickException as error:
                raise CommandError(error.format_message(), returncode=error.exit_code) from error
            except click.Abort:
                raise CommandError("interrupted") from None
        if code:
            sys.exit(code)


def _parse_args(parser: Any, args: Any = None, namespace: Any = None) -> Any:
    """
    Parse Django's own options, wherever they are, and keep the rest in order for the command.
    """
    options, rest = parser.parse_known_args(args, namespace)
    options.args = rest
    return options
