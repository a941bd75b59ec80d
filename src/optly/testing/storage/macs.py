"""
The MACs of rows, which Optly makes and a store keeps: all rows of a kind, and another MAC for each.
"""

from __future__ import annotations

import attrs

from optly.protocols import OutboxMessage, Renewal, Row, RowKind, Storage, with_mac
from optly.testing.storage import _base as base
from optly.testing.storage._base import Contact, Contract
from optly.testing.storage.complaints import complaint


class MacsContract(Contract):
    """
    What a store has to do with the MACs of rows.
    """

    def test_every_row_of_a_kind_is_listed(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        With its MAC, whichever organisation it is of; messages as long as they have a body.
        """
        done, waiting, claimed = ada.message(), eve.message(), eve.message()
        idkeys = [base.key() for _ in range(3)]
        other = attrs.evolve(eve, organisation=f"{eve.organisation}-2")
        mine, hers = [ada.identifier(idkeys[0])], [eve.identifier(idkeys[0], 2), eve.identifier(idkeys[1])]
        stops = [base.stop(idkeys[0]), base.stop(idkeys[0], scope="*/*"), base.stop(idkeys[2])]
        codes = [base.code(ada.subject), base.code(eve.subject, expires_at=base.NOW)]
        references = [ada.reference(idkeys[0]), eve.reference(idkeys[1])]
        rows: dict[RowKind, list[Row]] = {
            RowKind.IDENTIFIERS: [*mine, *hers],
            RowKind.REFERENCES: [*references],
            RowKind.SUPPRESSIONS: [*stops],
            RowKind.CODES: [*codes],
        }
        storage.append(
            [
                ada.commit(identifiers=mine, references=references[:1], suppressions=stops, queue=[done]),
                other.commit(identifiers=hers, references=references[1:], queue=[waiting, claimed]),
            ]
        )
        storage.put_codes(codes)
        sent, sending = storage.claim([base.claim_of(done), base.claim_of(claimed)], base.NOW, base.NOW)
        sent, sending = (sent, sending) if sent.message == done.message else (sending, sent)
        storage.settle([base.settlement(sent)])
        for kind, expected in rows.items():
            listed = [row for row in storage.rows(kind) if row in expected]
            assert sorted(map(repr, expected)) == sorted(map(repr, listed))
            assert {row.mac for row in expected} == {row.mac for row in listed}
        left = [row for row in storage.rows(RowKind.MESSAGES) if _is_of(row, ada, eve)]
        assert {waiting.mac, claimed.mac} == {row.mac for row in left}
        assert sending in left

    def test_a_row_gets_another_mac(self, storage: Storage, ada: Contact) -> None:
        """
        And nothing else of it changes. One that has another than the one given is left alone.
        """
        idkey, organisation = base.key(), ada.organisation
        listed, message, code = complaint(ada, "AAAAA2"), ada.message(), base.code(ada.subject)
        first = ada.commit(
            identifiers=[ada.identifier(idkey)],
            references=[ada.reference(idkey)],
            suppressions=[base.stop(idkey), base.stop(idkey, scope="*/*")],
            queue=[message],
            complaints=[listed],
        )
        storage.append([first])
        storage.put_codes([code])
        before = storage.load([ada.subject])[ada.subject]
        stop, other = base.stop(idkey), base.stop(idkey, scope="*/*")
        keys = {
            "heads": ((ada.subject,), before.mac),
            "identifiers": ((idkey, ada.subject), ada.identifier(idkey).mac),
            "references": ((idkey,), ada.reference(idkey).mac),
            "suppressions": ((idkey, stop.scope.encode(), stop.mark), stop.mac),
            "outbox": ((ada.subject, message.message), message.mac),
            "codes": ((code.key,), code.mac),
            "complaints": ((organisation.encode(), b"AAAAA2"), listed.mac),
        }
        new = b"another MAC of Optly"
        renewals = [Renewal(table=table, key=key, old=old, new=new) for table, (key, old) in keys.items()]
        stale = [attrs.evolve(row, old=bytes(20), new=bytes(20)) for row in renewals]
        missing = [attrs.evolve(row, key=tuple(base.key() for _ in row.key)) for row in renewals if row.table in _BYTES]
        assert storage.renew(stale + missing) == 0
        assert storage.renew(renewals) == len(keys)
        assert storage.renew(renewals) == 0
        found = storage.find([idkey])
        assert storage.load([ada.subject]) == {ada.subject: with_mac(before, new)}
        assert found.holders == {idkey: [with_mac(ada.identifier(idkey), new)]}
        assert set(found.suppressions) == {with_mac(stop, new), other}
        assert storage.referred([idkey]) == {idkey: with_mac(ada.reference(idkey), new)}
        assert storage.code(code.key, base.NOW) == with_mac(code, new)
        assert storage.complaint(organisation, "AAAAA2") == with_mac(listed, new)
        queued = [row for row in storage.rows(RowKind.MESSAGES) if _is_of(row, ada)]
        assert queued == [with_mac(message, new)]


def _is_of(row: Row, *contacts: Contact) -> bool:
    return isinstance(row, OutboxMessage) and row.subject in [contact.subject for contact in contacts]


_BYTES = ("heads", "identifiers", "references", "outbox", "codes")
