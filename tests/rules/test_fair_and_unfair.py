"""
Innocent sentences that have the words of a flaw in them, and guilty ones that have not, as a careful lawyer reads them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from optly import Channel, Organisation, Wording
from optly.record.events import Defect
from optly.rules.lint import Form, Partner, Severity, lint

# Each with why it is sound or what is wrong with it, judged from the rule sheet (section 8) before it was run.
WORDINGS: Final = json.loads(Path(__file__).with_name("fair_and_unfair.json").read_text(encoding="utf-8"))


def test_a_wording_is_judged_as_a_lawyer_would(subtests: pytest.Subtests) -> None:
    """
    A sound one is not blocked for anything; an unsound one is, for what is wrong with it.
    """
    for case in WORDINGS:
        with subtests.test(case["text"]):
            found = lint(
                Wording(text=case["text"], hint=case.get("hint", "You can stop at any time."), no=case.get("no", "No")),
                organisation=Organisation(key="o", name=case["org"], address="1 High Street, Leeds LS1 1AA"),
                channels=[Channel(channel) for channel in case["channels"]],
            )
            defects = {finding.defect for finding in found if finding.severity is Severity.INVALIDATING}
            expected = set(case["expected"])
            assert expected <= defects, case["why"]
            assert bool(expected) == bool(defects), case["why"]
            assert set(case.get("weak", [])) <= {finding.code for finding in found}, case["why"]


@pytest.mark.parametrize(("partners", "expected"), [((), {Defect.OTHERS_NOT_NAMED}), (("Beta Ltd",), set())])
def test_others_may_be_named_in_a_list(partners: tuple[str, ...], expected: set[Defect]) -> None:
    """
    If the form has it.
    """
    found = lint(
        Wording(text="May Acme Ltd and the florists listed below email you?"),
        organisation=Organisation(key="acme", name="Acme Ltd", address="1 High Street, Leeds LS1 1AA"),
        channels=[Channel.EMAIL],
        form=Form(partners=tuple(Partner(name=name, choosable=True) for name in partners)),
    )
    assert expected == {finding.defect for finding in found if finding.severity is Severity.INVALIDATING}
