"""
The blind index: addresses are found without being stored, each by a keyed hash (*idkey*) that only the keys can make.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Final

import attrs

from optly.contacts import Address, AddressKind, Channel, EmailAddress, recorded_address
from optly.errors import AddressError
from optly.keys import Keys
from optly.protocols import AsyncStorage, Found, Identifier, Reference, Suppression
from optly.record.consent import made_now
from optly.record.events import (
    ContactErased,
    DomainObjectionRaised,
    Event,
    LineAdded,
    LineLeft,
    LineReinstated,
    Through,
)
from optly.record.ledger import Opening
from optly.record.standing import Standing, StandingStop


def line_values(standing: Standing, openings: Mapping[str, Opening]) -> dict[int, Address]:
    """
    Return the addresses of a contact's lines by number, including removed lines but not erased ones.
    """
    if standing.unreadable is not None:
        return dict(_of_any_kind(openings))
    return {
        line.number: recorded_address(openings[line.slot].value, line.kind)
        for line in standing.lines
        if line.slot in openings
    }


def line_slots(standing: Standing) -> list[str] | None:
    """
    Return the slots that `line_values` looks at; None for all, where a line may be in what cannot be read.
    """
    return None if standing.unreadable is not None else [line.slot for line in standing.lines]


def _of_any_kind(openings: Mapping[str, Opening]) -> Iterator[tuple[int, Address]]:
    """
    Yield the addresses of a contact by line, of whichever kind they are: the event that says so may be unreadable.
    """
    for slot, opening in openings.items():
        name, _, number = slot.partition("_")
        for kind in AddressKind if name == "line" else ():
            with suppress(AddressError):
                yield int(number), recorded_address(opening.value, kind)
                break


# The scope of a suppression of all marketing, and what a scope begins with if its idkey is that of a domain.
EVERYTHING: Final = "*/*"
_FOR_DOMAIN: Final = "@"

# A scope that can be read. Any other covers everything: nobody knows how little it was.
_SCOPE: Final = re.compile(rf"(\*|{'|'.join(Channel)})/[^/]+(/[^/]+)?")


def stops_from(rows: Iterable[Suppression], lines: Mapping[bytes, int | None]) -> list[StandingStop]:
    """
    Return the stops that suppressions of an address, or of its domain, amount to.

    Args:
        lines: The line each idkey stands for.
    """
    stops = []
    for row in rows:
        scope, domain = row.scope.removeprefix(_FOR_DOMAIN), row.scope.startswith(_FOR_DOMAIN)
        channel, purpose, *named = (scope if _SCOPE.fullmatch(scope) else EVERYTHING).split("/")
        stops.append(
            StandingStop(
                channel=None if channel == "*" else Channel(channel),
                purpose=None if purpose == "*" else purpose,
                line=lines[row.idkey],
                at=row.at,
                objection=True,
                seq=None,
                organisation=named[0] if named else None,
                through=Through.DOMAIN if domain else None,
                mark=row.mark.hex(),
            )
        )
    return stops


def _scope(stop: StandingStop) -> str:
    """
    Return the scope of a suppression. One for a named organisation covers every purpose, for three keys are too long.
    """
    if stop.organisation is not None:
        return f"{stop.channel or '*'}/*/{stop.organisation}"
    return f"{stop.channel or '*'}/{stop.purpose or '*'}"


def changes_index(events: Iterable[Event]) -> bool:
    """
    Whether any of these events changes index rows. Most change none.
    """
    return any(isinstance(event, _CHANGING) for event in events)


def moves_lines(events: Iterable[Event]) -> bool:
    """
    Whether any of these events changes index rows of addresses already on record.
    """
    return any(isinstance(event, LineLeft | LineReinstated | ContactErased) for event in events)


def suppresses(events: Iterable[Event]) -> bool:
    """
    Whether any of these events suppresses addresses, whoever has them.
    """
    return any(isinstance(event, ContactErased | DomainObjectionRaised) for event in events)


def _domains(domain: str) -> Iterator[str]:
    """
    Yield a domain and those it lies in, without the top one: a stop for ``example.com`` covers ``mail.example.com``.
    """
    while "." in domain:
        yield domain
        domain = domain.partition(".")[2]


@attrs.frozen(kw_only=True)
class IndexChanges:
    """
    The changes to the index that events make.

    Attributes:
        release: Idkeys whose address the contact has left.
    """

    identifiers: Sequence[Identifier] = ()
    release: Sequence[bytes] = ()
    suppressions: Sequence[Suppression] = ()


UNCHANGED: Final = IndexChanges()
_CHANGING: Final = (LineAdded, LineReinstated, LineLeft, ContactErased, DomainObjectionRaised)


@attrs.frozen
class BlindIndex:
    """
    Makes the idkeys and index rows of one organisation.
    """

    _organisation: str
    _keys: Keys = attrs.field(repr=False)
    _idkeys_of_domain: Callable[[str], tuple[bytes, ...]] = attrs.field(init=False, repr=False, eq=False)

    @_idkeys_of_domain.default
    def _kept(self) -> Callable[[str], tuple[bytes, ...]]:
        @lru_cache(maxsize=4096)
        def of(domain: str) -> tuple[bytes, ...]:
            return tuple(
                idkey for name in _domains(domain) for idkey in self._keys.domain_idkeys(self._organisation, name)
            )

        return of

    def idkeys(self, address: Address) -> tuple[bytes, ...]:
        return self._keys.idkeys(self._organisation, address)

    def each(self, kind: AddressKind, normal_forms: Iterable[str]) -> list[tuple[tuple[bytes, ...], tuple[bytes, ...]]]:
        """
        Return for each of many addresses, named by its normal form, its own idkeys and those of its domains.
        """
        own = self._keys.namer(self._organisation, kind)
        if kind is not AddressKind.EMAIL:
            return [(own(normal), ()) for normal in normal_forms]
        of_domain = self._idkeys_of_domain
        return [(own(normal), of_domain(normal.rpartition("@")[2])) for normal in normal_forms]

    def reference_idkeys(self, reference: str) -> tuple[bytes, ...]:
        """
        Return every idkey under which a host's own reference may be found, the one of the current key first.
        """
        return self._keys.reference_idkeys(self._organisation, reference)

    def reference(self, subject: bytes, reference: str) -> Reference:
        """
        Return the row that names a contact by a host's own reference.
        """
        idkey = self.reference_idkeys(reference)[0]
        return Reference(idkey=idkey, subject=subject, key_version=self._keys.all[0].version)

    def domain_idkeys(self, address: Address) -> tuple[bytes, ...]:
        """
        Return the idkeys of the domains of an address, under which a stop for everyone there would be.
        """
        return self._idkeys_of_domain(address.domain) if isinstance(address, EmailAddress) else ()

    def _domain_suppressions(self, event: DomainObjectionRaised, mark: bytes) -> Iterator[Suppression]:
        domain = next(value for slot, value in event.personal.items() if slot.startswith("domain_"))
        for purpose in event.purposes or ("*",):
            yield Suppression(
                idkey=self._keys.domain_idkeys(self._organisation, domain)[0],
                scope=f"{_FOR_DOMAIN}{Channel.EMAIL}/{purpose}",
                at=event.occurred_at,
                key_version=self._keys.all[0].version,
                mark=mark if made_now(event) else b"",
            )

    def changes(
        self,
        subject: bytes,
        events: Sequence[Event],
        values: Mapping[int, Address],
        left: Container[int] = (),
        *,
        mark: bytes,
    ) -> IndexChanges:
        """
        Return the index rows that *events* add, release and suppress.

        A contact is still found by an address that was removed from its record, so that its objections stand there;
        only an address that it has left is free. An erasure leaves a suppression in its place.

        Args:
            values: The addresses on record by line, removed ones included; needed only if `moves_lines`.
            left: The lines that the contact had left before.
            mark: 8 random bytes that name what is suppressed as it is recorded.
        """
        version = self._keys.all[0].version
        addresses = dict(values)
        identifiers = []
        for event in events:
            if isinstance(event, LineAdded):
                addresses[event.line] = recorded_address(event.personal[f"line_{event.line}"], event.kind)
            if isinstance(event, LineAdded | LineReinstated):
                idkey = self.idkeys(addresses[event.line])[0]
                identifiers.append(Identifier(idkey=idkey, subject=subject, line=event.line, key_version=version))
        leaving = {event.line for event in events if isinstance(event, LineLeft)}
        erased = [event for event in events if isinstance(event, ContactErased)]
        # An address that they gave up and came back to is two lines, and theirs as long as one of them is.
        kept = {address for line, address in addresses.items() if line not in left and line not in leaving}
        return IndexChanges(
            identifiers=identifiers,
            release=[
                idkey
                for line in leaving
                if line in addresses and addresses[line] not in kept
                for idkey in self.idkeys(addresses[line])
            ],
            suppressions=[
                *(
                    suppression
                    for event in events
                    if isinstance(event, DomainObjectionRaised)
                    for suppression in self._domain_suppressions(event, mark)
                ),
                *(
                    Suppression(
                        idkey=self.idkeys(address)[0],
                        scope=EVERYTHING,
                        at=event.occurred_at,
                        key_version=version,
                        mark=mark,
                    )
                    for event in erased
                    for line, address in addresses.items()
                    if line not in left
                ),
            ],
        )


@attrs.frozen
class LookedUp:
    """
    Lines of contacts that were looked up.

    Attributes:
        lines: By contact, the idkeys of its lines, each with the line it stands for. Several lines of one contact may
            lie in one domain, which has one idkey.
        found: What was found under them.
    """

    lines: Mapping[bytes, Sequence[tuple[bytes, int]]]
    found: Found


async def look_up(
    storage: AsyncStorage, index: BlindIndex, addresses: Iterable[Address]
) -> tuple[list[tuple[tuple[bytes, ...], tuple[bytes, ...]]], Found]:
    """
    Look up addresses: return for each its own idkeys and those of its domains, and all that was found under them.
    """
    keys = []
    own: list[bytes] = []
    of_domains: list[bytes] = []
    for address in addresses:
        pair = index.idkeys(address), index.domain_idkeys(address)
        keys.append(pair)
        own += pair[0]
        of_domains += pair[1]
    return keys, await storage.find(own, of_domains)
