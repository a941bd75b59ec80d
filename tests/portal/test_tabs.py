"""
Two tabs of one browser, and a button that is pressed twice: one act, with the same answer, and no untruth.
"""

from __future__ import annotations

import attrs
import pytest
from portal.sessions import digits_in
from portal.visitor import FROM_HERE, ORIGIN, Acme, Page, Visitor, add_bob, pending, sign_in
from world import EMAIL_OFFERS

NEW = "ada@elsewhere.example.com"


def sent_digits(acme: Acme) -> list[str]:
    acme.manager.deliver()
    return digits_in(acme.world.emails.outbox)


def twice(visitor: Visitor, page: Page, path: str, **typed: str) -> list[Page]:
    """
    Press a button twice before the browser has read the first response, and return what each press leads to.

    The cookies of both responses are kept, as a browser keeps them, in the order in which they came.
    """
    form = {**page.filled_in(f"/my{path}", {}), **typed}
    hasty = attrs.evolve(visitor, cookies=dict(visitor.cookies))
    first, second = visitor.send(path, form, *FROM_HERE), hasty.send(path, form, *FROM_HERE)
    visitor.cookies.update({name: hasty.cookies[name] for name in hasty.cookies if second.headers("set-cookie")})
    return [visitor.follow(first), visitor.follow(second)]


def test_a_session_that_one_tab_renews_goes_on_in_the_other(acme: Acme, visitor: Visitor) -> None:
    """
    What was typed there is saved.
    """
    sign_in(acme, visitor)
    there, here = visitor.get("/me/name"), visitor.get("/me")
    for _ in range(3):
        acme.later(minutes=1)
        here = visitor.press(here, "/me/stay")
    saved = visitor.press(there, "/me/name", value="Ada King")
    assert (200, "Your details – Acme Ltd") == (saved.status, saved.title)
    assert "Ada King" in saved.text


def test_a_second_tab_of_the_same_link_ends_nothing(acme: Acme, visitor: Visitor) -> None:
    """
    Where the first has asked for a code, both codes work, in both tabs. Where it is signed in, the second is as well,
    without another code.
    """
    code = acme.myoptly()
    tabs = [visitor.press(visitor.get(f"/l/{code}/code"), f"/l/{code}/code") for _ in range(2)]
    first, second = sent_digits(acme)
    assert "Your details – Acme Ltd" == visitor.press(tabs[0], "/me/code", digits=first).title
    assert "Your details – Acme Ltd" == visitor.press(tabs[1], "/me/code", digits=second).title
    assert "Your details – Acme Ltd" == visitor.press(visitor.get(f"/l/{code}/code"), f"/l/{code}/code").title
    assert [first, second] == sent_digits(acme)


def test_another_link_begins_another_session(acme: Acme, visitor: Visitor) -> None:
    """
    A form from before then is refused, and the page says what it may be. It changes nobody's record.
    """
    sign_in(acme, visitor)
    form = visitor.get("/me/name")
    sign_in(acme, visitor, add_bob(acme))
    before = acme.record()
    page = visitor.press(form, "/me/name", value="Ada King")
    assert (403, "That did not work – Acme Ltd") == (page.status, page.title)
    assert "opened before you signed in again" in page.text
    assert before == acme.record()


def test_a_session_of_somebody_elses_link_is_not_gone_on_with(acme: Acme, visitor: Visitor) -> None:
    """
    Nor one that has ended, nor something made up.
    """
    sign_in(acme, visitor, add_bob(acme))
    (name,) = visitor.cookies
    for cookie in (visitor.cookies[name], "0" * 48, "x"):
        visitor.cookies[name] = cookie
        assert "Enter the code – Acme Ltd" == pending(acme, visitor).title
        assert cookie != visitor.cookies[name]


def test_a_code_that_is_sent_twice_signs_in_once(acme: Acme, visitor: Visitor) -> None:
    """
    The second press leads to the same page, and counts as no wrong code.
    """
    page = pending(acme, visitor)
    led = twice(visitor, page, "/me/code", digits=sent_digits(acme)[-1])
    assert ["Your details – Acme Ltd"] * 2 == [each.title for each in led]
    again = visitor.press(page, "/me/code", digits="000000")
    assert "Your details – Acme Ltd" == again.title


@pytest.mark.parametrize(
    ("path", "typed"), [("stay", None), ("name", "Ada King"), ("address", "1 Mill Lane, York YO1 9AA")]
)
def test_what_renews_a_session_may_be_pressed_twice(acme: Acme, visitor: Visitor, path: str, typed: str | None) -> None:
    """
    It is done, and both presses lead to the details.
    """
    sign_in(acme, visitor)
    page = visitor.get("/me/details" if typed is None else f"/me/{path}")
    led = twice(visitor, page, f"/me/{path}", **({} if typed is None else {"value": typed}))
    assert ["Your details – Acme Ltd"] * 2 == [each.title for each in led]
    assert (typed or "").partition(",")[0] in led[1].text


def test_a_new_address_may_be_proved_twice(acme: Acme, visitor: Visitor) -> None:
    """
    It replaces the old one once.
    """
    sign_in(acme, visitor)
    page = visitor.press(visitor.get("/me/email"), "/me/email", value=NEW)
    led = twice(visitor, page, "/me/email/code", digits=sent_digits(acme)[-1])
    assert ["Your details – Acme Ltd"] * 2 == [each.title for each in led]
    assert 1 == led[1].text.count(NEW)


def test_finishing_twice_is_finishing(acme: Acme, visitor: Visitor) -> None:
    """
    And who is signed out in truth is told so.
    """
    sign_in(acme, visitor)
    page = visitor.get("/me/details")
    assert ["You are signed out – Acme Ltd"] * 2 == [each.title for each in twice(visitor, page, "/me/finish")]
    gone = visitor.get("/me/details")
    assert (403, "You are signed out – Acme Ltd") == (gone.status, gone.title)


def test_a_form_of_a_session_that_has_ended_leads_to_where_that_is_said(acme: Acme, visitor: Visitor) -> None:
    """
    It changes nothing, and nobody is told that it did.
    """
    sign_in(acme, visitor)
    page = visitor.get("/me/name")
    acme.later(minutes=31)
    before = acme.record()
    ended = visitor.press(page, "/me/name", value="Ada King")
    assert (403, "You are signed out – Acme Ltd") == (ended.status, ended.title)
    assert before == acme.record()


def test_choices_may_be_saved_twice(acme: Acme, visitor: Visitor) -> None:
    """
    Behind a MyOptly link: each press leads to the same page, and one consent is recorded.
    """
    code = acme.myoptly()
    page = visitor.get(f"/l/{code}")
    form = page.filled_in(f"/my/l/{code}", {"email-offers": True})
    pages = [visitor.post(f"/l/{code}", form, ("origin", ORIGIN)) for _ in range(2)]
    assert 1 == len({each.text for each in pages})
    assert acme.answers()[EMAIL_OFFERS] is True
