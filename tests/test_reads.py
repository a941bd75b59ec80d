"""
How often the store is called: what was looked up once for a request is not looked up again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import attrs
import pytest
from world import PHONE, World, world

from optly import Channel, Content, Solicited
from optly.messages import InboundMessage
from optly.protocols.http import Request, Response
from optly.results import Effect
from optly.storage import MemoryStorage
from optly.testing.messages import code_in

FORM = (
    ("content-type", "application/x-www-form-urlencoded"),
    ("origin", "https://acme.example.com"),
    ("sec-fetch-site", "same-origin"),
)


@attrs.define
class Counting:
    """
    A store that counts its calls.
    """

    store: MemoryStorage = attrs.field(factory=MemoryStorage)
    calls: list[str] = attrs.field(factory=list)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.store, name)
        if not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            return value(*args, **kwargs)

        return call

    def during(self, act: Callable[[], Any]) -> Counter[str]:
        """
        Return the calls that *act* makes.
        """
        self.calls.clear()
        act()
        return Counter(self.calls)


@pytest.fixture
def store() -> Counting:
    """
    A store without any calls yet.
    """
    return Counting()


@pytest.fixture
def w(store: Counting) -> World:
    """
    Acme with that store.
    """
    return world(store)


def post(w: World, path: str, fields: dict[str, str]) -> Callable[[], None]:
    """
    Return what sends a form, and holds the page to have taken it.
    """
    portal = w.manager.portal(hold_yes_within=None)

    def send() -> None:
        body = urlencode(fields).encode()
        response: Response = portal.handle(Request(method="POST", path=path, headers=FORM, body=body))
        assert response.status == 200, response.body.decode()

    return send


def yes(w: World, code: str) -> dict[str, str]:
    """
    Return the fields that say yes to everything a page asks.
    """
    from optly.portal.choices import fields

    return {field.name: field.yes for field in fields(w.manager.open(code).items)}


def test_an_answer_from_the_page_takes_few_calls(w: World, store: Counting) -> None:
    """
    The link is resolved once: at most six calls, of which one writes.
    """
    code = code_in(w.ask(w.add()))
    calls = store.during(post(w, f"/l/{code}", yes(w, code)))
    assert calls["code"] == calls["load"] == calls["append"] == 1
    assert calls.total() <= 6


def test_a_change_of_choices_takes_few_calls(w: World, store: Counting) -> None:
    """
    The same on the MyOptly page.
    """
    code = w.manager.link(w.add()).rsplit("/", 1)[1]
    calls = store.during(post(w, f"/l/{code}", yes(w, code)))
    assert calls["code"] == calls["load"] == calls["append"] == 1
    assert calls.total() <= 6


def test_a_stop_that_can_be_undone_takes_few_calls(w: World, store: Counting) -> None:
    """
    It also reads what was stopped, and its words where they were not read before.
    """
    code = w.manager.link(w.add()).rsplit("/", 1)[1]
    post(w, f"/l/{code}", yes(w, code))()
    calls = store.during(post(w, f"/l/{code}/stop", {"stop": "yes"}))
    assert calls["code"] == calls["load"] == calls["append"] == 1
    assert calls.total() - calls["wordings"] <= 6


def test_asking_and_sending_read_the_contact_once(w: World, store: Counting) -> None:
    """
    Once to find them, and not again to decide.
    """
    ada = w.add()
    ask = store.during(
        lambda: w.manager.request_consent(
            ada,
            via=Channel.EMAIL,
            channels=[Channel.EMAIL],
            purposes=["offers"],
            basis=Solicited(how="newsletter form", at=w.clock()),
        )
    )
    w.manager.deliver()
    w.manager.answer(code_in(w.emails.outbox[-1]), {(Channel.EMAIL, "offers"): True})
    send = store.during(lambda: w.manager.send(ada, Channel.EMAIL, "offers", Content(subject="News", text="Hello.")))
    assert ask["load"] == send["load"] == 1
    assert ask.total() <= 4
    assert send.total() <= 4


@pytest.mark.parametrize("text", ["Yes", "Stop", "I like it"])
def test_a_reply_reads_the_contact_once(w: World, store: Counting, text: str) -> None:
    """
    With the number it came from, whatever it says.
    """
    wish = Solicited(how="newsletter form", at=w.clock())
    w.manager.request_consent(w.add(), via=Channel.SMS, channels=[Channel.SMS], purposes=["offers"], basis=wish)
    w.manager.deliver()
    reply = InboundMessage(id="SM1", backend="sms", channel=Channel.SMS, sender=PHONE, text=text, at=w.clock())
    calls = store.during(lambda: w.manager.receive(reply))
    assert "load" not in calls
    # Before a yes counts, what is stopped for its number is looked up.
    more = {"find": 1, "openings": 1} if text == "Yes" else {}
    assert Counter({"find": 1, "committed": 1, "append": 1}) + Counter(more) == calls
    assert w.manager.receive(reply).effect is Effect.REPEATED


def test_a_yes_from_the_only_line_looks_that_up_once(w: World, store: Counting) -> None:
    """
    What is stopped for a number is found together with those who have it.
    """
    wish = Solicited(how="newsletter form", at=w.clock())
    bob = w.manager.add_contact(phone=PHONE)
    w.manager.request_consent(bob, via=Channel.SMS, channels=[Channel.SMS], purposes=["offers"], basis=wish)
    w.manager.deliver()
    reply = InboundMessage(id="SM1", backend="sms", channel=Channel.SMS, sender=PHONE, text="Yes", at=w.clock())
    calls = store.during(lambda: w.manager.receive(reply))
    assert calls == {"find": 1, "committed": 1, "append": 1}
    assert w.manager.check(PHONE, Channel.SMS, "offers")


def test_numbers_that_no_table_knows_are_looked_up_together(w: World, store: Counting) -> None:
    """
    A list of them takes one call more, and not one for each.
    """
    ada = w.manager.import_objections(["+4537112709"], Channel.SMS, how="list")
    assert ada.recorded == 1
    listed = [f"+45371127{number:02}" for number in range(50)]
    reasons: list[str] = []
    called = store.during(
        lambda: reasons.extend(each.reason for each in w.manager.screen(listed, Channel.SMS, "offers"))
    )
    assert called["find"] == 2
    assert Counter({"not_an_address": 49, "objected": 1}) == Counter(reasons)
    assert reasons[9] == "objected"
