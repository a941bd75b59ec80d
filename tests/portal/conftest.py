"""
What the tests of the portal share.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from chromium import chromium
from portal.visitor import Acme, Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser(needs_browser: None) -> Iterator[Browser]:
    """
    A real browser.
    """
    with chromium() as started:
        yield started


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
