"""
What a mail says: what is new in it, what else stands there, and all of it. Pure.

What is new is a guess: quotes and signatures have as many forms as there are mail programs. So nothing is thrown away
for it. What stands below is returned beside it, because a person may write there too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from email.message import Message as Mail
from html import unescape
from typing import Final

import attrs

_LONGEST_BODY = 64 * 1024  # the newest text is at the top, and no answer to a question is as long as this
_LONGEST_TEXT = 10_000

_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
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
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")
_MOST_HEADER_LINES: Final = 12
_OLD = f"\n{'_' * 20}\n"
# Text that is not read by people.
_NO_WORDS: Final = frozenset(
    {"calendar", "rfc822-headers", "vcard", "x-vcard", "directory", "css", "csv", "x-amp-html"}
)


def clean(text: str) -> str:
    """
    Return *text* without what a store cannot keep: control characters and halves of characters are replaced.
    """
    return _NOT_TEXT.sub("\ufffd", text)


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
        whole: All of it, for people to read. Quotes are marked with ``>``.
    """

    new: str = attrs.field(default="", repr=False)
    rest: str = attrs.field(default="", repr=False)
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
        if part.get_content_maintype() != "text" or part.get_content_subtype() in _NO_WORDS or part.is_multipart():
            continue
        is_html = part.get_content_subtype() == "html"
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
    whole = [shown, more, *([] if plain else [said.whole for said in html]), *(said.whole for said in attached)]
    return Written(
        new=_joined(said.new for said in first)[:_LONGEST_TEXT],
        rest=_joined(rest)[:_LONGEST_TEXT],
        whole=_joined(whole)[:_LONGEST_TEXT],
    )


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(filter(None, texts))


def _not_in(shown: str, html: str) -> str:
    """
    Return the lines of *html* whose words are not in *shown*: the two are usually the same text, broken differently.
    """
    known = _squeezed(shown)
    if _squeezed(html) in known:
        return ""
    return "\n".join(line for line in html.split("\n") if _squeezed(line) not in known)


def _squeezed(text: str) -> str:
    return _BETWEEN_WORDS.sub("", text).casefold()


def without_quotes(text: str) -> Written:
    """
    Return the lines of *text* that are neither quoted nor a signature, and those that may be either.
    """
    lines = [line.strip() for line in text.split("\n")]
    new: list[str] = []
    rest: list[str] = []
    kept, number = new, 0
    while number < len(lines):
        line = lines[number]
        if _REST_IS_OLD.fullmatch(line):
            kept, number = rest, _below_headers(lines, number + 1)
        elif _begins_old_headers(lines, number):
            kept, number = rest, _below_headers(lines, number)
        elif length := _attribution(lines, number):
            number += length
            if not next(filter(None, lines[number:]), "").startswith(_QUOTE_MARKS):
                kept = rest  # A mail quoted without a mark: its end cannot be found.
        else:
            if not line.startswith(_QUOTE_MARKS) and not _DEVICE_SIGNATURE.fullmatch(line):
                kept.append(line)
            number += 1
    return Written(new=_tidy(new), rest=_tidy(rest), whole=_tidy(lines))


def _tidy(lines: Iterable[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


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
    for length in range(1, _ATTRIBUTION_LINES + 1):
        joined = " ".join(lines[number : number + length])
        if len(joined) > 600 or not lines[number + length - 1 : number + length]:
            break
        if joined.endswith(":") and _ATTRIBUTION.fullmatch(joined):
            return length
    return 0


def _begins_old_headers(lines: list[str], number: int) -> bool:
    return _FROM.match(lines[number]) is not None and any(
        _SENT.match(line) for line in lines[number + 1 : number + 1 + _SENT_LINES]
    )


# ---- HTML

_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)([^<>]*)>", re.IGNORECASE)
_CLASS = re.compile(r"\bclass\s*=\s*[\"']?([\w -]*)", re.IGNORECASE)
_NAMED = re.compile(r"\b(?:id|name)\s*=\s*[\"']?([\w-]*)", re.IGNORECASE)
_LINK = re.compile(r"\bhref\s*=\s*[\"']?(https?://[^\s\"'<>]{1,1000})", re.IGNORECASE)
_BREAKS = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "hr"})
_HIDDEN = frozenset({"script", "style", "head", "title", "template"})
# Of a div. What Gmail and Proton quote is in a blockquote, and what a person writes below that is in the same div.
_QUOTES = frozenset({"yahoo_quoted", "quote", "quoted-content"})  # the last two are names, by GMX and mail.com
_OLD_FROM_HERE = frozenset({"divRplyFwdMsg", "appendonsend"})


def from_html(html: str) -> str:
    """
    Convert HTML to text, with the lines of a quote marked with ``>``, and the address of a link behind it.

    By hand, because the library's parser takes up to a minute for 64 KiB of hostile HTML, and fails on some.
    """
    visible = html.partition("<!--")[0] + "".join(part.partition("-->")[2] for part in html.split("<!--")[1:])
    text = _Text()
    inside, depth, quoted, read = "", 0, False, 0
    for tag in _TAG.finditer(visible):
        closes, name, attributes = tag[1], tag[2].lower(), tag[3]
        text.add("" if inside in _HIDDEN and depth else visible[read : tag.start()], quoted=quoted and depth > 0)
        read = tag.end()
        if depth:
            depth += (-1 if closes else 1) if name == inside else 0
            if not depth:
                text.break_line()
        elif not closes and name in _HIDDEN:
            inside, depth, quoted = name, 1, False
        elif not closes and (name == "blockquote" or (name == "div" and not _QUOTES.isdisjoint(_values(attributes)))):
            inside, depth, quoted = name, 1, True
            text.break_line()
        elif not _OLD_FROM_HERE.isdisjoint(_values(attributes)):
            text.write(_OLD)
        if name in _BREAKS:
            text.break_line()
        elif name == "a":
            text.link("" if closes else _match_link(attributes))
    text.add("" if inside in _HIDDEN and depth else visible[read:], quoted=quoted and depth > 0)
    return text.text()


@attrs.define
class _Text:
    """
    Text that is written piece by piece.
    """

    pieces: list[str] = attrs.field(factory=list, repr=False)
    begun: bool = False
    href: str = attrs.field(default="", repr=False)

    def add(self, html: str, *, quoted: bool) -> None:
        words = _words(html)
        if not words or (not self.begun and words == " "):
            return
        if quoted and not self.begun:
            self.pieces.append("> ")
        self.pieces.append(words)
        self.begun = True

    def link(self, href: str) -> None:
        """
        Begin a link, or end one: its address follows its words.
        """
        if self.href and self.begun and self.href not in self.pieces[-1]:
            self.pieces.append(f" <{self.href}>")
        self.href = href

    def break_line(self) -> None:
        self.pieces.append("\n")
        self.begun = False

    def write(self, text: str) -> None:
        self.pieces.append(text)
        self.begun = False

    def text(self) -> str:
        return "".join(self.pieces)


def _values(attributes: str) -> set[str]:
    """
    Return the classes and the name or id in the attributes of a tag.
    """
    if "=" not in attributes:
        return set()
    found = _CLASS.search(attributes)
    values = set(found[1].split()) if found else set()
    return values.union(_NAMED.findall(attributes))


def _match_link(attributes: str) -> str:
    found = _LINK.search(attributes)
    return unescape(found[1]) if found else ""


def _words(text: str) -> str:
    return clean(unescape(re.sub(r"\s+", " ", text)))
