"""
One-time codes as people type them in: what can be one is tried, and what cannot costs no try.
"""

from __future__ import annotations

import pytest
from portal.sessions import digits_in
from portal.visitor import Acme, Visitor, pending

from optly.links import read_step_up


@pytest.mark.parametrize(
    "typed",
    [
        "123456", " 123 456 ", "123-456", "123\u2013456", "123456.", "\u2066123456\u2069", "\u200b123456\ufeff",
        "١٢٣٤٥٦", "۱۲۳۴۵۶", "１２３４５６", "123\u202f456", "(123456)", "#123456",
    ],
)  # fmt: skip
def test_a_code_is_read_however_it_is_typed(typed: str) -> None:
    """
    With spaces, hyphens and unseen marks, and in the digits of other scripts.
    """
    assert "123456" == read_step_up(typed)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "Enter the code we sent you."),
        ("  - ", "Enter the code we sent you."),
        ("12345", "That code is too short. It has 6 digits."),
        ("1234567", "That code is too long. It has 6 digits."),
        ("12345O", "Enter numbers only. There are no letters in the code."),
        ("\ud800", "Enter the code we sent you."),
    ],
)
def test_what_cannot_be_a_code_costs_no_try(acme: Acme, visitor: Visitor, typed: str, says: str) -> None:
    """
    The page says what is wrong with it, and the right code still works after any number of them.
    """
    page = pending(acme, visitor)
    acme.manager.deliver()
    (digits,) = digits_in(acme.world.emails.outbox)
    for _ in range(30):
        page = visitor.press(page, "/me/code", digits=typed.encode(errors="replace").decode())
        assert (422, "Error: Enter the code – Acme Ltd") == (page.status, page.title)
        assert says in page.text
    assert "Your details" in visitor.press(page, "/me/code", digits=f"{digits[:3]}-{digits[3:]}").title


def test_a_wrong_code_is_told_as_wrong(acme: Acme, visitor: Visitor) -> None:
    """
    And costs a try.
    """
    page = pending(acme, visitor)
    acme.manager.deliver()
    (digits,) = digits_in(acme.world.emails.outbox)
    wrong = f"{(int(digits) + 1) % 10**6:06d}"
    for _ in range(5):
        page = visitor.press(page, "/me/code", digits=wrong)
        assert "The code is not right, or it has expired." in page.text
    assert "Too many wrong codes." in visitor.press(page, "/me/code", digits=digits).text
