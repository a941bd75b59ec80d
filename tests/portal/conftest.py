"""
What the tests of the portal share.
"""

from __future__ import annotations

import pytest
from visitor import Acme, Visitor


@pytest.fixture
def acme() -> Acme:
    """
    An organisation that may ask one contact.
    """
    return Acme.open()


@pytest.fixture
def visitor(acme: Acme) -> Visitor:
    """
    Somebody with a browser, who may answer as soon as they are asked.
    """
    return Visitor(acme.manager.portal(hold_yes_within=None))
