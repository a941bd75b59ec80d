"""
What a rulebook is.
"""

from __future__ import annotations

from typing import Protocol

from optly.record.standing import Standing
from optly.rules.communication import Communication
from optly.rules.decision import Decision


class Rulebook(Protocol):
    """
    Decides whether a message may be sent. Pure: the same facts give the same decision.
    """

    @property
    def edition(self) -> str:
        """
        The edition of the law, as it appears in every decision.
        """

    def assess(self, communication: Communication, standing: Standing) -> Decision:
        """
        Decide. A fact that is missing is a refusal.
        """
