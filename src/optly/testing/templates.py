"""
A judge of a host's templates, for the host's own tests: every page with made-up facts, read as a browser reads it.

It finds what can only be seen on a page as it is shown, such as a translation that breaks it (see `optly.portal.guard`
for what a template itself must not hold). Neither style sheets nor scripts are run::

    assert check_templates(manager.portal(templates=[Path("pages")])) == ()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any, Final

import attrs

from optly.locale.i18n import languages
from optly.portal import Portal, TemplateFinding
from optly.portal.guard import VOID, finding
from optly.testing.pages import samples

# What is inside these is not on the page.
_UNSEEN: Final = frozenset(
    {"audio", "canvas", "iframe", "math", "noscript", "object", "select", "svg", "template", "textarea", "video"}
)


def check_templates(portal: Portal) -> tuple[TemplateFinding, ...]:
    """
    Return what is wrong with the host's templates: those that cannot be used (`Portal.check_templates`) or, if all of
    them can, what is wrong with the pages that they make, in every language and state.
    """
    look = portal.look
    found = dict.fromkeys(portal.check_templates())
    for sample in () if found else samples(look.organisation, look.mount):
        for language in languages(look.catalogues):
            facts = look.facts(sample.template, language=language, **sample.facts)
            name = facts["template"]
            try:
                faults = [TemplateFinding(template=name, line=0, message=m) for m in judge(look.render(facts), facts)]
            except Exception as error:  # whatever a template raises
                faults = [finding(name, error)]
            found |= dict.fromkeys(faults)
    return tuple(found)


def judge(page: str, facts: Mapping[str, Any]) -> Iterator[str]:
    """
    Yield what is wrong with *page*, which was made of *facts*.
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    if any(e.tag == "form" and e.form is not None for e in reader.elements):
        yield "a form is inside another, where browsers leave it out"
    if facts["stop"] is not None and not any(
        e.tag == "button" and e.seen and e.text.strip() and e.form and e.form.attributes.get("action") == facts["stop"]
        for e in reader.elements
    ):
        yield "no button that can be seen and pressed stops everything"
    if not any(e.tag == "address" and e.seen and facts["organisation"].name in e.text for e in reader.elements):
        yield "the sender cannot be seen"
    for field in (field for group in facts.get("groups", {}).values() for field in group):
        controls = [e for e in reader.elements if e.attributes.get("name") == field.name and e.form is not None]
        sent = [e.attributes.get("value") for e in controls if e.seen and e.attributes.get("type") == "radio"]
        if len(controls) != 2 or sent != [field.yes, field.no]:
            yield "a question does not have its two answers, to be seen and pressed, and no others"


@attrs.define(kw_only=True)
class _Element:
    """
    An element of a page, with the form and the text in it; *seen* if, by the page itself, it can be seen and pressed.
    """

    tag: str
    attributes: Mapping[str, str]
    seen: bool
    form: _Element | None
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[_Element] = []
        self._open: list[_Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # If an attribute is given twice, browsers use the first.
        given = {name: value or "" for name, value in reversed(attrs)}
        around = self._open[-1] if self._open else None
        form = around and (around if around.tag == "form" else around.form)
        hidden = given.keys() & {"hidden", "inert", "disabled"} or given.get("aria-hidden") == "true"
        closed = tag in ("details", "dialog") and "open" not in given
        seen = not (hidden or closed or "unseen" in given.get("class", "").split())
        seen = seen and (around is None or (around.seen and around.tag not in _UNSEEN))
        self.elements.append(_Element(tag=tag, attributes=given, seen=seen, form=form))
        if tag not in VOID:
            self._open.append(self.elements[-1])

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place].tag == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data
