"""
What the examples share: the organisation, its purposes and two pages. Nothing here depends on a framework.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from html import escape
from http import HTTPStatus
from pathlib import Path
from threading import Event, Thread
from urllib.parse import parse_qsl

from optly import Channel, ConsentManager, Content, Keys, Organisation, Purpose, backends
from optly.backends import ConsoleBackend, SMTPBackend
from optly.contacts.addresses import EmailAddress, PhoneNumber
from optly.errors import AddressError, NotPermittedError, Refusal
from optly.storage import SQLStorage
from optly.worker import work

PORT = int(os.environ.get("PORT", "8000"))


def open_manager() -> ConsentManager:
    """
    Make a manager with the settings in the environment.
    """
    smtp, texts = os.environ.get("OPTLY_EXAMPLE_SMTP"), os.environ.get("OPTLY_EXAMPLE_TEXTS")
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
        backends=[
            SMTPBackend(smtp, sender="Acme <hello@acme.example.com>") if smtp else ConsoleBackend(),
            # Texts go onto the console, or into a file.
            backends.ConsoleBackend(Channel.SMS, stream=Path(texts).open("a", buffering=1) if texts else None),
        ],
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

# The tick boxes of the sign-up form: what each is about, and its label.
BOXES = {
    "email_offers": ((Channel.EMAIL, "offers"), "Acme may email me offers and discounts"),
    "email_news": ((Channel.EMAIL, "news"), "Acme may email me news"),
    "sms_offers": ((Channel.SMS, "offers"), "Acme may text me offers and discounts"),
}


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
            ("phone", "Mobile number, for texts", "tel"),
        ]
    )
    boxes = "".join(
        f'<p><input id="{name}" name="{name}" type="checkbox"{" checked" if name in form else ""}>'
        f'<label for="{name}">{label}</label></p>'
        for name, (_, label) in BOXES.items()
    )
    return page(
        "Hear from Acme",
        (f'<ul role="alert">{wrong}</ul>' if wrong else "")
        + f'<form method="post" action="/" novalidate>{fields}{boxes}<button>Sign up</button></form>'
        + "<p>We will write once to check that the address is yours, and send nothing else until you answer.</p>",
    )


def sign_up(manager: ConsentManager, form: Mapping[str, str]) -> Page:
    """
    Have a question sent to what was typed. Nothing counts before it is answered.
    """
    email, phone = form.get("email", "").strip(), form.get("phone", "").strip()
    ticked = [box for name, (box, _) in BOXES.items() if name in form]
    if not ticked:  # the question itself then asks about everything by email
        ticked = [box for box, _ in BOXES.values() if box[0] is Channel.EMAIL]
    problems = {}
    if (email or any(channel is Channel.EMAIL for channel, _ in ticked)) and not is_valid(EmailAddress.parse, email):
        problems["email"] = "Enter an email address, such as name@example.com"
    if (phone or any(channel is Channel.SMS for channel, _ in ticked)) and not is_valid(PhoneNumber.parse, phone):
        problems["phone"] = "Enter a mobile number, such as 07911 123456"
    if problems:
        return HTTPStatus.UNPROCESSABLE_ENTITY, home(form, problems)
    manager.sign_up(
        name=form.get("name", ""), email=email or None, phone=phone or None, ticked=ticked, how="sign-up form"
    )
    # The page is the same for everyone, so that nobody learns from it who is a contact or what they chose.
    return HTTPStatus.OK, page("Check your messages", "<p>Follow the link we have sent to confirm that it was you.</p>")


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
