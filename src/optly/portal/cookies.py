"""
The cookie that holds the code of a session, and the secret that the forms of that session hold. Pure.

Nothing sets a cookie before a person asks for a one-time code, so that whoever only answers or stops needs none.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from optly.links import Pages, is_session_code
from optly.protocols.http import Request

# With Lax and not Strict: with Strict, a browser would leave it out when somebody comes from their webmail.
_ATTRIBUTES: Final = "Path=/; HttpOnly; SameSite=Lax"


def _is_secure(pages: Pages) -> bool:
    return pages.origin.startswith("https:")


def cookie_name(pages: Pages) -> str:
    """
    Return its name: another for each place the pages are mounted at on one host.

    Over plain http, which is for trying things out on one's own machine, it lacks the prefix that browsers hold to
    https.
    """
    place = hashlib.sha256(pages.path.encode()).hexdigest()[:8]
    return f"__Host-optly-{place}" if _is_secure(pages) else f"optly-{place}"


def _secure(pages: Pages) -> str:
    return "; Secure" if _is_secure(pages) else ""


def keeping(pages: Pages, session: str) -> tuple[str, str]:
    """
    Return the header that has a browser keep the code of a session until it is closed.
    """
    return "set-cookie", f"{cookie_name(pages)}={session}; {_ATTRIBUTES}{_secure(pages)}"


def dropping(pages: Pages) -> tuple[str, str]:
    """
    Return the header that has a browser drop it.
    """
    return "set-cookie", f"{cookie_name(pages)}=; Max-Age=0; {_ATTRIBUTES}{_secure(pages)}"


def session_in(request: Request, pages: Pages) -> str:
    """
    Return the code of the session a browser is in; empty for none.
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
    Return the secret that the forms of a session hold: made of its code, which it does not tell.
    """
    return hashlib.sha256(b"optly.csrf.v1|" + session.encode()).hexdigest()


def is_csrf_of(session: str, sent: tuple[str, ...]) -> bool:
    """
    Whether a form holds the secret of the session, in the same time whatever it holds.
    """
    return len(sent) == 1 and hmac.compare_digest(csrf_of(session).encode(), sent[0].encode())
