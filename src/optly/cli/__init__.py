"""
The `optly` command. Needs the extra ``cli``, and says so where it is missing.
"""

from __future__ import annotations

import io
import sys
from typing import Final

_EXTRA: Final = frozenset({"aiosmtpd", "click", "rich"})


def main() -> None:
    """
    Run the command on the arguments of this process, and exit.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a sign that a terminal does not have is no reason to end
    try:
        from optly.cli._commands import optly

        optly(prog_name="optly")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.exit("The optly command needs more than the library alone: pip install 'optly[cli]'")
