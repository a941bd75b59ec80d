"""
What is on record is read without being judged: phonenumbers and email-validator change, and people stay who they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
import email_validator
import phonenumbers
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from thorough import examples
from world import EMAIL_OFFERS, World, world

from optly import Channel, Contact, Content
from optly.contacts import _mailboxes, _numbers
from optly.contacts.addresses import (
    Address,
    AddressKind,
    EmailAddress,
    PhoneNumber,
    parse_address,
    recognise_address,
    recorded_address,
)
from optly.errors import AddressError
from optly.messages import DeliveryEvent, DeliveryStatus, InboundMessage
from optly.protocols.http import Request
from optly.results import Effect
from optly.rules import Reason
from optly.storage import FileStorage, MemoryStorage, SQLStorage
from optly.testing.messages import code_in

ADA_EMAIL = "ada@bücher.example.com"

PATCHES: dict[str, dict[str, dict[str, Any]]] = {
    "knows other numbers": {
        "phonenumbers": {"is_valid_number": lambda _: False, "is_possible_number": lambda _: False}
    },
    "knows nothing": {
        "phonenumbers": {"parse": mock.Mock(side_effect=phonenumbers.NumberParseException(0, "unknown"))},
        "email_validator": {"validate_email": mock.Mock(side_effect=email_validator.EmailNotValidError("unknown"))},
    },
}


@contextmanager
def another_release(name: str = "knows nothing") -> Iterator[None]:
    """
    Have the libraries that are installed judge as another release of theirs might.
    """
    caches = (_numbers._judged, _mailboxes._known_domain)
    patches = [mock.patch.multiple(module, **changed) for module, changed in PATCHES[name].items()]
    try:
        for patch in patches:
            patch.start()
        for cache in caches:
            cache.cache_clear()
        yield
    finally:
        mock.patch.stopall()
        for cache in caches:
            cache.cache_clear()


# ---- the readers


def number_of(region: str, kind: int) -> str:
    found = phonenumbers.example_number_for_type(region, kind)
    return "" if found is None else phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


EXAMPLES = sorted({number_of(region, kind) for region in phonenumbers.SUPPORTED_REGIONS for kind in range(11)} - {""})
SPELLINGS: list[Callable[[str], str]] = [
    str,
    lambda number: f" {number[:5]}\u2009{number[5:]} ",
    lambda number: f"tel:{number[:6]}-{number[6:]};phone-context=example.com",
    lambda number: f"whatsapp:{number}",
    lambda number: f"00{number[1:]}",
    lambda number: f"\u202a{number}\u202c",
    lambda number: "".join(chr(ord(sign) + 0xFEE0) for sign in number),
]
ANYTHING = st.characters(exclude_categories=["Cs"])
LOCALS = st.one_of(
    st.sampled_from(["ada", "Ada", "o'brien", "o’brien", "ada..b", ".ada", "ada.", '"ada b"', '"a@b"', '"ada"']),
    st.sampled_from(["jürgen", "ju\u0308rgen", "ÅSA", "«ada", "ＡＤＡ", "ſam", "ada?b", "mailto:ada"]),
    st.text(ANYTHING, min_size=1, max_size=20),
)
DOMAINS = st.one_of(
    st.sampled_from(["example.com", "EXAMPLE.com", "example.com.", "ab--c.com", "docomo.ne.jp", "a_b.com", "x.test"]),
    st.sampled_from(
        ["bücher.de", "BÜCHER.de", "xn--bcher-kva.de", "straße.de", "xn--ls8h.la", "例え。jp", "א.example.com"]
    ),
    st.sampled_from(["localhost", "example.invalid", "[192.0.2.1]"]),
    st.text(ANYTHING, min_size=1, max_size=12).map(lambda label: f"{label}.com"),
)
EMAILS = st.builds("{}@{}".format, LOCALS, DOMAINS)
NUMBERS = st.builds(lambda number, spelling: spelling(number), st.sampled_from(EXAMPLES), st.sampled_from(SPELLINGS))
WRITTEN = st.one_of(
    EMAILS.map(lambda text: (text, AddressKind.EMAIL)), NUMBERS.map(lambda text: (text, AddressKind.PHONE))
)


def read(reader: Callable[[str, AddressKind], Address], text: str, kind: AddressKind) -> Address:
    try:
        return reader(text, kind)
    except AddressError:
        assume(False)
        raise


@given(WRITTEN)
def test_by_shape_an_address_is_the_one_that_it_is_when_judged(written: tuple[str, AddressKind]) -> None:
    """
    Or a stop would be looked up under another key than the one it is kept under.
    """
    judged = read(parse_address, *written)
    assert judged == recognise_address(*written)


@given(WRITTEN)
def test_what_was_read_is_the_same_once_it_is_on_record(written: tuple[str, AddressKind]) -> None:
    """
    Whether it was judged or not, its value stands for it, and can be typed in its place.
    """
    address = read(recognise_address, *written)
    assert address == recorded_address(address.value, address.kind)
    assert address == recognise_address(address.value, address.kind)
    assert address.masked


@pytest.mark.parametrize("release", PATCHES)
@given(WRITTEN)
@example(("straße@straße.de", AddressKind.EMAIL))
@example(("+4537112709", AddressKind.PHONE))
def test_no_release_of_a_library_loses_what_was_accepted(release: str, written: tuple[str, AddressKind]) -> None:
    """
    It is found by the value on record, and by what a provider reports.
    """
    address = read(recognise_address, *written)
    with another_release(release):
        assert address == recorded_address(address.value, address.kind)
        assert address == recognise_address(address.value, address.kind)
        if isinstance(address, EmailAddress) and address.ascii_value:
            assert address == recognise_address(address.ascii_value, address.kind)


@pytest.mark.parametrize("release", PATCHES)
@pytest.mark.parametrize(
    "text",
    ["07911 123456", "+44 (0)7911 123456", "+4407911123456", "0044 7911-123456", "447911123456", "(07911) 123456"],
)
def test_a_number_is_read_as_it_is_dialled_here(release: str, text: str) -> None:
    """
    A stop list is written by people, and no table is needed to read a number of this country.
    """
    with another_release(release):
        assert PhoneNumber.recognise(text).value == "+447911123456"


@pytest.mark.parametrize("text", ["80888", "4537112709", "7911123456", "ACME", "+0123456789", "+44 7911", ""])
def test_digits_that_may_be_those_of_any_country_are_no_number(text: str) -> None:
    """
    A stop for a line that was guessed would leave the one that was meant.
    """
    with another_release(), pytest.raises(AddressError):
        PhoneNumber.recognise(text)


# ---- what a person and the host do


DANISH = "+4537112709"  # in use before phonenumbers 9.0.43, and not since
BOB = "bob@example.com"


@attrs.define(kw_only=True)
class Retired:
    """
    Ada, who agreed to everything on lines that the libraries no longer know, and Bob, who has a message in the queue.
    """

    w: World
    ada: Contact
    link: str
    token: str

    def goes(self, method: str, path: str, body: bytes = b"") -> int:
        headers = (("content-type", "application/x-www-form-urlencoded"),) if method == "POST" else ()
        request = Request(method=method, path=path, query="", headers=headers, body=body, remote_addr="192.0.2.1")
        return self.w.manager.portal().handle(request).status

    def writes(self, says: str, sender: str = DANISH, channel: Channel = Channel.SMS) -> Effect:
        event = InboundMessage(
            id="text", backend="memory", channel=channel, sender=sender, text=says, at=self.w.clock()
        )
        return self.w.manager.receive(event).effect

    def reported(self, status: DeliveryStatus, to: str, channel: Channel = Channel.EMAIL) -> Effect:
        event = DeliveryEvent(
            id="event", backend="memory", channel=channel, status=status, to=to, permanent=True, at=self.w.clock()
        )
        return self.w.manager.receive(event).effect

    def may_be_sent(self) -> tuple[bool, bool]:
        check = self.w.manager.check
        return check(ADA_EMAIL, Channel.EMAIL, "offers").allowed, check(DANISH, Channel.SMS, "offers").allowed

    def digits(self, to: str) -> str:
        self.w.manager.deliver()
        texts = [message.text for message in self.w.emails.outbox if message.to.startswith(to)]
        found: list[str] = re.findall(r"\b\d{6}\b", " ".join(texts))
        return found[-1]

    def gets_the_news(self) -> set[str]:
        self.w.manager.deliver()
        return {message.to for message in self.w.emails.outbox if message.subject == "This week"}


@pytest.fixture
def there() -> Iterator[Retired]:
    w = world()
    ada = w.add(email=ADA_EMAIL, phone=PhoneNumber(DANISH))
    w.agreed(ada)
    bob = w.add(name="Bob", email=BOB, phone=None)
    w.manager.answer(code_in(w.ask(bob, channels=[Channel.EMAIL])), {EMAIL_OFFERS: True})
    w.emails.outbox.clear()
    w.texts.outbox.clear()
    content = Content(subject="This week", text="Bicycles.")
    for contact, channel in ((ada, Channel.EMAIL), (bob, Channel.EMAIL)):
        w.manager.send(contact, channel, "offers", content)
    link = w.manager.link(ada).rpartition("/")[2]
    headers = w.manager.unsubscribe_headers(ada, "offers")
    token = re.search(r"/u/([^>]+)>", headers["List-Unsubscribe"])
    assert token
    with another_release():
        made = Retired(w=w, ada=ada, link=link, token=token[1])
        assert made.may_be_sent() == (True, True)
        yield made


EVERYWHERE, EMAILS_ALONE, TEXTS_ALONE = (False, False), (False, True), (True, False)
STOPS: dict[str, tuple[Callable[[Retired], Any], tuple[bool, bool]]] = {
    "a withdrawal": (lambda it: it.w.manager.withdraw(it.ada), EVERYWHERE),
    "an objection": (lambda it: it.w.manager.record_objection(it.ada, how="post"), EVERYWHERE),
    "an objection on one line": (
        lambda it: it.w.manager.record_objection(it.ada, how="post", phone=DANISH),
        TEXTS_ALONE,
    ),
    "one click": (lambda it: it.goes("POST", f"/u/{it.token}", b"List-Unsubscribe=One-Click"), EMAILS_ALONE),
    "the button on the pages": (lambda it: it.goes("POST", f"/l/{it.link}/stop"), EVERYWHERE),
    "a text": (lambda it: it.writes("STOP"), TEXTS_ALONE),
    "a text with a scheme": (lambda it: it.writes("STOP", f"whatsapp:{DANISH}"), TEXTS_ALONE),
    "a mail": (lambda it: it.writes("unsubscribe", ADA_EMAIL, Channel.EMAIL), EMAILS_ALONE),
    "a complaint": (lambda it: it.reported(DeliveryStatus.COMPLAINED, ADA_EMAIL), EMAILS_ALONE),
    "an opt-out": (lambda it: it.reported(DeliveryStatus.OPTED_OUT, DANISH, Channel.SMS), TEXTS_ALONE),
    "a bounce": (lambda it: it.reported(DeliveryStatus.BOUNCED, ADA_EMAIL), EMAILS_ALONE),
    "a stop list": (lambda it: it.w.manager.import_objections([DANISH], "sms", how="the old system"), EVERYWHERE),
    "a stop for a domain": (
        lambda it: it.w.manager.record_domain_objection("bücher.example.com", how="post"),
        EMAILS_ALONE,
    ),
}


@pytest.mark.parametrize("stop", STOPS)
def test_whoever_has_a_line_that_is_no_longer_known_can_stop(there: Retired, stop: str) -> None:
    """
    In every way there is; and everyone else's mail goes out.
    """
    act, left = STOPS[stop]
    act(there)
    emails, texts = there.may_be_sent()
    assert (emails, texts) == left
    assert there.gets_the_news() == ({BOB, "ada@xn--bcher-kva.example.com"} if emails else {BOB})


def test_whoever_has_a_line_that_is_no_longer_known_can_be_erased(there: Retired) -> None:
    """
    And what is imported afterwards is refused.
    """
    manager = there.w.manager
    manager.erase(there.ada)
    again = manager.add_contact(name="Ada Lovelace", email=ADA_EMAIL, phone=DANISH)
    assert there.may_be_sent() == EVERYWHERE
    assert not manager.check(again, Channel.EMAIL, "offers")
    assert there.gets_the_news() == {BOB}
    assert manager.verify()


def test_all_else_goes_on(there: Retired) -> None:
    """
    Reading, showing, sending, changing and adding again.
    """
    manager, ada = there.w.manager, there.ada
    assert manager.find(ADA_EMAIL) == ada
    assert manager.find(DANISH, Channel.SMS) == ada
    assert [True] == [decision.allowed for decision in manager.screen([DANISH], Channel.SMS, "offers")]
    assert manager.check(ada, Channel.SMS, "offers", phone=DANISH)
    assert manager.standing(ada).present() == (1, 2)
    assert manager.history(ada)
    assert manager.evidence(ada).verify()
    assert there.goes("GET", f"/l/{there.link}") == 200
    assert manager.link(ada, Channel.SMS)
    assert manager.add_contact(name="Ada Lovelace", email=ADA_EMAIL, phone=DANISH) == ada
    manager.change_details(ada, email=ADA_EMAIL, language="cy")
    assert manager.standing(ada).present() == (1, 2)
    manager.send(ada, Channel.SMS, "offers", Content(text="Bicycles."))
    manager.self_service.request_link(ADA_EMAIL.replace("@", "＠"))
    manager.self_service.request_link(DANISH)
    manager.deliver()
    assert {DANISH} == {message.to for message in there.w.texts.outbox}
    assert {BOB, "ada@xn--bcher-kva.example.com"} == {message.to for message in there.w.emails.outbox}
    assert manager.record_complaint(text="Too often", how="telephone", reply_to=DANISH).reply_to == PhoneNumber(DANISH)
    with pytest.raises(AddressError):
        manager.change_details(ada, phone="+4537112708")


def test_their_own_pages_go_on(there: Retired) -> None:
    """
    From the code that is sent to that line to the copy, the complaint and the proof of another address.
    """
    manager, me = there.w.manager, there.w.manager.self_service
    session = me.step_up(me.request_code(there.link), there.digits("ada@"))
    assert [ADA_EMAIL] == [address.value for address in me.details(session).lines]
    assert me.history(session).lines[1] == "a•••@b•••.com"
    assert me.send_copy(session) == "a•••@b•••.com"
    complaint = me.complain(session, "You write too often.")
    me.propose(session, EmailAddress.recorded("new@bücher.example.com"))
    session = me.prove(session, AddressKind.EMAIL, there.digits("new@"))
    assert ["new@bücher.example.com"] == [address.value for address in me.details(session).lines]
    manager.deliver()
    assert manager.complaint(complaint.reference).reply_to == EmailAddress.recorded(ADA_EMAIL)
    subjects = [message.subject for message in there.w.emails.outbox if message.to == "ada@xn--bcher-kva.example.com"]
    for wanted in ("code", "copy", "complaint", "details"):
        assert any(wanted in subject for subject in subjects), subjects


def test_a_line_that_nobody_has_is_judged(there: Retired) -> None:
    """
    A number that no one can have is not one that may be called, because it is on no register.
    """
    manager = there.w.manager
    with pytest.raises(AddressError):
        manager.check("+4537112708", Channel.LIVE_CALL, "offers")
    [decision] = manager.screen(["+4537112708"], Channel.LIVE_CALL, "offers")
    assert decision.reason is Reason.NOT_AN_ADDRESS


@pytest.mark.parametrize(("sender", "channel"), [(DANISH, Channel.SMS), ("ada..b@docomo.ne.jp", Channel.EMAIL)])
def test_a_stop_from_a_line_that_nobody_has_and_no_table_knows_is_one(sender: str, channel: Channel) -> None:
    """
    Were it known one day, it would be refused.
    """
    w = world()
    event = InboundMessage(id="text", backend="memory", channel=channel, sender=sender, text="STOP", at=w.clock())
    assert w.manager.receive(event).effect is Effect.STOPPED
    assert w.manager.check(sender, channel, "offers").reason is Reason.OBJECTED


STORES: dict[str, Callable[[Path], Any]] = {
    "memory": lambda _: MemoryStorage(),
    "file": lambda directory: FileStorage(directory / "optly.jsonl"),
    "sqlite": lambda directory: SQLStorage(f"sqlite:///{directory / 'optly.db'}"),
}


CHANNELS = {AddressKind.EMAIL: Channel.EMAIL, AddressKind.PHONE: Channel.SMS}


def is_accepted(written: tuple[str, AddressKind]) -> bool:
    try:
        return bool(recognise_address(*written))
    except AddressError:
        return False


def named(kind: AddressKind, line: str | Address) -> dict[str, Any]:
    return {kind.value: line}


def recognised(written: tuple[str, AddressKind]) -> Address:
    return recognise_address(*written)


@pytest.mark.parametrize("store", ["memory", "file", pytest.param("sqlite", marks=pytest.mark.slow)])
@settings(max_examples=examples(5), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_line_that_a_store_has_taken_is_lost_to_another_release(
    store: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """
    A stop from it counts, one that was made before still does, and so does what an erasure leaves in its place.
    """
    written = data.draw(st.lists(WRITTEN.filter(is_accepted), min_size=2, max_size=4, unique_by=recognised))
    release = data.draw(st.sampled_from(list(PATCHES)))
    lines = [recognise_address(*each) for each in written]
    with closing(STORES[store](tmp_path_factory.mktemp("store"))) as storage:
        w = world(storage)
        manager = w.manager
        people = [manager.add_contact(name=f"Person {n}", **named(line.kind, line)) for n, line in enumerate(lines)]
        manager.import_objections([lines[0]], CHANNELS[lines[0].kind], how="list")
        manager.erase(people[1])
        with another_release(release):
            for n, (line, person) in enumerate(zip(lines, people, strict=True)):
                channel = CHANNELS[line.kind]
                if n > 1:
                    assert manager.find(line.value, channel) == person
                    event = InboundMessage(
                        id=f"text {n}", backend="memory", channel=channel, sender=line.value, text="STOP", at=w.clock()
                    )
                    assert manager.receive(event).effect is Effect.STOPPED
                    assert manager.check(person, channel, "offers").reason is Reason.OBJECTED
                found = manager.check(line.value, channel, "offers")
                assert found.reason is (Reason.SUPPRESSED if n == 1 else Reason.OBJECTED)
                manager.add_contact(name="Imported again", **named(line.kind, line.value))
                assert not manager.check(line.value, channel, "offers")
