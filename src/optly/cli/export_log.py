"""
``optly export-log``
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from optly.cli._app import with_manager
from optly.cli._terminal import Terminal, progress_bar
from optly.manager import ConsentManager
from optly.results import LogFile


@click.command("export-log")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@with_manager
def command(manager: ConsentManager, *, directory: Path) -> None:
    """
    Write the signed log as files, for others to read and watch. They name nobody.

    DIRECTORY is what a web server may serve: a checkpoint, and the tiles and entries it covers, as C2SP tlog-tiles
    describes them. If it has a checkpoint, only what is new since then is written.

    \b
    Examples:
      optly export-log public/log --app acme.consent:manager
    """
    head = None
    try:
        with progress_bar() as shown:
            task = shown.add_task("Writing the log", total=None)
            for head in manager.log_files(since=_checkpoint(directory)):
                _write(directory, head)
                shown.update(task, completed=head.done, total=head.size)
    except OSError as error:
        raise click.BadParameter(f"{directory} cannot be written: {error.strerror}", param_hint="DIRECTORY") from error
    terminal = Terminal()
    if head is None:
        terminal.note("no log", "Nothing was sealed yet.")
    else:
        terminal.good("written", f"{directory}: the log with its entries 1 to {head.size:,}.")


def _checkpoint(directory: Path) -> str | None:
    try:
        return (directory / "checkpoint").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _write(directory: Path, file: LogFile) -> None:
    """
    Write a file in one step, durably, because the checkpoint that comes last says that it is there.
    """
    path = directory / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as opened:
        opened.write(file.data)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(path)
    if not path.parent.name.endswith(".p"):  # it is full: nobody needs it as it was before
        shutil.rmtree(path.with_name(f"{path.name}.p"), ignore_errors=True)
