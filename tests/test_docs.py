"""
The documentation: its examples run, its links lead somewhere, and what is public is in it.
"""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import attrs
import click
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from sqlalchemy import Engine
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import optly
import optly.backends
import optly.errors
import optly.registers
import optly.rules
import optly.storage
from optly.cli._commands import optly as command_line
from optly.record.events import Defect
from optly.record.serialization import TYPES
from optly.rules import Call, Duty, Facts, MessageKind, Reason
from optly.rules.editions import EDITIONS, uk_date
from optly.rules.lint import WordingFlaw
from optly.storage._schema import metadata

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
# One starts a mail server of its own.
SERVING = [page for page in PAGES if "create_server(" in page.read_text(encoding="utf-8")]

_markdown = MarkdownIt("commonmark").enable("table")


def tokens(page: Path) -> Iterator[Token]:
    """
    Yield every token of a page, those inside of others included.
    """
    for token in _markdown.parse(page.read_text(encoding="utf-8")):
        yield token
        yield from token.children or ()


# ---- examples


def close_all(namespace: dict[str, Any]) -> None:
    """
    Close what an example left open, as the end of a program does.
    """
    for value in namespace.values():
        if isinstance(value, optly.ConsentManager) or type(value).__name__.endswith("Storage"):
            value.close()
        elif isinstance(value, Engine):
            value.dispose()


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.server if page in SERVING else (), id=page.relative_to(ROOT).as_posix())
        for page in PAGES
    ],
)
def test_the_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The Python blocks of a page run from the first to the last and show what they say they show.
    """
    monkeypatch.chdir(tmp_path)
    blocks = PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS)
    document = Sybil(parsers=[blocks]).parse(page)
    try:
        for example in document.examples():
            example.evaluate()
    finally:
        close_all(document.namespace)


# ---- links


def links(page: Path) -> Iterator[str]:
    """
    Yield where the links and the images of a page lead.
    """
    for token in tokens(page):
        href = token.attrs.get("href") or token.attrs.get("src")
        if isinstance(href, str):
            yield href


def anchors(page: Path) -> set[str]:
    """
    Return the anchors that a page's headings get.
    """
    found = set()
    heading = False
    for token in tokens(page):
        if token.type == "inline" and heading:
            found.add(re.sub(r"[^\w\- ]", "", token.content.lower()).replace(" ", "-"))
        heading = token.type == "heading_open"
    return found


def is_relative(href: str) -> bool:
    return not re.match(r"[a-z]+:", href)


def target(page: Path, href: str) -> Path:
    """
    Return the file that a relative link leads to.
    """
    path, _, _ = href.partition("#")
    return (page.parent / unquote(path)).resolve() if path else page


@every_page
def test_the_links_lead_somewhere(page: Path) -> None:
    """
    A relative link leads to a file that is there, and to a heading in it if it names one.
    """
    broken = []
    for href in filter(is_relative, links(page)):
        file, anchor = target(page, href), href.partition("#")[2]
        if not file.is_file() or (anchor and anchor not in anchors(file)):
            broken.append(href)
    assert broken == []


def test_every_page_can_be_reached() -> None:
    """
    Whoever begins at the README finds every page.
    """
    reached: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached:
            reached.add(page)
            ahead.extend(
                file for href in filter(is_relative, links(page)) if (file := target(page, href)).suffix == ".md"
            )
    assert set(PAGES) - reached == set()


# ---- what is public


def errors_below(cls: type[BaseException]) -> Iterator[str]:
    for below in cls.__subclasses__():
        if below.__module__ == "optly.errors":
            yield below.__name__
            yield from errors_below(below)


def options_of(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield max(parameter.secondary_opts or parameter.opts, key=len)


def commands(group: click.Group = command_line, prefix: str = "") -> dict[str, click.Command]:
    """
    Return every command by its name, and those of a group by both names.
    """
    context, found = click.Context(group), {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found[f"{prefix}{name}"] = command
        if isinstance(command, click.Group):
            found |= commands(command, f"{prefix}{name} ")
    return found


MENTIONED: dict[str, Iterable[str]] = {
    "reference/api.md": [
        *optly.__all__,
        *optly.backends.__all__,
        *optly.registers.__all__,
        *optly.rules.__all__,
        *optly.storage.__all__,
        *(name for name in vars(optly.ConsentManager) if not name.startswith("_")),
        *(channel.name for channel in optly.Channel),
    ],
    "reference/commands.md": [
        word for name, command in commands().items() for word in (*name.split(), *options_of(command))
    ],
    "reference/database.md": metadata.tables,
    "reference/decisions.md": [
        *Reason,
        *Duty,
        *(kind.name for kind in MessageKind),
        *Facts.__annotations__,
        *(fact.name for fact in attrs.fields(Call)),
        *(attribute.name for attribute in attrs.fields(optly.Decision)),
    ],
    "reference/errors.md": list(errors_below(optly.errors.OptlyError)),
    "reference/record-format.md": TYPES,
    "explanation/the-gate.md": Defect,
    "how-to/write-a-sound-question.md": WordingFlaw,
}


@pytest.mark.parametrize("page", MENTIONED)
def test_what_is_public_is_in_the_reference(page: str) -> None:
    """
    Every public name, command, table, reason, fact, error and event type stands in the page for its kind, set as code.
    """
    code = {
        word
        for token in tokens(DOCS / page)
        if token.type == "code_inline"
        for word in re.findall(r"[\w/-]+", token.content)
    }
    assert [name for name in MENTIONED[page] if name not in code] == []


def test_every_setting_of_a_manager_is_in_the_reference() -> None:
    """
    The example that makes a manager names each argument it can be made with.
    """
    page = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    settings = list(inspect.signature(optly.ConsentManager).parameters)
    assert [name for name in settings if f'"{name}":' not in page] == []


def test_every_law_of_the_rulebook_is_explained() -> None:
    """
    Each day from which another edition applies stands in the page about the gate.
    """
    page = (DOCS / "explanation" / "the-gate.md").read_text(encoding="utf-8")
    days = [uk_date(edition.since) for edition in EDITIONS]
    assert [day for day in days if f"| {day.day} {day:%B %Y} |" not in page] == []


def test_the_rulebook_that_is_shown_is_the_one_that_is_tested() -> None:
    """
    Nothing in the page about writing one differs from the example among the tests.
    """
    shown = [token.content for token in tokens(DOCS / "how-to" / "write-your-own-rulebook.md") if token.type == "fence"]
    tested = (ROOT / "tests" / "rules" / "canspam.py").read_text(encoding="utf-8")
    assert [block for block in shown if "class CanSpam" in block] == [tested.partition("annotations\n\n")[2]]


# ---- commands


def shell_commands(page: Path) -> Iterator[list[str]]:
    """
    Yield every command in the shell blocks of a page, word by word.
    """
    for token in tokens(page):
        if token.type == "fence" and token.info.split(" ")[0] in ("sh", "bash", "shell", "console"):
            for line in token.content.splitlines():
                for command in re.split(r"\s(?:&&|\||;)\s", line):
                    yield shlex.split(command, comments=True)


def assert_runs(words: list[str]) -> None:
    """
    Check that a command and its options are there.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    match words:
        case ["python", "-m", "pip", "install", *what]:
            for extras in re.findall(r"^(?:\.|optly)\[(.*)\]$", "\n".join(what), re.MULTILINE):
                assert set(extras.split(",")) <= project["optional-dependencies"].keys()
            assert [name for name in what if not re.match(r"(\.|optly)(\[|$)|nox(\[uv\])?$", name)] == []
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module)
        case ["nox", *arguments]:
            sessions = re.findall(
                r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE
            )
            with suppress(ValueError):
                assert arguments[arguments.index("-s") + 1] in sessions
        case ["optly", *arguments]:
            command = commands().get(" ".join(arguments[:2])) or commands()[arguments[0]]
            known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
            assert {word for word in arguments if word.startswith("-") and word != "-"} <= known
        case _:
            pytest.fail(f"nobody knows the command {words}")


@every_page
def test_shell_blocks_name_commands_that_exist(page: Path) -> None:
    """
    Each command in a shell block is one of ours or comes with Python, and its options and extras are there.
    """
    for words in shell_commands(page):
        assert_runs(words)
