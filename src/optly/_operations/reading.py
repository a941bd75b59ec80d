"""
How the words of a consent are read: for a question before it is asked, and for a consent as it is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import attrs

from optly._operations.application import Application
from optly.contacts import Channel, Organisation, Purpose, Wording
from optly.locale.i18n import Catalogues
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
    app: Application, wording: Wording, organisation: Organisation, channel: Channel, purpose: Purpose
) -> tuple[WordingFinding, ...]:
    """
    Return what makes a consent to the question of *purpose* invalid, or keeps it from being judged.

    Args:
        organisation: The organisation under the name that it asks in.
    """
    found = _found(wording, organisation, channel, None, (), ())
    return _without_known(app, found, wording, channel, purpose)


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
    found = _without_known(
        app, _found(wording, organisation, channel, purpose, others, partners), wording, channel, purpose
    )
    if partners and organisation.key not in named:
        found = _without(found, WordingFlaw.NO_ORGANISATION)
    defects = [finding.defect for finding in found if finding.defect is not None]
    codes = dict.fromkeys(finding.code.value for finding in found)
    return Reading(found=tuple(codes), defects=tuple(dict.fromkeys(defects)), unproven=unproven)


def _without(found: Sequence[WordingFinding], *flaws: WordingFlaw) -> tuple[WordingFinding, ...]:
    return tuple(finding for finding in found if finding.code not in flaws)


def _without_known(
    app: Application, found: tuple[WordingFinding, ...], wording: Wording, channel: Channel, purpose: Purpose
) -> tuple[WordingFinding, ...]:
    """
    Return the findings without those that the origin of the words disproves.

    The questions of a purpose are about it. And what Optly's own say is known in every language that they are in.
    """
    found_codes = {finding.code for finding in found}
    if WordingFlaw.NO_PURPOSE in found_codes and _asks_about(app, wording, purpose):
        found = _without(found, WordingFlaw.NO_PURPOSE)
    if WordingFlaw.NOT_JUDGED in found_codes:
        built_in = attrs.evolve(purpose, wordings={})
        if wording in _questions(app, built_in, [channel], wording.language, more=()):
            found = _without(found, WordingFlaw.NOT_JUDGED)
    return found


def _asks_about(app: Application, wording: Wording, purpose: Purpose) -> bool:
    if wording in purpose.wordings.values():
        return True
    return wording in _questions(app, purpose, Channel, wording.language, app.settings.catalogues)


def _questions(
    app: Application, purpose: Purpose, channels: Iterable[Channel], language: str, more: Catalogues
) -> Iterator[Wording]:
    """
    Yield the questions of *purpose* under each name of the organisation.
    """
    organisation = app.settings.organisation
    for name in organisation.names:
        for channel in channels:
            yield purpose.wording(organisation.trading_as(name), channel, language, more)
