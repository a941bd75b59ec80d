"""
What people read follows the mechanical part of the house's rules of English: the catalogue, the command line, the
errors, the logs and the documentation.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from babel.messages.pofile import read_po

import optly
from optly.cli._commands import optly as command_group

ROOT = Path(optly.__file__).parent

# What is said otherwise wherever anyone reads it.
_EVERYWHERE = (
    "somebody|whoever|whomever|anybody|"
    "of (ours|yours|theirs)|"
    "put (on|onto) (the )?record|c[ao]me onto the record|take[ns]? down|took down|"
    "hand(s|ed|ing)? over|(came|comes|come) of (it|them|that)|look(s|ed)? into (your|the) (inbox|mail)|"
    "no error but|as a rule|by now"
)
# What is reported, shown, looked up and sent by a program, which tells and asks nobody.
_OF_PROGRAMS = f"{_EVERYWHERE}|tells?|told|telling|speaks? of|there is none such"

EVERYWHERE = re.compile(rf"\b({_EVERYWHERE})\b", re.IGNORECASE)
OF_PROGRAMS = re.compile(rf"\b({_OF_PROGRAMS})\b", re.IGNORECASE)


def sentences() -> Iterator[str]:
    """
    Yield every sentence of the catalogue.
    """
    with (ROOT / "locale" / "optly.pot").open("rb") as file:
        for message in read_po(file):
            yield from (message.id,) if isinstance(message.id, str) else message.id


def helps(command: click.Command, path: str = "optly") -> Iterator[tuple[str, str]]:
    """
    Yield every help text of the command line, with where it stands.
    """
    yield path, command.help or ""
    for parameter in command.params:
        yield f"{path} {parameter.name}", getattr(parameter, "help", None) or ""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from helps(below, f"{path} {name}")


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "…".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return ""


def spoken(path: Path) -> Iterator[tuple[int, str]]:
    """
    Yield the messages of the errors that a module raises and of what it logs, with their lines.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Raise(exc=ast.Call(args=[first, *_])):
                yield node.lineno, _text(first)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="_log")), args=[first, *_]):
                yield node.lineno, _text(first)


MODULES = sorted(ROOT.rglob("*.py"))

PROJECT = Path(__file__).parents[1]
# Decision records are kept as they were accepted. The rules of English name what is not to be said.
PAGES = sorted(
    {*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md"), *(PROJECT / "examples").rglob("*.md")}
    - {*(PROJECT / "docs" / "adr").iterdir(), PROJECT / "CONTRIBUTING.md"}
)


def prose(page: Path) -> str:
    """
    Return a page on one line, without its code, its blocks of code and the titles of decision records.
    """
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return " ".join(re.sub(r"`[^`]*`|\[[^]]*\]\((\.\./)?adr/", "", text).split())


def test_there_is_something_to_read() -> None:
    """
    The collectors find what they are for.
    """
    assert len(list(sentences())) > 300
    assert len(list(helps(command_group))) > 50
    assert sum(len(list(spoken(path))) for path in MODULES) > 200


def test_the_catalogue() -> None:
    """
    Every sentence of the pages and the messages.
    """
    assert [text for text in sentences() if EVERYWHERE.search(text)] == []


def test_the_command_line() -> None:
    """
    Every help text.
    """
    assert [(where, found[0]) for where, text in helps(command_group) if (found := OF_PROGRAMS.search(text))] == []


def test_errors_and_logs(subtests: pytest.Subtests) -> None:
    """
    The message of every error that is raised and of everything that is logged.
    """
    for path in MODULES:
        with subtests.test(str(path.relative_to(ROOT))):
            assert [(line, text) for line, text in spoken(path) if OF_PROGRAMS.search(text)] == []


def test_the_documentation(subtests: pytest.Subtests) -> None:
    """
    Every page but the decision records.
    """
    for page in PAGES:
        with subtests.test(str(page.relative_to(PROJECT))):
            text = prose(page)
            assert text
            assert [text[max(found.start() - 40, 0) : found.end() + 40] for found in EVERYWHERE.finditer(text)] == []


@pytest.mark.parametrize("text", ["Somebody else has it", "It was put on record", "a form of ours", "handed over"])
def test_what_is_not_to_be_said_is_found(text: str) -> None:
    """
    The rules find what they are for.
    """
    assert EVERYWHERE.search(text)
