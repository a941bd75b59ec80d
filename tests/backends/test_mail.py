"""
What comes back by mail is read for what it says, and whatever it is, it does no harm.
"""

from __future__ import annotations

import base64
import builtins
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples

from optly.backends import _verdict
from optly.backends.mail import read
from optly.backends.verp import ReturnPath
from optly.contacts.addresses import Channel
from optly.errors import NaiveDatetimeError
from optly.keys import Keys
from optly.messages import DeliveryEvent, DeliveryStatus, Fault, InboundMessage
from optly.messages.replies import Says, Stops, read_reply

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PATH = ReturnPath("bounces@acme.example.com", Keys(current="a key of some length"))
CONTACT, MESSAGE = "0123456789abcdef" * 2, "fedcba9876543210" * 2
OURS = PATH.address_for(CONTACT, MESSAGE)
FORGED = OURS.replace(OURS[20], "a" if OURS[20] != "a" else "b", 1)
STATUS = DeliveryStatus

ORIGINAL = f"""\
From: Acme <hello@acme.example.com>
To: ada@example.com
Subject: What would you like to hear about?
Message-ID: <{MESSAGE}@acme.example.com>

Reply STOP to stop.
"""


def lines(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def recipient(action: str = "failed", status: str = "5.1.1", *, to: str = "ada@example.com", more: str = "") -> str:
    return f"Final-Recipient: rfc822; {to}\nAction: {action}\nStatus: {status}\n{more}\n"


def report(*recipients: str, to: str = OURS, returned: str = ORIGINAL, headers: str = "") -> bytes:
    """
    A report in the form of RFC 3464.
    """
    return lines(f"""\
Return-Path: <>
Received: by mx.example.net (Postfix)
\tid 8F72320C792; Tue, 24 Nov 2026 10:00:00 +0000 (UTC)
From: Mail Delivery System <MAILER-DAEMON@mx.example.net>
To: {to}
Subject: Undelivered Mail
Message-ID: <20261124142934.8F72320C792@mx.example.net>
{headers}MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b

It could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Tue, 24 Nov 2026 09:59:00 +0000 (UTC)

{"".join(recipients)}
--b
Content-Type: message/rfc822

{returned}
--b--
""")


def only(raw: bytes, **settings: Any) -> DeliveryEvent:
    (event,) = read(raw, now=NOW, **{"return_path": PATH, **settings})
    assert isinstance(event, DeliveryEvent)
    return event


def statuses(raw: bytes) -> list[DeliveryStatus]:
    return [event.status for event in read(raw, now=NOW, return_path=PATH) if isinstance(event, DeliveryEvent)]


def said(raw: bytes | EmailMessage, **settings: Any) -> InboundMessage:
    raw = raw if isinstance(raw, bytes) else raw.as_bytes(policy=SMTPUTF8)
    (message,) = read(raw, now=NOW, **settings)
    assert isinstance(message, InboundMessage)
    return message


def reply(text: str = "yes", *, html: str = "", **headers: str) -> EmailMessage:
    """
    A mail from Ada.
    """
    mail = EmailMessage(policy=SMTP)
    defaults = {"From": "Ada <ada@example.com>", "To": "hello@acme.example.com", "Subject": "Re: What would you like?"}
    for name, value in (defaults | {name.replace("_", "-"): value for name, value in headers.items()}).items():
        mail[name] = value
    if text or not html:
        mail.set_content(text)
    if html and text:
        mail.add_alternative(html, subtype="html")
    elif html:
        mail.set_content(html, subtype="html")
    return mail


# ---- reports of a delivery


def test_a_report_says_it_all() -> None:
    """
    Which message, whose, what became of it, when and why.
    """
    event = only(report(recipient(more="Diagnostic-Code: smtp; 550 5.1.1 no such\n user\n")))
    assert event == DeliveryEvent(
        id=event.id,
        backend="mail",
        channel=Channel.EMAIL,
        status=STATUS.BOUNCED,
        contact=CONTACT,
        message=MESSAGE[:16],
        to="ada@example.com",
        at=datetime(2026, 11, 24, 10, tzinfo=UTC),
        code="550",
        status_code="5.1.1",
        detail="smtp; 550 5.1.1 no such user",
    )


def judged(code: str, words: str) -> tuple[DeliveryStatus, bool, Fault | None, bool]:
    """
    What a failure means in a report, and what the same words mean in a reply to RCPT.
    """
    event = only(report(recipient(status=code, more=f"Diagnostic-Code: smtp; 550 {words}\n")))
    verdict = _verdict.judge(_verdict.Reply(550, f"{code} {words}".strip()), _verdict.Step.RCPT, said=False)
    return event.status, event.permanent, verdict.fault, verdict.permanent


@pytest.mark.parametrize(
    ("code", "words"),
    [
        *((code, "") for code in ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10")),
        ("5.1.1", "<a@b.example>: Recipient address rejected: User unknown in virtual mailbox table"),
        ("5.1.1", "The email account that you tried to reach does not exist. https://x.example/?p=rate-limit"),
        ("5.2.1", "<ada@example.com>... User Unknown"),
        ("5.1.1", "no such user quota@blocked.example"),
    ],
)
def test_an_address_is_dead_later_for_what_it_is_dead_for_at_once(code: str, words: str) -> None:
    """
    The same codes count in a report as in a reply to RCPT, whatever names and links stand beside them.
    """
    assert (STATUS.BOUNCED, False, Fault.ADDRESS, False) == judged(code, words)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("5.1.1", "550 5.7.1 192.0.2.1 is refused"),
        ("5.1.1", "552 5.2.2 Over quota"),
        ("5.2.1", "The user you are trying to contact is receiving mail at a rate that prevents delivery"),
        ("5.1.1", "192.0.2.1 has sent to too many recipients this hour"),
        ("5.1.1", "Your IP is on a black list"),
        ("5.1.10", "refused by the policy of the domain"),
        ("5.1.1", "the message does not pass DMARC"),
        ("5.1.2", "poor reputation"),
        ("5.1.1", "mailbox full"),
        ("5.7.1", "not from you"),
    ],
)
def test_an_address_is_not_dead_for_what_is_said_beside_the_code(code: str, words: str) -> None:
    """
    A rate, a quota, a block, a policy: it may be over tomorrow, and repeating it shows nothing either.
    """
    status, permanent, fault, permanent_at_once = judged(code, words)
    assert (STATUS.FAILED, False, False) == (status, permanent, permanent_at_once)
    assert fault is not Fault.ADDRESS


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("5.0.0", "554 delivery error: dd This user doesn't have an example.com account"),
        ("5.4.1", "Recipient address rejected: Access denied"),
        ("5.5.0", "Requested action not taken: mailbox unavailable"),
        ("5.4.4", "Host not found"),
        ("5.2.1", "The email account that you tried to reach is disabled"),
        ("5.7.1", "Recipient address rejected: User unknown"),
    ],
)
def test_what_may_be_a_dead_address_counts_when_it_is_repeated(code: str, words: str) -> None:
    """
    It failed for good, and no other cause is named.
    """
    status, permanent, fault, permanent_at_once = judged(code, words)
    assert (STATUS.FAILED, True) == (status, permanent)
    assert (None, True) == (fault, permanent_at_once)


@pytest.mark.parametrize(
    "code", ["5.0.0", "5.1.0", "5.1.8", "5.2.0", "5.2.2", "5.3.4", "5.4.4", "5.7.1", "4.4.1", "", "x"]
)
def test_for_anything_else_it_is_not(code: str) -> None:
    """
    A matter of policy, a full mailbox or a server that was down for days says nothing lasting about an address.
    """
    assert STATUS.FAILED is only(report(recipient(status=code))).status


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("delayed", STATUS.DELAYED),
        ("delivered", STATUS.DELIVERED),
        ("expanded", STATUS.DELIVERED),
        ("relayed", STATUS.SENT),
        ("Failed (no such user)", STATUS.BOUNCED),
        ("error", STATUS.BOUNCED),
    ],
)
def test_an_action_has_a_meaning(action: str, status: DeliveryStatus) -> None:
    """
    Those of RFC 3464 2.3.3, in either case and with a remark, and what OpenSMTPD writes. Relayed is not delivered: it
    went on to where no reports come from.
    """
    assert status is only(report(recipient(action))).status


def test_an_action_that_is_none_says_nothing() -> None:
    """
    Then its status tells, and without one it is a mail by a machine.
    """
    assert STATUS.BOUNCED is only(report(recipient("pondered"))).status
    assert STATUS.DELAYED is only(report(recipient("pondered", "4.2.2"))).status
    raw = report(recipient("pondered", "none"), to="hello@acme.example.com")
    (event,) = read(raw, now=NOW, return_path=PATH)
    assert isinstance(event, InboundMessage)
    assert event.automatic


def test_what_the_other_server_said_counts_where_ours_says_nothing() -> None:
    """
    Exim writes Status: 5.0.0 whatever happened.
    """
    event = only(report(recipient(status="5.0.0", more="Diagnostic-Code: smtp; 550 5.1.1 no such user\n")))
    assert (STATUS.BOUNCED, "5.1.1") == (event.status, event.status_code)
    event = only(report(recipient(status="5.4.4", more="Diagnostic-Code: smtp; 550 5.1.1 no such user\n")))
    assert (STATUS.FAILED, "5.4.4") == (event.status, event.status_code)


def test_the_address_that_we_wrote_to_is_the_one_that_is_named() -> None:
    """
    Not the one it was forwarded to.
    """
    field = "Original-Recipient: rfc822;ada@example.com\n"
    assert "ada@example.com" == only(report(recipient(to="al@example.org", more=field))).to


def test_where_one_of_several_is_there_the_address_is_not_dead() -> None:
    """
    An address may stand for several people.
    """
    gone, there = recipient(to="al@example.org"), recipient("delivered", "2.0.0", to="bo@example.org")
    assert [STATUS.FAILED, STATUS.DELIVERED] == statuses(report(gone, there))
    assert [STATUS.BOUNCED, STATUS.BOUNCED] == statuses(report(gone, recipient(to="bo@example.org")))


def test_a_report_in_utf_8_is_read() -> None:
    """
    RFC 6533: other types, and addresses outside ASCII, written either way.
    """
    raw = report(recipient().replace("rfc822; ada@example.com", "utf-8; jürgen@bücher.example"))
    raw = raw.replace(b"message/delivery-status", b"message/global-delivery-status")
    raw = raw.replace(b"message/rfc822", b"message/global")
    assert (STATUS.BOUNCED, "jürgen@bücher.example") == (only(raw).status, only(raw).to)
    written = raw.replace("ü".encode(), rb"\x{FC}")
    assert "jürgen@bücher.example" == only(written).to


@pytest.mark.parametrize("name", ["To", "Delivered-To", "X-Original-To", "Envelope-To"])
def test_the_return_path_is_found_wherever_a_server_writes_it(name: str) -> None:
    """
    Or it is told, where the mail itself does not say.
    """
    raw = report(recipient(), to="undisclosed", headers=f"{name}: <{OURS.upper()}>\n", returned="")
    assert (CONTACT, MESSAGE[:16]) == (only(raw).contact, only(raw).message)
    raw = report(recipient(), to="undisclosed", returned="")
    assert CONTACT == only(raw, recipient=OURS).contact


def test_without_a_return_path_the_message_that_is_returned_tells() -> None:
    """
    By its id, which nobody can guess, with the address to find the contact by.
    """
    event = only(report(recipient(), to="hello@acme.example.com"), return_path=None)
    assert ("", MESSAGE, "ada@example.com") == (event.contact, event.message, event.to)


def test_the_headers_of_it_do_as_well() -> None:
    """
    Many servers return no more, RFC 3462 2.
    """
    raw = report(recipient(), to="hello@acme.example.com").replace(b"message/rfc822", b"text/rfc822-headers")
    assert MESSAGE == only(raw).message


def test_the_envelope_id_does_as_well() -> None:
    """
    It is the id of the message, given along with it.
    """
    raw = report(recipient(), to="hello@acme.example.com", returned="")
    raw = raw.replace(b"\r\nArrival-Date", b"\r\nOriginal-Envelope-Id: " + MESSAGE.encode() + b"\r\nArrival-Date")
    assert MESSAGE == only(raw).message


def test_a_return_path_inside_of_what_is_returned_is_found() -> None:
    """
    Where a report goes somewhere else than to the return path.
    """
    event = only(report(recipient(), to="hello@acme.example.com", returned=f"Return-Path: <{OURS}>\n{ORIGINAL}"))
    assert (CONTACT, MESSAGE[:16]) == (event.contact, event.message)


@pytest.mark.parametrize(
    "returned",
    ["", "Subject: hi\n\nhello\n", "Message-ID: <1234@example.com>\n\nhello\n", f"Subject: {MESSAGE}\n\nx\n"],
)
@pytest.mark.parametrize("to", [FORGED, OURS[:30] + OURS[40:], "bounces@acme.example.com"])
def test_a_report_about_no_message_of_ours_is_nothing(to: str, returned: str) -> None:
    """
    Anybody can write one, about anybody.
    """
    assert () == read(report(recipient(), to=to, returned=returned), now=NOW, return_path=PATH)


def test_a_report_inside_of_a_returned_mail_is_not_a_report() -> None:
    """
    It was about something else.
    """
    mail = reply("look what came back")
    inner = EmailMessage(policy=SMTP)
    inner.set_content("see inside")
    mail.add_attachment(inner)
    raw = mail.as_bytes().replace(b"see inside", report(recipient()))
    assert "look what came back" == said(raw, return_path=PATH).text


def test_a_repeat_has_the_name_it_had() -> None:
    """
    However often it is read, and by whatever way it came. Another report has another name.
    """
    failed, delayed = report(recipient()), report(recipient("delayed"))
    assert only(failed).id == only(b"X-More: x\r\n" + failed).id
    assert only(failed).id != only(delayed).id
    assert only(failed).id != only(failed.replace(b"8F72320C792@", b"8F72320C793@")).id
    bare = re.sub(rb"Message-ID: <2026.*\r\n", b"", failed)
    assert only(bare).id == only(bare).id != only(failed).id
    assert len(only(failed).id) <= 200


# ---- complaints


def complaint(kind: str = "abuse", *, more: str = "", returned: str = ORIGINAL) -> bytes:
    """
    A report in the form of RFC 5965.
    """
    return lines(f"""\
From: Feedback Loop <fbl@mailbox.example.net>
To: abuse@acme.example.com
Subject: FW: What would you like to hear about?
Message-ID: <fbl-1@mailbox.example.net>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b

This is a complaint.

--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
{more}
--b
Content-Type: message/rfc822

{returned}
--b--
""")


def test_a_complaint_is_one() -> None:
    """
    The message it is about is the one it returns.
    """
    event = only(complaint(more="Original-Rcpt-To: ada@example.com\n"))
    assert (STATUS.COMPLAINED, MESSAGE, "ada@example.com") == (event.status, event.message, event.to)
    assert "ada@example.com" == only(complaint()).to  # out of the headers of the message


def test_a_complaint_that_hides_who_complains_is_read_by_the_return_path() -> None:
    """
    Large providers take the address out.
    """
    hidden = ORIGINAL.replace("ada@example.com", "redacted@example.com")
    for raw in (
        complaint(more=f"Original-Mail-From: <{OURS}>\n", returned=hidden),
        complaint(returned=f"Return-Path: <{OURS}>\n{hidden}"),
    ):
        assert (STATUS.COMPLAINED, CONTACT, MESSAGE[:16]) == (
            only(raw).status,
            only(raw).contact,
            only(raw).message,
        )


def test_an_opt_out_through_the_provider_is_one() -> None:
    """
    As some providers report the use of their own unsubscribe button.
    """
    assert STATUS.OPTED_OUT is only(complaint("opt-out")).status


@pytest.mark.parametrize("kind", ["abuse (the junk button)", "Fraud", "virus", "other", "miscategorized"])
def test_whatever_somebody_reports_it_as_they_want_no_more(kind: str) -> None:
    """
    A remark may stand beside the kind, and there may be kinds that nobody knows yet.
    """
    assert STATUS.COMPLAINED is only(complaint(kind)).status


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_other_feedback_is_no_complaint(kind: str) -> None:
    """
    It is not about what the person wants.
    """
    assert said(complaint(kind), return_path=PATH).automatic


# ---- bounces in a form of somebody's own

QMAIL = f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.example.net
To: {OURS}
Subject: failure notice

Hi. This is the qmail-send program at mx.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ada@example.com>:
192.0.2.5 does not like recipient.
Remote host said: 550 WHY
Giving up on 192.0.2.5.

--- Below this line is a copy of the message.

{ORIGINAL}"""


@pytest.mark.parametrize(
    ("why", "status", "status_code"),
    [
        ("5.1.1 no such user here", STATUS.BOUNCED, "5.1.1"),
        ("5.7.1 not from you", STATUS.FAILED, "5.7.1"),
        ("no", STATUS.FAILED, ""),
        ("5.1.1 or perhaps 5.2.2", STATUS.FAILED, ""),
        ("our address is 5.1.1.1", STATUS.FAILED, ""),
    ],
)
def test_an_odd_bounce_is_read(why: str, status: DeliveryStatus, status_code: str) -> None:
    """
    An address is dead only where a status code in the words says so, and none says otherwise.
    """
    event = only(lines(QMAIL.replace("WHY", why)))
    assert (status, status_code, "550") == (event.status, event.status_code, event.code)
    assert (CONTACT, MESSAGE[:16], "ada@example.com") == (event.contact, event.message, event.to)


def test_an_odd_bounce_that_returns_the_message_names_it() -> None:
    """
    In the copy of it.
    """
    raw = lines(QMAIL.replace(OURS, "hello@acme.example.com"))
    assert ("", MESSAGE) == (only(raw).contact, only(raw).message)


def test_an_odd_bounce_about_no_message_of_ours_is_nothing() -> None:
    """
    As with any other report.
    """
    raw = lines(QMAIL.replace(OURS, FORGED).replace(MESSAGE, "1234"))
    assert () == read(raw, now=NOW, return_path=PATH)


def test_an_odd_warning_is_a_delay() -> None:
    """
    The form of Exim's.
    """
    raw = lines(f"""\
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.example.net>
To: {OURS}
Subject: Warning: message delayed 24 hours

This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered to one or more of its
recipients after more than 24 hours on the queue.

The address to which the message has not yet been delivered is:

  ada@example.com

No action is required on your part. Delivery attempts will continue.
""")
    assert STATUS.DELAYED is only(raw).status


def test_a_person_who_quotes_a_bounce_has_not_bounced() -> None:
    """
    Only what a machine wrote is searched for one.
    """
    text = QMAIL.partition("\n\n")[2].replace("WHY", "5.1.1 no such user")
    message = said(reply(text), return_path=PATH)
    assert not message.automatic


def test_without_the_extra_an_odd_bounce_is_known_by_the_return_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    And nothing fails. Anywhere else it is a mail by a machine.
    """
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> object:
        if name.startswith("flufl"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert STATUS.FAILED is only(lines(QMAIL)).status
    assert said(lines(QMAIL.replace(OURS, "hello@acme.example.com")), return_path=PATH).automatic


# ---- who wrote it


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Auto-Submitted", "auto-replied (vacation)"),
        ("Auto-Submitted", "auto-generated; x=y"),
        ("Return-Path", "<>"),
        ("X-Autoreply", "yes"),
        ("X-Autorespond", "x"),
        ("Precedence", "auto_reply"),
        ("From", "MAILER-DAEMON@example.com"),
        ("Subject", "Automatic reply: What would you like?"),
        ("Subject", "Out of Office: What would you like?"),
        ("Subject", "Abwesenheitsnotiz"),
        ("Subject", "Réponse automatique : What would you like?"),
    ],
)
def test_an_automatic_reply_is_told(name: str, value: str) -> None:
    """
    So that it answers nothing.
    """
    assert said(reply("yes", **{name: value})).automatic


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Auto-Submitted", "no"),
        ("Auto-Submitted", "No (I wrote it)"),
        ("Return-Path", "<ada@example.com>"),
        ("X-Auto-Response-Suppress", "All"),
        ("X-Auto-Response-Suppress", "None"),
        ("X-Autoreply", "no"),
        ("Precedence", "bulk"),
        ("Precedence", "Junk"),
        ("Precedence", "list"),
        ("Precedence", "first-class"),
        ("Subject", "Re: Automatic reply: hello"),
        ("Subject", "My automatic reply machine"),
        ("X-Mailer", "Autoreply"),
    ],
)
def test_a_person_is_not_taken_for_a_machine(name: str, value: str) -> None:
    """
    A stop of theirs would be lost.
    """
    assert not said(reply("stop", **{name: value})).automatic


def test_a_receipt_for_reading_is_automatic() -> None:
    """
    RFC 8098: a report as well, if not about the delivery.
    """
    raw = report(recipient()).replace(b"delivery-status", b"disposition-notification")
    assert said(raw, return_path=PATH).automatic


# ---- what they say


def test_a_reply_says_who_when_and_what() -> None:
    """
    When our own server took it, not when the sender says it was.
    """
    mail = reply(
        "Yes please\n", Received="from a by b; Tue, 24 Nov 2026 11:30:00 +0100", Date="Mon, 1 Jan 2001 00:00:00 +0000"
    )
    message = said(mail, name="imap")
    assert message == InboundMessage(
        id=message.id,
        backend="imap",
        channel=Channel.EMAIL,
        sender="ada@example.com",
        subject="What would you like?",
        text="Yes please",
        at=datetime(2026, 11, 24, 10, 30, tzinfo=UTC),
        is_reply=True,
    )


@pytest.mark.parametrize(
    "received",
    ["", "from a by b", "x; not a date", "x; Tue, 24 Nov 2026 12:00:01 +0000", "x; Fri, 31 Dec 9999 23:59:59 -1400"],
)
def test_without_a_time_that_can_be_it_came_now(received: str) -> None:
    """
    Nothing comes from the future.
    """
    assert NOW == said(reply(Received=received)).at


def test_a_time_without_a_zone_is_a_mistake() -> None:
    """
    Of whoever reads, so it is raised.
    """
    with pytest.raises(NaiveDatetimeError):
        read(b"", now=datetime(2026, 11, 24))  # noqa: DTZ001


ACME = "Acme <hello@acme.example.com>"
QUOTED = {
    "gmail": f"STOP\n\nOn Tue, 24 Nov 2026 at 10:00, {ACME} wrote:\n\n> Reply YES or NO\n> 1. Offers\n",
    "gmail, wrapped": "STOP\n\nOn Tue, 24 Nov 2026 at 10:00, Acme <\nhello@acme.example.com> wrote:\n\n> Reply YES\n",
    "apple": f"STOP\n\nSent from my iPhone\n\n> On 24 Nov 2026, at 10:00, {ACME} wrote:\n> \n> YES\n",
    "outlook": f"STOP\n\n{'_' * 32}\nFrom: {ACME}\nSent: Tuesday\nTo: Ada\n\nReply YES\n",
    "outlook, old": "STOP\n\n-----Original Message-----\nFrom: Acme\nSent: Tuesday\n\nReply YES\n",
    "outlook, bare": f"STOP\n\nFrom: {ACME}\nSent: 24 November 2026\nTo: Ada\nSubject: Hello\n\nReply YES\n",
    "thunderbird": "On 24/11/2026 10:00, Acme wrote:\n> Reply YES or NO\n> 1. Offers\n\nSTOP\n",
    "german": f"STOP\n\nAm 24.11.2026 um 10:00 schrieb {ACME}:\n> YES\n",
    "welsh": f"STOP\n\nAr Maw 24 Tach 2026 am 10:00, ysgrifennodd {ACME}:\n> YES\n",
    "short": f"STOP\n\n{ACME} wrote:\n> YES\n",
    "unmarked": f"STOP\n\nOn Tuesday {ACME} wrote:\nReply YES or NO\n1. Offers\n",
    "signature": "STOP\n\n-- \nAda, YES Ltd\n",
    "between": "> Do you want offers?\nSTOP\n> Or news? YES or NO\n",
}


@pytest.mark.parametrize("text", QUOTED.values(), ids=QUOTED)
def test_only_what_is_new_is_said(text: str) -> None:
    """
    Our own words, which name every answer there is, are not the person's.
    """
    assert "STOP" == said(reply(text)).text


NOT_QUOTED = {
    "a sentence": "On Tuesday I wrote to you. Please stop.",
    "a letter": "On Tuesday I wrote to you:\nplease stop.",
    "a letter, dated": "On 3 March I wrote:\nplease stop.",
    "a from": "From: now on, please stop",
    "dashes": "Please stop - now -- really",
    "paragraphs": "Please stop.\n\nI mean it.",
}


@pytest.mark.parametrize("text", NOT_QUOTED.values(), ids=NOT_QUOTED)
def test_what_only_looks_like_a_quote_is_kept(text: str) -> None:
    """
    A stop in it must not be lost.
    """
    assert text == said(reply(text)).text


HTML = {
    "plain": "<html><head><title>YES</title><style>p {}</style></head><body><p>STOP</p></body></html>",
    "gmail": '<div dir="ltr">STOP</div><br><div class="gmail_quote gmail_quote_container"><div class="gmail_attr">'
    "On Tue Acme wrote:</div><blockquote>Reply <b>YES</b><div>or NO</div></blockquote></div>",
    "apple": "STOP<br><blockquote type=cite><div>On 24 Nov 2026, Acme wrote:</div>YES<blockquote>YES</blockquote>"
    "</blockquote>",
    "outlook": '<p>STOP</p><hr><div id="divRplyFwdMsg"><b>From:</b> Acme<br><b>Sent:</b> Tuesday</div><div>YES</div>',
    "thunderbird": '<div class="moz-cite-prefix">On 24/11/2026 10:00, Acme wrote:<br></div>'
    "<blockquote>YES</blockquote><p>STOP</p>",
    "comment": "<!--[if mso]><p>YES</p><![endif]--><p>ST&#79;P</p><script>YES</script>",
    "broken": "<p<<b>STOP</b><blockquote>YES",
}


@pytest.mark.parametrize("html", HTML.values(), ids=HTML)
def test_html_is_read_as_text(html: str) -> None:
    """
    With the quote left out, above or below.
    """
    assert "STOP" in said(reply("", html=html)).text
    assert "YES" not in said(reply("", html=html)).text
    assert Stops() == read_reply(said(reply("", html=html)).text)


def test_plain_text_goes_before_html() -> None:
    """
    Unless there is nothing in it.
    """
    assert "YES" == said(reply("YES", html="<p>NO</p>")).text
    assert "NO" == said(reply(" \n", html="<p>NO</p>")).text


def test_an_attachment_is_not_what_they_say() -> None:
    """
    Even if it is text.
    """
    mail = reply("no thanks")
    mail.add_attachment("YES", filename="yes.txt")
    assert "no thanks" == said(mail).text


@pytest.mark.parametrize(
    ("written", "subject"),
    [
        ("unsubscribe", "unsubscribe"),
        ("Re: AW: [EXT] stopio", "stopio"),
        ("=?utf-8?b?" + base64.b64encode("Sv: stopp nå".encode()).decode() + "?=", "stopp nå"),
        ("RE[2]: Fwd (3): hello", "hello"),
        ("Reply: hello", "Reply: hello"),
    ],
)
def test_a_subject_is_what_stands_after_the_marks(written: str, subject: str) -> None:
    """
    Of a reply, of a forward, and what a gateway adds.
    """
    mail = said(reply("", Subject=written))
    assert (subject, subject != written) == (mail.subject, mail.is_reply or written.startswith("=?"))


@pytest.mark.parametrize(
    ("written", "sender"),
    [
        ("Lovelace, Ada <ada@example.com>", "ada@example.com"),
        ("[EXT] Ada; L. <ada@example.com>", "ada@example.com"),
        ("ada@example.com <ada@example.com>", "ada@example.com"),
        ("Ada @ Home <ada@example.com>", "ada@example.com"),
        ("'Ada@x.org' < ada@example.com >", "ada@example.com"),
        ("ada@example.com (Ada)", "ada@example.com"),
        ('"Ada" "(at home)" <ada@example.com>', "ada@example.com"),
        ("ada..b@docomo.ne.jp", "ada..b@docomo.ne.jp"),
        ('"ada..b"@docomo.ne.jp', '"ada..b"@docomo.ne.jp'),
        ('"Ada" <"ada..b"@docomo.ne.jp>', '"ada..b"@docomo.ne.jp'),
        ('"Lovelace, Ada" <"ada l"@example.com>', '"ada l"@example.com'),
        ("o'brien@example.com", "o'brien@example.com"),
        ("'o'brien@example.com'", "o'brien@example.com"),
        ("Ada <ada@example.com> via List <list@example.net>", "list@example.net"),
    ],
)
def test_a_sender_is_found_in_whatever_form(written: str, sender: str) -> None:
    """
    The same with every version of the library.
    """
    mail = said(f"From: {written}\r\n\r\nstop".encode())
    assert (sender, "stop") == (mail.sender, mail.text)
    assert mail.also_from == (("ada@example.com",) if sender.startswith("list") else ())


def test_where_nobody_is_named_the_other_headers_tell() -> None:
    """
    The address to answer to, or the one the server was told.
    """
    for name in ("Reply-To", "Sender", "Return-Path"):
        assert (
            "ada@example.com"
            == said(f"From: MAILER-DAEMON <>\r\n{name}: <ada@example.com>\r\n\r\nstop".encode()).sender
        )


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("utf-8", "Nid yw’n dda ŵ".encode(), "Nid yw’n dda ŵ"),
        ("windows-1252", "don’t".encode("cp1252"), "don’t"),
        ("utf-8", "Grüße".encode("latin-1"), "Grüße"),
        ("ascii", "Grüße".encode(), "Grüße"),
        ("nonsense", b"stop", "stop"),
        ("hex", b"stop", "stop"),
        ("punycode", b"stop", "stop"),
        ("unicode_escape", rb"\x59ES", r"\x59ES"),
        ('""', b"stop", "stop"),
        ("utf-8", b"a\0b\x07c", "a\ufffdb\ufffdc"),
    ],
)
def test_a_wrong_character_set_does_not_hide_what_they_say(charset: str, body: bytes, text: str) -> None:
    """
    It is read as well as it can be, and holds nothing a store would choke on.
    """
    raw = f"From: ada@example.com\r\nContent-Type: text/plain; charset={charset}\r\n\r\n".encode() + body
    assert text == said(raw).text


def test_the_sender_is_the_address_and_not_a_name_that_looks_like_one() -> None:
    """
    A name can be anything, encoded or not.
    """
    trick = base64.b64encode(b"ada@example.com <ada@example.com>").decode()
    for name in (f"=?utf-8?b?{trick}?=", '"ada@example.com"', '"Ada <ada@example.com>"'):
        raw = f"From: {name} <eve@example.org>\r\n\r\nstop".encode()
        assert "eve@example.org" == said(raw).sender
    assert "jürgen@bücher.example" == said("From: Jürgen <jürgen@bücher.example>\r\n\r\nstop".encode()).sender


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"stop", b"Subject: stop\r\n\r\nstop", b"From: nobody\r\n\r\nstop"])
def test_a_mail_from_nobody_says_nothing(raw: bytes) -> None:
    """
    Whom should it stop for?
    """
    assert () == read(raw, now=NOW)


def test_a_repeated_reply_has_the_name_it_had() -> None:
    """
    But not one that only says that it is the same mail: a stop must not be lost to that.
    """
    first, second = (reply(text, Message_ID="<1@example.com>") for text in ("hello", "stop"))
    assert said(first).id == said(b"X-More: x\r\n" + first.as_bytes()).id
    assert said(first).id != said(second).id


def test_an_answer_can_be_read_from_a_real_reply() -> None:
    """
    What is left is what the reader of replies takes for one.
    """
    text = "Yes please!\n\nOn Tue, 24 Nov 2026 at 10:00, Acme <hello@acme.example.com> wrote:\n"
    text += "".join(f"> {line}\n" for line in ORIGINAL.splitlines())
    assert Says(True) == read_reply(said(reply(text)).text)


# ---- anything at all

PIECES = st.sampled_from(
    [
        *report(recipient()).split(b"\r\n"),
        *complaint().split(b"\r\n"),
        *reply("yes", html="<p>yes</p>").as_bytes().split(b"\r\n"),
        *lines(QMAIL).split(b"\r\n"),
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: message/global-delivery-status",
        b"Content-Type: text/html; charset=utf-16",
        b"Content-Transfer-Encoding: base64",
        b"Subject: =?utf-8?b?x?= =?nonsense?q?=80?=",
        b"From: =?utf-8?q?" + b"(" * 50,
        b'To: <<@,;:\\"',
        b"\xff\xfe\x00 \xe2\x80\xa8",
        b"",
        b"--b",
        b"--b--",
    ]
)


@settings(max_examples=examples(400))
@given(
    raw=st.binary()
    | st.lists(PIECES, max_size=30).map(b"\r\n".join)
    | st.lists(PIECES | st.binary(max_size=20), max_size=30).map(b"\n".join)
)
def test_anything_may_come(raw: bytes) -> None:
    """
    Nothing is raised, and what is said can be stored: no half of a character, no control character, nothing from the
    future.
    """
    for event in read(raw, now=NOW, return_path=PATH):
        words = event.text + event.sender if isinstance(event, InboundMessage) else event.detail + event.to
        words.encode()
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", words)
        assert event.at <= NOW
        assert 0 < len(event.id) <= 200


def monsters() -> dict[str, Callable[[], bytes]]:
    """
    Mails made to take long, or to break the parser.
    """
    top = b"From: a@example.com\r\n"
    nested = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
    html = top + b"Content-Type: text/html\r\n\r\n"
    machine = b"From: mailer-daemon@example.com\r\n\r\n"
    return {
        "nested": lambda: top + b"".join(nested % (depth, depth) for depth in range(10_000)),
        "returned": lambda: top + b"Content-Type: message/rfc822\r\n\r\n" * 30_000,
        "a header": lambda: b"From: " + b"(" * 3_000_000,
        "headers": lambda: top + b"To: a@b\r\n" * 50_000 + b"\r\nstop",
        "recipients": lambda: report(recipient() * 5000),
        "tags": lambda: html + b"<a " * 300_000,
        "comments": lambda: html + b"<!--" * 300_000,
        "sections": lambda: html + b"<![" * 300_000,
        "odd": lambda: machine + b"the following addresses had\r\n" * 30_000,
        "quotes": lambda: top + b"\r\n" + (b"On " + b"wrote " * 90 + b"x:\r\n") * 1800,
        "long": lambda: top + b"\r\nstop\r\n" + b"x" * 5_000_000,
    }


@pytest.mark.parametrize("monster", monsters().values(), ids=monsters())
def test_a_monster_does_no_harm(monster: Callable[[], bytes]) -> None:
    """
    It is read in a moment as far as it can be, or not at all.
    """
    assert isinstance(read(monster(), now=NOW, return_path=PATH), tuple)


def test_of_a_huge_mail_the_beginning_is_read() -> None:
    """
    A stop above ten pictures is a stop.
    """
    mail = reply("stop")
    mail.add_attachment(b"x" * 3_000_000, maintype="image", subtype="png")
    assert "stop" == said(mail).text


def test_nothing_shows_what_it_must_not(caplog: pytest.LogCaptureFixture) -> None:
    """
    Neither an address nor a text is in a repr or a log, even of a mail that cannot be read.
    """
    caplog.set_level(logging.DEBUG, "optly")
    mails = [report(recipient(more="Diagnostic-Code: smtp; 550 ada\n")), reply("secret").as_bytes()]
    mails.append(b"From: ada@example.com\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 30_000 + b"secret")
    shown = repr([read(raw, now=NOW, return_path=PATH) for raw in mails])
    shown += repr([vars(record) for record in caplog.records if record.name == "optly"])
    assert "a mail cannot be read" in shown
    for hidden in ("ada", "secret", OURS):
        assert hidden not in shown


def test_a_later_hour_elsewhere_is_the_same_instant() -> None:
    """
    The time of a report is given in UTC, wherever the reader is.
    """
    there = NOW.astimezone(timezone(timedelta(hours=9)))
    assert read(report(recipient()), now=there, return_path=PATH) == (only(report(recipient())),)
