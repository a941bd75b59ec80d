"""
Replies as mail programs write them: sixty, in nine languages, above, below and between the lines of what they quote.

What each has to come to was decided before it was tried. The message that they answer speaks of stopping itself
(`CONTENT`), so that what is quoted has to be told from what is meant.
"""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mails import KEPT, STOPPED, html, mail, parts

from optly import Content

CONTENT: Final = Content(
    subject="This week",
    text=(
        "Ten per cent off everything until Sunday.\n\n"
        "Stop overpaying for tea: cancel any time, no questions asked. If you’d rather not hear from us, reply STOP and "
        "we will remove you from our list.\n\n"
        "Jederzeit abmelden · Se désabonner · Darse de baja\n\n"
        "See you in Leeds,\nThe Acme team"
    ),
    html=(
        "<p>Ten per cent off everything until Sunday.</p>\n"
        "<p>Stop overpaying for tea: cancel&nbsp;any time, no questions asked. If you&rsquo;d rather not hear from us, "
        "reply <b>STOP</b> and we will <i>remove you</i> from our list.</p>\n"
        "<p>Jederzeit abmelden &middot; Se d&eacute;sabonner &middot; Darse de baja</p>\n"
        "<p>See you in Leeds,<br>The Acme team</p>"
    ),
)
INLINE: Final = "> Ten per cent off everything until Sunday.\n{}\n\n> See you in Leeds,\n> The Acme team\n"
FIRST: Final = "<p>Ten per cent off everything until Sunday.</p>"

# ---- Outlook: no mark, only headers in its own language

HEADERS: Final = {
    "en": ("From", "Sent", "To", "Subject", "27 November 2026 09:00"),
    "de": ("Von", "Gesendet", "An", "Betreff", "Freitag, 27. November 2026 09:00"),
    "fr": ("De", "Envoyé", "À", "Objet", "vendredi 27 novembre 2026 09:00"),
    "pl": ("Od", "Wysłano", "Do", "Temat", "piątek, 27 listopada 2026 09:00"),
    "es": ("De", "Enviado", "Para", "Asunto", "viernes, 27 de noviembre de 2026 9:00"),
    "cy": ("Oddi wrth", "Anfonwyd", "At", "Pwnc", "27 Tachwedd 2026 09:00"),
}


def outlook_text(said: str, language: str = "en", *, below: str = "") -> str:
    sender, sent, to, subject, at = HEADERS[language]
    colon = " :" if language == "fr" else ":"
    head = (
        f"{sender}{colon} Acme <hello@acme.example.com>\n{sent}{colon} {at}\n{to}{colon} Ada Lovelace <ada@example.com>\n"
        f"{subject}{colon} This week\n"
    )
    return mail(
        f"{said}\n\n{head}\n{{{{SENT}}}}\n{below}",
        Subject={"de": "AW", "pl": "ODP", "cy": "ATB"}.get(language, "RE") + ": This week",
    )


def outlook_html(said: str, language: str = "en", quote: str = "{{SENT_HTML}}") -> str:
    sender, sent, to, subject, at = HEADERS[language]
    return html(
        "<html xmlns:o='urn:schemas-microsoft-com:office:office'><head><style>p.MsoNormal{margin:0cm}</style></head>"
        f"<body lang=EN-GB><div class=WordSection1><p class=MsoNormal>{said}<o:p></o:p></p>"
        "<p class=MsoNormal><o:p>&nbsp;</o:p></p><div><div style='border:none;border-top:solid #E1E1E1 1.0pt'>"
        f"<p class=MsoNormal><b>{sender}:</b> Acme &lt;hello@acme.example.com&gt; <br><b>{sent}:</b> {at}<br>"
        f"<b>{to}:</b> Ada Lovelace &lt;ada@example.com&gt;<br><b>{subject}:</b> This week<o:p></o:p></p></div></div>"
        f"{quote}</div></body></html>"
    )


def outlook_mobile(said: str) -> str:
    return html(
        f"<div dir=auto>{said}</div><div id=ms-outlook-mobile-signature>Get <a href='https://aka.ms/AAb9ysg'>Outlook for "
        "Android</a></div><hr style='display:inline-block;width:98%'><div id=divRplyFwdMsg dir=ltr><b>From:</b> Acme "
        "&lt;hello@acme.example.com&gt;<br><b>Sent:</b> Friday, November 27, 2026 9:00:00 AM<br><b>To:</b> Ada<br>"
        "<b>Subject:</b> This week</div>{{SENT_HTML}}"
    )


# ---- Gmail, Apple, Thunderbird and K-9: an attribution, and a mark before each line

WROTE: Final = {
    "en": "On Fri, 27 Nov 2026 at 09:00, Acme <hello@acme.example.com> wrote:",
    "cy": "Ar Gwe, 27 Tach 2026 am 09:00, ysgrifennodd Acme <hello@acme.example.com>:",
    "de": "Am Fr., 27. Nov. 2026 um 09:00 Uhr schrieb Acme <hello@acme.example.com>:",
    "fr": "Le ven. 27 nov. 2026 à 09:00, Acme <hello@acme.example.com> a écrit :",
    "es": "El vie, 27 nov 2026 a las 9:00, Acme (<hello@acme.example.com>) escribió:",
    "pl": "pt., 27 lis 2026 o 09:00 Acme <hello@acme.example.com> napisał(a):",
    "ur": "جمعہ، 27 نومبر، 2026 کو 9:00 AM پر Acme <hello@acme.example.com> نے لکھا:",
    "pa": "ਸ਼ੁੱਕਰ, 27 ਨਵੰ 2026 ਨੂੰ 9:00 ਪੂ.ਦੁ. ਵਜੇ, Acme <hello@acme.example.com> ਨੇ ਲਿਖਿਆ:",
}


def marked(said: str, language: str = "en", *, below: str = "", quote: str = "{{QUOTED}}") -> str:
    return mail(f"{said}\n\n{WROTE[language]}\n\n{quote}\n{below}")


def unmarked(said: str, language: str = "en", *, below: str = "") -> str:
    return mail(f"{said}\n\n{WROTE[language]}\n\n{{{{SENT}}}}\n{below}")


def gmail(said: str, language: str = "en", *, inside: str = "", below: str = "") -> str:
    attribution = WROTE[language].replace("<", "&lt;").replace(">", "&gt;")
    return html(
        f'<div dir="ltr">{said}</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">'
        f'{attribution}<br></div><blockquote class="gmail_quote" style="margin:0 0 0 .8ex">{{{{SENT_HTML}}}}{inside}</blockquote>'
        f"{below}</div>"
    )


def gmail_both(said: str, language: str = "en") -> str:
    text = f"Content-Type: text/plain; charset=utf-8\n\n{said}\n\n{WROTE[language]}\n\n{{{{QUOTED}}}}"
    return parts(
        text,
        f"Content-Type: text/html; charset=utf-8\n\n{gmail(said, language).partition(chr(10) * 2)[2]}",
        kind="alternative",
    )


def apple(said: str, *, inside: str = "", below: str = "") -> str:
    return html(
        f"<html><body dir=auto>{said}<br id=lineBreakAtBeginningOfSignature><div dir=ltr>Sent from my iPhone</div><div dir=ltr>"
        "<br><blockquote type=cite>On 27 Nov 2026, at 09:00, Acme &lt;hello@acme.example.com&gt; wrote:<br><br></blockquote>"
        f"</div><blockquote type=cite><div dir=ltr>{{{{SENT_HTML}}}}{inside}</div></blockquote>{below}</body></html>"
    )


def gmx(said: str) -> str:
    return html(
        f'<div style="font-family:Verdana"><div>{said}</div><div>&nbsp;<div name="quote" style="border-left:2px solid">'
        '<div style="margin:0 0 10px 0"><b>Gesendet:</b>&nbsp;Freitag, 27. November 2026 um 09:00 Uhr<br/><b>Von:</b>&nbsp;"Acme" '
        "&lt;hello@acme.example.com&gt;<br/><b>An:</b>&nbsp;ada@example.com<br/><b>Betreff:</b>&nbsp;This week</div><div "
        'name="quoted-content">{{SENT_HTML}}</div></div></div></div>'
    )


def yahoo(said: str) -> str:
    return html(
        f'<div class="ydp1yahoo-style-wrap"><div dir="ltr">{said}</div></div><div id="yahoo_quoted_4711" class="yahoo_quoted">'
        "<div>On Friday, 27 November 2026 at 09:00:00 GMT, Acme &lt;hello@acme.example.com&gt; wrote:</div><div><br></div>"
        "<div>{{SENT_HTML}}</div></div>"
    )


def thunderbird(said: str, *, below: str = "") -> str:
    return html(
        f"<p>{said}</p><div class=moz-cite-prefix>On 27/11/2026 09:00, Acme wrote:<br></div><blockquote type=cite "
        f"cite='mid:{{{{ID}}}}@acme.example.com'>{{{{SENT_HTML}}}}</blockquote><p>{below}</p>"
    )


def k9(said: str, *, below: str = "") -> str:
    return mail(
        f"{said}\n-- \nSent from my Android device with K-9 Mail. Please excuse my brevity.\n\nOn 27 November 2026 09:00:00 GMT, Acme <hello@acme.example.com> wrote:\n{{{{QUOTED}}}}{below}"
    )


def samsung(said: str) -> str:
    return html(
        f"<div dir=auto>{said}</div><div id=composer_signature><div style='font-size:12px;color:#575757' dir=auto>Sent from my "
        "Galaxy</div></div><div><br></div><div style='font-size:100%;color:#000000'><!-- originalMessage --><div>-------- "
        "Original message --------</div><div>From: Acme &lt;hello@acme.example.com&gt; </div><div>Date: 27/11/2026  09:00  "
        "(GMT+00:00) </div><div>To: ada@example.com </div><div>Subject: This week </div><div><br></div></div>{{SENT_HTML}}"
    )


def samsung_text(said: str) -> str:
    return mail(
        f"{said}\n\nVon meinem Galaxy gesendet\n\n\n-------- Ursprüngliche Nachricht --------\nVon: Acme <hello@acme.example.com>\n"
        "Datum: 27.11.26 09:00 (GMT+01:00)\nAn: ada@example.com\nBetreff: This week\n\n{{SENT}}\n"
    )


def proton(said: str, *, below: str = "") -> str:
    return html(
        f'<div style="font-family:Arial">{said}</div><div class="protonmail_signature_block">Sent with <a '
        'href="https://proton.me">Proton Mail</a> secure email.</div><div class="protonmail_quote">On Friday, November 27th, '
        "2026 at 9:00 AM, Acme &lt;hello@acme.example.com&gt; wrote:<br><br><blockquote class=protonmail_quote type=cite>"
        f"{{{{SENT_HTML}}}}</blockquote><br>{below}</div>"
    )


def proton_text(said: str) -> str:
    return mail(
        f"{said}\n\nSent with [Proton Mail](https://proton.me/mail/home) secure email.\n\nOn Friday, November 27th, 2026 at 9:00 AM, Acme <hello@acme.example.com> wrote:\n\n{{{{QUOTED}}}}"
    )


REPLIES: Final[Mapping[str, tuple[str, str]]] = {
    # ---- Outlook
    "outlook en, top, friendly": (KEPT, outlook_text("Thank you, I'll come on Saturday.")),
    "outlook en, top, stop": (STOPPED, outlook_text("Please don't send me these any more.")),
    "outlook en, bottom, stop": (STOPPED, outlook_text("", below="I would like to be taken off this list.")),
    "outlook en, html, friendly": (KEPT, outlook_html("Is the shop in Leeds open on Sunday?")),
    "outlook en, html, inline stop": (
        STOPPED,
        outlook_html(
            "See my comments in red.",
            quote=f"{FIRST}<p class=MsoNormal><span style='color:red'>Not interested, unsubscribe me please.</span></p>{{{{SENT_HTML}}}}",
        ),
    ),
    "outlook en, html, inline friendly": (
        KEPT,
        outlook_html(
            "See my comments in red.",
            quote="{{SENT_HTML}}<p class=MsoNormal><span style='color:red'>Which kinds of tea?</span></p>",
        ),
    ),
    "outlook de, friendly": (KEPT, outlook_text("Vielen Dank, bis Samstag!", "de")),
    "outlook de, stop": (STOPPED, outlook_text("Bitte schicken Sie mir keine Werbung mehr.", "de")),
    "outlook de, html, friendly": (KEPT, outlook_html("Gibt es auch grünen Tee?", "de")),
    "outlook de, bottom, stop": (STOPPED, outlook_text("", "de", below="Bitte löschen Sie mich aus dem Verteiler.")),
    "outlook fr, friendly": (KEPT, outlook_text("Merci, à samedi !", "fr")),
    "outlook fr, stop": (STOPPED, outlook_text("Merci de ne plus m'envoyer de mails.", "fr")),
    "outlook fr, html, friendly": (KEPT, outlook_html("Est-ce que le magasin est ouvert dimanche ?", "fr")),
    "outlook pl, friendly": (KEPT, outlook_text("Dziękuję, do zobaczenia w sobotę!", "pl")),
    "outlook pl, stop": (STOPPED, outlook_text("Proszę mnie wypisać z tej listy.", "pl")),
    "outlook pl, html, stop": (STOPPED, outlook_html("Nie życzę sobie otrzymywać takich wiadomości.", "pl")),
    "outlook es, friendly": (KEPT, outlook_text("¡Gracias! Nos vemos el sábado.", "es")),
    "outlook es, html, stop": (STOPPED, outlook_html("No quiero recibir más correos.", "es")),
    "outlook cy, friendly": (KEPT, outlook_text("Diolch yn fawr, wela i chi ddydd Sadwrn.", "cy")),
    "outlook cy, stop": (STOPPED, outlook_text("Tynnwch fi oddi ar y rhestr os gwelwch yn dda.", "cy")),
    "outlook mobile, friendly": (KEPT, outlook_mobile("Lovely, thanks")),
    "outlook mobile, stop": (STOPPED, outlook_mobile("take me off this please")),
    # ---- Gmail
    "gmail en, friendly": (KEPT, gmail("Do you have green tea?")),
    "gmail en, below the quote": (STOPPED, gmail("", below="<div>No more emails please</div>")),
    "gmail en, inside the quote": (STOPPED, gmail("", inside="<div>I never signed up for this.</div>")),
    "gmail en, both parts, friendly": (KEPT, gmail_both("Will do!")),
    "gmail en, text, between the lines": (STOPPED, marked("", quote=INLINE.format("\nStop sending me offers, thanks"))),
    "gmail en, text, friendly between the lines": (KEPT, marked("", quote=INLINE.format("\nBrilliant, thanks!"))),
    "gmail de, friendly": (KEPT, gmail("Danke, wir kommen gern.", "de")),
    "gmail de, text, stop": (STOPPED, marked("Hören Sie bitte auf, mir zu schreiben.", "de")),
    "gmail fr, both parts, stop": (STOPPED, gmail_both("Retirez-moi de votre liste", "fr")),
    "gmail fr, text, friendly": (KEPT, marked("Parfait, merci", "fr")),
    "gmail es, both parts, friendly": (KEPT, gmail_both("¿Tienen té verde?", "es")),
    "gmail es, stop": (STOPPED, gmail("Dame de baja, por favor", "es")),
    "gmail pl, text, friendly": (KEPT, marked("Super, dziękuję", "pl")),
    "gmail pl, both parts, stop": (STOPPED, gmail_both("Proszę nie pisać więcej", "pl")),
    "gmail pl, quoted without a mark": (KEPT, unmarked("Czy macie zieloną herbatę?", "pl")),
    "gmail ur, both parts, stop": (STOPPED, gmail_both("براہ کرم یہ پیغامات بند کریں", "ur")),
    "gmail ur, quoted without a mark": (KEPT, unmarked("شکریہ، ہفتے کو ملیں گے", "ur")),
    "gmail pa, stop": (STOPPED, gmail("ਕਿਰਪਾ ਕਰਕੇ ਇਹ ਸੁਨੇਹੇ ਬੰਦ ਕਰੋ", "pa")),
    "gmail pa, quoted without a mark": (KEPT, unmarked("ਧੰਨਵਾਦ, ਸ਼ਨੀਵਾਰ ਨੂੰ ਮਿਲਦੇ ਹਾਂ", "pa")),
    "gmail cy, friendly": (KEPT, gmail("Diolch! Oes te gwyrdd gyda chi?", "cy")),
    "gmail cy, text, stop": (STOPPED, marked("Dim mwy o negeseuon, diolch", "cy")),
    # ---- Apple
    "apple, friendly": (KEPT, apple("Great, see you there")),
    "apple, stop": (STOPPED, apple("Unsubscribe")),
    "apple, typed at the end of the quote": (
        STOPPED,
        apple("", inside="<div><br></div><div>please stop emailing me</div>"),
    ),
    "apple, friendly at the end of the quote": (KEPT, apple("", inside="<div><br></div><div>Love your tea!</div>")),
    # ---- GMX, Yahoo
    "gmx, friendly": (KEPT, gmx("Danke, klingt gut!")),
    "gmx, stop": (STOPPED, gmx("Ich möchte keine E-Mails mehr bekommen.")),
    "yahoo, friendly": (KEPT, yahoo("Do you post to Cardiff?")),
    "yahoo, stop": (STOPPED, yahoo("Please delete my email from your database")),
    # ---- Thunderbird, K-9, Samsung, Proton
    "thunderbird, bottom, friendly": (KEPT, thunderbird("", below="Sounds good.")),
    "thunderbird, bottom, stop": (STOPPED, thunderbird("", below="I withdraw my consent.")),
    "k-9, friendly": (KEPT, k9("Nice!")),
    "k-9, below the quote, stop": (STOPPED, k9("", below="\nI don't want to receive these emails")),
    "samsung, friendly": (KEPT, samsung("Thank you x")),
    "samsung in german, friendly": (KEPT, samsung_text("Danke!")),
    "samsung, stop": (STOPPED, samsung("opt out")),
    "proton, friendly": (KEPT, proton("Thanks for the code.")),
    "proton in text, stop": (STOPPED, proton_text("Do not contact me again.")),
}
assert len(REPLIES) == 60, len(REPLIES)
