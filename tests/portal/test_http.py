"""
A form is read in one encoding, within limits, and only if a page of ours sent it.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portal.visitor import FORM, ORIGIN

from optly.portal.http import MAX_BODY, MAX_FIELDS, Refusal, is_from_our_page, read_form, relative_path
from optly.protocols.http import Request

MULTIPART = ("content-type", "multipart/form-data; boundary=frontier")


def posted(body: bytes, *headers: tuple[str, str]) -> Request:
    return Request(method="POST", path="/", headers=headers or (FORM,), body=body)


def refused(body: bytes, *headers: tuple[str, str]) -> int:
    with pytest.raises(Refusal) as caught:
        read_form(posted(body, *headers))
    return caught.value.status


@given(st.dictionaries(st.text(min_size=1), st.lists(st.text(), min_size=1), max_size=5))
def test_a_form_is_read_as_it_was_filled_in(fields: dict[str, list[str]]) -> None:
    """
    Every character comes through, empty values and repeats included.
    """
    body = urlencode(fields, doseq=True).encode()
    assert {name: tuple(values) for name, values in fields.items()} == read_form(posted(body))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
        'application/x-www-form-urlencoded;charset="utf-8"',
    ],
)
def test_the_media_type_may_be_spelled_as_browsers_and_libraries_do(content_type: str) -> None:
    """
    Case and a charset that is the one we read make no difference.
    """
    expected = {"a": ("é",)}
    assert expected == read_form(posted(b"a=%C3%A9", ("content-type", content_type)))


@pytest.mark.parametrize(
    "headers",
    [
        (("accept", "*/*"),),
        (("content-type", ""),),
        (("content-type", "text/plain"),),
        (("content-type", "application/json"),),
        (MULTIPART,),
        (("content-type", "application/x-www-form-urlencoded; charset=utf-16"),),
        (FORM, ("content-type", "text/plain")),
    ],
)
def test_another_media_type_is_refused(headers: tuple[tuple[str, str], ...]) -> None:
    """
    Types that another site can send without asking the browser first are among them.
    """
    assert refused(b"a=b", *headers) == HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def test_a_body_is_read_up_to_its_limit() -> None:
    """
    64 KiB is a form, one byte more is not.
    """
    body = b"a=".ljust(MAX_BODY, b"b")
    assert len(read_form(posted(body))["a"][0]) == MAX_BODY - 2
    assert refused(body + b"b") == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_fields_are_read_up_to_their_number() -> None:
    """
    200 fields are a form, one more is not.
    """
    fields = [f"f{number}=" for number in range(MAX_FIELDS)]
    assert len(read_form(posted("&".join(fields).encode()))) == MAX_FIELDS
    assert refused("&".join([*fields, "one=more"]).encode()) == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("body", [b"a=%", b"a=%4", b"a=%zz", b"%=a", b"a=%FF", b"a=\xff", b"a", b"a=b&&c=d"])
def test_a_malformed_form_is_refused(body: bytes) -> None:
    """
    Nothing is guessed: broken escapes, bytes that are not UTF-8, and pairs that are none.
    """
    assert refused(body) == HTTPStatus.BAD_REQUEST


def test_an_empty_body_is_an_empty_form() -> None:
    """
    A form without a field is sent as nothing.
    """
    assert not read_form(posted(b""))


# ---- where a form comes from


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], True),
        ([("sec-fetch-site", "same-origin")], True),
        ([("sec-fetch-site", "same-origin"), ("origin", "null")], True),
        ([("sec-fetch-site", "same-site")], False),
        ([("sec-fetch-site", "cross-site")], False),
        ([("sec-fetch-site", "none")], False),
        ([("sec-fetch-site", "")], False),
        ([("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], False),
        ([("sec-fetch-site", "cross-site"), ("origin", ORIGIN)], False),
        ([("origin", ORIGIN)], True),
        ([("origin", "null")], False),
        ([("origin", "")], False),
        ([("origin", "http://acme.example.com")], False),
        ([("origin", "https://acme.example.com:8443")], False),
        ([("origin", "https://evil.acme.example.com")], False),
        ([("origin", "https://acme.example.com.evil.example")], False),
        ([("origin", ORIGIN), ("origin", "https://evil.example")], False),
        ([("referer", "https://evil.example/")], True),
    ],
)
def test_what_the_browser_says_decides_where_a_form_comes_from(headers: list[tuple[str, str]], expected: bool) -> None:
    """
    Fetch metadata first, then the origin; a request that has neither comes from no browser.
    """
    assert expected is is_from_our_page(Request(method="POST", path="/", headers=tuple(headers)), ORIGIN)


# ---- where the pages are mounted


@pytest.mark.parametrize(
    ("path", "prefixes", "expected"),
    [
        ("/my/l/x", ["/my"], "/l/x"),
        ("/my/l/x", ["/api/my", "/my"], "/l/x"),
        ("/l/x", ["/my"], "/l/x"),
        ("/l/x", [""], "/l/x"),
        ("/l/l/x", ["/l", "/l"], "/l/x"),
        ("/my", ["/my"], "/"),
        ("/my/", ["/my"], "/"),
        ("/myself/l/x", ["/my"], "/myself/l/x"),
        ("", [""], ""),
    ],
)
def test_a_path_loses_its_prefix_once(path: str, prefixes: list[str], expected: str) -> None:
    """
    By whole segments, so that no other path is taken for ours.
    """
    assert expected == relative_path(path, *prefixes)


def test_a_request_does_not_show_what_is_secret() -> None:
    """
    Neither the link nor the address of the visitor is in its repr.
    """
    shown = repr(Request(method="GET", path="/l/code", headers=(("x", "head"),), body=b"body", remote_addr="192.0.2.1"))
    assert not any(secret in shown for secret in ("code", "head", "body", "192.0.2.1"))


def test_the_form_reader_agrees_with_the_standard_library() -> None:
    """
    A plus sign is a space, and an escaped one is a plus sign.
    """
    body = "a=1+2%2B3&b=%26%3D"
    assert {name: tuple(values) for name, values in parse_qs(body).items()} == read_form(posted(body.encode()))
