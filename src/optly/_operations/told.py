"""
What a line was told lately: at most one receipt and one notice of a stop in an hour about the same choice.

Whoever holds a link can press its buttons as often as they like, and so would fill the mailbox it was sent to. The
first message goes out at once; of those that follow within the hour, the last, and only then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from optly._operations.application import Application
from optly._operations.payload import PayloadKind
from optly._operations.queued import QueuedMessage
from optly.keys import sha256
from optly.protocols import StoredCode
from optly.record.events import Choice

_WITHIN: Final = timedelta(hours=1)
_TELLS: Final = frozenset({PayloadKind.RECEIPT, PayloadKind.STOPPED})


async def wait_until(
    app: Application, message: QueuedMessage, choices: Sequence[Choice], now: datetime
) -> datetime | None:
    """
    Return until when a message waits, because another told the same line about one of its choices within the hour; None
    if it is sent now, which is then remembered.
    """
    if message.payload.kind not in _TELLS:
        return None
    keys = [_key(app, message, choice) for choice in choices]
    told = [row.value for key in keys if (row := await app.storage.code(key, now)) is not None]
    others = [at for by, at in map(_read, told) if by != message.row.message]
    if others:
        return max(others) + _WITHIN
    # Under the message and not the contact, so that it is no link of theirs. It holds nothing personal.
    value, until = message.row.message + now.isoformat().encode(), now + _WITHIN - timedelta.resolution
    await app.storage.put_codes(
        [StoredCode(key=key, subject=message.row.message, value=value, expires_at=until) for key in keys]
    )
    return None


def _key(app: Application, message: QueuedMessage, choice: Choice) -> bytes:
    payload = message.payload
    about = f"{choice.channel}\0{choice.purpose}\0{choice.line}"
    place = f"{app.settings.organisation.key}\0{message.contact.id}\0{payload.line}"
    return sha256(f"told\0{payload.kind}\0{place}\0{about}")


def _read(value: bytes) -> tuple[bytes, datetime]:
    return value[:16], datetime.fromisoformat(value[16:].decode())
