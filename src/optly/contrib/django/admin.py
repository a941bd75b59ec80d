# mypy: allow-subclassing-any, disable-error-code="import-untyped, untyped-decorator"
"""
Contacts, their history and complaints in the admin, for staff with the permission ``optly.view_contact``.

Everything is read through the manager; nothing can be added, changed or deleted. The address a contact is looked up by
is sent in the body of a form, so that it does not appear in a URL.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, product
from typing import Any

import attrs
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path

from optly.cli._contacts import get_contact
from optly.contacts import AddressKind, Channel, Contact
from optly.contrib.django import get_manager, models
from optly.errors import AddressError, AmbiguousContactError, UnknownContactError
from optly.evidence import EvidencePack
from optly.manager import ConsentManager
from optly.record.events import Choice
from optly.record.standing import Standing
from optly.record.views import answer
from optly.rules import Decision

_KINDS = {
    AddressKind.EMAIL: "Email",
    AddressKind.PHONE: "Telephone",
    AddressKind.POST: "Post",
    AddressKind.ACCOUNT: "Account",
}
_MOST_COMPLAINTS = 200
_ANSWERS = {True: "yes", False: "no", None: "not answered"}


@attrs.frozen(kw_only=True)
class Permission:
    """
    The recorded answer for one purpose on one channel, and the gate's present decision.

    Attributes:
        address: The address it is about, if the contact has several for the channel.
    """

    purpose: str
    channel: Channel
    address: str = attrs.field(repr=False)
    answer: str
    decision: Decision


@attrs.frozen(kw_only=True)
class Address:
    """
    An address of the contact.

    Attributes:
        value: Empty if it was erased.
    """

    kind: str
    value: str = attrs.field(repr=False)
    removed: bool


@admin.register(models.Contact)
class ContactAdmin(admin.ModelAdmin):
    """
    Shows contacts. There is no table behind it, so the features of the admin that need one are absent.
    """

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _contact: object = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _contact: object = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name="optly_contact_changelist"),
            path("complaints/", view(self.complaints_view), name="optly_contact_complaints"),
            path("<str:id>/", view(self.contact_view), name="optly_contact_change"),
            path("<str:id>/evidence.<str:form>", view(self.evidence_view), name="optly_contact_evidence"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """
        Look up a contact.
        """
        self._require_permission(request)
        if request.method == "POST":
            try:
                contact = get_contact(get_manager(), request.POST.get("who", ""))
                get_manager().standing(contact)
            except (AddressError, AmbiguousContactError, UnknownContactError) as error:
                messages.error(request, f"Not found: {error}.")
            else:
                return redirect("admin:optly_contact_change", contact.id)
        return self._page(request, "look_up", title="Look up a contact", **(extra_context or {}))

    def complaints_view(self, request: HttpRequest) -> HttpResponse:
        """
        List the open complaints, without personal data.
        """
        self._require_permission(request)
        now = get_manager().clock()
        found = [
            (complaint, complaint.is_overdue(now))
            for complaint in islice(get_manager().complaints(), _MOST_COMPLAINTS + 1)
        ]
        return self._page(
            request,
            "complaints",
            title="Complaints",
            complaints=found[:_MOST_COMPLAINTS],
            more=len(found) > _MOST_COMPLAINTS,
        )

    def contact_view(self, request: HttpRequest, id: str) -> HttpResponse:
        """
        Show a contact's addresses, permissions and history.
        """
        self._require_permission(request)
        manager, contact = get_manager(), _known(id)
        pack, standing = manager.evidence(contact), manager.standing(contact)
        return self._page(
            request,
            "contact",
            title="Contact",
            subtitle=contact.id,
            contact=contact,
            name=_value(pack, standing.name or ""),
            standing=standing,
            addresses=[
                Address(kind=_KINDS[line.kind], value=_value(pack, f"line_{line.number}"), removed=line.removed)
                for line in standing.lines
            ],
            permissions=_permissions(manager, contact, standing, pack),
            history=pack.timeline(),
        )

    def evidence_view(self, request: HttpRequest, id: str, form: str) -> HttpResponse:
        """
        Send the evidence pack as a file.
        """
        self._require_permission(request)
        forms = {"json": "application/json", "html": "text/html; charset=utf-8"}
        if form not in forms:
            raise Http404
        pack = get_manager().evidence(_known(id))
        content = pack.to_json() if form == "json" else pack.to_html()
        return HttpResponse(
            content,
            content_type=forms[form],
            headers={
                "Content-Disposition": f'attachment; filename="evidence-{id}.{form}"',
                "X-Content-Type-Options": "nosniff",
            },
        )

    def _require_permission(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _page(self, request: HttpRequest, template: str, **facts: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **facts}
        return TemplateResponse(request, f"admin/optly/contact/{template}.html", context)


def _known(id: str) -> Contact:
    try:
        contact = Contact(id)
        get_manager().standing(contact)
    except UnknownContactError:
        raise Http404("There is no such contact.") from None
    return contact


def _value(pack: EvidencePack, slot: str) -> str:
    """
    Return the value in a slot. Empty if it was erased.
    """
    return pack.openings[slot].value if slot in pack.openings else ""


def _permissions(manager: ConsentManager, contact: Contact, standing: Standing, pack: EvidencePack) -> list[Permission]:
    now = manager.clock()
    found = []
    for channel in _channels(manager, standing):
        lines = [line.number for line in standing.lines if line.kind is channel.kind and not line.removed]
        for number, (key, purpose) in product(lines, manager.purposes.items()):
            said = answer(standing, Choice(channel=channel, purpose=key, line=number, wording=""), now)
            found.append(
                Permission(
                    purpose=purpose.title,
                    channel=channel,
                    address=_value(pack, f"line_{number}") if len(lines) > 1 else "",
                    answer=_ANSWERS[said],
                    decision=manager.check(contact, channel, key, line=number),
                )
            )
    return found


def _channels(manager: ConsentManager, standing: Standing) -> Sequence[Channel]:
    """
    Return the channels with a message backend, and those the contact has given an answer for.
    """
    seen: set[Channel | None] = {backend.channel for backend in manager.backends}
    seen.update(consent.channel for consent in standing.consents)
    seen.update(stop.channel for stop in standing.stops)
    return [channel for channel in Channel if channel in seen]
