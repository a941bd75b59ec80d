"""
What the repository says about the package, in several files at once, agrees.
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import optly

ROOT = Path(__file__).parent.parent
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = CONFIGURATION["project"]
EXTRAS = PROJECT["optional-dependencies"]
PYTHONS = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r":: Python :: 3\.\d+$", name)]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_version_is_that_of_what_is_installed() -> None:
    """
    It is read from the metadata, and no other name is made up.
    """
    assert version("optly") == optly.__version__
    with pytest.raises(AttributeError, match="__verison__"):
        getattr(optly, "__verison__")  # noqa: B009


def test_the_supported_pythons_are_named_alike() -> None:
    """
    The lowest is what pip asks for and what the tools check against; there is no gap above it, and CI runs each.
    """
    lowest = PYTHONS[0]
    assert [f"3.{minor}" for minor in range(11, 11 + len(PYTHONS))] == PYTHONS
    assert f">={lowest}" == PROJECT["requires-python"]
    assert f"py{lowest.replace('.', '')}" == CONFIGURATION["tool"]["ruff"]["target-version"]
    assert lowest == CONFIGURATION["tool"]["pyright"]["pythonVersion"]
    (matrix,) = re.findall(r"python: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert [f'"{python}"' for python in PYTHONS] == matrix.split(", ")


def test_all_is_every_extra() -> None:
    """
    With it, nothing is missing.
    """
    (everything,) = EXTRAS["all"]
    assert sorted(EXTRAS.keys() - {"all"}) == sorted(re.findall(r"\w+", everything.removeprefix("optly")))


def test_every_dependency_has_a_floor() -> None:
    """
    It is what the session ``lowest`` tests.
    """
    requirements = [*PROJECT["dependencies"], *(requirement for extra in EXTRAS.values() for requirement in extra)]
    assert [name for name in requirements if ">=" not in name and not name.startswith("optly[")] == []


def test_the_quick_tests_leave_out_what_is_marked() -> None:
    """
    Every mark that is registered says that a test is not quick.
    """
    marks = [mark.partition(":")[0] for mark in CONFIGURATION["tool"]["pytest"]["ini_options"]["markers"]]
    expression = " and ".join(f"not {mark}" for mark in marks)
    assert f'"{expression}"' in (ROOT / "noxfile.py").read_text(encoding="utf-8")


def test_the_source_archive_holds_every_page() -> None:
    """
    So that its links lead somewhere and its tests pass.
    """
    included = CONFIGURATION["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    pages = [f"/{page.name}" for page in ROOT.glob("*.md")]
    assert [page for page in pages if page not in included] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned(workflow: Path) -> None:
    """
    Each to a commit, with the version beside it, because a tag can be moved.
    """
    used = re.findall(r"uses: (.*)", workflow.read_text(encoding="utf-8"))
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)] == []


def test_one_address_is_given_for_the_repository() -> None:
    """
    The forms for issues lead to where the package says its home is.
    """
    files = [*(ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"), ROOT / "pyproject.toml"]
    linked = {
        url for file in files for url in re.findall(r"https://github\.com/[\w-]+/[\w-]+", file.read_text("utf-8"))
    }
    assert {PROJECT["urls"]["Source"]} == linked
