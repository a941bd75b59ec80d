# mypy: disable-error-code="import-untyped"
"""
What ``manage.py check`` says of the setting ``OPTLY``.

==============  ================================================================================================
``optly.E001``  The setting cannot work.
``optly.E002``  Links would lead to an address that is neither https nor this machine.
``optly.E003``  The pages are not mounted where links lead.
``optly.E004``  A key is short.
``optly.E005``  A key is Django's own.
``optly.E006``  The store cannot be used. Asked with ``--database`` alone, and before a migration.
``optly.E007``  The gated email backend has nothing to hand mails over with.
``optly.W001``  There is no message backend, so that nobody can be asked.
``optly.W002``  Nobody has decided what becomes of mails that do not say whether they are marketing.
``optly.W003``  Mails are not screened, though the settings for that are there.
``optly.W004``  The store is in a SQLite file of Django's own.
``optly.W005``  A template of the site's breaks a rule of the pages. Asked with ``--database`` alone.
==============  ================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings as site
from django.core import checks
from django.urls import Resolver404, resolve

from optly.contrib.django import _settings, get_manager, get_portal
from optly.contrib.django._mailers import GATE, is_gated, problem_with
from optly.contrib.django._settings import Facts, Settings
from optly.contrib.django.views import pages
from optly.errors import ConfigurationError, OptlyError
from optly.links import Pages

_SHORTEST: Final = 32


def register() -> None:
    """
    Have Django run the checks.
    """
    checks.register(check_setting)
    checks.register(check_store, checks.Tags.database)


def check_setting(**_: Any) -> list[Any]:
    """
    Check what can be told without asking the store.
    """
    try:
        settings = _settings.read()
    except ConfigurationError as error:
        return [checks.Error(str(error), id="optly.E001")]
    found = [*_keys(settings), *_mail(settings), *_databases()]
    return found if settings.facts is None else [*found, *_facts(settings.facts)]


def check_store(databases: Sequence[str] | None = None, **_: Any) -> list[Any]:
    """
    Check that the store can be used, and with it what a manager of the site's own says.
    """
    if not databases:
        return []
    try:
        settings = _settings.read()
    except ConfigurationError:
        return []  # told by `check_setting`
    try:
        manager = get_manager()
        manager.backlog()
    except OptlyError as error:
        return [checks.Error(f"the store cannot be used: {error}", id="optly.E006")]
    found = [
        checks.Warning(
            f"the template {finding.template} breaks a rule of the pages, so that ours is shown: {finding.message}",
            id="optly.W005",
        )
        for finding in get_portal().check_templates()
    ]
    if settings.facts is not None:
        return found
    return [*found, *_facts(Facts(base_url=manager.pages.base_url, backends=len(manager.backends)))]


def _facts(facts: Facts) -> Iterator[Any]:
    try:
        at = Pages(facts.base_url)
    except ConfigurationError as error:
        yield checks.Error(str(error), id="optly.E001")
        return
    if urlsplit(at.base_url).scheme != "https" and not _is_here(at.base_url):
        yield checks.Error(
            "the links in messages would not be https, and whoever is on the way could read and use them",
            hint="Let BASE_URL begin with https.",
            id="optly.E002",
        )
    if not _is_mounted(at.path):
        yield checks.Error(
            f"links lead to {at.path or '/'}, and the pages are not there",
            hint=f'Add path("{at.path.strip("/")}/", include("optly.contrib.django.urls")) to the URLconf, or let '
            "BASE_URL end with where they are.",
            id="optly.E003",
        )
    if not facts.backends:
        yield checks.Warning(
            "there is no message backend, so that nobody can be asked and nothing be sent",
            hint="Give one in BACKENDS.",
            id="optly.W001",
        )


def _is_here(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_mounted(path: str) -> bool:
    # A server or a proxy takes the prefix off before the URLconf sees the path.
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
            f"the key has less than {_SHORTEST} characters, and whoever guesses it can make links",
            hint="Make another with Keys.generate(), and keep this one behind it in the list.",
            id="optly.E004",
        )
    if {site.SECRET_KEY, *site.SECRET_KEY_FALLBACKS} & {settings.keys.current, *settings.keys.previous}:
        yield checks.Error(
            "a key is Django's SECRET_KEY: when that is changed, stop links and suppressions would be lost",
            hint="Make another with Keys.generate().",
            id="optly.E005",
        )


def _mail(settings: Settings) -> Iterator[Any]:
    if not is_gated():
        if "UNMARKED" in site.OPTLY or "EMAIL_INNER_BACKEND" in site.OPTLY:
            yield checks.Warning(
                "mails are not screened: UNMARKED and EMAIL_INNER_BACKEND are for another backend than the site has",
                hint=f"Let EMAIL_BACKEND, or the default of MAILERS, be {GATE}.",
                id="optly.W003",
            )
        return
    if problem := problem_with(settings.inner_backend):
        yield checks.Error(
            problem,
            hint="Let EMAIL_INNER_BACKEND name what the site handed mails over with before.",
            id="optly.E007",
        )
    if settings.unmarked is None:
        yield checks.Warning(
            "mails that do not say whether they are marketing are not sent, those that reset a password included",
            hint='Decide: "UNMARKED": "service" sends them, so that the site has to mark all of its marketing; '
            '"refuse" does not, so that it has to mark everything else.',
            id="optly.W002",
        )


def _databases() -> Iterator[Any]:
    storage = site.OPTLY.get("STORAGE")
    if not isinstance(storage, str) or not storage.startswith("sqlite"):
        return
    file = urlsplit(storage).path.removeprefix("/")
    for database in site.DATABASES.values():
        if database.get("ENGINE") == "django.db.backends.sqlite3" and _same_file(file, str(database.get("NAME"))):
            yield checks.Warning(
                "the store is in a SQLite file of Django's own, which one of the two writes to at a time: what is "
                "recorded while a transaction of Django's is open waits for it in vain",
                hint="Give the store a file of its own.",
                id="optly.W004",
            )


def _same_file(one: str, other: str) -> bool:
    return bool(one) and Path(one).resolve() == Path(other).resolve()
