"""
Proof: packing the evidence of a contact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optly._operations import log
from optly._operations.application import Application
from optly._operations.sealing import seal_contact
from optly.contacts import Contact
from optly.record import merkle

if TYPE_CHECKING:
    from optly.evidence import EvidencePack


async def evidence(app: Application, contact: Contact, since: str | None) -> EvidencePack:
    from optly.evidence import EvidencePack, Seal, wordings_named

    await app.repository.require(contact)
    key, subject = app.settings.organisation.key, contact.subject
    known = None if since is None else log.require_own(app, await app.storage.log_head(key), since)
    await seal_contact(app, subject)
    entries = await app.storage.entries(subject)
    # The head last, so that it covers the leaf although others seal meanwhile.
    sealed, head = (await app.storage.sealed(key, [subject])).get(subject), await app.storage.log_head(key)
    proof: Seal | None = None
    if head is not None and sealed:
        index, leaf = sealed[-1].index, sealed[-1].leaf
        size = 0 if known is None else min(known.size, head.checkpoint.size)
        path, growth = merkle.path(index, head.checkpoint.size), merkle.growth(size, head.checkpoint.size)
        roots = await log.roots(app, [*path, *growth])
        proof = Seal(
            checkpoint=head.checkpoint.note,
            index=index,
            version=leaf.version,
            head=leaf.head,
            blind=leaf.blind(head.secret),
            proof=roots[: len(path)],
            since=size,
            growth=roots[len(path) :],
        )
    return EvidencePack.issue(
        organisation=app.settings.organisation,
        contact=contact.id,
        issued_at=app.settings.clock(),
        entries=entries,
        openings=await app.repository.all_openings(subject),
        wordings=await app.repository.wordings(wordings_named(entries)),
        seal=proof,
        keys=app.settings.keys,
    )
