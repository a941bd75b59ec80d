"""
MyOptly: the pages on which people answer, see and change their choices and details, and stop everything.

A `Portal` turns a `Request` into a `Response` and knows no server. `wsgi` and `asgi` make an application of it for any
host; mount it where `base_url` says. `RedactLinks` keeps links out of a server's log. The webhooks of the backends are
mounted with the pages.

May import `self_service` and what it may import.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Unpack, cast

import attrs

from optly import typed
from optly.errors import ConfigurationError
from optly.messages import DeliveryEvent, InboundMessage
from optly.portal.done import Signatures
from optly.portal.guard import TemplateFinding
from optly.portal.limits import Limiter, Limits
from optly.portal.logs import RedactLinks
from optly.portal.look import Look
from optly.portal.pages import respond
from optly.portal.settings import HOLD_YES_WITHIN, PortalSettings
from optly.portal.theme import Theme
from optly.portal.visit import Site
from optly.protocols import Storage, WebhookBackend
from optly.protocols.http import Request, Response
from optly.results import Received
from optly.self_service import SelfService

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from optly.portal.asgi import ASGIApplication

__all__ = ["Limits", "Portal", "PortalSettings", "RedactLinks", "Request", "Response", "TemplateFinding", "Theme"]


@attrs.frozen
class Portal:
    """
    The pages of one manager. Safe to share between threads.
    """

    _site: Site = attrs.field(repr=False)

    @classmethod
    def of(
        cls,
        self_service: SelfService,
        *,
        storage: Storage,
        secret: bytes,
        webhooks: Mapping[str, WebhookBackend],
        receive: Callable[[DeliveryEvent | InboundMessage], Received],
        **settings: Unpack[PortalSettings],
    ) -> Portal:
        """
        Make the pages that stand on *self_service*. A host calls ``manager.portal()``.

        Args:
            storage: Where requests are counted, unless `Limits` names another place.
            secret: Names clients in counters, and signs what an address says was done.
            webhooks: The backends that receive webhooks, by name.
            receive: Records what they report.

        Raises:
            ConfigurationError: The settings cannot work.
            InvalidValueError: One is not of its type.
        """
        if unknown := settings.keys() - PortalSettings.__annotations__.keys():
            raise ConfigurationError(f"the pages have no setting {', '.join(sorted(unknown))}")
        hints = typing.get_type_hints(PortalSettings, localns=globals())
        settings = cast("PortalSettings", typed.each(settings, hints, "portal"))
        hold_yes_within = settings.get("hold_yes_within", HOLD_YES_WITHIN)
        proxies = settings.get("proxies", 0)
        if hold_yes_within is not None and hold_yes_within < timedelta(0):
            raise ConfigurationError("hold_yes_within must not be negative")
        if proxies < 0:
            raise ConfigurationError("proxies must not be negative")
        organisation = self_service.organisation
        look = Look(
            organisation=organisation,
            mount=self_service.pages.path,
            theme=settings.get("theme", Theme()),
            templates=settings.get("templates", ()),
            catalogues=tuple(self_service.catalogues),
        )
        if found := look.check():
            raise ConfigurationError(f"the pages cannot use your templates: {'; '.join(map(str, found))}")
        site = Site(
            self_service=self_service,
            look=look,
            limiter=Limiter.of(
                settings.get("limits", Limits()),
                organisation=organisation.key,
                storage=storage,
                clock=self_service.clock,
                secret=secret,
            ),
            signatures=Signatures(secret),
            webhooks=webhooks,
            receive=receive,
            on_received=settings.get("on_received"),
            keep_context=settings.get("keep_context", False),
            hold_yes_within=hold_yes_within,
            proxies=proxies,
            api=settings.get("api", False),
        )
        return cls(site)

    def handle(self, request: Request) -> Response:
        """
        Return the response to *request*. Raises nothing.
        """
        return respond(self._site, request)

    @property
    def look(self) -> Look:
        """
        How the pages look.
        """
        return self._site.look

    def check_templates(self) -> tuple[TemplateFinding, ...]:
        """
        Load the host's own templates again, and return what is wrong with them by now. A page that needs one named here
        is made without them. `optly.testing.templates.check_templates` looks at the pages as well.
        """
        return self.look.check()

    def wsgi(self) -> WSGIApplication:
        """
        Return the pages as a WSGI application.
        """
        from optly.portal.wsgi import wsgi_application

        return wsgi_application(self.handle, self.look.mount)

    def asgi(self) -> ASGIApplication:
        """
        Return the pages as an ASGI application.
        """
        from optly.portal.asgi import asgi_application

        return asgi_application(self.handle, self.look.mount)
