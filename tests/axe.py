"""
axe-core, which looks for what keeps people from using a page.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from services import missing

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = Path(__file__).parents[1] / ".peers" / "node_modules" / "axe-core" / "axe.min.js"

# The size of what is pressed is looked at under the tag of WCAG 2.2 alone.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def axe_finds(page: Page) -> str:
    """
    Return what axe finds on a page; empty for nothing. The page must be able to run scripts.
    """
    from axe_playwright_python.sync_playwright import Axe

    if not AXE.exists():
        missing("axe-core", "run tests/peers/install")
    options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    found = Axe.from_file(str(AXE)).run(page, options=options)
    return str(found.generate_report()) if found.violations_count else ""
