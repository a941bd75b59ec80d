"""
Whatever is sent, to the API or to a page: never an error of ours, never a change by looking, never anybody else's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html import unescape
from typing import Any, Final
from urllib.parse import urlencode

import attrs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portal.program import FITTING, NEW_PHONE, Program
from portal.sessions import NEW, NEWER, digits_in, undo_of
from portal.visitor import FORM, FROM_HERE, HEADERS, ONE_CLICK, ORIGIN, Acme, Page, Visitor
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig
from thorough import examples
from world import EMAIL, EMAIL_OFFERS, PHONE, PURPOSES

from optly.portal import Limits, Portal, Request, Response
from optly.portal.cookies import cookie_name, csrf_of

pytestmark = pytest.mark.slow

WITHOUT_LIMITS = Limits(**{field.name: None for field in attrs.fields(Limits)})
LOOKING = ("GET", "HEAD", "OPTIONS")

# Of somebody else on the same record, who never shows up.
BOB = ("Robert Boole", "bob@boole.example.org", "+447911123458")
SECRETS = [secret.encode() for secret in BOB]


@attrs.frozen
class Stage:
    """
    An organisation with somebody who can be asked, and somebody else.
    """

    acme: Acme
    bob: Any
    portal: Portal

    @classmethod
    def set(cls) -> Stage:
        acme = Acme.open(purposes=PURPOSES)
        name, email, phone = BOB
        bob = acme.manager.add_contact(name=name, email=email, phone=phone)
        acme.manager.choose(acme.manager.link(bob).rpartition("/")[2], {EMAIL_OFFERS: True})
        acme.manager.deliver()
        return cls(acme, bob, acme.manager.portal(api=True, limits=WITHOUT_LIMITS, hold_yes_within=None))

    @property
    def program(self) -> Program:
        return Program(self.portal)

    # ---- codes

    def question(self) -> str:
        return self.acme.ask()

    def answered(self) -> str:
        code = self.acme.ask()
        self.program.say(code, email=True, sms=False)
        return code

    def myoptly(self) -> str:
        return self.acme.myoptly()

    def session(self) -> str:
        return str(self.program.post("/me/codes", self.acme.myoptly()).body["session"])

    def raised(self) -> str:
        return self.program.raised(self.acme, self.acme.myoptly())

    def proving(self) -> str:
        """
        A session in which new addresses wait for their codes.
        """
        session = self.raised()
        self.program.post("/me/phone", session, {"value": NEW_PHONE})
        self.program.post("/me/email", session, {"value": NEW})
        return session

    def finished(self) -> str:
        session = self.raised()
        self.program.post("/me/session/finish", session)
        return session

    def undo(self) -> str:
        self.program.say(self.acme.myoptly(), email=True)
        self.acme.later(minutes=1)
        self.program.post("/me/stop", self.acme.myoptly())
        self.acme.later(minutes=1)
        return undo_of(self.acme.world, EMAIL)

    def stop_link(self) -> str:
        return self.acme.token("offers")

    def unknown(self) -> str:
        return "0" * 26


OPENERS: Final[tuple[Callable[[Stage], str], ...]] = (
    Stage.question,
    Stage.answered,
    Stage.myoptly,
    Stage.session,
    Stage.raised,
    Stage.proving,
    Stage.finished,
    Stage.undo,
    Stage.stop_link,
    Stage.unknown,
)
openers = st.sampled_from(OPENERS)


# ---- the API

stage = Stage.set()


def app(environ: Any, start_response: Any) -> Iterable[bytes]:
    """
    Serve the stage that is set now.
    """
    return stage.portal.wsgi()(environ, start_response)


def _fitting(path: str, code: str) -> Any:
    """
    Return a body that does something, where there is one.
    """
    if path == "/me/answers":
        asked = stage.program.get("/me", code)
        return {
            "answers": [
                {
                    "channel": item["channel"],
                    "purpose": item["purpose"],
                    "answer": True,
                    "wording": item["wording"]["digest"],
                }
                for item in (asked.body["items"] if asked.status == 200 else [])
            ]
            or FITTING[path]["answers"]
        }
    if path.endswith(("/session", "/proof")):
        stage.acme.manager.deliver()
        sent = stage.acme.world.texts if "phone" in path else stage.acme.world.emails
        return {"digits": [*digits_in(sent.outbox), "000000"][-2:][0]}
    return FITTING.get(path)


# Beside what is allowed by default: closed questions, and what fits its form and not its matter.
STATUSES = {
    "positive_data_acceptance": ["2xx", "401", "403", "409", "410", "413", "422", "429"],
    "negative_data_rejection": ["400", "401", "403", "405", "410", "413", "415"],
}
schema = schemathesis.openapi.from_wsgi(
    "/my/api/openapi.json",
    app,
    config=SchemathesisConfig.from_dict(
        {
            "checks": {name: {"expected-statuses": statuses} for name, statuses in STATUSES.items()},
            "generation": {"with-security-parameters": False},  # the test itself sends a code, or none
        }
    ),
)


@schema.given(data=st.data())
@schema.parametrize()
@settings(max_examples=examples(40), suppress_health_check=list(HealthCheck))
def test_the_api_keeps_to_its_description(case: Case[Any], data: st.DataObject) -> None:
    """
    Each operation, with the code of each kind of link and session: only what is described comes back, nothing that
    does not fit is taken, nothing opens without a code; and whoever looks changes nothing.
    """
    global stage
    stage = Stage.set()
    likely = {"/me/session": Stage.session, "/stop-link": Stage.stop_link}.get(case.path, Stage.proving)
    code = data.draw(st.one_of(st.just(likely), openers))(stage)
    if data.draw(st.booleans()) and case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE:
        body = _fitting(case.path, code)
        case.body = case.body if body is None else body
    before, of_bob = stage.acme.record(), stage.acme.manager.history(stage.bob)
    response = case.call_and_validate(headers={"Authorization": f"Bearer {code}"})
    assert not [secret for secret in SECRETS if secret in response.content]
    assert of_bob == stage.acme.manager.history(stage.bob)
    if case.method in LOOKING:
        assert before == stage.acme.record()


# ---- the pages

SESSIONS = (Stage.session, Stage.raised, Stage.proving, Stage.finished)
BELOW = (
    "",
    "confirm",
    "stop",
    "undo",
    "complaint",
    "code",
    "code/again",
    "details",
    "history",
    "copy",
    "stay",
    "finish",
    "name",
    "email",
    "phone",
    "address",
    "language",
    "email/code",
    "phone/code",
)
ELSEWHERE = ("new-link", "help", "static/optly.css", "hooks/twilio", "l", "u", "me", "api", "api/me", "..", "")
SHARP = "<script>alert(1)</script>\"'&"

texts = st.one_of(st.sampled_from([SHARP, "%00", "\x00", "\ud800", "é", "%2e%2e", "•"]), st.text(max_size=40))
values = st.one_of(
    st.sampled_from(
        [
            "no",
            "keep",
            "yes",
            "cy",
            "en",
            NEW,
            NEWER,
            NEW_PHONE,
            EMAIL,
            PHONE,
            "1",
            "3",
            "999999999",
            "Ada King",
            "One-Click",
        ]
    ),
    texts,
)
fields = st.dictionaries(
    st.one_of(
        st.sampled_from(
            [
                "email-offers",
                "sms-offers",
                "email-news",
                "digits",
                "value",
                "text",
                "address",
                "stop",
                "csrf",
                "List-Unsubscribe",
            ]
        ),
        texts,
    ),
    values,
    max_size=4,
)
headers = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "origin",
                "sec-fetch-site",
                "host",
                "cookie",
                "content-length",
                "referer",
                "accept-language",
                "x-forwarded-for",
                "authorization",
            ]
        ),
        st.one_of(st.sampled_from([ORIGIN, "same-origin", "cross-site", "null", "cy", "en;q=x, *"]), texts),
    ),
    max_size=3,
)
queries = st.one_of(
    st.just(""), st.sampled_from(["lang=cy", "lang=xx", "before=3", "before=x", "lang=cy&lang=en&before="]), texts
)


def ask(stage: Stage, request: Request) -> Response:
    """
    Send a request, and hold the response to what is promised of every one of them.
    """
    before, of_bob = stage.acme.record(), stage.acme.manager.history(stage.bob)
    response = stage.portal.handle(request)
    assert response.status < 500
    told = dict(response.headers)
    assert len(told) + max(0, [name for name, _ in response.headers].count("set-cookie") - 1) == len(response.headers)
    assert HEADERS.items() <= told.items()
    for name, value in response.headers:
        assert f"{name}: {value}".isprintable()
        assert f"{name}: {value}".isascii()
    assert b"<script" not in response.body
    assert not [secret for secret in SECRETS if secret in response.body]
    assert of_bob == stage.acme.manager.history(stage.bob)
    if request.method in LOOKING:
        assert before == stage.acme.record()
    return response


@st.composite
def requests(draw: st.DrawFn, code: str, in_session: bool, cookie: str) -> Request:
    """
    A request for anything, with the code where it belongs or does not, and with a form such as ours or anything else.
    """
    home = draw(st.sampled_from(["me", f"l/{code}", f"u/{code}"] if in_session else [f"l/{code}", f"u/{code}", "me"]))
    path = draw(
        st.one_of(
            st.sampled_from(BELOW).map(lambda below: f"{home}/{below}"),
            st.sampled_from(ELSEWHERE),
            st.lists(st.one_of(st.sampled_from([home, *BELOW, *ELSEWHERE]), texts), max_size=4).map("/".join),
        )
    )
    sent = draw(headers)
    if in_session and draw(st.integers(0, 3)):
        sent.append(("cookie", f"{cookie}={code}"))
    form = draw(fields)
    if in_session and draw(st.integers(0, 3)):
        form["csrf"] = csrf_of(code)
    body = draw(
        st.one_of(st.just(urlencode(form, errors="replace").encode()), st.just(ONE_CLICK), st.binary(max_size=99))
    )
    media_type = st.sampled_from([FORM[1], FORM[1], FORM[1], "multipart/form-data; boundary=x", "application/json", ""])
    sent.append(("content-type", draw(media_type)))
    return Request(
        method=draw(st.sampled_from(["POST", "POST", "GET", "HEAD", "PUT", "OPTIONS", "", "\x00"])),
        path=f"/{path}",
        query=draw(queries),
        headers=tuple(sent),
        body=body,
        remote_addr=draw(st.sampled_from(["192.0.2.1", "", "not an address"])),
    )


@given(opener=openers, data=st.data())
@settings(max_examples=examples(250), suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_gets_a_page(opener: Callable[[Stage], str], data: st.DataObject) -> None:
    """
    Never an exception, never a page that says it is our fault, never what was sent as markup; always the headers;
    never anybody else's, and no change by looking.
    """
    stage = Stage.set()
    code, cookie = opener(stage), cookie_name(stage.acme.manager.pages)
    for _ in range(2):
        ask(stage, data.draw(requests(code, opener in SESSIONS, cookie)))


@given(opener=openers, data=st.data())
@settings(max_examples=examples(80), suppress_health_check=list(HealthCheck))
def test_whoever_walks_through_the_pages_comes_to_no_error(opener: Callable[[Stage], str], data: st.DataObject) -> None:
    """
    They follow links, press buttons, and type in anything, the right digits among it.
    """
    stage = Stage.set()
    code = opener(stage)
    walker = Visitor(Walk(stage))  # type: ignore[arg-type]
    if opener in SESSIONS:
        walker.cookies[cookie_name(stage.acme.manager.pages)] = code
    home = "/me" if opener in SESSIONS else f"/u/{code}" if opener is Stage.stop_link else f"/l/{code}"
    page = walker.follow(walker.get(home))
    for _ in range(data.draw(st.integers(1, 6))):
        ways = [*page.actions, *hrefs(page), f"/my{home}"]
        way = data.draw(st.sampled_from(ways)).removeprefix("/my")
        if f"/my{way}" in page.actions and data.draw(st.integers(0, 4)):
            typed = {**page.filled_in(f"/my{way}", {}), **data.draw(fields.filter(lambda form: "csrf" not in form))}
            if way.endswith("/code"):
                typed["digits"] = data.draw(st.sampled_from(digits_sent(stage)))
            page = walker.post(way, urlencode(typed, errors="replace").encode(), *FROM_HERE)
        else:
            page = walker.get(way)
        page = walker.follow(page)


@attrs.frozen
class Walk:
    """
    Holds every response on a walk to what is promised of it.
    """

    stage: Stage

    def handle(self, request: Request) -> Response:
        return ask(self.stage, request)


def hrefs(page: Page) -> list[str]:
    """
    Return where the links of a page lead within the pages.
    """
    return [unescape(href) for href in re.findall(r'<a [^>]*href="(/my/[^"#]*)', page.text)]


def digits_sent(stage: Stage) -> list[str]:
    """
    Return the one-time codes that went out, and one that did not.
    """
    stage.acme.manager.deliver()
    return ["000000", *digits_in([*stage.acme.world.emails.outbox, *stage.acme.world.texts.outbox])]
