"""
What is logged: failures without personal data, and no links. A server logs the path of every request, and here the
path is the secret.
"""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Mapping
from typing import Any, Final

RETRY_AFTER: Final = "5"  # seconds

_log = logging.getLogger("optly")

# A slash may also be escaped: in a raw request line it can be, and in a path within a query it is.
_SLASH: Final = r"(?:/|%2[fF])"
_LINK = re.compile(rf"({_SLASH}[luLU]{_SLASH})(?:(?!%2[fF]|%3[fF])[^/\s?#\"'&<>])+")


def redact_links(text: str) -> str:
    """
    Return *text* with every code and every token in it replaced: ``/l/[redacted]``.
    """
    return _LINK.sub(r"\1[redacted]", text)


class RedactLinks(logging.Filter):
    """
    Removes links from a server's access log.

    Add it to the logger or the handler that writes the log::

        logging.getLogger("uvicorn.access").addFilter(RedactLinks())
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """
        Redact the message and its arguments in place, keep their types, and let the record pass.
        """
        record.msg = _redacted(record.msg)
        if isinstance(record.args, Mapping):
            args = copy.copy(record.args)
            args.update({name: _redacted(value) for name, value in args.items()})  # type: ignore[attr-defined]
            record.args = args
        elif record.args is not None:
            record.args = tuple(_redacted(value) for value in record.args)
        return True


def _redacted(value: Any) -> Any:
    """
    Return a value as it is or, if its text contains a link, that text without the link.
    """
    if value is None or isinstance(value, int | float):
        return value
    try:
        text = str(value)
    except Exception:  # it will fail again when the log is written, where it belongs
        return value
    without = redact_links(text)
    return value if without == text else without


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
