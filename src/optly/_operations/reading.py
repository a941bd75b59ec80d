"""
How the words of a consent are read: for a question before it is asked, and for a consent as it is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from optly._operations.application import Application
from optly.contacts import Channel, Organisation, Purpose, Wording
from optly.locale.i18n import SOURCE, Catalogues
from optly.record.events import Evidence, Manner, Reading
from optly.rules.lint import Form, Partner, Severity, WordingFinding, WordingFlaw, lint, says_nothing


@lru_cache(maxsize=1024)
def _found(
    wording: Wording,
    organisation: Organisation,
    channel: Channel,
    purpose: Purpose | None,
    others: tuple[Purpose, ...],
    partners: tuple[str, ...],
) -> tuple[WordingFinding, ...]:
    form = Form(partners=tuple(Partner(name=name, choosable=True) for name in partners)) if partners else None
    findings = lint(wording, organisation=organisation, channels=[channel], form=form, purpose=purpose, others=others)
    return tuple(finding for finding in findings if finding.severity is not Severity.WEAK)


def of_question(
    app: Application, wording: Wording, organisation: Organisation, channel: Channel
) -> tuple[WordingFinding, ...]:
    """
    Return what makes a consent to a question about *channel* invalid, or keeps it from being judged.

    Args:
        organisation: The organisation under the name that it asks in.
    """
    return _found(_original(app, wording), organisation, channel, None, (), ())


def of_consent(
    app: Application, wording: Wording, channel: Channel, purpose: Purpose, how: str, manner: Manner | None
) -> Reading:
    """
    Return what was found in the words of a consent that was given elsewhere, and in how it was given.

    The organisation that keeps the record has to be named by any of its names, unless the consent names others only.
    """
    collected_by = "" if manner is None else manner.collected_by
    unproven = (Evidence.HOW,) if says_nothing(how) or (collected_by and says_nothing(collected_by)) else ()
    if says_nothing(wording.text):
        return Reading(unproven=(*unproven, Evidence.WORDING))
    organisation = app.settings.organisation
    named = () if manner is None else manner.organisations or ()
    partners = tuple(key for key in named if key != organisation.key)
    others = tuple(other for other in app.settings.purposes.values() if other.key != purpose.key)
    found = _found(_original(app, wording), organisation, channel, purpose, others, partners)
    if any(finding.code is WordingFlaw.NO_PURPOSE for finding in found) and _asks_about(app, wording, purpose):
        found = _without(found, WordingFlaw.NO_PURPOSE)
    if partners and organisation.key not in named:
        found = _without(found, WordingFlaw.NO_ORGANISATION)
    defects = [finding.defect for finding in found if finding.defect is not None]
    codes = dict.fromkeys(finding.code.value for finding in found)
    return Reading(found=tuple(codes), defects=tuple(dict.fromkeys(defects)), unproven=unproven)


def _without(found: Sequence[WordingFinding], flaw: WordingFlaw) -> tuple[WordingFinding, ...]:
    return tuple(finding for finding in found if finding.code is not flaw)


def _asks_about(app: Application, wording: Wording, purpose: Purpose) -> bool:
    """
    Whether it is a question of *purpose* itself: such a one is about it.
    """
    if wording in purpose.wordings.values():
        return True
    asked = _questions(app.settings.organisation, purpose, wording.language, app.settings.catalogues)
    return any(wording == question for question, _, _ in asked)


def _original(app: Application, wording: Wording) -> Wording:
    """
    Return the English question that *wording* is Optly's own translation of, else *wording* itself.

    What Optly's own questions say is known in every language they are in.
    """
    if wording.language.partition("-")[0].lower() == SOURCE:
        return wording
    texts = tuple(
        (purpose.title, purpose.hint, tuple(purpose.titles.items()), tuple(purpose.hints.items()))
        for purpose in app.settings.purposes.values()
    )
    return _originals(app.settings.organisation, texts, wording.language).get(wording, wording)


_Texts: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]


@lru_cache(maxsize=64)
def _originals(organisation: Organisation, texts: tuple[_Texts, ...], language: str) -> Mapping[Wording, Wording]:
    """
    Return Optly's own questions in *language*, each with its English original.

    Args:
        texts: The title, the hint and their translations of each purpose.
    """
    originals: dict[Wording, Wording] = {}
    for title, hint, titles, hints in texts:
        purpose = Purpose(key="any", title=title, hint=hint, titles=dict(titles), hints=dict(hints))
        for question, named, channel in _questions(organisation, purpose, language, ()):
            originals.setdefault(question, purpose.wording(named, channel))
    return originals


def _questions(
    organisation: Organisation, purpose: Purpose, language: str, more: Catalogues
) -> Iterator[tuple[Wording, Organisation, Channel]]:
    """
    Yield the questions of *purpose* for each channel, under each name of the organisation.
    """
    for name in organisation.names:
        named = organisation.trading_as(name)
        for channel in Channel:
            yield purpose.wording(named, channel, language, more), named, channel
