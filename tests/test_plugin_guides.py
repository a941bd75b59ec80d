"""
The backend that the guide shows passes the suites that the guide tells its readers to run.
"""

from __future__ import annotations

from pathlib import Path

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

GUIDE = Path(__file__).parent.parent / "docs" / "how-to" / "add-a-provider.md"

_document = Sybil(parsers=[PythonCodeBlockParser()]).parse(GUIDE)
for _example in _document.examples():
    _example.evaluate()

TestSemaphoreBackend = _document.namespace["TestSemaphoreBackend"]
