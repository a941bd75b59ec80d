"""
Which URLs keep what is sent to them private.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from optly.links import is_this_machine

_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)


def is_private(url: str, *, path: bool = False) -> bool:
    """
    Return whether *url* is ``https://host``, or ``http://host`` on this machine, and nothing more.

    Args:
        path: Whether a path may follow.
    """
    try:
        parts = urlsplit(url)
        whole = f"{parts.scheme}://{parts.netloc}{parts.path if path else ''}"
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    encrypted = parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(host))
    plain = url == whole and _PRINTABLE.fullmatch(url) is not None
    return encrypted and plain and host != "" and port != 0 and "@" not in parts.netloc
