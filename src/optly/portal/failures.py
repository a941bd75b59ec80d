"""
Logging a failure that should not happen.
"""

from __future__ import annotations

import logging
from typing import Final

RETRY_AFTER: Final = "5"  # seconds

_log = logging.getLogger("optly")


def log_failure(error: Exception) -> None:
    """
    Log what failed and where, without the message and the traceback: either may contain personal data, which could not
    be erased from a log.
    """
    _log.error("a page failed", extra={"error": type(error).__qualname__, "raised_at": _raised_at(error)})


def _raised_at(error: Exception) -> str:
    """
    Return the module and the line that raised an error.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
