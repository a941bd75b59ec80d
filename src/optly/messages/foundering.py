"""
Foundering: when the first messages of a batch are all refused alike, the account or a setting is at fault.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import attrs

from optly import typed
from optly.messages.message import Fault, Outcome, Receipt

# A verdict on one message, or on two, may be about them. From the third on it is about what they share.
_ALIKE: Final = 3


@attrs.define
class Foundering:
    """
    Whether a batch founders: the first few of it were refused with the same code, and none was accepted.

    What is known to be about an address is no such refusal.
    """

    _refusals: Counter[tuple[int | None, str]] = attrs.field(factory=Counter, init=False)
    _accepted: bool = attrs.field(default=False, init=False)

    def __bool__(self) -> bool:
        return not self._accepted and any(count >= _ALIKE for count in self._refusals.values())

    def add(self, receipt: Receipt) -> None:
        """
        Take note of what a provider answered to the next message.
        """
        if receipt.outcome is Outcome.ACCEPTED:
            self._accepted = True
        elif _is_alike(receipt):
            self._refusals[receipt.code, receipt.status] += 1

    def reconsidered(self, receipt: Receipt) -> Receipt:
        """
        Return the receipt of a message of the batch: no verdict on it if the batch founders.
        """
        if not self or not _is_alike(receipt) or self._refusals[receipt.code, receipt.status] < _ALIKE:
            return receipt
        return typed.evolve(receipt, outcome=Outcome.RETRY_LATER, fault=Fault.BACKEND)


def _is_alike(receipt: Receipt) -> bool:
    about = receipt.fault in (None, Fault.MESSAGE)
    return receipt.outcome is Outcome.REFUSED and receipt.code is not None and about
