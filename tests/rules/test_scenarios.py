"""
The scenarios: each is put on record, asked, and compared with the answer a careful sender would act on.
"""

from __future__ import annotations

import pytest
from rules.boundaries import boundaries, case
from rules.scenario import agrees, load, path, put

from optly.rules import UKPECR

SCENARIOS = [*load(path()), *boundaries()]


def test_a_scenario_is_decided_as_a_lawyer_would(subtests: pytest.Subtests) -> None:
    """
    Both the answer and the provision agree.

    The provision a scenario names first has to be one that the decision names, in `regulation` or in `also`. Two names
    agree if they are the same or one lies in the other, as 22(3A)(b)(i) lies in 22(3A). The decision may name more,
    because a refusal rests on a prohibition and on the exception that was not met, and authors name either: 19(1) and
    19(2)(a), 21(1)(b) and 21(4), 22(2) and UK GDPR 21(3). It never names provisions of another ground.
    """
    for scenario in SCENARIOS:
        with subtests.test(scenario["id"]):
            communication, standing = put(scenario)
            decision = UKPECR().assess(communication, standing)
            assert agrees(decision, scenario), (
                f"{scenario['why']}: {scenario['regulation']} is not {decision} {decision.also}"
            )


@pytest.mark.parametrize(
    ("expected", "regulation", "right"),
    [
        ("refused", "22(2)", True),
        ("refused", "22(2); UK GDPR 7(1)", True),
        ("refused", "22", True),
        ("refused", "2(1)", True),
        ("allowed", "22(2)", False),
        ("refused", "22(3)", False),
        ("refused", "22(3A)(c)", False),
        ("refused", "UK GDPR 21(3)", False),
        ("refused", "23(b)", False),
        ("refused", "not direct marketing", False),
    ],
)
def test_the_comparison_is_one(expected: str, regulation: str, right: bool) -> None:
    """
    A refusal for want of consent is neither a permission nor a refusal for another reason.
    """
    communication, standing = put(case("email", expected, regulation))
    decision = UKPECR().assess(communication, standing)
    assert agrees(decision, case("email", expected, regulation)) is right
