"""
Make the blocking form of a module out of its awaited form.

    python tools/unawait.py          write every ``blocking.py`` from the ``awaited.py`` beside it
    python tools/unawait.py --check  write nothing; exit with 1 if one is stale

What is written awaited is the source. The blocking form differs from it in this and in nothing else:

- ``async`` goes, and ``Async`` at the beginning of a name: ``AsyncStorage`` becomes ``Storage``;
- awaiting an operation becomes running it to its end, awaiting a method of a face becomes calling it;
- the names in `NAMES` and the phrases in `PHRASES` are replaced.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import libcst as cst
from libcst import matchers as m

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = tuple(
    ROOT / "src" / "optly" / package / "awaited.py" for package in ("protocols", "self_service", "manager")
)

NAMES: Final = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "awaited": "blocking",
    "in_threads": "directly",
}

# From docstrings, where the two forms have to say different things.
PHRASES: Final = {
    "Its methods are awaited, for applications that run an event loop. Methods of the storage, the backends and the "
    "registers that block run in the loop's thread pool; backend methods that are coroutines are awaited. The "
    "constructor reads the storage once and blocks while it does.": "Its methods block, and may be called from any "
    "number of threads.",
    "An `AsyncConnection` or `AsyncSession` of SQLAlchemy": "A `Connection`, `Session` or `scoped_session` of "
    "SQLAlchemy, or a connection of psycopg",
    "awaited form": "blocking form",
    "methods are awaited": "methods block",
}

MARK: Final = "# Made from awaited.py by tools/unawait.py: change that file and run the tool, not this one.\n\n"
RUN: Final = "from optly._operations.running import run_to_completion"


def unawaited(source: str) -> str:
    """
    Return the blocking form of *source*, not yet formatted.
    """
    module = cst.parse_module(source)
    made = module.visit(_Unawait())
    text = made.code
    if "run_to_completion(" in text:
        text = text.replace("\nfrom optly.", f"\n{RUN}\nfrom optly.", 1)
    return MARK + text


def _phrase(text: str) -> str:
    for awaited, blocking in PHRASES.items():
        # A phrase may be broken over lines where the source has a space.
        text = re.sub(r"\s+".join(map(re.escape, awaited.split())), blocking, text)
    return text


def _name(value: str) -> str:
    return NAMES.get(value, re.sub(r"^Async(?=[A-Z])", "", value))


class _Unawait(cst.CSTTransformer):
    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        return updated_node.with_changes(value=_name(updated_node.value))

    def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> cst.SimpleString:
        value = re.sub(r"\bAsync(?=[A-Z]\w+)", "", updated_node.value)
        return updated_node.with_changes(value=_phrase(value))

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        return updated_node.with_changes(asynchronous=None)

    def leave_With(self, original_node: cst.With, updated_node: cst.With) -> cst.With:
        return updated_node.with_changes(asynchronous=None)

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> cst.For:
        return updated_node.with_changes(asynchronous=None)

    def leave_Await(self, original_node: cst.Await, updated_node: cst.Await) -> cst.BaseExpression:
        call = updated_node.expression
        if _is_of_a_face(original_node.expression):
            return call.with_changes(lpar=updated_node.lpar, rpar=updated_node.rpar) if updated_node.lpar else call
        return cst.Call(func=cst.Name("run_to_completion"), args=[cst.Arg(call)])

    def leave_BinaryOperation(
        self, original_node: cst.BinaryOperation, updated_node: cst.BinaryOperation
    ) -> cst.BaseExpression:
        # "Backend | AsyncBackend" has become "Backend | Backend".
        if isinstance(updated_node.operator, cst.BitOr) and updated_node.left.deep_equals(updated_node.right):
            return updated_node.left
        return updated_node


def _is_of_a_face(awaited: cst.BaseExpression) -> bool:
    """
    Whether what is awaited is a method of a face, which the blocking form has too, and not an operation.
    """
    node = awaited
    while isinstance(node, cst.Call | cst.Attribute):
        node = node.func if isinstance(node, cst.Call) else node.value
    return m.matches(node, m.Name("self") | m.Await())


def formatted(text: str, path: Path) -> str:
    """
    Return *text* as it would stand in a file at *path*.
    """
    for arguments in (["check", "--select", "I,F401", "--fix-only", "--quiet"], ["format", "--quiet"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(path), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout
    return text


def main(arguments: list[str]) -> int:
    """
    Write, or check, every blocking form.
    """
    stale = []
    for source in SOURCES:
        path = source.with_name("blocking.py")
        text = formatted(unawaited(source.read_text(encoding="utf-8")), path)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if "--check" not in arguments:
                path.write_text(text, encoding="utf-8")
    for path in stale:
        sys.stdout.write(f"{path.relative_to(ROOT)} {'is stale' if '--check' in arguments else 'written'}\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
