"""
Killing the process with SIGKILL, at random points, while answers come in.
"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from world import EMAIL_OFFERS, world

from optly import Channel, Contact
from optly.protocols import Storage
from optly.storage import FileStorage, SQLStorage

ROUNDS, CONTACTS = 12, 400

# Answers a question of one contact after the other and says so only after the call has returned.
CHILD = """
import sys
sys.path.insert(0, {tests!r})
from test_crash import opened
from world import EMAIL_OFFERS, SMS_OFFERS, world
from optly.testing.messages import code_in

w = world(opened(sys.argv[1], sys.argv[2]))
for number in range({contacts}):
    contact = w.manager.add_contact(email=f"p{{number}}@example.com", phone=f"+4479111{{number:05}}")
    code = code_in(w.ask(contact))
    print("asked", contact.id, flush=True)
    w.manager.answer(code, {{EMAIL_OFFERS: number % 2 == 0, SMS_OFFERS: True}})
    print("answered", contact.id, int(number % 2 == 0), flush=True)
"""


def opened(kind: str, directory: str) -> Storage:
    if kind == "file":
        return FileStorage(Path(directory) / "optly.jsonl")
    return SQLStorage(f"sqlite:///{Path(directory) / 'optly.db'}")


def run_until_killed(kind: str, directory: Path, after: int, chance: random.Random) -> list[str]:
    """
    Let the child say that many lines and kill it a random moment later. Return every line it said.
    """
    script = CHILD.format(tests=str(Path(__file__).parent), contacts=CONTACTS)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", script, kind, str(directory)], stdout=subprocess.PIPE, env=environment, text=True
    ) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(after)]
        time.sleep(chance.random() * 0.02)
        child.send_signal(signal.SIGKILL)
        while select.select([child.stdout], [], [], 5)[0] and (line := child.stdout.readline()):
            lines.append(line)
    assert child.returncode == -signal.SIGKILL
    return [line.strip() for line in lines if line.endswith("\n") and line.strip()]


@pytest.mark.parametrize("kind", ["sqlite", "file"])
def test_no_answer_whose_call_returned_is_lost(tmp_path: Path, kind: str, pytestconfig: Any) -> None:
    """
    Killed many times in the middle of it, the store holds every answer that was acknowledged, and the ledger verifies.
    """
    chance = random.Random(pytestconfig.getoption("randomly_seed", default=0))
    for number in range(ROUNDS):
        directory = tmp_path / str(number)
        directory.mkdir()
        lines = run_until_killed(kind, directory, chance.randrange(2, 60), chance)
        w = world(opened(kind, str(directory)))
        assert w.manager.verify()
        for line in lines:
            what, contact, *answer = line.split()
            standing = w.manager.standing(Contact(contact))
            assert standing.questions
            if what == "answered":
                allowed = w.manager.check(Contact(contact), *EMAIL_OFFERS)
                assert allowed.allowed is (answer == ["1"])
                assert w.manager.check(Contact(contact), Channel.SMS, "offers")
        assert any(line.startswith("answered") for line in lines) or len(lines) < 3
        w.manager.close()
