"""
What the tests of the command share.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from optly.cli.demo.acme import Acme, opened


@pytest.fixture
def runner() -> CliRunner:
    """
    Runs the command in this process.
    """
    return CliRunner()


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[Acme]:
    """
    The company of the demo, with its servers running.
    """
    with opened(tmp_path) as acme:
        yield acme
