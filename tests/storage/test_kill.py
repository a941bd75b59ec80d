"""
Killing a process with SIGKILL, at random points, while its threads append.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest
from processes import run_until_killed
from stores import ON_DISK, opened

from optly.contacts.addresses import Channel
from optly.testing.storage import NOW, problems

pytestmark = pytest.mark.slow

ROUNDS, THREADS = int(os.environ.get("OPTLY_KILLS", "15")), 3

# Each thread appends to a contact of its own and to one that all share, and says so only after the call has returned;
# now and then it releases an address, which makes the file store write its file anew, as a compaction does.
CHILD = f"""
import os, sys
import attrs
from stores import opened
from optly.errors import ConflictError
from optly.storage import file
from optly.testing.storage import Contact, at_once, append_again, code, key

file._COMPACTED_FROM = 20_000
storage = opened(sys.argv[1], sys.argv[2])
shared = bytes.fromhex(sys.argv[3])

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def work(_):
    mine = Contact("acme")
    while True:
        idkey, kept, forget = key(), code(mine.subject), mine.version % 8 == 6
        storage.append([mine.commit(
            events=2,
            identifiers=[mine.identifier(idkey)],
            release=[key()] if forget else (),
        )])
        say("appended", mine.subject.hex(), mine.version, idkey.hex())
        storage.put_codes([kept])
        say("kept", kept.key.hex())
        strange = [attrs.evolve(mine.message(), subject=key()) for _ in range(2)]
        storage.enqueue("acme", strange)
        say("queued", *(message.message.hex() for message in strange))
        append_again(storage, "acme", shared)
        say("shared", shared.hex())

at_once({THREADS}, work)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are not killed by signals here")
@pytest.mark.parametrize("kind", ON_DISK)
def test_nothing_that_was_acknowledged_is_lost(kind: str, tmp_path: Path) -> None:
    """
    Killed many times over one store, which goes on from what the last one left: every append, code and message that
    was acknowledged is there, a change is there whole or not at all, and all chains verify.
    """
    chance = random.Random()
    shared = os.urandom(16)
    versions: Counter[bytes] = Counter()
    codes, queued, idkeys = set[bytes](), set[bytes](), dict[bytes, bytes]()
    for _ in range(ROUNDS):
        said = run_until_killed(
            CHILD, kind, tmp_path, shared.hex(), after=chance.randrange(3, 60), delay=chance.random() * 0.03
        )
        for what, *words in said:
            named = bytes.fromhex(words[0])
            if what == "appended":
                versions[named] = int(words[1])
                idkeys[bytes.fromhex(words[2])] = named
            elif what == "shared":
                versions[named] += 1
            elif what == "queued":
                queued.update(map(bytes.fromhex, words))
            else:
                codes.add(named)
        storage = opened(kind, str(tmp_path))
        subjects = list(storage.subjects("acme"))
        assert set(versions) <= set(subjects)
        for subject in subjects:
            there = len(storage.entries(subject))
            assert problems(storage, "acme", subject) == ()
            assert there >= versions[subject]
            assert subject == shared or there % 2 == 0
        found = storage.find(list(idkeys)).holders
        assert idkeys == {idkey: row.subject for idkey, [row] in found.items()}
        assert all(code is not None and code.value == b"target" for code in (storage.code(key, NOW) for key in codes))
        waiting = [message.message for message in storage.due("acme", Channel.EMAIL, NOW, 100_000)]
        assert queued <= set(waiting)
        assert len(waiting) % 2 == 0
        storage.close()
    assert len(versions) > ROUNDS
