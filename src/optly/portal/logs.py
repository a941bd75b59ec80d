"""
Keeping links out of logs. A server writes down the path of every request, and here the path is the secret.
"""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Mapping
from typing import Any, Final

# A stroke is also known where it is escaped: a raw request line may have it so, and a path within a query has.
_STROKE: Final = r"(?:/|%2[fF])"
_LINK = re.compile(rf"({_STROKE}[lu]{_STROKE})(?:(?!%2[fF]|%3[fF])[^/\s?#\"'&<>])+")


def redact_links(text: str) -> str:
    """
    Return *text* with every code and every token in it blotted out: ``/l/[redacted]``.
    """
    return _LINK.sub(r"\1[redacted]", text)


class RedactLinks(logging.Filter):
    """
    Takes the links out of a server's access log.

    Put it on the logger or the handler that writes the log::

        logging.getLogger("uvicorn.access").addFilter(RedactLinks())
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """
        Redact the message and its arguments in place, in the shape they have, and let the record pass.
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
    Return a value as it is, or, if it is written with a link in it, how it is written without.
    """
    if value is None or isinstance(value, int | float):
        return value
    try:
        text = str(value)
    except Exception:  # what cannot be written is the business of whoever writes the log
        return value
    without = redact_links(text)
    return value if without == text else without
