"""
Anchors: heads of the log outside the store, which show that it was cut, replaced or forked.

Nothing is signed before the log was found to extend what each anchor holds, as far as that is known: otherwise a store
that was exchanged under a running process would have its head put over the one that gives it away.
"""

from __future__ import annotations

import logging

from optly._operations import log
from optly._operations.application import Anchored, Application
from optly.errors import DamagedError
from optly.record.checkpoints import Checkpoint
from optly.record.ledger import Problem

_log = logging.getLogger("optly")


async def require(app: Application) -> None:
    """
    Check that the log extends what the anchors are known to hold. One that could not be reached before is asked again.

    Raises:
        DamagedError: It does not.
    """
    for problem in await problems(app, again=False):
        raise DamagedError(f"{problem.detail}: the store is not the one whose log was anchored, or was altered")


async def problems(app: Application, *, again: bool = True) -> list[Problem]:
    """
    Compare the log with what the anchors hold.

    Args:
        again: Whether to ask those anchors, too, whose latest head is known.
    """
    for anchor in app.anchors:
        if again or not anchor.known:
            await _look(app, anchor)
    # The anchors first: by the time the head is read, another process may have sealed, and published.
    seen = {anchor.seen.note: anchor for anchor in app.anchors if anchor.seen is not None}
    if not seen:
        return []
    head = await app.storage.log_head(app.settings.organisation.key)
    return [problem for note in seen for problem in await log.kept_problems(app, head, note)]


async def _look(app: Application, anchor: Anchored) -> None:
    """
    Ask an anchor for its latest head. What is not a head of this organisation's log says nothing about it.
    """
    try:
        note = await anchor.latest()
    except Exception as error:
        _log.warning("anchor cannot be reached", extra={"anchor": anchor.name, "error": type(error).__name__})
        return
    anchor.known = True
    if note is None:
        return
    seen = log.opened(app, note)
    if seen is None:
        _log.warning("anchor holds no head that was signed for this log", extra={"anchor": anchor.name})
        return
    anchor.seen = seen


async def publish(app: Application, checkpoint: Checkpoint) -> None:
    """
    Give a head to every anchor that does not have it yet. What fails is tried again with the next seal.
    """
    behind = [each for each in app.anchors if each.known and (each.seen is None or each.seen.size < checkpoint.size)]
    if not behind or not log.is_ours(app, checkpoint):
        return
    for anchor in behind:
        try:
            await anchor.publish(checkpoint.note)
        except Exception as error:
            _log.warning("head not anchored", extra={"anchor": anchor.name, "error": type(error).__name__})
        else:
            anchor.seen = checkpoint
