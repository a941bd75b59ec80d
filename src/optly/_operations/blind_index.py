"""
The blind index: addresses are found without being stored, each by a keyed hash (*idkey*) that only the keys can make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

import attrs

from optly.contacts import Address, Channel, EmailAddress, parse_address
from optly.keys import Keys
from optly.protocols import Identifier, Suppression
from optly.record.consent import stops_of
from optly.record.events import DomainObjectionRaised, Event, LineAdded, LineReinstated, LineRemoved, Through
from optly.record.ledger import Opening
from optly.record.standing import Standing, StandingStop


def line_values(standing: Standing, openings: Mapping[str, Opening]) -> dict[int, Address]:
    """
    Return the addresses of a contact's lines by number, including removed lines but not erased ones.
    """
    return {
        line.number: parse_address(openings[slot].value, line.kind)
        for line in standing.lines
        if (slot := f"line_{line.number}") in openings
    }


# What the scope of a suppression begins with if its idkey is that of a domain: ``@email/purpose``.
_FOR_DOMAIN: Final = "@"


def stops_from(rows: Iterable[Suppression], lines: Mapping[bytes, int | None]) -> list[StandingStop]:
    """
    Return the stops that suppressions of an address, or of its domain, amount to.

    Args:
        lines: The line each idkey stands for.
    """
    stops = []
    for row in rows:
        scope, domain = row.scope.removeprefix(_FOR_DOMAIN), row.scope.startswith(_FOR_DOMAIN)
        channel, _, purpose = scope.partition("/")
        stops.append(
            StandingStop(
                channel=None if channel == "*" else Channel(channel),
                purpose=None if purpose == "*" else purpose,
                line=lines[row.idkey],
                at=row.at,
                objection=True,
                seq=None,
                through=Through.DOMAIN if domain else None,
            )
        )
    return stops


def changes_index(events: Iterable[Event]) -> bool:
    """
    Whether any of these events changes index rows of addresses already on record.
    """
    return any(isinstance(event, LineRemoved | LineReinstated) or stops_of(event, 0) for event in events)


def _domains(domain: str) -> Iterator[str]:
    """
    Yield a domain and those it lies in, without the top one: a stop for ``example.com`` covers ``mail.example.com``.
    """
    while "." in domain:
        yield domain
        domain = domain.partition(".")[2]


@lru_cache(maxsize=4096)
def _domain_idkeys(keys: Keys, organisation: str, domain: str) -> tuple[bytes, ...]:
    return tuple(idkey for name in _domains(domain) for idkey in keys.domain_idkeys(organisation, name))


@attrs.frozen(kw_only=True)
class IndexChanges:
    """
    The changes to the index that events make.

    Attributes:
        release: Idkeys that no longer stand for a line of the contact.
    """

    identifiers: Sequence[Identifier]
    release: Sequence[bytes]
    suppressions: Sequence[Suppression]


@attrs.frozen
class BlindIndex:
    """
    Makes the idkeys and index rows of one organisation.
    """

    _organisation: str
    _keys: Keys = attrs.field(repr=False)

    def idkeys(self, address: Address) -> tuple[bytes, ...]:
        return self._keys.idkeys(self._organisation, address)

    def domain_idkeys(self, address: Address) -> tuple[bytes, ...]:
        """
        Return the idkeys under which a stop for everyone at the domain of an address would be; none but for email.
        """
        if not isinstance(address, EmailAddress):
            return ()
        return _domain_idkeys(self._keys, self._organisation, address.domain)

    def _domain_suppressions(self, event: DomainObjectionRaised, first: int) -> Iterator[Suppression]:
        for purpose in event.purposes or ("*",):
            yield Suppression(
                idkey=self._keys.domain_idkeys(self._organisation, event.personal[f"domain_{first}"])[0],
                scope=f"{_FOR_DOMAIN}{Channel.EMAIL}/{purpose}",
                at=event.occurred_at,
                key_version=self._keys.all[0].version,
            )

    def changes(
        self, subject: bytes, first: int, events: Sequence[Event], values: Mapping[int, Address]
    ) -> IndexChanges:
        """
        Return the index rows that *events* add, release and suppress.

        Args:
            first: Number of the first of the events.
            values: The addresses on record by line; needed only if `changes_index`.
        """
        version = self._keys.all[0].version
        addresses = dict(values)
        identifiers = []
        for event in events:
            if isinstance(event, LineAdded):
                addresses[event.line] = parse_address(event.personal[f"line_{event.line}"], event.kind)
            if isinstance(event, LineAdded | LineReinstated):
                idkey = self.idkeys(addresses[event.line])[0]
                identifiers.append(Identifier(idkey=idkey, subject=subject, line=event.line, key_version=version))
        removed = {event.line for event in events if isinstance(event, LineRemoved)}
        return IndexChanges(
            identifiers=identifiers,
            release=[idkey for line in removed if line in addresses for idkey in self.idkeys(addresses[line])],
            suppressions=[
                *(
                    suppression
                    for seq, event in enumerate(events, first)
                    if isinstance(event, DomainObjectionRaised)
                    for suppression in self._domain_suppressions(event, seq)
                ),
                *self._suppressions(events, first, addresses, version),
            ],
        )

    def _suppressions(
        self, events: Sequence[Event], first: int, addresses: Mapping[int, Address], version: str
    ) -> list[Suppression]:
        return [
            Suppression(
                idkey=self.idkeys(address)[0],
                scope=f"{stop.channel or '*'}/{stop.purpose or '*'}",
                at=stop.at,
                key_version=version,
            )
            for seq, event in enumerate(events, first)
            for stop in stops_of(event, seq)
            for line, address in addresses.items()
            if stop.line in (None, line) and (stop.channel is None or stop.channel.kind is address.kind)
        ]
