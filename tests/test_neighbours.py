"""
Promise 15, all round: whatever one organisation calls with what is another's does what it would do if the other had
never been, says nothing of it, and changes nothing there.

Every method of both faces, every page, every operation of the JSON API and every command is called. Each call is made
twice: in a store that is shared with the other organisation, and in one that is not. A method that is new, and not
listed here with its way of being called, fails.

The same calls show which personal values each of them reads: of its own people what it needs, and no more.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import attrs
import pytest
from click.testing import CliRunner
from services import MYSQL, POSTGRESQL
from stores import STORES, made
from world import EMAIL, EMAIL_OFFERS, KEYS, OTHER, PHONE, World, world

from optly import (
    Act,
    AsyncConsentManager,
    Channel,
    ConsentManager,
    Contact,
    Solicited,
    Subscriber,
    Wording,
)
from optly.cli._commands import WITH_MANAGER, optly
from optly.contacts import AddressKind, PhoneNumber
from optly.errors import OptlyError
from optly.messages import Content, DeliveryEvent, DeliveryStatus, InboundMessage, Outcome, Receipt
from optly.portal import pages
from optly.portal.api import bodies
from optly.portal.api.operations import OPERATIONS
from optly.portal.cookies import cookie_name
from optly.portal.own import DETAILS, PROVED
from optly.protocols import MessageState
from optly.protocols.http import Request
from optly.record.events import Engagement
from optly.record.ledger import Opening
from optly.self_service import AsyncPerson, AsyncSelfService, Person, SelfService
from optly.storage import MemoryStorage
from optly.testing.messages import code_in, stop_token_in

GRACE, JOE, FIRM = "grace@example.com", "joe@example.com", "anyone@firm.example.com"
TEXT: Final = "Too many letters"
# What is said of the one organisation's people, and typed nowhere here.
SECRETS: Final = ("Ada Lovelace", "Grace Hopper", "Joe Bloggs", "Secret", "7911 123 456")
_SIX: Final = re.compile(r"(?<![\w/])\d{6}(?!\w)")


@attrs.frozen(kw_only=True)
class Names:
    """
    What the one organisation's things are called: whoever knows a name may call with it.

    Attributes:
        codes: The codes of links and sessions that open something there.
        erased: A contact who was erased after they complained.
    """

    ada: Contact
    grace: Contact
    erased: Contact
    codes: Mapping[str, str]
    digits: str
    token: str
    sent: str
    queued: str
    doubt: str
    complaint: str
    reference: str
    checkpoint: str


def lived(w: World) -> Names:
    """
    Have everything happen in a world that has a name.
    """
    m, own = w.manager, w.manager.self_service
    ada = w.add(reference="crm-17", address="7 Secret Lane, Leeds LS1 1AA")
    w.agreed(ada)
    w.later()
    m.record_soft_opt_in(
        ada, channels=[Channel.SMS], similar_purposes=["news"], goods="bicycles", at=w.clock(), refusal_offered=True
    )
    question = code_in(w.ask(ada, purposes=["news"], channels=[Channel.EMAIL]))
    link = m.link(ada).rpartition("/")[2]
    session = own.request_code(link)
    m.deliver()
    raised = own.step_up(session, _SIX.findall(w.emails.outbox[-1].text)[-1])
    own.propose(raised, PhoneNumber.parse("+447911123458"))
    waiting = own.request_code(link)
    m.deliver()
    digits = _SIX.findall(w.emails.outbox[-1].text)[-1]

    grace = w.add(name="Grace Hopper", email=GRACE, phone=None)
    code = code_in(w.ask(grace, channels=[Channel.EMAIL]))
    m.answer(code, {EMAIL_OFFERS: True})
    w.later()
    m.stop(m.link(grace).rpartition("/")[2])
    m.deliver()
    undo = code_in(w.emails.outbox[-1])

    joe = w.add(name="Joe Bloggs", email=JOE, phone=None)
    m.record_complaint(joe, text=TEXT, how="letter")
    m.erase(joe)
    m.record_domain_objection("firm.example.com", how="letter of its director")
    complaint = m.record_complaint(ada, text=TEXT, how="telephone")
    m.deliver()

    offer = Content(subject="An offer", text="Secret bicycles")
    sent = m.send(ada, Channel.EMAIL, "offers", offer)
    m.deliver()
    token = stop_token_in(w.emails.outbox[-1])
    w.emails.outcomes.append(Receipt(outcome=Outcome.IN_DOUBT))
    doubt = m.send(ada, Channel.EMAIL, "offers", offer)
    m.deliver()
    queued = m.send(ada, Channel.EMAIL, "offers", offer)
    checkpoint = m.seal()
    assert checkpoint is not None
    return Names(
        ada=ada,
        grace=grace,
        erased=joe,
        codes={"question": question, "link": link, "raised": raised, "waiting": waiting, "undo": undo},
        digits=digits,
        token=token,
        sent=sent,
        queued=queued,
        doubt=doubt,
        complaint=complaint.id,
        reference=complaint.reference,
        checkpoint=checkpoint.note,
    )


def state(w: World, n: Names) -> list[object]:
    """
    Return everything that the organisation whose things these are knows, and what its people see.
    """
    m, people = w.manager, (n.ada, n.grace, n.erased)
    return [
        [m.history(contact) for contact in people],
        [m.standing(contact) for contact in people],
        {known: m.outbox_messages(known) for known in MessageState},
        [complaint.id for complaint in m.complaints(open=None)],
        m.complaint(n.reference),
        {name: m.self_service.enter(code).open() for name, code in n.codes.items()},
        m.self_service.details(n.codes["raised"]),
        m.self_service.proposed(n.codes["raised"], AddressKind.PHONE),
        m.find_reference("crm-17"),
        [m.holders(address) for address in (EMAIL, GRACE, JOE)],
        list(m.screen([EMAIL, GRACE, JOE, FIRM], Channel.EMAIL, "offers")),
        (m.seal(), m.verify()),
        [len(w.emails.attempts), len(w.texts.attempts)],
    ]


# ---- what comes of a call


def shown(value: Any) -> object:
    """
    Return all that a result holds, what its repr keeps to itself included.
    """
    if isinstance(value, str | int | float | bytes) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(shown(key)): shown(held) for key, held in value.items()}
    if attrs.has(type(value)):
        fields = {field.name: shown(getattr(value, field.name, None)) for field in attrs.fields(type(value))}
        return {type(value).__name__: fields}
    if isinstance(value, Iterator | Sequence | set | frozenset):
        return [shown(each) for each in value]
    return repr(value)


_DRAWN: Final = (
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"/l/\w+"), "/l/CODE"),
    (re.compile(r"/u/[\w.-]+"), "/u/TOKEN"),
    (re.compile(r"CMP-\w{4}-\w{2}"), "REFERENCE"),
    (re.compile(r"nonce-[\w=+/-]+|0x[0-9a-f]+"), "DRAWN"),
)


def same_for_all(text: str) -> str:
    """
    Return a text without what is drawn at random.
    """
    for pattern, word in _DRAWN:
        text = pattern.sub(word, text)
    return text


def outcome(call: Callable[[], object]) -> str:
    """
    Return what came of a call: its result, or its error, in words.
    """
    try:
        return same_for_all(repr(shown(call())))
    except OptlyError as error:
        return same_for_all(f"{type(error).__name__}: {error} {shown(vars(error))}")


# ---- the methods of the organisation's face

Call = Callable[[Any, Names, World], object]
OFFERS: Final[dict[str, Any]] = {"channels": [Channel.EMAIL], "purposes": ["offers"]}
PAPER: Final[dict[str, Any]] = {"wording": Wording(text="May Other Ltd email me offers?"), "act": Act.TICKED_BOX}


def _asked(w: World) -> dict[str, Any]:
    return {"via": Channel.EMAIL, **OFFERS, "basis": Solicited(how="form", at=w.clock())}


def _reports(n: Names, w: World) -> Iterator[DeliveryEvent | InboundMessage]:
    """
    Yield what a provider may say of another organisation's message, and what people may answer to it.
    """
    named = [{"contact": n.ada.id, "message": n.sent}, {"message": n.sent}, {"contact": n.ada.id}, {"message": n.doubt}]
    for number, facts in enumerate(named):
        common: dict[str, Any] = {"backend": "memory", "channel": Channel.EMAIL, "at": w.clock(), **facts}
        for status in (DeliveryStatus.COMPLAINED, DeliveryStatus.BOUNCED, DeliveryStatus.DELIVERED):
            yield DeliveryEvent(id=f"{status} {number}", status=status, **common)
        for text in ("STOP", "YES", "HELP", "Do you deliver?"):
            yield InboundMessage(id=f"{text} {number}", sender="nobody@example.net", text=text, **common)


# Each with every way in which it takes a name.
METHODS: Final[Mapping[str, Sequence[Call]]] = {
    "find": [lambda m, n, w: m.find(EMAIL)],
    "find_reference": [lambda m, n, w: m.find_reference("crm-17")],
    "holders": [lambda m, n, w: m.holders(PHONE, Channel.SMS)],
    "check": [
        lambda m, n, w: m.check(n.ada, Channel.EMAIL, "offers"),
        lambda m, n, w: m.check(n.ada, Channel.EMAIL, "offers", line=1),
        lambda m, n, w: m.check(n.grace, Channel.EMAIL, "offers", at=w.clock()),
        lambda m, n, w: m.check(n.erased, Channel.EMAIL, "offers"),
        lambda m, n, w: m.check(EMAIL, Channel.EMAIL, "offers"),
    ],
    "screen": [lambda m, n, w: m.screen([EMAIL, GRACE, JOE, FIRM], Channel.EMAIL, "offers")],
    "verdicts": [lambda m, n, w: m.verdicts([EMAIL, GRACE, JOE, FIRM], Channel.EMAIL, "offers")],
    "standing": [
        lambda m, n, w: m.standing(n.ada),
        lambda m, n, w: m.standing(n.erased),
        lambda m, n, w: m.standing(n.ada, at=w.clock()),
    ],
    "history": [lambda m, n, w: m.history(n.ada), lambda m, n, w: m.history(n.erased)],
    "evidence": [
        lambda m, n, w: m.evidence(n.ada),
        lambda m, n, w: m.evidence(n.grace, since=n.checkpoint),
        lambda m, n, w: m.evidence(n.erased),
    ],
    "change_details": [lambda m, n, w: m.change_details(n.ada, name="Eve", email="eve@example.com", replaces=1)],
    "add_line": [lambda m, n, w: m.add_line(n.ada, email="eve@example.com")],
    "leave_line": [lambda m, n, w: m.leave_line(n.ada, line=1, how="moved")],
    "restore_line": [lambda m, n, w: m.restore_line(n.ada, Channel.EMAIL, line=1, how="rang")],
    "erase": [lambda m, n, w: m.erase(n.ada), lambda m, n, w: m.erase(n.erased)],
    "request_consent": [lambda m, n, w: m.request_consent(n.ada, **_asked(w))],
    "request_consents": [lambda m, n, w: m.request_consents([n.ada, n.grace], campaign="one", **_asked(w))],
    "record_consent": [lambda m, n, w: m.record_consent(n.ada, **OFFERS, **PAPER, how="paper", at=w.clock())],
    "record_soft_opt_in": [
        lambda m, n, w: m.record_soft_opt_in(
            n.ada,
            channels=[Channel.EMAIL],
            similar_purposes=["offers"],
            goods="tea",
            at=w.clock(),
            refusal_offered=True,
        )
    ],
    "record_charity_soft_opt_in": [
        lambda m, n, w: m.record_charity_soft_opt_in(
            n.ada, channels=[Channel.EMAIL], engagement=Engagement.SUPPORT, at=w.clock(), refusal_offered=True
        )
    ],
    "withdraw": [lambda m, n, w: m.withdraw(n.ada)],
    "record_objection": [lambda m, n, w: m.record_objection(n.ada), lambda m, n, w: m.record_objection(n.ada, line=1)],
    "record_domain_objection": [
        lambda m, n, w: m.record_domain_objection("firm.example.com", contact=n.ada, how="letter")
    ],
    "mark_deceased": [lambda m, n, w: m.mark_deceased(n.ada, how="letter")],
    "mark_gone_away": [lambda m, n, w: m.mark_gone_away(n.ada, Channel.EMAIL, how="letter")],
    "send": [lambda m, n, w: m.send(n.ada, Channel.EMAIL, "offers", "Hello")],
    "record_communication": [lambda m, n, w: m.record_communication(n.ada, Channel.EMAIL, "offers")],
    "link": [lambda m, n, w: m.link(n.ada), lambda m, n, w: m.link(n.ada, line=1)],
    "unsubscribe_headers": [lambda m, n, w: m.unsubscribe_headers(n.ada, "offers")],
    "revoke_links": [lambda m, n, w: m.revoke_links(n.ada), lambda m, n, w: m.revoke_links(n.erased)],
    "open": [lambda m, n, w: [outcome(partial(m.open, code)) for code in n.codes.values()]],
    "answer": [
        lambda m, n, w: m.answer(n.codes["question"], {(Channel.EMAIL, "news"): True}),
        lambda m, n, w: m.answer(n.codes["link"], {EMAIL_OFFERS: False}),
    ],
    "choose": [
        lambda m, n, w: m.choose(n.codes["link"], {EMAIL_OFFERS: False}),
        lambda m, n, w: m.choose(n.codes["raised"], {EMAIL_OFFERS: False}),
    ],
    "confirm": [lambda m, n, w: m.confirm(n.codes["question"])],
    "stop": [lambda m, n, w: [outcome(partial(m.stop, code)) for code in n.codes.values()]],
    "undo": [lambda m, n, w: m.undo(n.codes["undo"]), lambda m, n, w: m.undo(n.codes["link"], stop=1)],
    # A stop link reads as what it says, and its contact is not there.
    "open_stop": [lambda m, n, w: m.open_stop(n.token)],
    "stop_by_token": [lambda m, n, w: m.stop_by_token(n.token)],
    "complaint": [lambda m, n, w: m.complaint(n.reference), lambda m, n, w: m.complaint(n.complaint)],
    "complaints": [lambda m, n, w: m.complaints(open=None)],
    "acknowledge_complaint": [
        lambda m, n, w: m.acknowledge_complaint(n.ada, n.complaint, how="letter"),
        lambda m, n, w: m.acknowledge_complaint(None, n.reference, how="letter"),
    ],
    "resolve_complaint": [
        lambda m, n, w: m.resolve_complaint(n.ada, n.complaint, how="letter"),
        lambda m, n, w: m.resolve_complaint(None, n.reference, outcome="Sorry", send=True),
    ],
    "complaint_letter": [
        lambda m, n, w: m.complaint_letter(n.reference),
        lambda m, n, w: m.complaint_letter(n.complaint),
    ],
    "record_complaint": [lambda m, n, w: m.record_complaint(n.ada, text=TEXT, how="letter")],
    "receive": [lambda m, n, w: [m.receive(event).effect for event in _reports(n, w)]],
    "resolve_doubt": [
        lambda m, n, w: m.resolve_doubt(n.ada, n.doubt, sent=True),
        lambda m, n, w: m.resolve_doubt(n.ada, n.queued, sent=False),
    ],
    "reconcile": [lambda m, n, w: m.reconcile(resend=True)],
    "outbox_messages": [lambda m, n, w: {str(known): m.outbox_messages(known) for known in MessageState}],
    "backlog": [lambda m, n, w: m.backlog()],
    # Rows of codes, suppressions and wordings name no organisation, and are counted as a whole.
    "stats": [lambda m, n, w: attrs.evolve(m.stats(), store=None)],
    "deliver": [lambda m, n, w: m.deliver()],
    "deliver_batch": [lambda m, n, w: m.deliver_batch()],
    "known_keys": [lambda m, n, w: m.known_keys()],
    "renew_rows": [lambda m, n, w: [m.renew_rows(), m.renew_rows(unsigned=True)]],
    "seal": [lambda m, n, w: m.seal() is None],
    "log_files": [lambda m, n, w: [file.path for file in m.log_files()]],
    "verify": [lambda m, n, w: m.verify(), lambda m, n, w: m.verify(checkpoint=n.checkpoint)],
    # From here on the other organisation has the same people, and nothing the one knows of them.
    "add_contact": [
        lambda m, n, w: m.add_contact(reference="crm-17", name="Ada Lovelace", email=EMAIL, phone=PHONE),
        lambda m, n, w: m.standing(m.add_contact(reference="crm-17")),
        lambda m, n, w: m.check(EMAIL, Channel.EMAIL, "offers"),
        lambda m, n, w: m.add_contact(email=JOE, subscriber=Subscriber.COMPANY),
        lambda m, n, w: m.check(JOE, Channel.EMAIL, "offers"),
    ],
    "sign_up": [
        lambda m, n, w: m.sign_up(email=EMAIL, ticked=[EMAIL_OFFERS], how="form"),
        lambda m, n, w: m.sign_up(email=GRACE, ticked=[EMAIL_OFFERS], how="form"),
        lambda m, n, w: m.deliver(),
    ],
    "offer_way_back": [lambda m, n, w: m.offer_way_back(GRACE)],
    "import_objections": [lambda m, n, w: m.import_objections([EMAIL, JOE], Channel.EMAIL, how="list")],
    "portal": [lambda m, n, w: type(m.portal())],
}
# What takes no name of anything on record.
SETTINGS: Final = {"backends", "catalogues", "clock", "organisation", "pages", "public_keys", "purposes"}
SETTINGS_OF_A_MANAGER: Final = SETTINGS | {
    *("close", "post_quantum_keys", "receipts", "self_service", "storage", "webhooks", "within"),
}


# ---- those of the person's, each behind every code

OWN: Final[Mapping[str, Callable[[Any, Names, str], object]]] = {
    "enter": lambda s, n, code: s.enter(code),
    "request_code": lambda s, n, code: s.request_code(code),
    "step_up": lambda s, n, code: s.step_up(code, n.digits),
    "stay": lambda s, n, code: s.stay(code),
    "details": lambda s, n, code: s.details(code),
    "change_details": lambda s, n, code: s.change_details(code, name="Eve", address="1 New Street, Leeds LS1 1AA"),
    "propose": lambda s, n, code: s.propose(code, PhoneNumber.parse("+447911123459")),
    "proposed": lambda s, n, code: s.proposed(code, AddressKind.PHONE),
    "prove": lambda s, n, code: s.prove(code, AddressKind.PHONE, n.digits),
    "history": lambda s, n, code: s.history(code),
    "send_copy": lambda s, n, code: s.send_copy(code),
    "complain": lambda s, n, code: s.complain(code, TEXT),
    "finish": lambda s, n, code: s.finish(code),
    "request_link": lambda s, n, _: s.request_link(EMAIL),
    "open_stop": lambda s, n, _: s.open_stop(n.token),
    "stop_by_token": lambda s, n, _: s.stop_by_token(n.token),
}
# A person is had by `enter` alone, which is called with every code.
OF_A_PERSON: Final = {"answer", "choose", "confirm", "open", "stop", "undo", *OWN} - {
    "enter",
    "finish",
    "open_stop",
    "request_link",
    "stop_by_token",
}


def public(cls: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(cls) if not name.startswith("_")}


def test_every_method_is_listed_with_its_way_of_being_called() -> None:
    """
    One that is new has to be called as well: add it to the tables above.
    """
    for manager in (ConsentManager, AsyncConsentManager):
        assert public(manager) == METHODS.keys() | SETTINGS_OF_A_MANAGER
    for face in (SelfService, AsyncSelfService):
        assert public(face) == OWN.keys() | (SETTINGS - {"backends", "public_keys"})
    for person in (Person, AsyncPerson):
        assert public(person) == OF_A_PERSON


class Waited:
    """
    An awaited face, each of whose methods is waited for.
    """

    def __init__(self, face: Any, runner: asyncio.Runner) -> None:
        self._face, self._runner = face, runner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._face, name)
        if name == "self_service":
            return Waited(method, self._runner)
        return lambda *args, **facts: self._done(method(*args, **facts))

    def _done(self, result: Any) -> Any:
        if isinstance(result, AsyncIterator):
            return self._runner.run(_all(result))
        return self._runner.run(result) if inspect.iscoroutine(result) else result


async def _all(found: AsyncIterator[object]) -> list[object]:
    return [each async for each in found]


def awaited_over(w: World) -> AsyncConsentManager:
    """
    Return the awaited twin of a world's manager, over the same store and backends.
    """
    m = w.manager
    return AsyncConsentManager(
        organisation=m.organisation,
        purposes=m.purposes.values(),
        storage=w.storage,
        backends=[w.emails, w.texts],
        keys=KEYS,
        base_url=m.pages.base_url,
        clock=w.clock,
        way_back=True,
    )


@attrs.frozen
class Neighbours:
    """
    An organisation that has lived, another in the same store, and the other's double in a store of its own.
    """

    acme: World
    names: Names
    other: World
    alone: World


@pytest.fixture
def neighbours(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Neighbours]:
    """
    Yield them in stores of one kind.
    """
    kind = getattr(request, "param", "memory")
    (tmp_path / "alone").mkdir()
    with contextmanager(made)(kind, tmp_path) as shared, contextmanager(made)(kind, tmp_path / "alone") as alone:
        acme = world(shared, way_back=True)
        names = lived(acme)
        both = [world(store, organisation=OTHER, clock=acme.clock, way_back=True) for store in (shared, alone)]
        yield Neighbours(acme, names, *both)


on_every_store = pytest.mark.parametrize("neighbours", [*STORES, POSTGRESQL, MYSQL], indirect=True)


@on_every_store
@pytest.mark.parametrize("awaited", [False, True], ids=["blocking", "awaited"])
def test_no_call_reaches_a_neighbour(neighbours: Neighbours, awaited: bool) -> None:
    """
    Of either form of the organisation's face and the person's.
    """
    n, before = neighbours.names, state(neighbours.acme, neighbours.names)
    with asyncio.Runner() as runner:
        worlds = (neighbours.other, neighbours.alone)
        faces = [Waited(awaited_over(w), runner) if awaited else w.manager for w in worlds]
        for name, code in product(OWN, n.codes.values()):
            found, expected = (outcome(partial(OWN[name], face.self_service, n, code)) for face in faces)
            assert expected == found, name
        for name, call in [(name, call) for name, calls in METHODS.items() for call in calls]:
            found, expected = (outcome(partial(call, face, n, w)) for face, w in zip(faces, worlds, strict=True))
            assert expected == found, name
    assert before == state(neighbours.acme, n)
    for w in worlds:
        assert [EMAIL, GRACE, "nobody@example.net"] == sorted(message.to for message in w.emails.attempts)
        assert not any(secret in message.text for message in w.emails.attempts for secret in SECRETS)


# ---- the pages and the JSON API

# What each operation of the API is sent.
BODIES: Final[Mapping[type[bodies.Sent], Mapping[str, object] | None]] = {
    bodies.Nothing: None,
    bodies.Answers: {"answers": [{"channel": "email", "purpose": "offers", "answer": False}]},
    bodies.Undoing: {"stop": 1},
    bodies.Digits: {"digits": "123456"},
    bodies.Complaining: {"text": TEXT},
    bodies.Changes: {"name": "Eve"},
    bodies.Proposal: {"value": "eve@example.com"},
    bodies.Wanted: {"address": EMAIL},
}
FORM: Final = (
    b"email-offers=no-x&stop=1&digits=123456&text=Too+many+letters&value=eve%40example.com&address=ada%40example.com"
)


def every_request(n: Names, manager: ConsentManager) -> Iterator[Request]:
    """
    Yield every page by every method, and every operation of the API, with everything that opens something there.
    """
    cookie = cookie_name(manager.pages)
    secrets = [*n.codes.values(), n.token, n.reference, n.complaint, n.ada.id, n.sent]
    form = ("content-type", "application/x-www-form-urlencoded")
    sent: list[tuple[str, str, tuple[tuple[str, str], ...], bytes]] = []

    def asks(
        methods: Iterable[str], *parts: str, headers: tuple[tuple[str, str], ...] = (form,), body: bytes = FORM
    ) -> None:
        sent.extend((method, "/".join(("", *parts)), headers, body) for method in methods)

    # The route tables themselves: a page that is new is in them.
    for code in secrets:
        in_session = (form, ("cookie", f"{cookie}={code}"))
        for parts, views in pages._BY_A_LINK.items():
            asks(views, "l", code, *parts)
        for parts, views in pages._IN_A_SESSION.items():
            asks(views, "me", *parts, headers=in_session)
        for name in DETAILS:
            asks(("GET", "POST"), "me", name, headers=in_session)
        for name in PROVED:
            asks(("GET", "POST"), "me", name, "code", headers=in_session)
        for kind, views in pages._BY_NAME.items():
            asks(views, kind, code)
        for path, operations in OPERATIONS.items():
            for method, operation in operations.items():
                taken = BODIES[operation.takes]
                bearer = (("content-type", "application/json"), ("authorization", f"Bearer {code}"))
                body = b"" if taken is None else json.dumps(taken).encode()
                asks([method], "api", path.removeprefix("/"), headers=bearer, body=body)
    for name, views in pages._FOR_EVERYONE.items():
        asks(views, name)
    for number, (method, path, headers, body) in enumerate(sent):
        # Each from a client of its own, so that none is refused for how often it asks.
        yield Request(
            method=method,
            path=path,
            headers=headers,
            body=b"" if method == "GET" else body,
            remote_addr=f"10.{number % 200}.{number // 200}.1",
        )


@pytest.mark.slow
@on_every_store
def test_no_request_reaches_a_neighbour(neighbours: Neighbours) -> None:
    """
    Each is answered as if the other organisation had never been.
    """
    n, before = neighbours.names, state(neighbours.acme, neighbours.names)
    shared, alone = (w.manager.portal(api=True) for w in (neighbours.other, neighbours.alone))
    refused = 0
    for request in every_request(n, neighbours.other.manager):
        found, expected = shared.handle(request), alone.handle(request)
        said = found.body.decode(errors="replace")
        assert (expected.status, same_for_all(expected.body.decode(errors="replace"))) == (
            found.status,
            same_for_all(said),
        ), request.method + request.path
        assert not any(secret in said for secret in SECRETS)
        refused += found.status in (401, 404, 410)
    assert refused
    assert before == state(neighbours.acme, n)
    # At home the same codes open what they should.
    home = neighbours.acme.manager.portal(api=True)
    assert 200 == home.handle(Request(method="GET", path=f"/l/{n.codes['link']}", remote_addr="10.0.0.1")).status


# ---- the commands

A_REPLY: Final = "From: nobody@example.net\nTo: a@b.example\nSubject: Re: hello\nIn-Reply-To: <{}@x>\n\nSTOP\n"
Invocation = tuple[Sequence[str], str]

COMMANDS: Final[Mapping[str, Callable[[Names], Sequence[Invocation]]]] = {
    "ask": lambda n: [
        (["-", "--campaign", "x", "--via", "email", "--channel", "email", "--purpose", "offers"], f"{who}\n")
        for who in (n.ada.id, EMAIL, GRACE)
    ],
    "check": lambda n: [
        ([who, "--channel", "email", "--purpose", "offers", *form], "")
        for who in (n.ada.id, n.erased.id, EMAIL, JOE, FIRM)
        for form in ((), ("--json",))
    ],
    "complaint": lambda n: [
        ([reference, *options], "Sorry")
        for reference in (n.reference, n.complaint)
        for options in ((), ("--json",), ("--letter",), ("--acknowledged", "letter"), ("--outcome", "-", "--send"))
    ],
    "complaints": lambda n: [(["--which", "all", *form], "") for form in ((), ("--json",))],
    "deliver": lambda n: [([], "")],
    "evidence": lambda n: [([who, *form], "") for who in (n.ada.id, EMAIL, PHONE) for form in ((), ("--html",))],
    "export-log": lambda n: [],
    "outbox": lambda n: [([], ""), *((["--list", state], "") for state in ("queued", "accepted", "in-doubt"))],
    "receive-mail": lambda n: [([], A_REPLY.format(n.sent))],
    "reconcile": lambda n: [
        ([], ""),
        (["--resend"], ""),
        (["--sent", n.ada.id, n.doubt], ""),
        (["--not-sent", n.ada.id, n.queued], ""),
    ],
    "record-complaint": lambda n: [(["-", "--how", "letter", "--contact", n.ada.id], TEXT)],
    "screen": lambda n: [(["-", "--channel", "email", "--purpose", "offers"], f"{EMAIL}\n{JOE}\n")],
    "seal": lambda n: [],
    "stats": lambda n: [],
    "verify": lambda n: [([], ""), (["--json"], "")],
    "worker": lambda n: [(["--once"], "")],
    "import-objections": lambda n: [(["-", "--how", "list", "--quiet"], f"{EMAIL}\n{JOE}\n")],
}


def test_no_command_reaches_a_neighbour(neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Each that has a manager prints what it would if the other organisation had never been.
    """
    assert COMMANDS.keys() == set(WITH_MANAGER)
    n, before = neighbours.names, state(neighbours.acme, neighbours.names)
    module = ModuleType("neighbours_host")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("OPTLY_APP", f"{module.__name__}:manager")

    def printed(w: World, command: str, arguments: Sequence[str], given: str) -> str:
        module.manager = w.manager  # type: ignore[attr-defined]
        result = CliRunner().invoke(optly, [command, *arguments], input=given)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert not any(secret in result.output for secret in SECRETS)
        return same_for_all(f"{result.exit_code} {result.output}")

    for command, invocations in COMMANDS.items():
        for arguments, given in invocations(n):
            expected = printed(neighbours.alone, command, arguments, given)
            assert expected == printed(neighbours.other, command, arguments, given), (command, arguments)
    assert before == state(neighbours.acme, n)


# ---- what is read of one's own

# What these show or verify is every value. All others would take the longer, the more messages there were: the reply of
# the provider to each is a value.
OF_ALL: Final = {"evidence", "history", "verify"}
# What reads the addresses alone: the gate, and what is sent, answered or stopped.
AT_THE_GATE: Final = {
    *("check", "screen", "verdicts", "send", "request_consent", "request_consents", "record_communication")
}
ADDRESSES: Final = {*AT_THE_GATE, "deliver", "deliver_batch", "answer", "choose", "confirm", "standing", "withdraw"}
# What shows a text reads that as well.
COMPLAINTS: Final = {"complaint", "complaint_letter", "record_complaint", "resolve_complaint"}
TEXTS: Final[Mapping[str, set[str]]] = {
    **{name: {"text", "how", "outcome"} for name in COMPLAINTS},
    "outbox_messages": {"reply"},
}


# The answers of a person, which no other face of theirs has.
PERSON: Final[Mapping[str, Callable[[Any], object]]] = {
    "open": lambda person: person.open(),
    "answer": lambda person: person.answer({("email", "news"): True}),
    "choose": lambda person: person.choose({EMAIL_OFFERS: True}),
    "confirm": lambda person: person.confirm(),
    "stop": lambda person: person.stop(),
    "undo": lambda person: person.undo(),
}


class Watched(MemoryStorage):
    """
    A store that knows which slots were read; None stands for all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str | None] = []

    def openings(
        self, subjects: Sequence[bytes], slots: Sequence[str] | None = None
    ) -> Mapping[bytes, Mapping[str, Opening]]:
        self.read += [None] if slots is None else slots
        return super().openings(subjects, slots)


def test_an_operation_reads_the_values_it_needs() -> None:
    """
    Of the organisation's face and the person's, each on people who have lived.
    """
    first = world(MemoryStorage(), way_back=True)
    n = lived(first)

    def anew() -> tuple[World, Watched]:
        store = Watched()
        store._state = copy.deepcopy(first.storage._state)  # type: ignore[attr-defined]
        return world(store, clock=copy.deepcopy(first.clock), way_back=True), store

    calls: list[tuple[str, Callable[[World], object]]] = [
        *((name, lambda w, call=call: call(w.manager, n, w)) for name, calls in METHODS.items() for call in calls),
        *(
            (name, lambda w, name=name, code=code: OWN[name](w.manager.self_service, n, code))
            for name, code in product(OWN, n.codes.values())
        ),
        *(
            (name, lambda w, call=call, code=code: call(w.manager.self_service.enter(code)))
            for (name, call), code in product(PERSON.items(), n.codes.values())
        ),
    ]
    assert {name for name, _ in calls} == METHODS.keys() | OWN.keys() | OF_A_PERSON
    reading_all = set()
    for name, call in calls:
        w, store = anew()
        outcome(partial(call, w))
        if None in store.read:
            reading_all.add(name)
        kinds = {slot.partition("_")[0] for slot in store.read if slot is not None}
        assert kinds <= {"line", *(() if name in ADDRESSES else {"name", *TEXTS.get(name, ())})}, name
    assert reading_all == OF_ALL
