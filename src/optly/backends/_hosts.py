"""
Where something may be said that nobody else is to hear.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)


def is_this_machine(host: str) -> bool:
    """
    Tell whether *host* names the machine that asks. No name is looked up.
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_private(url: str, *, path: bool = False) -> bool:
    """
    Tell whether *url* is ``https://host``, or ``http://host`` on this very machine, and no more than that.

    Args:
        path: Whether one may follow.
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
