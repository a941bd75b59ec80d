"""
What the examples have in common: who asks, what for, and two pages of their own. No framework is known here.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from html import escape
from http import HTTPStatus
from threading import Event, Thread
from urllib.parse import parse_qsl

from optly import Channel, ConsentManager, Content, Decision, Keys, Organisation, Purpose, Solicited, Subscriber
from optly.backends import ConsoleBackend, SMTPBackend
from optly.contacts.addresses import EmailAddress, PhoneNumber
from optly.errors import AddressError, LineTakenError, NotPermittedError
from optly.storage import SQLStorage
from optly.worker import work

PORT = int(os.environ.get("PORT", "8000"))


def open_manager() -> ConsentManager:
    """
    Make the manager that the environment describes.
    """
    smtp = os.environ.get("OPTLY_EXAMPLE_SMTP")
    return ConsentManager(
        organisation=Organisation(
            key="acme",
            name="Acme Ltd",
            address="1 High Street, Leeds LS1 1AA",
            freephone="0800 496 0000",
            email="privacy@acme.example.com",
        ),
        purposes=[
            Purpose(key="offers", title="Offers and discounts on our products"),
            Purpose(key="news", title="News about what we do"),
        ],
        storage=SQLStorage(os.environ.get("OPTLY_EXAMPLE_DATABASE", "sqlite:///optly-example.db")),
        backends=[SMTPBackend(smtp, sender="Acme <hello@acme.example.com>") if smtp else ConsoleBackend()],
        keys=Keys(current=os.environ.get("OPTLY_EXAMPLE_KEY", "an example's key, which is no secret")),
        base_url=os.environ.get("OPTLY_EXAMPLE_BASE_URL", "http://127.0.0.1:8000/my"),
    )


@contextmanager
def working(manager: ConsentManager) -> Iterator[None]:
    """
    Hand over messages in a thread. Elsewhere than in an example, this is a process of its own: ``optly worker``.
    """
    stop = Event()
    idle = timedelta(seconds=0.5)
    thread = Thread(target=work, args=(manager,), kwargs={"stop": stop, "idle": idle}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def until_stopped() -> Iterator[None]:
    """
    Let Ctrl-C and SIGTERM end what runs inside, and then go on with what is to be tidied up.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        yield


# ---- the pages


Page = tuple[HTTPStatus, str]


def home(form: Mapping[str, str] | None = None, problems: Mapping[str, str] | None = None) -> str:
    """
    Return the sign-up form, with what was wrong with it before.
    """
    form, problems = form or {}, problems or {}
    wrong = "".join(f'<li><a href="#{name}">{problem}</a></li>' for name, problem in problems.items())
    fields = "".join(
        f'<p><label for="{name}">{label}</label><input id="{name}" name="{name}" type="{kind}" '
        f'autocomplete="{name}" value="{escape(form.get(name, ""))}"></p>'
        for name, label, kind in [
            ("name", "Your name", "text"),
            ("email", "Email address", "email"),
            ("phone", "Mobile number, if we may ask about texts", "tel"),
        ]
    )
    return page(
        "Hear from Acme",
        (f'<ul role="alert">{wrong}</ul>' if wrong else "")
        + f'<form method="post" action="/" novalidate>{fields}<button>Ask me</button></form>'
        + "<p>We write and ask what you would like to hear about. Nothing else is sent before you answer.</p>",
    )


def sign_up(manager: ConsentManager, form: Mapping[str, str]) -> Page:
    """
    Put somebody on record and ask them by email, because they have just said that they wish to be asked.
    """
    problems = {}
    if not form.get("name", "").strip():
        problems["name"] = "Enter your name"
    if not reads(EmailAddress.parse, form.get("email", "")):
        problems["email"] = "Enter an email address, such as name@example.com"
    phone = form.get("phone", "").strip()
    if phone and not reads(PhoneNumber.parse, phone):
        problems["phone"] = "Enter a mobile number, such as 07911 123456, or leave it empty"
    if problems:
        return HTTPStatus.UNPROCESSABLE_ENTITY, home(form, problems)
    # Who is on record already, and what they said, is nobody else's business: the page is the same for everybody.
    with suppress(LineTakenError, NotPermittedError):
        contact = manager.add_contact(
            name=form["name"].strip(), email=form["email"], phone=phone or None, subscriber=Subscriber.INDIVIDUAL
        )
        manager.request_consent(
            contact,
            via=Channel.EMAIL,
            channels=[Channel.EMAIL, Channel.SMS] if phone else [Channel.EMAIL],
            purposes=["offers", "news"],
            basis=Solicited(how="sign-up form", at=datetime.now(UTC)),
        )
    return HTTPStatus.OK, page("Check your messages", "<p>We have written to you. The link in our email asks you.</p>")


def offer() -> str:
    """
    Return the form of whoever sends offers.
    """
    return page(
        "Send an offer",
        '<form method="post" action="/offer" novalidate><p><label for="email">Email address</label>'
        '<input id="email" name="email" type="email"></p><button>Send</button></form>',
    )


def send_offer(manager: ConsentManager, form: Mapping[str, str]) -> Page:
    """
    Send somebody an offer, if they may be sent one.
    """
    email = form.get("email", "")
    if not reads(EmailAddress.parse, email):
        return HTTPStatus.UNPROCESSABLE_ENTITY, page("Enter an email address, such as name@example.com", "")
    contact = manager.find(email)
    if contact is None:
        return held_back(manager.check(email, Channel.EMAIL, "offers"))
    content = Content(subject="20% off every kettle", text="This week every kettle is 20% off.")
    try:
        manager.send(contact, Channel.EMAIL, "offers", content)
    except NotPermittedError as error:
        return held_back(error.decision)
    return HTTPStatus.OK, page("sent", "<p>It will be in their inbox in a moment.</p>")


def held_back(decision: Decision) -> Page:
    """
    Say why nothing was sent.
    """
    return HTTPStatus.OK, page(f"held back: {decision.reason}", f"<p>{escape(decision.explanation)}</p>")


def page(title: str, body: str) -> str:
    """
    Return a page in HTML.
    """
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} – Acme Ltd</title>'
        '<meta name="viewport" content="width=device-width"><style>body { font: 1.2rem system-ui; max-width: 36rem; '
        "margin: 2rem auto; padding: 0 1rem } label { display: block } input, button { font: inherit }</style></head>"
        f"<body><main><h1>{title}</h1>{body}</main></body></html>"
    )


def reads(parse: Callable[[str], object], text: str) -> bool:
    """
    Tell whether *parse* can make an address of *text*.
    """
    try:
        parse(text)
    except AddressError:
        return False
    return True


# ---- for the hosts without a framework


def respond(manager: ConsentManager, method: str, path: str, body: bytes) -> Page:
    """
    Find the page that is asked for.
    """
    form = dict(parse_qsl(body.decode("utf-8", "replace")))
    match method, path:
        case "GET", "/":
            return HTTPStatus.OK, home()
        case "POST", "/":
            return sign_up(manager, form)
        case "GET", "/offer":
            return HTTPStatus.OK, offer()
        case "POST", "/offer":
            return send_offer(manager, form)
        case _:
            return HTTPStatus.NOT_FOUND, page("There is no such page", "")
