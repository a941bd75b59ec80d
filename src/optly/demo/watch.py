"""
Who comes to the pages, and what comes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Final

import attrs

from optly.demo.acme import Acme
from optly.demo.web import Handle
from optly.protocols.http import Request, Response
from optly.record.events import Event

# The pages of somebody in particular, and the one that sends them there. Style sheets and the help tell nothing.
_PAGES: Final = frozenset({"l", "u", "me", "new-link"})
_TICK: Final = 0.5  # seconds; on Windows a wait without an end could not be interrupted


@attrs.frozen(kw_only=True)
class Visit:
    """
    Somebody asked for one of the pages.

    Attributes:
        posted: Whether a button was pressed.
        status: What the page answered.
        events: What came onto the record by it.
    """

    posted: bool
    status: int
    events: Sequence[Event]


class Watch:
    """
    Sees who comes to the pages. One request at a time, so that it is certain what came of which.

    Attributes:
        lock: Held while a request is answered, and by whoever else changes the record.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self._visits: SimpleQueue[Visit | None] = SimpleQueue()
        self._acme: Acme | None = None

    def begin(self, acme: Acme) -> None:
        """
        Watch the record of *acme* from now on.
        """
        self._acme = acme

    def around(self, handle: Handle) -> Handle:
        """
        Return *handle* with every request for Ada's pages seen.
        """

        def seen(request: Request) -> Response:
            acme = self._acme
            if acme is None or request.path.removeprefix("/").partition("/")[0] not in _PAGES:
                return handle(request)
            with self.lock:
                known = len(acme.history())
                response = handle(request)
                events = acme.history()[known:]
            self._visits.put(Visit(posted=request.method == "POST", status=response.status, events=events))
            return response

        return seen

    def next(self) -> Visit | None:
        """
        Wait for the next visit and return it, or None when the watch has ended.
        """
        while True:
            try:
                return self._visits.get(timeout=_TICK)
            except Empty:
                continue

    def end(self) -> None:
        """
        End the watch after the visits so far. May be called by a signal handler.
        """
        self._visits.put(None)
