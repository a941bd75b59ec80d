"""
What the examples share: the organisation, its purposes and two pages. Nothing here depends on a framework.
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

from optly import Channel, ConsentManager, Content, Keys, Organisation, Purpose, Solicited, Subscriber
from optly.backends import ConsoleBackend, SMTPBackend
from optly.contacts.addresses import EmailAddress, PhoneNumber
from optly.errors import AddressError, LineTakenError, NotPermittedError, Refusal
from optly.storage import SQLStorage
from optly.worker import work

PORT = int(os.environ.get("PORT", "8000"))


def open_manager() -> ConsentManager:
    """
    Make a manager with the settings in the environment.
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
        keys=Keys(current=os.environ.get("OPTLY_EXAMPLE_KEY", "an example key, which is not secret")),
        base_url=os.environ.get("OPTLY_EXAMPLE_BASE_URL", "http://127.0.0.1:8000/my"),
    )


@contextmanager
def working(manager: ConsentManager) -> Iterator[None]:
    """
    Send messages in a thread. Outside an example, run a separate process: ``optly worker``.
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
    Let Ctrl-C and SIGTERM end the block, so that the code after it can clean up.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        yield


# ---- the pages


Page = tuple[HTTPStatus, str]


def home(form: Mapping[str, str] | None = None, problems: Mapping[str, str] | None = None) -> str:
    """
    Return the sign-up form, with what was wrong the last time.
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
        + f'<form method="post" action="/" novalidate>{fields}<button>Sign up</button></form>'
        + "<p>We will email you to ask what you would like to hear about, and send nothing else until you answer.</p>",
    )


def sign_up(manager: ConsentManager, form: Mapping[str, str]) -> Page:
    """
    Add a contact and ask them by email. The form they have just filled in is the basis for asking.
    """
    problems = {}
    if not form.get("name", "").strip():
        problems["name"] = "Enter your name"
    if not is_valid(EmailAddress.parse, form.get("email", "")):
        problems["email"] = "Enter an email address, such as name@example.com"
    phone = form.get("phone", "").strip()
    if phone and not is_valid(PhoneNumber.parse, phone):
        problems["phone"] = "Enter a mobile number, such as 07911 123456, or leave it empty"
    if problems:
        return HTTPStatus.UNPROCESSABLE_ENTITY, home(form, problems)
    # The page is the same for everyone, so that nobody learns from it who is a contact or what they chose.
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
    return HTTPStatus.OK, page("Check your email", "<p>Follow the link to choose what you want to hear about.</p>")


def offer() -> str:
    """
    Return the form for sending an offer.
    """
    return page(
        "Send an offer",
        '<form method="post" action="/offer" novalidate><p><label for="email">Email address</label>'
        '<input id="email" name="email" type="email"></p><button>Send</button></form>',
    )


def send_offer(manager: ConsentManager, form: Mapping[str, str]) -> Page:
    """
    Send an offer, if it is allowed.
    """
    email = form.get("email", "")
    if not is_valid(EmailAddress.parse, email):
        return HTTPStatus.UNPROCESSABLE_ENTITY, page("Enter an email address, such as name@example.com", "")
    contact = manager.find(email)
    if contact is None:
        return not_sent(manager.check(email, Channel.EMAIL, "offers"))
    content = Content(subject="20% off every kettle", text="This week every kettle is 20% off.")
    try:
        manager.send(contact, Channel.EMAIL, "offers", content)
    except NotPermittedError as error:
        return not_sent(error.decision)
    return HTTPStatus.OK, page("Sent", "<p>The offer is on its way.</p>")


def not_sent(decision: Refusal) -> Page:
    """
    Say why nothing was sent.
    """
    return HTTPStatus.OK, page(f"Not sent: {decision.reason}", f"<p>{escape(decision.explanation)}</p>")


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


def is_valid(parse: Callable[[str], object], text: str) -> bool:
    """
    Return whether *parse* accepts *text*.
    """
    try:
        parse(text)
    except AddressError:
        return False
    return True


# ---- for hosts without a framework


def respond(manager: ConsentManager, method: str, path: str, body: bytes) -> Page:
    """
    Return the requested page.
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
            return HTTPStatus.NOT_FOUND, page("Page not found", "")
