"""
Stories of direct marketing, played through the public API, end as a careful lawyer would act.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from rules.player import Play
from services import missing

SHARED: Final = Path(__file__).parents[3] / "shared" / "pecr" / "stories" / "stories.json"
# Stories of our own, each with its `basis`: a regulation, or a section of the rule sheet. What is expected was judged
# from that before any of them was played.
OURS: Final = json.loads(Path(__file__).with_name("stories.json").read_text(encoding="utf-8"))

Story = dict[str, Any]


def _public_authority(story: Story) -> None:
    story["organisation"]["public_authority"] = True
    story["ask"]["public_task"] = "bin collections"


def _attorney(story: Story) -> None:
    [consent] = [step for step in story["steps"] if step["do"] == "record_consent"]
    consent["manner"]["authorised"] = True


def _whatsapp(story: Story) -> None:
    [consent] = [step for step in story["steps"] if step["do"] == "record_consent"]
    consent["channels"] = ["whatsapp"]
    story["ask"]["channel"] = "whatsapp"


def _trading_name(story: Story) -> None:
    story["organisation"]["also_known_as"] = ["Look After My Bills"]
    story["ask"]["trading_as"] = "Look After My Bills"


def _by_email_and_text(story: Story) -> None:
    [request] = [step for step in story["steps"] if step["do"] == "import_objections"]
    request["channels"] = ["email", "sms"]


def _for_the_domain(story: Story) -> None:
    [objection] = [step for step in story["steps"] if step["do"] == "record_objection"]
    del objection["who"]
    objection.update(do="record_domain_objection", domain="firm.example.com", how="letter of the managing director")


def _sent_all_the_same(story: Story) -> None:
    for step in story["steps"]:
        step["may_fail"] = step["do"] == "record_communication"  # the gate would have refused those, too


# Facts that the API had no word for when the stories were written, and now has.
TOLD: Final[dict[str, Callable[[Story], None]]] = {
    "PU-01": _public_authority,
    "HH-08": _attorney,
    "CO-06": _whatsapp,
    "CO-07": _trading_name,
    "CH-14": _by_email_and_text,
    "BB-12": _for_the_domain,
    "SV-05": _sent_all_the_same,
}
# Stories whose answer stands for the law alone: what staff record after an objection is kept, and lifts nothing.
STRICTER: Final = {"ST-04": False}


def stories() -> dict[str, Story]:
    """
    Return the shared stories by their ids; none where they are not to be had.
    """
    if not SHARED.is_file():
        return {}
    return {story["id"]: story for story in json.loads(SHARED.read_text(encoding="utf-8"))["scenarios"]}


STORIES: Final = stories()


def test_the_stories_are_there() -> None:
    """
    All of them.
    """
    if not STORIES:
        missing("the stories", f"put them into {SHARED.parent}")
    assert len(STORIES) == 53
    assert {*TOLD, *STRICTER} <= STORIES.keys()


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_story_ends_as_a_lawyer_would_act(story: Story) -> None:
    """
    Allowed or refused.
    """
    told = json.loads(json.dumps(story))
    if retell := TOLD.get(told["id"]):
        retell(told)
    answer = Play(told).answer()
    assert STRICTER.get(told["id"], told["expected"]["allowed"]) == answer.allowed, (story["story"], answer)


def test_a_story_of_ours_ends_as_a_lawyer_would_act(subtests: pytest.Subtests) -> None:
    """
    Allowed or refused, and under the provision that decides it.
    """
    for story in OURS:
        with subtests.test(story["id"]):
            answer = Play(story).answer()
            expected = story["expected"]
            assert expected["allowed"] == answer.allowed, (story["story"], answer)
            if answer.decision is not None:
                named = (*answer.decision.regulation.split("; "), *answer.decision.also)
                assert expected["provision"] in named, (story["story"], answer)
