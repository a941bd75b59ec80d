"""
Snapshots: the standing of a contact at one version, as the store keeps it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from optly.record.standing import Standing

# The prefix of every snapshot. Raise it when `evolve` changes what it makes of an event: older snapshots are rebuilt.
_VERSION: Final = b"4"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Standing).decode


def dump_standing(standing: Standing) -> bytes:
    """
    Encode a standing.
    """
    return _VERSION + _encode(standing)


@lru_cache(maxsize=4096)
def load_standing(snapshot: bytes) -> Standing | None:
    """
    Decode a snapshot. None if it is damaged or from another version; the caller then replays the events.
    """
    if not snapshot.startswith(_VERSION):
        return None
    try:
        return _decode(snapshot[len(_VERSION) :])
    except msgspec.DecodeError:
        return None
