"""
Places outside the store that keep signed heads of the log: :class:`FileAnchor` and :class:`HTTPAnchor`.

Someone who can write to the store can put an older copy in its place, or another log. They cannot do so in a place that
they cannot write to.

May import `backends`, for calls over HTTP, and what they may import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optly import _lazy

if TYPE_CHECKING:
    from optly.anchors.file import FileAnchor
    from optly.anchors.http import HTTPAnchor

__all__ = ["FileAnchor", "HTTPAnchor"]

__getattr__ = _lazy.importer(__name__, {"FileAnchor": "file", "HTTPAnchor": "http"})
