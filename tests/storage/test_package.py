"""
How the stores are found, and what is said when what they stand on is missing.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

import optly.storage

MISSING = """
import sys
sys.modules[{missing!r}] = None
from optly.errors import ConfigurationError
from optly.storage import MemoryStorage
try:
    from optly.storage import {name}
except ConfigurationError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "missing", "extra"), [("SQLStorage", "sqlalchemy", "sql"), ("FileStorage", "portalocker", "file")]
)
def test_a_missing_extra_is_named(name: str, missing: str, extra: str) -> None:
    """
    When the store is asked for, and not before.
    """
    script = MISSING.format(name=name, missing=missing)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"pip install 'optly[{extra}]'" in done.stdout


def test_every_store_is_found() -> None:
    """
    By the names that are public, and by no other.
    """
    assert [*optly.storage.__all__] == [getattr(optly.storage, name).__name__ for name in optly.storage.__all__]
    with pytest.raises(AttributeError):
        _ = optly.storage.PaperStorage
