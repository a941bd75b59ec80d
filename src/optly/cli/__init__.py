"""
The `optly` command. It needs the extra ``cli`` and says so when that is missing.

May import `demo`, `worker`, `manager`, `backends`, `registers` and what they may import, but not `testing`.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Final

_EXTRA: Final = frozenset({"aiosmtpd", "click", "rich"})
INSTALL: Final = "needs more than the library alone: pip install 'optly[cli]'"


def main() -> None:
    """
    Run the command with the arguments of this process, and exit.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by what runs the command, such as a timer
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without some character is no reason to fail
    try:
        from optly.cli._commands import optly

        optly(prog_name="optly")
    except ModuleNotFoundError as error:
        if not is_extra_missing(error):
            raise
        sys.exit(f"The optly command {INSTALL}")


def is_extra_missing(error: ModuleNotFoundError) -> bool:
    """
    Return whether the missing module is one that the extra ``cli`` installs.
    """
    return (error.name or "").partition(".")[0] in _EXTRA
