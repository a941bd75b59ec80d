"""
What was done is told at an address of its own: it can be loaded again and read in Welsh, and nothing is done twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import attrs
import pytest
from portal.sessions import undo_of
from portal.visitor import FROM_HERE, ONE_CLICK, ORIGIN, Acme, Page, Visitor, sign_in
from world import EMAIL, EMAIL_OFFERS, SMS_OFFERS

from optly.instants import end_of_day
from optly.portal.done import LIFE, Act, Done, Signatures

MOMENT = timedelta(microseconds=1)


@attrs.frozen
class Told:
    """
    A page that says what was done, and where it is.
    """

    path: str
    page: Page


def done(visitor: Visitor, page: Page, path: str, **typed: str) -> Told:
    """
    Press the button of a form, which has to lead on, and go there.
    """
    return led(visitor, visitor.send(path, {**page.filled_in(f"/my{path}", {}), **typed}, *FROM_HERE))


def led(visitor: Visitor, response: Page) -> Told:
    assert 303 == response.status
    assert "no-store" in response.headers("cache-control")
    where = response.shown.location.removeprefix(f"{ORIGIN}/my")
    return Told(where, visitor.get(where))


def without_random(page: Page) -> str:
    return re.sub(r'name="once" value="[^"]*"', "", page.text)


def saves(acme: Acme, visitor: Visitor) -> Told:
    code = acme.ask()
    sent = visitor.get(f"/l/{code}").filled_in(f"/my/l/{code}", {"email-offers": True, "sms-offers": False})
    return led(visitor, visitor.send(f"/l/{code}", sent, *FROM_HERE))


def changes(acme: Acme, visitor: Visitor) -> Told:
    code = acme.myoptly()
    sent = visitor.get(f"/l/{code}").filled_in(f"/my/l/{code}", {"email-offers": True})
    return led(visitor, visitor.send(f"/l/{code}", sent, *FROM_HERE))


def saves_nothing(acme: Acme, visitor: Visitor) -> Told:
    code = acme.myoptly()
    return done(visitor, visitor.get(f"/l/{code}"), f"/l/{code}")


def confirms(acme: Acme, visitor: Visitor) -> Told:
    visitor = attrs.evolve(visitor, portal=acme.manager.portal())
    code = acme.ask()
    sent = visitor.get(f"/l/{code}").filled_in(f"/my/l/{code}", {"email-offers": True, "sms-offers": False})
    held = led(visitor, visitor.send(f"/l/{code}", sent, *FROM_HERE))
    assert "Was that you?" in held.page.title
    acme.later(seconds=10)
    return done(visitor, held.page, f"/l/{code}/confirm")


def stops(acme: Acme, visitor: Visitor) -> Told:
    acme.world.agreed(acme.ada)
    acme.later(minutes=5)
    code = acme.myoptly()
    return done(visitor, visitor.get(f"/l/{code}"), f"/l/{code}/stop")


def stops_by_question(acme: Acme, visitor: Visitor) -> Told:
    code = acme.ask()
    return done(visitor, visitor.get(f"/l/{code}"), f"/l/{code}/stop")


def stops_by_token(acme: Acme, visitor: Visitor) -> Told:
    token = acme.token()
    return done(visitor, visitor.get(f"/u/{token}"), f"/u/{token}/stop")


def undoes(acme: Acme, visitor: Visitor) -> Told:
    stopped = stops(acme, visitor)
    acme.later(seconds=1)
    (path,) = (action.removeprefix("/my") for action in stopped.page.actions if action.endswith("/undo"))
    return done(visitor, stopped.page, path)


def undoes_by_link(acme: Acme, visitor: Visitor) -> Told:
    stops(acme, visitor)
    acme.later(seconds=1)
    code = undo_of(acme.world, EMAIL)
    return done(visitor, visitor.get(f"/l/{code}"), f"/l/{code}/undo")


def complains(acme: Acme, visitor: Visitor) -> Told:
    code = acme.myoptly()
    page = visitor.get(f"/l/{code}/complaint")
    return done(visitor, page, f"/l/{code}/complaint", text="You write too often.")


def has_a_copy_sent(acme: Acme, visitor: Visitor) -> Told:
    sign_in(acme, visitor)
    return done(visitor, visitor.get("/me/copy"), "/me/copy")


def changes_a_name(acme: Acme, visitor: Visitor) -> Told:
    sign_in(acme, visitor)
    return done(visitor, visitor.get("/me/name"), "/me/name", value="Ada King")


def stays(acme: Acme, visitor: Visitor) -> Told:
    sign_in(acme, visitor)
    return done(visitor, visitor.get("/me/details"), "/me/stay")


def finishes(acme: Acme, visitor: Visitor) -> Told:
    sign_in(acme, visitor)
    return done(visitor, visitor.get("/me/details"), "/me/finish")


def asks_for_a_link(acme: Acme, visitor: Visitor) -> Told:
    return done(visitor, visitor.get("/new-link"), "/new-link", address="ada@example.com")


ACTS: list[tuple[Callable[[Acme, Visitor], Told], str, str]] = [
    (saves, "Your choices are saved", "Mae eich dewisiadau wedi’u cadw"),
    (changes, "Your choices are saved", "Mae eich dewisiadau wedi’u cadw"),
    (saves_nothing, "Your choices", "Eich dewisiadau"),
    (confirms, "Your choices are saved", "Mae eich dewisiadau wedi’u cadw"),
    (stops, "Stopped", "Wedi stopio"),
    (stops_by_question, "Stopped", "Wedi stopio"),
    (stops_by_token, "Stopped", "Wedi stopio"),
    (undoes, "The stop is undone", "Mae’r stopio wedi’i ddadwneud"),
    (undoes_by_link, "The stop is undone", "Mae’r stopio wedi’i ddadwneud"),
    (complains, "We have your complaint", "Mae eich cwyn gennym"),
    (has_a_copy_sent, "The copy is on its way", "Mae’r copi ar ei ffordd"),
    (changes_a_name, "Your details", "Eich manylion"),
    (stays, "Your details", "Eich manylion"),
    (finishes, "You are signed out", "Rydych wedi allgofnodi"),
    (asks_for_a_link, "Check your messages", "Edrychwch ar eich negeseuon"),
]


@pytest.mark.parametrize(("act", "title", "welsh"), ACTS, ids=lambda each: getattr(each, "__name__", ""))
def test_what_was_done_has_an_address(
    acme: Acme, visitor: Visitor, act: Callable[[Acme, Visitor], Told], title: str, welsh: str
) -> None:
    """
    Loaded again, the page is the same and nothing more is done. In Welsh it says the same, with the same buttons.
    """
    told = act(acme, visitor)
    assert (200, f"{title} – Acme Ltd") == (told.page.status, told.page.title)
    before = acme.record()
    assert told.page.text == visitor.get(told.path).text
    (there,) = {link.url for link in told.page.shown.links if link.text == "Cymraeg"}
    in_welsh = visitor.get(there.removeprefix(f"{ORIGIN}/my"))
    assert (200, f"{welsh} – Acme Ltd") == (in_welsh.status, in_welsh.title)
    assert told.page.actions == [action.partition("?")[0] for action in in_welsh.actions]
    assert before == acme.record()


@pytest.mark.parametrize("act", [each for each, *_ in ACTS], ids=lambda each: each.__name__)
def test_an_address_that_says_what_was_done_names_nobody(
    acme: Acme, visitor: Visitor, act: Callable[[Acme, Visitor], Told]
) -> None:
    """
    Nor does it say anything without the code beside it, or a day later: then it is the page itself.
    """
    told = act(acme, visitor)
    path, _, query = told.path.partition("?")
    assert "ada" not in query.lower()
    assert len(query) < 120
    if path.startswith("/l/"):
        other = f"/l/{acme.myoptly()}"
        assert visitor.get(other).text == visitor.get(f"{other}?{query}").text
    acme.later(days=1, seconds=1)
    later, plain = visitor.get(told.path), visitor.get(f"{path}?{'&'.join(query.split('&')[1:])}")
    assert (plain.status, without_random(plain)) == (later.status, without_random(later))


def test_a_stop_is_told_even_where_nothing_else_opens(acme: Acme, visitor: Visitor) -> None:
    """
    Behind a question that is closed.
    """
    code = acme.ask()
    acme.manager.answer(code, {EMAIL_OFFERS: True})
    told = done(visitor, visitor.get(f"/l/{code}"), f"/l/{code}/stop")
    assert "no more marketing of any kind" in told.page.text
    assert acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: False}


@pytest.mark.parametrize("path", ["stop", "undo", "confirm"])
def test_an_address_with_nothing_done_leads_to_the_page_with_its_button(
    acme: Acme, visitor: Visitor, path: str
) -> None:
    """
    It says nothing of its own, and changes nothing.
    """
    code = acme.myoptly()
    before = acme.record()
    assert visitor.get(f"/l/{code}").text == visitor.follow(visitor.get(f"/l/{code}/{path}")).text
    assert before == acme.record()


def test_the_button_of_a_mail_program_is_answered_with_the_page(acme: Acme, visitor: Visitor) -> None:
    """
    With 200 and no redirect, as RFC 8058 requires, whatever it sends.
    """
    for body in (ONE_CLICK, b"", b"anything"):
        page = visitor.post(f"/u/{acme.token()}", body)
        assert (200, "Stopped – Acme Ltd") == (page.status, page.title)


# ---- pressed again


def test_saving_a_question_twice_is_saving_it(acme: Acme, visitor: Visitor) -> None:
    """
    Both presses lead to the same page, and one answer is on record. Another answer is not taken, and is told so.
    """
    code = acme.ask()
    page = visitor.get(f"/l/{code}")
    sent = page.filled_in(f"/my/l/{code}", {"email-offers": True, "sms-offers": False})
    first, second = (led(visitor, visitor.send(f"/l/{code}", sent, *FROM_HERE)) for _ in range(2))
    assert first.page.text == second.page.text
    other = visitor.post(f"/l/{code}", {**sent, "sms-offers": "yes"}, *FROM_HERE)
    assert (410, "You have already answered – Acme Ltd") == (other.status, other.title)
    assert acme.answers() == {EMAIL_OFFERS: True, SMS_OFFERS: False}


def test_confirming_twice_is_confirming(acme: Acme, visitor: Visitor) -> None:
    """
    Of a question; what was answered beside it is shown as well.
    """
    visitor = attrs.evolve(visitor, portal=acme.manager.portal())
    code = acme.ask()
    visitor.submit(f"/l/{code}", {"email-offers": True, "sms-offers": False})
    held = visitor.get(f"/l/{code}")
    acme.later(seconds=10)
    first, second = (done(visitor, held, f"/l/{code}/confirm") for _ in range(2))
    assert first.page.text == second.page.text
    assert (1, 1) == tuple(first.page.text.count(f'<span class="mark {answer}"') for answer in ("yes", "no"))


def test_a_stop_that_was_undone_is_not_told_as_one(acme: Acme, visitor: Visitor) -> None:
    """
    The address of the page that told of it leads to the choices from then on.
    """
    told = stops(acme, visitor)
    acme.later(seconds=1)
    done(visitor, told.page, f"{told.path.partition('/stop')[0]}/undo")
    assert "Your choices – Acme Ltd" == visitor.follow(visitor.get(told.path)).title


def test_an_undo_that_is_held_is_told_as_one(acme: Acme, visitor: Visitor) -> None:
    """
    They pressed Undo, and gave no answer.
    """
    visitor = attrs.evolve(visitor, portal=acme.manager.portal())
    held = undoes(acme, visitor).page
    assert "Was that you? – Acme Ltd" == held.title
    assert "confirm that you want to undo this" in held.text
    assert "Please confirm your answer" not in held.text


def test_the_choices_say_that_everything_is_stopped(acme: Acme, visitor: Visitor) -> None:
    """
    Since when, and until when it can be undone here: to the end of that day. One yes, and they no longer do.
    """
    home = stops(acme, visitor).path.partition("/stop")[0]
    page = visitor.get(home)
    assert "You stopped all marketing from Acme Ltd on 24 November 2026." in page.text
    assert "You can undo this until 24 December 2026." in page.text
    assert "You stopped all marketing" in visitor.get(f"/l/{acme.myoptly()}").text
    acme.world.clock.now = end_of_day(acme.world.clock.now + timedelta(days=30))
    assert f"/my{home}/undo" in visitor.get(home).actions
    acme.later(microseconds=1)
    assert f"/my{home}/undo" not in visitor.get(home).actions
    assert "You stopped all marketing" in visitor.get(home).text
    visitor.submit(home, {"email-offers": True})
    assert "You stopped all marketing" not in visitor.get(home).text


def test_a_link_that_was_switched_off_says_so(acme: Acme, visitor: Visitor) -> None:
    """
    For a year, and leads to a new one. After that nothing is left of it. A session that ended so is over.
    """
    link = acme.myoptly()
    sign_in(acme, visitor)
    visitor.press(visitor.get("/me/email"), "/me/email", value="ada@elsewhere.example.com")
    acme.manager.revoke_links(acme.ada)
    for path in ("", "/stop", "/complaint"):
        gone = visitor.follow(visitor.get(f"/l/{link}{path}"))
        assert (410, "This link no longer works – Acme Ltd") == (gone.status, gone.title)
        assert "It was switched off" in gone.text
        assert '<a href="/my/new-link"' in gone.text
    over = visitor.get("/me")
    assert (403, "You are signed out – Acme Ltd") == (over.status, over.title)
    acme.manager.deliver()
    acme.later(days=366)
    acme.world.storage.expire(acme.world.clock.now, 1000)
    assert 404 == visitor.get(f"/l/{link}").status


def test_a_complaint_is_filed_once(acme: Acme, visitor: Visitor) -> None:
    """
    The same form sent again has the same reference; other words in it are another complaint, and so is a new form.
    """
    code = acme.myoptly()
    page = visitor.get(f"/l/{code}/complaint")
    texts = ["Too many.", "Too many.", "Far too many."]
    told = [done(visitor, page, f"/l/{code}/complaint", text=text).page.text for text in texts]
    assert told[0] == told[1] != told[2]
    assert 2 == len(acme.manager.standing(acme.ada).complaints)
    again = done(visitor, visitor.get(f"/l/{code}/complaint"), f"/l/{code}/complaint", text="Too many.").page.text
    assert again not in told
    assert 3 == len(acme.manager.standing(acme.ada).complaints)


# ---- what is signed


def test_what_is_signed_is_good_for_one_place_and_one_day(acme: Acme) -> None:
    """
    To the last instant, and for no one who alters it.
    """
    now = acme.world.clock.now.replace(microsecond=0)
    signatures, did = Signatures(b"secret"), Done(Act.STOPPED, now, ("told",))
    signed = signatures.sign(did, "code")
    assert did == signatures.read(signed, "code", now=now + LIFE)
    assert signatures.read(signed, "code", now=now + LIFE + MOMENT) is None
    assert signatures.read(signed, "other", now=now) is None
    assert Signatures(b"other").read(signed, "code", now=now) is None
    for altered in (signed.replace("stopped", "saved"), signed[:-2], "", "é", "stopped"):
        assert signatures.read(altered, "code", now=now) is None
