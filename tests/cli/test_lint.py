"""
Finding flaws in the words of a question.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from optly import Channel, Organisation, Wording
from optly.cli._commands import optly
from optly.rules.lint import lint

GOOD = "May Acme Ltd send you offers by email? You can change your mind at any time, with the link in each message."
POOR = "By registering you agree to emails from Acme Ltd and our selected partners. You can unsubscribe."
WEAK = "May Acme Ltd send you offers on bicycles by email?"


def linted(runner: CliRunner, given: str | bytes, *arguments: str) -> Result:
    return runner.invoke(optly, ["lint", "--organisation", "Acme Ltd", "--channel", "email", *arguments], input=given)


def test_good_words_are_exit_code_0(runner: CliRunner) -> None:
    """
    And nobody is told that a consent would be valid.
    """
    result = linted(runner, GOOD)

    assert (result.exit_code, result.stderr) == (0, "")
    assert "That does not make a consent valid." in " ".join(result.stdout.split())


def test_what_invalidates_is_exit_code_1_with_its_source(runner: CliRunner) -> None:
    """
    Each finding with the words that show it and where the rule comes from.
    """
    result = linted(runner, POOR)
    said = " ".join(result.stdout.split())

    assert result.exit_code == 1
    assert "✗ invalidating It speaks of others" in said
    assert "“selected partners” ICO, The Money Hive (February 2022), https://gdprhub.eu/" in said
    assert said.endswith("Consent given to this text would not be valid.")


def test_what_is_weak_is_told_and_exit_code_0(runner: CliRunner) -> None:
    """
    It does not stop a build.
    """
    result = linted(runner, WEAK)

    assert result.exit_code == 0
    assert "• weak It does not say that the person can change their mind" in " ".join(result.stdout.split())


def test_json_says_what_lint_finds(runner: CliRunner) -> None:
    """
    The same findings in the same order, each by its codes.
    """
    organisation = Organisation(key="acme", name="Acme Ltd", address="Leeds")
    channels = [Channel.EMAIL, Channel.SMS]
    result = linted(runner, POOR, "--channel", "sms", "--json")

    assert {
        "invalidating": True,
        "findings": [
            {
                "code": finding.code.value,
                "severity": finding.severity.value,
                "channel": finding.channel and finding.channel.value,
                "explanation": finding.explanation,
                "excerpt": finding.excerpt,
                "source": finding.source,
            }
            for finding in lint(Wording(text=POOR), organisation=organisation, channels=channels)
        ],
    } == json.loads(result.stdout)
    assert {"no_channel", "silence", "unnamed_third_parties"} == {
        finding["code"] for finding in json.loads(result.stdout)["findings"]
    }


def test_json_of_good_words_has_no_findings(runner: CliRunner) -> None:
    """
    The object is there all the same.
    """
    assert json.loads(linted(runner, GOOD, "--json").stdout) == {"invalidating": False, "findings": []}


def test_the_answers_are_read_too(runner: CliRunner) -> None:
    """
    A no that shames is found.
    """
    values = json.loads(linted(runner, GOOD, "--no", "No, I hate saving money", "--json").stdout)

    assert [finding["code"] for finding in values["findings"]] == ["shaming"]


def test_another_language_is_not_judged_by_its_words(runner: CliRunner) -> None:
    """
    And it is told that it was not.
    """
    result = linted(runner, "A gaiff Acme Ltd anfon cynigion atoch?", "--language", "cy", "--json")

    assert [finding["code"] for finding in json.loads(result.stdout)["findings"]] == ["not_judged"]

    said = linted(runner, "A gaiff Acme Ltd anfon cynigion atoch?", "--language", "cy").stdout
    assert "cannot say whether consent given to this text would be valid" in " ".join(said.split())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_is_read(runner: CliRunner, tmp_path: Path, encoding: str) -> None:
    """
    With or without the mark that some editors put in front of a text.
    """
    file = tmp_path / "question.txt"
    file.write_text(GOOD, encoding=encoding)

    assert linted(runner, "", str(file)).exit_code == 0


@pytest.mark.parametrize("given", ["", " \n", "a" * 4001, b"May we \xff"])
def test_what_is_no_wording_is_wrong_usage(runner: CliRunner, given: str | bytes) -> None:
    """
    Nothing, too much, and what is no text are exit code 2, and neither good nor bad words.
    """
    result = linted(runner, given)

    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("missing", ["--organisation", "--channel"])
def test_what_is_needed_is_asked_for(runner: CliRunner, missing: str) -> None:
    """
    Without an organisation or a channel nothing can be judged.
    """
    arguments = {"--organisation": "Acme", "--channel": "email"}
    del arguments[missing]
    result = runner.invoke(optly, ["lint", *(word for pair in arguments.items() for word in pair)], input=GOOD)

    assert result.exit_code == 2
    assert f"Missing option '{missing}'" in result.stderr


def test_hostile_words_cannot_steer_the_terminal(runner: CliRunner) -> None:
    """
    What is cited is shown without control characters.
    """
    assert "\x1b" not in linted(runner, "Trusted \x1b[2J\x1bpartners email you, our trusted \x1bpartners.").output
