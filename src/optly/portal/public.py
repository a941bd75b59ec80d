"""
For everyone: help, a new link, the files, and what providers report.
"""

from __future__ import annotations

from http import HTTPStatus

from optly.errors import AddressError, NoBackendError, TooManyTriesError
from optly.locale.i18n import N_
from optly.portal.done import Act
from optly.portal.http import Refusal
from optly.portal.visit import Visit
from optly.protocols.http import Response

_NO_LINK_THERE = N_("We cannot send a link there. Try your email address or your mobile number, or contact us")


def show_front(visit: Visit) -> Response:
    """
    Show what these pages are to someone who typed their address in, and how they come to their own; or that they have
    signed out.
    """
    if visit.done is not None and visit.done.act is Act.FINISHED:
        return visit.done_page(
            N_("You are signed out"),
            N_("Nothing has been kept in this browser. To come back, use the link in any message from us."),
        )
    return visit.page("front", title=N_("Your choices"), value="", error=None)


def show_help(visit: Visit) -> Response:
    """
    Show what these pages are and who to ask.
    """
    return visit.page("help", title=N_("Help"))


def show_file(visit: Visit) -> Response:
    """
    Send the style sheet, the icon or a logo.
    """
    found = visit.site.look.file(visit.argument)
    if found is None:
        raise Refusal(HTTPStatus.NOT_FOUND)
    return found


def receive_webhook(visit: Visit) -> Response:
    """
    Record what a provider reports to the backend of that name, and answer once all of it is recorded.

    What cannot be recorded now raises, and the provider repeats the request: what was recorded of it then counts once.
    """
    site = visit.site
    if visit.argument not in site.webhooks:
        raise Refusal(HTTPStatus.NOT_FOUND)
    webhook = site.webhooks[visit.argument].webhook(visit.request, now=visit.self_service.clock())
    for event in webhook.events:
        received = site.receive(event)
        if site.on_received is not None:
            site.on_received(received)
    return webhook.response


def show_new_link(visit: Visit, value: str = "", error: str | None = None) -> Response:
    """
    Show the form that has a link sent; after an error, with what was typed. Or say that it was sent.
    """
    if visit.done is not None and visit.done.act is Act.SENT:
        return visit.done_page(
            N_("Check your messages"),
            N_("If we have that address or number, we have sent a link to it. It should arrive within a few minutes."),
            N_("If it doesn’t arrive, check your spam folder or contact us."),
        )
    error = None if error is None else visit.say(visit.language, error)
    return visit.page("new_link", title=N_("Send me a new link"), value=value, error=error)


def send_new_link(visit: Visit) -> Response:
    """
    Have a link sent to an address, if it is on record. The page says the same whether it is or not, and also to someone
    who asks too often.
    """
    form = visit.form()
    typed = form.get("address", ("",))[-1]
    try:
        if visit.site.limiter.may_send_link(visit.client):
            visit.self_service.request_link(typed, language=visit.language)
    except AddressError:
        return show_new_link(visit, typed, N_("Enter an email address, or a mobile number like 07911 123456"))
    except NoBackendError:
        return show_new_link(visit, typed, _NO_LINK_THERE)
    except TooManyTriesError:
        pass
    return visit.led_to("/new-link", Act.SENT)
