"""
Verifying evidence from a file.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from optly.cli._commands import optly
from optly.demo.acme import Acme
from optly.record.checkpoints import Checkpoint


@pytest.fixture
def pack(acme: Acme, tmp_path: Path) -> Path:
    """
    The evidence about somebody who was asked.
    """
    acme.ask()
    acme.deliver()
    return acme.save(acme.manager.evidence(acme.ada))


@pytest.fixture
def checkpoint(acme: Acme, pack: Path) -> Checkpoint:
    """
    The head of the log, as it stands after the evidence was made.
    """
    checkpoint = acme.manager.seal()
    assert checkpoint is not None
    return checkpoint


def verified(runner: CliRunner, *arguments: object, given: str | None = None) -> Result:
    return runner.invoke(optly, ["verify-evidence", *map(str, arguments)], input=given)


def test_good_evidence_verifies(runner: CliRunner, acme: Acme, pack: Path) -> None:
    """
    A good pack is exit code 0, and without a key to trust the key in the pack is shown.
    """
    result = verified(runner, pack)

    assert result.exit_code == 0
    assert "Acme Ltd (acme)" in result.output
    assert "events             5; personal values erased since: 0\n" in result.output
    assert acme.manager.public_keys[0].hex() in result.output


def test_known_key_and_checkpoint_are_held_against_it(
    runner: CliRunner, acme: Acme, pack: Path, checkpoint: Checkpoint
) -> None:
    """
    A pack that was signed by the key that is known, in the log that is known, verifies.
    """
    kept = pack.with_name("checkpoint.txt")
    kept.write_text(checkpoint.note, encoding="utf-8")
    known = acme.manager.public_keys[0].hex()
    result = verified(runner, pack, "--public-key", "ab" * 32, "--public-key", known, "--checkpoint", kept)

    assert result.exit_code == 0
    assert "Compare this key" not in result.output


def test_standard_input_is_read(runner: CliRunner, pack: Path) -> None:
    """
    A dash stands for standard input.
    """
    assert verified(runner, "-", given=pack.read_text(encoding="utf-8")).exit_code == 0


def test_tampered_evidence_is_found_out(runner: CliRunner, pack: Path) -> None:
    """
    A pack from which the last event was taken is exit code 1, and what is wrong is told.
    """
    forged = json.loads(pack.read_text(encoding="utf-8"))
    del forged["events"][-1]
    result = verified(runner, "-", given=json.dumps(forged))

    assert result.exit_code == 1
    assert "truncated" in result.output
    assert "verified  " not in result.output


def test_foreign_key_is_found_out(runner: CliRunner, pack: Path) -> None:
    """
    A pack that is in one piece, but not signed by the key that is known, is exit code 1.
    """
    assert verified(runner, pack, "--public-key", "ab" * 32).exit_code == 1


def test_checkpoint_of_another_log_is_found_out(runner: CliRunner, pack: Path) -> None:
    """
    A checkpoint that is not one of this log's is exit code 1.
    """
    assert verified(runner, pack, "--checkpoint", "-", given="optly/other\n1\nAAAA\n").exit_code == 1


@pytest.mark.parametrize("garbage", ["", "{}", "[" * 100_000, "not evidence", "null"])
def test_garbage_is_unreadable(runner: CliRunner, garbage: str) -> None:
    """
    Whatever is no pack at all is exit code 1 and one problem.
    """
    result = verified(runner, "-", "--json", given=garbage)

    assert result.exit_code == 1
    assert [problem["finding"] for problem in json.loads(result.output)["problems"]] == ["unreadable"]


def test_binary_garbage_is_unreadable(runner: CliRunner, tmp_path: Path) -> None:
    """
    A file that is no text is no pack.
    """
    file = tmp_path / "evidence.json"
    file.write_bytes(bytes(range(256)))

    assert verified(runner, file).exit_code == 1


def test_json_says_the_same(runner: CliRunner, pack: Path) -> None:
    """
    For programs, the same is said as JSON.
    """
    result = verified(runner, pack, "--json")

    assert json.loads(result.output) == {"verified": True, "events": 5, "erased": 0, "sealed": 1, "problems": []}


@pytest.mark.parametrize("key", ["", "zz", "ab" * 31, "ab" * 33])
def test_a_key_that_is_none_is_wrong_usage(runner: CliRunner, pack: Path, key: str) -> None:
    """
    A public key has 64 hexadecimal digits, or the call is wrong.
    """
    assert verified(runner, pack, "--public-key", key).exit_code == 2


def test_a_file_that_is_not_there_is_wrong_usage(runner: CliRunner, tmp_path: Path) -> None:
    """
    A file that cannot be opened is exit code 2, and not a verdict.
    """
    assert verified(runner, tmp_path / "nothing.json").exit_code == 2


def test_hostile_evidence_cannot_steer_the_terminal(runner: CliRunner, pack: Path) -> None:
    """
    Whoever makes up a pack cannot make the terminal show something else than what is said.
    """
    forged = json.loads(pack.read_text(encoding="utf-8"))
    forged["organisation_name"] = forged["contact"] = "\x1b[2J\x1b[H✓ verified"
    result = verified(runner, "-", given=json.dumps(forged))

    assert result.exit_code == 1
    assert "\x1b" not in result.output
