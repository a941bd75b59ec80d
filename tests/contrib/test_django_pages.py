"""
The pages inside of Django: by its test client, and on real servers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from contrib import django_site
from contrib.django_site import MIDDLEWARE, Shop
from django.core.asgi import get_asgi_application
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.test import Client, RequestFactory, override_settings
from portal.servers import asgi_server, wsgi_server
from portal.visitor import Page
from world import EMAIL_OFFERS, SMS_OFFERS

from optly import Channel, Contact, Solicited
from optly.backends import MemoryBackend
from optly.contrib.django import get_manager, get_portal
from optly.contrib.django.views import _response, pages
from optly.portal.http import MAX_READ
from optly.protocols.http import Request, Response
from optly.testing.browser import read
from optly.testing.messages import code_in

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def shop() -> Iterator[Shop]:
    with django_site.opened() as shop:
        yield shop


def ask(shop: Shop, contact: Contact) -> str:
    """
    Ask by email, and return the code in the message.
    """
    shop.manager.request_consent(
        contact,
        via=Channel.EMAIL,
        channels=[Channel.EMAIL, Channel.SMS],
        purposes=["offers"],
        basis=Solicited(how="newsletter form", at=shop.clock()),
    )
    shop.manager.deliver()
    (backend,) = shop.manager.backends
    assert isinstance(backend, MemoryBackend)
    return code_in(backend.outbox[-1])


def direct(path: str) -> Response:
    return get_portal().handle(Request(method="GET", path=path))


def one_click(shop: Shop, contact: Contact) -> str:
    """
    Return the path that a mail program sends its stop to.
    """
    link = shop.manager.unsubscribe_headers(contact, "offers")["List-Unsubscribe"].strip("<>")
    return link.removeprefix("https://acme.example.com")


def test_the_pages_are_where_they_are_mounted_and_nothing_else_is(shop: Shop) -> None:
    """
    The host's own page is as it was.
    """
    assert b"the shop" == shop.client.get("/").content
    assert HTTPStatus.OK == shop.client.get("/my/help").status_code
    assert HTTPStatus.NOT_FOUND == shop.client.get("/my/nothing-here").status_code
    assert HTTPStatus.NOT_FOUND == shop.client.get("/my/l/a%0Ab").status_code


@pytest.mark.parametrize("path", ["/help", "/l/0000000000000000", "/nothing", "/static/nothing"])
def test_the_middleware_of_a_new_project_changes_no_header(shop: Shop, path: str) -> None:
    """
    Every header is that of the page itself, and there are no others but what the page says nothing of.
    """
    served, own = shop.client.get(f"/my{path}"), direct(path)
    assert own.status == served.status_code
    assert dict(own.headers).items() <= {name.lower(): value for name, value in served.items()}.items()
    assert own.body == served.content


def test_a_question_is_answered_though_forms_are_checked(shop: Shop) -> None:
    """
    With Django's CSRF check on, whose token these forms do not have.
    """
    ada = shop.add()
    code = ask(shop, ada)
    page = shop.client.get(f"/my/l/{code}")
    assert HTTPStatus.OK == page.status_code
    item = {item.key: item for item in shop.manager.open(code).items}
    shop.clock.advance(timedelta(hours=1))
    sent = filled_in(page.content.decode(), {"email-offers": True, "sms-offers": False})
    ours = {"sec-fetch-site": "same-origin"}
    saved = shop.client.post(f"/my/l/{code}", sent, content_type=FORM, headers=ours, follow=True)
    assert (HTTPStatus.OK, 1) == (saved.status_code, len(saved.redirect_chain))
    assert "Your choices are saved" in saved.content.decode()
    assert {EMAIL_OFFERS, SMS_OFFERS} == set(item)
    assert shop.manager.check(ada, Channel.EMAIL, "offers")
    assert not shop.manager.check(ada, Channel.SMS, "offers")


def filled_in(page: str, answers: dict[str, bool]) -> str:
    found = Page(read(page))
    return urlencode(found.filled_in(found.actions[0], answers))


def test_a_form_of_another_site_is_turned_away(shop: Shop) -> None:
    """
    By the check of the pages' own.
    """
    ada = shop.agreed()
    code = shop.manager.link(ada).rpartition("/")[2]
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://elsewhere.example"}):
        answer = shop.client.post(f"/my/l/{code}", "email-offers=no", content_type=FORM, headers=headers)
        assert HTTPStatus.FORBIDDEN == answer.status_code
    assert shop.manager.check(ada, Channel.EMAIL, "offers")


@pytest.mark.parametrize("multipart", [False, True])
def test_a_mail_program_stops_with_one_request(shop: Shop, multipart: bool) -> None:
    """
    Without a cookie or a token, in either form of the body.
    """
    ada = shop.agreed()
    path = one_click(shop, ada)
    if multipart:
        body = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
        answer = shop.client.post(path, body, content_type="multipart/form-data; boundary=b")
    else:
        answer = shop.client.post(path, "List-Unsubscribe=One-Click", content_type=FORM)
    assert HTTPStatus.OK == answer.status_code
    assert not shop.manager.check(ada, Channel.EMAIL, "offers")


def reads_the_form(get_response: Any) -> Any:
    """
    A middleware of the host's that looks at what was posted, as profilers and audit logs do.
    """

    def middleware(request: Any) -> Any:
        assert request.POST is not None
        return get_response(request)

    return middleware


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=b", FORM, "text/plain", ""])
def test_a_stop_needs_no_body_that_somebody_else_has_read(shop: Shop, content_type: str) -> None:
    """
    Django gives out a multipart body only once.
    """
    ada = shop.agreed()
    body = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
    with override_settings(MIDDLEWARE=[f"{__name__}.{reads_the_form.__name__}"]):
        answer = Client().post(one_click(shop, ada), body, content_type=content_type)
    assert HTTPStatus.OK == answer.status_code
    assert not shop.manager.check(ada, Channel.EMAIL, "offers")


@pytest.mark.parametrize(("path", "status"), [("/u/{token}", 200), ("/l/{code}", 400)])
def test_a_stop_that_breaks_off_is_a_stop(shop: Shop, path: str, status: int) -> None:
    """
    Any other form is needed whole.
    """
    ada = shop.agreed()
    names = {"token": one_click(shop, ada).rpartition("/")[2], "code": shop.manager.link(ada).rpartition("/")[2]}
    environ = RequestFactory()._base_environ(REQUEST_METHOD="POST", CONTENT_LENGTH="10", CONTENT_TYPE=FORM)
    environ["wsgi.input"] = _Broken()
    answer = pages(WSGIRequest(environ), path.format(**names).lstrip("/"))
    assert status == answer.status_code
    assert (status != 200) is shop.manager.check(ada, Channel.EMAIL, "offers").allowed


class _Broken(BytesIO):
    def read(self, *_: Any) -> bytes:
        raise OSError


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(shop: Shop, method: str) -> None:
    """
    On the stop link too.
    """
    ada = shop.agreed()
    before = shop.manager.history(ada)
    answer = getattr(shop.client, method)(one_click(shop, ada))
    assert HTTPStatus.OK == answer.status_code
    assert (method == "head") == (answer.content == b"")
    assert before == shop.manager.history(ada)


def test_what_is_behind_a_log_in_does_not_take_the_pages_with_it(shop: Shop) -> None:
    """
    Nobody has to log in to stop.
    """
    middleware = [*MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    with override_settings(MIDDLEWARE=middleware):
        assert HTTPStatus.FOUND == shop.client.get("/").status_code
        assert HTTPStatus.OK == shop.client.get("/my/help").status_code


def test_a_claimed_host_leads_nowhere(shop: Shop) -> None:
    """
    What a request says of the host stands in no page.
    """
    with override_settings(ALLOWED_HOSTS=["*"]):
        page = shop.client.get("/my/help", headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
    assert HTTPStatus.OK == page.status_code
    assert b"evil.example" not in page.content
    assert "evil.example" not in str(dict(page.items()))


def test_every_cookie_survives() -> None:
    """
    With all that is said of each, though Django keeps headers by name.
    """
    cookies = [
        "__Host-optly-1=a.b-c_d; HttpOnly; Max-Age=1800; Path=/; SameSite=Lax; Secure",
        "__Host-optly-2=e; HttpOnly; Path=/; SameSite=Lax; Secure",
        'gone=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/',
    ]
    headers = (("content-type", "text/plain"), *(("set-cookie", cookie) for cookie in cookies), ("vary", "a"))
    made = _response(Response(status=HTTPStatus.SEE_OTHER, headers=(*headers, ("vary", "b")), body=b""))

    def read(cookie: str) -> tuple[str, frozenset[str]]:
        value, *attributes = cookie.split("; ")
        return value, frozenset(attribute.lower() for attribute in attributes)

    assert [read(cookie) for cookie in cookies] == [read(morsel.OutputString()) for morsel in made.cookies.values()]
    assert "a, b" == made["vary"]
    assert HTTPStatus.SEE_OTHER == made.status_code


def test_a_response_without_a_type_gets_none() -> None:
    """
    Django would call it HTML.
    """
    made = _response(Response(status=HTTPStatus.SEE_OTHER, headers=(("location", "/my/me"),), body=b""))
    assert {"location": "/my/me"} == {name.lower(): value for name, value in made.items()}


def test_no_more_is_read_than_it_takes_to_refuse(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nor does Django's own limit turn a long body into a page of Django's.
    """
    seen: list[int] = []
    handle = type(get_portal()).handle

    def spy(self: Any, request: Request) -> Response:
        seen.append(len(request.body))
        return handle(self, request)

    monkeypatch.setattr(type(get_portal()), "handle", spy)
    for length in (10, 3 * 1024 * 1024):
        answer = shop.client.post("/my/u/none", b"a" * length, content_type=FORM)
        assert answer.status_code >= 400
    assert [10, MAX_READ + 1] == seen


def test_the_links_stay_out_of_djangos_log(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """
    Django writes down the path of every request that fails.
    """
    code = "0123456789abcdefghjkmnpqrs"
    with caplog.at_level(logging.WARNING, "django.request"):
        assert shop.client.get(f"/my/l/{code}").status_code >= 400
    assert "/my/l/[redacted]" in caplog.text
    assert code not in caplog.text


@pytest.mark.server
def test_on_a_real_wsgi_server(shop: Shop) -> None:
    """
    The headers and the stop of a mail program, over the wire.
    """
    with wsgi_server(lambda _base: get_wsgi_application()) as base, httpx.Client(base_url=base) as client:
        walk(shop, client)


@pytest.mark.server
def test_on_a_real_asgi_server(shop: Shop) -> None:
    """
    The same, with Django's other handler.
    """
    with asgi_server(get_asgi_application(), lifespan="off") as base, httpx.Client(base_url=base) as client:
        walk(shop, client)


def walk(shop: Shop, client: httpx.Client) -> None:
    ada = shop.agreed()
    own = direct("/help")
    served = client.get("/my/help")
    assert dict(own.headers).items() <= dict(served.headers).items()
    assert own.body == served.content
    style = next(name for name in own.body.decode().split('"') if name.endswith(".css"))
    assert HTTPStatus.OK == client.get(style).status_code
    path = one_click(shop, ada)
    before = get_manager().history(ada)
    assert b"" == client.head(path).content
    assert before == get_manager().history(ada)
    assert HTTPStatus.OK == client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code
    assert not get_manager().check(ada, Channel.EMAIL, "offers")
    assert HTTPStatus.OK == client.post(path, content=b"a" * 1_000_000, headers={"content-type": FORM}).status_code
