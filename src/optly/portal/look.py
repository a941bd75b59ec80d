"""
How the pages look: their frame and parts, the words of a language, and what an organisation adds.

A host's templates come before ours for every part of a page, but not for its frame (see `guard`). Where one of them
cannot be used, or fails, the whole page is made of ours, and the log says so.

Whatever a view passes as a fact is shown as it is: texts among the facts, such as *title*, are translated already, and
the templates translate only their own sentences. Only so can a text hold a date or a name.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import attrs
from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined

from optly.contacts import Organisation
from optly.errors import ConfigurationError
from optly.locale.i18n import SOURCE, catalogue, direction, install, language_name, languages, nearest, require_readable
from optly.portal.assets import assets, assets_by_name
from optly.portal.guard import FRAME, PARTS, HostLoader, TemplateFinding, check, finding
from optly.portal.responses import file, html
from optly.portal.theme import Theme
from optly.protocols.http import Response

_log = logging.getLogger("optly")

# There is nothing left to stop, or only the change that the page asks about.
_NO_STOP: Final = frozenset({"stopped", "undo_change"})

_NO_LOGO: Final[Mapping[str, str | None]] = {"logo": None, "logo-dark": None}


def _directories(value: Sequence[Path | str]) -> tuple[Path, ...]:
    return tuple(Path(directory) for directory in value)


@attrs.frozen(kw_only=True)
class Language:
    """
    A language in which the page can be read.
    """

    tag: str
    name: str
    href: str = attrs.field(repr=False)
    current: bool


@attrs.frozen(kw_only=True)
class Look:
    """
    What the pages of one organisation look like. Made once; safe to share between threads.

    Attributes:
        mount: Path of the base address.
        templates: Directories with the host's templates, which come before ours.
        catalogues: Directories with the host's catalogues, likewise.

    Raises:
        ConfigurationError: One of the directories does not exist, or a catalogue in it cannot be used.
    """

    organisation: Organisation
    mount: str
    theme: Theme = attrs.field(factory=Theme)
    templates: tuple[Path, ...] = attrs.field(default=(), converter=_directories)
    catalogues: tuple[Path, ...] = attrs.field(default=(), converter=_directories)

    def __attrs_post_init__(self) -> None:
        for directory in self.templates:
            if not directory.is_dir():
                raise ConfigurationError(f"there is no directory of templates at {directory}")
        require_readable(self.catalogues)

    def page(
        self, status: HTTPStatus, template: str, *headers: tuple[str, str], carried: str = "", **facts: Any
    ) -> Response:
        """
        Return a page.

        Args:
            carried: The language in which the page's links and forms go on; empty if none was chosen.
            facts: As for `facts`, with *template*.
        """
        given = self.facts(template, **facts)
        text = self._text(given)
        if carried:
            text = self._carrying(text, carried)
        tag = given["language"]
        return html(status, text, ("content-language", tag), ("vary", "Accept-Language, Cookie"), *headers)

    def facts(
        self,
        template: str,
        *,
        title: str,
        language: str = SOURCE,
        code: str | None = None,
        home: str | None = None,
        csrf: str | None = None,
        here: str | None = None,
        **facts: Any,
    ) -> Mapping[str, Any]:
        """
        Return everything that the templates of a page are given.

        Args:
            template: The name of the page, without the suffix.
            language: The tag of the language asked for; the nearest that has a catalogue is taken.
            code: The code of the visitor's link, as it is written in a path.
            home: Path of the visitor's own pages, by default those behind *code*. With it, the page can stop
                everything.
            csrf: The secret that the forms of a session hold.
            here: Path at which the page can be seen again, for the links to the other languages. By default *home*.
            facts: What the page itself shows; `optly.testing.pages` has an example for each.
        """
        if code is not None and home is None:
            home = f"{self.mount}/l/{code}"
        page, tag = here or home or "", nearest(language, self.catalogues)
        common = {
            "translations": catalogue(tag, self.catalogues),
            "organisation": self.organisation,
            "mount": self.mount,
            "files": {**_NO_LOGO, **{name: asset.name for name, asset in assets(self.theme).items()}},
            "language": tag,
            "direction": direction(tag),
            "languages": [
                Language(
                    tag=other,
                    name=language_name(other),
                    href=f"{page}{'&' if '?' in page else '?'}lang={other}",
                    current=other == tag,
                )
                for other in languages(self.catalogues)
            ],
            "nav": (),
            "session": None,
            "title": title,
            "code": code,
            "home": home,
            "csrf": csrf,
            "template": f"{template}.html.j2",
            "stop": None if home is None or template in _NO_STOP else f"{home}/stop",
            # Only where something is wrong with what was sent. That a link was used, say, is no error.
            "failed": bool(facts.get("error") or facts.get("errors")),
        }
        return common | facts

    def render(self, facts: Mapping[str, Any]) -> str:
        """
        Return a page as the host's templates make it, whatever they raise.
        """
        return _drawn(self._theirs if self.templates else self._ours, facts)

    def redirect(self, location: str, *headers: tuple[str, str]) -> Response:
        """
        Send a browser on to a path of ours.
        """
        return html(HTTPStatus.SEE_OTHER, "", ("location", location), *headers)

    def _carrying(self, text: str, language: str) -> str:
        """
        Return a page whose links and forms that lead to pages of ours say which language was chosen. There is no cookie
        to say it.
        """

        def carry(found: re.Match[str]) -> str:
            path, query, fragment = found["path"], found["query"] or "", found["fragment"] or ""
            if path.startswith("/static/") or "lang=" in query:
                return found[0]
            query = f"{query}&amp;lang={language}" if query else f"?lang={language}"
            return f'{found["before"]}{path}{query}{fragment}"'

        mount = re.escape(self.mount)
        return re.sub(
            rf'(?P<before>\b(?:href|action)="{mount})(?P<path>[^"?#]*)(?P<query>\?[^"#]*)?(?P<fragment>#[^"]*)?"',
            carry,
            text,
        )

    def file(self, name: str) -> Response | None:
        """
        Return a file of the pages by the name that they ask for it, or None if there is none of that name.
        """
        asset = assets_by_name(self.theme).get(name)
        return None if asset is None else file(asset)

    def check(self) -> tuple[TemplateFinding, ...]:
        """
        Load the host's templates, and return what is wrong with them. A page that needs one named here is made of ours.
        """
        return tuple(check(self._theirs, HostLoader(self.templates)))

    def _text(self, facts: Mapping[str, Any]) -> str:
        try:
            return self.render(facts)
        except Exception as error:  # whatever a template of the host's does wrong
            if not self.templates:
                raise
            found = finding(facts["template"], error)
            _log.error(
                "a page was made without the host's templates",
                extra={"template": found.template, "line": found.line, "finding": found.message},
            )
        return _drawn(self._ours, facts)

    @cached_property
    def _ours(self) -> Environment:
        # What is installed does not change while it runs, so there is no need to look at the files for each page.
        return _environment(auto_reload=False)

    @cached_property
    def _theirs(self) -> Environment:
        return _environment(HostLoader(self.templates))


def _environment(*theirs: BaseLoader, auto_reload: bool = True) -> Environment:
    ours = PackageLoader("optly.portal")
    environment = Environment(
        # The frame and the parts are always loaded by this prefix, which comes first, so no host can replace them.
        loader=ChoiceLoader([PrefixLoader({"optly": ours}), *theirs, ours]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=auto_reload,
    )
    install(environment)
    # Jinja2's own `_` looks up this function anew each time, which takes as long as the translation itself.
    environment.globals["_"] = environment.globals["gettext"]
    return environment


def _drawn(environment: Environment, facts: Mapping[str, Any]) -> str:
    parts = environment.get_template(f"optly/{PARTS}").make_module(dict(facts))
    return environment.get_template(f"optly/{FRAME}").render(facts, parts=parts)
