# mypy: disable-error-code="import-untyped"
"""
The system checks of the setting ``OPTLY``.

==============  ================================================================================================
``optly.E001``  The setting cannot work. With ``--database``, neither can a template of the site.
``optly.E003``  The pages are not mounted where links lead.
``optly.E004``  A key is too short.
``optly.E005``  A key is Django's own.
``optly.E006``  The database cannot be used. Checked only with ``--database``, and before a migration.
``optly.E007``  The gated email backend has no backend to send with.
``optly.W001``  There is no message backend, so no one can be asked for consent.
``optly.W002``  It is undecided what happens to emails that do not say whether they are marketing.
``optly.W003``  Emails are not screened, although the settings for that exist.
``optly.W004``  The data is in Django's own SQLite file.
==============  ================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings as site
from django.core import checks
from django.urls import Resolver404, resolve

from optly.contrib.django import _settings, get_manager
from optly.contrib.django._mailers import GATE, is_gated, problem_with
from optly.contrib.django._settings import Facts, Settings
from optly.contrib.django.views import pages
from optly.errors import ConfigurationError, OptlyError
from optly.links import Pages

_SHORTEST: Final = 32


def register() -> None:
    checks.register(check_setting)
    checks.register(check_store, checks.Tags.database)


def check_setting(**_: Any) -> list[Any]:
    """
    Check everything that needs no connection to the database.
    """
    try:
        settings = _settings.read()
    except ConfigurationError as error:
        return [checks.Error(str(error), id="optly.E001")]
    found = [*_keys(settings), *_mail(settings), *_databases()]
    return found if settings.facts is None else [*found, *_facts(settings.facts)]


def check_store(databases: Sequence[str] | None = None, **_: Any) -> list[Any]:
    """
    Check that the database can be used, and the facts of a manager that the site makes itself.
    """
    if not databases:
        return []
    try:
        settings = _settings.read()
    except ConfigurationError:
        return []  # reported by `check_setting`
    try:
        manager = get_manager()
        manager.backlog()
    except ConfigurationError as error:  # what only shows when it is made, such as a fault in a template
        return [checks.Error(str(error), id="optly.E001")]
    except OptlyError as error:
        return [checks.Error(f"the database cannot be used: {error}", id="optly.E006")]
    if settings.facts is not None:
        return []
    return [*_facts(Facts(base_url=manager.pages.base_url, backends=len(manager.backends)))]


def _facts(facts: Facts) -> Iterator[Any]:
    try:
        at = Pages(facts.base_url)
    except ConfigurationError as error:
        yield checks.Error(str(error), id="optly.E001")
        return
    if not _is_mounted(at.path):
        yield checks.Error(
            f"links lead to {at.path or '/'}, and the pages are not there",
            hint=f'Add path("{at.path.strip("/")}/", include("optly.contrib.django.urls")) to the URLconf, or end '
            "BASE_URL with the path of the pages.",
            id="optly.E003",
        )
    if not facts.backends:
        yield checks.Warning(
            "there is no message backend, so no one can be asked for consent and nothing can be sent",
            hint="Add one to BACKENDS.",
            id="optly.W001",
        )


def _is_mounted(path: str) -> bool:
    # A server or a proxy removes the prefix before the URLconf sees the path.
    prefix = (site.FORCE_SCRIPT_NAME or "").rstrip("/")
    below = path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path
    try:
        found = resolve(f"{below}/help")
    except Resolver404:
        return False
    return found.func is pages and found.kwargs == {"rest": "help"}


def _keys(settings: Settings) -> Iterator[Any]:
    if settings.keys is None:
        return
    if len(settings.keys.current) < _SHORTEST:
        yield checks.Error(
            f"the key has fewer than {_SHORTEST} characters, and anyone who guesses it can make links",
            hint="Generate one with Keys.generate(), and keep this one after it in the list.",
            id="optly.E004",
        )
    if {site.SECRET_KEY, *site.SECRET_KEY_FALLBACKS} & {settings.keys.current, *settings.keys.previous}:
        yield checks.Error(
            "a key is Django's SECRET_KEY: changing that would break stop links and lose suppressions",
            hint="Generate one with Keys.generate().",
            id="optly.E005",
        )


def _mail(settings: Settings) -> Iterator[Any]:
    if not is_gated():
        if "UNMARKED" in site.OPTLY or "EMAIL_INNER_BACKEND" in site.OPTLY:
            yield checks.Warning(
                "emails are not screened: UNMARKED and EMAIL_INNER_BACKEND have no effect with the site's backend",
                hint=f"Set EMAIL_BACKEND, or the default of MAILERS, to {GATE}.",
                id="optly.W003",
            )
        return
    if problem := problem_with(settings.inner_backend):
        yield checks.Error(
            problem,
            hint="Set EMAIL_INNER_BACKEND to the backend that the site used before.",
            id="optly.E007",
        )
    if settings.unmarked is None:
        yield checks.Warning(
            "emails that do not say whether they are marketing are not sent, including password resets",
            hint='Decide: with "UNMARKED": "service" they are sent, and the site has to mark all of its marketing; '
            'with "refuse" they are not, and it has to mark everything else.',
            id="optly.W002",
        )


def _databases() -> Iterator[Any]:
    storage = site.OPTLY.get("STORAGE")
    if not isinstance(storage, str) or not storage.startswith("sqlite"):
        return
    file = urlsplit(storage).path.removeprefix("/")
    if not file:  # in memory
        return
    for database in site.DATABASES.values():
        name = Path(str(database.get("NAME")))
        if database.get("ENGINE") == "django.db.backends.sqlite3" and Path(file).resolve() == name.resolve():
            yield checks.Warning(
                "the data is in Django's own SQLite file, which only one of the two can write to at a time: "
                "recording anything during one of Django's transactions waits until it times out",
                hint="Use a separate file.",
                id="optly.W004",
            )
