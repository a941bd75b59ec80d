"""
Nothing is asked of a stop but that its link opens.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from portal.program import Program
from portal.visitor import FORM, Acme, Page, Visitor
from world import EMAIL_OFFERS

from optly.portal.http import MAX_READ, is_stop
from optly.portal.pages import _BY_A_LINK, _FOR_EVERYONE, _IN_A_SESSION

MULTIPART = ("content-type", "multipart/form-data; boundary=b")
PART = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b'
# What mail programs and gateways were reported to send, and what nobody should.
POSTED: list[tuple[bytes, tuple[tuple[str, str], ...]]] = [
    (b"List-Unsubscribe=One-Click", (FORM,)),
    (PART + b"--\r\n", (MULTIPART,)),
    (b"List-Unsubscribe=One-Click", ()),
    (b"List-Unsubscribe=One-Click\r\n", (FORM,)),
    (b"List-Unsubscribe=One-Click", (("content-type", "text/plain"),)),
    (b"List-Unsubscribe=One-Click&source=x", (FORM,)),
    (PART + b'\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n--b--\r\n', (MULTIPART,)),
    (b"", ()),
    (b"", (FORM,)),
    (b"null", (("content-type", "application/json"),)),
    (b"%zz\xff", (("content-type", "application/x-www-form-urlencoded; charset=utf-16"), FORM)),
    (b"a=b&" * (MAX_READ // 4), (FORM,)),
    (b"stop=yes", (FORM, ("origin", "null"))),
    (b"stop=yes", (FORM, ("origin", "https://www.acme.example.com"))),
    (b"stop=yes", (FORM, ("sec-fetch-site", "none"))),
    (b"stop=yes", (FORM, ("sec-fetch-site", "cross-site"), ("origin", "https://mail.example.net"))),
    (b"stop=yes", (FORM, ("sec-fetch-site", "x"), ("sec-fetch-site", ""))),
]


@pytest.mark.parametrize(("body", "headers"), POSTED, ids=range(len(POSTED)))
@pytest.mark.parametrize("way", ["token", "link", "question", "session"])
def test_any_post_to_what_stops_is_a_stop(
    acme: Acme, visitor: Visitor, way: str, body: bytes, headers: tuple[tuple[str, str], ...]
) -> None:
    """
    Whatever its type, its body, and where it says it is from.
    """
    acme.manager.answer(acme.ask(), {EMAIL_OFFERS: True})
    match way:
        case "token":
            path = f"/u/{acme.token()}"
        case "session":
            code = acme.myoptly()
            visitor.press(visitor.get(f"/l/{code}/code"), f"/l/{code}/code")
            path = "/me/stop"
        case _:
            path = f"/l/{acme.myoptly() if way == 'link' else acme.ask()}/stop"
    assert acme.manager.check(acme.ada, *EMAIL_OFFERS)
    assert visitor.post(path, body, *headers).status == 200
    assert not acme.manager.check(acme.ada, *EMAIL_OFFERS)


@pytest.mark.parametrize("path", ["/me/stop", "/stop-link"])
@pytest.mark.parametrize(("body", "headers"), POSTED, ids=range(len(POSTED)))
def test_any_call_that_stops_is_a_stop(
    acme: Acme, path: str, body: bytes, headers: tuple[tuple[str, str], ...]
) -> None:
    """
    In the API too.
    """
    acme.manager.answer(acme.ask(), {EMAIL_OFFERS: True})
    code = acme.token() if path == "/stop-link" else acme.myoptly()
    assert Program(acme.manager.portal(api=True)).call("POST", path, code, None, *headers, raw=body).status == 200
    assert not acme.manager.check(acme.ada, *EMAIL_OFFERS)


def first_form(page: Page) -> str:
    found = re.search(r'<form method="post" action="/my([^"]+)"', page.text)
    assert found
    return unquote(found[1])


@pytest.mark.parametrize("behind", ["", ".", ")", ">", ";", "&utm_source=x", "/"])
@pytest.mark.parametrize("written", [str.lower, str.upper])
def test_a_link_opens_after_a_gateway_has_changed_it(
    acme: Acme, visitor: Visitor, written: Callable[[str], str], behind: str
) -> None:
    """
    With its case, and what it ends in. The forms of the page that opens work as well.
    """
    acme.manager.answer(acme.ask(), {EMAIL_OFFERS: True})
    stop = visitor.get(written(f"/u/{acme.token()}") + behind)
    link = visitor.get(written(f"/l/{acme.myoptly()}") + behind)
    assert (200, 200) == (stop.status, link.status)
    saved = visitor.post(first_form(link), {"email-offers": "keep"})
    assert (200, "Your choices are saved – Acme Ltd") == (saved.status, saved.title)
    assert acme.manager.check(acme.ada, *EMAIL_OFFERS)
    assert visitor.post(first_form(stop)).status == 200
    assert not acme.manager.check(acme.ada, *EMAIL_OFFERS)


def test_only_of_what_stops_is_the_body_left_out() -> None:
    """
    By the pages' own tables: every other page gets what was sent to it.
    """
    for rest in _BY_A_LINK:
        assert is_stop("/".join(("/l/x", *rest))) is (rest == ("stop",))
    for rest in _IN_A_SESSION:
        assert is_stop("/".join(("/me", *rest))) is (rest == ("stop",))
    assert not any(map(is_stop, ["/", "", "/u", "/u/x/y", "/hooks/stop", "/l/stop", "/stop", *_FOR_EVERYONE]))
    assert is_stop("/u/x")
