"""
Optly in FastAPI. Without the dependencies, Starlette alone is enough.

Nothing is kept outside the application: the manager is part of the state that a lifespan passes to every request,
including those of mounted sub-applications.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeAlias, Unpack

from optly.contacts import Address, Channel, Contact
from optly.contrib._mounting import mount_path
from optly.errors import AddressError, AmbiguousLineError, ConfigurationError, MissingLineError, UnknownContactError
from optly.manager import AsyncConsentManager, ConsentManager
from optly.portal import PortalSettings
from optly.rules import Decision

try:
    from fastapi import Depends, HTTPException
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import HTTPConnection
    from starlette.routing import Mount, Route
    from starlette.types import Receive, Scope, Send
except ModuleNotFoundError as missing:
    raise ConfigurationError(f"{missing.name} is missing: pip install 'optly[fastapi]'") from None

_NAME: Final = "optly"

Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any]]]
OwnLifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]


def lifespan(manager: ConsentManager | AsyncConsentManager, around: OwnLifespan | None = None) -> Lifespan:
    """
    Return a lifespan for an application. It passes *manager* to requests, and closes it when the application stops.

    Args:
        around: The application's own lifespan. It starts after this one and ends before it, so it can use the manager.
    """

    @asynccontextmanager
    async def opened(app: Any) -> AsyncIterator[Mapping[str, Any]]:
        try:
            if around is None:
                yield {_NAME: manager}
            else:
                async with around(app) as state:
                    yield {**(state or {}), _NAME: manager}
        finally:
            if isinstance(manager, AsyncConsentManager):
                await manager.close()
            else:
                await run_in_threadpool(manager.close)

    return opened


def mount(
    app: Starlette,
    manager: ConsentManager | AsyncConsentManager,
    *,
    path: str | None = None,
    **settings: Unpack[PortalSettings],
) -> None:
    """
    Mount the MyOptly pages on *app*.

    Args:
        path: The path to mount them at. By default the path of `base_url`, without the ``root_path`` of the FastAPI
            application. Set it if a server or an outer application removes more of the path.
        settings: As for `ConsentManager.portal`.

    Raises:
        ConfigurationError: The path of `base_url` does not end with *path*, or the pages would cover everything.
    """
    where = mount_path(manager.pages.path, given=path, root=getattr(app, "root_path", ""))
    pages = manager.portal(**settings).asgi()
    # Without a route for the path itself, Starlette would redirect it to the host in the request.
    app.router.routes += [Route(where, _Endpoint(pages), include_in_schema=False), Mount(where, pages)]


class _Endpoint:
    """
    An ASGI application as an object, because a route treats a function as a view.
    """

    def __init__(self, application: Callable[[Scope, Receive, Send], Any]) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)


def any_manager(connection: HTTPConnection) -> ConsentManager | AsyncConsentManager:
    """
    Return the manager from the lifespan.

    Raises:
        ConfigurationError: There is none.
    """
    manager = getattr(connection.state, _NAME, None)
    if not isinstance(manager, ConsentManager | AsyncConsentManager):
        raise ConfigurationError("there is no manager: create the application with lifespan=lifespan(manager)")
    return manager


AnyManager: TypeAlias = Annotated[ConsentManager | AsyncConsentManager, Depends(any_manager)]


def blocking_manager(manager: AnyManager) -> ConsentManager:
    if not isinstance(manager, ConsentManager):
        raise ConfigurationError("the manager is an AsyncConsentManager: depend on AsyncOptlyDep")
    return manager


def async_manager(manager: AnyManager) -> AsyncConsentManager:
    if not isinstance(manager, AsyncConsentManager):
        raise ConfigurationError(
            "the manager is a ConsentManager, which blocks: depend on OptlyDep in a plain function"
        )
    return manager


# For views that are plain functions. They run in threads.
OptlyDep: TypeAlias = Annotated[ConsentManager, Depends(blocking_manager)]

# For views that are coroutines.
AsyncOptlyDep: TypeAlias = Annotated[AsyncConsentManager, Depends(async_manager)]


def _no_line() -> None:
    """
    Name no line.
    """


def permitted(
    channel: Channel | str, purpose: str, *, to: Callable[..., Any], line: Callable[..., Any] = _no_line
) -> Callable[..., Any]:
    """
    Return a dependency that checks with the gate, and passes the `Decision` to the view if the message is allowed.

    If it is not, the view is not called and the response is 403 with the reason. For a malformed address, an unknown
    contact or a line that is missing or not clear it is 422.

    Args:
        to: A dependency that returns the recipient: an address or a contact.
        line: A dependency that returns the number of the line that is meant, for a contact who may have several for the
            channel.
    """
    channel = Channel.of(channel)

    async def decided(
        manager: AnyManager,
        # A default, because an annotation would be evaluated where *to* is not defined.
        who: str | Address | Contact = Depends(to),  # noqa: B008
        number: int | None = Depends(line),
    ) -> Decision:
        try:
            decision = await _check(manager, who, channel, purpose, number)
        except (AddressError, AmbiguousLineError, MissingLineError, UnknownContactError) as error:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY.value, detail=str(error)) from error
        if not decision:
            raise HTTPException(
                HTTPStatus.FORBIDDEN.value,
                detail={
                    "reason": decision.reason,
                    "regulation": decision.regulation,
                    "explanation": decision.explanation,
                },
            )
        return decision

    return decided


async def _check(
    manager: ConsentManager | AsyncConsentManager,
    who: str | Address | Contact,
    channel: Channel,
    purpose: str,
    line: int | None,
) -> Decision:
    if isinstance(manager, AsyncConsentManager):
        return await manager.check(who, channel, purpose, line=line)
    return await run_in_threadpool(manager.check, who, channel, purpose, line=line)
