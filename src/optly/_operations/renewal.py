"""
Renewing MACs: after a rotation each row is signed with the current key, in batches, so that it may be broken off and
begun again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from optly._operations.application import Application
from optly._operations.batches import batched
from optly._operations.repository import is_read_model
from optly._operations.row_macs import of_head
from optly.errors import LedgerError
from optly.protocols import Head, Renewal, Row, RowKind, StoredComplaint
from optly.record.consent import fold
from optly.record.ledger import verify_chain
from optly.results import Renewed

_log = logging.getLogger("optly")
_BATCH: Final = 500

# The primary key of a row of each kind.
_KEYS: Final[Mapping[RowKind, Callable[[Any], tuple[bytes, ...]]]] = {
    RowKind.IDENTIFIERS: lambda row: (row.idkey, row.subject),
    RowKind.REFERENCES: lambda row: (row.idkey,),
    RowKind.SUPPRESSIONS: lambda row: (row.idkey, row.scope.encode(), row.mark),
    RowKind.CODES: lambda row: (row.key,),
    RowKind.MESSAGES: lambda row: (row.subject, row.message),
}


@attrs.define
class _Renewing:
    """
    What is renewed, and how far that has come.

    Attributes:
        unsigned: Whether rows without a MAC are signed, too.
    """

    app: Application
    unsigned: bool
    renewed: int = 0
    forged: int = 0

    async def write(self, renewals: Iterable[Renewal]) -> None:
        for batch in batched(renewals, _BATCH):
            self.renewed += await self.app.storage.renew(batch)

    def rows(self, rows: Iterable[Row], table: str, key: Callable[[Any], tuple[bytes, ...]]) -> Iterator[Renewal]:
        """
        Yield the renewals of rows. One that does not fit is left as it is.
        """
        macs = self.app.repository.macs
        for row in rows:
            if macs.fits(row) or (self.unsigned and not row.mac):
                if not macs.is_current(row.mac):
                    yield Renewal(table=table, key=key(row), old=row.mac, new=macs.sign(row).mac)
            else:
                # Of a key that is not known here, it may be another organisation's.
                self.forged += macs.knows(row.mac)

    async def heads(self) -> None:
        app, macs = self.app, self.app.repository.macs
        for subjects in batched(await app.storage.subjects(app.settings.organisation.key), _BATCH):
            renewals = []
            for subject, head in (await app.storage.load(subjects)).items():
                if app.repository.is_genuine(subject, head) or await self._is_whole(subject, head):
                    if not macs.is_current(head.mac):
                        new = macs.sign_head(subject, of_head(head))
                        renewals.append(Renewal(table="heads", key=(subject,), old=head.mac, new=new))
                else:
                    self.forged += 1
            await self.write(renewals)

    async def _is_whole(self, subject: bytes, head: Head) -> bool:
        """
        Whether a head without a MAC is to be signed: its chain is whole, and goes on from what was sealed.
        """
        if not self.unsigned or head.mac or head.snapshot_version != head.version:
            return False
        organisation = self.app.settings.organisation.key
        try:
            entries = await self.app.storage.entries(subject)
        except LedgerError:
            return False
        chained = (head.version, head.hash)
        problems = verify_chain(organisation, subject.hex(), entries, openings={}, head=chained)
        leaves = (await self.app.storage.sealed(organisation, [subject])).get(subject, ())
        kept = {(each.leaf.version, each.leaf.head) for each in leaves} <= {
            (entry.seq, entry.hash) for entry in entries
        }
        return kept and not problems and is_read_model(head, len(entries), fold(entry.event() for entry in entries))

    async def complaints(self) -> None:
        organisation = self.app.settings.organisation.key
        after: StoredComplaint | None = None
        while page := await self.app.storage.complaints(organisation, None, after, _BATCH):
            after = page[-1]
            await self.write(self.rows(page, "complaints", lambda row: (organisation.encode(), row.reference.encode())))


async def renew_rows(app: Application, *, unsigned: bool) -> Renewed:
    """
    Sign every row that fits with the current key. A repeat goes on where an interruption left off.

    Args:
        unsigned: Whether to sign rows without a MAC, too, which are from before there were any.
    """
    renewing = _Renewing(app, unsigned)
    await renewing.heads()
    for kind, key in _KEYS.items():
        await renewing.write(renewing.rows(await app.storage.rows(kind), kind, key))
    await renewing.complaints()
    if renewing.forged:
        _log.error("rows are not renewed, because they were altered", extra={"count": renewing.forged})
    return Renewed(renewed=renewing.renewed, forged=renewing.forged)
