"""
Imports point one way, and importing the library stays light.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import optly

ROOT = Path(optly.__file__).parent

# From the bottom to the top. A package may import from its own layer and from those below it, for types too.
LAYERS: list[tuple[str, ...]] = [
    ("errors", "_moved", "_lazy"),
    ("instants", "typed", "backoff", "canonical", "locale"),
    ("contacts", "keys"),
    ("messages",),
    ("record",),
    ("links", "rules"),
    ("rendering",),
    ("timeline",),
    ("evidence",),
    ("protocols",),
    ("results",),
    ("backends", "storage", "registers"),
    ("anchors",),
    ("_operations",),
    ("self_service",),
    ("portal",),
    ("manager",),
    ("worker",),
    ("testing",),
    ("demo",),
    ("cli",),
    ("contrib",),
]
LAYER = {name: index for index, layer in enumerate(LAYERS) for name in layer}

# Packages in one layer that may not import each other.
APART = [("backends", "storage", "registers"), ("cli", "testing")]


def package(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("optly."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "optly":
            found.update(alias.name for alias in node.names if alias.name in LAYER)
        elif isinstance(node, ast.Import):
            found.update(alias.name.split(".")[1] for alias in node.names if alias.name.startswith("optly."))
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path.name} imports relatively"
    return found


FILES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py" or path.parent != ROOT)


def test_imports_point_one_way(subtests: pytest.Subtests) -> None:
    """
    No package imports one above it, and those that are kept apart do not import each other.
    """
    for path in FILES:
        with subtests.test(str(path.relative_to(ROOT))):
            here = package(path)
            assert here in LAYER, f"{here} is in no layer yet"
            for there in imports(path):
                if here == there:
                    continue
                assert LAYER[there] <= LAYER[here], f"{here} imports {there}, which is above it"
                for packages in APART:
                    assert not (here in packages and there in packages), f"{here} may not import {there}"


def test_no_modules_import_each_other() -> None:
    """
    There is no circle, not even one that only the type checker sees.
    """
    names = {".".join(("optly", *path.relative_to(ROOT).with_suffix("").parts)): path for path in FILES}
    modules = {name.removesuffix(".__init__"): path for name, path in names.items()}
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    submodule = f"{node.module}.{alias.name}"
                    graph[name].add(submodule if submodule in modules else node.module)
    TopologicalSorter({name: below & modules.keys() for name, below in graph.items()}).prepare()


def test_every_package_has_a_layer() -> None:
    """
    The list is of the packages that are there, and of no others.
    """
    built = {package(path) for path in FILES}
    assert set(LAYER) == built


PURE = (
    "instants",
    "backoff",
    "canonical",
    "contacts",
    "keys",
    "messages",
    "record",
    "links",
    "rules",
    "rendering",
    "timeline",
    "evidence",
    "protocols",
)


def test_the_core_does_no_io_and_knows_no_time(subtests: pytest.Subtests) -> None:
    """
    No file, no socket, no clock and no randomness in what decides.
    """
    for path in (path for path in FILES if package(path) in PURE):
        with subtests.test(str(path.relative_to(ROOT))):
            forbidden = {
                "os",
                "io",
                "socket",
                "ssl",
                "time",
                "random",
                "threading",
                "asyncio",
                "subprocess",
                "sqlite3",
                "httpx",
            }
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    assert not forbidden & {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    assert node.module.partition(".")[0] not in forbidden
                elif isinstance(node, ast.Attribute):
                    assert node.attr not in {"now", "utcnow", "today"}, f"{path.name} reads the clock"
                elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    assert node.func.id not in {"open", "print", "input"}


def test_importing_the_library_loads_no_extra() -> None:
    """
    Nothing heavy and nothing optional comes with the public names, all of which there are.
    """
    heavy = [
        "sqlalchemy", "httpx", "jinja2", "cryptography", "phonenumbers", "email_validator", "click", "rich", "asyncio",
        "smtplib", "ssl", "portalocker", "aiosmtpd", "babel", "limits", "pytest", "optly.portal", "optly.testing",
    ]  # fmt: skip
    script = f"import sys; from optly import *; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert sorted(optly.__all__) == optly.__all__


def test_httpx_is_imported_in_one_file_at_most() -> None:
    """
    So that it can be exchanged.
    """
    users = [
        path
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(a.name.split(".")[0] == "httpx" for a in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "httpx")
    ]
    assert len({path for path in users if package(path) not in {"cli", "testing"}}) <= 1


TESTS = Path(__file__).parent


def test_tests_do_not_import_tests(subtests: pytest.Subtests) -> None:
    """
    What several of them need is in a module of its own, so that each can be read, run and moved alone.
    """
    for path in sorted(TESTS.rglob("*.py")):
        with subtests.test(str(path.relative_to(TESTS))):
            named = {
                name
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Import | ast.ImportFrom)
                for name in (*(alias.name for alias in node.names), getattr(node, "module", None) or "")
            }
            assert [name for name in named if name.rpartition(".")[2].startswith("test_")] == []
