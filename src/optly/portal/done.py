"""
What a person has just done on a page, carried in the address that the browser is then sent to. Pure.

A form is answered with a redirect to a page that says what was done, so that page has an address: it can be loaded
again, read in another language and left with Back, and nothing is done twice. The page is made of what is on record.
What is not on record, such as that this very press was the one, is signed in the address. Nothing is kept for it on the
server, and it names nobody: without the code beside it, or a day later, the address is that of the page itself.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from itsdangerous import Signer

PARAMETER: Final = "done"
LIFE: Final = timedelta(days=1)

_SEPARATOR: Final = "~"  # in no detail, and left as it is in an address


class Act(StrEnum):
    """
    What was done.
    """

    SAVED = "saved"
    UNCHANGED = "unchanged"
    STOPPED = "stopped"
    UNDONE = "undone"
    SENT = "sent"
    CHANGED = "changed"
    STAYED = "stayed"
    FINISHED = "finished"


@attrs.frozen
class Done:
    """
    One act, when it was done, and what the page cannot find out by itself.
    """

    act: Act
    at: datetime
    details: tuple[str, ...] = ()


@attrs.frozen
class Signatures:
    """
    Signs what was done, and reads it again.
    """

    _secret: bytes = attrs.field(repr=False)

    def sign(self, done: Done, place: str) -> str:
        """
        Return what stands in the address.

        Args:
            place: What the page belongs to: the code of a link, a stop token. It is good for no other.
        """
        parts = (done.act.value, str(int(done.at.timestamp())), *done.details)
        return self._signer(place).sign(_SEPARATOR.join(parts)).decode()

    def read(self, signed: str, place: str, *, now: datetime) -> Done | None:
        """
        Return what was done; None if it was altered, belongs to another place, or is older than a day.
        """
        from itsdangerous import BadSignature

        try:
            act, at, *details = self._signer(place).unsign(signed.encode()).decode().split(_SEPARATOR)
        except (BadSignature, UnicodeError):
            return None
        done = Done(Act(act), datetime.fromtimestamp(int(at), UTC), tuple(details))
        return done if now <= done.at + LIFE else None

    def _signer(self, place: str) -> Signer:
        from itsdangerous import Signer

        salt = f"optly.done.v1|{place}".encode(errors="replace")
        return Signer(self._secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)
