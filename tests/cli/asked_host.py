"""
An application in a process of its own, with a list of companies on record, for the tests that ask it.
"""

from __future__ import annotations

import os

from world import world

from optly import ConsentManager
from optly.storage import SQLStorage
from optly.testing.clock import FrozenClock


def opened(url: str) -> ConsentManager:
    """
    Make the manager over the store at *url*.
    """
    return world(SQLStorage(url), clock=FrozenClock()).manager


def manager() -> ConsentManager:
    """
    Make the manager over the store that the environment names.
    """
    return opened(os.environ["DATABASE"])
