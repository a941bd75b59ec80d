"""
Asking a list: everybody once, whoever may not be asked told, and a run that was broken off goes on where it was.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from processes import environment
from world import EMAIL_OFFERS, World, world

from optly import Channel, Contact, NotPermittedError, Solicited, Subscriber
from optly.backends import MemoryBackend
from optly.contacts.purposes import Purpose, Wording
from optly.errors import MissingLineError, NoBackendError, UnknownContactError, UnsoundWordingError, UsageError
from optly.protocols import MessageState
from optly.results import Asked, Campaign
from optly.rules import Reason
from optly.storage import SQLStorage
from optly.testing.messages import code_in


def people(w: World, count: int, **details: Any) -> list[Contact]:
    return [
        w.manager.add_contact(email=f"p{number}@example.com", **{"subscriber": Subscriber.COMPANY, **details})
        for number in range(count)
    ]


def ask(w: World, contacts: Any, **details: Any) -> Campaign:
    return w.manager.request_consents(
        contacts,
        **{"campaign": "winter", "via": "email", "channels": ["email"], "purposes": ["offers"], **details},
    )


def test_a_list_is_asked() -> None:
    """
    Each contact once, each with a question of their own, in order.
    """
    w = world()
    contacts = people(w, 250)
    told: list[Asked] = []
    assert Campaign(asked=250, before=0, refused=()) == ask(w, iter(contacts), report=told.append)
    assert contacts == [asked.contact for asked in told]
    assert all(asked.question is not None and not asked.before and asked.refusal is None for asked in told)
    assert w.manager.deliver().accepted == 250
    assert sorted(contact.id for contact in contacts) == sorted(message.contact for message in w.emails.outbox)
    w.manager.answer(code_in(w.emails.outbox[0]), {EMAIL_OFFERS: True})
    assert w.manager.verify()


def test_whoever_may_not_be_asked_is_told_with_the_reason() -> None:
    """
    And the others are asked all the same.
    """
    w = world()
    (good,) = people(w, 1)
    stopped = w.manager.add_contact(email="s@example.com", subscriber=Subscriber.COMPANY)
    w.manager.record_objection(stopped)
    person = w.manager.add_contact(email="i@example.com", subscriber=Subscriber.INDIVIDUAL)
    no_email = w.manager.add_contact(phone="+447911123456", subscriber=Subscriber.COMPANY)
    nobody = Contact("0" * 32)
    gone = w.manager.add_contact(email="g@example.com", subscriber=Subscriber.COMPANY)
    w.manager.erase(gone)
    campaign = ask(w, [stopped, person, good, no_email, nobody, gone])
    assert (1, 0) == (campaign.asked, campaign.before)
    refused = {asked.contact: asked.refusal for asked in campaign.refused}
    assert [stopped, person, no_email, nobody, gone] == list(refused)
    reasons = [e.decision.reason for e in refused.values() if isinstance(e, NotPermittedError)]
    assert reasons[:2] == [Reason.OBJECTED, Reason.NO_CONSENT]
    assert isinstance(refused[no_email], MissingLineError)
    assert isinstance(refused[nobody], UnknownContactError)
    assert refused[gone] is not None
    assert w.manager.backlog() == {MessageState.QUEUED: 1}


def test_a_second_run_asks_nobody_twice() -> None:
    """
    Whatever they did in between. Another campaign asks again.
    """
    w = world()
    contacts = people(w, 5)
    ask(w, contacts[:3])
    w.manager.deliver()
    w.manager.answer(code_in(w.emails.outbox[0]), {EMAIL_OFFERS: True})
    w.later(timedelta(days=60))
    told: list[Asked] = []
    assert Campaign(asked=2, before=3, refused=()) == ask(w, contacts, report=told.append)
    assert [True] * 3 + [False] * 2 == [asked.before for asked in told]
    assert all(asked.question is not None for asked in told)
    assert ask(w, contacts, campaign="spring").asked == 5


def test_a_contact_that_is_listed_twice_is_asked_once() -> None:
    """
    In one batch or in two.
    """
    w = world()
    contacts = people(w, 150)
    assert ask(w, [*contacts, *contacts, contacts[0]]).asked == 150
    assert w.manager.backlog() == {MessageState.QUEUED: 150}


def test_who_was_asked_too_often_is_not_asked() -> None:
    """
    The budget counts over campaigns.
    """
    from optly.messages.pacing import Budget

    w = world(budget=Budget(2, timedelta(days=365)))
    contacts = people(w, 3)
    for name in ("one", "two"):
        assert ask(w, contacts, campaign=name).asked == 3
        w.later()
    campaign = ask(w, contacts, campaign="three")
    assert campaign.asked == 0
    assert [Reason.ASKED_ENOUGH] * 3 == [
        asked.refusal.decision.reason for asked in campaign.refused if isinstance(asked.refusal, NotPermittedError)
    ]


def test_reminders_go_to_those_who_have_not_answered() -> None:
    """
    One each.
    """
    w = world(receipts=False)
    contacts = people(w, 4)
    ask(w, contacts, remind_after=timedelta(days=7))
    w.manager.deliver()
    answered = w.emails.outbox[0]
    w.manager.answer(code_in(answered), {EMAIL_OFFERS: False})
    w.later(timedelta(days=8))
    done = w.manager.deliver()
    assert (3, 1) == (done.accepted, done.withheld)
    assert answered.contact not in [message.contact for message in w.emails.outbox[4:]]


def test_two_runs_at_once_ask_nobody_twice(tmp_path: Path) -> None:
    """
    On one database, over the same list.
    """
    url = f"sqlite:///{tmp_path}/optly.db"
    first = world(SQLStorage(url))
    contacts = people(first, 300)
    campaigns: list[Campaign] = []

    def run() -> None:
        w = world(SQLStorage(url), clock=first.clock)
        campaigns.append(ask(w, contacts))
        w.manager.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(campaign.asked for campaign in campaigns) == 300
    assert sum(campaign.before for campaign in campaigns) == 600
    assert first.manager.backlog() == {MessageState.QUEUED: 300}
    assert first.manager.verify()
    first.manager.close()


CHILD = """
import sys
from processes import environment
from world import world
from optly import Contact
from optly.storage import SQLStorage

def report(asked):
    print(asked.contact.id, flush=True)

contacts = map(Contact, sys.argv[2].split(","))
asking = {"campaign": "winter", "via": "email", "channels": ["email"], "purposes": ["offers"]}
world(SQLStorage(sys.argv[1])).manager.request_consents(contacts, **asking, report=report)
print("done", flush=True)
"""


def runs(url: str, contacts: list[Contact], kill_after: int) -> Iterator[str]:
    ids = ",".join(contact.id for contact in contacts)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, url, ids], stdout=subprocess.PIPE, env=environment(), text=True
    ) as child:
        assert child.stdout is not None
        for number, line in enumerate(child.stdout, 1):
            yield line.strip()
            if number == kill_after:
                child.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """
    Killed again and again, at the start of a batch and within one, it asks everybody in the end, and nobody twice.
    """
    url = f"sqlite:///{tmp_path}/optly.db"
    w = world(SQLStorage(url))
    contacts = people(w, 450)
    for kill_after in (1, 100, 150, 301):
        assert "done" not in list(runs(url, contacts, kill_after))
    assert list(runs(url, contacts, 0))[-1] == "done"
    assert w.manager.backlog() == {MessageState.QUEUED: 450}
    assert all(len(w.manager.standing(contact).questions) == 1 for contact in contacts)
    assert w.manager.verify()
    w.manager.close()


def test_a_call_that_is_wrong_asks_nobody() -> None:
    """
    Whatever is wrong with the question rather than with one of the contacts.
    """
    bad = Purpose(
        key="bad", title="Bad", wordings={(Channel.EMAIL, "en"): Wording(text="Untick to refuse", yes="OK", no="OK")}
    )
    w = world(purposes=[Purpose(key="offers", title="Offers"), bad], backends=[MemoryBackend()])
    contacts = people(w, 2)
    with pytest.raises(UsageError):
        ask(w, contacts, channels=[])
    with pytest.raises(UsageError):
        ask(w, contacts, campaign="  ")
    with pytest.raises(NoBackendError):
        ask(w, contacts, via="sms")
    with pytest.raises(UnsoundWordingError):
        ask(w, contacts, purposes=["bad"])
    assert w.manager.backlog() == {}


def test_a_wish_is_the_basis_of_a_whole_list() -> None:
    """
    As for a single question: everybody on it asked to be asked.
    """
    w = world()
    contacts = people(w, 2, subscriber=Subscriber.INDIVIDUAL)
    assert ask(w, contacts, basis=Solicited(how="fair in Leeds", at=w.clock())).asked == 2
