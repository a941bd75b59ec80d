"""
Checkpoints: signed heads of the log, as C2SP signed notes. Pure.

Anyone who keeps one can later show that nothing before it was altered, removed, reordered or cut off.

Source: C2SP tlog-checkpoint, signed-note and tlog-proof (read 2026-11-29).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

import attrs

from optly.keys import Keys

LONGEST_ORIGIN: Final = 255
_LONGEST_NOTE: Final = 100_000
_RANDOM: Final = 8

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_PROOF: Final = re.compile(r"c2sp\.org/tlog-proof@v1\nindex (0|[1-9][0-9]{0,18})\n((?:[^\n]+\n)*)\n(.+)", re.DOTALL)


@attrs.frozen(kw_only=True)
class Checkpoint:
    """
    A signed head of the log, as a C2SP signed note.

    Attributes:
        origin: The name of the log.
        size: How many leaves it has.
        root: Their Merkle root, 32 bytes.
        note: The whole note as text: send it to someone outside who can hold you to it.
    """

    origin: str
    size: int
    root: bytes = attrs.field(repr=False)
    note: str = attrs.field(repr=False)


# ---- names of logs


def origin(base_url: str, organisation: str, random: bytes) -> str:
    """
    Return the name of a new log, which no other log has: host and path of *base_url*, the organisation and 8 random
    bytes.
    """
    where = re.sub(r"[^!-*,-~]", lambda found: quote(found.group()), base_url.partition("://")[2])
    end = f"/{organisation}/{random[:_RANDOM].hex()}"
    return where[: LONGEST_ORIGIN - len(end)].rstrip("/") + end


def is_origin(name: str, organisation: str) -> bool:
    """
    Whether a log of an organisation may have this name.
    """
    return re.fullmatch(rf".+/{re.escape(organisation)}/[0-9a-f]{{{2 * _RANDOM}}}", name) is not None


def is_first_origin(name: str, organisation: str) -> bool:
    """
    Whether a log of an organisation had this name before names were unique.
    """
    return name == f"optly/{organisation}"


# ---- notes


def _key_id(name: str, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n\x01" + public_key).digest()[:4]


def note_body(name: str, size: int, root: bytes) -> bytes:
    """
    Return the text of a checkpoint, to be signed.
    """
    return f"{name}\n{size}\n{_encode(root)}\n".encode()


def signed_note(body: bytes, name: str, public_key: bytes, signature: bytes) -> str:
    """
    Return the *body* of a checkpoint with an Ed25519 *signature* below it.
    """
    return f"{body.decode()}\n— {name} {_encode(_key_id(name, public_key) + signature)}\n"


def sign(keys: Keys, name: str, size: int, root: bytes) -> Checkpoint:
    """
    Return a signed head of the log with that name.
    """
    body = note_body(name, size, root)
    note = signed_note(body, name, keys.public_keys[0], keys.sign(body))
    return Checkpoint(origin=name, size=size, root=root, note=note)


def open_note(note: str, public_keys: Iterable[bytes]) -> Checkpoint | None:
    """
    Return the checkpoint in *note*, or None if it is malformed, signed by none of *public_keys*, or not as it was
    signed.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    parsed = _parsed(note)
    if parsed is None:
        return None
    checkpoint, body, signatures = parsed
    genuine = False
    for public_key in public_keys:
        for key_id, signature in signatures:
            if key_id != _key_id(checkpoint.origin, public_key):
                continue
            try:
                Ed25519PublicKey.from_public_bytes(public_key).verify(signature, body)
            except (InvalidSignature, ValueError):  # or it is no key
                return None
            genuine = True
    return checkpoint if genuine else None


def _parsed(note: str) -> tuple[Checkpoint, bytes, list[tuple[bytes, bytes]]] | None:
    """
    Return what a note says, the bytes that are signed, and the log's own signatures with the ids of their keys.
    """
    text, empty, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if len(note) > _LONGEST_NOTE or _CONTROL.search(note) or not empty or not note.endswith("\n") or len(lines) < 3:
        return None
    name, size, encoded = lines[:3]
    if not (name and all(lines) and _NUMBER.fullmatch(size)):
        return None
    signed = []
    try:
        body = f"{text}\n".encode()
        root = _decode(encoded)
        for line in signatures[:-1].split("\n"):
            dash, signer, signature = line.split(" ")
            if dash != "—" or len(decoded := _decode(signature)) < 5:
                return None
            if signer == name:
                signed.append((decoded[:4], decoded[4:]))
    except ValueError:
        return None
    if len(root) != hashlib.sha256().digest_size:
        return None
    return Checkpoint(origin=name, size=int(size), root=root, note=note), body, signed


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    """
    Return what *text* encodes, if it is the one way to write it.

    Raises:
        ValueError: It is not.
    """
    data = base64.b64decode(text, validate=True)
    if _encode(data) != text:
        raise ValueError("not the canonical base 64")
    return data


# ---- proofs that a leaf is in the log


def write_proof(index: int, proof: Sequence[bytes], note: str) -> str:
    """
    Return the proof that leaf *index* is in the log whose checkpoint this is, as a C2SP tlog-proof.
    """
    return "\n".join(["c2sp.org/tlog-proof@v1", f"index {index}", *map(_encode, proof), "", note])


def read_proof(text: str) -> tuple[int, tuple[bytes, ...], str]:
    """
    Return the index, the hashes and the checkpoint of a C2SP tlog-proof. Nothing is verified.

    Raises:
        ValueError: It is not one, or has extra data.
    """
    found = _PROOF.fullmatch(text)
    if found is None:
        raise ValueError("not a proof that a leaf is in the log")
    index, hashes, note = found.groups()
    return int(index), tuple(_decode(line) for line in hashes.split("\n")[:-1]), note
