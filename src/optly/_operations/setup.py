"""
Setting up: from the arguments of a manager to the application that its operations work with.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from optly import protocols
from optly._operations import anchoring
from optly._operations.application import Anchored, Application, Backend
from optly._operations.blind_index import BlindIndex
from optly._operations.keyed import KeyedStorage, use_current_key
from optly._operations.repository import Listener, Repository, notifier
from optly._operations.row_macs import RowMacs
from optly._operations.running import Awaited, Wrap, directly, run_to_completion
from optly._operations.settings import Settings
from optly.contacts import Channel
from optly.errors import ConfigurationError
from optly.messages import BatchInterrupted, Message, Receipt

_log = logging.getLogger("optly")


def system_clock() -> datetime:
    return datetime.now(UTC)


def make_application(
    wrap: Wrap,
    settings: Settings,
    *,
    storage: protocols.Storage,
    backends: Iterable[protocols.MessageBackend | protocols.AsyncMessageBackend],
    registers: Iterable[protocols.Register],
    anchors: Iterable[protocols.Anchor],
    on_events: Listener | None,
) -> Application:
    """
    Combine settings and ports. Reads the store, to check that the keys of every record are among the keys, and the
    anchors, to check that the log is the one they know.

    Args:
        wrap: Makes the methods of blocking ports awaitable.

    Raises:
        ConfigurationError: A setting is invalid, or a key that records were written with is missing.
        DamagedError: The log does not extend what an anchor holds.
    """
    by_channel = _by_channel(backends, wrap)
    if inspect.iscoroutinefunction(on_events):
        raise ConfigurationError("on_events must be a plain function: it is called in a thread and not awaited")
    use_current_key(storage, settings, RowMacs(settings.keys))
    anchors = tuple(anchors)
    app = application(
        wrap,
        settings,
        storage=storage,
        backends=by_channel,
        registers=registers,
        anchors=[_anchored(anchor, wrap) for anchor in anchors],
        on_events=on_events,
    )
    _compare_with_anchors(app, storage, anchors)
    _warn_about_complaints(app)
    return app


def _anchored(anchor: protocols.Anchor, wrap: Wrap) -> Anchored:
    return Anchored(anchor.name, wrap(anchor.publish), wrap(anchor.latest), wrap(anchor.close))


def _compare_with_anchors(app: Application, storage: protocols.Storage, anchors: Sequence[protocols.Anchor]) -> None:
    """
    Raises:
        DamagedError: The log does not extend what an anchor holds.
    """
    direct = [_anchored(anchor, directly) for anchor in anchors]
    run_to_completion(
        anchoring.require(
            application(directly, app.settings, storage=storage, backends={}, anchors=direct, on_events=None)
        )
    )
    for anchor, looked_at in zip(app.anchors, direct, strict=True):
        anchor.known, anchor.seen = looked_at.known, looked_at.seen


def _warn_about_complaints(app: Application) -> None:
    """
    Log what keeps the organisation from hearing of complaints.
    """
    if not app.hears_complaints:
        _log.warning(
            "no marketing is sent, because the organisation would not be alerted to complaints: give it an email "
            "address, or pass on_events"
        )
    elif app.repository.listener is None and app.backends and Channel.EMAIL not in app.backends:
        _log.warning(
            "no email alerts the organisation to complaints: pass a message backend for email, or on_events, or read "
            "the list of complaints"
        )


def application(
    wrap: Wrap,
    settings: Settings,
    *,
    storage: protocols.Storage,
    backends: Mapping[Channel, Backend],
    registers: Iterable[protocols.Register] = (),
    anchors: Sequence[Anchored] = (),
    on_events: Listener | None,
) -> Application:
    """
    Combine settings and ports that have been checked.
    """
    index, macs = BlindIndex(settings.organisation.key, settings.keys), RowMacs(settings.keys)
    awaited = cast("protocols.AsyncStorage", KeyedStorage(storage, wrap, settings, macs))
    return Application(
        settings=settings,
        repository=Repository(
            settings=settings,
            index=index,
            storage=awaited,
            served=backends,
            macs=macs,
            listener=None if on_events is None else wrap(notifier(on_events)),
        ),
        index=index,
        storage=awaited,
        backends=backends,
        registers=tuple(cast("protocols.AsyncRegister", Awaited(register, wrap)) for register in registers),
        anchors=anchors,
    )


def _by_channel(
    backends: Iterable[protocols.MessageBackend | protocols.AsyncMessageBackend], wrap: Wrap
) -> dict[Channel, Backend]:
    by_channel: dict[Channel, Backend] = {}
    for backend in backends:
        channel = Channel.of(backend.channel)
        if channel in by_channel:
            raise ConfigurationError(f"two message backends serve {channel}")
        awaited = Awaited(backend, wrap)
        by_channel[channel] = Backend(
            name=backend.name,
            many=isinstance(backend, protocols.BatchBackend),
            send=wrap(_sends(backend)),
            close=awaited.close,
            traces=cast("protocols.AsyncTracingBackend", awaited)
            if isinstance(backend, protocols.TracingBackend)
            else None,
            takes_replies=isinstance(backend, protocols.TakesReplies) and backend.takes_replies,
        )
    return by_channel


def _sends(
    backend: protocols.MessageBackend | protocols.AsyncMessageBackend,
) -> Callable[[Sequence[Message], list[Receipt]], Any]:
    """
    Return what sends one part of a batch and adds the receipts to a list, in the form in which the backend sends.
    """
    method: Callable[[Any], Any] = backend.send
    if many := isinstance(backend, protocols.BatchBackend):
        method = backend.send_all

    def send(part: Sequence[Message], receipts: list[Receipt]) -> None:
        try:
            returned = method(part if many else part[0])
        except BatchInterrupted as interrupted:
            receipts += _checked(interrupted.receipts, part)
            raise interrupted.why from None
        receipts += _checked(returned if many else [returned], part)

    async def send_awaited(part: Sequence[Message], receipts: list[Receipt]) -> None:
        returned = await method(part if many else part[0])
        receipts += _checked(returned if many else [returned], part)

    return send_awaited if inspect.iscoroutinefunction(method) else send


def _checked(receipts: Sequence[Receipt], part: Sequence[Message]) -> Sequence[Receipt]:
    """
    Raises:
        TypeError: A backend did not return what it has to.
    """
    receipts = list(receipts)
    if len(receipts) != len(part) or not all(isinstance(receipt, Receipt) for receipt in receipts):
        raise TypeError("a receipt is missing")
    return receipts


def webhooks_of(
    backends: Iterable[protocols.MessageBackend | protocols.AsyncMessageBackend],
) -> dict[str, protocols.WebhookBackend]:
    return {backend.name: backend for backend in backends if isinstance(backend, protocols.WebhookBackend)}
