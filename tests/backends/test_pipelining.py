"""
Many messages at once: each is handed over once, and what became of it is what the server says, however it says it.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from backends.mail_servers import (
    SENDER,
    Authority,
    Inbox,
    Line,
    Listener,
    ScriptedServer,
    greet,
    mail_server,
    smtp_sink,
    take,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples

from optly.backends import SMTPBackend
from optly.backends._wire import Wire
from optly.contacts.addresses import Channel
from optly.messages import BatchInterrupted, Fault, Message, Outcome, Receipt
from optly.protocols import BatchBackend

pytestmark = pytest.mark.server

ACCEPTED, REFUSED = Outcome.ACCEPTED, Outcome.REFUSED
LATER, DOUBT = Outcome.RETRY_LATER, Outcome.IN_DOUBT


def messages(*names: str, text: str = "Hello\n") -> list[Message]:
    """
    One message for each name, with ids of their own.
    """
    return [
        Message(id=f"{number:032x}", channel=Channel.EMAIL, to=f"{name}@example.com", text=text)
        for number, name in enumerate(names)
    ]


def people(count: int) -> list[str]:
    return [f"ada{number}" for number in range(count)]


@contextmanager
def sending(address: str, **settings: Any) -> Iterator[SMTPBackend]:
    """
    A backend of one connection, unless told otherwise, that is closed at the end.
    """
    scheme = "smtps" if "cafile" in settings else "smtp"
    settings = {"sender": SENDER, "timeout": timedelta(seconds=5), "connections": 1, **settings}
    backend = SMTPBackend(f"{scheme}://{address}", **settings)
    try:
        yield backend
    finally:
        backend.close()


def outcomes(receipts: Sequence[Receipt]) -> list[Outcome]:
    return [receipt.outcome for receipt in receipts]


# ---- a server that does its job


def test_it_takes_batches() -> None:
    """
    Whoever has many messages can tell.
    """
    with sending("127.0.0.1:25") as backend:
        assert isinstance(backend, BatchBackend)
        assert backend.send_all([]) == []


def test_the_end_of_one_message_and_the_envelope_of_the_next_come_together() -> None:
    """
    So that a message costs one round trip, and the first one two. The server answers only when it has heard all of it.
    """
    bursts: list[list[str]] = []

    def count(line: Line) -> None:
        greet(line, "PIPELINING")
        answers = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on", "QUIT": "221 bye"}
        for expected in (["MAIL", "RCPT", "DATA"], ["dot", "MAIL", "RCPT", "DATA"], ["dot", "MAIL", "RCPT", "DATA"]):
            heard = []
            for step in expected:
                if step == "dot":
                    line.hear_content()
                else:
                    line.hear(step)
                heard.append(step)
            bursts.append(heard)
            line.say("\r\n".join("250 2.0.0 taken" if step == "dot" else answers[step] for step in heard))
        line.hear_content()
        line.say("250 2.0.0 taken")
        line.hear("QUIT")
        line.say("221 bye")

    with ScriptedServer(count) as server, sending(server.address) as backend:
        assert [ACCEPTED] * 3 == outcomes(backend.send_all(messages(*people(3))))
    assert [3, 4, 4] == [len(burst) for burst in bursts]


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)], ids=["said one by one", "offered and turned off"])
def test_a_server_that_wants_to_be_asked_one_thing_at_a_time_is(extensions: tuple[str, ...]) -> None:
    """
    Nothing is said before the reply to what was said before it.
    """
    early = []

    def listen(line: Line) -> None:
        greet(line, *extensions)
        for verb, answer in [("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go on")] * 2:
            line.hear(verb)
            line._sock.settimeout(0.02)
            with suppress(TimeoutError):
                early.append(line._sock.recv(1, socket.MSG_PEEK))
            line._sock.settimeout(5)
            line.say(answer)
            if verb == "DATA":
                line.hear_content()
                line.say("250 2.0.0 taken")

    with ScriptedServer(listen) as server, sending(server.address, pipelining=not extensions) as backend:
        assert [ACCEPTED] * 2 == outcomes(backend.send_all(messages("ada", "bob")))
    assert early == []


WHAT_HAPPENS = {
    "ok": (ACCEPTED, None),
    "rcpt 550 5.1.1 Nobody": (REFUSED, Fault.ADDRESS),
    "rcpt 452 4.2.2 Full": (LATER, Fault.MAILBOX),
    "rcpt 450 4.7.1 Greylisted": (LATER, None),
    "rcpt 550-5.7.1 Not\r\n550 5.7.1 from you": (REFUSED, Fault.MESSAGE),
    "data 451 4.5.0 Not now": (LATER, None),
    "data 554 5.7.1 Not from here": (REFUSED, Fault.MESSAGE),
    "dot 550 5.7.1 Spam": (REFUSED, Fault.MESSAGE),
    "dot 552 5.3.4 Too long": (REFUSED, Fault.MESSAGE),
    "dot 450 Later": (LATER, None),
    "dot 250-2.0.0 Ok\r\n250 2.0.0 queued as 7": (ACCEPTED, None),
}


@settings(max_examples=examples(60))
@given(
    course=st.lists(st.sampled_from(list(WHAT_HAPPENS)), max_size=12),
    extensions=st.sampled_from([(), ("PIPELINING",), ("SIZE 9999", "PIPELINING")]),
    data_anyway=st.sampled_from([None, "554 5.5.1 No valid recipients", "250 2.0.0 Ok, nothing for nobody"]),
    limit=st.sampled_from([1, 2, 3, 100]),
)
def test_what_becomes_of_a_message_does_not_depend_on_the_others(
    course: list[str], extensions: tuple[str, ...], data_anyway: str | None, limit: int
) -> None:
    """
    Whatever is refused before and after it, at whichever step, with pipelining and without. A server that asks for
    content for nobody, and is content with none, has not taken the message.
    """
    names = people(len(course))
    told = [(event.partition(" "), name) for event, name in zip(course, names, strict=True)]
    refusals = {f"{step} {name}": answer for (step, _, answer), name in told if answer}
    listener = Listener(extensions=extensions, refusals=refusals, data_anyway=data_anyway)
    with ScriptedServer(listener) as server, sending(server.address, messages_per_connection=limit) as backend:
        receipts = backend.send_all(messages(*names))
    assert [WHAT_HAPPENS[event] for event in course] == [(got.outcome, got.fault) for got in receipts]
    for ((_, _, answer), _), receipt in zip(told, receipts, strict=True):
        if answer:
            assert answer.splitlines()[-1].partition(" ")[2] in receipt.reply
    expected = [
        f"{n}@example.com" for n, event in zip(names, course, strict=True) if WHAT_HAPPENS[event][0] is ACCEPTED
    ]
    assert expected == listener.taken
    assert server.connections <= -(-len(course) // limit)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 50])
def test_replies_may_come_in_any_pieces(piece: int) -> None:
    """
    One over many packets, or many in one.
    """

    class Slow(Line):
        def say(self, text: str) -> None:
            data = text.encode() + b"\r\n"
            for start in range(0, len(data), piece):
                self._sock.sendall(data[start : start + piece])
                time.sleep(0.0002)

    def listen(line: Line) -> None:
        line._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Listener(refusals={"rcpt bob": "550-5.1.1 No\r\n550-5.1.1 such\r\n550 5.1.1 user"})(Slow(line._sock))

    with ScriptedServer(listen) as server, sending(server.address) as backend:
        receipts = backend.send_all(messages("ada", "bob", "cy"))
    assert [ACCEPTED, REFUSED, ACCEPTED] == outcomes(receipts)
    assert "550 5.1.1 No\n5.1.1 such\n5.1.1 user" == receipts[1].reply


def test_a_long_message_goes_through_encrypted_and_pipelined(authority: Authority) -> None:
    """
    Longer than every buffer on its way, with the envelope of the next one behind it.
    """
    listener = Listener()
    sent = messages("ada", "bob", "cy", text="x" * 70 + "\n")
    long = [Message(id=m.id, channel=m.channel, to=m.to, text=m.text * 40_000) for m in sent[:2]] + sent[2:]
    with (
        ScriptedServer(listener, context=authority.server("127.0.0.1")) as server,
        sending(server.address, cafile=authority.file) as backend,
    ):
        assert [ACCEPTED] * 3 == outcomes(backend.send_all(long))
    assert [m.to for m in long] == listener.taken
    assert [40_000, 40_000, 1] == [content.count(b"x" * 70) for _, content in listener.heard]


# ---- what cannot be sent


def test_what_cannot_be_written_is_refused_and_the_others_go_out() -> None:
    """
    In a batch nothing is raised.
    """
    batch = messages("ada", "bob", "cy", "dan")
    batch[1] = Message(id=batch[1].id, channel=Channel.EMAIL, to="nobody", text="Hello\n")
    batch[2] = Message(id=batch[2].id, channel=Channel.SMS, to="+447911123456", text="Hello")
    listener = Listener()
    with ScriptedServer(listener) as server, sending(server.address) as backend:
        receipts = backend.send_all(batch)
    assert [(ACCEPTED, None), (REFUSED, Fault.MESSAGE), (REFUSED, Fault.MESSAGE), (ACCEPTED, None)] == [
        (receipt.outcome, receipt.fault) for receipt in receipts
    ]
    assert ["ada@example.com", "dan@example.com"] == listener.taken


def test_what_the_server_says_it_cannot_take_is_not_said() -> None:
    """
    An address that is not in ASCII without SMTPUTF8, and a message that is too long. Nobody has to wait for that.
    """
    batch = messages("ada", "jürgen", "cy", "dan")
    batch[2] = Message(id=batch[2].id, channel=Channel.EMAIL, to=batch[2].to, text="x\n" * 2000)
    listener = Listener(extensions=["PIPELINING", "SIZE 3000"])
    with ScriptedServer(listener) as server, sending(server.address) as backend:
        receipts = backend.send_all(batch)
    assert [ACCEPTED, REFUSED, REFUSED, ACCEPTED] == outcomes(receipts)
    assert [None, Fault.MESSAGE, Fault.MESSAGE, None] == [receipt.fault for receipt in receipts]
    assert ["ada@example.com", "dan@example.com"] == listener.taken
    assert server.connections == 1


def test_an_address_outside_ascii_can_be_announced() -> None:
    """
    With all that belongs to it, in the middle of the others.
    """
    heard = []

    class Noting(Line):
        def hear_line(self) -> bytes:
            heard.append(super().hear_line())
            return heard[-1]

    def listen(line: Line) -> None:
        Listener(extensions=["PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8"])(Noting(line._sock))

    with ScriptedServer(listen) as server, sending(server.address) as backend:
        assert [ACCEPTED] * 3 == outcomes(backend.send_all(messages("ada", "jürgen", "cy")))
    (about,) = [line for line in heard if line.startswith(b"MAIL") and b"SMTPUTF8" in line]
    assert re.fullmatch(rb"MAIL FROM:<hello@acme\.example\.com> BODY=8BITMIME SMTPUTF8 SIZE=\d+\r\n", about)
    assert "RCPT TO:<jürgen@example.com>\r\n".encode() in heard


# ---- servers that break off


def cut(of: str, count: int) -> Listener:
    """
    Return a listener that hears, or says, so many bytes and no more.
    """
    return Listener(hears=count) if of == "hears" else Listener(says=count)


def total(of: str) -> int:
    """
    Count the bytes that are heard or said, after the greeting, over a connection that takes three messages.
    """
    many, lines = 1_000_000, list[Line]()
    listener = cut(of, many)

    def play(line: Line) -> None:
        lines.append(line)
        listener(line)

    with ScriptedServer(play) as server, sending(server.address) as backend:
        backend.send_all(messages("ada", "bob", "cy"))
    left = lines[0].hears if of == "hears" else lines[0].says
    assert left is not None
    return many - left


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("of", ["hears", "says"])
def test_a_connection_may_be_cut_after_any_byte(of: str, pipelining: bool) -> None:
    """
    Of all that was heard to the end nothing is said to be not taken, nothing is said twice, and one message at most is
    in doubt. What was said to be taken was.
    """
    names = ["ada", "bob", "cy"]
    for count in range(1, total(of) + 1):
        listener = cut(of, count)
        with ScriptedServer(listener) as server, sending(server.address, pipelining=pipelining) as backend:
            receipts = backend.send_all(messages(*names))
        told = dict(zip(names, outcomes(receipts), strict=True))
        heard = Counter(to.partition("@")[0] for to, _ in listener.heard)
        taken = {to.partition("@")[0] for to in listener.taken}
        assert set(heard.values()) <= {1}, count
        assert {name for name in names if told[name] is ACCEPTED} == taken, count
        assert {name for name in names if told[name] is LATER}.isdisjoint(heard), count
        assert Counter(told.values())[DOUBT] <= 1, count
        assert {receipt.fault for receipt in receipts if receipt.outcome is not ACCEPTED} <= {Fault.BACKEND}, count
        assert server.connections <= 2, count


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_message_whose_end_was_not_said_is_not_in_doubt(pipelining: bool) -> None:
    """
    The system took only a part of it, and the server has heard at most that.
    """

    def close(line: Line) -> None:
        greet(line, "PIPELINING")
        for verb, answer in [("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go on")]:
            line.hear(verb)
            line.say(answer)
        for _ in range(100):
            line.hear_line()

    batch = messages("ada", "bob", text="x" * 70 + "\n")
    batch[0] = Message(id=batch[0].id, channel=Channel.EMAIL, to=batch[0].to, text=batch[0].text * 300_000)
    with ScriptedServer(close) as server, sending(server.address, pipelining=pipelining) as backend:
        receipts = backend.send_all(batch)
        assert server.connections == 1
    assert [LATER, LATER] == outcomes(receipts)
    assert [Fault.BACKEND, Fault.BACKEND] == [receipt.fault for receipt in receipts]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("552 5.3.4 Too much", (REFUSED, Fault.MESSAGE)),
        ("421 4.4.2 Too slow", (LATER, Fault.BACKEND)),
        ("250 2.0.0 Enough already", (LATER, Fault.BACKEND)),
        ("garbage " * 40_000, (LATER, Fault.BACKEND)),
    ],
    ids=["refuses", "closes", "accepts", "babbles"],
)
def test_a_server_that_speaks_before_the_end_is_heard_at_once(words: str, expected: tuple[Outcome, Fault]) -> None:
    """
    It listens no longer, so whoever only writes would wait for ever. What it accepts before the end it has not got.
    """

    def interrupt(line: Line) -> None:
        greet(line, "PIPELINING")
        for verb, answer in [("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go on")]:
            line.hear(verb)
            line.say(answer)
        line.hear_line()
        line.say(words)
        given_up.append(done.wait(20))

    done, given_up = threading.Event(), list[bool]()
    (long,) = messages("ada", text="x" * 20_000_000)
    with (
        ScriptedServer(interrupt) as server,
        sending(server.address, timeout=timedelta(seconds=60)) as backend,
    ):
        receipt = backend.send(long)
        done.set()
    assert given_up == [True]
    assert expected == (receipt.outcome, receipt.fault)


def answering(*answers: str, extensions: Sequence[str] = ("PIPELINING",)) -> Callable[[Line], None]:
    """
    A script that says one thing after the other, whatever it hears, and then listens.
    """

    def play(line: Line) -> None:
        greet(line, *extensions)
        for answer in answers:
            line.hear_line()
            line.say(answer)
        line.hang()

    return play


@pytest.mark.parametrize(
    "answers",
    [
        ("250 ok", "250 ok", "354 go on\r\n250 2.0.0 taken"),
        ("250 ok", "250 ok\r\n250 ok", "354 go on"),
        ("250 ok\r\n250 ok\r\n354 go on\r\n250 2.0.0 taken",),
        ("250 ok", "250 ok", "250 ok"),
        ("250 ok", "354 go on", "354 go on"),
        ("250 ok", "250-ok\r\n550 no", "354 go on"),
        ("nonsense", "250 ok", "354 go on"),
    ],
)
def test_a_reply_that_was_not_asked_for_is_not_taken_for_another(answers: Sequence[str]) -> None:
    """
    An acceptance that comes before the message does accepts nothing.
    """
    with (
        ScriptedServer(answering(*answers)) as server,
        sending(server.address, timeout=timedelta(seconds=0.5)) as backend,
    ):
        receipts = backend.send_all(messages("ada", "bob"))
        assert server.connections == 1
    assert [(LATER, Fault.BACKEND)] * 2 == [(receipt.outcome, receipt.fault) for receipt in receipts]


def test_a_refused_sender_sends_nobody_an_empty_message() -> None:
    """
    Where the rest of the envelope was taken all the same, the connection is given up rather than a dot said.
    """
    dots = []

    def listen(line: Line) -> None:
        greet(line, "PIPELINING")
        for answer in ("550 5.7.1 not you", "250 ok", "354 go on"):
            line.hear_line()
            line.say(answer)
        dots.append(line._reader.read())

    with ScriptedServer(listen) as server, sending(server.address) as backend:
        receipt = backend.send_all(messages("ada"))[0]
    assert (LATER, Fault.BACKEND, 550) == (receipt.outcome, receipt.fault, receipt.code)
    assert dots == [b""]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("limit", [1, 3])
def test_a_server_that_wants_a_new_connection_gets_one(limit: int, pipelining: bool) -> None:
    """
    421 in place of a reply to the next sender: some allow only so many messages over one connection.
    """
    contents = []

    def play(line: Line) -> None:
        greet(line, "PIPELINING")
        for _ in range(limit):
            contents.append(take(line))
        line.hear("MAIL")
        line.say("421 4.7.0 Too many messages on this connection")

    with ScriptedServer(play) as server, sending(server.address, pipelining=pipelining) as backend:
        assert [ACCEPTED] * 7 == outcomes(backend.send_all(messages(*people(7))))
        assert -(-7 // limit) == server.connections
    found = [re.search(rb"^To: (\w+)@", content, re.MULTILINE) for content in contents]
    assert people(7) == [match[1].decode() for match in found if match]


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_stale_connection_is_replaced_within_a_batch(pipelining: bool) -> None:
    """
    And what was said over it is said again, once.
    """
    left = threading.Event()
    contents = []

    def tire(line: Line) -> None:
        greet(line, "PIPELINING")
        contents.append(take(line))
        line.close()
        left.set()

    listener = Listener()
    with ScriptedServer(tire, listener) as server, sending(server.address, pipelining=pipelining) as backend:
        backend.send(messages("first")[0])
        assert left.wait(5)
        assert [ACCEPTED] * 3 == outcomes(backend.send_all(messages("ada", "bob", "cy")))
        assert server.connections == 2
    assert ["ada@example.com", "bob@example.com", "cy@example.com"] == listener.taken


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("step", ["rcpt", "data", "dot"])
@pytest.mark.parametrize(
    "answer", ["421 4.3.2 Shutting down", "454 Throttling failure", "530 5.7.0 Log in", "451 4.3.2 Not now"]
)
def test_what_would_befall_every_message_befalls_one_or_two(step: str, answer: str, pipelining: bool) -> None:
    """
    The rest is not tried, and waits. What was announced already is finished.
    """
    names = people(20)
    listener = Listener(refusals={f"{step} {name}": answer for name in names[2:]})
    with ScriptedServer(listener) as server, sending(server.address, pipelining=pipelining) as backend:
        receipts = backend.send_all(messages(*names))
    assert [ACCEPTED] * 2 + [LATER] * 18 == outcomes(receipts)
    assert {Fault.BACKEND} == {receipt.fault for receipt in receipts[2:]}
    tried = [receipt for receipt in receipts[2:] if receipt.code is not None]
    assert 1 <= len(tried) <= 2
    # What the server said of one message is not kept with another: it may hold an address.
    assert {"not sent: the mail server could not be used for another message in the same batch"} == {
        receipt.reply for receipt in receipts[2:] if receipt.code is None
    }
    assert server.connections == 1


@pytest.mark.parametrize("connections", [1, 4])
def test_a_server_that_is_down_is_tried_once_by_each_connection(connections: int) -> None:
    """
    However many messages wait.
    """

    def refuse(line: Line) -> None:
        line.say("554 5.3.2 not today")

    with ScriptedServer(refuse) as server, sending(server.address, connections=connections) as backend:
        receipts = backend.send_all(messages(*people(200)))
        assert server.connections <= connections
    assert {(LATER, Fault.BACKEND, 554)} == {(receipt.outcome, receipt.fault, receipt.code) for receipt in receipts}


def test_a_server_may_allow_fewer_connections_than_we_would_make() -> None:
    """
    The messages then go over those that it allows.
    """
    listener = Listener()
    turn = iter(range(100))

    def play(line: Line) -> None:
        if next(turn) < 1:
            listener(line)
        else:
            line.say("421 4.7.0 Too many connections from you")

    with ScriptedServer(play) as server, sending(server.address, connections=4) as backend:
        receipts = backend.send_all(messages(*people(60)))
        assert server.connections == 4
    assert {ACCEPTED} == set(outcomes(receipts))
    assert Counter(listener.taken) == Counter(f"{name}@example.com" for name in people(60))


def test_a_batch_goes_over_several_connections_and_they_are_kept(inbox: Inbox) -> None:
    """
    No more than it may, and each message once. A short batch is not worth more than one.
    """
    with mail_server(inbox) as address, sending(address, connections=3) as backend:
        assert [ACCEPTED] * 5 == outcomes(backend.send_all(messages(*people(5))))
        assert inbox.connections == 1
        for _ in range(2):
            assert [ACCEPTED] * 60 == outcomes(backend.send_all(messages(*people(60))))
    assert 2 <= inbox.connections <= 3
    assert Counter(to for envelope in inbox.envelopes for to in envelope.rcpt_tos) == Counter(
        f"{name}@example.com" for name in people(5) + 2 * people(60)
    )


def test_threads_that_send_batches_share_the_connections(inbox: Inbox) -> None:
    """
    One that comes too late for a second one does with one, and waits for that.
    """
    receipts: list[Receipt] = []
    with mail_server(inbox) as address, sending(address, connections=2) as backend:
        threads = [
            threading.Thread(target=lambda: receipts.extend(backend.send_all(messages(*people(30))))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [ACCEPTED] * 120 == outcomes(receipts)
    assert inbox.connections <= 2


def test_an_exception_from_outside_stops_every_connection(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    When a task queue's time limit strikes, nothing goes on behind the caller's back, and the next batch is whole.
    """

    class TimeLimitError(BaseException):
        pass

    main = threading.current_thread()
    whole = Wire.reply

    def strike(self: Wire, *, patience: int = 1) -> object:
        if threading.current_thread() is main and len(inbox.envelopes) > 10:
            raise TimeLimitError
        return whole(self, patience=patience)

    with mail_server(inbox) as address, sending(address, connections=3) as backend:
        with monkeypatch.context() as patch:
            patch.setattr(Wire, "reply", strike)
            with pytest.raises(BatchInterrupted) as caught:
                backend.send_all(messages(*people(400)))
        assert isinstance(caught.value.why, TimeLimitError)
        left = len(inbox.envelopes)
        assert left < 400
        taken = Counter(outcomes(caught.value.receipts))
        assert taken[DOUBT] <= 1
        assert taken[ACCEPTED] <= left <= taken[ACCEPTED] + taken[DOUBT]
        unsent = {(r.begun, r.fault) for r in caught.value.receipts if r.outcome is LATER}
        assert unsent == {(False, None)}
        assert [ACCEPTED] * 30 == outcomes(backend.send_all(messages(*people(30))))
        assert left + 30 == len(inbox.envelopes)


# ---- a peer that was written to be fast and to be unkind


def arrived(directory: Path) -> Counter[str]:
    """
    Count what smtp-sink has kept, by recipient. A file that it had just begun when it was ended names none yet.
    """
    found: Counter[str] = Counter()
    for file in directory.iterdir():
        content = file.read_bytes()
        if b"X-Rcpt-Args" not in content:
            continue
        (to,) = re.findall(rb"^X-Rcpt-Args: <(\S+)>", content, re.MULTILINE)
        (header,) = re.findall(rb"^To: (\S+)\r?$", content, re.MULTILINE)
        assert to == header
        found[to.decode()] += 1
    return found


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("pipelining", [True, False])
def test_thousands_of_messages_arrive_once(tmp_path: Path, connections: int, pipelining: bool) -> None:
    """
    At their own address, whatever number of connections they go over. What waited too long is sent in another round.
    """
    names = left = people(2000)
    flags = () if pipelining else ("-p",)
    with (
        smtp_sink(tmp_path, *flags) as address,
        sending(address, connections=connections, messages_per_connection=300) as backend,
    ):
        while left:
            ended = outcomes(backend.send_all(messages(*left)))
            assert ACCEPTED in ended
            assert {ACCEPTED, LATER}.issuperset(ended)
            left = [name for name, outcome in zip(left, ended, strict=True) if outcome is LATER]
    assert Counter(f"{name}@example.com" for name in names) == arrived(tmp_path)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["-f", "rcpt"], (REFUSED, None)),
        (["-r", "rcpt"], (LATER, None)),
        (["-f", "data"], (REFUSED, None)),
        (["-f", "."], (REFUSED, None)),
        (["-r", "."], (LATER, None)),
        (["-f", "mail"], (LATER, Fault.BACKEND)),
        (["-q", "ehlo"], (LATER, Fault.BACKEND)),
        (["-q", "mail"], (LATER, Fault.BACKEND)),
        (["-q", "rcpt"], (LATER, Fault.BACKEND)),
        (["-q", "data"], (LATER, Fault.BACKEND)),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_faults_of_a_server_that_is_told_to_have_them(
    tmp_path: Path, flags: list[str], expected: tuple[Outcome, Fault | None]
) -> None:
    """
    Refusing for good and for now, and hanging up, at every step. Nothing is said twice.
    """
    with smtp_sink(tmp_path, *flags, "-b", "450 not now", "-B", "550 never") as address, sending(address) as backend:
        receipts = backend.send_all(messages(*people(20)))
    assert {expected} == {(receipt.outcome, receipt.fault) for receipt in receipts}
    heard = {f"{name}@example.com": 1 for name in people(20)} if "." in flags else {}
    assert heard == arrived(tmp_path)


def test_a_server_that_hangs_up_at_every_dot_leaves_one_message_in_doubt(tmp_path: Path) -> None:
    """
    One of the batch, not all of it.
    """
    with smtp_sink(tmp_path, "-q", ".") as address, sending(address) as backend:
        receipts = backend.send_all(messages(*people(20)))
    assert [DOUBT] + [LATER] * 19 == outcomes(receipts)
    assert {Fault.BACKEND} == {receipt.fault for receipt in receipts}


@pytest.mark.parametrize("near", [0.0, 3600.0])
def test_a_server_that_is_near_is_given_one_connection(near: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    More would only have threads wait for each other. One that is far off is given as many as there may be.
    """
    monkeypatch.setattr("optly.backends.smtp._NEAR", near)
    listener = Listener()
    spoken_to: list[int] = []

    def play(line: Line) -> None:
        say = line.say

        def slowly(text: str) -> None:
            spoken_to.append(id(line))
            time.sleep(0.001)  # so that others have their turn
            say(text)

        line.say = slowly  # type: ignore[method-assign]
        listener(line)

    # A connection that has had enough letters would be replaced in the middle of the second batch.
    with (
        ScriptedServer(play) as server,
        sending(server.address, connections=4, messages_per_connection=1000) as backend,
    ):
        assert [ACCEPTED] * 80 == outcomes(backend.send_all(messages(*people(80))))
        spoken_to.clear()
        assert [ACCEPTED] * 80 == outcomes(backend.send_all(messages(*people(80))))
        assert server.connections <= 4
        assert (len(set(spoken_to)) == 1) is (near > 0)
