"""
The logo of an organisation: a picture that does nothing but be shown. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from xml.parsers import expat

import attrs

from optly.errors import ConfigurationError

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_MAX: Final = 256 * 1024  # bytes; a phone loads it with the first page

_SVG: Final = "http://www.w3.org/2000/svg"
_ACTIVE: Final = frozenset(
    {"script", "foreignObject", "iframe", "object", "embed", "audio", "video", "canvas", "handler", "listener", "set"}
    | {"a", "animate", "animateColor", "animateMotion", "animateTransform", "discard"}
)
_INLINE: Final = re.compile(r"data:image/(?:png|jpeg|webp);base64,[A-Za-z0-9+/=\s]*", re.ASCII)
# Everything with which a style can load something: a url() outside the same drawing, another style sheet, and the
# backslash that can disguise either.
_OUTSIDE: Final = re.compile(r"url\((?!\s*[\"']?\s*#)|@import|image-set|\\|javascript:", re.ASCII | re.IGNORECASE)


@attrs.frozen
class Logo:
    """
    A picture in PNG or SVG.

    Attributes:
        body: At most 256 kB. An SVG must not contain a script, an animation, a link, a document type or anything that
            loads from elsewhere.
    """

    body: bytes = attrs.field(repr=False)

    @body.validator
    def _is_harmless(self, _attribute: object, value: bytes) -> None:
        if len(value) > _MAX:
            raise ConfigurationError("a logo must not be larger than 256 kB")
        if not value.startswith(_PNG):
            _SVGReader().read(value)

    @classmethod
    def of(cls, source: Logo | bytes | Path) -> Logo:
        """
        Return the logo in *source*: the picture itself, or a file.

        Raises:
            ConfigurationError: It is neither a PNG nor an SVG, cannot be read, or could do more than be shown.
        """
        if isinstance(source, Logo):
            return source
        if isinstance(source, Path):
            try:
                source = source.read_bytes()
            except OSError:
                raise ConfigurationError("the file of the logo cannot be read") from None
        return cls(source)

    @property
    def suffix(self) -> str:
        """
        The suffix of its file name.
        """
        return "png" if self.body.startswith(_PNG) else "svg"


class _SVGReader:
    """
    Reads a drawing from beginning to end and refuses anything that does more than draw.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._in_style = False
        self._style: list[str] = []
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.ProcessingInstructionHandler = self._instruction

    def read(self, body: bytes) -> None:
        try:
            self._parser.Parse(body, True)
        except expat.ExpatError:
            raise ConfigurationError("a logo must be a PNG or a well-formed SVG") from None

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        space, _, name = tag.rpartition(" ")
        if self._depth == 0 and (space, name) != (_SVG, "svg"):
            raise ConfigurationError("a logo must be a PNG or an SVG")
        self._depth += 1
        if name in _ACTIVE:
            raise ConfigurationError(f"the SVG of a logo must not hold <{name}>")
        self._in_style = name == "style"
        for attribute, value in attributes.items():
            self._attribute(attribute.rpartition(" ")[2], value)

    def _attribute(self, name: str, value: str) -> None:
        if name.lower().startswith("on"):
            raise ConfigurationError("the SVG of a logo must not hold a script")
        if name in ("href", "src"):
            if not value.strip().startswith("#") and not _INLINE.fullmatch(value.strip()):
                raise ConfigurationError("the SVG of a logo must not refer to anything outside itself")
        elif _OUTSIDE.search(value):
            raise ConfigurationError("the SVG of a logo must not refer to anything outside itself")

    def _text(self, text: str) -> None:
        if self._in_style:
            self._style.append(text)

    def _end(self, _tag: str) -> None:
        if self._in_style and _OUTSIDE.search("".join(self._style)):
            raise ConfigurationError("the SVG of a logo must not refer to anything outside itself")
        self._in_style = False
        self._style.clear()

    def _doctype(self, *_declared: object) -> None:
        raise ConfigurationError("the SVG of a logo must not have a document type")

    def _instruction(self, *_instruction: object) -> None:
        raise ConfigurationError("the SVG of a logo must not hold processing instructions")
