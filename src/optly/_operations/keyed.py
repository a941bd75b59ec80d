"""
The keys a record is written with: a process that lacks one of them starts nothing and looks nothing up.

What is made with a key is found only by those who have it. So before a key is first used, the store gets a mark under
every other key that says so. Each look-up reads the marks of the process's own keys along with what it looks for, last,
so that no row can be missed whose key it does not know.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from optly import typed
from optly._operations.row_macs import RowMacs, of_head
from optly._operations.running import Awaited, Wrap
from optly._operations.settings import Settings
from optly.contacts import Channel
from optly.errors import ConfigurationError, KeyMissingError
from optly.protocols import (
    AsyncStorage,
    Claim,
    Found,
    Head,
    Identifier,
    OutboxMessage,
    Reference,
    Storage,
    StoredCode,
    StoredComplaint,
    Suppression,
)
from optly.record.ledger import Leaf
from optly.results import KnownKey

_log = logging.getLogger("optly")


def use_current_key(storage: Storage, settings: Settings, macs: RowMacs) -> None:
    """
    Check that no key of the record is missing, and record that the current one is used from now on.

    Raises:
        ConfigurationError: One is missing.
    """
    organisation, keys = settings.organisation.key, settings.keys
    used = storage.key_versions(organisation)
    current = keys.all[0].version
    if missing := used - {key.version for key in keys.all}:
        raise ConfigurationError(
            f"the storage was written with {len(missing)} key(s) that are missing here: add them to "
            "Keys(previous=[…]), or suppressions made with them would not be found"
        )
    if current not in used:
        now = settings.clock()
        marks = [
            macs.sign(Suppression(idkey=mark, scope=f"key/{current}", at=now, key_version=current))
            for mark in keys.marks(organisation)[1:]  # those of the other keys
        ]
        storage.add_key_version(organisation, current, marks)


async def known_keys(storage: AsyncStorage, settings: Settings) -> tuple[KnownKey, ...]:
    """
    Return what is known of each key, the current one first.
    """
    used, keys = await storage.key_versions(settings.organisation.key), settings.keys
    return tuple(
        KnownKey(version=key.version, current=key is keys.all[0], used=key.version in used, public_key=public_key)
        for key, public_key in zip(keys.all, keys.public_keys, strict=True)
    )


async def require_keys(storage: AsyncStorage) -> None:
    """
    Check that no process uses a key that this one lacks, where something was not recognised.

    Raises:
        KeyMissingError: One does.
    """
    await storage.find(())  # reads the marks alone


class KeyedStorage(Awaited):
    """
    A store whose look-ups are refused to a process that lacks a key they may have been made with.

    It signs what is written, but for commits, whose rows are signed as they are put together.
    """

    def __init__(self, storage: Storage, wrap: Wrap, settings: Settings, macs: RowMacs) -> None:
        super().__init__(storage, wrap)
        self._macs = macs
        self._kept = cast("AsyncStorage", Awaited(storage, wrap))
        self._marks = settings.keys.marks(settings.organisation.key)
        self._versions = {key.version for key in settings.keys.all}

    async def find(self, idkeys: Sequence[bytes], stops: Sequence[bytes] = ()) -> Found:
        found = await self._kept.find(idkeys, (*stops, *self._marks))
        suppressions = found.suppressions and [row for row in found.suppressions if not self._is_mark(row)]
        fits = self._macs.fits
        groups: tuple[Sequence[Identifier | Suppression], ...] = (suppressions, *found.holders.values())
        forged = [row.idkey for rows in groups for row in rows if not fits(row)]
        if not forged:
            return found if suppressions is found.suppressions else Found(found.holders, suppressions, found.heads)
        names = sorted({idkey.hex() for idkey in forged})
        _log.error("addresses are refused, because their rows are not as they were written", extra={"idkeys": names})
        holders = {idkey: [row for row in rows if fits(row)] for idkey, rows in found.holders.items()}
        return Found(holders, suppressions, found.heads, frozenset(forged))

    def _is_mark(self, row: Suppression) -> bool:
        """
        Whether a suppression is none, but marks that a key is in use.

        Raises:
            KeyMissingError: It is one that is missing here.
        """
        if row.idkey not in self._marks:
            return False
        if row.key_version not in self._versions:
            raise KeyMissingError(
                "another process writes with a key that is missing here, and what it wrote would not be found: "
                "restart this one with that key in Keys(previous=[…])"
            )
        return True

    async def enqueue(self, organisation: str, messages: Sequence[OutboxMessage]) -> None:
        await self._kept.enqueue(organisation, [self._macs.sign(row) for row in messages])

    async def claim(self, claims: Sequence[Claim], now: datetime, until: datetime) -> Sequence[OutboxMessage]:
        sign = self._macs.sign
        signed = [typed.evolve(claim, codes=[sign(code) for code in claim.codes]) for claim in claims]
        return await self._kept.claim(signed, now, until)

    async def due(self, organisation: str, channel: Channel, now: datetime, limit: int) -> Sequence[OutboxMessage]:
        return await self._readable(await self._kept.due(organisation, channel, now, limit))

    async def overdue(self, organisation: str, now: datetime, limit: int) -> Sequence[OutboxMessage]:
        return await self._readable(await self._kept.overdue(organisation, now, limit))

    async def _readable(self, rows: Sequence[OutboxMessage]) -> Sequence[OutboxMessage]:
        for row in rows:
            await self._require_keys(row.mac)
        return rows

    async def put_codes(self, codes: Sequence[StoredCode]) -> None:
        await self._kept.put_codes([self._macs.sign(code) for code in codes])

    async def code(self, key: bytes, now: datetime) -> StoredCode | None:
        return await self._genuine(await self._kept.code(key, now))

    async def take_code(self, key: bytes, now: datetime) -> StoredCode | None:
        return await self._genuine(await self._kept.take_code(key, now))

    async def _genuine(self, code: StoredCode | None) -> StoredCode | None:
        if code is None or self._macs.fits(code):
            return code
        await self._require_keys(code.mac)
        _log.error("a code is not as it was written, and opens nothing", extra={"contact": code.subject.hex()})
        return None

    async def complaint(self, organisation: str, reference: str) -> StoredComplaint | None:
        row = await self._kept.complaint(organisation, reference)
        if row is not None:
            await self._require_keys(row.mac)
        return row

    async def complaints(
        self, organisation: str, open: bool | None, after: StoredComplaint | None, limit: int
    ) -> Sequence[StoredComplaint]:
        rows = await self._kept.complaints(organisation, open, after, limit)
        for row in rows:
            await self._require_keys(row.mac)
        return rows

    async def _require_keys(self, mac: bytes) -> None:
        """
        Raises:
            KeyMissingError: A row was made with a key that is missing here.
        """
        if not self._macs.knows(mac):
            await self.find(())

    async def load(self, subjects: Sequence[bytes]) -> Mapping[bytes, Head]:
        heads = await self._kept.load(subjects)
        for head in heads.values():
            await self._require_keys(head.mac)
        return heads

    async def unsealed(self, organisation: str, limit: int) -> Sequence[Leaf]:
        """
        Return as many chains that grew as there are, up to a limit, and leave out those whose head is not as we wrote
        it: nothing that was altered is signed.
        """
        most = limit
        while True:
            grown = await self._kept.unsealed(organisation, most)
            heads = await self.load([leaf.subject for leaf in grown]) if grown else {}
            leaves = [
                Leaf(subject=subject, version=head.version, head=head.hash)
                for subject, head in heads.items()
                if self._macs.fits_head(head.mac, subject, of_head(head)) and head.version == head.snapshot_version
            ]
            if len(leaves) < len(grown):
                _log.error(
                    "contacts are not sealed, because they were altered", extra={"count": len(grown) - len(leaves)}
                )
            if len(leaves) >= limit or len(grown) < most:
                return leaves[:limit]
            most *= 2

    async def referred(self, idkeys: Sequence[bytes]) -> Mapping[bytes, Reference]:
        """
        Raises:
            DamagedError: A row is not as it was written.
        """
        rows = await self._kept.referred(idkeys)
        if not rows:
            await self.find(())
        for row in rows.values():
            await self._require_keys(row.mac)
            self._macs.require(row)
        return rows
