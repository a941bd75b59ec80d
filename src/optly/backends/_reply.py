"""
The text a person wrote in a mail, without quotes and signatures. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.message import Message as Mail
from html import unescape
from typing import Final

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
_FROM = re.compile(r"\*?(?:From|Oddi wrth|Von|De|Da|Van)\s?:\*?\s", re.IGNORECASE)
_SENT = re.compile(
    r"\*?(?:Sent|Date|Anfonwyd|Dyddiad|Gesendet|Datum|Envoyé|Enviado|Fecha|Inviato|Data|Verzonden)\s?:", re.IGNORECASE
)
_SENT_LINES = 4
_REST_IS_OLD = re.compile(
    r"--|_{20,}"
    r"|-{2,}\s?(?:original message|forwarded message|neges wreiddiol|ursprüngliche nachricht|message d'origine)\s?--+",
    re.IGNORECASE,
)
_DEVICE_SIGNATURE = re.compile(r"(?:sent from (?:my|the) \S.{0,60}|get outlook for .{0,40})", re.IGNORECASE)
_QUOTED, _OLD = "\n> …\n", f"\n{'_' * 20}\n"


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


def newest_text(parts: Iterable[Mail]) -> str:
    """
    Return the new text in a mail, without quoted text and without a signature.

    Args:
        parts: The mail and its parts, without those of mails inside it.
    """
    html = ""
    for part in parts:
        if part.get_content_disposition() == "attachment":
            continue
        kind = part.get_content_type()
        if kind == "text/plain" and (text := decoded(part)).strip():
            return without_quotes(text)
        if kind == "text/html":
            html = html or decoded(part)
    return without_quotes(_from_html(html))


def without_quotes(text: str) -> str:
    """
    Return the lines of *text* that are neither quoted nor a signature, whether above or below the quote.
    """
    lines = [line.strip() for line in text.split("\n")]
    kept: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        if _REST_IS_OLD.fullmatch(line) or _begins_old_headers(lines, number):
            break
        if length := _attribution(lines, number):
            number += length
            if not next(filter(None, lines[number:]), "").startswith(">"):
                break  # A mail quoted without a mark: its end cannot be found.
            continue
        if not line.startswith((">", "|>")) and not _DEVICE_SIGNATURE.fullmatch(line):
            kept.append(line)
        number += 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()[:_LONGEST_TEXT]


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
_ID = re.compile(r"\bid\s*=\s*[\"']?([\w-]*)", re.IGNORECASE)
_BREAKS = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "hr"})
_HIDDEN = frozenset({"script", "style", "head", "title", "template"})
_QUOTES = frozenset({"gmail_quote", "gmail_quote_container", "yahoo_quoted", "protonmail_quote"})
_OLD_FROM_HERE = frozenset({"divRplyFwdMsg", "appendonsend"})


def _from_html(html: str) -> str:
    """
    Convert HTML to text, with a quote as one quoted line.

    By hand, because the library's parser takes up to a minute for 64 KiB of hostile HTML, and fails on some.
    """
    visible = html.partition("<!--")[0] + "".join(part.partition("-->")[2] for part in html.split("<!--")[1:])
    written: list[str] = []
    skipped, depth, read = "", 0, 0
    for tag in _TAG.finditer(visible):
        closes, name, attributes = tag[1], tag[2].lower(), tag[3]
        if not depth:
            written.append(_words(visible[read : tag.start()]))
        read = tag.end()
        if depth:
            depth += (-1 if closes else 1) if name == skipped else 0
        elif not closes and name in _HIDDEN:
            skipped, depth = name, 1
        elif not closes and (name == "blockquote" or _values(_CLASS, attributes) & _QUOTES):
            written.append(_QUOTED)
            skipped, depth = name, 1
        elif _values(_ID, attributes) & _OLD_FROM_HERE:
            written.append(_OLD)
        elif name in _BREAKS:
            written.append("\n")
    if not depth:
        written.append(_words(visible[read:]))
    return "".join(written)


def _values(attribute: re.Pattern[str], attributes: str) -> set[str]:
    found = attribute.search(attributes)
    return set(found[1].split()) if found else set()


def _words(text: str) -> str:
    return clean(unescape(re.sub(r"\s+", " ", text)))
