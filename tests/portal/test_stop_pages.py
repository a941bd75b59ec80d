"""
Nothing is asked of a stop but that its link opens.
"""

from __future__ import annotations

import contextlib
import io
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from portal.program import Program
from portal.visitor import FORM, Acme, Page, Visitor
from world import EMAIL_OFFERS, world

from optly.portal.http import MAX_READ, is_stop
from optly.portal.pages import _BY_A_LINK, _FOR_EVERYONE, _IN_A_SESSION
from optly.record.consent import readable
from optly.record.events import ObjectionRaised
from optly.storage import SQLStorage

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


DAMAGES = [
    "UPDATE optly_personal SET value = x'ff'",
    "UPDATE optly_personal SET value = 'x'",
    "DELETE FROM optly_personal",
    "UPDATE optly_events SET payload = x'00' WHERE seq = 2",
    "DELETE FROM optly_wordings",
    "UPDATE optly_heads SET snapshot = x'00'",
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("way", ["token", "link", "question", "session", "API", "API token"])
def test_a_stop_needs_nothing_of_the_record_but_what_is_stopped(tmp_path: Path, way: str, damage: str) -> None:
    """
    It is recorded and reported, whatever cannot be read of the addresses, the events and the wordings.
    """
    made = world(SQLStorage(f"sqlite:///{tmp_path / 'optly.db'}"))
    acme = Acme(made, made.add())
    made.agreed(acme.ada)
    portal = acme.manager.portal(api=True)
    visitor, program = Visitor(portal), Program(portal)
    code, token, question = acme.myoptly(), acme.token(), acme.ask()
    visitor.press(visitor.get(f"/l/{code}/code"), f"/l/{code}/code")
    with contextlib.closing(sqlite3.connect(tmp_path / "optly.db")) as other:
        assert other.execute(damage).rowcount
        other.commit()
    match way:
        case "API":
            assert program.call("POST", "/me/stop", code).status == 200
        case "API token":
            assert program.call("POST", "/stop-link", token).status == 200
        case _:
            path = {"token": f"/u/{token}", "link": f"/l/{code}/stop", "question": f"/l/{question}/stop"}.get(way)
            page = visitor.post(path or "/me/stop", b"")
            assert (200, "Stopped – Acme Ltd") == (page.status, page.title)
    recorded = readable(made.storage.entries(acme.ada.subject))
    assert 1 == sum(isinstance(event, ObjectionRaised) for event in recorded)
    acme.manager.close()


@pytest.mark.parametrize("damage", DAMAGES[:3])
def test_a_page_that_fails_can_still_stop(tmp_path: Path, damage: str) -> None:
    """
    Whoever opens a good link to a record that cannot be shown finds the button, and it works.
    """
    made = world(SQLStorage(f"sqlite:///{tmp_path / 'optly.db'}"))
    acme = Acme(made, made.add())
    made.agreed(acme.ada)
    visitor, code = Visitor(acme.manager.portal()), acme.myoptly()
    with contextlib.closing(sqlite3.connect(tmp_path / "optly.db")) as other:
        other.execute(damage)
        other.commit()
    page = visitor.get(f"/l/{code}")
    assert page.status == 500
    assert visitor.press(page, f"/l/{code}/stop").status == 200
    assert acme.manager.standing(acme.ada).stops
    acme.manager.close()


class Gone(io.BytesIO):
    """
    A body whose client has gone away.
    """

    def read(self, *_: Any) -> bytes:
        raise ConnectionResetError


def test_a_stop_whose_body_cannot_be_read_is_a_stop(acme: Acme) -> None:
    """
    Of anything else whose client has gone, nothing is done, and nothing raised.
    """
    acme.manager.answer(acme.ask(), {EMAIL_OFFERS: True})
    statuses: list[str] = []

    def post(path: str) -> None:
        environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "PATH_INFO": f"/my{path}", "CONTENT_TYPE": FORM[1]}
        environ |= {"CONTENT_LENGTH": "9", "wsgi.input": Gone()}
        application(environ, lambda status, _headers, _error=None: statuses.append(status[:3]))  # type: ignore[arg-type]

    application = acme.manager.portal().wsgi()
    post(f"/l/{acme.myoptly()}")
    assert acme.manager.check(acme.ada, *EMAIL_OFFERS)
    post(f"/u/{acme.token()}")
    assert ["400", "200"] == statuses
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
    saved = visitor.post(first_form(link), {"sms-offers": "no"})
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
