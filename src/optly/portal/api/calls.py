"""
What each call does: the same as the page with that name, by the same functions.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from optly.contacts import AddressKind
from optly.errors import SessionError, TooManyTriesError
from optly.locale.i18n import languages
from optly.portal import choosing, own
from optly.portal.api import bodies
from optly.portal.api.problems import MALFORMED, NOT_OFFERED, TOO_MANY, WORDING_CHANGED, Refused
from optly.portal.visit import Visit
from optly.record.events import LinkKind
from optly.record.serialization import tag_of
from optly.timeline import for_the_person

_LONGEST_NUMBER: Final = 9  # digits


# ---- choices


def opened(visit: Visit, _: bodies.Nothing) -> bodies.Opened:
    """
    Return what the link or the session opens: the question, the choices, or what can be undone.
    """
    return bodies.opened(visit.open())


def answer(visit: Visit, body: bodies.Answers) -> bodies.Saved:
    """
    Answer the question, or change the choices.

    A yes that comes too soon after its message is held. It counts once it is confirmed.
    """
    before = visit.open()
    if before.kind is LinkKind.SESSION and not before.raised and not before.items:
        raise SessionError("the session began at a question and is not raised")
    offered = {item.key: item for item in before.items}
    answers = {}
    for place, each in enumerate(body.answers):
        item = offered.pop((each.channel, each.purpose), None)
        if item is None:
            raise Refused(NOT_OFFERED, where=f"$.answers[{place}]")
        if each.answer and each.wording != item.wording.digest:
            raise Refused(WORDING_CHANGED, where=f"$.answers[{place}].wording")
        answers[item.key] = each.answer
    choosing.record_answers(visit, before, answers)
    after = visit.me.recorded(language=visit.chosen)
    return bodies.Saved(items=bodies.items(after.items), held=bodies.items(after.held))


def confirm(visit: Visit, _: bodies.Nothing) -> bodies.Saved:
    """
    Confirm what is held.
    """
    items = choosing.confirm_held(visit) or visit.open().items
    return bodies.Saved(items=bodies.items(items), held=[])


def stop(visit: Visit, _: bodies.Nothing) -> bodies.Stopped:
    """
    Stop everything, through a link of any kind, even one that can no longer answer.
    """
    return bodies.stopped(visit.me.stop(context=visit.context))


def undo(visit: Visit, body: bodies.Undoing) -> bodies.Opened:
    """
    Undo a stop or a change of address, and return what the link then opens. A second time, nothing happens.
    """
    choosing.undo_here(visit, visit.open(), None if body.stop is None else int(body.stop))
    return bodies.opened(visit.open())


def stop_scope(visit: Visit, _: bodies.Nothing) -> bodies.Scope:
    """
    Return what a stop link stops. The code is the last part of its address.
    """
    scope = visit.self_service.open_stop(visit.code)
    purpose = None if scope.purpose is None else visit.self_service.purposes.get(scope.purpose)
    return bodies.Scope.of(scope, title=None if purpose is None else purpose.title_in(visit.language))


def stop_by_link(visit: Visit, _: bodies.Nothing) -> bodies.Stopped:
    """
    Stop what a stop link stops. Such a link never expires.
    """
    return bodies.stopped(visit.self_service.stop_by_token(visit.code, context=visit.context))


def complain(visit: Visit, body: bodies.Complaining) -> bodies.Complained:
    """
    Record a complaint about how the person's data are used.
    """
    complaint = visit.me.complain(body.text)
    return bodies.Complained.of(complaint, reference=complaint.reference)


# ---- sessions


def _session(visit: Visit, session: str) -> bodies.Session:
    return bodies.Session.of(visit.self_service.enter(session).open(language=visit.chosen), session=session)


def send_code(visit: Visit, _: bodies.Nothing) -> bodies.Session:
    """
    Have a one-time code sent to the line of the link, and begin a session that it will raise. In a session, have
    another code sent for it.
    """
    return _session(visit, visit.me.request_code())


def enter_code(visit: Visit, body: bodies.Digits) -> bodies.Session:
    """
    Raise the session by the one-time code.
    """
    visit.open()
    _count_digits(visit)
    return _session(visit, visit.me.step_up(body.digits))


def _count_digits(visit: Visit) -> None:
    if not visit.site.limiter.may_try_digits(visit.client):
        raise Refused(TOO_MANY)


def stay(visit: Visit, _: bodies.Nothing) -> bodies.Session:
    """
    Extend the session.
    """
    return _session(visit, visit.me.stay())


def finish(visit: Visit, _: bodies.Nothing) -> bodies.Empty:
    """
    End the session.
    """
    if visit.open().kind is not LinkKind.SESSION:
        raise SessionError("this is a link and no session")
    visit.self_service.finish(visit.code)
    return bodies.Empty()


# ---- details


def details(visit: Visit, _: bodies.Nothing) -> bodies.Details:
    """
    Return what is held about the person, unmasked.
    """
    held = visit.me.details()
    proposed = {kind.value: visit.me.proposed(kind) for kind in sorted(held.provable)}
    waiting = {kind: masked for kind, masked in proposed.items() if masked}
    return bodies.Details.of(
        held,
        languages=list(languages(visit.site.look.catalogues)),
        lines=[bodies.Line.of(line) for line in held.lines],
        masked=[bodies.MaskedLine(kind=kind, masked=masked) for kind, masked in held.masked],
        provable=sorted(held.provable),
        proposed=waiting,
    )


def _require_raised(visit: Visit) -> None:
    if not visit.open().raised:
        raise SessionError("the session is not raised")


def change(visit: Visit, body: bodies.Changes) -> bodies.Session:
    """
    Change the name, the language or the postal address. If an address changed, the session has a new code.
    """
    _require_raised(visit)
    sent = {"name": body.name, "language": body.language, "address": body.address}
    new = {name: own.checked(visit, name, value) for name, value in sent.items() if value is not None}
    return _session(visit, visit.me.change_details(**new))


def propose_email(visit: Visit, body: bodies.Proposal) -> bodies.Sending:
    """
    Have a one-time code sent to a new email address. Nothing changes before it comes back.
    """
    return _propose(visit, AddressKind.EMAIL, body)


def propose_phone(visit: Visit, body: bodies.Proposal) -> bodies.Sending:
    """
    Have a one-time code sent to a new telephone number. Nothing changes before it comes back.
    """
    return _propose(visit, AddressKind.PHONE, body)


def _propose(visit: Visit, kind: AddressKind, body: bodies.Proposal) -> bodies.Sending:
    _require_raised(visit)
    return bodies.Sending(masked=own.propose(visit, kind, body.value))


def prove_email(visit: Visit, body: bodies.Digits) -> bodies.Session:
    """
    Replace the email address by the new one, by the code that was sent there. Every other session of the person is
    over, and this one has a new code.
    """
    return _prove(visit, AddressKind.EMAIL, body)


def prove_phone(visit: Visit, body: bodies.Digits) -> bodies.Session:
    """
    Replace the telephone number by the new one, by the code that was sent there. Every other session of the person
    is over, and this one has a new code.
    """
    return _prove(visit, AddressKind.PHONE, body)


def _prove(visit: Visit, kind: AddressKind, body: bodies.Digits) -> bodies.Session:
    visit.open()
    _count_digits(visit)
    return _session(visit, visit.me.prove(kind, body.digits))


def history(visit: Visit, _: bodies.Nothing) -> bodies.History:
    """
    Return what happened, the latest first, fifty events at a time.
    """
    language = visit.language_for(visit.open())
    history = visit.me.history()
    entries, earlier = for_the_person.timeline(history, language, visit.site.look.catalogues, _last_before(visit))
    return bodies.History(
        entries=[
            bodies.Entry(
                number=number,
                event=tag_of(event),
                at=event.occurred_at,
                what=entry.what,
                details=list(entry.detail),
                wording=None if entry.wording is None else bodies.Wording.of(entry.wording),
                answer=entry.answer,
            )
            for number, event, entry in entries
        ],
        before=earlier,
    )


def _last_before(visit: Visit) -> int | None:
    """
    Return the number of the latest event to return; None for the latest there is.

    Raises:
        Refused: What was sent is not a number.
    """
    # Read here, because the pages ignore what they cannot read.
    sent = parse_qsl(visit.request.query, keep_blank_values=True)
    match [value for name, value in sent if name == "before"]:
        case []:
            return None
        case [before] if before.isascii() and before.isdecimal() and len(before) <= _LONGEST_NUMBER and int(before):
            return int(before) - 1
        case _:
            raise Refused(MALFORMED)


def send_copy(visit: Visit, _: bodies.Nothing) -> bodies.Sending:
    """
    Have a copy of everything that is held sent to the person's email address.
    """
    return bodies.Sending(masked=visit.me.send_copy())


# ---- without a link


def send_link(visit: Visit, body: bodies.Wanted) -> bodies.Empty:
    """
    Have a link sent to an address, if it is on record. The answer is the same whether it is or not, and also to someone
    who asks too often.
    """
    try:
        if visit.site.limiter.may_send_link(visit.client):
            visit.self_service.request_link(body.address, language=visit.language)
    except TooManyTriesError:
        pass
    return bodies.Empty()
