"""
Which templates of a host may be part of a page.

Every page is drawn in one frame (``page.html.j2``), which holds the title, the stop form and the sender, and with
`parts` (``parts.html.j2``), which hold every form, the secret of the session and the answers to every question. A host
cannot replace either. What its template could still do by mistake is leave something open that swallows the rest of the
page, or write a form by hand. So its text is read when it is loaded, and nothing is read when a page is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Final

import attrs
from jinja2 import Environment, FileSystemLoader, TemplateNotFound, TemplateSyntaxError, meta, nodes

FRAME: Final = "page.html.j2"
PARTS: Final = "parts.html.j2"

# Never closed.
VOID: Final = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
_SHAPES: Final = frozenset({"circle", "ellipse", "g", "image", "line", "path", "polygon", "polyline", "rect", "use"})
_RESERVED: Final = frozenset(
    {"base", "body", "form", "head", "html", "main", "title"}  # the frame's
    | {"embed", "iframe", "frame", "frameset", "object", "script", "style"}  # browsers are told not to run them
    | {"noembed", "noframes", "noscript", "plaintext", "template", "xmp"}  # what is in them is not on the page
)


@attrs.frozen(kw_only=True)
class TemplateFinding:
    """
    A fault in a host's template. Holds no personal data.

    Attributes:
        template: The name of the template.
        line: Its line, counted from 1; 0 if the fault has no line.
        message: What is wrong, in a sentence.
    """

    template: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.template}{f', line {self.line}' if self.line else ''}: {self.message}"


class HostLoader(FileSystemLoader):
    """
    Loads the templates of a host that may be part of a page, and refuses the others as Jinja2 refuses bad syntax.
    """

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        found = super().get_source(environment, template)
        for line, message in _faults(environment.parse(found[0], template)):
            raise TemplateSyntaxError(message, line, template)
        return found


def finding(template: str, error: Exception) -> TemplateFinding:
    """
    Return why *template* could not be used, without anything that it was about to show.
    """
    if isinstance(error, TemplateSyntaxError):
        return TemplateFinding(template=error.name or template, line=error.lineno, message=error.message or "")
    missing = f"there is no template {error.name}" if isinstance(error, TemplateNotFound) else ""
    message = missing or f"it cannot be shown: {type(error).__qualname__}"
    return TemplateFinding(template=template, line=0, message=message)


def check(environment: Environment, loader: HostLoader) -> Iterator[TemplateFinding]:
    """
    Load every template of *loader*, and yield what is wrong with each.
    """
    for name in loader.list_templates():
        if name in (FRAME, PARTS):
            yield TemplateFinding(template=name, line=0, message="it cannot be replaced, so it is not used")
        elif name.endswith(".j2"):
            try:
                environment.get_template(name)
                tree = environment.parse(loader.get_source(environment, name)[0])
                for other in filter(None, meta.find_referenced_templates(tree)):
                    environment.get_template(other)
                yield from _without_effect(environment, name, tree)
            except Exception as error:  # whatever is wrong with it
                yield finding(name, error)


def _without_effect(environment: Environment, name: str, tree: nodes.Template) -> Iterator[TemplateFinding]:
    """
    Yield the blocks of a template that none of those it extends has: nobody would see them.
    """
    blocks = [*tree.find_all(nodes.Block)]
    inner = {other.name for block in blocks for other in block.find_all(nodes.Block)}
    for parent in _extended(tree):
        known = _blocks(environment, parent)
        for block in blocks:
            if block.name not in known | inner:
                message = f"{parent} has no block {block.name}, so nobody sees this one"
                yield TemplateFinding(template=name, line=block.lineno, message=message)


def _extended(tree: nodes.Template) -> list[str]:
    parents = [node.template for node in tree.find_all(nodes.Extends)]
    return [parent.value for parent in parents if isinstance(parent, nodes.Const)]


def _blocks(environment: Environment, name: str) -> set[str]:
    """
    Return the names of the blocks of a template and of those it extends.
    """
    assert environment.loader is not None
    tree = environment.parse(environment.loader.get_source(environment, name)[0])
    own = {block.name for block in tree.find_all(nodes.Block)}
    return own.union(*(_blocks(environment, parent) for parent in _extended(tree)))


def _faults(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    reader = _Reader()
    reader.read(tree)
    if "<" in reader.rawdata:
        reader.found("a tag is not finished")
    yield from reader.faults


class _Reader(HTMLParser):
    """
    Reads the text in a template, and finds what must not be there and what is left open.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[tuple[int, str]] = []
        self._line = 0
        self._open: list[str] = []
        self._since: list[int] = []  # the lines on which they were opened

    def read(self, node: nodes.Node) -> None:
        self._line = node.lineno
        match node:
            case nodes.TemplateData(data=text) | nodes.Const(value=str(text)):
                self._text(text)
            case nodes.Filter(name="safe") | nodes.ScopedEvalContextModifier():
                self.found("escaping must stay on: no `safe` and no `autoescape`")
        for child in node.iter_child_nodes(exclude=("body", "else_")):
            self.read(child)
        for branch in (getattr(node, "body", None), getattr(node, "else_", None)):
            if isinstance(branch, list):
                before = self._open.copy()
                for child in branch:
                    self.read(child)
                if self._open != before:
                    self._line = self._since[len(before)] if len(self._open) > len(before) else self._line
                    self.found("an element is not opened and closed in the same block or branch")

    def _text(self, text: str) -> None:
        for part in text.splitlines(keepends=True):
            if "<!" in part or "<?" in part:
                self.found("a comment is written {# so #}")
            self.feed(part)
            self._line += 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _RESERVED:
            instead = "; use {% call parts.form(action) %}" if tag == "form" else ""
            self.found(f"<{tag}> is not part of a host's template{instead}")
        given = dict(attrs)
        if "checked" in given or (given.get("type") or "").lower() in ("checkbox", "radio"):
            self.found("answers are drawn alike, and none is ticked; use {{ parts.answers(field) }}")
        if tag not in VOID:
            self._open.append(tag)
            self._since.append(self._line)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if "svg" in self._open and tag in _SHAPES:  # only there does the slash close an element
            self._close()

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._close()
        else:
            self.found(f"</{tag}> does not close the element that was opened last")

    def _close(self) -> None:
        self._open.pop()
        self._since.pop()

    def found(self, message: str) -> None:
        self.faults.append((self._line, message))
