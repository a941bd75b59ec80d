"""
Mails as other programs, people and servers write them, and what each has to come to. The value of each was decided
before it was tried.

In braces stand the id of the message that was sent to Ada (``ID``), its return path (``VERP``), its own text and the
HTML of it (``SENT``, ``SENT_HTML``), and its text as a quote (``QUOTED``).
"""

# ruff: noqa: E501

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

# What was reported, by those who were hit. The first letter of a file says what is to be tried with it.
INPUTS: Final = Path(__file__).parents[2] / "shared" / "inputs" / "mail"
needs_inputs = pytest.mark.skipif(not INPUTS.exists(), reason="../shared/inputs/mail is not there")


def reported(letters: str = "") -> list[str]:
    """
    Return the names of the files that begin with one of the letters, or of all.
    """
    if not INPUTS.exists():
        return []
    listed = (entry["file"] for entry in json.loads((INPUTS / "index.json").read_text()))
    return [name for name in listed if not letters or name[0] in letters]


STOPPED: Final = "stopped"  # Ada is not written to any more
KEPT: Final = "kept"  # for people to read; Ada is written to
NOTED: Final = "noted"  # nothing is kept; Ada is written to
NOBODY: Final = "nobody"  # nothing is kept and nobody is put on record
NOTHING: Final = "nothing"  # there is nothing in it, and it is no person's message
BOUNCED: Final = "bounced"
FAILED: Final = "failed"

_TOP: Final = {
    "Received": "from mail.example.com by mx.acme.example.com with ESMTPS id 1; Fri, 27 Nov 2026 10:00:00 +0000",
    "From": "Ada Lovelace <ada@example.com>",
    "To": "Acme <hello@acme.example.com>",
    "Subject": "Re: This week",
    "Message-ID": "<x1@example.com>",
    "In-Reply-To": "<{{ID}}@acme.example.com>",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=utf-8",
}


def mail(body: str, **headers: str) -> str:
    """
    A mail from Ada that answers the message. A header that is empty is left out.
    """
    fields = _TOP | {name.replace("_", "-"): value for name, value in headers.items()}
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value) + f"\n{body}\n"


def html(body: str, **headers: str) -> str:
    return mail(body, **{"Content_Type": "text/html; charset=utf-8", **headers})


def parts(*bodies: str, kind: str = "mixed", **headers: str) -> str:
    """
    A mail in parts, each with headers of its own, or text if it has none.
    """
    each = (
        part if part.startswith("Content-") else f"Content-Type: text/plain; charset=utf-8\n\n{part}" for part in bodies
    )
    body = "".join(f"--b\n{part}\n" for part in each)
    return mail(f"{body}--b--", **{"Content_Type": f'multipart/{kind}; boundary="b"', **headers})


def encoded(text: str, charset: str) -> str:
    return b64encode(text.encode(charset)).decode()


WORD_HTML: Final = """\
<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><style>p.MsoNormal {margin:0cm}</style></head>
<body lang=EN-GB><div class=WordSection1><p class=MsoNormal>SAYS<o:p></o:p></p>
<div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'>
<p class=MsoNormal><b>From:</b> Acme &lt;hello@acme.example.com&gt; <br><b>Sent:</b> 27 November 2026 09:00<br>
<b>To:</b> Ada Lovelace<br><b>Subject:</b> This week<o:p></o:p></p></div>
{{SENT_HTML}}</div></body></html>"""

OUTLOOK: Final = """\
SAYS

From: Acme <hello@acme.example.com>
Sent: 27 November 2026 09:00
To: Ada Lovelace <ada@example.com>
Subject: This week

{{SENT}}
"""

REPORT: Final = """\
Return-Path: <>
From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>
To: {{VERP}}
Subject: Undelivered Mail Returned to Sender
Message-ID: <d1@mx.example.net>
MIME-Version: 1.0
"""

SNS_FOOTER: Final = (
    "\n\n--\nIf you wish to stop receiving notifications from this topic, please click or visit the link below to "
    "unsubscribe:\nhttps://sns.eu-west-2.amazonaws.com/unsubscribe.html?SubscriptionArn=arn\n"
)


def amazon(about: str, *, message: str = "{{ID}}", wrapped: bool = False, **headers: str) -> str:
    """
    A record of Amazon SES that SNS passes on by email, by itself or in its envelope.
    """
    record = {
        "notificationType": about.partition(":")[0].strip('" {').capitalize(),
        "mail": {
            "destination": ["ada@example.com"],
            "messageId": "0109",
            "headers": [
                {"name": "X-Optly-Message", "value": message},
                {"name": "Message-ID", "value": "<0109@eu-west-2.amazonses.com>"},
            ],
        },
        **json.loads(about),
    }
    body = json.dumps(record)
    if wrapped:
        body = json.dumps({"Type": "Notification", "TopicArn": "arn", "Message": body, "Signature": "x"}, indent=2)
    fields = {
        "From": "SES <no-reply@sns.amazonaws.com>",
        "Subject": "AWS Notification Message",
        "In_Reply_To": "",
        "Feedback_ID": "1.eu-west-2.x:AmazonSES",
        **headers,
    }
    return mail(body + SNS_FOOTER, **fields)


GONE: Final = (
    '{"bounce": {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [{"emailAddress": '
    '"ada@example.com", "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}]}}'
)
SPAM: Final = (
    '{"complaint": {"complaintFeedbackType": "abuse", "complainedRecipients": [{"emailAddress": "ada@example.com"}]}}'
)

PEOPLE: Final[Mapping[str, tuple[str, str]]] = {
    # ---- mail programs
    "outlook, friendly": (KEPT, html(WORD_HTML.replace("SAYS", "Lovely, see you on Saturday."))),
    "outlook, stop": (STOPPED, html(WORD_HTML.replace("SAYS", "Could you take me off your mailing list please"))),
    "outlook in text, friendly": (KEPT, mail(OUTLOOK.replace("SAYS", "Thanks, I'll be there."))),
    "outlook in text, stop below": (STOPPED, mail(OUTLOOK.replace("SAYS\n\n", "") + "\n\nDon't email me again.")),
    "outlook in german": (
        KEPT,
        mail("Danke, bis Samstag!\n\nVon: Acme <hello@acme.example.com>\nGesendet: Freitag, 27. November 2026\nAn: Ada\n"
             "Betreff: This week\n\n{{SENT}}"),
    ),
    "outlook in french": (
        STOPPED,
        mail("Désabonnez-moi svp\n\nDe : Acme <hello@acme.example.com>\nEnvoyé : vendredi\nÀ : Ada\nObjet : This week\n\n"
             "{{SENT}}"),
    ),
    "outlook in polish": (
        KEPT,
        mail("Dziękuję!\n\nOd: Acme <hello@acme.example.com>\nWysłano: piątek\nDo: Ada\nTemat: This week\n\n{{SENT}}"),
    ),
    "yahoo, friendly": (
        KEPT,
        html('<div>Great, thanks</div><div id="yahoo_quoted_123" class="yahoo_quoted"><div>On Friday, Acme wrote:</div>'
             "<div>{{SENT_HTML}}</div></div>"),
    ),
    "samsung, friendly": (
        KEPT,
        mail("Thanks!\n\n-------- Original message --------From: Acme <hello@acme.example.com> Date: 27/11/2026  09:00  "
             "(GMT+00:00) To: ada@example.com Subject: This week \n{{SENT}}"),
    ),
    "notes, friendly": (
        KEPT,
        mail("Thanks!\n\n-----Acme <hello@acme.example.com> wrote: -----\nTo: ada@example.com\nFrom: Acme\n"
             "Date: 27/11/2026\nSubject: This week\n\n{{SENT}}"),
    ),
    "k-9, signature above": (STOPPED, mail("-- \nSent from my Android device with K-9 Mail.\n\nunsubscribe")),
    "gmail, below in the same div": (
        STOPPED,
        html('<div class="gmail_quote"><div class="gmail_attr">On Fri, Acme wrote:<br></div><blockquote>{{SENT_HTML}}'
             "</blockquote><div><br></div><div>Please remove me from your list</div></div>"),
    ),
    "gmail, friendly": (
        KEPT,
        html('<div dir="ltr">See you!</div><div class="gmail_quote"><div class="gmail_attr">On Fri, 27 Nov 2026, Acme '
             "&lt;hello@acme.example.com&gt; wrote:<br></div><blockquote>{{SENT_HTML}}</blockquote></div>"),
    ),
    "apple, between two quotes": (
        STOPPED,
        html("<blockquote type=cite>Ten per cent off.</blockquote><div>I don't want these emails</div>"
             "<blockquote type=cite>{{SENT_HTML}}</blockquote>"),
    ),
    "thunderbird, forwarded to the helpdesk": (
        STOPPED,
        mail("No more of these emails, please.\n\n-------- Forwarded Message --------\nSubject: This week\n"
             "Date: Fri, 27 Nov 2026 09:00:00 +0000\nFrom: Acme <hello@acme.example.com>\n\n{{SENT}}",
             Subject="Fwd: This week"),
    ),
    "mutt, friendly": (KEPT, mail("On Fri, Nov 27, 2026 at 09:00:00AM +0000, Acme wrote:\n{{QUOTED}}\n\nSplendid.")),
    "bars for a quote": (KEPT, mail("Splendid.\n\n| Ten per cent off.\n| Stop these messages: reply STOP\n")),
    "tags within a word": (STOPPED, html("<p><b>un</b>sub<i>scribe</i></p>")),
    "phone, in welsh": (STOPPED, mail("Peidiwch ag anfon rhagor\n\nAnfonwyd o fy iPhone\n\n{{QUOTED}}")),
    # ---- subjects
    "subject alone": (STOPPED, mail("Sent from Outlook for Android", Subject="STOP", In_Reply_To="")),
    "yahoo's button": (STOPPED, mail("", Subject="Unsubscribe Request", In_Reply_To="")),
    "subject changed in a reply": (STOPPED, mail("{{QUOTED}}", Subject="Re: please take me off your list")),
    "our own subject": (KEPT, mail("See you there!", Subject="Re: Stop press: ten per cent off")),
    "our own subject, forwarded": (KEPT, mail("Is this from you?", Subject="Fwd: Don't stop now")),
    "a question in the subject": (KEPT, mail("Ada", Subject="Where is your nearest bus stop", In_Reply_To="")),
    # ---- parts
    "signed": (
        STOPPED,
        parts("Please stop writing to me", "Content-Type: application/pkcs7-signature; name=smime.p7s\n\nMIIabc",
              kind="signed"),
    ),
    "pgp": (
        STOPPED,
        mail("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nSTOP\n-----BEGIN PGP SIGNATURE-----\n\niQIzBAEB\n"
             "-----END PGP SIGNATURE-----"),
    ),
    "text made an attachment": (
        STOPPED,
        parts("", "Content-Type: image/png; name=a.png\nContent-Transfer-Encoding: base64\n\naGk=",
              "Content-Type: text/plain; name=ATT00001.txt\nContent-Disposition: attachment; filename=ATT00001.txt\n\n"
              "Please unsubscribe me"),
    ),
    "a banner before it": (
        STOPPED,
        parts("CAUTION: this email is from outside the organisation.", "Opt out please"),
    ),
    "two alternatives that differ": (
        STOPPED,
        parts("View this message in HTML.", "Content-Type: text/html\n\n<p>Never contact me again</p>", kind="alternative"),
    ),
    "an invitation": (
        KEPT,
        parts("See you on Saturday", "Content-Type: text/calendar\n\nBEGIN:VCALENDAR\nSUMMARY:STOP\nEND:VCALENDAR"),
    ),
    "utf-16": (
        STOPPED,
        mail(encoded("Please stop", "utf-16"), Content_Type="text/plain; charset=utf-16",
             Content_Transfer_Encoding="base64"),
    ),
    "no boundary": (STOPPED, mail("--x\n\nUnsubscribe me\n--x--", Content_Type="multipart/mixed")),
    "soft hyphens": (STOPPED, mail("un\u00adsub\u00adscribe")),
    # ---- who wrote
    "encoded comma": (STOPPED, mail("STOP", From="=?utf-8?q?Lovelace=2C_Ada?= <ada@example.com>", In_Reply_To="")),
    "bare comma": (STOPPED, mail("STOP", From="Lovelace, Ada (Leeds) <ada@example.com>", In_Reply_To="")),
    "an alias service": (
        STOPPED,
        mail("Please unsubscribe", From='"ada_at_example.com" <ada_xyz@duck.example.net>', In_Reply_To="",
             References="<a@b.example> <{{ID}}@acme.example.com>"),
    ),
    "to the return path": (STOPPED, mail("stop", To="{{VERP}}", From="Bo <bo@example.org>", In_Reply_To="")),
    "through a list": (
        STOPPED,
        mail("Acme, please take me off your list.\n\n_______________________________________________\n"
             "Choir mailing list -- choir@lists.example.net\nTo unsubscribe send an email to choir-leave@lists.example.net",
             From='"Ada Lovelace via Choir" <choir@lists.example.net>', Reply_To="Ada Lovelace <ada@example.com>",
             List_Id="<choir.lists.example.net>", Precedence="list", In_Reply_To=""),
    ),
    "through a list, friendly": (
        KEPT,
        mail("Rehearsal is at eight.\n\n-- \nYou received this message because you are subscribed to the group \"Choir\".\n"
             "To unsubscribe from this group and stop receiving emails from it, send an email to\n"
             "choir+unsubscribe@groups.example.net.\nTo view it visit https://groups.example.net/d/choir/1",
             List_Id="<choir.groups.example.net>", List_Unsubscribe="<https://groups.example.net/u>", In_Reply_To=""),
    ),
    "a newsletter of her own": (
        KEPT,
        html("<h1>Stop overpaying!</h1><p>" + "Our autumn range is here, and it is lovely. " * 20 + "</p>"
             '<p><a href="https://ada.example.com/u">Unsubscribe</a></p>',
             Subject="Stop overpaying today", List_Unsubscribe="<https://ada.example.com/u>", In_Reply_To=""),
    ),
    "a notification": (
        NOBODY,
        mail("Your parcel is on its way. To stop these emails, change your settings.", From="Post <no-reply@post.example.net>",
             Subject="Your parcel", In_Reply_To=""),
    ),
    "a newsletter in parts": (
        NOBODY,
        parts("Savings!\n\nUnsubscribe", "Content-Type: text/html\n\n<p>Savings!</p><p>Unsubscribe</p>", kind="alternative",
              From="Widgets <news@widgets.example.net>", Feedback_ID="1:2:3:widgets", In_Reply_To="", Subject="Savings"),
    ),
    # ---- machines
    "vacation": (
        NOTED,
        mail("I am out of the office until the end of the month. I'll stop by my inbox on Friday.",
             Auto_Submitted="auto-replied", Subject="Automatic reply: This week"),
    ),
    "vacation with our words": (
        NOTED,
        mail("I am away.\n\nYour message was:\n\n{{SENT}}", Auto_Submitted="auto-replied", Subject="Away: This week"),
    ),
    "vacation, in german, with a stop": (
        STOPPED,
        mail("Ich bin nicht mehr im Unternehmen. Bitte keine E-Mails mehr an diese Adresse.",
             Auto_Submitted="auto-replied", Subject="Automatische Antwort: This week"),
    ),
    "vacation, for good": (
        STOPPED,
        mail("Ada has left the company. Please remove this email from your list.", Auto_Submitted="auto-generated",
             X_Auto_Response_Suppress="All"),
    ),
    "a mailbox that nobody reads": (
        NOTED,
        mail("This mailbox is not monitored. Please do not reply.", Auto_Submitted="auto-replied"),
    ),
    "it was read": (
        NOTED,
        parts("Your message was read.", "Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;"
              "ada@example.com\nOriginal-Message-ID: <{{ID}}@acme.example.com>\nDisposition: manual-action/"
              "MDN-sent-manually; displayed", kind="report; report-type=disposition-notification", Subject="Read: This week"),
    ),
    "it was deleted": (
        NOTED,
        parts("Your message was deleted without being read.", "Content-Type: message/disposition-notification\n\n"
              "Final-Recipient: rfc822;ada@example.com\nDisposition: automatic-action/MDN-sent-automatically; deleted",
              kind="report; report-type=disposition-notification", Subject="Not read: This week"),
    ),
    "a challenge": (
        NOTED,
        mail("To deliver your message, confirm that you are a person: https://spam.example.net/c",
             Auto_Submitted="auto-replied", Subject="Confirm your message"),
    ),
    "a disclaimer": (
        KEPT,
        mail("Thanks, noted.\n\nRegards, Ada\n\nThis email is confidential. If you are not the intended recipient, please "
             "notify the sender and delete this email. Do not copy it."),
    ),
    "a form": (
        STOPPED,
        mail("Name: Ada Lovelace\nEmail: ada@example.com\nSubject: Newsletter\nMessage: please stop sending it",
             From="Website <forms@acme.example.com>", Reply_To="ada@example.com", In_Reply_To="", Subject="Contact form"),
    ),
    # ---- reports
    "microsoft 365, in german": (
        BOUNCED,
        REPORT + 'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\nContent-Type: text/html;'
        " charset=utf-8\n\n<p>Ihre Nachricht an ada@example.com konnte nicht zugestellt werden.</p>\n--b\nContent-Type: "
        "message/delivery-status\n\nReporting-MTA: dns;X.prod.outlook.com\n\nFinal-Recipient: rfc822;ada@example.com\n"
        "Action: failed\nStatus: 5.1.10\nDiagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not "
        "found by SMTP address lookup\n--b--\n",
    ),
    "exchange, html alone": (
        BOUNCED,
        REPORT + "Content-Type: text/html; charset=utf-8\n\n<p>Delivery has failed to these recipients:</p><p>ada@example.com"
        "</p><p>Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound'</p>\n",
    ),
    "postfix, a policy": (
        FAILED,
        REPORT + 'Content-Type: multipart/report; boundary="b"\n\n--b\nContent-Type: message/delivery-status\n\n'
        "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; ada@example.com\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 <ada@example.com>: Recipient address rejected: rejected by reputation filter\n"
        "--b--\n",
    ),
    "a delay": (
        NOTED,
        REPORT + "Content-Type: text/plain\n\nThis is a warning only.\nYour message has not been delivered for 4 hours. "
        "Delivery attempts will continue.\n",
    ),
    "in japanese": (
        FAILED,
        REPORT + "Content-Type: text/plain; charset=utf-8\n\n次の宛先に配信できませんでした。\n<ada@example.com>: 554 だめです\n",
    ),
    "a report as a paragraph": (
        FAILED,
        REPORT.replace("MAILER-DAEMON@mx.example.net", "postmaster@mx.example.net")
        + "Content-Type: text/plain\n\nWe are sorry, but your message to ada@example.com could not be delivered.\n",
    ),
    "cut in the middle": (
        BOUNCED,
        REPORT + 'Content-Type: multipart/report; boundary="b"\n\n--b\nContent-Type: message/delivery-status\n\n'
        "Final-Recipient: rfc822; ada@example.com\nAction: failed\nStatus: 5.1.1",
    ),
    # ---- complaints
    "phishing": (
        STOPPED,
        parts("A report.", "Content-Type: message/feedback-report\n\nFeedback-Type: fraud\nUser-Agent: X/1\nVersion: 1",
              "Content-Type: message/rfc822\n\nMessage-ID: <{{ID}}@acme.example.com>\nTo: [redacted]\n\nx",
              kind="report; report-type=feedback-report", From="fbl@mail.example.net", In_Reply_To=""),
    ),
    "hotmail, before 2026": (
        STOPPED,
        parts("Content-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: ada@example.com\nMessage-ID: <{{ID}}@acme.example.com>"
              "\nSubject: This week\n\nx", From="staff@hotmail.com", Subject="complaint about message from 192.0.2.1",
              In_Reply_To=""),
    ),
    # ---- Amazon, by email
    "amazon, a bounce": (BOUNCED, amazon(GONE)),
    "amazon, a bounce in an envelope": (BOUNCED, amazon(GONE, wrapped=True)),
    "amazon, a bounce to the return path": (BOUNCED, amazon(GONE, message="", To="{{VERP}}")),
    "amazon, a full mailbox": (FAILED, amazon(GONE.replace("5.1.1 user unknown", "5.2.2 mailbox full"))),
    "amazon, a complaint": (STOPPED, amazon(SPAM)),
    "amazon, a complaint in an envelope": (STOPPED, amazon(SPAM, wrapped=True)),
    "amazon, not spam": (NOTHING, amazon(SPAM.replace("abuse", "not-spam"), To="{{VERP}}")),
    "amazon, of no message of ours": (NOTHING, amazon(GONE, message="")),
    "amazon, of a message that is not known": (NOBODY, amazon(GONE, message="0123456789abcdef" * 2)),
    "amazon, passing on a complaint": (
        STOPPED,
        parts("This is an email abuse report.", "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: "
              "Amazon SES\nVersion: 1", "Content-Type: message/rfc822\n\nMessage-ID: <0109018b@eu-west-2.amazonses.com>\n"
              "X-Optly-Contact: {{CONTACT}}\nX-Optly-Message: {{ID}}\nTo: [redacted]\n\nx",
              kind="report; report-type=feedback-report", From="complaints@email-abuse.amazonses.com", In_Reply_To=""),
    ),
    "amazon, passing on a bounce": (
        BOUNCED,
        REPORT.replace("{{VERP}}", "hello@acme.example.com") + 'Content-Type: multipart/report; boundary="b"\n\n--b\n'
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; a.smtp-out.amazonses.com\n\nAction: failed\n"
        "Final-Recipient: rfc822; ada@example.com\nDiagnostic-Code: smtp; 550 5.1.1 user unknown\nStatus: 5.1.1\n\n--b\n"
        "Content-Type: message/rfc822\n\nMessage-ID: <0109018b@eu-west-2.amazonses.com>\nX-Optly-Message: {{ID}}\n"
        "To: ada@example.com\n\nx\n--b--\n",
    ),
    "not spam after all": (
        NOTED,
        parts("A report.", "Content-Type: message/feedback-report\n\nFeedback-Type: not-spam\nUser-Agent: X/1\nVersion: 1",
              "Content-Type: message/rfc822\n\nMessage-ID: <{{ID}}@acme.example.com>\n\nx",
              kind="report; report-type=feedback-report", From="fbl@mail.example.net", In_Reply_To=""),
    ),
    "the original encoded": (
        STOPPED,
        parts("Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: X/1\nVersion: 1",
              "Content-Type: text/rfc822-headers\nContent-Transfer-Encoding: quoted-printable\n\nMessage-ID: =\n"
              "<{{ID}}@acme.example.com>\n", kind="report; report-type=feedback-report", From="fbl@mail.example.net",
              In_Reply_To=""),
    ),
}  # fmt: skip
