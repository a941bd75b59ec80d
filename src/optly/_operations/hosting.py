"""
Hosting: the operations of a manager inside a transaction that its host began, and will commit or roll back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from optly import typed
from optly._operations.application import Application
from optly._operations.keyed import KeyedStorage
from optly._operations.repository import Listener, Unheard, notifier
from optly._operations.running import Wrap, directly, run_to_completion
from optly.errors import UsageError
from optly.protocols import Commit, OnCommit, Storage, TransactionalStorage

T = TypeVar("T")


def within(
    wrap: Wrap,
    app: Application,
    storage: Storage,
    connection: Any,
    *,
    on_commit: OnCommit | None,
    on_events: Listener | None,
) -> tuple[Storage, Application]:
    """
    Return a store, and an application on it, that take part in a transaction.

    Args:
        wrap: How the application awaits its ports.
        storage: The store of the application, as it was passed in.

    Raises:
        UsageError: The store or the connection is not of a kind that can, or nothing tells when it is committed.
    """
    if not isinstance(storage, TransactionalStorage):
        raise UsageError(f"{type(storage).__name__} takes part in no transaction of the host's: use SQLStorage")
    if wrap is not directly:
        connection, wrap = _awaited(connection)
    hosted = storage.within(connection)
    own = app.repository
    later = None
    if on_events is not None:
        hook = on_commit or storage.commit_hook(connection)
        if hook is None:
            raise UsageError("on_events is called after the commit: pass on_commit, which calls a function after it")
        later = _later(app, storage, on_events, hook)
    kept = KeyedStorage(hosted, wrap, app.settings, own.macs)
    return hosted, typed.evolve(
        app, storage=kept, repository=typed.evolve(own, storage=kept, listener=None, later=later), hosted=True
    )


def _awaited(connection: Any) -> tuple[object, Wrap]:
    """
    Return the connection inside an awaited one, and what runs a function that uses it.
    """
    inner = getattr(connection, "sync_session", None) or getattr(connection, "sync_connection", None)
    if inner is None:
        raise UsageError(
            f"{type(connection).__name__} is not a connection that this takes: pass an AsyncConnection or an "
            "AsyncSession of SQLAlchemy; any other goes to ConsentManager"
        )

    def wrap(function: Callable[..., T], /) -> Callable[..., Awaitable[T]]:
        async def call(*args: Any, **kwargs: Any) -> T:
            result: T = await connection.run_sync(lambda _: function(*args, **kwargs))
            return result

        return call

    return inner, wrap


def _later(
    app: Application, storage: Storage, on_events: Listener, hook: OnCommit
) -> Callable[[Sequence[Commit], Unheard], object]:
    """
    Return what calls the listener after the commit with what was recorded, if it then is on record.
    """
    outside = typed.evolve(
        app.repository,
        storage=KeyedStorage(storage, directly, app.settings, app.repository.macs),
        listener=directly(notifier(on_events)),
    )
    return lambda commits, unheard: hook(lambda: run_to_completion(outside.notify_if_committed(commits, unheard)))
