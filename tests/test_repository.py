"""
What the repository says about the package, in several files at once, agrees.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

import optly

ROOT = Path(__file__).parent.parent
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = CONFIGURATION["project"]
EXTRAS = PROJECT["optional-dependencies"]
PYTHONS = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r":: Python :: 3\.\d+$", name)]
# The first version without each hole that is known in a dependency, or in what comes along with one.
FIXED = {
    ("aiosmtpd", "1.4.6", "CVE-2024-34083"),
    ("babel", "2.9.1", "CVE-2021-42771"),
    ("celery", "5.2.2", "CVE-2021-23727"),
    ("click", "8.3.3", "CVE-2026-7246, which its authors dispute"),
    ("cryptography", "44.0.1", "CVE-2024-12797"),
    ("cryptography", "50.0.0", "CVE-2026-69247"),
    ("django", "5.2.8", "CVE-2025-64459"),
    ("django", "5.2.19", "the security releases of 2026"),
    ("flask", "3.1.1", "CVE-2025-47278"),
    ("flask", "3.1.3", "CVE-2026-27205"),
    ("h11", "0.16", "CVE-2025-43859"),
    ("idna", "3.15", "CVE-2026-45409"),
    ("jinja2", "3.1.6", "CVE-2025-27516"),
    ("pymysql", "1.1.3", "its release notes: callproc"),
    ("starlette", "0.49.1", "CVE-2025-62727"),
    ("starlette", "1.3.1", "PYSEC-2026-249"),
    ("urllib3", "2.8", "CVE-2026-97687, CVE-2026-97689"),
    ("werkzeug", "3.1.6", "CVE-2026-27199"),
}
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


def floors() -> dict[str, str]:
    """
    Return the lowest version of each dependency that may be installed.
    """
    requirements = [*PROJECT["dependencies"], *(requirement for extra in EXTRAS.values() for requirement in extra)]
    parts = [re.fullmatch(r"([\w.-]+)(?:\[\w+\])?>=([\d.]+)(?:,<[\d.]+)?", one) for one in requirements]
    named = [one for one, part in zip(requirements, parts, strict=True) if part is None]
    assert [one for one in named if not one.startswith("optly[")] == []  # one without a floor
    return {part[1]: part[2] for part in parts if part}


def test_what_is_imported_is_named() -> None:
    """
    What merely comes along with another package has no floor, and may be gone with its next release.
    """
    imported = {
        name.partition(".")[0]
        for path in (ROOT / "src" / "optly").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    # pytest runs the contract suites of those who have it; _typeshed is there for type checkers alone.
    others = imported - sys.stdlib_module_names - {"optly", "pytest", "_typeshed"}
    installed = packages_distributions()
    packages = {name: installed[name][0].lower().replace("_", "-") for name in others}
    assert {name: package for name, package in packages.items() if package not in floors()} == {}


def numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


@pytest.mark.parametrize(("package", "fixed", "advisory"), sorted(FIXED))
def test_no_version_with_a_known_hole_is_allowed(package: str, fixed: str, advisory: str) -> None:
    """
    Whoever installs the oldest versions that we allow gets none of these.
    """
    assert numbers(floors()[package]) >= numbers(fixed), advisory


def test_the_quick_tests_leave_out_what_is_marked() -> None:
    """
    Every mark that is registered says that a test is not quick.
    """
    marks = [mark.partition(":")[0] for mark in CONFIGURATION["tool"]["pytest"]["ini_options"]["markers"]]
    expression = " and ".join(f"not {mark}" for mark in marks)
    assert f'"{expression}"' in (ROOT / "noxfile.py").read_text(encoding="utf-8")


def test_coverage_is_held() -> None:
    """
    The session that measures it fails if the quick tests reach fewer lines and branches than they did.
    """
    coverage = CONFIGURATION["tool"]["coverage"]
    assert coverage["run"]["branch"]
    assert coverage["report"]["fail_under"] >= 92


def test_the_source_archive_holds_what_is_read() -> None:
    """
    So that the links in its pages lead somewhere and its tests pass.
    """
    included = CONFIGURATION["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    imported = CONFIGURATION["tool"]["pytest"]["ini_options"]["pythonpath"]
    read = [f"/{name}" for name in (*imported, *(page.name for page in ROOT.glob("*.md")))]
    assert [name for name in read if name not in included] == []


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
