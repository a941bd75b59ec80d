"""
The email backend that lets marketing out only where the gate does.
"""

from __future__ import annotations

import email
import email.policy
import logging
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage as ParsedMessage
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import pytest
from backends.mail_servers import Inbox, mail_server
from contrib import django_site
from contrib.django_site import SMTP, Shop, connection, mailers
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends import locmem
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples
from world import EMAIL

from optly import Channel, Contact, Subscriber
from optly.contacts.addresses import EmailAddress
from optly.contrib.django import get_manager
from optly.contrib.django.mail import MailWithheldError, MarketingEmail, UnmarkedMailError
from optly.contrib.django.signals import mail_withheld
from optly.errors import StorageUnavailableError, UnknownPurposeError, UsageError
from optly.record.events import CommunicationMade
from optly.rules import Reason
from optly.storage import MemoryStorage

BOB = "bob@example.com"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def shop() -> Iterator[Shop]:
    with django_site.opened() as shop:
        yield shop


@contextmanager
def told() -> Iterator[list[dict[str, Any]]]:
    """
    Keep what the signal tells.
    """
    heard: list[dict[str, Any]] = []

    def hear(**facts: Any) -> None:
        heard.append(facts)

    mail_withheld.connect(hear)
    try:
        yield heard
    finally:
        mail_withheld.disconnect(hear)


def offer(*to: str, **details: Any) -> MarketingEmail:
    return MarketingEmail(
        **{"purpose": "offers", "subject": "Kettles", "body": "20% off.", "to": list(to) or [EMAIL], **details}
    )


def recipients(messages: Sequence[Any]) -> list[list[str]]:
    return [message.recipients() for message in messages]


def stop_of(message: Any) -> str:
    """
    Return the address that a mail program sends a stop to.
    """
    return str(message.extra_headers["List-Unsubscribe"]).strip("<>")


def test_what_is_allowed_is_sent_with_what_the_law_asks_for(shop: Shop) -> None:
    """
    The identity and the two links below the text, the headers, and the record of it.
    """
    ada = shop.agreed()
    assert offer().send() == 1
    (sent,) = shop.sent
    assert [EMAIL] == sent.recipients()
    assert sent.body.startswith("20% off.\n")
    assert "Acme Ltd\n1 High Street, Leeds LS1 1AA" in sent.body
    assert stop_of(sent) in sent.body
    assert "https://acme.example.com/my/l/" in sent.body
    assert "List-Unsubscribe=One-Click" == sent.extra_headers["List-Unsubscribe-Post"]
    assert "X-Optly-Purpose" not in sent.message()
    made = shop.manager.history(ada)[-1]
    assert isinstance(made, CommunicationMade)
    assert (Channel.EMAIL, "offers", 1) == (made.channel, made.purpose, made.line)


def test_what_is_refused_is_not_sent_and_said_to_be(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """
    By the error, the signal and the log, which does not tell the address.
    """
    ada = shop.add()
    before = shop.manager.history(ada)
    message = offer()
    with told() as heard, caplog.at_level(logging.INFO, "optly"), pytest.raises(MailWithheldError) as caught:
        message.send()
    assert [] == shop.sent
    assert before == shop.manager.history(ada)
    assert Reason.NO_CONSENT == caught.value.decision.reason
    assert ((caught.value.decision,), 0) == (caught.value.decisions, caught.value.sent)
    assert [(message, EMAIL, caught.value.decision)] == [
        (each["message"], each["recipient"], each["decision"]) for each in heard
    ]
    assert [(ada.id, "offers", "no_consent")] == [
        (record.contact, record.purpose, record.reason)  # type: ignore[attr-defined]
        for record in caplog.records
    ]
    assert EMAIL not in caplog.text + str(caught.value) + repr(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (caught.value.decisions, caught.value.sent) == (again.decisions, again.sent)


def test_a_mail_to_several_becomes_one_for_each_who_may_have_it(shop: Shop) -> None:
    """
    Whether they are named in to, cc or bcc, and nobody sees anybody else.
    """
    shop.agreed()
    shop.agreed(email=BOB, phone=None)
    shop.add(email="carol@example.com", phone=None)
    message = offer(
        f"Ada Lovelace <{EMAIL}>",
        cc=["carol@example.com"],
        bcc=[BOB, "nobody@example.com", EMAIL.upper()],
        headers={"To": "everybody@example.com", "Reply-To": "shop@example.com"},
    )
    with pytest.raises(MailWithheldError) as caught:
        message.send()
    assert [[f"Ada Lovelace <{EMAIL}>"], [BOB]] == recipients(shop.sent)
    assert [Reason.NO_CONSENT, Reason.NOT_ON_RECORD] == [each.reason for each in caught.value.decisions]
    assert 1 == caught.value.sent
    for sent in shop.sent:
        whole = sent.message().as_string()
        assert [sent.to[0]] == sent.message().get_all("To")
        assert not {"Cc", "Bcc"} & set(sent.message().keys())
        assert "everybody@" not in whole
        assert "shop@example.com" in whole
    assert stop_of(shop.sent[0]) != stop_of(shop.sent[1])


def test_an_address_in_quotes_is_written_to_as_it_is(shop: Shop) -> None:
    """
    Beside a name, too.
    """
    quoted = '"ada l"@example.com'
    shop.agreed(email=quoted, phone=None)
    offer(f"Ada <{quoted}>").send()
    [sent] = shop.sent
    assert [f"Ada <{quoted}>"] == sent.to
    [address] = email.message_from_bytes(sent.message().as_bytes(), policy=email.policy.default)["To"].addresses
    assert ("ada l", "example.com") == (address.username, address.domain)


def test_the_mail_of_the_site_stays_as_it_was(shop: Shop) -> None:
    """
    So that it can be sent again, and to others.
    """
    shop.agreed()
    headers = {"Reply-To": "shop@example.com"}
    message = offer(headers=headers)
    message.attach_alternative("<p>20% off.</p>", "text/html")
    before = (message.body, message.to, list(message.alternatives), dict(message.extra_headers))
    message.send()
    assert before == (message.body, message.to, list(message.alternatives), dict(message.extra_headers))
    assert {"Reply-To": "shop@example.com"} == headers


@pytest.mark.parametrize(
    ("html", "begins", "ends"),
    [
        ("<p>20% off.</p>", "<p>20% off.</p><div", "</div>"),
        ("<html><body><p>Hi</p></BODY ></html>\n", "<html><body><p>Hi</p><div", "</div></BODY ></html>\n"),
        ("<p>&lt;/body> </body><p></body>", "<p>&lt;/body> </body><p><div", "</div></body>"),
    ],
)
def test_the_links_are_in_the_html_as_well(shop: Shop, html: str, begins: str, ends: str) -> None:
    """
    At the end of what a reader sees of it.
    """
    shop.agreed()
    message = offer()
    message.attach_alternative(html, "text/html")
    message.attach_alternative("<html amp4email><body></body></html>", "text/x-amp-html")
    message.attach_alternative("BEGIN:VCALENDAR", "text/calendar")
    message.send()
    (sent,) = shop.sent
    shown, amp, calendar = sent.alternatives
    assert shown.content.startswith(begins)
    assert shown.content.endswith(ends)
    for form in (shown, amp):
        assert f'href="{stop_of(sent)}"' in form.content
        assert "1 High Street, Leeds LS1 1AA" in form.content
        assert 1 == form.content.count("/my/l/")
    assert ("BEGIN:VCALENDAR", "text/calendar") == tuple(calendar)
    parsed = email.message_from_bytes(sent.message().as_bytes(), _class=ParsedMessage, policy=email.policy.SMTP)
    assert "multipart/alternative" == parsed.get_content_type()


def test_a_mail_that_is_html_alone_is_left_so(shop: Shop) -> None:
    """
    As with ``content_subtype = "html"``.
    """
    shop.agreed()
    message = EmailMessage("Kettles", "<p>20% off.</p>", to=[EMAIL], headers={"x-optly-purpose": "offers"})
    message.content_subtype = "html"
    assert message.send() == 1
    (sent,) = shop.sent
    assert sent.body.startswith("<p>20% off.</p><div")
    assert f'href="{stop_of(sent)}"' in sent.body


def test_the_stop_that_was_sent_stops(shop: Shop) -> None:
    """
    By the one request of a mail program; the next mail is held back.
    """
    shop.agreed()
    offer().send()
    path = urlsplit(stop_of(shop.sent[0])).path
    assert shop.client.post(path, "List-Unsubscribe=One-Click", content_type=FORM).status_code == 200
    with pytest.raises(MailWithheldError) as caught:
        offer().send()
    assert Reason.OBJECTED == caught.value.decision.reason
    assert len(shop.sent) == 1


def test_the_link_and_the_stop_are_about_the_address_that_is_written_to(shop: Shop) -> None:
    """
    Of a business that has two, and stopped the mails to the first.
    """
    business = shop.add(subscriber=Subscriber.COMPANY)
    shop.manager.add_line(business, email=BOB)
    assert offer(EMAIL, BOB).send() == 1
    to_first, to_second = shop.sent
    assert ([EMAIL], [BOB]) == (to_first.recipients(), to_second.recipients())
    for sent, address in ((to_first, EMAIL), (to_second, BOB)):
        code = re.search(r"/my/l/(\w+)", sent.body)
        assert code is not None
        assert EmailAddress.parse(address).masked == shop.manager.open(code[1]).masked
    for sent, left in ((to_first, [BOB]), (to_second, [])):
        shop.sent.clear()
        shop.manager.stop_by_token(stop_of(sent).rpartition("/")[2])
        connection(silently=True).send_messages([offer(EMAIL, BOB)])
        assert left == [each for message in shop.sent for each in message.recipients()]


# ---- what mails say of themselves


def unmarked(to: str = BOB) -> EmailMessage:
    return EmailMessage("Your password", "Set it here.", to=[to])


def test_what_says_nothing_is_not_sent_by_default(shop: Shop) -> None:
    """
    Nor is anything else of the same call.
    """
    shop.agreed()
    with pytest.raises(UnmarkedMailError, match="OPTLY"):
        connection().send_messages([offer(), unmarked()])
    assert [] == shop.sent
    with told() as heard:
        assert connection(silently=True).send_messages([unmarked()]) == 0
    assert [(BOB, None)] == [(each["recipient"], each["decision"]) for each in heard]


def test_what_says_nothing_is_sent_as_it_is_where_the_site_decided_so() -> None:
    """
    To several as one mail, and the very same.
    """
    with django_site.opened(UNMARKED="service") as shop:
        message = EmailMessage("Hi", "Hello", to=[BOB, EMAIL])
        assert message.send() == 1
        (sent,) = shop.sent
        assert ([BOB, EMAIL], "Hello", {}) == (sent.to, sent.body, sent.extra_headers)
        shop.agreed()
        messages = [unmarked(), offer(), unmarked(), unmarked()]
        assert connection().send_messages(messages) == 4
        assert [[BOB], [EMAIL], [BOB], [BOB]] == recipients(shop.sent[1:])


def test_a_service_message_goes_out_without_its_mark(shop: Shop) -> None:
    """
    Which is nobody else's business.
    """
    message = EmailMessage("Your order", "It is on its way.", to=[BOB], headers={"X-Optly-Kind": "service", "X-A": "b"})
    assert message.send() == 1
    assert {"X-A": "b"} == shop.sent[0].extra_headers
    assert "It is on its way." == shop.sent[0].body
    assert {"X-Optly-Kind": "service", "X-A": "b"} == message.extra_headers


@pytest.mark.parametrize("admins", [[("Root", "root@example.com")], ["root@example.com"]])
def test_what_goes_to_the_site_itself_is_always_sent(shop: Shop, admins: Any) -> None:
    """
    The reports of errors above all. To anybody else beside, it is not.
    """
    with override_settings(ADMINS=admins, MANAGERS=[("Boss", "boss@example.com")]):
        assert unmarked("root@example.com").send() == 1
        assert EmailMessage("Hi", "Hello", to=["Root <ROOT@example.com>"], bcc=["boss@example.com"]).send() == 1
        with pytest.raises(UnmarkedMailError):
            EmailMessage("Hi", "Hello", to=["root@example.com", BOB]).send()
    assert len(shop.sent) == 2


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"X-Optly-Purpose": "offerings"}, UnknownPurposeError),
        ({"X-Optly-Purpose": ""}, UnknownPurposeError),
        ({"X-Optly-Kind": "marketing"}, UsageError),
        ({"X-Optly-Kind": "service", "x-optly-purpose": "offers"}, UsageError),
    ],
)
@pytest.mark.parametrize("silently", [False, True])
def test_a_mark_that_cannot_be_is_an_error(
    shop: Shop, headers: dict[str, str], error: type[Exception], silently: bool
) -> None:
    """
    Silently or not, because the site has to be put right; and nothing of the call is sent.
    """
    shop.agreed()
    wrong = EmailMessage("Hi", "Hello", to=[EMAIL], headers=headers)
    with pytest.raises(error):
        connection(silently=silently).send_messages([offer(), wrong])
    assert [] == shop.sent


@pytest.mark.parametrize(
    "text",
    [
        f"{EMAIL}\nBcc: {BOB}",
        f"{EMAIL}, {BOB}",
        f"Ada\r\n <{EMAIL}>",
        "nobody",
        "Ada <>",
        f"<{EMAIL}> <{BOB}>",
    ],
)
def test_what_is_no_one_address_gets_nothing(shop: Shop, text: str) -> None:
    """
    Though one that is in it might.
    """
    shop.agreed()
    with pytest.raises(MailWithheldError) as caught:
        offer(text).send()
    assert Reason.NOT_AN_ADDRESS == caught.value.decision.reason
    assert [] == shop.sent


@pytest.mark.parametrize("name", ["Lovelace, Ada", "Ada Łovelace", 'Ada "the" L.', "Ada"])
def test_names_are_kept(shop: Shop, name: str) -> None:
    """
    As they arrive at a mail program.
    """
    shop.agreed()
    offer(str(Address(name, addr_spec=EMAIL))).send()
    parsed = email.message_from_bytes(shop.sent[0].message().as_bytes(), policy=email.policy.default)
    assert [(name, EMAIL)] == [(each.display_name, each.addr_spec) for each in parsed["To"].addresses]


# ---- many


def test_a_list_is_looked_up_together() -> None:
    """
    A thousand addresses at a time, not one by one.
    """

    class Counting(MemoryStorage):
        finds = 0

        def find(self, idkeys: Any, stops: Any = ()) -> Any:
            self.finds += 1
            return super().find(idkeys, stops)

    storage = Counting()
    with django_site.opened(STORAGE=storage):
        get_manager()
        storage.finds = 0
        messages = [offer(f"a{number}@example.com") for number in range(2500)]
        assert connection(silently=True).send_messages(messages) == 0
        assert 3 == storage.finds


def test_everything_that_may_be_sent_is_sent_before_it_is_said_what_was_not(shop: Shop) -> None:
    """
    Of messages for two purposes, in the order they came in.
    """
    shop.agreed()
    shop.agreed("news", email=BOB, phone=None)
    messages = [offer(BOB), offer(EMAIL), offer(BOB, purpose="news"), offer(EMAIL, purpose="news")]
    with pytest.raises(MailWithheldError) as caught:
        connection().send_messages(messages)
    assert [[EMAIL], [BOB]] == recipients(shop.sent)
    assert 2 == caught.value.sent
    assert ["offers", "news"] == [decision.purpose for decision in caught.value.decisions]
    assert connection(silently=True).send_messages(messages) == 2


@pytest.mark.parametrize("change", ["erase", "stop", "move"])
def test_what_changed_since_it_was_looked_up_counts(shop: Shop, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """
    Each is gated again just before it is handed over.
    """
    shop.agreed()
    bob = shop.agreed(email=BOB, phone=None)
    changes: dict[str, Callable[[], object]] = {
        "erase": lambda: shop.manager.erase(bob),
        "stop": lambda: shop.manager.withdraw(bob),
        "move": lambda: shop.manager.change_details(bob, email="robert@example.com"),
    }
    take = locmem.EmailBackend.send_messages

    def take_and_change(self: Any, messages: Any) -> Any:
        changes[change]()
        return take(self, messages)

    monkeypatch.setattr(locmem.EmailBackend, "send_messages", take_and_change)
    with pytest.raises(MailWithheldError) as caught:
        connection().send_messages([offer(EMAIL), offer(BOB)])
    assert [[EMAIL]] == recipients(shop.sent)
    expected = {"erase": Reason.SUPPRESSED, "stop": Reason.WITHDRAWN, "move": Reason.NOT_ON_RECORD}
    assert expected[change] == caught.value.decision.reason


PEOPLE = [f"{name}@example.com" for name in ("ada", "bob", "carol", "dave", "eve")]


@settings(max_examples=examples(40))
@given(
    agreed=st.sets(st.sampled_from(PEOPLE)),
    stopped=st.sets(st.sampled_from(PEOPLE)),
    mails=st.lists(
        st.tuples(*[st.lists(st.sampled_from([*PEOPLE, "stranger@example.com"]), max_size=3)] * 3), max_size=4
    ),
)
def test_nobody_gets_what_the_gate_refuses_and_everybody_else_does(
    agreed: set[str], stopped: set[str], mails: list[tuple[list[str], ...]]
) -> None:
    """
    Whoever is named where, however often, and whatever became of the others.
    """
    with django_site.opened() as shop:
        for address in PEOPLE:
            contact: Contact = (shop.agreed if address in agreed else shop.add)(email=address, phone=None)
            if address in stopped:
                shop.manager.withdraw(contact)
        messages = [offer(to=to, cc=cc, bcc=bcc) for to, cc, bcc in mails]
        count = connection(silently=True).send_messages(messages)
        allowed = agreed - stopped
        expected = [[each for each in dict.fromkeys(chain(*mail)) if each in allowed] for mail in mails]
        assert [[each] for mail in expected for each in mail] == recipients(shop.sent)
        assert count == sum(map(bool, expected))


# ---- handing over


@pytest.mark.server
def test_over_a_real_connection() -> None:
    """
    One for all of them, and each mail arrives by itself.
    """
    inbox = Inbox()
    with mail_server(inbox) as url:
        host, _, port = url.partition(":")
        with (
            django_site.opened(EMAIL_INNER_BACKEND=SMTP) as shop,
            override_settings(**mailers(host=host, port=int(port))),
        ):
            shop.agreed()
            shop.agreed(email=BOB, phone=None)
            assert connection().send_messages([offer(EMAIL, BOB), offer(EMAIL)]) == 2
    assert [[EMAIL], [BOB], [EMAIL]] == [envelope.rcpt_tos for envelope in inbox.envelopes]
    assert 1 == inbox.connections
    parsed = [email.message_from_bytes(content, policy=email.policy.default) for content in inbox.contents]
    assert [True, True, True] == ["List-Unsubscribe-Post" in message for message in parsed]
    assert [None, None, None] == [message["X-Optly-Purpose"] for message in parsed]


@pytest.mark.server
def test_nothing_is_recorded_where_there_is_no_server_to_hand_over_to() -> None:
    """
    The connection is opened first.
    """
    with (
        django_site.opened(EMAIL_INNER_BACKEND=SMTP) as shop,
        override_settings(**mailers(host="127.0.0.1", port=9)),
    ):
        ada = shop.agreed()
        before = shop.manager.history(ada)
        with pytest.raises(OSError, match="refused"):
            offer().send()
        assert before == shop.manager.history(ada)


def test_service_messages_need_no_store() -> None:
    """
    A password is reset while the database is away; marketing waits until it can be asked.
    """
    with django_site.opened(STORAGE="postgresql+psycopg://nobody@127.0.0.1:9/none", UNMARKED="service") as shop:
        assert unmarked().send() == 1
        assert [[BOB]] == recipients(shop.sent)
        with pytest.raises(StorageUnavailableError):
            offer().send()
        assert len(mail.outbox) == 1


def test_a_store_that_goes_away_in_between_is_told_or_not_as_it_is_asked() -> None:
    """
    What cannot be asked is not sent.
    """

    class Away(MemoryStorage):
        away = False

        def find(self, idkeys: Any, stops: Any = ()) -> Any:
            if self.away:
                raise StorageUnavailableError("the store is away")
            return super().find(idkeys, stops)

    storage = Away()
    with django_site.opened(STORAGE=storage) as shop:
        shop.agreed()
        storage.away = True
        assert connection(silently=True).send_messages([offer()]) == 0
        with pytest.raises(StorageUnavailableError):
            offer().send()
        assert [] == shop.sent


def test_an_empty_call_does_nothing(shop: Shop) -> None:
    """
    Nor does a mail without recipients, which Django itself does not hand on.
    """
    assert connection().send_messages([]) == 0
    assert connection().send_messages([EmailMultiAlternatives("Hi", headers={"X-Optly-Purpose": "offers"})]) == 0
    assert [] == shop.sent
