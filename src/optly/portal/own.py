"""
The person's details, history and copy, in a session that a one-time code has raised; and complaints.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from secrets import token_urlsafe
from typing import Final

import attrs

from optly import errors
from optly.contacts import AddressKind, EmailAddress, PhoneNumber, parse_address
from optly.locale.i18n import N_, clock_time, language_name, languages, long_date, spelt
from optly.portal.cookies import keeping
from optly.portal.done import Act
from optly.portal.http import Refusal
from optly.portal.sessions import by_digits, digits_page
from optly.portal.shown import Input, Link, Option, Row
from optly.portal.visit import Visit
from optly.protocols.http import Response
from optly.record.views import Details, Opened
from optly.timeline.for_the_person import days

_LONGEST_NAME: Final = 200
_LONGEST_ADDRESS: Final = 500


@attrs.frozen(kw_only=True)
class _Detail:
    """
    One detail that can be changed, and the words of its page.

    Attributes:
        kind: The kind of address it is, or None.
        type: Of its field, as in HTML.
    """

    name: str
    label: str
    title: str
    hint: str = ""
    kind: AddressKind | None = None
    type: str = "text"
    autocomplete: str = ""

    @property
    def proved(self) -> bool:
        """
        Whether it counts only after a code that was sent there has been entered.
        """
        return self.kind in (AddressKind.EMAIL, AddressKind.PHONE)


_LANGUAGE_HINT: Final = N_("For our messages and these pages.")
DETAILS: Final = {
    detail.name: detail
    for detail in (
        _Detail(name="name", label=N_("Name"), title=N_("Change your name"), autocomplete="name"),
        _Detail(
            name="email",
            label=N_("Email address"),
            title=N_("Change your email address"),
            kind=AddressKind.EMAIL,
            type="email",
            autocomplete="email",
        ),
        _Detail(
            name="phone",
            label=N_("Mobile number"),
            title=N_("Change your mobile number"),
            hint=N_("If it is not a UK number, include the country code, like +353."),
            kind=AddressKind.PHONE,
            type="tel",
            autocomplete="tel",
        ),
        _Detail(
            name="address",
            label=N_("Postal address"),
            title=N_("Change your postal address"),
            hint=N_("On one line, with commas between the parts."),
            kind=AddressKind.POST,
            autocomplete="street-address",
        ),
        _Detail(name="language", label=N_("Language"), title=N_("Change your language"), hint=_LANGUAGE_HINT),
    )
}

PROVED: Final = frozenset(detail.name for detail in DETAILS.values() if detail.proved)


def _value(details: Details, detail: _Detail) -> str:
    if detail.name == "name":
        return details.name
    if detail.name == "language":
        return details.language
    shown = [line.value for line in details.lines if line.kind is detail.kind]
    return ", ".join([*shown, *(masked for kind, masked in details.masked if kind is detail.kind)])


def _raised(visit: Visit) -> Opened:
    opened = visit.open()
    visit.require_raised(opened)
    return opened


# ---- details


def show_details(visit: Visit) -> Response:
    opened = _raised(visit)
    details, language = visit.me.details(), visit.language_for(opened)
    rows = []
    for detail in DETAILS.values():
        value = _value(details, detail)
        offered = not detail.proved or detail.kind in details.provable
        rows.append(
            Row(
                label=visit.say(language, detail.label),
                value=(language_name(value) if detail.name == "language" else value) or None,
                change=f"{visit.home}/{detail.name}" if offered else None,
            )
        )
    return visit.own_page(
        opened, "details", title=N_("Your details"), place="details", news=_news(visit, opened), rows=rows
    )


def _news(visit: Visit, opened: Opened) -> str | None:
    """
    Return what was done just now, in the language of the page.
    """
    language = visit.language_for(opened)
    if visit.done is None or opened.ends_at is None:
        return None
    if visit.done.act is Act.STAYED:
        until = clock_time(opened.ends_at, language)
        return visit.say(language, N_("You are now signed in until %(time)s."), time=until)
    return visit.say(language, N_("Your change has been saved."))


def _detail(visit: Visit, details: Details | None = None) -> _Detail:
    detail = DETAILS[visit.argument]
    provable = visit.me.details().provable if details is None else details.provable
    if detail.proved and detail.kind not in provable:
        raise Refusal(HTTPStatus.NOT_FOUND)
    return detail


def show_change(visit: Visit) -> Response:
    """
    Show the form on which one detail is changed.
    """
    opened = _raised(visit)
    details = visit.me.details()
    detail = _detail(visit, details)
    return _change(visit, opened, detail, "" if detail.proved else _value(details, detail))


def _change(visit: Visit, opened: Opened, detail: _Detail, value: str, error: str | None = None) -> Response:
    language = visit.language_for(opened)
    options = None
    if detail.name == "language":
        tags = languages(visit.site.look.catalogues)
        options = [Option(value=tag, label=language_name(tag), lang=tag) for tag in tags]
    field = Input(
        name="value",
        label=visit.say(language, detail.label),
        hint=visit.say(language, detail.hint) if detail.hint else "",
        value=value,
        type=detail.type,
        autocomplete=detail.autocomplete,
        inputmode=detail.type if detail.proved else "",
        options=options,
    )
    return visit.own_page(
        opened,
        "change",
        title=detail.title,
        here=f"{visit.home}/{detail.name}",
        place="details",
        lead="",
        action=f"{visit.home}/{detail.name}",
        field=field,
        error=None if error is None else visit.say(language, error),
    )


def change(visit: Visit) -> Response:
    """
    Change one detail, or have a code sent to the new address.
    """
    form = visit.form()
    opened = _raised(visit)
    detail = _detail(visit)
    sent = form.get("value", ("",))[-1]
    try:
        if detail.proved:
            assert detail.kind is not None
            propose(visit, detail.kind, sent)
            return visit.to(f"/me/{detail.name}/code")
        session = visit.me.change_details(**{detail.name: checked(visit, detail.name, sent)})
    except errors.AnswerError as error:
        return _change(visit, opened, detail, sent, str(error))
    except errors.AddressError:
        return _change(visit, opened, detail, sent, N_("We could not read this. Check that it is right"))
    except errors.TooManyTriesError:
        return _change(visit, opened, detail, sent, N_("You have asked for many codes. Try again later"))
    return visit.led_to("/me/details", Act.CHANGED, headers=[keeping(visit.self_service.pages, session)])


def _in_one_line(sent: str) -> str:
    return " ".join(sent.split())


def propose(visit: Visit, kind: AddressKind, sent: str) -> str:
    """
    Have a code sent to a new address, and return the address, masked.

    Raises:
        AnswerError: It is on record already.
        AddressError, NoBackendError, TooManyTriesError: As for `Person.propose`.
    """
    address = parse_address(_in_one_line(sent), kind)
    assert isinstance(address, EmailAddress | PhoneNumber)
    try:
        visit.me.propose(address)
    except errors.AnswerError:
        raise errors.AnswerError(N_("You have already given us this")) from None
    return address.masked


def checked(visit: Visit, name: str, sent: str) -> str:
    """
    Return the new value of a detail as it is recorded.

    Raises:
        AnswerError: It cannot be recorded.
        AddressError: It is not an address that could be written on an envelope.
    """
    value = _in_one_line(sent)
    if name == "name" and (not value or len(value) > _LONGEST_NAME or not value.isprintable()):
        raise errors.AnswerError(N_("Enter your name on one line"))
    if name == "language" and spelt(value) not in languages(visit.site.look.catalogues):
        raise errors.AnswerError(N_("Choose one of the languages"))
    if name == "address" and (len(value) > _LONGEST_ADDRESS or not value.isprintable()):
        raise errors.AddressError("the address is too long, or holds what cannot be printed")
    return value


def show_prove(visit: Visit) -> Response:
    """
    Show the field for the digits that were sent to the new address.
    """
    opened = _raised(visit)
    return _prove(visit, opened, _detail(visit))


def _prove(visit: Visit, opened: Opened, detail: _Detail, error: str | None = None) -> Response:
    assert detail.kind is not None
    masked = visit.me.proposed(detail.kind)
    if not masked:
        return visit.to(f"/me/{detail.name}")
    return digits_page(visit, opened, f"{detail.name}/code", error, place="details", masked=masked)


def prove(visit: Visit) -> Response:
    """
    Replace the address by the new one, by the digits that were sent there.
    """
    form = visit.form()
    opened = _raised(visit)
    detail = _detail(visit)
    assert detail.kind is not None
    use, again = partial(visit.me.prove, detail.kind), partial(_prove, visit, opened, detail)
    return by_digits(visit, opened, form, use, again, partial(visit.led_to, "/me/details", Act.CHANGED))


# ---- history and copy


def show_history(visit: Visit) -> Response:
    """
    Show what happened, the latest first, a page at a time.
    """
    opened = _raised(visit)
    before = visit.query.get("before", [""])[-1]
    last = int(before) - 1 if before.isascii() and before.isdecimal() and len(before) < 10 else None
    history, language = visit.me.history(), visit.language_for(opened)
    shown, earlier = days(history, language, visit.site.look.catalogues, last)
    return visit.own_page(
        opened,
        "history",
        title=N_("Your history"),
        place="history",
        days=shown,
        more=None if earlier is None else f"{visit.home}/history?before={earlier}",
    )


def _copy_goes_to(visit: Visit, opened: Opened) -> str:
    if opened.copyable:
        details = visit.me.details()
        known = [*((line.kind, line.masked) for line in details.lines), *details.masked]
        for kind, masked in known:
            if kind is AddressKind.EMAIL:
                return masked
    raise Refusal(HTTPStatus.NOT_FOUND)


def show_copy(visit: Visit) -> Response:
    """
    Say where a copy of the data would go, with a button; or that it was sent just now.
    """
    opened = _raised(visit)
    masked, language = _copy_goes_to(visit, opened), visit.language_for(opened)
    if visit.done is None:
        return visit.own_page(opened, "copy", title=N_("A copy of your data"), place="copy", masked=masked)
    text = visit.say(language, N_("We’ll send it to %(masked)s, usually within a few minutes."), masked=masked)
    return visit.own_done_page(opened, N_("The copy is on its way"), text, place="copy", links=_back(visit, language))


def send_copy(visit: Visit) -> Response:
    """
    Have a copy of the data sent.
    """
    visit.form()
    _raised(visit)
    try:
        visit.me.send_copy()
    except errors.MissingLineError:
        raise Refusal(HTTPStatus.NOT_FOUND) from None
    return visit.led_to("/me/copy", Act.SENT)


def _back(visit: Visit, language: str) -> tuple[Link, ...]:
    return (Link(label=visit.say(language, N_("Back to your choices")), href=visit.home),)


# ---- complaints


def show_complaint(visit: Visit) -> Response:
    """
    Show the form for a complaint; or the reference of the one that was sent just now.
    """
    opened = visit.open()
    return _complaint(visit, opened) if visit.done is None else _complained(visit, opened, *visit.done.details)


def _complaint(visit: Visit, opened: Opened, value: str = "", error: str | None = None) -> Response:
    return visit.own_page(
        opened,
        "complaint",
        title=N_("Complain about how we use your data"),
        place="complaint",
        action=f"{visit.home}/complaint",
        contact=visit.self_service.organisation.email,
        # What is sent twice from one form is one complaint.
        once=visit.form().get("once", ("",))[-1] if error is not None else token_urlsafe(16),
        value=value,
        error=None if error is None else visit.say(visit.language_for(opened), error),
    )


def complain(visit: Visit) -> Response:
    form = visit.form()
    opened = visit.open()
    text = form.get("text", ("",))[-1].replace("\r\n", "\n")
    try:
        complaint = visit.me.complain(text, once=form.get("once", ("",))[-1])
    except errors.TooManyTriesError:
        return _complaint(visit, opened, text, N_("You have sent several complaints today. To add more, write to us"))
    except errors.AnswerError:
        return _complaint(visit, opened, text, N_("Say what went wrong, in up to 5,000 characters"))
    by = str(int(complaint.acknowledge_by.timestamp()))
    return visit.led_to(f"{visit.own}/complaint", Act.SENT, complaint.reference, by)


def _complained(visit: Visit, opened: Opened, reference: str, by: str) -> Response:
    language = visit.language_for(opened)
    return visit.own_done_page(
        opened,
        N_("We have your complaint"),
        visit.say(
            language,
            N_("Its reference is %(reference)s. Keep it: you can use it when you contact us about the complaint."),
            reference=reference,
        ),
        visit.say(
            language,
            N_("We will confirm that we have received it by %(date)s, and then tell you the outcome."),
            date=long_date(datetime.fromtimestamp(int(by), UTC), language),
        ),
        place="complaint",
        links=_back(visit, language),
    )
