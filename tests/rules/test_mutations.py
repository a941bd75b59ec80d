"""
Every rule is there for a reason: whichever is changed in the source, some scenario or question is answered wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import ModuleType

import pytest
from rules import scenario
from rules.boundaries import boundaries
from rules.direct import AT, DATES, MONTHS
from rules.mutants import Mutant, load, mutants, parsed

SCENARIOS = [*scenario.load(scenario.SHIPPED), *boundaries()]
RULES = ("optly.rules.editions", "optly.rules._grounds", "optly.rules.pecr")
TESTS = ("rules.scenario", "rules.direct")
# Each module with what has to be run anew after it, and the places in it that decide what may be sent.
MODULES = {
    "optly.record.events": (
        ("optly.record.commands", "optly.record.standing", "optly.record.consent", *RULES, *TESTS),
        (
            "Act.affirmative",
            "_as_told",
            "Manner.defects",
            "ConsentGiven.told_defects",
            "ConsentGiven.defects",
        ),
    ),
    "optly.record.standing": (
        ("optly.record.consent", *RULES, *TESTS),
        (
            "StandingConsent.runs",
            "StandingStop.covers",
            "Standing.subscriber_of",
            "Standing.running",
            "Standing.used",
            "Standing._unlifted",
            "_lifts",
            "merge_stops",
        ),
    ),
    "optly.record.consent": (
        (*RULES, *TESTS),
        (
            "_merge_consents",
            "_merge_soft_opt_ins",
            "_with_pending",
            "_without_pending",
            "_sent",
            "_with_uses",
            "_communication_made",
            "stops_of",
            "_given_at",
        ),
    ),
    "optly.rules.editions": ((*RULES[1:], *TESTS), ()),
    "optly.rules._grounds": ((*RULES[2:], *TESTS), ()),
    "optly.rules.pecr": (TESTS, ()),
}
# Changes that change no answer, and why.
HARMLESS = {
    "Standing.running: covering and self._unlifted(covering, channel, purpose, line, at) is not None → "
    "self._unlifted(covering, channel, purpose, line, at) is not None": "only saves time",
    "Standing.running: covering and self._unlifted(covering, channel, purpose, line, at) is not None "
    "→ False": "the gate asked for stops before",
    "_with_uses: known.at < at → known.at <= at": "the two are equal",
    "stops_of: True → False": "whoever was erased is refused by that",
    "stop_of: communication.line or 0 → communication.line": "no line has the number 0",
    "stop_of: 0 → -1": "nor -1",
    "set_aside_old: not old → False": "only saves time",
    "_SHORTEST_MONTH: 28 → 27": "only saves time",
    "set_aside_old: not [consent for consent in standing.consents if consent.at <= aged] → False": "only saves time",
    "set_aside_old: consent.at <= aged → consent.at < aged": "only saves time",
    "stop_of: latest.at < stop.at → latest.at <= stop.at": "either refuses it",
    "Standing.running: 1 → 0": "only saves time",
    "Standing.running: len(running) > 1 → len(running) >= 1": "only saves time",
    "UKPECR.assess: standing.charity_soft_opt_ins and communication.charity is None and (self.charity is not None) "
    "→ communication.charity is None and self.charity is not None": "only saves time",
    "UKPECR.assess: standing.charity_soft_opt_ins and communication.charity is None and (self.charity is not None) "
    "→ standing.charity_soft_opt_ins and communication.charity is None": "of no charity nothing further is asked",
    "consent_to: communication.line is None → False": "no consent is for no line",
}


def _wrong(modules: dict[str, ModuleType], put: list[tuple[object, object]] | None) -> Iterator[str]:
    """
    Yield what a rulebook answers wrongly.
    """
    questions, scenarios = modules["rules.direct"], modules["rules.scenario"]
    editions = modules.get("optly.rules.editions")
    if editions is not None:
        yield from (str(at) for at, day in DATES if editions.uk_date(at) != day)
        for start, months, end in MONTHS:
            if editions.months_later(datetime.combine(start, AT.timetz()), months).date() != end:
                yield str(start)
    pecr = modules["optly.rules.pecr"]
    for question in questions.QUESTIONS:
        decision = pecr.UKPECR(**question.settings).assess(question.communication, question.standing)
        if question.answered(decision) != question.expected:
            yield question.name
    rules = pecr.UKPECR()
    for index, wanted in enumerate(SCENARIOS):
        asked = scenarios.put(wanted) if put is None else put[index]
        if not scenarios.agrees(rules.assess(*asked), wanted):
            yield wanted["id"]


def _survives(mutant: Mutant, put: list[tuple[object, object]] | None) -> bool:
    try:
        return next(_wrong(load(mutant, *MODULES[mutant.module][0]), put), None) is None
    except Exception:
        return False  # a rulebook that fails answers nothing


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_no_rule_can_be_changed_unnoticed(module: str) -> None:
    """
    Each comparison turned or moved by its limit, each condition dropped, each number one more or less.

    Among them are a listing of 27 or 29 days in place of 28, a consent for any channel, line, sender or purpose, one
    without evidence, and a tie that the consent wins.
    """
    # What a scenario puts on record is the same for every change of a rule, but not of the heart.
    rule = module.startswith("optly.rules")
    put: list[tuple[object, object]] | None = [scenario.put(wanted) for wanted in SCENARIOS] if rule else None
    places = MODULES[module][1]
    tried = list(mutants(module, *places))
    assert {mutant.place for mutant in tried} >= set(places) - {"_given_at"}
    survived = {str(mutant) for mutant in tried if _survives(mutant, put)}
    assert survived == {harmless for harmless in HARMLESS if harmless in {str(mutant) for mutant in tried}}


@pytest.mark.parametrize("module", MODULES)
def test_without_a_change_nothing_is_answered_wrongly(module: str) -> None:
    """
    Otherwise it would not be the change that is noticed.
    """
    same = Mutant(module=module, place="", old="", new="", tree=parsed(module))
    assert list(_wrong(load(same, *MODULES[module][0]), None)) == []
