"""
The setting ``OPTLY``, the manager that is made of it, and what ``manage.py check`` says of both.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest
from contrib import django_site
from contrib.django_site import GATE, HAS_MAILERS, INNER, KEY, Shop, mailers, parts
from django.conf import settings as site
from django.core import checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings
from django.urls import include, path
from processes import environment
from world import ACME, EMAIL, PURPOSES, world

from optly import Channel, ConsentManager, Keys
from optly.backends import ConsoleBackend, MemoryBackend
from optly.contrib.django import _settings, get_manager, get_portal
from optly.contrib.django.checks import check_setting, check_store
from optly.errors import ConfigurationError, StorageUnavailableError
from optly.portal import Theme
from optly.protocols.http import Request
from optly.storage import MemoryStorage

HERE = __name__
MAIL = {"UNMARKED": "refuse", "EMAIL_INNER_BACKEND": INNER}


@pytest.fixture
def shop() -> Iterator[Shop]:
    with django_site.opened() as shop:
        yield shop


# What settings name by its path.

the_manager = world().manager
made: list[ConsentManager] = []


def make_manager() -> ConsentManager:
    made.append(world().manager)
    return made[-1]


def make_nothing() -> None:
    return None


def make_memory() -> MemoryBackend:
    return MemoryBackend(channel=Channel.EMAIL)


# ---- one manager


def test_the_manager_is_made_when_it_is_needed_and_once(shop: Shop) -> None:
    """
    From however many threads it is asked for at once.
    """
    start = threading.Barrier(8)

    def ask() -> ConsentManager:
        start.wait()
        return get_manager()

    with ThreadPoolExecutor(8) as pool:
        managers = [each.result() for each in [pool.submit(ask) for _ in range(8)]]
    assert 1 == len({id(manager) for manager in managers})
    assert get_manager() is managers[0]
    assert get_portal() is get_portal()


def test_another_setting_makes_another_manager_and_closes_the_first() -> None:
    """
    As `override_settings` does it in a test.
    """

    class Closing(MemoryStorage):
        ends = 0

        def close(self) -> None:
            self.ends += 1

    storages = Closing(), Closing()
    with override_settings(OPTLY=parts(STORAGE=storages[0])):
        first = get_manager()
        with override_settings(OPTLY=parts(STORAGE=storages[1])):
            assert [1, 0] == [storage.ends for storage in storages]
            assert get_manager() is not first
            with override_settings(DEBUG=True):
                assert [1, 0] == [storage.ends for storage in storages]
        assert [1, 1] == [storage.ends for storage in storages]
        assert get_manager() is not first


FORKS = """
import os
from contrib import django_site
with django_site.opened():
    before = id(django_site.Shop({}, None).manager)
    child = os.fork()
    if not child:
        os._exit(id(django_site.Shop({}, None).manager) == before)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_process_that_was_forked_makes_its_own() -> None:
    """
    Connections are not shared with the one it was forked from, as gunicorn forks with ``--preload``.
    """
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, env=environment())
    assert ("0", "") == (done.stdout.strip(), done.stderr)


def test_a_manager_of_the_sites_own_is_used_and_left_open() -> None:
    """
    It is the site's to close.
    """
    with override_settings(OPTLY={"MANAGER": f"{HERE}.the_manager"}):
        assert get_manager() is the_manager
    with override_settings(OPTLY={"MANAGER": the_manager}):
        assert get_manager() is the_manager
    assert the_manager.find(EMAIL) is None


def test_a_function_of_the_sites_own_is_called_once() -> None:
    """
    When the manager is needed, and not before.
    """
    made.clear()
    with override_settings(OPTLY={"MANAGER": f"{HERE}.make_manager"}):
        assert [] == made
        assert get_manager() is get_manager()
        assert made == [get_manager()]


def test_parts_are_what_they_say(tmp_path: Path) -> None:
    """
    As objects, as dictionaries, by their paths, or by a path with what it is called with.
    """
    storage = f"sqlite:///{tmp_path / 'optly.db'}"
    setting = parts(
        STORAGE=storage,
        ORGANISATION=ACME,
        PURPOSES=[{"key": "offers", "title": "Offers"}, PURPOSES[1]],
        KEYS=[KEY, "an older key of ours", "one that is older still"],
        ANCHORS=[{"BACKEND": "optly.anchors.FileAnchor", "OPTIONS": {"path": tmp_path / "heads.txt"}}],
        BACKENDS=[
            f"{HERE}.make_memory",
            {"BACKEND": "optly.backends.ConsoleBackend", "OPTIONS": {"channel": Channel.SMS}},
        ],
        CLOCK="optly._operations.setup.system_clock",
        RULEBOOK="optly.rules.UKPECR",
        RECEIPTS=False,
    )
    with override_settings(OPTLY=setting):
        manager = get_manager()
        assert ACME == manager.organisation
        assert ["offers", "news"] == list(manager.purposes)
        assert [MemoryBackend, ConsoleBackend] == [type(backend) for backend in manager.backends]
        assert Keys(current=KEY, previous=["an older key of ours", "one that is older still"]).public_keys == (
            manager.public_keys
        )
        assert not manager.receipts
        contact = manager.add_contact(email=EMAIL)
        assert (manager.clock() - manager.history(contact)[0].recorded_at).total_seconds() < 60
        manager.seal()
    assert (tmp_path / "optly.db").exists()
    assert (tmp_path / "heads.txt").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"PURPOSE": []}, "did you mean PURPOSES"),
        ({"ORGANISATION": None}, "OPTLY has no ORGANISATION"),
        ({"STORAGE": None, "BASE_URL": None}, "STORAGE, BASE_URL"),
        ({"ORGANISATION": "Acme"}, r"OPTLY\['ORGANISATION'\] takes a dictionary"),
        ({"ORGANISATION": {"key": "acme"}}, r"OPTLY\['ORGANISATION'\].*missing"),
        ({"ORGANISATION": {**attrs.asdict(ACME), "colour": "red"}}, "colour"),
        ({"PURPOSES": []}, "at least one purpose"),
        ({"PURPOSES": "offers"}, r"OPTLY\['PURPOSES'\] takes a list"),
        ({"PURPOSES": {"key": "offers", "title": "Offers"}}, "takes a list"),
        ({"KEYS": []}, r"OPTLY\['KEYS'\]"),
        ({"KEYS": [b"bytes"]}, r"OPTLY\['KEYS'\]"),
        ({"KEYS": "short"}, "16 characters"),
        ({"BASE_URL": 8000}, r"OPTLY\['BASE_URL'\] takes a string"),
        ({"BACKENDS": "optly.backends.ConsoleBackend"}, r"OPTLY\['BACKENDS'\] takes a list"),
        ({"PORTAL": {"keep_contexts": True}}, "did you mean keep_context"),
        ({"UNMARKED": "sometimes"}, "refuse, service"),
        ({"EMAIL_INNER_BACKEND": None, "MANAGER": "a.b"}, "complete manager"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_as_it_is_read(change: dict[str, Any], says: str) -> None:
    """
    With the key that is wrong. The check says the same.
    """
    with override_settings(OPTLY=parts(**change)):
        with pytest.raises(ConfigurationError, match=says):
            _settings.read()
        with pytest.raises(ConfigurationError, match=says):
            get_manager()
        assert ["optly.E001"] == [found.id for found in check_setting()]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"STORAGE": "no.such.Storage"}, r"OPTLY\['STORAGE'\]: No module named 'no'"),
        ({"BACKENDS": ["optly.backends.FaxBackend"]}, "FaxBackend"),
        ({"BACKENDS": [{"OPTIONS": {}}]}, "without BACKEND"),
        ({"BACKENDS": [{"BACKEND": "optly.backends.ConsoleBackend", "OPTION": {}}]}, "did you mean OPTIONS"),
        ({"BACKENDS": [{"BACKEND": "optly.backends.ConsoleBackend", "OPTIONS": {"chanel": 1}}]}, "chanel"),
        ({"BACKENDS": [{"BACKEND": "optly.backends.SMTPBackend"}]}, "SMTPBackend.*missing"),
        ({"BACKENDS": [ConsoleBackend(), ConsoleBackend()]}, "two message backends"),
        ({"BASE_URL": "/my"}, "base_url"),
    ],
)
def test_parts_that_cannot_be_made_are_refused_when_they_are_needed(change: dict[str, Any], says: str) -> None:
    """
    Each time, until the setting is put right.
    """
    with override_settings(OPTLY=parts(**change)):
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=says):
                get_manager()
    with override_settings(OPTLY=parts()):
        get_manager()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (f"{HERE}.no_such_thing", "no_such_thing"),
        (f"{HERE}.HERE", "neither a ConsentManager nor a function"),
        (f"{HERE}.make_nothing", "returned no ConsentManager"),
    ],
)
def test_what_is_no_manager_is_refused(value: str, says: str) -> None:
    """
    Whether it is not there, is something else, or makes something else.
    """
    with override_settings(OPTLY={"MANAGER": value}), pytest.raises(ConfigurationError, match=says):
        get_manager()


def test_without_a_setting_it_says_what_is_missing() -> None:
    """
    Rather than that an attribute is.
    """
    with override_settings():
        del site.OPTLY
        with pytest.raises(ConfigurationError, match="the setting OPTLY is missing"):
            get_manager()


def test_the_pages_are_set_as_well() -> None:
    """
    By the settings of `ConsentManager.portal`. A manager whose pages cannot be made is closed again.
    """

    class Closing(MemoryStorage):
        closed = False

        def close(self) -> None:
            self.closed = True

    asked = Request(method="GET", path="/help")
    with override_settings(OPTLY=parts()):
        plain = get_portal().handle(asked)
    with override_settings(OPTLY=parts(PORTAL={"theme": Theme(colour="#7a0044")})):
        assert plain != get_portal().handle(asked)
    storage = Closing()
    with override_settings(OPTLY=parts(STORAGE=storage, PORTAL={"proxies": -1})):
        with pytest.raises(ConfigurationError, match="proxies"):
            get_manager()
        assert storage.closed


# ---- checks


def ids(**changes: Any) -> list[str]:
    with override_settings(OPTLY=parts(**{"UNMARKED": "refuse", **changes})):
        return [found.id for found in check_setting()]


def test_nothing_is_said_of_a_setting_that_works() -> None:
    """
    Whoever runs the checks sees that there are none.
    """
    assert [] == ids()
    with override_settings(OPTLY=parts(UNMARKED="refuse")):
        call_command("check", fail_level="WARNING", databases=["default"])


@pytest.mark.parametrize(
    ("base_url", "found"),
    [
        ("https://acme.example.com/my", []),
        ("http://acme.example.com/my", ["optly.E001"]),
        ("http://localhost:8000/my", []),
        ("http://acme.localhost/my", []),
        ("http://127.0.0.1:8000/my", []),
        ("http://127.1.2.3/my", []),
        ("http://[::1]:8000/my", []),
        ("http://192.0.2.1/my", ["optly.E001"]),
        ("http://localhost.example.com/my", ["optly.E001"]),
        ("https://acme.example.com/mine", ["optly.E003"]),
        ("https://acme.example.com/my/own", ["optly.E003"]),
        ("https://acme.example.com", ["optly.E003"]),
        ("acme.example.com/my", ["optly.E001"]),
    ],
)
def test_links_lead_where_the_pages_are_and_safely(base_url: str, found: list[str]) -> None:
    """
    Over https or on this machine, and to the mount.
    """
    assert found == ids(BASE_URL=base_url)


def test_the_mount_may_be_below_others_and_behind_a_prefix() -> None:
    """
    Of the URLconf, and of a server that takes it off.
    """
    with override_settings(FORCE_SCRIPT_NAME="/prefix"):
        assert [] == ids(BASE_URL="https://acme.example.com/prefix/my")
        assert ["optly.E003"] == ids(BASE_URL="https://acme.example.com/prefixed/my")
    with override_settings(ROOT_URLCONF=(path("shop/", include([path("my/", include("optly.contrib.django.urls"))])),)):
        assert [] == ids(BASE_URL="https://acme.example.com/shop/my")
        assert ["optly.E003"] == ids()


@pytest.mark.parametrize(("length", "found"), [(31, ["optly.E004"]), (32, [])])
def test_a_key_is_long(length: int, found: list[str]) -> None:
    """
    32 characters at least. One that was used before may be shorter, because it has to be kept.
    """
    assert found == ids(KEYS="k" * length)
    assert found == ids(KEYS=["k" * length, "o" * 16])


def test_a_key_is_not_djangos() -> None:
    """
    Neither the one it has nor one that it had.
    """
    assert ["optly.E005"] == ids(KEYS=site.SECRET_KEY)
    assert ["optly.E005"] == ids(KEYS=[KEY, site.SECRET_KEY])
    with override_settings(SECRET_KEY_FALLBACKS=[KEY]):
        assert ["optly.E005"] == ids()


def test_somebody_has_to_hand_messages_over() -> None:
    """
    Without a backend nobody can be asked.
    """
    assert ["optly.W001"] == ids(BACKENDS=[])
    assert ["optly.W001"] == ids(BACKENDS=None)


def test_the_mail_settings_go_together() -> None:
    """
    What screens is there where its settings are, has somebody to hand over to, and knows of unmarked mails.
    """
    assert ["optly.W002"] == ids(UNMARKED=None)
    assert ["optly.E007"] == ids(EMAIL_INNER_BACKEND="silent" if HAS_MAILERS else GATE)
    assert ["optly.E007"] == ids(EMAIL_INNER_BACKEND="no.such.Backend")
    with override_settings(**mailers("django.core.mail.backends.console.EmailBackend")):
        assert ["optly.W003"] == ids()
        assert ["optly.W003"] == ids(UNMARKED=None)
        assert [] == ids(UNMARKED=None, EMAIL_INNER_BACKEND=None)


def test_the_store_has_a_file_of_its_own(tmp_path: Path) -> None:
    """
    Not Django's, which each of the two would lock for itself.
    """
    name = site.DATABASES["default"]["NAME"]
    assert ["optly.W004"] == ids(STORAGE=f"sqlite:///{name}")
    assert [] == ids(STORAGE=f"sqlite:///{tmp_path / 'optly.db'}")
    assert [] == ids(STORAGE="sqlite://")
    assert [] == ids(STORAGE="postgresql://localhost/optly")


def test_the_store_is_asked_where_databases_are_checked() -> None:
    """
    And nowhere else: a check must not need a connection.
    """
    away = parts(STORAGE="postgresql+psycopg://nobody@127.0.0.1:9/none", UNMARKED="refuse")
    with override_settings(OPTLY=away):
        call_command("check", fail_level="WARNING")
        with pytest.raises(SystemCheckError, match=r"optly\.E006"):
            call_command("check", databases=["default"])
        assert [] == check_store(databases=None)
        with pytest.raises(StorageUnavailableError):
            get_manager()


def test_a_manager_of_the_sites_own_is_checked_as_well() -> None:
    """
    At once where it is there, and with the store where it has to be made.
    """
    with override_settings(OPTLY={"MANAGER": f"{HERE}.the_manager", **MAIL}, ROOT_URLCONF=()):
        assert ["optly.E003"] == [found.id for found in check_setting()]
        assert [] == check_store(databases=["default"])
    with override_settings(OPTLY={"MANAGER": f"{HERE}.make_manager", **MAIL}, ROOT_URLCONF=()):
        assert [] == check_setting()
        assert ["optly.E003"] == [found.id for found in check_store(databases=["default"])]


def test_a_template_that_breaks_a_rule_is_told(tmp_path: Path) -> None:
    """
    Before anybody sees that the site's own page is not shown.
    """
    (tmp_path / "help.html.j2").write_text("<p>Help yourself.")
    with override_settings(OPTLY=parts(PORTAL={"templates": [tmp_path]}, UNMARKED="refuse")):
        [found] = check_store(databases=["default"])
        assert (found.id, "help.html.j2, line 1" in found.msg) == ("optly.E001", True)


def test_the_checks_are_run_by_django() -> None:
    """
    Registered by the application, and told by their ids.
    """
    with override_settings(OPTLY=parts(BASE_URL="http://acme.example.com/my", UNMARKED="refuse")):
        assert "optly.E001" in [found.id for found in checks.run_checks()]


def test_without_django_it_says_what_to_install() -> None:
    """
    Rather than that there is no such module.
    """
    script = "import sys; sys.modules['django'] = None; import optly.contrib.django"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "pip install 'optly[django]'" in done.stderr.splitlines()[-1]
