"""
The browser for tests does what browsers do, on pages that are not ours, and the same as Chromium.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, demo_app, make_server
from wsgiref.validate import validator

import attrs
import pytest
from chromium import chromium

from optly.protocols.http import Request, Response
from optly.testing.browser import Browser, Form, Page, PageError, read

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from playwright.sync_api import Browser as Chromium

SHOP = "https://shop.example.com"

# As frameworks write them, and as people do.
DJANGO = """
<form method="post" action="/account/">
<input type="hidden" name="csrfmiddlewaretoken" value="t&amp;k=1">
<p><label for="id_name">Name:</label> <input type="text" name="name" value="Ada &quot;A&quot;"
required id="id_name"></p>
<p><label>Size:</label> <div id="id_size">
<div><label for="id_size_0"><input type="radio" name="size" value="s" id="id_size_0"> Small</label></div>
<div><label for="id_size_1"><input type="radio" name="size" value="l" id="id_size_1" checked> Large</label></div>
</div></p>
<p><label for="id_note">Note:</label> <textarea name="note" cols="40" rows="10" id="id_note">
One &lt;b&gt; &amp;amp; two
<script>x</script></textarea></p>
<button type="submit">Save</button>
</form>
"""
RAILS = """
<form action="/posts/7" accept-charset="UTF-8" method="post">
<input type="hidden" name="_method" value="patch" autocomplete="off">
<fieldset><legend>Topics</legend>
<input type="hidden" name="post[topics][]" value="" autocomplete="off">
<input type="checkbox" value="1" name="post[topics][]" id="t1"> <label for="t1">News</label>
<input type="checkbox" value="2" checked="checked" name="post[topics][]" id="t2"> <label for="t2">Offers</label>
</fieldset>
<label>Public <input name="post[public]" type="hidden" value="0"><input type="checkbox" value="1" name="post[public]">
</label>
<input type="checkbox" name="bare" checked>
<input type="submit" name="commit" value="Update Post" data-disable-with="Update Post">
<input type="submit" name="commit" value="Delete" formaction="/posts/7/delete" formnovalidate>
</form>
"""
SELECTS = """
<form method=post action=/selects>
<select name=first><option value=a>A<option value=b>B</select>
<select name=chosen><option value="">Choose<option selected>Two  words<option selected label=Three>3</select>
<select name=many multiple><option value=1 selected>One<option value=2>Two<option value=3 selected>Three</select>
<select name=none multiple><option value=1>One</select>
<select name=long size=3><option value=1>One<option value=2>Two</select>
<select name=shut><option value=1 disabled>One<optgroup label=G disabled><option value=2>Two</optgroup>
<option value=3>Three</select>
<select name=empty></select>
<button name=go value=1>Go</button></form>
"""
SCATTERED = """
<input form=far name=before value=1><input name=nobody value=1>
<div><form id=far method=post action=/far></div>
<fieldset disabled><legend><input name=legend value=1></legend><input name=shut value=1>
<fieldset><legend><input name=shut2 value=1></legend></fieldset></fieldset>
<form action=/inner><input name=inner value=1></form>
<input name=after value=1>
<input name=ghost form=nothing value=1>
<form id=near method=post action=/near><input name=near value=1><input name=strayed form=far value=1>
<button>Near</button></form>
<button form=far name=b value=x>Far</button>
<template><form><input form=far name=template value=1></form></template>
<!-- <input form=far name=comment value=1> -->
<script>"<input form=far name=script value=1>"</script>
<noscript><input form=far name=noscript value=1></noscript>
<textarea form=far name=text>
</form><input form=far name=within></textarea>
"""
TABLE = """
<table><form method=post action=/table><tr><td><input name=a value=1><td><input name=a value=2>
<input type=image name=pin alt="Pin"><input type=reset name=r><button type=button name=x value=1>No</button>
<td><button name=y value=1>Yes</button></table><input name=later value=1></form>
"""
NESTED = """
<form method=post action=/outer><p>One<input name=one value=1>
<form method=post action=/nested><input name=two value=2></form>
<input name=three value=3></form><input name=four value=4 form=outer>
<button form="">Nobody's</button></p><form id=outer action=/late method=post><a href=/x><button>Last</button></form>
<form id=outer method=post action=/twice><input name=five value=5></form>
"""
ODD = """
<form METHOD=POST ACTION="" action=/second>
<input type=NONSENSE name=odd value=1 value=2><input value=nameless><input name="" value=empty>
<input type=radio name=r value=1 checked><input type=radio name=r value=2 checked><input type=radio name=r>
<input type=hidden name=lines value="a
b"><input name=é value="ü &notin; &copy &unknown; 100%+~*"><input name=ro readonly value=1>
<input name=off disabled value=1><textarea name=t>

two</textarea>
<button type=menu name=plain>Odd
 <b>one</b></button></form>
"""
GETS = """
<form action="/find?old=1#top"><label>Search<input type=search name=q value="a b&amp;c"></label>
<select name=in><option>all</select><input type=submit value=Find>
<button formmethod=post name=p value=1>Post</button></form>
"""
NO_ACTION = "<form method=post><input name=a value=1><button>Here</button></form>"


@attrs.frozen
class Asked:
    """
    What a server saw of a form.
    """

    method: str
    target: str
    pairs: list[tuple[str, str]]
    headers: Mapping[str, str]


@attrs.define
class Site:
    """
    Serves pages, and keeps what was asked of it.

    Attributes:
        pages: By path: the status, the headers and the body.
    """

    pages: dict[str, tuple[int, Mapping[str, str], str]] = attrs.field(factory=dict)
    asked: list[Asked] = attrs.field(factory=list)

    @classmethod
    def of(cls, html: str, **headers: str) -> Site:
        return cls({"/dir/page": (200, {name.replace("_", "-"): value for name, value in headers.items()}, html)})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        if path != "/favicon.ico":
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            headers = {name[5:].lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
            headers["content_type"] = environ.get("CONTENT_TYPE", "")
            pairs = parse_qsl(body.decode(), keep_blank_values=True)
            self.asked.append(Asked(environ["REQUEST_METHOD"], path + (query and f"?{query}"), pairs, headers))
        status, extra, html = self.pages.get(path, (200, {}, "<title>Done</title>"))
        start_response(f"{status} Said", [("Content-Type", "text/html; charset=utf-8"), *extra.items()])
        return [html.encode()]

    def browser(self, base_url: str = SHOP) -> Browser:
        return Browser.over_wsgi(validator(self), base_url)


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def real() -> Iterator[Chromium]:
    with chromium() as started:
        yield started


@pytest.fixture
def served() -> Iterator[tuple[Site, str]]:
    """
    A site behind a real server, and its address.
    """
    with make_server("127.0.0.1", 0, demo_app, handler_class=Quiet) as server:
        site = Site()
        server.set_app(site)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield site, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def sent(html: str, answers: Mapping[str, Any] | None = None, button: str = "", **headers: str) -> Asked:
    """
    Return what is sent when the form with this button is filled in on a page with this HTML.
    """
    site = Site.of(html, **headers)
    browser = site.browser()
    page = browser.get("/dir/page?q=1")
    browser.press(page.form(button or None).fill_in(answers or {}), button)
    return site.asked[-1]


# ---- against Chromium


@pytest.mark.browser
@pytest.mark.parametrize(
    ("html", "button", "policy"),
    [
        (DJANGO, "Save", ""),
        (RAILS, "Update Post", "no-referrer"),
        (RAILS, "Delete", "same-origin"),
        (SELECTS, "Go", "strict-origin"),
        (SCATTERED, "Far", "unsafe-url"),
        (SCATTERED, "Near", "origin"),
        (TABLE, "Yes", "no-referrer, strict-origin-when-cross-origin"),
        (NESTED, "Last", ""),
        (ODD, "Odd one", ""),
        (GETS, "Find", "no-referrer"),
        (GETS, "Post", "same-origin"),
        (NO_ACTION, "Here", ""),
    ],
)
def test_chromium_sends_the_same(real: Chromium, served: tuple[Site, str], html: str, button: str, policy: str) -> None:
    """
    The same request to the same place with the same fields in the same order, and the same headers for its origin.
    """
    site, url = served
    site.pages.update(Site.of(html, referrer_policy=policy).pages)
    browser = Browser.over_http(url)
    browser.press(browser.get("/dir/page?q=1").form(button), button)
    with real.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{url}/dir/page?q=1")
        page.get_by_role("button", name=button, exact=True).click()
        page.wait_for_load_state()

    (_, ours), (_, theirs) = site.asked[:2], site.asked[2:]
    assert (theirs.method, theirs.target, theirs.pairs) == (ours.method, ours.target, ours.pairs)
    for name in ("origin", "referer", "sec_fetch_site", "sec_fetch_mode", "sec_fetch_dest", "sec_fetch_user"):
        assert (name, theirs.headers.get(name)) == (name, ours.headers.get(name))
    assert theirs.headers["content_type"].partition(";")[0] == ours.headers["content_type"].partition(";")[0]


@pytest.mark.browser
def test_chromium_fills_in_the_same(real: Chromium, served: tuple[Site, str]) -> None:
    """
    Typing, choosing and ticking comes to the same.
    """
    site, url = served
    site.pages.update(Site.of(DJANGO + RAILS + SELECTS).pages)
    browser = Browser.over_http(url)
    forms = browser.get("/dir/page").forms
    browser.press(forms[0].fill_in({"Name:": "Grace", "size": "Small", "Note:": "1\n2"}))
    browser.press(forms[1].fill_in({"Topics": ["News"], "Public": True, "bare": False}), "Delete")
    browser.press(forms[2].fill_in({"first": "B", "many": ["Two", "3"], "long": "Two"}))
    ours = site.asked[1:]
    del site.asked[:]
    with real.new_context(java_script_enabled=False) as context:
        page = context.new_page()

        def press(button: str) -> None:
            page.get_by_role("button", name=button, exact=True).click()
            page.wait_for_load_state()
            page.goto(f"{url}/dir/page")

        page.goto(f"{url}/dir/page")
        page.get_by_label("Name:").fill("Grace")
        page.get_by_label("Small").check()
        page.get_by_label("Note:").fill("1\n2")
        press("Save")
        page.get_by_label("News").check()
        page.get_by_label("Offers").uncheck()
        page.get_by_label("Public").check()
        page.locator("[name=bare]").uncheck()
        press("Delete")
        page.locator("[name=first]").select_option(label="B")
        page.locator("[name=many]").select_option(["2", "3"])
        page.locator("[name=long]").select_option("2")
        press("Go")

    theirs = [each for each in site.asked if each.target != "/dir/page"]
    assert [(each.target, each.pairs) for each in theirs] == [(each.target, each.pairs) for each in ours]


# ---- without it


def test_what_a_form_sends_as_it_stands() -> None:
    """
    What Chromium agrees on, written out.
    """
    assert sent(RAILS, button="Update Post").pairs == [
        ("_method", "patch"),
        ("post[topics][]", ""),
        ("post[topics][]", "2"),
        ("post[public]", "0"),
        ("bare", "on"),
        ("commit", "Update Post"),
    ]
    assert sent(SELECTS).pairs == [
        ("first", "a"),
        ("chosen", "3"),
        ("many", "1"),
        ("many", "3"),
        ("shut", "3"),
        ("go", "1"),
    ]
    assert sent(SCATTERED, button="Far").pairs == [
        ("before", "1"),
        ("legend", "1"),
        ("inner", "1"),
        ("strayed", "1"),
        ("b", "x"),
        ("noscript", "1"),
        ("text", "</form><input form=far name=within>"),
    ]
    assert sent(TABLE, button="Yes").pairs == [("a", "1"), ("a", "2"), ("y", "1"), ("later", "1")]
    assert dict(sent(DJANGO).pairs) == {
        "csrfmiddlewaretoken": "t&k=1",
        "name": 'Ada "A"',
        "size": "l",
        "note": "One <b> &amp; two\r\n<script>x</script>",
    }


@pytest.mark.parametrize(
    ("html", "button", "where"),
    [
        (RAILS, "Delete", "/posts/7/delete"),
        (ODD, "Odd one", "/dir/page?q=1"),
        (GETS, "Find", "/find?q=a+b%26c&in=all"),
        (GETS, "Post", "/find?old=1"),
        (NO_ACTION, "Here", "/dir/page?q=1"),
    ],
)
def test_where_a_form_goes(html: str, button: str, where: str) -> None:
    """
    To its action or to that of the button; without either to the page itself.
    """
    assert where == sent(html, button=button).target


FIELDS = """
<form method=post action=/fields><fieldset><legend>Offers by email?</legend>
<label><input type=radio name=offers value=1>Yes</label><label><input type=radio name=offers value=0>No</label>
<label><input type=radio name=offers value=x disabled>Never</label></fieldset>
<label for=e>Your  email</label><input id=e name=email type=email>
<input aria-label=Telephone name=phone><input name=twice><input name=twice>
<label><input type=checkbox name=terms>I agree</label><input name=ro readonly value=1><input name=off disabled>
<label>Country<select name=country><option value=gb>UK<option value=ie>Ireland<option disabled>Mars</select></label>
<select name=many multiple><option>1<option>2<option>3</select>
<input type=hidden name=hidden value=1><button>Send</button><button disabled>Wait</button></form>
"""


@pytest.mark.parametrize(
    ("key", "answer", "name", "values"),
    [
        ("Offers by email?", "Yes", "offers", ["1"]),
        ("offers", "0", "offers", ["0"]),
        ("Your email", "ada@example.com", "email", ["ada@example.com"]),
        ("email", "", "email", [""]),
        ("Telephone", "1", "phone", ["1"]),
        ("I agree", True, "terms", ["on"]),
        ("terms", "I agree", "terms", ["on"]),
        ("terms", [], "terms", []),
        ("Country", "Ireland", "country", ["ie"]),
        ("country", "ie", "country", ["ie"]),
        ("many", ["1", "3"], "many", ["1", "3"]),
        ("many", "2", "many", ["2"]),
    ],
)
def test_a_field_is_filled_in(key: str, answer: Any, name: str, values: list[str]) -> None:
    """
    By its name, its label or its question; with what a person reads or with what is sent.
    """
    assert values == [value for each, value in sent(FIELDS, {key: answer}).pairs if each == name]


def test_the_last_answer_counts() -> None:
    """
    A radio button releases the others and a box can be unticked, and the first form stays as it was.
    """
    form = read(FIELDS).form()
    yes = form.fill_in({"offers": "Yes", "terms": True})
    no = yes.fill_in({"offers": "No", "terms": False})
    assert [("offers", "1"), ("terms", "on")] == chosen(yes)
    assert [("offers", "0")] == chosen(no)
    assert [] == chosen(form)


def chosen(form: Form) -> list[tuple[str, str]]:
    return [pair for field in form.fields if field.name in ("offers", "terms") for pair in field.pairs]


@pytest.mark.parametrize(
    ("key", "answer", "why"),
    [
        ("nothing", "1", "there is no field 'nothing'"),
        ("hidden", "2", "there is no field 'hidden'"),
        ("Yes", "1", "there is no field 'Yes'"),
        ("offers", "Perhaps", "0 of .* are called 'Perhaps'"),
        ("offers", "Never", "cannot be changed"),
        ("offers", ["Yes", "No"], "one answer"),
        ("offers", True, "does not take True"),
        ("twice", "1", "text, text"),
        ("email", True, "does not take True"),
        ("terms", "Certainly", "are called 'Certainly'"),
        ("ro", "2", "cannot be changed"),
        ("off", "2", "cannot be changed"),
        ("Country", "France", "are called 'France'"),
        ("Country", "Mars", "cannot be changed"),
        ("Country", ["gb", "ie"], "one answer"),
    ],
)
def test_what_a_person_cannot_fill_in_is_refused(key: str, answer: Any, why: str) -> None:
    """
    With the reason, and the names of what there is.
    """
    with pytest.raises(PageError, match=why):
        read(FIELDS).form().fill_in({key: answer})


@pytest.mark.parametrize(
    ("html", "button", "why"),
    [
        (FIELDS, "Save", "0 of .*'Send', 'Wait'.* are called 'Save'"),
        (FIELDS, "Wait", "is disabled"),
        ("<form><button>A</button><button>A</button></form>", "A", "2 of"),
        ("<form><input name=a required><button>A</button></form>", "A", "'a' is required"),
        ("<form><label>Me<input type=checkbox required></label><button>A</button></form>", "A", "'Me' is required"),
        ("<form><input type=radio name=r required><input type=radio name=r><button>A</button></form>", "A", "'r' is"),
        ("<form><select name=s required><option value=''>Choose</select><button>A</button></form>", "A", "'s' is"),
    ],
)
def test_what_cannot_be_pressed_is_not(html: str, button: str, why: str) -> None:
    """
    A button that is not there or disabled, and one of a form that lacks something.
    """
    with pytest.raises(PageError, match=why):
        read(html).form().submission(button)


@pytest.mark.parametrize(
    "html",
    [
        "<form><input name=a></form>",
        "<form novalidate><input name=a required><button>A</button></form>",
        "<form><input name=a required><button formnovalidate>A</button></form>",
        "<form><input name=a required disabled><input name=b required readonly><button>A</button></form>",
        "<form><input type=radio name=r required><input type=radio name=r checked><button>A</button></form>",
    ],
)
def test_enter_sends_what_can_be_sent(html: str) -> None:
    """
    A form without a button, and one that does not insist.
    """
    assert read(html, f"{SHOP}/x").form().submission()[0] == "GET"


def test_a_form_is_found_by_its_button_or_its_address() -> None:
    """
    Exactly one, or none at all.
    """
    page = read(f"{RAILS}{FIELDS}", f"{SHOP}/dir/page")
    assert page.form("Send") == page.form(action="/fields") == page.form(action=f"{SHOP}/fields") == page.forms[1]
    with pytest.raises(PageError, match="2 such forms"):
        page.form()
    with pytest.raises(PageError, match=r"0 such forms .*'Update Post'"):
        page.form("Save")


def test_a_page_is_read_as_a_person_reads_it() -> None:
    """
    Its title, its text and its links; nothing that is not shown.
    """
    page = read(
        """<!doctype html><title>A &amp; <b></title><style>p {}</style><p>One</p>two
        <b>th</b>ree<script>"<p>"</script><template><a href=t>T</a></template><ul><li>x<li>y</ul><svg><path/></svg>
        <a href="q?x=1&amp;y=2#z"><i>The</i> link</a><a name=n>no link</a><img src=i.png><link href=//cdn.example/s>""",
        f"{SHOP}/b/",
    )
    assert page.title == "A & <b>"
    assert page.words == "One two three x y The linkno link"
    assert [(link.url, link.text) for link in page.links] == [(f"{SHOP}/b/q?x=1&y=2#z", "The link")]
    assert page.resources == (f"{SHOP}/b/i.png", "https://cdn.example/s")


@pytest.mark.parametrize(
    "html", ["", "<", "<form", "<form><input", "</form></p>", "<select><option", "<a href>", "<title>"]
)
def test_damaged_pages_are_read_somehow(html: str) -> None:
    """
    Whatever is cut off.
    """
    page = read(html)
    assert (page.title, len(page.forms)) == ("", html.startswith("<form>"))


def test_only_html_has_forms_and_other_charsets_are_read() -> None:
    """
    By what the response says of itself.
    """
    page = Page(url="", status=200, headers=(("content-type", "text/plain"),), body=b"<form></form>")
    assert (page.forms, page.text) == ((), "<form></form>")
    latin = attrs.evolve(page, headers=(("content-type", 'text/html; charset="ISO-8859-1"'),), body=b"<p>caf\xe9")
    assert latin.words == "café"


# ---- the browser


def chain(*steps: tuple[int, str]) -> Site:
    return Site({f"/{at}": (status, {"Location": where}, "") for at, (status, where) in enumerate(steps)})


@pytest.mark.parametrize(
    ("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST"), (300, None)]
)
def test_redirects_are_followed(status: int, method: str | None) -> None:
    """
    With GET and nothing in the body, or with the same again.
    """
    site = chain((status, "end?x=1#y"))
    page = site.browser().open("POST", "/0", (("content-type", "application/x-www-form-urlencoded"),), b"a=1")
    if method is None:
        assert (page.status, page.location, len(site.asked)) == (300, "", 1)
        return
    assert (page.status, page.url, page.title) == (200, f"{SHOP}/end?x=1", "Done")
    assert (site.asked[-1].method, site.asked[-1].pairs) == (method, [("a", "1")] if method == "POST" else [])
    assert "origin" not in site.asked[-1].headers


def test_redirects_end() -> None:
    """
    One in a circle, and one to another site, which is not visited.
    """
    with pytest.raises(PageError, match="20 redirects"):
        chain((302, "/0")).browser().get("/0")
    page = chain((302, "https://elsewhere.example.com/#x")).browser().get("/0")
    assert (page.status, page.location) == (302, "https://elsewhere.example.com/")
    with pytest.raises(PageError, match=r"elsewhere\.example\.com is another site"):
        Site().browser().get(page.location)


def test_a_link_is_clicked() -> None:
    """
    One that is there, and a page says which page it was on.
    """
    site = Site.of("<a href=next>Next</a><a href=next>Next</a><a href=a>Two</a><a href=b>Two</a>")
    browser = site.browser()
    page = browser.get("/dir/page?q=1")
    assert browser.click(page, "Next").url == f"{SHOP}/dir/next"
    sent = site.asked[-1].headers
    assert (sent["sec_fetch_site"], sent["referer"]) == ("same-origin", f"{SHOP}/dir/page?q=1")
    assert site.asked[0].headers["sec_fetch_site"] == "none"
    for link in ("Two", "Three"):
        with pytest.raises(PageError, match=f"say '{link}'"):
            browser.click(page, link)


@pytest.mark.parametrize(
    ("cookie", "kept"),
    [
        ("a=1", {"a": "1"}),
        ("a = 1 ; Path=/; HttpOnly", {"a": "1"}),
        ("old=; Max-Age=0", {}),
        ("new=; Max-Age=-1", {"old": "0"}),
        ("__Host-a=1; Secure; Path=/", {"__Host-a": "1"}),
        ("__Host-a=1; Path=/", {}),
        ("__Host-a=1; Secure", {}),
        ("__Host-a=1; Secure; Path=/; Domain=shop.example.com", {}),
    ],
)
def test_cookies_are_kept(cookie: str, kept: dict[str, str]) -> None:
    """
    Until they are taken back, and only if a browser would.
    """
    site = Site({"/": (200, {"Set-Cookie": cookie}, "")})
    browser = site.browser()
    browser.cookies["old"] = "0"
    browser.get("/")
    expected = {} if "old=" in cookie else {"old": "0", **kept}
    assert expected == browser.cookies
    browser.get("/")
    assert site.asked[-1].headers.get("cookie", "") == "; ".join("=".join(pair) for pair in expected.items())


@pytest.mark.parametrize(("base_url", "kept"), [("http://shop.example.com", False), ("http://127.0.0.1:8000", True)])
def test_a_secure_cookie_needs_https_or_this_machine(base_url: str, kept: bool) -> None:
    """
    As with real browsers.
    """
    browser = Site({"/": (200, {"Set-Cookie": "a=1; Secure"}, "")}).browser(base_url)
    browser.get("/")
    assert kept is ("a" in browser.cookies)


def test_the_handle_of_a_portal_is_visited() -> None:
    """
    By paths below the mount, with the escapes decoded.
    """
    asked: list[Request] = []

    def handle(request: Request) -> Response:
        asked.append(request)
        return Response(status=HTTPStatus.OK, headers=(("content-type", "text/html"),), body=b"<title>Hello</title>")

    browser = Browser.over_handle(handle, f"{SHOP}/my/")
    assert browser.get("l/a%20b?x=%20").title == "Hello"
    assert browser.ask("HEAD", f"{SHOP}/my").status == 200
    assert [("GET", "/l/a b", "x=%20"), ("HEAD", "/", "")] == [(each.method, each.path, each.query) for each in asked]


@pytest.mark.server
def test_a_server_is_visited(served: tuple[Site, str]) -> None:
    """
    Over HTTP, with the path as it was written.
    """
    site, url = served
    browser = Browser.over_http(url)
    assert browser.get("/a%2Fb?x=%20").title == "Done"
    assert browser.ask("HEAD", url).body == b""
    assert ["/a/b?x=%20", "/"] == [each.target for each in site.asked]
