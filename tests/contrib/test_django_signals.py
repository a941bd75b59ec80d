"""
What a site hears, and the links that its templates make.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from contrib import django_site
from contrib.django_site import Shop
from django.dispatch import Signal
from django.template import Context, Template
from django.test import override_settings
from world import ACME, EMAIL, PHONE, PURPOSES, world

from optly import Act, Actor, Channel, Contact, Solicited
from optly.contrib.django import get_manager, signals
from optly.contrib.django.signals import send_signals
from optly.errors import AddressError, AmbiguousLineError, MissingLineError, UnknownContactError, UnknownPurposeError
from optly.record.commands import Unsound
from optly.record.events import (
    ConsentGiven,
    ConsentRefused,
    ConsentWithdrawn,
    ContactErased,
    DetailsChanged,
    ObjectionRaised,
)
from optly.testing.messages import code_in

SIGNALS = ("consent_given", "consent_refused", "consent_withdrawn", "contact_details_changed")
Heard = list[tuple[str, Contact, Any]]


@pytest.fixture
def shop() -> Iterator[Shop]:
    with django_site.opened() as shop:
        yield shop


@contextmanager
def hearing() -> Iterator[Heard]:
    """
    Keep what every signal tells, by its name.
    """
    heard: Heard = []
    receivers = []
    for name in SIGNALS:

        def hear(*, contact: Contact, event: Any, name: str = name, **_: Any) -> None:
            heard.append((name, contact, event))

        signal: Signal = getattr(signals, name)
        signal.connect(hear)
        receivers.append((signal, hear))
    try:
        yield heard
    finally:
        for signal, receiver in receivers:
            signal.disconnect(receiver)


def kinds(heard: Heard) -> list[tuple[str, type[Any]]]:
    return [(name, type(event)) for name, _, event in heard]


def test_a_site_hears_what_people_said(shop: Shop) -> None:
    """
    A yes and a no, a stop of either kind, and a change of details; once each, and by the contact's id.
    """
    with hearing() as heard:
        ada = shop.add()
        shop.manager.request_consent(
            ada,
            via=Channel.EMAIL,
            channels=[Channel.EMAIL, Channel.SMS],
            purposes=["offers"],
            basis=Solicited(how="form", at=shop.clock()),
        )
        shop.manager.deliver()
        assert [] == heard
        code = code_in(shop.manager.backends[0].outbox[0])  # type: ignore[attr-defined]
        shop.manager.answer(code, {(Channel.EMAIL, "offers"): True, (Channel.SMS, "offers"): False})
        shop.manager.withdraw(ada, channels=[Channel.EMAIL])
        shop.manager.record_objection(ada)
        shop.manager.change_details(ada, name="Countess")
        shop.manager.erase(ada)
        shop.manager.erase(ada)
    assert [
        ("consent_given", ConsentGiven),
        ("consent_refused", ConsentRefused),
        ("consent_withdrawn", ConsentWithdrawn),
        ("consent_withdrawn", ObjectionRaised),
        ("contact_details_changed", DetailsChanged),
        ("contact_details_changed", ContactErased),
    ] == kinds(heard)
    assert {ada} == {contact for _, contact, _ in heard}
    assert not any(event.personal for _, _, event in heard)


def test_a_new_address_of_somebody_known_is_a_change(shop: Shop) -> None:
    """
    Those they were put on record with are not.
    """
    with hearing() as heard:
        ada = shop.add(phone=None)
        assert [] == heard
        shop.manager.change_details(ada, email="countess@example.com")
    assert ["contact_details_changed"] * 2 == [name for name, _, _ in heard]


def test_what_is_no_consent_is_not_told_as_one(shop: Shop) -> None:
    """
    Though it is kept as what somebody took for one.
    """
    with hearing() as heard:
        shop.manager.record_consent(
            shop.add(),
            channels=[Channel.EMAIL],
            purposes=["offers"],
            wording=PURPOSES[0].wording(ACME, Channel.EMAIL),
            act=Act.PRE_TICKED,
            how="an old form",
            at=shop.clock(),
            unsound=Unsound.KEEP,
        )
    assert [] == heard


def test_it_is_on_record_when_it_is_heard_and_a_receiver_that_fails_changes_nothing(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The others are told as well, and the failure is logged.
    """
    found = []

    def fail(**_: Any) -> None:
        raise RuntimeError("out of order")

    def look(*, contact: Contact, **_: Any) -> None:
        found.append(bool(get_manager().check(contact, Channel.EMAIL, "offers")))

    signals.consent_given.connect(fail)
    signals.consent_given.connect(look)
    try:
        with caplog.at_level(logging.ERROR):
            ada = shop.agreed()
    finally:
        signals.consent_given.disconnect(fail)
        signals.consent_given.disconnect(look)
    assert [True] == found
    assert shop.manager.check(ada, Channel.EMAIL, "offers")
    assert "out of order" in caplog.text


def test_a_manager_of_the_sites_own_is_given_the_signals() -> None:
    """
    By ``on_events=send_signals``.
    """
    with hearing() as heard, override_settings(OPTLY={"MANAGER": world(on_events=send_signals).manager}):
        ada = get_manager().add_contact(email=EMAIL)
        get_manager().withdraw(ada, actor=Actor.PERSON)
    assert [("consent_withdrawn", ConsentWithdrawn)] == kinds(heard)


# ---- template tags


def rendered(template: str, **facts: Any) -> str:
    text: str = Template("{% load optly %}" + template).render(Context(facts))
    return text


@pytest.mark.parametrize("by", ["contact", "id", "email", "phone"])
def test_a_template_makes_a_link_for_whoever_is_meant(shop: Shop, by: str) -> None:
    """
    Named by any of what a site may know of them.
    """
    ada = shop.add()
    who = {"contact": ada, "id": ada.id, "email": f" {EMAIL.upper()}", "phone": PHONE}[by]
    link = rendered("{% optly_preferences_url who %}", who=who)
    assert shop.client.get(link.removeprefix("https://acme.example.com")).status_code == 200
    assert link != rendered("{% optly_preferences_url who %}", who=who)
    stop = rendered('{% optly_unsubscribe_url who "offers" %}', who=who)
    scope = shop.manager.open_stop(stop.rpartition("/")[2])
    assert (ada.id, Channel.EMAIL, None) == (scope.contact, scope.channel, scope.purpose)


def test_a_template_makes_the_headers_and_other_channels(shop: Shop) -> None:
    """
    The headers as a variable, and a stop of every purpose where none is named.
    """
    ada = shop.add()
    headers = shop.manager.unsubscribe_headers(ada, "offers")
    template = '{% optly_unsubscribe_headers who "offers" as headers %}{% for name, value in headers.items %}'
    assert "".join(f"{name}: {value}\n" for name, value in headers.items()) == rendered(
        f"{{% autoescape off %}}{template}{{{{ name }}}}: {{{{ value }}}}\n{{% endfor %}}{{% endautoescape %}}", who=ada
    )
    stop = rendered('{% optly_unsubscribe_url who channel="sms" %}', who=ada)
    scope = shop.manager.open_stop(stop.rpartition("/")[2])
    assert (Channel.SMS, None) == (scope.channel, scope.purpose)
    assert "/my/l/" in rendered('{% optly_preferences_url who channel="sms" as link %}{{ link }}', who=ada)


WORK = "ada@work.example.com"


@pytest.mark.parametrize("by", ["line", "address"])
def test_a_template_names_one_of_several_lines(shop: Shop, by: str) -> None:
    """
    By its number, or by the address that names the contact.
    """
    ada = shop.add()
    shop.manager.add_line(ada, email=WORK)
    who, line = (ada, "line=3") if by == "line" else (WORK, "")
    opened = shop.manager.open(rendered(f"{{% optly_preferences_url who {line} %}}", who=who).rpartition("/")[2])
    assert opened.masked.partition("@")[2].startswith("w")
    stop = rendered(f"{{% optly_unsubscribe_url who {line} %}}", who=who)
    assert 3 == shop.manager.open_stop(stop.rpartition("/")[2]).line
    assert "None" not in rendered('{% optly_preferences_url who channel="sms" %}', who=WORK)
    with pytest.raises(AmbiguousLineError):
        rendered("{% optly_preferences_url who %}", who=PHONE)
    with pytest.raises(MissingLineError):
        rendered("{% optly_unsubscribe_url who line=4 %}", who=ada)


@pytest.mark.parametrize(
    ("template", "who", "error"),
    [
        ("{% optly_preferences_url who %}", "nobody@example.com", UnknownContactError),
        ("{% optly_preferences_url who %}", "0" * 32, UnknownContactError),
        ("{% optly_preferences_url who %}", "no address", AddressError),
        ("{% optly_preferences_url who %}", "", AddressError),
        ('{% optly_unsubscribe_url who "offerings" %}', EMAIL, UnknownPurposeError),
    ],
)
def test_a_link_that_cannot_be_made_is_an_error(shop: Shop, template: str, who: str, error: type[Exception]) -> None:
    """
    Rather than a mail without a way to stop.
    """
    shop.add()
    with pytest.raises(error):
        rendered(template, who=who)
