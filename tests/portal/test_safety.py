"""
What went wrong with the pages of others, and must not with these: cookies, forms, secrets, and whose record it is.
"""

from __future__ import annotations

import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from itsdangerous import URLSafeSerializer
from portal.sessions import digits_in, everything_in, lines, undo_of
from portal.visitor import BOB, BOBS_PHONE, FORM, FROM_HERE, ORIGIN, Acme, Page, Visitor, add_bob, pending, sign_in
from world import EMAIL, EMAIL_OFFERS, PHONE, SMS_OFFERS, world

from optly.errors import LinkInvalidError
from optly.links import StopScope
from optly.portal import Limits
from optly.portal.own import DETAILS, PROVED
from optly.portal.pages import _BY_A_LINK, _IN_A_SESSION

SECRETS = ("Ada Lovelace", EMAIL, PHONE)

# Everything below /me that a button leads to, and everything that can be looked at: made of the pages' own tables, so
# that a page that comes to them later is held to the same. Only of a stop is nothing asked: see test_stop_pages.py.
POSTS = sorted(
    ["/".join(("/me", *rest)) for rest, views in _IN_A_SESSION.items() if "POST" in views and rest != ("stop",)]
    + [f"/me/{name}" for name in DETAILS]
    + [f"/me/{name}/code" for name in PROVED]
)
LOOKS = sorted(
    ["/".join(("/me", *rest)) for rest, views in _IN_A_SESSION.items() if "GET" in views]
    + [f"/me/{name}" for name in DETAILS]
    + [f"/me/{name}/code" for name in PROVED]
)
LINK_POSTS = sorted(
    "/".join(("", *rest)) for rest, views in _BY_A_LINK.items() if "POST" in views and rest != ("stop",)
)
LINK_LOOKS = sorted("/".join(("", *rest)) for rest, views in _BY_A_LINK.items() if "GET" in views)
PUBLIC = ["/", "/help", "/new-link", "/nothing", "/l/0000000000000000", "/u/forged"]

# What the forms of all these pages hold, filled in so that each would do something.
FILLED_IN = {
    "value": "Eve",
    "digits": "123456",
    "text": "Too loud",
    "stop": "1",
    "email-offers": "no",
    "sms-offers": "no",
}


@pytest.fixture
def signed_in(acme: Acme, visitor: Visitor) -> Visitor:
    """
    Somebody who has typed in a one-time code.
    """
    assert "Your details" in sign_in(acme, visitor).title
    return visitor


def csrf_in(page: Page) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
    assert found
    return found[1]


def session_of(visitor: Visitor) -> str:
    (session,) = visitor.cookies.values()
    return session


# ---- cookies


def test_a_cookie_is_set_once_a_code_is_asked_for(acme: Acme, visitor: Visitor) -> None:
    """
    With every attribute that keeps it from others, and a name that no other host can set. (ASVS 3.3.1 to 3.3.4.)
    """
    code = acme.myoptly()
    visitor.get(f"/l/{code}")
    visitor.submit(f"/l/{code}", {"email-offers": True})
    visitor.press(visitor.get(f"/l/{code}"), f"/l/{code}/stop")
    asked = visitor.get(f"/l/{code}/code")
    assert {} == visitor.cookies
    response = visitor.send(f"/l/{code}/code", asked.filled_in(f"/my/l/{code}/code", {}), *FROM_HERE)
    (cookie,) = response.headers("set-cookie")
    assert re.fullmatch(
        r"__Host-optly-[0-9a-f]{8}=[0-9a-hjkmnp-tv-z]{48}; Path=/; HttpOnly; SameSite=Lax; Secure", cookie
    )


def test_looking_sets_no_cookie(acme: Acme, signed_in: Visitor) -> None:
    """
    GET and HEAD, of every page, with a session and without one, of whoever comes.
    """
    code, question, token = acme.myoptly(), acme.ask(), acme.token()
    paths = [*LOOKS, *PUBLIC, f"/u/{token}", *(f"/l/{each}{rest}" for each in (code, question) for rest in LINK_LOOKS)]
    for visitor in (signed_in, Visitor(signed_in.portal)):
        for path in paths:
            for method in ("GET", "HEAD"):
                assert [] == visitor.ask(method, path).headers("set-cookie"), path


def test_on_ones_own_machine_the_name_is_plain() -> None:
    """
    Over plain http, where a browser would not keep a cookie of the other kind.
    """
    acme = Acme.open("http://localhost:8000/my")
    visitor = Visitor(acme.manager.portal(hold_yes_within=None))
    code = acme.myoptly()
    response = visitor.send(f"/l/{code}/code", {}, ("origin", "http://localhost:8000"))
    (cookie,) = response.headers("set-cookie")
    assert re.fullmatch(r"optly-[0-9a-f]{8}=[0-9a-z]{48}; Path=/; HttpOnly; SameSite=Lax", cookie)


def test_two_places_on_one_host_have_two_cookies() -> None:
    """
    Or signing in at one would sign out of the other.
    """
    names: set[str] = set()
    for base in (f"{ORIGIN}/my", f"{ORIGIN}/other", ORIGIN):
        acme = Acme.open(base)
        visitor = Visitor(acme.manager.portal(hold_yes_within=None))
        visitor.post(f"/l/{acme.myoptly()}/code", {}, *FROM_HERE)
        names.update(visitor.cookies)
    assert 3 == len(names)


def test_finishing_leaves_nothing_behind(acme: Acme, signed_in: Visitor) -> None:
    """
    The session is over and its cookie gone. The host's own cookies stay. (ASVS 7.4.1 and 14.3.1.)
    """
    session = session_of(signed_in)
    page = signed_in.get("/me/details")
    done = signed_in.send("/me/finish", page.filled_in("/my/me/finish", {}), *FROM_HERE)
    assert [] == done.headers("clear-site-data")
    assert {} == signed_in.cookies
    signed_in.cookies["__Host-optly-00000000"] = session
    name = done.headers("set-cookie")[0].partition("=")[0]
    signed_in.cookies[name] = session
    assert 403 <= signed_in.get("/me/details").status < 500


@pytest.mark.parametrize("value", ["", "x", "0" * 26, "null", '"><script>', "é" * 26, "0" * 5000, "../l/x"])
def test_a_made_up_session_opens_nothing(acme: Acme, signed_in: Visitor, value: str) -> None:
    """
    Whatever it says, the page is the same, and repeats none of it.
    """
    (name,) = signed_in.cookies
    signed_in.cookies[name] = value
    page = signed_in.get("/me/details")
    assert page.text == Visitor(signed_in.portal).get("/me/details").text
    assert page.status < 500


# ---- forms of other sites


def elsewhere() -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    yield "cross-site", (("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"))
    yield "same-site", (("sec-fetch-site", "same-site"), ("origin", "https://shop.acme.example.com"))
    yield "typed in", (("sec-fetch-site", "none"),)
    yield "said twice", (("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site"))
    yield "no metadata", (("origin", "https://evil.example"),)
    yield "null", (("origin", "null"),)
    yield "other scheme", (("origin", "http://acme.example.com"),)
    yield "other port", (("origin", f"{ORIGIN}:8443"),)
    yield "longer host", (("origin", f"{ORIGIN}.evil.example"),)


@pytest.mark.parametrize("headers", [headers for _, headers in elsewhere()], ids=[name for name, _ in elsewhere()])
def test_no_other_site_can_press_a_button(acme: Acme, signed_in: Visitor, headers: tuple[tuple[str, str], ...]) -> None:
    """
    Not even one that has stolen the secret of the forms, nor a neighbour on the same domain: not behind a link, not in
    a session. Nothing is changed. (ASVS 3.5.1.)
    """
    link = acme.myoptly()
    csrf = csrf_in(signed_in.get("/me"))
    before = acme.record()
    for path in [*POSTS, *(f"/l/{link}{rest}" for rest in LINK_POSTS), "/new-link"]:
        page = signed_in.post(path, {**FILLED_IN, "csrf": csrf, "address": EMAIL}, *headers)
        assert (403, []) == (page.status, page.headers("set-cookie")), path
    assert before == acme.record()


def test_a_form_without_the_secret_of_its_session_is_refused(acme: Acme, signed_in: Visitor) -> None:
    """
    None, an empty one, a wrong one, two, that of another session of the same person or of somebody else's, and that of
    the session that was not raised. (Mailman CVE-2021-42097: a token that was not tied to the user.)
    """
    other = Visitor(signed_in.portal)
    sign_in(acme, other)
    bobs = Visitor(signed_in.portal)
    sign_in(acme, bobs, add_bob(acme))
    early = Visitor(signed_in.portal)
    unraised = csrf_in(pending(acme, early, acme.world.add(name="Carol", email="carol@example.com", phone=None)))
    own = csrf_in(signed_in.get("/me"))
    before = acme.record()
    wrong = ["", "0" * 64, own[:-1], own.upper() + " ", csrf_in(other.get("/me")), csrf_in(bobs.get("/me")), unraised]
    for path in POSTS:
        bodies = [FILLED_IN, *({**FILLED_IN, "csrf": token} for token in wrong)]
        for body in bodies:
            assert 403 == signed_in.post(path, body, *FROM_HERE).status, path
        twice = f"csrf={own}&csrf={own}&value=Eve".encode()
        assert 403 == signed_in.post(path, twice, *FROM_HERE).status, path
    assert before == acme.record()


def test_the_secret_of_the_forms_does_not_tell_the_session(acme: Acme, signed_in: Visitor) -> None:
    """
    It stands on every page, so it is made of the code and is not a part of it. (Mailman CVE-2021-42096 and -43332: a
    password could be found from the token.)
    """
    session = session_of(signed_in)
    token = csrf_in(signed_in.get("/me"))
    assert session not in token
    assert token != csrf_in(sign_in(acme, Visitor(signed_in.portal)))


@pytest.mark.parametrize(
    ("media_type", "status"),
    [("application/json", 415), ("text/plain", 415), ("multipart/form-data; boundary=x", 415), ("", 415)],
)
def test_only_a_form_is_a_form(acme: Acme, signed_in: Visitor, media_type: str, status: int) -> None:
    """
    (Starlette CVE-2023-30798 and Werkzeug CVE-2023-25577: endless parts of a multipart body. None is read.)
    """
    before = acme.record()
    for path in POSTS:
        assert status == signed_in.post(path, FILLED_IN, ("content-type", media_type), *FROM_HERE).status
    assert before == acme.record()


# ---- what every response carries, and what none does


def every_response(acme: Acme, visitor: Visitor) -> Iterator[tuple[str, Page]]:
    """
    Yield every page there is, looked at and with its button pressed, by somebody who signed in.
    """
    csrf = csrf_in(visitor.get("/me"))
    link, question, token = acme.myoptly(), acme.ask(), acme.token()
    looks = [*LOOKS, *PUBLIC, f"/u/{token}", *(f"/l/{each}{rest}" for each in (link, question) for rest in LINK_LOOKS)]
    for path in looks:
        yield path, visitor.get(path)
        yield path, visitor.ask("DELETE", path)
    for path in [*(f"/l/{link}{rest}" for rest in (*LINK_POSTS, "/stop")), f"/u/{token}", "/new-link"]:
        yield path, visitor.post(path, {**FILLED_IN, "address": "no address"}, *FROM_HERE)
    for path in (*POSTS, "/me/stop"):
        if path not in ("/me/finish", "/me/stay"):
            yield path, visitor.post(path, {**FILLED_IN, "csrf": csrf}, *FROM_HERE)
    for path in ("/me/stay", "/me/finish"):
        yield path, visitor.post(path, {"csrf": csrf_in(visitor.get("/me"))}, *FROM_HERE)


def test_every_page_carries_the_headers(acme: Acme, signed_in: Visitor) -> None:
    """
    Each once, whatever became of the request. (ASVS 3.4.3 to 3.4.6, 3.4.8 and 14.3.2.)
    """
    seen = Counter[int]()
    for path, page in every_response(acme, signed_in):
        seen[page.status] += 1
        headers = Counter(name for name, _ in page.response.headers)
        values = dict(page.response.headers)
        assert "no-store" == values["cache-control"], path
        policy = values["content-security-policy"].split("; ")
        assert {"default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} < set(policy)
        assert not any("unsafe" in part or "*" in part or "http" in part for part in policy)
        for name, value in (
            ("referrer-policy", "strict-origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-robots-tag", "noindex, nofollow, noarchive"),
        ):
            assert (1, value) == (headers[name], values[name]), path
        assert "access-control-allow-origin" not in values
    assert {200, 303, 404, 405, 422} <= seen.keys()
    assert not seen.keys() & set(range(500, 600))


def test_no_page_tells_a_secret(acme: Acme, signed_in: Visitor) -> None:
    """
    No page in a session holds its code or that of the link at which it began; none at all holds a one-time code. A
    response that sets the cookie tells it there alone. (Flask-Security CVE-2021-21241: a token in the body of a GET.)
    """
    digits = digits_in(acme.world.emails.outbox)
    known = {session_of(signed_in)}
    for path, page in every_response(acme, signed_in):
        known.update(signed_in.cookies.values())
        told = page.text + "".join(value for name, value in page.response.headers if name != "set-cookie")
        for secret in (*known, *digits):
            assert secret not in told, path


def test_before_a_code_nothing_is_shown_unmasked(acme: Acme, visitor: Visitor) -> None:
    """
    Neither behind a link of any kind nor in a session that was not raised: no name, no address, no number. (ASVS
    14.2.6.)
    """
    acme.world.agreed(acme.ada)
    page, question = pending(acme, visitor), acme.ask()
    acme.manager.stop(acme.myoptly())
    paths = [
        f"/l/{code}{rest}" for code in (acme.myoptly(), question, undo_of(acme.world, EMAIL)) for rest in LINK_LOOKS
    ]
    paths += LOOKS
    shown = [page, *(visitor.follow(visitor.get(path)) for path in paths)]
    for path in POSTS:
        if path not in ("/me/finish", "/me/stay"):
            shown.append(visitor.post(path, {**FILLED_IN, "csrf": csrf_in(page)}, *FROM_HERE))
    for each in shown:
        assert not any(secret in each.text for secret in SECRETS)


# ---- whose record it is


def test_whose_record_it_is_comes_from_the_session(acme: Acme, signed_in: Visitor) -> None:
    """
    And from nothing that is sent along. (Postorius CVE-2021-40347: whoever was signed in could unsubscribe anybody;
    Mautic CVE-2018-10189: the number of a contact in a cookie. ASVS 8.2.2.)
    """
    bob = add_bob(acme)
    bobs_link = acme.manager.link(bob).rpartition("/")[2]
    before = acme.manager.history(bob)
    named = {
        name: value
        for value in (bob.id, BOB, bobs_link, "1", "0")
        for name in ("contact", "contact_id", "subject", "id", "email", "address", "line", "code", "session", "user")
    }
    for _ in range(2):
        csrf = csrf_in(signed_in.get("/me"))
        for path in POSTS:
            if path not in ("/me/finish", "/me/stay"):
                page = signed_in.post(
                    f"{path}?contact={bob.id}&code={bobs_link}",
                    {**FILLED_IN, **named, "csrf": csrf},
                    *FROM_HERE,
                    ("cookie", f"contact={bob.id}; mtc_id=2"),
                    ("x-contact", bob.id),
                )
                assert BOB not in page.text
    assert before == acme.manager.history(bob)


def test_two_people_never_see_each_others_pages(acme: Acme, signed_in: Visitor) -> None:
    """
    However their requests come after one another.
    """
    hers, his = signed_in, Visitor(signed_in.portal)
    sign_in(acme, his, add_bob(acme))
    for path in LOOKS:
        for _ in range(2):
            ada, bob = hers.follow(hers.get(path)).text, his.follow(his.get(path)).text
            assert not any(secret in ada for secret in ("Bob Babbage", BOB, BOBS_PHONE)), path
            assert not any(secret in bob for secret in SECRETS), path
    assert "Bob Babbage" in his.get("/me/details").text
    assert "Ada Lovelace" in hers.get("/me/details").text


def test_a_session_does_not_open_by_its_path_nor_a_link_by_the_cookie(acme: Acme, signed_in: Visitor) -> None:
    """
    Each secret has one place. The code of a session in an address would stand in logs. (ASVS 14.2.1.)
    """
    session, link = session_of(signed_in), acme.myoptly()
    (name,) = signed_in.cookies
    assert 404 == Visitor(signed_in.portal).get(f"/l/{session}").status
    assert 404 == Visitor(signed_in.portal).post(f"/l/{session}/stop", {}, *FROM_HERE).status
    assert 400 <= Visitor(signed_in.portal, cookies={name: link}).get("/me").status < 500


# ---- what a request says of itself


def test_no_mail_and_no_page_repeats_the_host_of_a_request(acme: Acme, visitor: Visitor) -> None:
    """
    Every address is built from the settings. (Indico GHSA-wgpj-7c2j-vfjm, Monica CVE-2026-26747, couch-auth
    CVE-2025-70948: a link to the attacker's host in a mail that somebody else was sent.)
    """
    evil = (
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.example"),
        ("x-original-url", "https://evil.example/"),
        ("referer", "https://evil.example/"),
    )

    class Forged(Visitor):
        def ask(self, method: str, path: str, *headers: tuple[str, str], body: bytes = b"") -> Page:
            page = super().ask(method, path, *evil, *headers, body=body)
            assert "evil.example" not in page.text
            assert not any("evil.example" in value for _, value in page.response.headers)
            return page

    forged = Forged(visitor.portal)
    sign_in(acme, forged)
    forged.press(forged.get("/me/email"), "/me/email", value="ada@elsewhere.example.com")
    acme.manager.deliver()
    digits = digits_in(acme.world.emails.outbox)[-1]
    forged.press(forged.get("/me/email/code"), "/me/email/code", digits=digits)
    forged.press(forged.get("/me/copy"), "/me/copy")
    forged.press(forged.get("/me/complaint"), "/me/complaint", text="Too loud")
    forged.press(forged.get("/new-link"), "/new-link", address="ada@elsewhere.example.com")
    forged.press(forged.get("/me"), "/me/stop")
    acme.manager.deliver()
    acme.manager.deliver()
    assert len(acme.world.emails.outbox) >= 6
    for message in acme.world.emails.outbox:
        told = "\n".join((message.subject or "", message.text, message.html or "", *message.headers.values()))
        assert "evil.example" not in told
        assert all(found.startswith(f"{ORIGIN}/my/") for found in re.findall(r"https?://[^\s\"<>]*/[lu]/", told))


# No code and no word has the letters in it.
MARKERS = ("<uzu>", '"uzu', "'uzu", "uzu&uzu", "{{uzu}}", "javascript:uzu")


def test_no_address_is_repeated_on_a_page(acme: Acme, signed_in: Visitor) -> None:
    """
    Neither a path nor a query nor a header, of any page, with a session and without. (Mailman CVE-2021-43331: a script
    in the address of the options page.)
    """
    link = acme.myoptly()
    for marker in MARKERS:
        sign = quote(marker, safe="")
        paths = [
            f"/{marker}",
            f"/l/{marker}",
            f"/l/{link}/{marker}",
            f"/u/{marker}",
            f"/me/{marker}",
            f"/static/{marker}",
        ]
        paths += [
            f"{path}?lang={sign}&before={sign}&next={sign}&{sign}={sign}" for path in (*LOOKS, *PUBLIC, f"/l/{link}")
        ]
        for path in paths:
            page = signed_in.get(path, ("accept-language", marker), ("user-agent", marker), ("referer", marker))
            told = page.text + str(page.response.headers)
            assert "uzu" not in told, path


def test_what_was_typed_in_stands_in_its_field_and_nowhere_else(acme: Acme, signed_in: Visitor) -> None:
    """
    As text. (phpList, Secunia 22405: a script in the address to unsubscribe.)
    """
    csrf = csrf_in(signed_in.get("/me"))
    for marker in MARKERS:
        for path, body in (
            ("/new-link", {"address": marker}),
            ("/me/email", {"value": marker}),
            ("/me/phone", {"value": marker}),
            ("/me/name", {"value": marker + "x" * 300}),
            ("/me/code", {"digits": marker}),
            ("/me/complaint", {"text": marker + " " * 5000}),
            ("/me", {"email-offers": marker}),
        ):
            page = signed_in.post(path, {**body, "csrf": csrf}, *FROM_HERE)
            assert page.status in (200, 303, 422), path
            if marker not in ("uzu&uzu", "{{uzu}}", "javascript:uzu"):
                assert marker not in page.text, path
            assert 'href="javascript' not in page.text


@pytest.mark.parametrize("name", ["next", "return", "return_to", "url", "redirect", "continue"])
def test_nothing_leads_elsewhere(acme: Acme, signed_in: Visitor, name: str) -> None:
    """
    There is no parameter for it, in a query or a form. (Flask-Security CVE-2021-32618 and CVE-2023-49438. ASVS 3.7.2.)
    """
    link = acme.myoptly()
    for to in ("https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example"):
        csrf = csrf_in(signed_in.get("/me"))
        for path in [*LOOKS, f"/l/{link}/code"]:
            page = signed_in.get(f"{path}?{name}={quote(to, safe='')}")
            assert all(value.startswith("/my/") for value in page.headers("location"))
            assert "evil" not in page.text
        for path in ("/me/stay", f"/l/{link}/code"):
            page = signed_in.post(f"{path}?{name}={quote(to, safe='')}", {"csrf": csrf, name: to}, *FROM_HERE)
            assert all(value.startswith("/my/") for value in page.headers("location"))


# ---- who is on record


@attrs.define
class Counted:
    """
    A store that counts what is asked of it, by the name of what is called.
    """

    inner: Any
    calls: Counter[str] = attrs.field(factory=Counter)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found):
            return found

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            return found(*args, **kwargs)

        return counted


def strangers(acme: Acme) -> list[str]:
    """
    Return addresses with which something is the matter, each in its way.
    """
    erased = acme.world.add(name="Eve", email="erased@example.com", phone=None)
    acme.manager.erase(erased)
    objector = acme.world.add(name="Olaf", email="objector@example.com", phone=None)
    acme.manager.record_objection(objector)
    gone = acme.world.add(name="Gus", email="old@example.com", phone=None)
    acme.manager.change_details(gone, email="gus@example.com")
    return [
        EMAIL,
        "nobody@example.com",
        "erased@example.com",
        "objector@example.com",
        "old@example.com",
        "ADA@Example.com",
    ]


def test_nobody_learns_who_is_on_record() -> None:
    """
    Whoever asks for a new link is told the same, to the byte, and the same is asked of the store, whether the address
    is known, unknown, erased, suppressed or replaced. (phpList says "user not found", GOV.UK "you're not subscribed".
    ASVS 6.3.8.)
    """
    acme = Acme.open()
    addresses = strangers(acme)
    store = Counted(acme.world.storage)
    seen = world(store, clock=acme.world.clock)
    visitor = Visitor(seen.manager.portal(hold_yes_within=None))
    found = []
    for address in addresses:
        store.calls.clear()
        page = visitor.post("/new-link", {"address": address}, *FROM_HERE)
        found.append((page.response, dict(store.calls)))
    assert found[0][0].status == 200
    assert 1 == found[0][1]["enqueue"]
    assert [found[0]] * len(found) == found


def test_nor_from_how_long_it_takes() -> None:
    """
    Of many tries each, the middle one takes about as long for one who is on record as for one who is not.
    """
    acme = Acme.open()
    known = [f"known{number}@example.com" for number in range(60)]
    for email in known:
        acme.world.add(name="K", email=email, phone=None)
    visitor = Visitor(
        acme.manager.portal(hold_yes_within=None, limits=Limits(new_links=None, new_links_by_client=None))
    )

    def took(address: str) -> float:
        began = time.perf_counter()
        visitor.post("/new-link", {"address": address}, *FROM_HERE)
        return time.perf_counter() - began

    times = [(took(email), took(f"un{email}")) for email in known]
    here, nowhere = (statistics.median(column) for column in zip(*times, strict=True))
    assert 1 / 3 < here / nowhere < 3


def test_the_limits_do_not_tell_either(acme: Acme, visitor: Visitor) -> None:
    """
    Whoever asks too often is told what they were told before, and nothing more goes out.
    """
    pages = [visitor.send("/new-link", {"address": EMAIL}, *FROM_HERE).response for _ in range(6)]
    assert pages[:1] * 6 == pages
    acme.manager.deliver()
    acme.manager.deliver()
    assert 3 == len(acme.world.emails.outbox)
    for number in range(30):
        visitor.portal.handle(request_from("192.0.2.7", f"nobody{number}@example.com"))
    assert pages[0] == visitor.portal.handle(request_from("192.0.2.7", EMAIL))


def request_from(client: str, address: str) -> Any:
    from optly.portal import Request

    return Request(
        method="POST",
        path="/new-link",
        headers=(FORM, *FROM_HERE),
        body=f"address={quote(address)}".encode(),
        remote_addr=client,
    )


def test_a_strangers_address_is_not_kept(acme: Acme, visitor: Visitor) -> None:
    """
    What somebody typed in is gone once it was looked up, and no contact comes of it.
    """
    visitor.post("/new-link", {"address": "stranger@example.com"}, *FROM_HERE)
    acme.manager.deliver()
    acme.manager.deliver()
    assert [] == acme.world.emails.outbox
    assert "stranger@example.com" not in everything_in(acme.world.storage)


def test_only_the_very_address_is_looked_up(acme: Acme, visitor: Visitor) -> None:
    """
    No wildcard, no list, no line break. (wpDiscuz CVE-2026-22216: a wildcard mailed many at once.)
    """
    for typed in (
        "%@example.com",
        "a__@example.com",
        f"{EMAIL},{BOB}",
        f"{EMAIL}\nbcc: {BOB}",
        "*@example.com",
        "ada@example.com' or 1=1",
    ):
        visitor.post("/new-link", {"address": typed}, *FROM_HERE)
    acme.manager.deliver()
    acme.manager.deliver()
    assert [] == acme.world.emails.outbox


def test_what_was_proposed_is_erased_with_the_contact(acme: Acme, signed_in: Visitor) -> None:
    """
    Also while it waits for its code.
    """
    signed_in.press(signed_in.get("/me/email"), "/me/email", value="ada@elsewhere.example.com")
    assert "ada@elsewhere.example.com" in everything_in(acme.world.storage)
    acme.manager.erase(acme.ada)
    acme.manager.deliver()
    assert "elsewhere" not in everything_in(acme.world.storage)


def test_a_new_address_is_told_to_the_old_one(acme: Acme, signed_in: Visitor) -> None:
    """
    By its masked form, with the link that undoes it; and it takes a fresh code from the line of the link before any of
    it. (ASVS 6.3.7 and 7.5.1.)
    """
    new = "ada@elsewhere.example.com"
    page = signed_in.press(signed_in.get("/me/email"), "/me/email", value=new)
    assert "Enter the code" in page.title
    acme.manager.deliver()
    assert new == acme.world.emails.outbox[-1].to
    signed_in.press(page, "/me/email/code", digits=digits_in(acme.world.emails.outbox)[-1])
    assert (PHONE, new) == lines(acme.world, acme.ada)
    acme.manager.deliver()
    (told,) = [message for message in acme.world.emails.outbox if message.to == EMAIL and "/l/" in message.text][-1:]
    assert new not in told.text + (told.html or "")
    assert "/l/" in told.text


def test_where_an_answer_came_from_is_not_what_a_header_says(acme: Acme) -> None:
    """
    Without a proxy that is trusted, no header says who the client is. (ASVS 4.1.3.)
    """
    visitor = Visitor(acme.manager.portal(hold_yes_within=None, limits=Limits(misses_by_client="3/hour")))
    statuses = []
    for number in range(5):
        request = attrs.evolve(
            request_from("192.0.2.1", EMAIL),
            method="GET",
            path="/l/0000000000000000",
            headers=(("x-forwarded-for", f"198.51.100.{number}"), ("x-real-ip", f"198.51.100.{number}")),
        )
        statuses.append(int(visitor.portal.handle(request).status))
    assert [404, 404, 404, 429, 429] == statuses


def test_answering_and_stopping_need_no_cookie(acme: Acme, visitor: Visitor) -> None:
    """
    With cookies blocked, everything works that the law wants to be easy.
    """
    code = acme.myoptly()
    visitor.submit(f"/l/{code}", {"email-offers": True, "sms-offers": True})
    assert acme.world.allowed()
    acme.later(seconds=1)
    page = visitor.press(visitor.get(f"/l/{code}"), f"/l/{code}/stop")
    assert not acme.world.allowed()
    acme.later(seconds=1)
    visitor.press(page, f"/l/{code}/undo")
    assert acme.world.allowed()
    assert {} == visitor.cookies
    assert {EMAIL_OFFERS: True, SMS_OFFERS: True}.items() <= acme.answers().items()


def test_a_session_ends_for_its_browser_as_well(acme: Acme, signed_in: Visitor) -> None:
    """
    Half an hour later the same cookie leads to a page that says so, with nothing of what was there.
    """
    acme.later(minutes=30)
    assert "Ada Lovelace" in signed_in.get("/me/details").text
    acme.world.later(timedelta(microseconds=1))
    for path in LOOKS:
        page = signed_in.follow(signed_in.get(path))
        assert 400 <= page.status < 500
        assert not any(secret in page.text for secret in SECRETS)


def test_every_page_of_a_session_has_the_button_that_ends_it(acme: Acme, signed_in: Visitor) -> None:
    """
    Also the one that stops everything. (ASVS 7.4.4.)
    """
    for path in LOOKS:
        page = signed_in.follow(signed_in.get(path))
        assert {"/my/me/finish", "/my/me/stop"} <= set(page.actions), path


def test_staff_can_end_all_sessions_of_a_contact(acme: Acme, signed_in: Visitor) -> None:
    """
    By revoking their links; the next page says that the session is over. (ASVS 7.4.5.)
    """
    other = Visitor(signed_in.portal)
    sign_in(acme, other)
    acme.manager.revoke_links(acme.ada)
    for visitor in (signed_in, other):
        for path in LOOKS:
            page = visitor.follow(visitor.get(path))
            assert 403 <= page.status < 500, path
            assert not any(secret in page.text for secret in SECRETS)


def test_what_the_threat_model_names_is_there() -> None:
    """
    Every test that it says holds something exists by that name.
    """
    root = Path(__file__).parents[2]
    named = set(re.findall(r"`(test_\w+)`", (root / "docs/explanation/threat-model.md").read_text("utf-8")))
    there = {
        name
        for file in (root / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", file.read_text("utf-8"))
    }
    assert len(named) > 30
    assert set() == named - there


def test_a_token_is_taken_for_what_it_is(acme: Acme, visitor: Visitor) -> None:
    """
    No link opens as one of another kind, and what the same key signed for another use stops nothing. (better-auth
    CVE-2026-114607: a token of one kind was accepted as another. ASVS 9.2.2.)
    """
    acme.world.agreed(acme.ada)
    code, question, token = acme.myoptly(), acme.ask(), acme.token()
    key = acme.manager._app.settings.keys.all[0].derive("stop/1")
    scope = [acme.ada.id, 1, None, None]
    forged = [
        URLSafeSerializer([key], salt=salt, signer_kwargs=signer).dumps(scope)
        for salt, signer in (
            (b"optly.stop.v2", {"key_derivation": "hmac", "digest_method": sha256}),
            (b"itsdangerous", {"key_derivation": "hmac", "digest_method": sha256}),
            (b"optly.stop.v1", {"key_derivation": "hmac"}),
            (b"optly.stop.v1", {"digest_method": sha256}),
        )
    ]
    genuine = URLSafeSerializer(
        [key], salt=b"optly.stop.v1", signer_kwargs={"key_derivation": "hmac", "digest_method": sha256}
    )
    assert StopScope(contact=acme.ada.id, line=1, channel=None, purpose=None) == acme.manager.open_stop(
        genuine.dumps(scope)
    )
    before = acme.record()
    for path in (*(f"/u/{each}" for each in (code, question, *forged)), f"/l/{token}", f"/l/{token}/stop"):
        assert visitor.post(path, {"stop": "1", "List-Unsubscribe": "One-Click"}, *FROM_HERE).status == 404, path
    with pytest.raises(LinkInvalidError):
        acme.manager.answer(code, {EMAIL_OFFERS: True})
    with pytest.raises(LinkInvalidError):
        acme.manager.choose(question, {EMAIL_OFFERS: True})
    assert before == acme.record()
