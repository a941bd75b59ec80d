"""
Where an email of ours speaks of stopping itself, so that a reply which repeats it is not taken for a stop.

Known of marketing, of which a few bytes are kept with each message, and of questions, whose wordings are pinned.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from optly import rendering, typed
from optly._operations.application import Application
from optly._operations.compose import in_words, letterhead
from optly._operations.payload import Payload
from optly.contacts import Contact
from optly.links import StopReach
from optly.messages import Content
from optly.messages.plain import from_html
from optly.messages.quoting import Ours
from optly.rules import Reason

_END_OF_PARAGRAPH: Final = re.compile(r"</(?:p|td|li|div|h[1-6])>", re.IGNORECASE)


def in_marketing(app: Application, payload: Payload) -> Ours:
    """
    Return where a marketing message speaks of stopping, in any of the forms in which it may go out.
    """
    assert payload.content is not None
    head = letterhead(app, payload)
    found = _in_marketing(head, payload.content, "")
    if payload.stops is StopReach.PURPOSE:
        found |= _in_marketing(head, payload.content, in_words(app, head, payload.channel, payload.purpose))
    return found


@lru_cache(maxsize=64)
def _in_marketing(head: rendering.Letterhead, content: Content, stops: str) -> Ours:
    return _in_content(content, _frame(head, stops))


@lru_cache(maxsize=64)
def _frame(head: rendering.Letterhead, stops: str) -> tuple[str, ...]:
    """
    Return the paragraphs below the host's own. Whatever is said there of why they get it: there is no stop in that.
    """
    nothing = Content(subject="", text="")
    return tuple(_paragraphs(rendering.marketing(head, nothing, reason=Reason.CONSENTED, stops=stops).text))


async def in_question(app: Application, contact: Contact, question: str) -> Ours:
    """
    Return where a request for consent speaks of stopping.
    """
    standing = (await app.repository.require(contact)).standing
    asked = standing.question(question)
    if asked is None:
        return Ours()
    wordings = list((await app.repository.wordings(choice.wording for choice in asked.choices)).values())
    head = rendering.Letterhead(organisation=app.settings.organisation, more=app.settings.catalogues)
    found = Ours()
    for language in {standing.language, *(wording.language for wording in wordings)}:
        content = rendering.request(typed.evolve(head, language=language), wordings, until=asked.expires_at)
        found |= _in_content(content)
    return found


def _in_content(content: Content, below: tuple[str, ...] = ()) -> Ours:
    """
    Find the places in both forms of a content, with what stands below either.
    """
    html = map(_plain, _END_OF_PARAGRAPH.split(content.html)) if content.html else ()
    found = Ours.in_pieces([*_paragraphs(content.text), *below]) | Ours.subject(content.subject)
    return found | Ours.in_pieces([*html, *below])


def _paragraphs(text: str) -> list[str]:
    return text.split("\n\n")


_plain = lru_cache(maxsize=1024)(from_html)
