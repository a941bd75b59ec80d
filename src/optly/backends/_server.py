"""
The mail server to use, and how the connection to it is encrypted.
"""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import unquote, urlsplit

import attrs

from optly.errors import ConfigurationError
from optly.links import is_this_machine

_PORTS = {"smtp": 587, "smtps": 465}


class TLS(StrEnum):
    """
    How a connection to a mail server is encrypted.

    There is no "if the server offers it": anyone in between could remove the offer.
    """

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"


@attrs.frozen(kw_only=True)
class Server:
    """
    A mail server, from its URL.
    """

    host: str
    port: int
    tls: TLS
    user: str | None = attrs.field(default=None, repr=False)
    password: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str, *, user: str | None = None, password: str | None = None, tls: TLS | None = None) -> Server:
        """
        Parse ``smtp://user:password@host:port`` or ``smtps://…``, with user and password percent-encoded.

        Args:
            user, password: Replace those in the URL.
            tls: By default ``smtps`` means `TLS.IMPLICIT` and ``smtp`` means `TLS.STARTTLS`, or `TLS.NONE` to this
                machine.

        Raises:
            ConfigurationError: It is not such a URL, or a password would cross the network unencrypted. The URL is not
                repeated, because it may contain a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ConfigurationError("the URL of the mail server cannot be read; is its password encoded?") from None
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
            raise ConfigurationError("the URL of a mail server is smtp://host:port or smtps://host:port")
        user = user if user is not None else _decoded(parts.username)
        password = password if password is not None else _decoded(parts.password)
        if (user is None) is not (password is None):
            raise ConfigurationError("a mail server needs both a user and a password, or neither")
        # smtplib encodes both in ASCII and would fail in the middle of a conversation.
        if not all(text is None or (text.isascii() and text.isprintable()) for text in (user, password)):
            raise ConfigurationError("the user and the password of a mail server must be printable ASCII")
        local = is_this_machine(parts.hostname)
        implicit = parts.scheme == "smtps"
        tls = tls or (TLS.IMPLICIT if implicit else TLS.NONE if local else TLS.STARTTLS)
        if implicit is not (tls is TLS.IMPLICIT):
            raise ConfigurationError("smtps:// is TLS.IMPLICIT, smtp:// is TLS.STARTTLS or TLS.NONE")
        if user is not None and tls is TLS.NONE and not local:
            raise ConfigurationError("a password must not cross a network unencrypted: leave TLS.NONE out")
        return cls(host=parts.hostname, port=port or _PORTS[parts.scheme], tls=tls, user=user, password=password)


def _decoded(text: str | None) -> str | None:
    return None if text is None else unquote(text)
