"""
What the tests of the command share.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from cli.listed import LISTED, LISTED_UNDATED
from click.testing import CliRunner
from world import World, world

from optly.demo.acme import Acme, opened
from optly.protocols import UNDATED, RegisterName
from optly.registers import MemoryRegister
from optly.testing.clock import FrozenClock


@pytest.fixture
def runner() -> CliRunner:
    """
    Runs the command in this process.
    """
    return CliRunner()


@pytest.fixture
def acme(tmp_path: Path, needs_server: None) -> Iterator[Acme]:
    """
    The company of the demo, with its servers running.
    """
    with opened(tmp_path) as acme:
        yield acme


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> World:
    """
    An application whose manager the commands find, at noon of 24 November 2026, with both registers of numbers.
    """
    listings = {LISTED: date(2024, 1, 5), LISTED_UNDATED: UNDATED}
    registers = [
        MemoryRegister(RegisterName.TPS, listings, as_of=date(2026, 11, 20), clock=FrozenClock()),
        MemoryRegister(RegisterName.CTPS, {}, as_of=date(2026, 11, 21), clock=FrozenClock()),
    ]
    made = world(registers=registers)
    module = ModuleType("acme_host")
    module.manager = made.manager  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "acme_host", module)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("OPTLY_APP", "acme_host:manager")
    return made
