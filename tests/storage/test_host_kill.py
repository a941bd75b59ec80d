"""
Killing a process with SIGKILL, at random points, while it writes its own rows and the record in one transaction.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Final

import pytest
from processes import run_until_killed
from services import MYSQL, POSTGRESQL, database
from sqlalchemy import create_engine, text
from world import world

from optly.storage import SQLStorage

pytestmark = pytest.mark.slow

ROUNDS: Final = int(os.environ.get("OPTLY_KILLS", "6"))

# Saves one customer after another, half of them in vain, and says so only after the commit or the rollback.
CHILD: Final = """
import os, random, sys
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from world import world
from optly.errors import ConflictError, StorageUnavailableError
from optly.storage import SQLStorage

url = sys.argv[1]
manager, engine = world(SQLStorage(url)).manager, create_engine(url)
while True:
    name = os.urandom(8).hex()
    hosts_first, kept = random.random() < 0.5, random.random() < 0.5
    row = text("INSERT INTO shop VALUES (:name)").bindparams(name=name)
    with Session(engine) as session:
        if hosts_first:
            session.execute(row)
        within = manager.within(session)
        contact = within.add_contact(reference=name, email=f"{name}@example.com", subscriber="individual")
        within.record_objection(contact, channels=["email"], purposes=["news"])
        if not hosts_first:
            session.execute(row)
        session.commit() if kept else session.rollback()
    os.write(1, f"{'kept' if kept else 'undone'} {name}\\n".encode())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are not killed by signals here")
@pytest.mark.parametrize("kind", ["sqlite", POSTGRESQL, MYSQL])
def test_the_hosts_row_and_the_record_stand_or_fall_together(kind: str, tmp_path: Path) -> None:
    chance = random.Random()
    with database(kind, tmp_path) as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE shop (name VARCHAR(40))"))
        world(SQLStorage(url)).manager.close()  # makes the tables
        kept, undone = set[str](), set[str]()
        for _ in range(ROUNDS):
            said = run_until_killed(CHILD, url, after=chance.randrange(1, 20), delay=chance.random() * 0.03)
            kept.update(name for what, name in said if what == "kept")
            undone.update(name for what, name in said if what == "undone")
        with engine.connect() as connection:
            rows = set(connection.scalars(text("SELECT name FROM shop")))
        engine.dispose()
        with world(SQLStorage(url)).manager as manager:
            assert kept <= rows
            assert not undone & rows
            for name in rows | undone:
                contact = manager.find_reference(name)
                assert (contact is not None) == (name in rows)
                assert manager.find(f"{name}@example.com") == contact
                assert contact is None or len(manager.history(contact)) == 3
            assert manager.stats().contacts == len(rows)
            assert manager.verify()
        assert undone
