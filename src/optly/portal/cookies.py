"""
The cookie that holds the code of a session, and the secret in the forms of that session. Pure.

No cookie is set before a person asks for a one-time code, so anyone who only answers or stops needs none.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from optly.links import Pages, is_session_code, lasting
from optly.protocols.http import Request

# Lax, not Strict: with Strict, a browser would not send it when someone comes from their webmail.
_ATTRIBUTES: Final = "Path=/; HttpOnly; SameSite=Lax"


def _is_secure(pages: Pages) -> bool:
    return pages.origin.startswith("https:")


def cookie_name(pages: Pages) -> str:
    """
    Return the name of the cookie, which differs for each place on a host where pages are mounted.

    Over plain http, which is for trying things out on your own machine, it lacks the prefix for which browsers require
    https.
    """
    place = hashlib.sha256(pages.path.encode()).hexdigest()[:8]
    return f"__Host-optly-{place}" if _is_secure(pages) else f"optly-{place}"


def _secure(pages: Pages) -> str:
    return "; Secure" if _is_secure(pages) else ""


def keeping(pages: Pages, session: str) -> tuple[str, str]:
    """
    Return the header that makes a browser keep the code of a session until it is closed.
    """
    return "set-cookie", f"{cookie_name(pages)}={session}; {_ATTRIBUTES}{_secure(pages)}"


def dropping(pages: Pages) -> tuple[str, str]:
    """
    Return the header that makes a browser delete the cookie.
    """
    return "set-cookie", f"{cookie_name(pages)}=; Max-Age=0; {_ATTRIBUTES}{_secure(pages)}"


def session_in(request: Request, pages: Pages) -> str:
    """
    Return the code of the session in the cookie; empty if there is none.
    """
    name = cookie_name(pages)
    for header in request.values("cookie"):
        for pair in header.split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name and is_session_code(value):
                return value
    return ""


def csrf_of(session: str) -> str:
    """
    Return the secret in the forms of a session. It is derived from the part of its code that lasts when another tab
    renews it, and does not reveal that.
    """
    return hashlib.sha256(b"optly.csrf.v1|" + lasting(session).encode()).hexdigest()


def is_csrf_of(session: str, sent: tuple[str, ...]) -> bool:
    """
    Return whether a form holds the secret of the session, in constant time.
    """
    return len(sent) == 1 and hmac.compare_digest(csrf_of(session).encode(), sent[0].encode())
