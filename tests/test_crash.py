"""
Killing the process with SIGKILL, at random points, while answers come in.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from processes import run_until_killed
from stores import ON_DISK, opened
from world import EMAIL_OFFERS, world

from optly import Channel, Contact

pytestmark = pytest.mark.slow

ROUNDS, CONTACTS = 12, 400

# Answers a question of one contact after the other and says so only after the call has returned.
CHILD = f"""
import sys
from stores import opened
from world import EMAIL_OFFERS, SMS_OFFERS, world
from optly.testing.messages import code_in

w = world(opened(sys.argv[1], sys.argv[2]))
for number in range({CONTACTS}):
    contact = w.manager.add_contact(email=f"p{{number}}@example.com", phone=f"+4479111{{number:05}}")
    code = code_in(w.ask(contact))
    print("asked", contact.id, flush=True)
    w.manager.answer(code, {{EMAIL_OFFERS: number % 2 == 0, SMS_OFFERS: True}})
    print("answered", contact.id, int(number % 2 == 0), flush=True)
"""


@pytest.mark.parametrize("kind", ON_DISK)
def test_no_answer_whose_call_returned_is_lost(tmp_path: Path, kind: str, pytestconfig: Any) -> None:
    """
    Killed many times in the middle of it, the store holds every answer that was acknowledged, and the ledger verifies.
    """
    chance = random.Random(pytestconfig.getoption("randomly_seed", default=0))
    for number in range(ROUNDS):
        directory = tmp_path / str(number)
        directory.mkdir()
        lines = run_until_killed(CHILD, kind, directory, after=chance.randrange(2, 60), delay=chance.random() * 0.02)
        w = world(opened(kind, str(directory)))
        assert w.manager.verify()
        for what, contact, *answer in lines:
            standing = w.manager.standing(Contact(contact))
            assert standing.questions
            if what == "answered":
                allowed = w.manager.check(Contact(contact), *EMAIL_OFFERS)
                assert allowed.allowed is (answer == ["1"])
                assert w.manager.check(Contact(contact), Channel.SMS, "offers")
        assert any(line[0] == "answered" for line in lines) or len(lines) < 3
        w.manager.close()
