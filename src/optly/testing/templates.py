"""
A judge of a host's templates, for the host's own tests: every page with made-up facts, read as a browser reads it.

It finds what can only be seen on a page as it is shown, such as a translation that breaks it (see `optly.portal.guard`
for what a template itself must not hold). Neither style sheets nor scripts are run::

    assert check_templates(manager.portal(templates=[Path("pages")])) == ()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from optly.locale.i18n import languages
from optly.portal import Portal, TemplateFinding
from optly.portal.guard import finding
from optly.testing._page import Element, read_elements
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
    elements = read_elements(page)
    if any(e.tag == "form" and e.form is not None for e in elements):
        yield "a form is inside another, where browsers leave it out"
    seen = [e for e in elements if _is_seen(e)]
    if facts["stop"] is not None and not any(
        e.tag == "button" and e.text.strip() and e.form and e.form.facts.get("action") == facts["stop"] for e in seen
    ):
        yield "no button that can be seen and pressed stops everything"
    if not any(e.tag == "address" and facts["organisation"].name in e.text for e in seen):
        yield "the sender cannot be seen"
    for field in (field for group in facts.get("groups", {}).values() for field in group):
        controls = [e for e in elements if e.facts.get("name") == field.name and e.form is not None]
        sent = [e.facts.get("value") for e in controls if e in seen and e.facts.get("type") == "radio"]
        if len(controls) != 2 or sent != [field.yes, field.no]:
            yield "a question does not have its two answers, to be seen and pressed, and no others"


def _is_seen(element: Element) -> bool:
    """
    Whether, by the page itself, an element can be seen and, if it is of a form, pressed.
    """
    hiding = {"hidden", "inert", "disabled"} if element.form else {"hidden", "inert"}
    return not any(each.tag in _UNSEEN for each in element.inside) and not any(
        each.facts.keys() & hiding
        or each.facts.get("aria-hidden") == "true"
        or (each.tag in ("details", "dialog") and "open" not in each.facts)
        or "unseen" in each.facts.get("class", "").split()
        for each in (*element.inside, element.form or element, element)
    )
