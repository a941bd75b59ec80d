"""
The settings of one manager, as the operations read them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import attrs

from optly.contacts import EmailAddress, Organisation, Purpose
from optly.errors import AddressError, ConfigurationError, UnknownPurposeError, UsageError
from optly.keys import Keys
from optly.links import Pages, StopLinks
from optly.locale.i18n import require_readable
from optly.messages.pacing import Budget, QuietHours, Rate
from optly.protocols import Clock
from optly.rules import Rulebook


def _by_key(purposes: Iterable[Purpose]) -> Mapping[str, Purpose]:
    by_key: dict[str, Purpose] = {}
    for purpose in purposes:
        if purpose.key in by_key:
            raise ConfigurationError(f"two purposes have the key {purpose.key}")
        by_key[purpose.key] = purpose
    if not by_key:
        raise ConfigurationError("a manager needs at least one purpose")
    return by_key


def _reachable(_instance: object, _attribute: object, organisation: Organisation) -> None:
    """
    Refuse an address for complaints that no email reaches: each would fail only when someone complains.
    """
    try:
        if organisation.email:
            EmailAddress.parse(organisation.email)
    except AddressError:
        raise ConfigurationError(
            "Organisation.email is not an email address: enter one without a name, such as privacy@acme.example.com, "
            "or leave it empty"
        ) from None


def _not_negative(_instance: object, _attribute: object, keep: timedelta | None) -> None:
    if keep is not None and keep < timedelta(0):
        raise ConfigurationError("keep_settled is how long a settled message stays: it cannot be negative")


def _readable(catalogues: Iterable[Path]) -> tuple[Path, ...]:
    catalogues = tuple(catalogues)
    require_readable(catalogues)
    return catalogues


@attrs.frozen(kw_only=True)
class Settings:
    """
    The settings of a host, checked when they are made: a ConfigurationError says which of them is invalid.

    Attributes:
        random: Returns as many random bytes as it is asked for.
        receipts: Whether people are sent a confirmation of what they agreed to.
        way_back: Whether someone who stopped gets one message with a link to their choices for each stop, if their
            address is entered in a form.
        keep_settled: How long a message whose outcome is final stays in the outbox; None for ever.
        rates, quiet_hours, budget: How fast and when messages are sent, and how often one person is asked.
        catalogues: Directories with the host's own catalogues, which take precedence over ours.
    """

    organisation: Organisation = attrs.field(validator=_reachable)
    purposes: Mapping[str, Purpose] = attrs.field(converter=_by_key)
    keys: Keys
    pages: Pages = attrs.field(converter=Pages)
    rulebook: Rulebook
    clock: Clock
    receipts: bool
    way_back: bool
    keep_settled: timedelta | None = attrs.field(validator=_not_negative)
    rates: Sequence[Rate]
    quiet_hours: QuietHours | None
    budget: Budget | None
    catalogues: tuple[Path, ...] = attrs.field(converter=_readable)
    stop_links: StopLinks = attrs.field(init=False)
    random: Callable[[int], bytes] = attrs.field(init=False, default=secrets.token_bytes)

    @stop_links.default
    def _stop_links(self) -> StopLinks:
        return StopLinks.of(self.keys)

    def title(self, key: str) -> str:
        """
        Return the title of the purpose with that key; empty if there is none any more.
        """
        purpose = self.purposes.get(key)
        return "" if purpose is None else purpose.title

    def each_purpose(self, keys: str | Iterable[str]) -> tuple[str, ...]:
        """
        Return the keys of the purposes of one message, each once.

        Raises:
            UnknownPurposeError: There is no such purpose.
            UsageError: There are none.
        """
        if isinstance(keys, str):
            return (self.purpose(keys).key,)
        named = tuple(dict.fromkeys(keys))
        if not named:
            raise UsageError("a message needs at least one purpose")
        for key in named:
            self.purpose(key)
        return named

    def purpose(self, key: str) -> Purpose:
        """
        Return the purpose with that key.

        Raises:
            UnknownPurposeError: There is no such purpose.
        """
        try:
            return self.purposes[key]
        except KeyError:
            raise UnknownPurposeError(f"no such purpose; the purposes are {', '.join(self.purposes)}") from None
