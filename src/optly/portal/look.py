"""
How the pages look: a page is made of its template, the words of a language, and what an organisation adds of its own.

A host may put templates of its own before ours, whole or block by block. What comes of them is read by `guard` before
anybody sees it; a page that lost the way out, the secret of the session or a fair question is made of ours instead.

Whatever a view passes as a fact is shown as it is: texts among the facts, such as *title*, come translated already, and
the templates translate nothing but their own sentences. Only so can a text hold a date or a name.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from optly.contacts.parties import Organisation
from optly.errors import ConfigurationError
from optly.locale.i18n import SOURCE, catalogue, direction, install, language_name, languages, nearest, require_readable
from optly.portal.assets import assets, assets_by_name
from optly.portal.guard import Finding, Rules, findings
from optly.portal.responses import file, html
from optly.portal.samples import samples
from optly.portal.theme import Theme
from optly.protocols.http import Response

if TYPE_CHECKING:
    from jinja2 import BaseLoader, Environment

_log = logging.getLogger("optly")

# Where there is nothing to stop any more, or nothing but the change that is asked about.
_NO_STOP: Final = frozenset({"stopped", "undo_change"})

_NO_LOGO: Final[Mapping[str, str | None]] = {"logo": None, "logo-dark": None}


def _directories(value: Sequence[Path | str]) -> tuple[Path, ...]:
    return tuple(Path(directory) for directory in value)


@attrs.frozen(kw_only=True)
class Language:
    """
    A language the page can be read in.
    """

    tag: str
    name: str
    href: str
    current: bool


@attrs.frozen(kw_only=True)
class Look:
    """
    What the pages of one organisation look like. Made once; safe to share between threads.

    Attributes:
        mount: Path of the base address.
        templates: Directories with templates of the host, which come before ours.
        catalogues: Directories with catalogues of the host, likewise.

    Raises:
        ConfigurationError: One of the directories is not there, or a catalogue in it cannot be used.
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
        self,
        status: HTTPStatus,
        template: str,
        *headers: tuple[str, str],
        title: str,
        language: str = SOURCE,
        code: str | None = None,
        home: str | None = None,
        csrf: str | None = None,
        here: str | None = None,
        carried: str = "",
        **facts: Any,
    ) -> Response:
        """
        Return a page.

        Args:
            template: Its name, without the suffix.
            headers: Further headers.
            language: The tag of a language somebody wants; the nearest there is a catalogue for is taken.
            code: The code of the visitor's link, in the form it has in a path.
            home: Path of the visitor's own pages, by default those behind *code*. With it, the page can stop
                everything.
            csrf: The secret that the forms of a session hold.
            here: Path at which the page can be looked at again, for the links to the other languages. By default
                *home*.
            carried: The language that the links and forms of the page go on in; empty for whichever comes by itself.
            facts: What the template shows besides, as `optly.portal.samples` has it for each.
        """
        if code is not None and home is None:
            home = f"{self.mount}/l/{code}"
        tag = nearest(language, self.catalogues)
        given = self._facts(tag, here or home) | {"title": title, "code": code, "home": home, "csrf": csrf} | facts
        text = self._text(template, given)
        if carried:
            text = self._carrying(text, carried)
        return html(status, text, ("content-language", tag), ("vary", "Accept-Language, Cookie"), *headers)

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

    def check(self) -> tuple[Finding, ...]:
        """
        Return what is wrong with the templates of the host, each tried with made-up facts in each language.

        Nothing comes of them that breaks a rule, so a page of ours is shown for each that is named here.
        """
        return tuple(
            found
            for tag in languages(self.catalogues)
            for sample in samples(self.organisation, self.mount)
            for found in self._check(sample.template, {**self._facts(tag, sample.facts["home"]), **sample.facts})
        )

    def _check(self, template: str, facts: Mapping[str, Any]) -> tuple[Finding, ...]:
        try:
            text = self._theirs.get_template(f"{template}.html.j2").render(facts)
        except Exception as error:
            # Whatever a template of somebody else's does wrong. What the error says may be personal data.
            line = getattr(error, "lineno", 0) or 0
            return (Finding(template=template, line=line, message=f"it cannot be shown: {type(error).__qualname__}"),)
        return findings(template, text, self._rules(template, facts))

    def _text(self, template: str, facts: Mapping[str, Any]) -> str:
        if self.templates:
            found = self._guarded(template, facts)
            if found is not None:
                return found
        return self._ours.get_template(f"{template}.html.j2").render(facts)

    def _guarded(self, template: str, facts: Mapping[str, Any]) -> str | None:
        """
        Return what the host's templates make of it, or None, and a line in the log, if that must not be shown.
        """
        try:
            text = self._theirs.get_template(f"{template}.html.j2").render(facts)
            wrong = [found.message for found in findings(template, text, self._rules(template, facts))]
        except Exception as error:
            wrong = [type(error).__qualname__]
        if not wrong:
            return text
        _log.error("a template of the host's was replaced by ours", extra={"template": template, "findings": wrong})
        return None

    def _rules(self, template: str, facts: Mapping[str, Any]) -> Rules:
        home = facts["home"]
        return Rules(
            mount=self.mount,
            stop=None if home is None or template in _NO_STOP else f"{home}/stop",
            csrf=facts["csrf"],
            questions=[field for group in facts.get("groups", {}).values() for field in group],
        )

    def _facts(self, tag: str, here: str | None) -> dict[str, Any]:
        """
        Return what every template is given.
        """
        return {
            "translations": catalogue(tag, self.catalogues),
            "organisation": self.organisation,
            "mount": self.mount,
            "files": {**_NO_LOGO, **{name: asset.name for name, asset in assets(self.theme).items()}},
            "language": tag,
            "direction": direction(tag),
            "languages": tuple(self._languages(tag, here or "")),
            "nav": (),
            "session": None,
        }

    def _languages(self, current: str, here: str) -> Iterator[Language]:
        for tag in languages(self.catalogues):
            yield Language(tag=tag, name=language_name(tag), href=f"{here}?lang={tag}", current=tag == current)

    @cached_property
    def _ours(self) -> Environment:
        from jinja2 import PackageLoader

        # What is installed does not change while it runs, so nobody need look at the files again for each page.
        return _environment(PackageLoader("optly.portal"), auto_reload=False)

    @cached_property
    def _theirs(self) -> Environment:
        from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, PrefixLoader

        ours = PackageLoader("optly.portal")
        # By its second name a template of ours can be extended by the one that takes its place.
        return _environment(ChoiceLoader([FileSystemLoader(self.templates), ours, PrefixLoader({"optly": ours})]))


def _environment(loader: BaseLoader, *, auto_reload: bool = True) -> Environment:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=auto_reload,
    )
    install(environment)
    # Jinja2's own `_` looks for this one anew each time, which takes as long as the translation itself.
    environment.globals["_"] = environment.globals["gettext"]
    return environment
