"""
Modules that have moved are still found under their earlier, documented paths.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from optly._moved import MOVED


@pytest.mark.parametrize(("earlier", "now"), MOVED.items())
def test_an_earlier_path_gives_the_same_module(earlier: str, now: str) -> None:
    """
    Both paths name one module, so that a class imported by either is the same class.
    """
    assert import_module(now) is import_module(earlier)


def test_an_earlier_path_can_be_imported_first() -> None:
    """
    Nothing else of Optly has to be imported before it.
    """
    script = "from optly.events import Manner; import optly; print(Manner is optly.Manner is optly.events.Manner)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_a_path_that_never_was_is_not_found() -> None:
    """
    The finder answers for the paths it lists and for no other.
    """
    with pytest.raises(ModuleNotFoundError):
        import_module("optly.there_is_no_such_module")
