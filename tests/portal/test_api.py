"""
What the pages do, a host's own page can do by the API; and nothing else, and nobody else.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from openapi_spec_validator import validate
from portal.program import FITTING, JSON, NEW_PHONE, Answered, Program
from portal.sessions import NEW, latest_digits, undo_of
from portal.visitor import HEADERS, WELSH, Acme, Visitor
from world import EMAIL, EMAIL_OFFERS, PHONE, SMS_OFFERS

from optly.contacts.addresses import Channel, PhoneNumber
from optly.contacts.purposes import Purpose, Wording
from optly.errors import ConflictError, DamagedError, StorageUnavailableError, UsageError
from optly.portal import Limits
from optly.portal.api import problems
from optly.portal.api.description import describe
from optly.portal.api.operations import OPERATIONS
from optly.portal.cookies import cookie_name
from optly.protocols import StoredCode
from optly.protocols.http import Request
from optly.record.events import ConsentGiven

EVERY_CALL = [(method, path) for path, methods in OPERATIONS.items() for method in methods]
RAISED = [
    ("GET", "/me/details"),
    ("POST", "/me/details"),
    ("POST", "/me/email"),
    ("POST", "/me/email/proof"),
    ("POST", "/me/phone"),
    ("POST", "/me/phone/proof"),
    ("GET", "/me/history"),
    ("POST", "/me/copy"),
]


@pytest.fixture
def program(acme: Acme) -> Program:
    """
    A host's own page, which may answer as soon as the question went out.
    """
    return Program(acme.manager.portal(api=True, hold_yes_within=None))


def answers_of(answered: Answered) -> Mapping[str, bool | None]:
    return {item["channel"]: item["answer"] for item in answered.body["items"]}


# ---- off unless it is switched on


@pytest.mark.parametrize("path", ["", "/", "/openapi.json", *OPERATIONS])
def test_it_is_off_by_default(acme: Acme, path: str) -> None:
    """
    It is as unknown as any other path, to whoever has a code as well.
    """
    program, code = Program(acme.manager.portal()), acme.myoptly()
    for method in ("GET", "POST", "OPTIONS"):
        elsewhere = program.portal.handle(Request(method=method, path="/nowhere")).body
        answered = program.fitting(method, path, code)
        assert (404, elsewhere) == (answered.status, answered.response.body)
    assert acme.answers() == {EMAIL_OFFERS: None, SMS_OFFERS: None}


def test_switched_on_it_leaves_the_pages_as_they_were(acme: Acme, program: Program) -> None:
    """
    What merely begins like it is a page as before, or none.
    """
    code, pages = acme.myoptly(), acme.manager.portal()
    for path in (f"/l/{code}", "/help", "/apis", "/apis/me", "/l/api", "/nowhere"):
        request = Request(method="GET", path=path)
        assert pages.handle(request) == program.portal.handle(request)


# ---- the description


def test_the_description_is_valid(program: Program) -> None:
    """
    By the schema of OpenAPI 3.1, and it says where the API is.
    """
    answered = program.get("/openapi.json")
    assert answered.status == 200
    assert answered.headers["content-type"] == "application/json"
    validate(answered.body)
    assert answered.body["servers"] == [{"url": "https://acme.example.com/my/api"}]


def test_everything_is_described_in_sentences() -> None:
    """
    Each operation, each type and each problem that it may tell of says what it is, and no two have one name.
    """
    described = json.loads(describe("https://acme.example.com/my"))
    operations = [(path, method, told) for path, by in described["paths"].items() for method, told in by.items()]
    assert sorted(EVERY_CALL) == sorted((method.upper(), path) for path, method, _ in operations)
    assert len({told["operationId"] for _, _, told in operations}) == len(operations)
    for _, _, told in operations:
        assert told["summary"].endswith((".", "sent."))
        assert all(response["description"] for response in told["responses"].values())
    for name, schema in described["components"]["schemas"].items():
        assert schema["description"].strip().endswith("."), name


def test_only_what_knows_a_code_works_without_one() -> None:
    """
    A new link is all that can be had without, and the description says so.
    """
    described = json.loads(describe("https://acme.example.com/my"))
    opened = [
        (path, method) for path, by in described["paths"].items() for method in by if "security" not in by[method]
    ]
    assert opened == [("/new-link", "post")]


def test_the_types_of_problems_never_change_their_names() -> None:
    """
    Programs tell them apart by these. One may be added, none renamed.
    """
    kinds = [kind for kind in vars(problems).values() if isinstance(kind, problems.Kind)]
    assert {kind.name: int(kind.status) for kind in kinds} == {
        "address-unreadable": 422,
        "busy": 503,
        "cannot-send": 409,
        "code-needed": 403,
        "failed": 500,
        "link-expired": 410,
        "link-invalid": 401,
        "link-revoked": 410,
        "link-superseded": 410,
        "link-used": 410,
        "malformed": 400,
        "method-not-allowed": 405,
        "no-code": 401,
        "not-for-this": 403,
        "not-found": 404,
        "not-json": 415,
        "not-offered": 422,
        "session-over": 401,
        "too-large": 413,
        "too-many-tries": 429,
        "too-soon": 409,
        "unfit": 422,
        "wording-changed": 409,
        "wrong-digits": 422,
    }


# ---- answering


def test_a_question_is_shown_and_answered(acme: Acme, program: Program) -> None:
    """
    A yes is a yes, a no is a no, and the response says what is on record.
    """
    code = acme.ask()
    shown = program.get("/me", code)
    assert (200, "question", "a•••@e•••.com") == (shown.status, shown.body["kind"], shown.body["masked"])
    assert shown.body["expires_at"] == "2026-12-24T23:59:59.999999Z"
    assert answers_of(shown) == {"email": None, "sms": None}
    saved = program.say(code, email=True, sms=False)
    assert (200, []) == (saved.status, saved.body["held"])
    assert answers_of(saved) == {"email": True, "sms": False}
    assert acme.answers() == {EMAIL_OFFERS: True, SMS_OFFERS: False}


def test_what_is_not_answered_stays_unanswered(acme: Acme, program: Program) -> None:
    """
    It is neither a yes nor a no, on record and in the response.
    """
    assert answers_of(program.say(acme.ask(), email=False)) == {"email": False, "sms": None}
    assert acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: None}


def test_a_question_is_answered_once(acme: Acme, program: Program) -> None:
    """
    Sent again, after a withdrawal as well, the answer grants nothing, and the problem says when it was given.
    """
    code = acme.ask()
    program.say(code, email=False)
    answered_at = acme.manager.clock()
    acme.later(days=1)
    before = acme.record()
    again = program.post("/me/answers", code, FITTING["/me/answers"])
    assert (410, "link-used") == (again.status, again.problem)
    assert answered_at == datetime.fromisoformat(again.body["at"])
    assert "24 November 2026" in again.body["detail"]
    assert before == acme.record()


@pytest.mark.parametrize("wording", [None, "", "0" * 64, "yes"])
def test_a_yes_names_the_words_it_is_said_to(acme: Acme, program: Program, wording: str | None) -> None:
    """
    Without, or to other words, nothing of the whole answer counts; a no needs none.
    """
    code = acme.ask()
    no = {"channel": "sms", "purpose": "offers", "answer": False}
    yes = {"channel": "email", "purpose": "offers", "answer": True, "wording": wording}
    before = acme.record()
    answered = program.post("/me/answers", code, {"answers": [no, yes]})
    assert (409, "wording-changed") == (answered.status, answered.problem)
    assert answered.body["where"] == "$.answers[1].wording"
    assert before == acme.record()


def test_a_yes_to_words_that_changed_is_refused(acme: Acme, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    They were shown, and are no longer what would be agreed to.
    """
    code = acme.myoptly()
    shown = program.get("/me", code).body["items"][0]
    words = Wording(text="May Acme Ltd send you offers of our partners?")
    reworded = attrs.evolve(acme.manager.purposes["offers"], wordings={(Channel.EMAIL, "en"): words})
    monkeypatch.setitem(acme.manager.purposes, "offers", reworded)
    sent = {"channel": "email", "purpose": "offers", "answer": True, "wording": shown["wording"]["digest"]}
    assert program.post("/me/answers", code, {"answers": [sent]}).problem == "wording-changed"
    assert acme.answers()[EMAIL_OFFERS] is None
    assert program.say(code, email=True).status == 200
    assert acme.answers()[EMAIL_OFFERS] is True


@pytest.mark.parametrize(
    ("answers", "where"),
    [
        ([("sms", "offers")], "$.answers[0]"),
        ([("email", "news")], "$.answers[0]"),
        ([("email", "offers"), ("post", "offers")], "$.answers[1]"),
        ([("email", "offers"), ("email", "offers")], "$.answers[1]"),
    ],
    ids=["another channel", "another purpose", "one of two", "twice"],
)
def test_only_what_was_asked_is_answered(
    acme: Acme, program: Program, answers: list[tuple[str, str]], where: str
) -> None:
    """
    And once. An answer beside the question spoils all of them.
    """
    code = acme.ask(Channel.EMAIL)
    before = acme.record()
    sent = [{"channel": channel, "purpose": purpose, "answer": False} for channel, purpose in answers]
    answered = program.post("/me/answers", code, {"answers": sent})
    assert (422, "not-offered", where) == (answered.status, answered.problem, answered.body["where"])
    assert before == acme.record()


def test_choices_change_as_often_as_one_likes(acme: Acme, program: Program) -> None:
    """
    Each time only what was named.
    """
    code = acme.myoptly()
    for answer in (True, False, True):
        acme.later(minutes=1)
        assert answers_of(program.say(code, email=answer)) == {"email": answer, "sms": None}
    assert acme.answers() == {EMAIL_OFFERS: True, SMS_OFFERS: None}


def test_a_hasty_yes_is_held_until_it_is_confirmed(acme: Acme) -> None:
    """
    A no counts at once; and nobody confirms faster than they read.
    """
    program, code = Program(acme.manager.portal(api=True)), acme.ask()
    saved = program.say(code, email=True, sms=False)
    assert [item["channel"] for item in saved.body["held"]] == ["email"]
    assert acme.answers() == {EMAIL_OFFERS: None, SMS_OFFERS: False}
    shown = program.get("/me", code).body
    assert ([], ["email"]) == (shown["items"], [item["channel"] for item in shown["held"]])
    early = program.post("/me/confirm", code)
    assert (409, "too-soon") == (early.status, early.problem)
    acme.later(seconds=10)
    assert answers_of(program.post("/me/confirm", code)) == {"email": True}
    assert acme.answers()[EMAIL_OFFERS] is True
    assert program.post("/me/confirm", code).problem == "link-used"


def test_confirming_what_is_not_held_changes_nothing(acme: Acme, program: Program) -> None:
    """
    It says what is on record.
    """
    code = acme.myoptly()
    before = acme.record()
    assert answers_of(program.post("/me/confirm", code)) == {"email": None, "sms": None}
    assert before == acme.record()


# ---- languages


def in_welsh() -> Acme:
    return Acme.open(purposes=(Purpose(key="offers", title="Offers", wordings={(Channel.EMAIL, "cy"): WELSH}),))


def agreed_to(acme: Acme) -> list[tuple[str, str]]:
    """
    Return the words that were agreed to, and the language of the page.
    """
    given = [event for event in acme.manager.history(acme.ada) if isinstance(event, ConsentGiven)]
    digests = [choice.wording for event in given for choice in event.choices]
    known = acme.world.storage.wordings(digests)
    return [(json.loads(known[digest])["text"], event.language) for digest, event in zip(digests, given, strict=True)]


def test_another_language_is_answered_in_its_own_words() -> None:
    """
    A yes in Welsh is to the Welsh words, and the digest of the English ones is none of theirs.
    """
    acme = in_welsh()
    program, code = Program(acme.manager.portal(api=True, hold_yes_within=None)), acme.myoptly()
    english = program.get("/me", code).body["items"][0]
    sent = {"channel": "email", "purpose": "offers", "answer": True, "wording": english["wording"]["digest"]}
    assert program.post("/me/answers?lang=cy", code, {"answers": [sent]}).problem == "wording-changed"
    assert program.say(code, "?lang=cy", email=True).status == 200
    assert agreed_to(acme) == [(WELSH.text, "cy")]


@pytest.mark.parametrize("by", ["page", "program"])
def test_the_words_that_were_shown_are_those_on_record(by: str) -> None:
    """
    Also where they are in a language that the pages themselves do not speak.
    """
    words = Wording(text="Darf Acme Ltd Ihnen Angebote mailen?", yes="Ja", no="Nein", language="de")
    acme = Acme.open(purposes=(Purpose(key="offers", title="Offers", wordings={(Channel.EMAIL, "de"): words}),))
    acme.manager.change_details(acme.ada, language="de")
    portal, code = acme.manager.portal(api=True, hold_yes_within=None), acme.myoptly()
    if by == "page":
        assert Visitor(portal).submit(f"/l/{code}", {"email-offers": True}).status == 200
    else:
        assert Program(portal).say(code, email=True).status == 200
    assert agreed_to(acme) == [(words.text, "de")]


def test_a_problem_is_told_in_the_language_that_is_wanted(acme: Acme, program: Program) -> None:
    """
    By the query or by the header; its title stays as it is.
    """
    code = acme.ask()
    program.say(code, email=False)
    plain = program.get("/me", code).body
    welsh = program.get("/me?lang=cy", code).body
    wanted = program.call("GET", "/me", code, None, ("accept-language", "cy")).body
    assert welsh == wanted
    assert (plain["title"], plain["type"]) == (welsh["title"], welsh["type"])
    assert plain["detail"] != welsh["detail"]


# ---- stopping and undoing


@pytest.mark.parametrize("kind", ["question", "closed", "myoptly", "session"])
def test_stopping_is_one_call(acme: Acme, program: Program, kind: str) -> None:
    """
    With no body, through a link of any kind, and again.
    """
    code = acme.myoptly() if kind == "myoptly" else acme.ask()
    if kind == "closed":
        program.say(code, email=True)
    if kind == "session":
        code = program.post("/me/codes", code).body["session"]
    for _ in range(2):
        acme.later(minutes=1)
        assert program.post("/me/stop", code).status == 200
    assert acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: False}


def test_a_stop_is_undone_where_it_was_made(acme: Acme, program: Program) -> None:
    """
    By its name; what was agreed to is allowed again, and a second time nothing happens.
    """
    code = acme.myoptly()
    program.say(code, email=True)
    acme.later(minutes=1)
    undo = program.post("/me/stop", code).body["undo"]
    assert ("stop", ["email"]) == (undo["undoes"], [item["channel"] for item in undo["items"]])
    acme.later(minutes=1)
    for _ in range(2):
        assert answers_of(program.post("/me/undo", code, {"stop": undo["stop"]})) == {"email": True, "sms": False}
    assert acme.answers() == {EMAIL_OFFERS: True, SMS_OFFERS: False}


def test_a_stop_is_undone_by_the_link_that_was_sent(acme: Acme, program: Program) -> None:
    """
    Which says what it undoes, and takes no name.
    """
    program.say(acme.myoptly(), email=True)
    acme.later(minutes=1)
    assert program.post("/stop-link", acme.token()).body["told"] is True
    acme.later(minutes=1)
    code = undo_of(acme.world, EMAIL)
    shown = program.get("/me", code).body
    assert ("undo", "stop") == (shown["kind"], shown["undo"]["undoes"])
    acme.later(minutes=2)
    assert program.post("/me/undo", code).body["undo"] is None
    assert acme.answers()[EMAIL_OFFERS] is True
    assert program.post("/me/answers", code, FITTING["/me/answers"]).problem == "not-offered"


@pytest.mark.parametrize("stop", [None, "1"])
def test_a_question_undoes_nothing(acme: Acme, program: Program, stop: str | None) -> None:
    """
    The link is not for that, and is told from one that opens nothing.
    """
    code = acme.ask()
    before = acme.record()
    answered = program.post("/me/undo", code, {"stop": stop})
    assert (403, "not-for-this") == (answered.status, answered.problem)
    assert before == acme.record()


def test_a_stop_link_stops_what_it_names(acme: Acme, program: Program) -> None:
    """
    Looked at it changes nothing; called it stops, ten years later as well.
    """
    program.say(acme.myoptly(), email=True, sms=True)
    token = acme.token("offers")
    before = acme.record()
    scope = {"channel": "email", "purpose": None, "title": None}
    assert scope == program.get("/stop-link", token).body
    assert before == acme.record()
    acme.later(days=3650)
    assert program.post("/stop-link", token).status == 200
    assert acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: True}


def test_the_code_of_one_kind_is_none_of_another(acme: Acme, program: Program) -> None:
    """
    A stop link opens no page, and a link is no stop link.
    """
    code, token = acme.myoptly(), acme.token()
    before = acme.record()
    assert program.get("/me", token).problem == "link-invalid"
    assert program.post("/me/stop", token).problem == "link-invalid"
    assert before.contacts == acme.record().contacts
    assert program.get("/stop-link", code).problem == "not-for-this"
    assert acme.answers() == {EMAIL_OFFERS: None, SMS_OFFERS: None}


def test_a_complaint_is_taken_down(acme: Acme, program: Program) -> None:
    """
    With its reference and the last day to acknowledge it; an empty one is none.
    """
    code = acme.ask()
    taken = program.post("/me/complaints", code, FITTING["/me/complaints"])
    assert taken.status == 201
    (complaint,) = acme.manager.standing(acme.ada).complaints
    assert (complaint.reference, complaint.acknowledge_by) == (
        taken.body["reference"],
        datetime.fromisoformat(taken.body["acknowledge_by"]),
    )
    for text in ("", "  \n", "x" * 5001):
        assert program.post("/me/complaints", code, {"text": text}).problem == "unfit"


# ---- sessions


def test_a_session_goes_from_a_link_to_the_end(acme: Acme, program: Program) -> None:
    """
    Each step gives the code for the next, and the one before it is over.
    """
    began = program.post("/me/codes", acme.myoptly())
    assert (201, False, "a•••@e•••.com") == (began.status, began.body["raised"], began.body["masked"])
    first = began.body["session"]
    raised = program.post("/me/session", first, {"digits": latest_digits(acme.world)})
    assert (200, True, "2026-11-24T12:30:00Z") == (raised.status, raised.body["raised"], raised.body["ends_at"])
    assert program.get("/me", first).problem == "link-invalid"
    acme.later(minutes=10)
    stayed = program.post("/me/session/stay", raised.body["session"])
    assert stayed.body["ends_at"] == "2026-11-24T12:40:00Z"
    session = stayed.body["session"]
    assert program.get("/me", session).body["raised"] is True
    assert program.post("/me/session/finish", session).body == {}
    for path in ("/me/session/finish", "/me/session/stay"):
        assert (401, "link-invalid") == (program.post(path, session).status, program.post(path, session).problem)


def test_finishing_does_no_harm_to_a_link(acme: Acme, program: Program) -> None:
    """
    It is no session, and goes on working.
    """
    for code in (acme.ask(), acme.myoptly()):
        assert program.post("/me/session/finish", code).problem == "code-needed"
        assert program.get("/me", code).status == 200


def test_wrong_digits_raise_nothing(acme: Acme, program: Program) -> None:
    """
    Nor do too many.
    """
    session = program.post("/me/codes", acme.myoptly()).body["session"]
    digits = latest_digits(acme.world)
    wrong = f"{(int(digits) + 1) % 10**6:06d}"
    for _ in range(5):
        assert program.post("/me/session", session, {"digits": wrong}).problem == "wrong-digits"
    late = program.post("/me/session", session, {"digits": digits})
    assert (429, "too-many-tries") == (late.status, late.problem)
    assert late.headers["retry-after"] == "600"
    assert datetime.fromisoformat(late.body["at"]) == acme.manager.clock() + timedelta(minutes=10)


@pytest.mark.parametrize(("method", "path"), RAISED)
@pytest.mark.parametrize("kind", ["question", "myoptly", "session"])
def test_what_is_a_persons_own_takes_a_raised_session(
    acme: Acme, program: Program, method: str, path: str, kind: str
) -> None:
    """
    Neither a link nor a session that nobody raised shows or changes it.
    """
    code = acme.ask() if kind == "question" else acme.myoptly()
    if kind == "session":
        code = program.post("/me/codes", code).body["session"]
        acme.manager.deliver()
    before = acme.record()
    answered = program.fitting(method, path, code)
    assert (403, "code-needed") == (answered.status, answered.problem)
    assert before == acme.record()
    assert b"Ada" not in answered.response.body


def test_a_session_that_began_at_a_question_chooses_nothing_before_it_is_raised(acme: Acme, program: Program) -> None:
    """
    It opens, and shows no choice.
    """
    session = program.post("/me/codes", acme.ask()).body["session"]
    assert program.get("/me", session).body["items"] == []
    before = acme.record()
    assert program.post("/me/answers", session, FITTING["/me/answers"]).problem == "code-needed"
    assert before == acme.record()


def test_details_are_shown_and_changed(acme: Acme, program: Program) -> None:
    """
    Unmasked; name and language at once, an address with a new code for the session, and what is left out stays.
    """
    session = program.raised(acme, acme.myoptly())
    shown = program.get("/me/details", session).body
    assert shown == {
        "name": "Ada Lovelace",
        "language": "en",
        "languages": ["en", "cy"],
        "lines": [{"kind": "email", "value": EMAIL}],
        "masked": [{"kind": "phone", "masked": PhoneNumber.parse(PHONE).masked}],
        "provable": ["email", "phone"],
        "proposed": {},
    }
    changes = {"name": " Ada  King ", "language": "cy", "address": "1 High Street, Leeds LS1 1AA"}
    changed = program.post("/me/details", session, changes)
    assert (200, True) == (changed.status, changed.body["raised"])
    assert program.get("/me/details", session).status == 401
    after = program.get("/me/details", changed.body["session"]).body
    assert ("Ada King", "cy") == (after["name"], after["language"])
    assert after["lines"][-1]["kind"] == "post"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": ""}, "unfit"),
        ({"name": "Ada\u202eKing"}, "unfit"),
        ({"name": "x" * 201}, "unfit"),
        ({"name": "Ada King", "language": "xx"}, "unfit"),
        ({"address": ""}, "address-unreadable"),
        ({"address": "1 High\x00 Street, Leeds"}, "address-unreadable"),
        ({"address": "x, " * 200}, "address-unreadable"),
    ],
)
def test_details_that_cannot_be_are_refused(acme: Acme, program: Program, changes: Any, problem: str) -> None:
    """
    All of them, if one of them cannot, and with the sentence that the page has for it.
    """
    session = program.raised(acme, acme.myoptly())
    before = acme.record()
    answered = program.post("/me/details?lang=cy", session, changes)
    assert (422, problem) == (answered.status, answered.problem)
    assert answered.body["detail"] != program.post("/me/details", session, changes).body["detail"]
    assert before == acme.record()


@pytest.mark.parametrize(("name", "new"), [("email", NEW), ("phone", NEW_PHONE)])
def test_a_new_address_counts_once_its_code_comes_back(acme: Acme, program: Program, name: str, new: str) -> None:
    """
    Until then it is shown as one that waits, masked.
    """
    session = program.raised(acme, acme.myoptly())
    sent = program.post(f"/me/{name}", session, {"value": f" {new} "})
    assert sent.status == 202
    assert program.get("/me/details", session).body["proposed"] == {name: sent.body["masked"]}
    digits = latest_digits(acme.world, Channel.EMAIL if name == "email" else Channel.SMS)
    assert program.post(f"/me/{name}/proof", session, {"digits": "x"}).problem == "wrong-digits"
    proved = program.post(f"/me/{name}/proof", session, {"digits": digits})
    assert proved.status == 200
    assert {"kind": name, "value": new} in program.get("/me/details", proved.body["session"]).body["lines"]
    assert program.get("/me/details", session).problem in ("session-over", "link-invalid")


@pytest.mark.parametrize(("value", "problem"), [(EMAIL, "unfit"), ("nobody", "address-unreadable")])
def test_a_new_address_has_to_be_new_and_an_address(acme: Acme, program: Program, value: str, problem: str) -> None:
    """
    Nothing is sent to another.
    """
    session = program.raised(acme, acme.myoptly())
    before = acme.record()
    assert program.post("/me/email", session, {"value": value}).problem == problem
    assert before == acme.record()


def test_a_change_of_address_is_undone_by_the_link_that_was_sent(acme: Acme, program: Program) -> None:
    """
    It says what it undoes, masked; then the earlier address counts again, and the session of the change is over.
    """
    session = program.raised(acme, acme.myoptly())
    program.post("/me/email", session, {"value": NEW})
    session = program.post("/me/email/proof", session, {"digits": latest_digits(acme.world)}).body["session"]
    code = undo_of(acme.world, EMAIL)
    undo = program.get("/me", code).body["undo"]
    assert ("change", "email", "a•••@e•••.com") == (undo["undoes"], undo["kind"], undo["old"])
    assert program.post("/me/undo", code).status == 200
    assert acme.manager.find(EMAIL) is not None
    assert program.get("/me", session).problem == "session-over"


def test_the_history_is_told_in_parts(acme: Acme, program: Program) -> None:
    """
    The latest first, each event once, with the words that were shown and in the language that is wanted.
    """
    code = acme.ask(Channel.EMAIL)
    program.say(code, email=True)
    for _ in range(60):
        acme.later(minutes=1)
        acme.manager.withdraw(acme.ada)
        program.say(acme.myoptly(), email=True)
    session = program.raised(acme, acme.myoptly())
    told: list[dict[str, Any]] = []
    before, parts = "", 0
    while parts < 9:
        part = program.get(f"/me/history{before}", session).body
        told, parts = told + part["entries"], parts + 1
        if part["before"] is None:
            break
        before = f"?before={part['before']}"
    numbers = [entry["number"] for entry in told]
    assert sorted(numbers, reverse=True) == numbers
    assert set(numbers) == set(range(1, len(acme.manager.history(acme.ada)) + 1))
    yes = next(entry for entry in told if entry["event"].startswith("consent-given/"))
    assert (True, "You said yes") == (yes["answer"], yes["what"])
    assert yes["wording"]["text"].startswith("May Acme Ltd")
    assert program.get("/me/history?lang=cy", session).body["entries"][0]["what"] != told[0]["what"]


@pytest.mark.parametrize("before", ["0", "-1", "x", "", "1.5", "9999999999", "1&before=2", "%D9%A1"])
def test_a_part_that_cannot_be_is_refused(acme: Acme, program: Program, before: str) -> None:
    """
    The number of an event is a number.
    """
    session = program.raised(acme, acme.myoptly())
    refused = program.get(f"/me/history?before={before}" + "&x=1" * 20, session)
    assert (400, "malformed") == (refused.status, refused.problem)


def test_a_copy_goes_to_the_address_on_record(acme: Acme, program: Program) -> None:
    """
    Never into the response.
    """
    session = program.raised(acme, acme.myoptly())
    sent = program.post("/me/copy", session)
    assert (202, {"masked": "a•••@e•••.com"}) == (sent.status, sent.body)
    acme.manager.deliver()
    assert acme.world.emails.outbox[-1].to == EMAIL


def test_what_cannot_be_sent_is_refused(acme: Acme, program: Program) -> None:
    """
    A copy goes by email alone.
    """
    bob = acme.manager.add_contact(name="Bob", phone=NEW_PHONE)
    code = acme.manager.link(bob, Channel.SMS).rpartition("/")[2]
    session = program.post("/me/codes", code).body["session"]
    raised = program.post("/me/session", session, {"digits": latest_digits(acme.world, Channel.SMS)}).body["session"]
    assert program.get("/me", raised).body["copyable"] is False
    refused = program.post("/me/copy", raised)
    assert (409, "cannot-send") == (refused.status, refused.problem)


# ---- a new link


def test_a_new_link_tells_nobody_who_is_on_record(acme: Acme, program: Program) -> None:
    """
    The responses are the same to the byte; only the holder gets something.
    """
    known = program.post("/new-link", "", {"address": EMAIL})
    unknown = program.post("/new-link", "", {"address": "nobody@example.com"})
    assert (202, known.response) == (known.status, unknown.response)
    acme.manager.deliver()
    assert [message.to for message in acme.world.emails.outbox] == [EMAIL]
    assert program.post("/new-link", "", {"address": "nobody"}).problem == "address-unreadable"
    for _ in range(30):
        assert program.post("/new-link", "", {"address": EMAIL}).response == known.response


# ---- nobody else's


def test_nobody_reaches_what_is_somebody_elses(acme: Acme, program: Program) -> None:
    """
    Whoever goes through every call with their own code sees and changes nothing of anybody else.
    """
    bob = acme.manager.add_contact(name="Robert Boole", email="bob@example.org", phone=NEW_PHONE)
    acme.manager.choose(acme.manager.link(bob).rpartition("/")[2], {EMAIL_OFFERS: True})
    acme.manager.deliver()
    before = acme.manager.history(bob)
    for code in (acme.myoptly(), acme.ask(), program.raised(acme, acme.myoptly())):
        for method, path in EVERY_CALL:
            answered = program.fitting(method, path, code)
            assert answered.status < 500
            for secret in (b"Robert", b"bob@", b"b\xe2\x80\xa2", NEW_PHONE.encode(), bob.id.encode()):
                assert secret not in answered.response.body
    assert before == acme.manager.history(bob)


# ---- who may call


@pytest.mark.parametrize(("method", "path"), EVERY_CALL)
def test_a_code_comes_in_its_header_and_nowhere_else(acme: Acme, program: Program, method: str, path: str) -> None:
    """
    Not in a cookie, which a browser sends by itself, nor in the query; and no cookie is ever set.
    """
    session = program.raised(acme, acme.myoptly())
    cookie = ("cookie", f"{cookie_name(acme.manager.pages)}={session}")
    before = acme.record()
    for headers in ((cookie,), (("authorization", f"Basic {session}"),), (("authorization", "Bearer"),)):
        body = FITTING.get(path) if method == "POST" else None
        answered = program.call(method, f"{path}?code={session}&access_token={session}", "", body, *headers)
        assert "set-cookie" not in answered.headers
        if path == "/new-link":
            continue
        assert (401, "no-code") == (answered.status, answered.problem)
        assert answered.headers["www-authenticate"] == "Bearer"
        assert before == acme.record()
    assert "set-cookie" not in program.fitting(method, path, session).headers


def test_two_codes_are_none(acme: Acme, program: Program) -> None:
    """
    Which of them would count nobody can tell.
    """
    one, other = acme.myoptly(), acme.myoptly()
    twice = program.call("GET", "/me", one, None, ("authorization", f"Bearer {other}"))
    assert twice.problem == "no-code"


@pytest.mark.parametrize("code", ["0" * 26, "short", "é", "../l", "x" * 5000, '"><script>'])
def test_a_code_that_opens_nothing_is_not_repeated(program: Program, code: str) -> None:
    """
    The response is the same whatever it was.
    """
    answered = program.get("/me", code)
    assert (401, "link-invalid") == (answered.status, answered.problem)
    assert answered.response == program.get("/me", "1" * 26).response


@pytest.mark.parametrize(("method", "path"), [*EVERY_CALL, ("GET", "/openapi.json"), ("GET", "/nowhere")])
def test_every_response_carries_the_headers(acme: Acme, program: Program, method: str, path: str) -> None:
    """
    Those of the pages, each once. None of them lets a page of another origin read or send anything.
    """
    preflight = (("origin", "https://evil.example"), ("access-control-request-method", method))
    for answered in (
        program.fitting(method, path, acme.myoptly()),
        program.call("OPTIONS", path, "", None, *preflight),
        program.call("DELETE", path),
    ):
        names = [name for name, _ in answered.response.headers]
        assert sorted(set(names)) == sorted(names)
        assert HEADERS.items() <= answered.headers.items()
        assert answered.headers["cache-control"] == "no-store"
        assert not [name for name in names if name.startswith("access-control")]
        assert answered.headers["content-length"] == str(len(answered.response.body))


# ---- looking


def test_looking_changes_nothing(acme: Acme, program: Program) -> None:
    """
    GET and HEAD leave everything as it was, also where they are not known.
    """
    codes = [acme.ask(), acme.myoptly(), acme.token(), program.raised(acme, acme.myoptly())]
    before = acme.record()
    for code in codes:
        for _, path in EVERY_CALL:
            for method in ("GET", "HEAD"):
                program.call(method, path, code, FITTING.get(path))
    assert before == acme.record()


def test_head_is_get_without_a_body(acme: Acme, program: Program) -> None:
    """
    Problems included.
    """
    session = program.raised(acme, acme.myoptly())
    for path in ("/openapi.json", "/me", "/me/details", "/me/history", "/me/stop", "/nowhere"):
        get, head = program.get(path, session), program.call("HEAD", path, session)
        assert (get.status, get.response.headers, b"") == (head.status, head.response.headers, head.response.body)


# ---- what is no call


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/openapi.json", "GET, HEAD"),
        ("PUT", "/me", "GET, HEAD"),
        ("PATCH", "/me/details", "GET, POST, HEAD"),
        ("GET", "/me/stop", "POST"),
        ("OPTIONS", "/me/stop/", "POST"),
        ("post", "/me/stop", "POST"),
    ],
)
def test_another_method_is_refused(acme: Acme, program: Program, method: str, path: str, allow: str) -> None:
    """
    The response says which there are.
    """
    answered = program.fitting(method, path, acme.myoptly())
    assert (405, "method-not-allowed", allow) == (answered.status, answered.problem, answered.headers["allow"])


@pytest.mark.parametrize("path", ["", "/", "/me/", "/me/x", "/ME", "/me/answers/1", "//me", "/openapi.json/x", "/\x00"])
def test_another_path_is_not_found(acme: Acme, program: Program, path: str) -> None:
    """
    A stroke at its end does not matter.
    """
    answered = program.get(path, acme.myoptly())
    assert answered.status == (200 if path == "/me/" else 404)
    assert path == "/me/" or answered.problem == "not-found"


@pytest.mark.parametrize(
    "header",
    [
        (),
        (("content-type", "text/plain"),),
        (("content-type", "application/x-www-form-urlencoded"),),
        (("content-type", "application/json; charset=latin-1"),),
        (JSON, JSON),
    ],
)
def test_only_json_is_read(acme: Acme, program: Program, header: tuple[tuple[str, str], ...]) -> None:
    """
    A form of another site is none, whatever it says.
    """
    code, body = acme.myoptly(), json.dumps(FITTING["/me/answers"]).encode()
    before = acme.record()
    answered = program.call("POST", "/me/answers", code, None, *header, raw=body)
    assert (415, "not-json") == (answered.status, answered.problem)
    assert before == acme.record()


def test_a_body_may_have_64_kilobytes(acme: Acme, program: Program) -> None:
    """
    And not one byte more.
    """
    code, body = acme.ask(), json.dumps(FITTING["/me/answers"]).encode()
    padded = body.ljust(64 * 1024 + 1)
    before = acme.record()
    assert program.call("POST", "/me/answers", code, None, JSON, raw=padded).problem == "too-large"
    assert before == acme.record()
    assert program.call("POST", "/me/answers", code, None, JSON, raw=padded[:-1]).status == 200


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/me/answers", b"", ""),
        ("/me/answers", b"{", ""),
        ("/me/answers", b"\xff", ""),
        ("/me/answers", b"[]", ""),
        ("/me/answers", b"{}", ""),
        ("/me/answers", b'{"answers": []}', "$.answers"),
        ("/me/answers", b'{"answers": [{"channel": "ada@x", "purpose": "", "answer": true}]}', "$.answers[0].channel"),
        ("/me/answers", b'{"answers": [{"channel": "sms", "purpose": "", "answer": 1}]}', "$.answers[0].answer"),
        ("/me/answers", b'{"answers": [{"channel": "sms", "purpose": "", "answer": "yes"}]}', "$.answers[0].answer"),
        ("/me/answers", b'{"answers": ' + b"[" * 60_000, "$.answers[0]"),
        ("/me/undo", b'{"stop": 1}', "$.stop"),
        ("/me/undo", b'{"stop": "0"}', "$.stop"),
        ("/me/undo", b'{"stop": "1\\n"}', "$.stop"),
        ("/me/undo", b'{"stop": "1234567890"}', "$.stop"),
        ("/me/complaints", b'{"text": "\\ud800"}', ""),
    ],
)
def test_what_does_not_fit_the_description_is_refused(
    acme: Acme, program: Program, path: str, body: bytes, where: str
) -> None:
    """
    With the place where it does not, and without what stood there.
    """
    code = acme.myoptly()
    before = acme.record()
    answered = program.call("POST", path, code, None, JSON, raw=body)
    assert (400, "malformed", where) == (answered.status, answered.problem, answered.body.get("where", ""))
    assert b"ada@" not in answered.response.body
    assert before == acme.record()


def test_a_body_with_nothing_to_say_may_be_left_out(acme: Acme, program: Program) -> None:
    """
    Or be an empty object.
    """
    empty: dict[str, str] = {}
    for body in (None, empty):
        assert program.post("/me/stop", acme.myoptly(), body).status == 200


# ---- how often


def test_guessing_ends(acme: Acme) -> None:
    """
    Beyond the limit a miss is told as that, and a code that opens something opens it all the same.
    """
    program = Program(acme.manager.portal(api=True, limits=Limits(misses_by_client="3/hour")))
    got = [program.get("/me", f"{n:026d}").status for n in range(4)]
    assert got == [401, 401, 401, 429]
    assert program.get("/me", "0" * 26).problem == "too-many-tries"
    assert program.get("/me", acme.myoptly()).status == 200
    assert program.post("/me/stop", acme.myoptly()).status == 200


def test_a_link_for_something_else_is_no_miss(acme: Acme) -> None:
    """
    It opens something, so nobody guessed it.
    """
    program = Program(acme.manager.portal(api=True, limits=Limits(misses_by_client="1/hour")))
    code = acme.ask()
    assert [program.post("/me/undo", code).status for _ in range(3)] == [403] * 3
    assert [program.get("/me/details", code).status for _ in range(3)] == [403] * 3


def test_new_links_are_sent_no_more_often_than_on_the_pages(acme: Acme) -> None:
    """
    Whoever asks for one too many is told the same, and nothing is sent.
    """
    program = Program(acme.manager.portal(api=True, limits=Limits(new_links_by_client="1/hour")))
    first = program.post("/new-link", "", {"address": EMAIL})
    assert first.response == program.post("/new-link", "", {"address": PHONE}).response
    acme.manager.deliver()
    assert (1, 0) == (len(acme.world.emails.outbox), len(acme.world.texts.outbox))


@pytest.mark.parametrize("path", ["/me/session", "/me/email/proof", "/me/phone/proof"])
def test_digits_are_tried_no_more_often_than_on_the_pages(acme: Acme, path: str) -> None:
    """
    Not even the right ones.
    """
    program = Program(acme.manager.portal(api=True, limits=Limits(digits_by_client="1/hour")))
    session = program.post("/me/codes", acme.myoptly()).body["session"]
    if path != "/me/session":
        session = program.raised(acme, acme.myoptly())
    else:
        program.post(path, session, {"digits": "x"})
    assert program.post(path, session, {"digits": latest_digits(acme.world)}).problem == "too-many-tries"


def test_codes_are_sent_no_more_often_than_on_the_pages(acme: Acme, program: Program) -> None:
    """
    Three in a quarter of an hour, and then it is told when.
    """
    code = acme.myoptly()
    got = [program.post("/me/codes", code) for _ in range(4)]
    assert [answered.status for answered in got] == [201, 201, 201, 429]
    assert got[-1].headers["retry-after"] == "900"


# ---- when something fails


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StorageUnavailableError("ada@example.com"), 503),
        (ConflictError("ada@example.com"), 503),
        (DamagedError("ada@example.com"), 500),
        (UsageError("ada@example.com"), 500),
        (RuntimeError("ada@example.com"), 500),
    ],
)
def test_an_error_becomes_a_problem_that_gives_nothing_away(
    acme: Acme, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, status: int
) -> None:
    """
    Neither the response nor the log repeats what the error says, nor the code.
    """

    def fail(*_: Any) -> None:
        raise error

    program, code = Program(acme.manager.portal(api=True)), acme.myoptly()
    monkeypatch.setattr(acme.world.storage, "code", fail)
    for answered in (program.get("/me", code), program.post("/me/stop", code)):
        assert (status, "busy" if status == 503 else "failed") == (answered.status, answered.problem)
        assert (answered.headers.get("retry-after") == "5") is (status == 503)
        assert not any(secret in answered.response.body for secret in (b"ada@", b"Traceback", code.encode()))
    assert len(caplog.records) == (2 if status == 500 else 0)
    for record in caplog.records:
        assert record.exc_info is None
        assert not any(secret in str(vars(record)) for secret in ("ada@", code))


def test_a_store_that_fails_while_it_is_asked_why_is_a_failure_as_well(
    acme: Acme, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Nothing comes out of the portal but a response.
    """
    program, code = Program(acme.manager.portal(api=True)), acme.ask()
    whole, reads = acme.world.storage.code, iter(range(9))

    def fail_the_second_time(*arguments: Any) -> StoredCode | None:
        if next(reads) == 1:
            raise RuntimeError
        return whole(*arguments)

    monkeypatch.setattr(acme.world.storage, "code", fail_the_second_time)
    assert program.post("/me/undo", code).problem == "failed"
    assert len(caplog.records) == 1


# ---- by a server


def every_way(acme: Acme) -> Iterator[Any]:
    """
    Yield what asks for the choices through each kind of server.
    """
    portal, code = acme.manager.portal(api=True), acme.myoptly()
    headers = {"authorization": f"bearer {code}"}
    url = "https://acme.example.com/my/api"
    with httpx.Client(transport=httpx.WSGITransport(app=portal.wsgi()), headers=headers) as client:
        yield client.get(f"{url}/me")
        yield client.post(f"{url}/me/answers", json=FITTING["/me/answers"])

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=portal.asgi())
        async with httpx.AsyncClient(transport=transport, headers=headers) as client:
            return [
                await client.get(f"{url}/me"),
                await client.post(f"{url}/me/answers", json=FITTING["/me/answers"]),
            ]

    yield from asyncio.run(ask())


def test_it_is_served_like_the_pages(acme: Acme) -> None:
    """
    By WSGI and by ASGI, below the path of the base address.
    """
    got = [(response.status_code, response.json()["items"][0]["answer"]) for response in every_way(acme)]
    assert got == [(200, None), (200, False), (200, False), (200, False)]


# ---- in the documentation


def test_every_call_and_every_problem_is_in_the_documentation() -> None:
    """
    The page about drawing one's own page leaves out none, and names no other.
    """
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "draw-your-own-page.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("|")]
    paths = {path for first, *_ in rows for path in re.findall("`(/[a-z/-]+)`", first)}
    assert paths == set(OPERATIONS)
    names = {name for row in rows if len(row) == 2 for name in re.findall("`([a-z]+(?:-[a-z]+)*)`", row[1])}
    kinds = [kind for kind in vars(problems).values() if isinstance(kind, problems.Kind)]
    assert names - {"at", "where"} == {kind.name for kind in kinds}
