"""
Update the catalogues after a sentence has changed.

    python tools/catalogues.py       write ``optly.pot`` and the catalogues; exit with 1 if a sentence is untranslated

``optly.pot`` is rewritten from the code and the templates. In each catalogue a new sentence is added empty, to be
translated, and one that is no longer used is dropped. Nothing is guessed: a new sentence does not get the
translation of a similar old one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from optly.locale.i18n import LANGUAGES, SOURCE

PACKAGE: Final = Path(__file__).parents[1] / "src" / "optly"
HERE: Final = PACKAGE / "locale"

_METHODS: Final = [("**.py", "python"), ("**/templates/**.j2", "jinja2")]
_OPTIONS: Final = {"**/templates/**.j2": {"trimmed": "true", "silent": "false", "encoding": "utf-8"}}


def extract() -> Catalog:
    """
    Return every sentence of the code and the templates, with the files it is in.
    """
    found = Catalog(
        project="optly",
        header_comment="# What Optly says.",
        version=version("optly"),
        msgid_bugs_address="The Optly developers",
        fuzzy=False,
    )
    spoken = extract_from_dir(
        PACKAGE,
        _METHODS,
        _OPTIONS,
        comment_tags=("Translators:",),
        strip_comment_tags=True,
        directory_filter=_is_ours,
    )
    for file, line, message, comments, context in spoken:
        found.add(message, locations=[(Path(file).as_posix(), line)], auto_comments=comments, context=context)
    return found


def _is_ours(directory: str) -> bool:
    return Path(directory).name != "__pycache__"


def read(path: Path) -> Catalog:
    """
    Return a catalogue for editing.
    """
    with path.open("rb") as file:
        return read_po(file, locale=path.stem if path.suffix == ".po" else None)


def _write(path: Path, found: Catalog) -> None:
    found.last_translator = found.language_team = "The Optly developers"
    with path.open("wb") as file:
        write_po(file, found, width=100, include_lineno=False, sort_by_file=True, ignore_obsolete=True)


def _untranslated(found: Catalog) -> Iterable[str]:
    for message in found:
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.id and not all(strings):
            yield str(message.id)


def main() -> int:
    """
    Write the template and the catalogues. Returns 1 if a sentence is untranslated.
    """
    template = extract()
    _write(HERE / "optly.pot", template)
    left = 0
    for path in (HERE / f"{tag}.po" for tag in LANGUAGES if tag != SOURCE):
        known = read(path)
        known.update(template, no_fuzzy_matching=True)
        _write(path, known)
        for sentence in _untranslated(known):
            left += 1
            sys.stdout.write(f"{path.name}: {sentence}\n")
    sys.stdout.write(f"{len(template)} sentences, {left} to be translated\n")
    return min(left, 1)


if __name__ == "__main__":
    raise SystemExit(main())
