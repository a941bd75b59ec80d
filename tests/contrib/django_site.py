"""
A site as ``startproject`` makes it, with Optly in it, for the tests of Django.

Django has one site in a process. It is set up when this is imported, keeps its hands off the logs and the time zone,
and nothing else in the tests uses it.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import django
from django.conf import settings
from django.core import mail
from django.core.management import call_command
from django.test import Client, override_settings
from world import ACME, EMAIL, PHONE, PURPOSES

from optly import Act, Actor, Channel, ConsentManager, Contact, Subscriber
from optly.backends import MemoryBackend
from optly.storage import MemoryStorage
from optly.testing.clock import FrozenClock

_DIRECTORY = Path(tempfile.mkdtemp(prefix="optly-django-"))
atexit.register(shutil.rmtree, _DIRECTORY, ignore_errors=True)

GATE = "optly.contrib.django.mail.GatedEmailBackend"
# Since 6.1 Django has backends by their aliases, with settings of their own, and warns of everything else.
HAS_MAILERS = hasattr(mail, "mailers")
_BACKENDS = "django.core.mail.backends."
INNER = "kept" if HAS_MAILERS else f"{_BACKENDS}locmem.EmailBackend"
SMTP_BACKEND = f"{_BACKENDS}smtp.EmailBackend"
SMTP = "smtp" if HAS_MAILERS else SMTP_BACKEND


def mailers(default: str = GATE, host: str = "", port: int = 0) -> dict[str, Any]:
    """
    Return the settings of mail for the version of Django that is there.
    """
    if not HAS_MAILERS:
        return {"EMAIL_BACKEND": default, "EMAIL_HOST": host, "EMAIL_PORT": port}
    return {
        "MAILERS": {
            "default": {"BACKEND": default},
            "silent": {"BACKEND": default, "OPTIONS": {"fail_silently": True}},
            "kept": {"BACKEND": f"{_BACKENDS}locmem.EmailBackend"},
            "smtp": {"BACKEND": SMTP_BACKEND, "OPTIONS": {"host": host, "port": port}},
        }
    }


def connection(*, silently: bool = False) -> Any:
    """
    Return what mails are sent with.
    """
    if not HAS_MAILERS:
        return mail.get_connection(fail_silently=silently)
    return mail.mailers["silent" if silently else "default"]


KEY = "a key that is used in no other place than tests"

# What `startproject` of Django 5.2 writes, but for the order of its lines.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

settings.configure(
    SECRET_KEY="django's own key, which is a secret of its own",
    ALLOWED_HOSTS=["testserver", "127.0.0.1"],
    ROOT_URLCONF="contrib.django_urls",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "optly.contrib.django",
    ],
    MIDDLEWARE=MIDDLEWARE,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(_DIRECTORY / "django.db")}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    STATIC_URL="static/",
    USE_TZ=True,
    LOGGING_CONFIG=None,
    OPTLY={},
    **mailers(),
)
django.setup()


@cache
def migrate() -> None:
    """
    Make Django's own tables, once.
    """
    from django.db import connection

    call_command("migrate", verbosity=0, skip_checks=True)
    connection.close()


def parts(**changes: Any) -> dict[str, Any]:
    """
    Return a setting ``OPTLY`` of which a manager can be made, over a store of its own.
    """
    setting = {
        "ORGANISATION": attrs.asdict(ACME),
        "PURPOSES": list(PURPOSES),
        "STORAGE": MemoryStorage(),
        "BACKENDS": [MemoryBackend(channel=Channel.EMAIL)],
        "KEYS": KEY,
        "BASE_URL": "https://acme.example.com/my",
        "CLOCK": FrozenClock(),
        "EMAIL_INNER_BACKEND": INNER,
        **changes,
    }
    return {name: value for name, value in setting.items() if value is not None}


@attrs.frozen
class Shop:
    """
    The site of an organisation, and whoever visits it.
    """

    setting: dict[str, Any] = attrs.field(repr=False)
    client: Client

    @property
    def manager(self) -> ConsentManager:
        from optly.contrib.django import get_manager

        return get_manager()

    @property
    def clock(self) -> FrozenClock:
        clock: FrozenClock = self.setting["CLOCK"]
        return clock

    @property
    def sent(self) -> list[Any]:
        """
        The mails that Django handed over.
        """
        outbox: list[Any] = mail.outbox
        return outbox

    def add(self, **details: Any) -> Contact:
        """
        Put Ada on record, or somebody else.
        """
        known = {"name": "Ada", "email": EMAIL, "phone": PHONE, "subscriber": Subscriber.INDIVIDUAL}
        return self.manager.add_contact(**{**known, **details})

    def agreed(self, purpose: str = "offers", **details: Any) -> Contact:
        """
        Put somebody on record who agreed to mails.
        """
        contact = self.add(**details)
        self.manager.record_consent(
            contact,
            channels=[Channel.EMAIL],
            purposes=[purpose],
            wording=self.manager.purposes[purpose].wording(ACME, Channel.EMAIL),
            act=Act.TICKED_BOX,
            how="on her account page",
            at=self.clock(),
            actor=Actor.PERSON,
        )
        self.clock.advance(timedelta(minutes=1))
        return contact


@contextmanager
def opened(**changes: Any) -> Iterator[Shop]:
    """
    Run the site with this setting. Its last mails are forgotten.
    """
    migrate()
    mail.outbox = []
    setting = parts(**changes)
    with override_settings(OPTLY=setting):
        yield Shop(setting, Client(enforce_csrf_checks=True))
