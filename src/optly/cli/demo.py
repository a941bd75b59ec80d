"""
``optly demo``
"""

from __future__ import annotations

import os
import signal
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import click

from optly.cli._terminal import Terminal
from optly.demo.acme import opened
from optly.demo.inbox import InboxPages
from optly.demo.live import Company, Watch, prove
from optly.demo.play import StepFailedError, play
from optly.demo.web import WebServer


@click.command("demo")
@click.option("--once", is_flag=True, help="Play the person too, check every step, and exit.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the database, its key and the evidence in this directory, which must be empty.",
)
@click.option("--open/--no-open", "show", default=True, help="Open the inbox in a browser, where there is a display.")
def command(once: bool, directory: Path | None, show: bool) -> None:
    """
    Ask someone for consent, from the question to the proof.

    A company asks Ada whether it may write to her. Its email goes to a real mail server on this machine, its link opens
    real pages, and her answers are written to SQLite. Nothing leaves this machine. Press Ctrl-C to end the demo.
    """
    terminal = Terminal()
    with _folder(directory) as folder:
        if once:
            _once(folder, terminal, keep=directory is not None)
        else:
            _with_a_person(folder, terminal, keep=directory is not None, show=show)


@contextmanager
def _folder(directory: Path | None) -> Iterator[Path]:
    if directory is None:
        with TemporaryDirectory(prefix="optly-demo-") as folder:
            yield Path(folder)
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise click.BadParameter("the directory is not empty", param_hint="--directory")
    except OSError as error:
        raise click.BadParameter(f"{directory}: {error.strerror}", param_hint="--directory") from error
    yield directory


def _once(folder: Path, terminal: Terminal, *, keep: bool) -> None:
    start = monotonic()
    with opened(folder) as acme:
        try:
            count = play(acme, terminal, keep=keep)
        except StepFailedError as error:
            terminal.bad(error.step, str(error))
            raise click.exceptions.Exit(1) from error
    terminal.line(f"All {count} steps passed, in {monotonic() - start:.1f} seconds.", style="bold green")


def _with_a_person(folder: Path, terminal: Terminal, *, keep: bool, show: bool) -> None:
    watch = Watch()
    with opened(folder, around=watch.around) as acme, WebServer() as web:
        inbox = InboxPages(acme, origin=web.url, myoptly=acme.manager.link(acme.ada))
        with web.serving(inbox.handle):
            for name, where in {
                "Ada's inbox": f"{web.url}/",
                "MyOptly pages": acme.base_url,
                "Mail server": acme.smtp,
                "Database": str(acme.database),
            }.items():
                terminal.line(f"  {name:<15} {where}")
            watch.acme = acme
            with _ended_by_a_signal(watch):
                terminal.line("Open the inbox in a browser. Ctrl-C ends the demo.", style="bold")
                company = Company(acme, terminal)
                with watch.lock:
                    company.ask()
                if show and _has_display():
                    webbrowser.open(f"{web.url}/")
                company.follow(watch)
            terminal.line()
            if not prove(acme, terminal, keep=keep):
                raise click.exceptions.Exit(1)


@contextmanager
def _ended_by_a_signal(watch: Watch) -> Iterator[None]:
    """
    Have Ctrl-C end the watch, and not what is being done. A second one ends everything at once.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def end(_number: int, _frame: object) -> None:
        restore()
        watch.end()

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        restore()


def _has_display() -> bool:
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
