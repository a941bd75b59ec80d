"""
One request: its credential, its language, and the pages it may be answered with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote

import attrs

from optly.errors import LinkError
from optly.links import lasting
from optly.locale.i18n import N_, catalogue, clock_time, languages, nearest, negotiate, parse_accept, spelt
from optly.messages import DeliveryEvent, InboundMessage
from optly.portal.cookies import csrf_of, is_csrf_of
from optly.portal.done import PARAMETER, Act, Done, Signatures
from optly.portal.http import CodeNeeded, Refusal, is_from_our_page, read_form
from optly.portal.limits import Limiter, client_address
from optly.portal.logs import log_failure
from optly.portal.look import Look
from optly.portal.shown import Link, SignedIn
from optly.protocols import WebhookBackend
from optly.protocols.http import Request, Response
from optly.record.commands import Context
from optly.record.events import LinkKind
from optly.record.views import Opened
from optly.results import Received
from optly.self_service import Person, SelfService


@attrs.frozen(kw_only=True)
class Site:
    """
    What is the same for every request.

    Attributes:
        webhooks: The backends that receive webhooks, by name.
        receive: Records an event that one of them reports.
        on_received: Called with the result of each event, after it is recorded; None for nothing.
        hold_yes_within: How soon after its message a yes is held; None for never.
        proxies: How many proxies stand in front of the server.
    """

    self_service: SelfService
    look: Look
    limiter: Limiter
    signatures: Signatures
    webhooks: Mapping[str, WebhookBackend]
    receive: Callable[[DeliveryEvent | InboundMessage], Received]
    on_received: Callable[[Received], object] | None = None
    keep_context: bool = False
    hold_yes_within: timedelta | None = None
    proxies: int = 0
    api: bool = False


def quoted(text: str) -> str:
    """
    Return *text* as it stands in a path.
    """
    return quote(text, safe="", errors="replace")


@attrs.frozen(kw_only=True, slots=False)
class Visit:
    """
    One request to the pages.

    Attributes:
        argument: The variable part of the path.
        credential: The code of the link or the session that opens the visitor's own pages; None on pages for everyone.
        in_session: Whether the code came in the cookie rather than in the path.
    """

    site: Site
    request: Request
    argument: str = attrs.field(default="", repr=False)
    credential: str | None = attrs.field(default=None, repr=False)
    in_session: bool = False

    @property
    def self_service(self) -> SelfService:
        return self.site.self_service

    @cached_property
    def me(self) -> Person:
        """
        The person whose credential it is. Looked up once for the request.
        """
        return self.self_service.enter(self.code)

    @property
    def is_entered(self) -> bool:
        """
        Whether the credential was looked up for the request and is good, whatever may have gone wrong since.
        """
        return "me" in vars(self)

    @property
    def mount(self) -> str:
        return self.site.look.mount

    @property
    def code(self) -> str:
        """
        The credential, on pages that have one.
        """
        assert self.credential is not None
        return self.credential

    @property
    def own(self) -> str:
        """
        Path of the visitor's own pages below the mount.
        """
        return "/me" if self.in_session else f"/l/{quoted(self.code)}"

    @property
    def home(self) -> str:
        """
        Path of the visitor's own pages.
        """
        return f"{self.mount}{self.own}"

    @property
    def context(self) -> Context | None:
        """
        Where an answer comes from, if the host keeps that.
        """
        if not self.site.keep_context:
            return None
        return Context(address=self.request.remote_addr, browser=", ".join(self.request.values("user-agent")))

    @property
    def client(self) -> str:
        """
        The name under which the client is counted.
        """
        return client_address(self.request, self.site.proxies)

    @cached_property
    def query(self) -> Mapping[str, list[str]]:
        try:
            return parse_qs(self.request.query, max_num_fields=20)
        except ValueError:
            return {}

    # ---- what was done

    @cached_property
    def done(self) -> Done | None:
        """
        What was done here just now, as the address says.
        """
        signed = self.query.get(PARAMETER, [""])[-1]
        return self.site.signatures.read(signed, self._place, now=self.self_service.clock()) if signed else None

    @property
    def _place(self) -> str:
        # The code of a session changes with each renewal, but for this part.
        return lasting(self.code) if self.in_session else self.credential or self.argument

    def led_to(
        self, path: str, act: Act, *details: str, headers: Iterable[tuple[str, str]] = (), language: str = ""
    ) -> Response:
        """
        Redirect the browser to the page that says what was done.

        Args:
            details: What the page cannot find out by itself. Names nobody, as it stands in the address.
            language: The language to read it in, if not the one that was chosen.
        """
        signed = self.site.signatures.sign(Done(act, self.self_service.clock(), details), self._place)
        return self.to(f"{path}?{PARAMETER}={signed}", headers=headers, language=language)

    # ---- languages

    @cached_property
    def chosen(self) -> str:
        """
        The language that was chosen on the page; empty for none.
        """
        offered = languages(self.site.look.catalogues)
        wanted = spelt(self.query.get("lang", [""])[-1]) or ""
        return wanted if wanted in offered else ""

    @cached_property
    def language(self) -> str:
        """
        The language of a page for an unknown visitor: the one chosen, or the one their browser prefers.
        """
        wanted = parse_accept(",".join(self.request.values("accept-language")))
        return self.chosen or negotiate(wanted, languages(self.site.look.catalogues))

    def language_for(self, opened: Opened | None) -> str:
        """
        Return the language of a page for a known person: the one chosen, or their own.
        """
        if opened is None:
            return self.language
        return self.chosen or nearest(opened.language, self.site.look.catalogues)

    def say(self, language: str, text: str, **facts: str) -> str:
        """
        Return *text* in a language, with *facts* filled in.
        """
        said = catalogue(language, self.site.look.catalogues).gettext(text)
        return said % facts if facts else said

    # ---- forms

    def form(self) -> Mapping[str, tuple[str, ...]]:
        """
        Return the form that was sent, if one of our pages sent it.

        Raises:
            Refusal: It comes from another site, or is not one of our forms.
        """
        if not is_from_our_page(self.request, self.self_service.pages.origin):
            raise Refusal(HTTPStatus.FORBIDDEN)
        form = read_form(self.request)
        if self.in_session and not is_csrf_of(self.code, form.get("csrf", ())):
            raise Refusal(HTTPStatus.FORBIDDEN)
        return form

    # ---- pages

    def open(self) -> Opened:
        """
        Return what the credential opens.
        """
        return self.me.open(language=self.chosen)

    def require_raised(self, opened: Opened) -> None:
        """
        Redirect someone who has not entered a one-time code to the page where it is entered.

        Raises:
            CodeNeeded: They have not.
        """
        if not opened.raised:
            raise CodeNeeded

    def opened_or_none(self) -> Opened | None:
        """
        Return what the credential still opens, so that what was done through it can be undone; None if nothing, or if
        that cannot be read.
        """
        try:
            return self.open()
        except LinkError:
            return None
        except Exception as error:  # what was done is done, whatever of the record cannot be shown
            log_failure(error)
            return None

    def page(self, template: str, *headers: tuple[str, str], title: str, language: str = "", **facts: Any) -> Response:
        """
        Return a page for everyone, with its title in the language of the page; by default, that of an unknown visitor.
        """
        return self._page(template, *headers, title=title, language=language or self.language, **facts)

    def _page(
        self,
        template: str,
        *headers: tuple[str, str],
        title: str,
        language: str,
        status: HTTPStatus = HTTPStatus.OK,
        **facts: Any,
    ) -> Response:
        # Wherever a form is shown again with what is wrong in it, the status says so.
        if facts.get("error") or facts.get("errors"):
            status = HTTPStatus.UNPROCESSABLE_ENTITY
        title = self.say(language, title)
        here = "" if self.done is None else f"?{PARAMETER}={quote(self.query[PARAMETER][-1])}"
        return self.site.look.page(
            status,
            template,
            *headers,
            title=title,
            language=language,
            here=f"{facts.pop('here', None) or ''}{here}",
            carried=self.chosen,
            **facts,
        )

    def own_page(
        self, opened: Opened, template: str, *, title: str, place: str = "", here: str = "", **facts: Any
    ) -> Response:
        """
        Return one of the visitor's own pages.

        Args:
            place: The last part of its path.
            here: Where it can be seen again, if not there.
        """
        language, signed_in = self.language_for(opened), None
        if opened.raised and opened.ends_at is not None:
            signed_in = SignedIn(masked=opened.masked, until=clock_time(opened.ends_at, language))
        return self._page(
            template,
            title=title,
            language=language,
            # In a session the path is no secret, so the forms hold one.
            code=None if self.in_session else self.code,
            csrf=csrf_of(self.code) if self.in_session else None,
            home=self.home,
            here=here or (f"{self.home}/{place}" if place else self.home),
            opened=opened,
            nav=tuple(self._ways(opened, language, place)),
            session=signed_in,
            **facts,
        )

    def done_page(self, heading: str, *texts: str) -> Response:
        """
        Return a page for everyone that says what was done.
        """
        said = [self.say(self.language, text) for text in texts]
        return self.page("done", title=heading, heading=self.say(self.language, heading), texts=said, links=())

    def own_done_page(
        self, opened: Opened, heading: str, *texts: str, place: str = "", links: Sequence[Link] = ()
    ) -> Response:
        """
        Return one of the visitor's own pages that says what was done, in texts that are translated already.
        """
        said = self.say(self.language_for(opened), heading)
        return self.own_page(opened, "done", title=heading, place=place, heading=said, texts=texts, links=links)

    def _ways(self, opened: Opened, language: str, place: str) -> list[Link]:
        if opened.kind not in (LinkKind.MANAGE, LinkKind.SESSION):
            return []
        ways = [("", N_("Your choices"))]
        if opened.raised:
            ways += [("details", N_("Your details")), ("history", N_("Your history"))]
            ways += [("copy", N_("A copy of your data"))] if opened.copyable else []
        elif opened.verifiable:
            ways += [("code", N_("Your details"))]
        ways += [("complaint", N_("Complain"))]
        home = self.home
        return [
            Link(label=self.say(language, label), href=f"{home}/{name}" if name else home, current=name == place)
            for name, label in ways
        ]

    def to(self, path: str, *, headers: Iterable[tuple[str, str]] = (), language: str = "") -> Response:
        """
        Redirect the browser to another of our pages, in the language that was chosen.
        """
        if language := language or self.chosen:
            path += f"{'&' if '?' in path else '?'}lang={language}"
        return self.site.look.redirect(f"{self.mount}{path}", *headers)
