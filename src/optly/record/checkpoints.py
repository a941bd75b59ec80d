"""
Checkpoints: signed heads of the log, as C2SP signed notes. Pure.

Anyone who keeps one can later show that nothing before it was altered, removed, reordered or cut off.

Source: C2SP tlog-checkpoint, signed-note, tlog-cosignature and tlog-proof (read 2026-11-29).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Final
from urllib.parse import quote

import attrs

from optly import typed
from optly.keys import Keys

LONGEST_ORIGIN: Final = 255
_LONGEST_NOTE: Final = 100_000
_RANDOM: Final = 8
_ML_DSA_44_KEY: Final = 1312

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


class _Kind(IntEnum):
    """
    The kinds of signature, by their numbers in C2SP signed-note and tlog-cosignature.
    """

    ED25519 = 1
    ML_DSA_44 = 6

    @classmethod
    def of(cls, public_key: bytes) -> _Kind:
        return cls.ML_DSA_44 if len(public_key) == _ML_DSA_44_KEY else cls.ED25519


def _key_id(name: str, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _Kind.of(public_key).to_bytes() + public_key).digest()[:4]


def note_body(name: str, size: int, root: bytes) -> bytes:
    """
    Return the text of a checkpoint, to be signed.
    """
    return f"{name}\n{size}\n{_encode(root)}\n".encode()


def _cosigned(head: Checkpoint, timestamp: bytes) -> bytes:
    """
    Return what an ML-DSA-44 signature covers. The log signs it under its own name.
    """
    name = head.origin.encode()
    vector = len(name).to_bytes() + name
    start, end = (0).to_bytes(8), head.size.to_bytes(8)
    return b"subtree/v1\n\0" + vector + timestamp + vector + start + end + head.root


def signed_note(body: bytes, name: str, *signatures: tuple[bytes, bytes]) -> str:
    """
    Return the *body* of a checkpoint with the log's signatures below it, each with its public key before it.
    """
    lines = [f"— {name} {_encode(_key_id(name, key) + signature)}\n" for key, signature in signatures]
    return f"{body.decode()}\n{''.join(lines)}"


def sign(keys: Keys, name: str, size: int, root: bytes, at: datetime) -> Checkpoint:
    """
    Return a signed head of the log with that name, as it is *at* an instant.

    It is signed with Ed25519, which everyone can verify, and where cryptography offers it with ML-DSA-44, because
    evidence is to outlive Ed25519.
    """
    body = note_body(name, size, root)
    head = Checkpoint(origin=name, size=size, root=root, note="")
    timestamp = max(0, int(at.timestamp())).to_bytes(8)
    signatures = [(keys.public_keys[0], keys.sign(body))]
    if (lasting := keys.sign_post_quantum(_cosigned(head, timestamp))) is not None:
        signatures.append((keys.post_quantum_keys[0], timestamp + lasting))
    return typed.evolve(head, note=signed_note(body, name, *signatures))


def open_note(note: str, public_keys: Iterable[bytes], *, each_kind: bool = False) -> Checkpoint | None:
    """
    Return the checkpoint in *note*, or None if it is malformed, signed by none of *public_keys*, or not as it was
    signed.

    Args:
        public_keys: Those of Ed25519 have 32 bytes, those of ML-DSA-44 1,312.
        each_kind: Whether it has to be signed by a key of each kind among them.
    """
    public_keys = list(public_keys)
    parsed = _parsed(note)
    if parsed is None:
        return None
    head, body, signatures = parsed
    genuine = set()
    for public_key in public_keys:
        for key_id, signature in signatures:
            if key_id == _key_id(head.origin, public_key):
                if not _is_genuine(head, body, public_key, signature):
                    return None
                genuine.add(_Kind.of(public_key))
    wanted = {_Kind.of(public_key) for public_key in public_keys}
    return head if genuine and (not each_kind or genuine == wanted) else None


def _is_genuine(head: Checkpoint, body: bytes, public_key: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        if _Kind.of(public_key) is _Kind.ED25519:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, body)
        else:
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

            cosigned = _cosigned(head, signature[:8])
            MLDSA44PublicKey.from_public_bytes(public_key).verify(signature[8:], cosigned)
    # Or it is no key, the name is too long for one, or it cannot be verified here.
    except (InvalidSignature, ValueError, OverflowError, ImportError, UnsupportedAlgorithm):
        return False
    return True


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
