"""
Where text messages go in this example: onto the console, or into a file.
"""

from __future__ import annotations

import os
from pathlib import Path

from optly import Channel
from optly.backends import ConsoleBackend


def backend() -> ConsoleBackend:
    path = os.environ.get("OPTLY_EXAMPLE_TEXTS")
    return ConsoleBackend(Channel.SMS, stream=Path(path).open("a", buffering=1) if path else None)
