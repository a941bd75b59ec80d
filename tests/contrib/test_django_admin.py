"""
Contacts in the admin: for whoever may see them, and not to be changed by anybody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import attrs
import pytest
from contrib import django_site
from contrib.django_site import Shop
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.template import Context, Template
from django.test import Client
from world import ACME, EMAIL, PHONE, PURPOSES, world

from optly import Channel, Contact
from optly.errors import UnknownContactError
from optly.evidence import verify
from optly.storage import MemoryStorage

LOOK_UP = "/admin/optly/contact/"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def shop() -> Iterator[Shop]:
    with django_site.opened() as shop:
        try:
            yield shop
        finally:
            User.objects.all().delete()
            connection.close()


def signed_in(*, staff: bool = True, permission: bool = True, superuser: bool = False) -> Client:
    """
    Return the browser of somebody who logged in.
    """
    user = User.objects.create_user("grace", is_staff=staff, is_superuser=superuser)
    if permission:
        user.user_permissions.add(Permission.objects.get(content_type__app_label="optly"))
    client = Client()
    client.force_login(user)
    return client


def page_of(contact: Contact) -> str:
    return f"{LOOK_UP}{contact.id}/"


def text(response: Any) -> str:
    return unescape(response.content.decode())


def test_there_is_one_permission_and_it_is_to_look() -> None:
    """
    And no table behind it.
    """
    with django_site.opened():
        assert ["view_contact"] == [
            each.codename for each in Permission.objects.filter(content_type__app_label="optly")
        ]
        assert not [name for name in connection.introspection.table_names() if "optly" in name]
        connection.close()


@pytest.mark.parametrize("by", ["email", "phone", "id"])
def test_a_contact_is_looked_up_by_what_is_known_of_them(shop: Shop, by: str) -> None:
    """
    The address stands in no URL.
    """
    ada = shop.add()
    client = signed_in()
    who = {"email": f" {EMAIL} ", "phone": PHONE, "id": ada.id}[by]
    assert "Email address, telephone number or contact id" in text(client.get(LOOK_UP))
    found = client.post(LOOK_UP, {"who": who})
    assert (HTTPStatus.FOUND, page_of(ada)) == (found.status_code, found["location"])


@pytest.mark.parametrize("who", ["nobody@example.com", "no address", "", "0" * 32, "+447911123499"])
def test_whoever_is_not_on_record_is_not_found(shop: Shop, who: str) -> None:
    """
    It is said, and what was typed is not repeated.
    """
    answer = signed_in().post(LOOK_UP, {"who": who})
    assert HTTPStatus.OK == answer.status_code
    assert "Not found: " in text(answer)
    assert not who or who not in text(answer)


def test_the_page_shows_what_is_on_record(shop: Shop) -> None:
    """
    Who it is, what they allow and why, and each event with the words that were agreed to.
    """
    ada = shop.agreed(name="Ada <b>")
    shop.manager.withdraw(ada, channels=[Channel.SMS])
    page = text(signed_in().get(page_of(ada)))
    wording = PURPOSES[0].wording(shop.manager.organisation, Channel.EMAIL)
    for shown in (EMAIL, PHONE, "on her account page", wording.text, "Said yes", "Withdrew consent", "the person"):
        assert shown in page
    assert "<bdi>Ada <b></bdi>" in page  # it is escaped: `text` turned that back
    assert b"<b>" not in signed_in_again().get(page_of(ada)).content
    decision = shop.manager.check(ada, Channel.EMAIL, "offers")
    assert f"{decision.explanation} ({decision.regulation}; {decision.edition})" in page
    assert "may be sent" in page
    assert "may not be sent" in page


def signed_in_again() -> Client:
    client = Client()
    client.force_login(User.objects.get())
    return client


def test_each_of_several_addresses_has_its_own_permissions(shop: Shop) -> None:
    """
    The page of someone with two of a kind is shown, and says which is which.
    """
    ada = shop.add()
    shop.manager.add_line(ada, email="second@example.com")
    page = text(signed_in().get(page_of(ada)))
    for email in (EMAIL, "second@example.com"):
        assert f"<td>email: {email}</td>" in page


def test_an_address_that_several_have_is_not_found(shop: Shop) -> None:
    """
    It does not say which of them is meant.
    """
    for name in ("Ada", "Bob"):
        shop.manager.add_contact(name=name, email="info@example.com")
    found = signed_in().post(LOOK_UP, {"who": "info@example.com"})
    assert HTTPStatus.OK == found.status_code
    assert "Not found: several contacts" in text(found)


def test_the_page_of_somebody_who_was_erased_shows_that(shop: Shop) -> None:
    """
    And that what was personal is gone.
    """
    ada = shop.agreed()
    shop.manager.erase(ada)
    page = text(signed_in().get(page_of(ada)))
    assert "(erased)" in page
    assert EMAIL not in page


def test_a_complaint_is_shown_with_its_deadline(shop: Shop) -> None:
    """
    Thirty days to say that it was received, and whether that was done.
    """
    ada = shop.add()
    assert "Complaints" not in text(signed_in().get(page_of(ada)))
    code = shop.manager.link(ada).rpartition("/")[2]
    complaint = shop.manager.self_service.complain(code, "You write too often.")
    page = text(signed_in_again().get(page_of(ada)))
    for shown in (
        "Complaints",
        complaint.reference,
        "You write too often.",
        "not yet",
        complaint.acknowledge_by.isoformat(),
    ):
        assert shown in page


def test_open_complaints_are_listed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Those of contacts and those of people on no record, without personal data, and linked to what there is of each.
    """
    ada = shop.add()
    client = signed_in()
    assert "There is no open complaint." in text(client.get("/admin/optly/contact/complaints/"))
    mine = shop.manager.record_complaint(ada, text="You write too often.", how="telephone")
    other = shop.manager.record_complaint(text="You rang me.", how="letter", name="Eve", reply_to="eve@example.org")
    closed = shop.manager.record_complaint(text="You rang me.", how="letter")
    shop.manager.resolve_complaint(None, closed.reference, how="by post")
    page = text(client.get("/admin/optly/contact/complaints/"))
    for shown in (mine.reference, other.reference, "not on record", page_of(ada), page_of(other.contact)):
        assert shown in page
    for hidden in (closed.reference, "Eve", "eve@example.org", "You rang me.", "There are more."):
        assert hidden not in page
    assert "You rang me." in text(client.get(page_of(other.contact)))
    monkeypatch.setattr("optly.contrib.django.admin._MOST_COMPLAINTS", 1)
    assert "There are more." in text(client.get("/admin/optly/contact/complaints/"))


@pytest.mark.parametrize("form", ["json", "html"])
def test_the_evidence_is_a_file_to_keep(shop: Shop, form: str) -> None:
    """
    That verifies by itself.
    """
    ada = shop.agreed()
    answer = signed_in().get(f"{page_of(ada)}evidence.{form}")
    assert f'attachment; filename="evidence-{ada.id}.{form}"' == answer["content-disposition"]
    assert "nosniff" == answer["x-content-type-options"]
    if form == "json":
        assert ada.id == json.loads(answer.content)["contact"]
        assert verify(answer.content, public_keys=shop.manager.public_keys)
    else:
        assert "on her account page" in text(answer)


@pytest.mark.parametrize("path", ["{id}/evidence.csv", "{none}/", "{none}/evidence.json", "nonsense/", "{id}/delete/"])
def test_there_is_nothing_else(shop: Shop, path: str) -> None:
    """
    No other form, no contact that there is not, none of the admin's own pages.
    """
    ada = shop.add()
    url = LOOK_UP + path.format(id=ada.id, none="0" * 32)
    assert HTTPStatus.NOT_FOUND == signed_in().get(url).status_code


@pytest.mark.parametrize("path", ["", "complaints/", "{id}/", "{id}/evidence.json", "{id}/evidence.html"])
def test_without_the_permission_nothing_is_shown(shop: Shop, path: str) -> None:
    """
    Not to staff who have none, and to nobody else.
    """
    url = LOOK_UP + path.format(id=shop.add().id)
    assert HTTPStatus.FORBIDDEN == signed_in(permission=False).get(url).status_code
    User.objects.all().delete()
    for client in (Client(), signed_in(staff=False)):
        answer = client.get(url)
        assert HTTPStatus.FOUND == answer.status_code
        assert f"/admin/login/?next={url}" == unquote(answer["location"])


def test_the_look_up_is_refused_as_well(shop: Shop) -> None:
    """
    Nobody learns who is on record.
    """
    shop.add()
    client = signed_in(permission=False)
    assert HTTPStatus.FORBIDDEN == client.post(LOOK_UP, {"who": EMAIL}).status_code


def test_a_superuser_changes_nothing_either(shop: Shop) -> None:
    """
    There is no page to add, change or delete, and looking records nothing.
    """
    ada = shop.agreed()
    before = shop.manager.history(ada)
    client = signed_in(permission=False, superuser=True)
    index = text(client.get("/admin/"))
    assert LOOK_UP in index
    assert f"{LOOK_UP}add/" not in index
    assert HTTPStatus.NOT_FOUND == client.get(f"{LOOK_UP}add/").status_code
    assert HTTPStatus.OK == client.get(page_of(ada)).status_code
    client.post(page_of(ada), {"name": "Somebody else"})
    client.post(LOOK_UP, {"action": "delete_selected", "_selected_action": ada.id, "who": ""})
    assert before == shop.manager.history(ada)


def test_the_forms_are_checked_as_all_of_the_admins(shop: Shop) -> None:
    """
    Against another site's.
    """
    signed_in()
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get())
    assert HTTPStatus.FORBIDDEN == client.post(LOOK_UP, {"who": EMAIL}).status_code


NOBODY = "0" * 32
# Each view with the ways of asking it about a contact.
VIEWS: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "optly_contact_changelist": [("POST", "", "{id}"), ("POST", "", EMAIL), ("POST", "", PHONE)],
    "optly_contact_complaints": [("GET", "complaints/", "")],
    "optly_contact_change": [("GET", "{id}/", "")],
    "optly_contact_evidence": [("GET", "{id}/evidence.json", ""), ("GET", "{id}/evidence.html", "")],
}


def test_no_view_and_no_tag_reaches_a_neighbour(shop: Shop) -> None:
    """
    To the site of another organisation on the same store, a contact, a complaint and an address are not there. A view
    that is new has to be listed with its way of being asked.
    """
    storage = MemoryStorage()
    acme = world(storage)
    ada = acme.add()
    acme.agreed(ada)
    acme.manager.record_complaint(ada, text="Too many letters", how="telephone")
    other = attrs.evolve(ACME, key="other", name="Other Ltd")
    with django_site.opened(STORAGE=storage, ORGANISATION=attrs.asdict(other)) as neighbour:
        [model] = [held for held in admin.site._registry.values() if held.opts.app_label == "optly"]
        assert VIEWS.keys() == {view.name for view in model.get_urls()}
        client = signed_in()
        for method, path, who in [asked for views in VIEWS.values() for asked in views]:
            # Whoever looks up an id that nobody has reads the same.
            found, nobodys = (
                (answer.status_code, re.sub("|".join((ada.id, NOBODY, r'value="\w{64}"')), "", text(answer)))
                for id in (ada.id, NOBODY)
                for answer in [client.generic(method, LOOK_UP + path.format(id=id), f"who={who.format(id=id)}", FORM)]
            )
            assert nobodys == found, path
            assert not any(secret in found[1] for secret in ("Lovelace", "Too many", "CMP-"))
        assert [] == list(neighbour.manager.complaints())
        for tag in ("optly_preferences_url", "optly_unsubscribe_url", "optly_unsubscribe_headers"):
            for named in (ada, ada.id, EMAIL):
                with pytest.raises(UnknownContactError):
                    Template(f"{{% load optly %}}{{% {tag} who %}}").render(Context({"who": named}))
