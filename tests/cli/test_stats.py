"""
``optly stats``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from services import MYSQL, POSTGRESQL
from stores import ON_DISK, STORES, made
from world import EMAIL, World, world

from optly import Subscriber
from optly.cli._commands import optly
from optly.protocols import MessageState, RowKind, Storage
from optly.results import Recent, StoreStats


@pytest.fixture(params=[*STORES, POSTGRESQL, MYSQL])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    yield from made(request.param, tmp_path)


def test_the_record_is_counted(storage: Storage, request: pytest.FixtureRequest) -> None:
    """
    By each store, and what was added lately is told where the store knows it.
    """
    w = world(storage)
    ada = w.manager.add_contact(email=EMAIL, name="Ada", subscriber=Subscriber.COMPANY)
    w.manager.request_consent(ada, via="email", channels=["email"], purposes=["offers"])
    w.manager.deliver()
    w.later(timedelta(days=2))
    w.manager.record_objection(ada)
    w.manager.record_domain_objection("acme.example", purposes=["offers"], how="letter")
    w.manager.seal()
    stats, subjects = w.manager.stats(), list(storage.subjects("acme"))
    events = [entry.event() for subject in subjects for entry in storage.entries(subject)]
    assert (len(subjects), len(events), w.clock()) == (stats.contacts, stats.events, stats.at)
    assert stats.personal_values == sum(map(len, storage.openings(subjects).values()))
    assert w.manager.backlog() == stats.messages
    assert (Recent(day=0, month=1), {MessageState.ACCEPTED: 1}) == (stats.ended, stats.messages)
    assert stats.log_entries == 3  # at the end of the delivery, and after it one for her and one for the domain
    size, max_size = stats.store.size, stats.store.max_size
    stops = len(list(storage.rows(RowKind.SUPPRESSIONS)))
    assert stops > 0
    lately = Recent(day=stops, month=stops)
    # The codes: a link, and what a reply is known by.
    assert stats.store == StoreStats(
        codes=2, suppressions=stops, suppressed=lately, wordings=1, size=size, max_size=max_size
    )
    assert (max_size is None) == (request.node.callspec.params["storage"] != "file")
    assert (size is None) == (request.node.callspec.params["storage"] == "memory")
    assert size is None or size > 1000


def test_a_file_that_grew_is_larger(tmp_path: Path) -> None:
    for kind in ON_DISK:
        for storage in made(kind, tmp_path):
            w = world(storage)
            before = w.manager.stats().store.size
            for number in range(50):
                w.manager.add_contact(email=f"p{number}@example.com", subscriber=Subscriber.COMPANY)
            after = w.manager.stats().store.size
            assert before is not None
            assert after is not None
            assert before + 50 * 300 < after


def test_it_is_shown(runner: CliRunner, host: World) -> None:
    """
    To people, and to programs with a number for every state.
    """
    for _ in range(2):
        host.manager.add_contact(email=EMAIL, subscriber=Subscriber.COMPANY, reference=str(_))
    shown = runner.invoke(optly, ["stats"])
    assert shown.exit_code == 0
    assert "0 in the last day" in " ".join(shown.output.split())
    assert "size on disk" not in shown.output
    counted = json.loads(runner.invoke(optly, ["stats", "--json"]).output)
    assert (host.manager.stats().contacts, host.manager.stats().events) == (counted["contacts"], counted["events"])
    assert counted["messages"] == dict.fromkeys(["queued", "sending", "accepted", "refused", "in-doubt", "withheld"], 0)
    assert counted["store"]["size"] is None
