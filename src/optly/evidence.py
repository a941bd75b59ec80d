"""
Evidence of what a contact was asked and answered, in a form that can be verified without the database. Pure.

A pack holds the contact's whole chain, the personal values that are not erased, with their salts, every wording that is
named, and the place of the chain in the signed log. It is signed as a whole. `verify` needs nothing else. Anyone who
receives a pack should compare the public key with the one the organisation published, and keep a checkpoint of its log.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from optly import typed
from optly.canonical import Json, canonical, timestamp
from optly.contacts import Contact, Organisation, Wording
from optly.errors import SerializationError, UsageError
from optly.keys import Keys
from optly.record import ledger, merkle
from optly.record.checkpoints import Checkpoint, is_first_origin, is_origin, open_note, read_proof, write_proof
from optly.record.events import Choice, Event
from optly.record.ledger import Entry, Finding, Opening, Problem, Verification

if TYPE_CHECKING:
    from optly.timeline.for_evidence import Happening

FORMAT: Final = "optly-evidence/2"
_FIRST_FORMAT: Final = "optly-evidence/1"
_SIGNED: Final = b"optly/evidence/1\0"


@attrs.frozen(kw_only=True)
class Seal:
    """
    The place of a chain in the log.

    Attributes:
        checkpoint: The signed head of the log, as text.
        index: The place of the chain's latest leaf.
        version, head: How far the chain had grown then, and the hash of that event.
        blind: What opens the leaf's entry in the log. None in a pack from before entries were blinded.
        proof: The hashes that lead from the leaf to the root.
        since: How many leaves the log had at an earlier checkpoint; 0 if none was given.
        growth: The hashes that show that the log has only grown since then.
    """

    checkpoint: str
    index: int
    version: int
    head: bytes = attrs.field(repr=False)
    blind: bytes | None = attrs.field(repr=False)
    proof: tuple[bytes, ...] = attrs.field(repr=False)
    since: int = 0
    growth: tuple[bytes, ...] = attrs.field(default=(), repr=False)

    def inclusion(self) -> str:
        """
        Return the proof that the leaf is in the log as a C2SP tlog-proof, for other programs to verify.
        """
        return write_proof(self.index, self.proof, self.checkpoint)

    def _log(self) -> _Log | _FirstLog:
        growth = [node.hex() for node in self.growth]
        if self.blind is None:
            return _FirstLog(
                checkpoint=self.checkpoint,
                index=self.index,
                version=self.version,
                head=self.head.hex(),
                proof=[node.hex() for node in self.proof],
                since=self.since,
                growth=growth,
            )
        return _Log(
            inclusion=self.inclusion(),
            version=self.version,
            head=self.head.hex(),
            blind=self.blind.hex(),
            since=self.since,
            growth=growth,
        )


# The JSON form. Anything that does not fit these types is not a pack.


@attrs.frozen(kw_only=True)
class _Event:
    seq: int
    hash: str
    payload: str


@attrs.frozen(kw_only=True)
class _Value:
    slot: str
    salt: str = attrs.field(repr=False)
    value: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class _Text:
    digest: str
    text: str
    hint: str
    yes: str
    no: str
    language: str


@attrs.frozen(kw_only=True)
class _Log:
    inclusion: str
    version: int
    head: str
    blind: str
    since: int
    growth: list[str]

    def seal(self) -> Seal:
        index, proof, checkpoint = read_proof(self.inclusion)
        return Seal(
            checkpoint=checkpoint,
            index=index,
            version=self.version,
            head=bytes.fromhex(self.head),
            blind=bytes.fromhex(self.blind),
            proof=proof,
            since=self.since,
            growth=tuple(bytes.fromhex(node) for node in self.growth),
        )


@attrs.frozen(kw_only=True)
class _FirstLog:
    checkpoint: str
    index: int
    version: int
    head: str
    proof: list[str]
    since: int
    growth: list[str]

    def seal(self) -> Seal:
        return Seal(
            checkpoint=self.checkpoint,
            index=self.index,
            version=self.version,
            head=bytes.fromhex(self.head),
            blind=None,
            proof=tuple(bytes.fromhex(node) for node in self.proof),
            since=self.since,
            growth=tuple(bytes.fromhex(node) for node in self.growth),
        )


@attrs.frozen(kw_only=True)
class _Named:
    format: str


@attrs.frozen(kw_only=True)
class _Document(_Named):
    organisation: str
    organisation_name: str
    contact: str
    issued_at: str
    events: list[_Event]
    values: list[_Value]
    wordings: list[_Text]
    public_key: str
    signature: str


@attrs.frozen(kw_only=True)
class _CurrentDocument(_Document):
    log: _Log | None


@attrs.frozen(kw_only=True)
class _FirstDocument(_Document):
    log: _FirstLog | None


# What is kept stays readable: a format is added and none is taken away.
_DOCUMENTS: Final[Mapping[str, Any]] = {
    FORMAT: _CurrentDocument,
    _FIRST_FORMAT: _FirstDocument,
}


def choices_of(event: Event) -> tuple[Choice, ...]:
    """
    Return the choices an event is about. Empty if it is about none.
    """
    return getattr(event, "choices", ())


def wordings_named(entries: Iterable[Entry]) -> list[str]:
    """
    Return the digests of every wording the events name.
    """
    return sorted({choice.wording for entry in entries for choice in choices_of(entry.event())})


@attrs.frozen(kw_only=True)
class EvidencePack:
    """
    Everything that proves one contact's consent. Contains personal data: give it only to people who may have it.

    Attributes:
        organisation, organisation_name: Key and name of the organisation.
        contact: Id of the contact.
        issued_at: When the pack was issued; it says nothing about later events. Aware.
        openings: The personal values that are not erased, with their salts, by slot.
        wordings: The texts that the events name, by digest.
        seal: The place of the chain in the log.
        public_key: Ed25519 key the pack is signed with, 32 bytes.
        signature: 64 bytes over everything else.
        format: The name and version of its JSON form.
    """

    organisation: str
    organisation_name: str
    contact: str
    issued_at: datetime
    entries: tuple[Entry, ...] = attrs.field(repr=False)
    openings: Mapping[str, Opening] = attrs.field(repr=False)
    wordings: Mapping[str, Wording] = attrs.field(repr=False)
    seal: Seal | None = attrs.field(repr=False)
    public_key: bytes = attrs.field(repr=False)
    signature: bytes = attrs.field(default=b"", repr=False)
    format: str = FORMAT

    @classmethod
    def issue(
        cls,
        *,
        organisation: Organisation,
        contact: str,
        issued_at: datetime,
        entries: Sequence[Entry],
        openings: Mapping[str, Opening],
        wordings: Mapping[str, Wording],
        seal: Seal | None,
        keys: Keys,
    ) -> EvidencePack:
        """
        Make a pack and sign it with the current key.
        """
        pack = cls(
            organisation=organisation.key,
            organisation_name=organisation.name,
            contact=contact,
            issued_at=issued_at,
            entries=tuple(entries),
            openings=dict(openings),
            wordings=dict(wordings),
            seal=seal,
            public_key=keys.public_keys[0],
        )
        return typed.evolve(pack, signature=keys.sign(pack.signed()))

    @property
    def events(self) -> tuple[Event, ...]:
        """
        What happened, in the order in which it was recorded, with the personal values that are not erased.
        """
        return tuple(entry.event(self.openings) for entry in self.entries)

    def _document(self) -> _Document:
        document: _Document = _DOCUMENTS[self.format](
            format=self.format,
            organisation=self.organisation,
            organisation_name=self.organisation_name,
            contact=self.contact,
            issued_at=timestamp(self.issued_at),
            events=[
                _Event(seq=entry.seq, hash=entry.hash.hex(), payload=entry.payload.decode()) for entry in self.entries
            ],
            values=[
                _Value(slot=slot, salt=opening.salt.hex(), value=opening.value)
                for slot, opening in sorted(self.openings.items())
            ],
            wordings=[_Text(digest=digest, **wording.fields()) for digest, wording in sorted(self.wordings.items())],
            log=None if self.seal is None else self.seal._log(),
            public_key=self.public_key.hex(),
            signature=base64.b64encode(self.signature).decode(),
        )
        return document

    def signed(self) -> bytes:
        """
        Return the bytes that are signed: everything except the signature.

        Raises:
            SerializationError: A part of the pack cannot be written in the canonical form.
        """
        body: dict[str, Json] = msgspec.to_builtins(self._document())
        del body["signature"]
        return _SIGNED + canonical(body)

    def to_json(self) -> str:
        """
        Return the pack as JSON, to store and to `verify`.
        """
        return msgspec.json.format(msgspec.json.encode(self._document()), indent=2).decode() + "\n"

    def timeline(self, *, hidden: Container[int] | None = None) -> tuple[Happening, ...]:
        """
        Return every event in words, in order.

        Args:
            hidden: Numbers of lines that whoever is to see it has not shown to be theirs. Events about these, and those
                that another holder of a line may have caused, are returned without personal values. None if it is for
                the organisation itself.
        """
        from optly.record.views import without_values
        from optly.timeline.for_evidence import timeline

        events = self.events if hidden is None else without_values(self.events, hidden)
        return timeline(self.entries, events, self.wordings)

    def to_html(self) -> str:
        """
        Return the pack as an HTML page of its own: what was asked, what was answered, and every change.
        """
        from optly.timeline.for_evidence import as_page

        return as_page(self.organisation_name, self.contact, self.issued_at, self.timeline())

    def verify(self, *, public_keys: Iterable[bytes] | None = None, checkpoint: str | None = None) -> Verification:
        """
        Verify the pack, as :func:`verify` does its JSON form.
        """
        return verify(self.to_json(), public_keys=public_keys, checkpoint=checkpoint)


def _named_once(members: list[tuple[str, object]]) -> dict[str, object]:
    """
    Return the members of an object. Of two that share a name, one program would show the first and another the second.
    """
    named = dict(members)
    if len(named) != len(members):
        raise ValueError("a member of it is there twice")
    return named


def read(text: str | bytes) -> EvidencePack:
    """
    Read a pack from its JSON form. Nothing is verified.

    Raises:
        SerializationError: It is not a pack, or has a version this library cannot read.
    """
    try:
        named = msgspec.json.decode(text, type=_Named)
        if named.format not in _DOCUMENTS:
            raise ValueError("a later version wrote it")
        found = msgspec.json.decode(text, type=_DOCUMENTS[named.format])
        if json.loads(text, object_pairs_hook=_named_once) != msgspec.to_builtins(found):
            raise ValueError("a member of it means nothing")
        pack = EvidencePack(
            organisation=found.organisation,
            organisation_name=found.organisation_name,
            contact=Contact(found.contact).id,
            issued_at=datetime.fromisoformat(found.issued_at),
            entries=tuple(
                Entry(seq=row.seq, payload=row.payload.encode(), hash=bytes.fromhex(row.hash)) for row in found.events
            ),
            openings={row.slot: Opening(salt=bytes.fromhex(row.salt), value=row.value) for row in found.values},
            wordings={
                row.digest: Wording(text=row.text, hint=row.hint, yes=row.yes, no=row.no, language=row.language)
                for row in found.wordings
            },
            seal=None if found.log is None else found.log.seal(),
            public_key=bytes.fromhex(found.public_key),
            signature=base64.b64decode(found.signature, validate=True),
            format=found.format,
        )
    except (ValueError, RecursionError, UsageError):
        raise SerializationError("this is not an evidence pack, or a part of it is missing") from None
    if found != pack._document():
        raise SerializationError("this is not an evidence pack in the form this version writes")
    return pack


def verify(
    text: str | bytes, *, public_keys: Iterable[bytes] | None = None, checkpoint: str | None = None
) -> Verification:
    """
    Verify a pack in its JSON form, without a database and without trusting the sender.

    Args:
        public_keys: The Ed25519 keys the organisation is known to sign with, 32 bytes each. Without them the key in the
            pack itself is used, which shows that the pack is intact but not who made it. If its ML-DSA-44 keys are
            among them, 1,312 bytes each, the head of the log has to be signed with one of these, too.
        checkpoint: A signed head of the organisation's log that was kept earlier. It is a problem if the pack is older,
            or does not show that the log has only grown since: ask for a pack made with that checkpoint.

    Returns:
        Every problem, with its kind and place. A text that is not a pack is one problem.
    """
    try:
        pack = read(text)
    except SerializationError as error:
        return Verification(problems=(Problem(Finding.UNREADABLE, "", None, str(error)),), events=0)
    trusted = [pack.public_key] if public_keys is None else list(public_keys)
    problems = [*_signature_problems(pack, trusted), *_chain_problems(pack), *_wording_problems(pack)]
    problems.extend(_seal_problems(pack, trusted, checkpoint))
    slots = {slot for entry in pack.entries for slot in _slots(entry)}
    return Verification(
        problems=tuple(problems),
        events=len(pack.entries),
        erased=len(slots - pack.openings.keys()),
        sealed=int(pack.seal is not None and not problems),
    )


def _slots(entry: Entry) -> tuple[str, ...]:
    try:
        return entry.slots()
    except SerializationError:
        return ()


def _signature_problems(pack: EvidencePack, trusted: Sequence[bytes]) -> list[Problem]:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if pack.public_key not in trusted:
        return [Problem(Finding.SIGNATURE, pack.contact, None, "the pack is signed with a key that is not trusted")]
    try:
        Ed25519PublicKey.from_public_bytes(pack.public_key).verify(pack.signature, pack.signed())
    except (InvalidSignature, ValueError, SerializationError):
        return [Problem(Finding.SIGNATURE, pack.contact, None, "the pack is not what was signed")]
    return []


def _chain_problems(pack: EvidencePack) -> tuple[Problem, ...]:
    head = None if pack.seal is None else (pack.seal.version, pack.seal.head)
    return ledger.verify_chain(pack.organisation, pack.contact, pack.entries, openings=pack.openings, head=head)


def _wording_problems(pack: EvidencePack) -> list[Problem]:
    problems = [
        Problem(Finding.WORDING_ALTERED, pack.contact, None, f"the wording kept as {digest[:12]}… has other words")
        for digest, wording in pack.wordings.items()
        if wording.digest != digest
    ]
    for entry in pack.entries:
        try:
            named = choices_of(entry.event())
        except SerializationError:
            continue  # reported already
        for digest in sorted({choice.wording for choice in named} - pack.wordings.keys()):
            detail = f"the wording {digest[:12]}… is missing"
            problems.append(Problem(Finding.WORDING_ALTERED, pack.contact, entry.seq, detail))
    return problems


def _seal_problems(pack: EvidencePack, trusted: Sequence[bytes], kept: str | None) -> list[Problem]:
    seal = pack.seal
    if seal is None:
        return [Problem(Finding.LOG, pack.contact, None, "the pack does not say where the chain stands in the log")]
    checkpoint = open_note(seal.checkpoint, trusted, each_kind=True)
    is_ours = is_origin if pack.format == FORMAT else is_first_origin
    if checkpoint is None or not is_ours(checkpoint.origin, pack.organisation):
        return [Problem(Finding.SIGNATURE, "", None, "the head of the log is not signed with a trusted key")]
    problems = []
    leaf = _leaf(pack, seal)
    if leaf is None or not merkle.included(leaf, seal.index, checkpoint.size, seal.proof, checkpoint.root):
        problems.append(Problem(Finding.LOG, pack.contact, seal.version, "the chain is not in the log as it claims"))
    if seal.version < len(pack.entries):
        detail = "the events from here on are not covered by the log"
        problems.append(Problem(Finding.LOG, pack.contact, seal.version + 1, detail))
    if kept is not None:
        problems.extend(_against(checkpoint, seal, open_note(kept, trusted, each_kind=True)))
    return problems


def _leaf(pack: EvidencePack, seal: Seal) -> bytes | None:
    try:
        leaf = ledger.Leaf(subject=Contact(pack.contact).subject, version=seal.version, head=seal.head)
        return merkle.leaf_hash(leaf.entry(pack.organisation, seal.blind))
    except SerializationError:
        return None


def _against(now: Checkpoint, seal: Seal, kept: Checkpoint | None) -> list[Problem]:
    if kept is None or kept.origin != now.origin:
        return [Problem(Finding.SIGNATURE, "", None, "the checkpoint that was kept is not one of this log's")]
    if now.size < kept.size:
        return [Problem(Finding.TRUNCATED, "", None, "the pack rests on a log that is shorter than the one known")]
    growth = seal.growth if seal.since == kept.size else ()
    if not merkle.consistent(kept.size, kept.root, now.size, now.root, growth):
        detail = "the pack does not show that its log only grew since the checkpoint that was kept"
        return [Problem(Finding.LOG, "", None, detail)]
    return []
