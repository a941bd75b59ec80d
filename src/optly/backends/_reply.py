"""
What a mail says: what is new in it, what else stands there, and all of it. Pure.

What is new is a guess: quotes and signatures have as many forms as there are mail programs. So nothing is thrown away
for it. What stands below is returned beside it, because a person may write there too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from email.message import Message as Mail
from typing import Final

import attrs

from optly.backends._fields import once, type_of
from optly.messages.plain import Table, clean, from_html

_LONGEST_BODY = 256 * 1024  # what people write may stand below a long letter
_LONGEST_TEXT = 10_000

# Not meant for text, and slow.
_NO_CHARSETS = {"punycode", "idna", "unicode-escape", "raw-unicode-escape"}

# "On Tuesday I wrote to you:" begins a sentence by the person.
_WROTE = (
    r"(?:(?<!\bI )(?:wrote|a écrit|escribió|escreveu|ha scritto)\s?:"
    r"|(?:ysgrifennodd|schrieb|schreef|skrev)\b[^:]{0,100}:)"
)
_ATTRIBUTION = re.compile(rf"(?:On|Ar|Am|Le|El|Em|Il|Op|Den)\s.{{0,400}}\b{_WROTE}")
_SHORT_ATTRIBUTION = re.compile(rf".{{0,200}}<\S{{1,254}}@\S{{1,254}}>\s{_WROTE}")
_ATTRIBUTION_LINES = 3
# The headers that mail programs write above a mail they quote without a mark, in the languages most used in Britain.
_FROM = re.compile(
    r"\*?(?:From|Oddi wrth|Von|De|Da|Van|Od|Från|Fra|Lähettäjä|От|Від|Kimden|Gönderen|Feladó|De la|Από)\s?:\*?\s",
    re.IGNORECASE,
)
_SENT = re.compile(
    r"\*?(?:Sent|Date|Anfonwyd|Dyddiad|Gesendet|Datum|Envoyé|Enviado|Fecha|Inviato|Data|Verzonden|Wysłano|Skickat|Sendt"
    r"|Lähetetty|Отправлено|Дата|Надіслано|Gönderildi|Tarih|Elküldve|Trimis|Στάλθηκε)\s?:",
    re.IGNORECASE,
)
_HEADER_LINE = re.compile(
    rf"(?:{_FROM.pattern}|{_SENT.pattern}"
    r"|\*?(?:To|Cc|Bcc|Subject|Reply-To|Importance|At|Pwnc|An|Betreff|À|Objet|Para|Asunto|Assunto|A|Oggetto|Aan"
    r"|Onderwerp|Do|DW|Temat|Till|Ämne|Til|Emne|Vastaanottaja|Aihe|Кому|Тема|Копия|Kime|Konu|Címzett|Tárgy|Către|Subiect"
    r"|Προς|Θέμα|Cc/Cci)\s?:)",
    re.IGNORECASE,
)
_SENT_LINES = 4
_REST_IS_OLD = re.compile(
    r"--|_{20,}"
    r"|-{2,}\s?(?:original message|forwarded message|neges wreiddiol|ursprüngliche nachricht|message d'origine)\s?--+",
    re.IGNORECASE,
)
_DEVICE_SIGNATURE = re.compile(
    r"(?:sent (?:from|with|via) \S.{0,60}|(?:get|download) outlook for .{0,60}|get bluemail for .{0,40})", re.IGNORECASE
)
_QUOTE_MARKS: Final = (">", "|", "│")
_ONE_MARK: Final = re.compile(r"[>|│](?!\s?[>|│])\s?")
_GAPS: Final = re.compile(r"\n{3,}")
_LETTERS: Final = Table(lambda character: character if character.isalnum() else "")
_MOST_HEADER_LINES: Final = 12
# Text that is not read by people.
_NO_WORDS: Final = frozenset(
    {"calendar", "rfc822-headers", "vcard", "x-vcard", "directory", "css", "csv", "x-amp-html"}
)


@once
def decoded(part: Mail) -> str:
    """
    Return the text of a part, whatever character set it declares.
    """
    body = part.get_payload(decode=True)
    if not isinstance(body, bytes):
        return ""
    body = body[:_LONGEST_BODY]
    charset = str(part.get_content_charset("utf-8")).replace("_", "-")
    for name in (charset, "utf-8") if charset not in _NO_CHARSETS else ("utf-8",):
        try:
            return clean(body.decode(name).replace("\r\n", "\n").replace("\r", "\n"))
        except (LookupError, ValueError):
            continue
    return clean(body.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n"))


@attrs.frozen(kw_only=True)
class Written:
    """
    What a mail says.

    Attributes:
        new: What its writer added, as far as that can be told: without quotes and signatures.
        rest: What else it says that is not marked as a quote: below a signature or a quote whose end cannot be found,
            in an attached text, or in the HTML alone.
        quoted: The quote itself, without those within it: a person may write between its lines, where their program
            marks what they write like the rest.
        whole: All of it, for people to read. Quotes are marked with ``>``.
    """

    new: str = attrs.field(default="", repr=False)
    rest: str = attrs.field(default="", repr=False)
    quoted: str = attrs.field(default="", repr=False)
    whole: str = attrs.field(default="", repr=False)


def written(parts: Sequence[Mail]) -> Written:
    """
    Return what a mail says in all of its texts.

    Args:
        parts: The mail and its parts, without those of mails inside it.
    """
    plain: list[Written] = []
    html: list[Written] = []
    attached: list[Written] = []
    for part in parts:
        kind, _, form = type_of(part).partition("/")
        if kind != "text" or form in _NO_WORDS or part.is_multipart():
            continue
        is_html = form == "html"
        said = without_quotes(from_html(decoded(part)) if is_html else decoded(part))
        if not said.whole:
            continue
        # Some servers turn the text below a picture into an attachment.
        is_attached = part.get_content_disposition() == "attachment"
        (attached if is_attached else html if is_html else plain).append(said)
    if not plain and not html and parts and not parts[0].is_multipart():
        plain = [without_quotes(decoded(parts[0]))]  # the parts cannot be told apart
    first = plain if any(said.new for said in plain) or not html else html
    shown = _joined(said.whole for said in plain)
    more = _not_in(shown, _joined(text for said in html for text in (said.new, said.rest))) if plain else ""
    rest = [*(said.rest for said in first), more, *(text for said in attached for text in (said.new, said.rest))]
    quoted = _joined(said.quoted for said in plain)
    more_quoted = _not_in(quoted, _joined(said.quoted for said in html))
    whole = [shown, more, *([] if plain else [said.whole for said in html]), *(said.whole for said in attached)]
    return Written(
        new=_ends(_joined(said.new for said in first)),
        rest=_ends(_joined(rest)),
        quoted=_ends(_joined([quoted, more_quoted])),
        whole=_joined(whole)[:_LONGEST_TEXT],
    )


def _ends(text: str) -> str:
    """
    Return the beginning and the end of a text that is too long: people write above what they repeat, or below it.
    """
    half = _LONGEST_TEXT // 2 - 1
    return text if len(text) <= _LONGEST_TEXT else f"{text[:half]}\n\n{text[-half:]}"


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(filter(None, texts))


def _not_in(shown: str, html: str) -> str:
    """
    Return the lines of *html* whose words are not in *shown*: the two are usually the same text, broken differently.
    """
    if not html:
        return ""
    known = _squeezed(shown)
    if _squeezed(html) in known:
        return ""
    return "\n".join(line for line in html.split("\n") if _squeezed(line) not in known)


def _squeezed(text: str) -> str:
    return _LETTERS.translate(text).casefold()


def without_quotes(text: str) -> Written:
    """
    Return the lines of *text* that are neither quoted nor a signature, and those that may be either.
    """
    lines = [line.strip() for line in text.split("\n")]
    new: list[str] = []
    rest: list[str] = []
    quoted: list[str] = []
    kept, number = new, 0
    while number < len(lines):
        line = lines[number]
        if not line:
            kept.append(line)
            number += 1
        elif line.startswith(("--", "__")) and _REST_IS_OLD.fullmatch(line):
            kept, number = rest, _below_headers(lines, number + 1)
        elif _begins_old_headers(lines, number):
            kept, number = rest, _below_headers(lines, number)
        elif length := _attribution(lines, number):
            number += length
            if not next(filter(None, lines[number:]), "").startswith(_QUOTE_MARKS):
                kept = rest  # A mail quoted without a mark: its end cannot be found.
        else:
            if line.startswith(_QUOTE_MARKS):
                if mark := _ONE_MARK.match(line):
                    quoted.append(line[mark.end() :])
            elif not _DEVICE_SIGNATURE.fullmatch(line):
                kept.append(line)
            number += 1
    return Written(new=_tidy(new), rest=_tidy(rest), quoted=_tidy(quoted), whole=_tidy(lines))


def _tidy(lines: Iterable[str]) -> str:
    return _GAPS.sub("\n\n", "\n".join(lines)).strip()


def _below_headers(lines: Sequence[str], number: int) -> int:
    """
    Return the number of the first line below the headers of a quoted mail, which may begin at line *number*.
    """
    end = number
    while end < len(lines) and not lines[end]:
        end += 1
    if end == len(lines) or not _FROM.match(lines[end]):
        return number
    last = min(len(lines), end + _MOST_HEADER_LINES)
    while end < last and _HEADER_LINE.match(lines[end]):
        end += 1
    return end


def _attribution(lines: list[str], number: int) -> int:
    """
    Return how many lines a sentence such as "On Tuesday Acme wrote:" takes up from line *number* on, or 0.
    """
    if lines[number].endswith(":") and _SHORT_ATTRIBUTION.fullmatch(lines[number]):
        return 1
    for length, line in enumerate(lines[number : number + _ATTRIBUTION_LINES], 1):
        if line.endswith(":"):
            joined = " ".join(lines[number : number + length])
            if len(joined) <= 600 and _ATTRIBUTION.fullmatch(joined):
                return length
    return 0


def _begins_old_headers(lines: list[str], number: int) -> bool:
    return (
        ":" in lines[number]
        and _FROM.match(lines[number]) is not None
        and any(_SENT.match(line) for line in lines[number + 1 : number + 1 + _SENT_LINES])
    )
