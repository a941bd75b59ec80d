"""
The settings of one manager, as the operations read them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

from optly.contacts import Organisation, Purpose
from optly.errors import UnknownPurposeError
from optly.keys import Keys
from optly.links import Pages, StopLinks
from optly.messages.pacing import Budget, QuietHours, Rate
from optly.protocols import Clock
from optly.rules import Rulebook


@attrs.frozen(kw_only=True)
class Settings:
    """
    The settings of a host, checked.

    Attributes:
        random: Returns as many random bytes as it is asked for.
        receipts: Whether people are sent a confirmation of what they agreed to.
        rates, quiet_hours, budget: How fast and when messages are sent, and how often one person is asked.
        catalogues: Directories with the host's own catalogues, which take precedence over ours.
    """

    organisation: Organisation
    purposes: Mapping[str, Purpose]
    keys: Keys
    pages: Pages
    stop_links: StopLinks
    rulebook: Rulebook
    clock: Clock
    random: Callable[[int], bytes]
    receipts: bool
    rates: Sequence[Rate] = ()
    quiet_hours: QuietHours | None = None
    budget: Budget | None = None
    catalogues: tuple[Path, ...] = ()

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
