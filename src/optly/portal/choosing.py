"""
The question and the choices: shown, answered, confirmed, stopped and undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from optly import typed
from optly.contacts import AddressKind, Channel
from optly.errors import AnswerError, LinkError, LinkUsedError, TooSoonError
from optly.links import StopScope
from optly.locale.i18n import N_, long_date, long_datetime
from optly.portal.choices import Field, by_title, fields, read
from optly.portal.done import Act
from optly.portal.http import Refusal
from optly.portal.visit import Visit, quoted
from optly.protocols.http import Response
from optly.record.events import LinkKind
from optly.record.standing import Standing
from optly.record.views import AfterStop, Item, Opened, UndoneChange, UndoneStop
from optly.timeline.stops import all_named, stopped_in_words

_EVERYTHING: Final = N_("marketing of any kind")

# Within this time, the same answer to the same question is a second press of the button.
_PRESSED_TWICE: Final = timedelta(hours=1)

_KINDS: Final = {
    AddressKind.EMAIL: N_("Email address"),
    AddressKind.PHONE: N_("Telephone number"),
    AddressKind.POST: N_("Postal address"),
    AddressKind.ACCOUNT: N_("Account"),
}


# ---- showing


def show(visit: Visit) -> Response:
    """
    Show what is behind a link, the choices, or what was done with them just now.
    """
    act = None if visit.done is None else visit.done.act
    if act in (Act.SAVED, Act.UNDONE):
        recorded = visit.me.recorded(language=visit.chosen)
        if recorded.held:
            return _held(visit, recorded)
        return _saved(visit, recorded) if act is Act.SAVED else _undone(visit, recorded)
    opened = visit.open()
    _require_choices(visit, opened)
    if opened.held and not opened.items:
        return _held(visit, opened)
    if opened.kind is LinkKind.UNDO:
        return _undo_page(visit, opened)
    return _choices(visit, opened, fields(opened.items))


def show_again(visit: Visit) -> Response:
    """
    Redirect the browser from the address of a button to the page that has it.
    """
    return visit.to(visit.own)


def _require_choices(visit: Visit, opened: Opened) -> None:
    # A session that began at a question shows nothing of its own before a one-time code has raised it.
    if opened.kind is LinkKind.SESSION and not opened.items and not opened.held:
        visit.require_raised(opened)


def _choices(visit: Visit, opened: Opened, shown: Sequence[Field]) -> Response:
    language = visit.language_for(opened)
    errors = [typed.evolve(field, error=visit.say(language, field.error)) if field.error else field for field in shown]
    return visit.own_page(
        opened,
        "choices",
        title=N_("Your choices"),
        manages=opened.kind is not LinkKind.QUESTION,
        until=None if opened.expires_at is None else long_date(opened.expires_at, language),
        groups=by_title(errors),
        errors=[field for field in errors if field.error],
        held=opened.held,
        unchanged=visit.done is not None and visit.done.act is Act.UNCHANGED,
        stopped=opened.stopped,
        **_since(visit, opened, language),
        can_verify=opened.verifiable,
        details_href=f"{visit.home}/details" if opened.raised else f"{visit.home}/code",
        complaint_href=f"{visit.home}/complaint",
    )


def _since(visit: Visit, opened: Opened, language: str) -> Mapping[str, Any]:
    """
    Return since when everything is stopped, until when that can be undone, and what it ended.
    """
    if opened.stopped is None:
        return {}
    return {
        "stopped_at": long_date(opened.stopped.at, language),
        "stopped_until": long_date(opened.stopped.until, language),
        "ended": _ended(visit, opened, opened.stopped.undo),
    }


def _held(visit: Visit, opened: Opened, error: str | None = None) -> Response:
    return visit.own_page(
        opened,
        "held",
        title=N_("Was that you?"),
        items=[typed.evolve(item, answer=True) for item in opened.held],
        beside=opened.beside,
        undoes=opened.kind is LinkKind.UNDO or (visit.done is not None and visit.done.act is Act.UNDONE),
        error=error,
    )


# ---- answering


def save(visit: Visit) -> Response:
    """
    Answer the question, change the choices, or undo what the link is for.
    """
    form = visit.form()
    try:
        opened = visit.open()
        _require_choices(visit, opened)
        if opened.held and not opened.items:
            return visit.led_to(visit.own, Act.SAVED)
        if opened.kind is LinkKind.UNDO:
            return _undo_by_link(visit, opened)
        answers, filled = read(opened.items, form)
        if any(field.error for field in filled):
            return _choices(visit, opened, filled)
        if opened.kind is not LinkKind.QUESTION and not answers:
            return visit.led_to(visit.own, Act.UNCHANGED)
        record_answers(visit, opened, answers)
    except AnswerError:
        return _choices(visit, opened, _unanswered(filled))
    except LinkUsedError as error:
        if visit.self_service.clock() > error.answered_at + _PRESSED_TWICE:
            raise
        # Read anew: the other press may have been recorded since.
        if not _says_the_same(typed.evolve(visit).me.recorded(), form):
            raise
    return visit.led_to(visit.own, Act.SAVED)


def record_answers(visit: Visit, opened: Opened, answers: Mapping[tuple[Channel, str], bool]) -> None:
    """
    Answer the question, or change the choices.
    """
    within = visit.site.hold_yes_within
    if opened.kind is LinkKind.QUESTION:
        language = visit.language_for(opened)
        visit.me.answer(answers, context=visit.context, language=language, hold_within=within)
    elif answers:
        # In the language of the words that were shown, which may not be that of the page.
        visit.me.choose(answers, context=visit.context, language=opened.language, hold_within=within)


def _says_the_same(opened: Opened, form: Mapping[str, tuple[str, ...]]) -> bool:
    """
    Whether a form answers the question as it has been answered already.
    """
    answers, filled = read([typed.evolve(item, answer=None) for item in opened.items], form)
    same = answers == {item.key: item.answer for item in opened.items if item.answer is not None}
    return same and not any(field.error for field in filled)


def _saved(visit: Visit, opened: Opened) -> Response:
    manages = opened.kind is not LinkKind.QUESTION
    return visit.own_page(opened, "saved", title=N_("Your choices are saved"), items=opened.items, manages=manages)


def _unanswered(shown: Sequence[Field]) -> Sequence[Field]:
    one, several = N_("Choose an answer"), N_("Choose an answer to at least one of the questions")
    error = one if len(shown) == 1 else several
    return [typed.evolve(field, error=error if place == 0 else "") for place, field in enumerate(shown)]


def confirm(visit: Visit) -> Response:
    """
    Confirm what was held.
    """
    visit.form()
    try:
        held = confirm_held(visit)
    except TooSoonError:
        opened = visit.open()
        language = visit.language_for(opened)
        return _held(visit, opened, visit.say(language, N_("Please read this, then press again.")))
    # Pressed twice, nothing is held any more, and the question is answered.
    return visit.led_to(visit.own, Act.SAVED) if held or _is_answered(visit) else visit.to(visit.own)


def confirm_held(visit: Visit) -> Sequence[Item]:
    """
    Confirm what is held, and return it as it is now recorded; empty if nothing was held.

    Raises:
        TooSoonError: No one reads it in so short a time.
    """
    before = visit.opened_or_none()
    language = visit.chosen if before is None else visit.language_for(before)
    visit.me.confirm(context=visit.context, language=language)
    return [] if before is None else [typed.evolve(item, answer=True) for item in before.held]


def _is_answered(visit: Visit) -> bool:
    try:
        return visit.me.recorded().kind is LinkKind.QUESTION
    except LinkError:
        return False


# ---- stopping


def stop_everything(visit: Visit) -> Response:
    """
    Stop everything, through a link of any kind, even one whose question is closed. Nothing else is asked of the
    request, neither where it comes from nor what is in it.
    """
    after = visit.me.stop(context=visit.context)
    return visit.led_to(f"{visit.own}/stop", Act.STOPPED, *_whether_told(after))


def _whether_told(after: AfterStop) -> tuple[str, ...]:
    return ("told",) if after.told else ()


def show_stopped(visit: Visit) -> Response:
    """
    Say that everything was stopped just now, with what can be undone.
    """
    if visit.done is None:
        return show_again(visit)
    opened = visit.opened_or_none()
    what, told = visit.say(visit.language_for(opened), _EVERYTHING), bool(visit.done.details)
    if opened is None:
        return _stopped(visit, what, told=told, goes_on=False)
    if opened.stopped is None and opened.kind in (LinkKind.MANAGE, LinkKind.SESSION):
        return show_again(visit)  # it was undone, or something was agreed to again
    undo = None if opened.stopped is None else opened.stopped.undo
    return visit.own_page(
        opened,
        "stopped",
        title=N_("Stopped"),
        here=f"{visit.home}/stop",
        what=what,
        goes_on=False,
        undo=undo,
        ended=_ended(visit, opened, undo),
        undo_sent=told,
    )


def _ended(visit: Visit, opened: Opened, undo: UndoneStop | None) -> tuple[str, ...]:
    """
    Return what a stop ended, by name: to repeat the questions and their Yes would be to ask again.
    """
    language = visit.language_for(opened)
    choices = [] if undo is None else [item.key for item in undo.items]
    return all_named(choices, visit.self_service.purposes, language, lambda text: visit.say(language, text))


def _stopped(visit: Visit, what: str, *, told: bool, goes_on: bool) -> Response:
    return visit.page(
        "stopped",
        title=N_("Stopped"),
        what=what,
        goes_on=goes_on,
        undo=None,
        ended=(),
        undo_sent=told,
    )


def show_stop(visit: Visit) -> Response:
    """
    Show what a stop link stops, with a button; or say that it was stopped just now.
    """
    scope = visit.self_service.open_stop(visit.argument)
    if visit.done is not None:
        return _stopped_by_link(visit, scope, told=bool(visit.done.details))
    return visit.page("stop", title=N_("Stop messages"), token=quoted(visit.argument), what=_what(visit, scope))


def press_stop(visit: Visit) -> Response:
    """
    Stop what a stop link names: the button on its page was pressed.
    """
    after = visit.self_service.stop_by_token(visit.argument, context=visit.context)
    return visit.led_to(f"/u/{quoted(visit.argument)}/stop", Act.STOPPED, *_whether_told(after))


def stop(visit: Visit) -> Response:
    """
    Stop what a stop link names: the button of a mail program was pressed. It is not redirected.

    Nothing else is asked of the request: anyone with the token may stop.

    Source: RFC 8058 section 3.2, https://www.rfc-editor.org/rfc/rfc8058#section-3.2 (read 2026-11-23).
    """
    scope = visit.self_service.open_stop(visit.argument)
    after = visit.self_service.stop_by_token(visit.argument, context=visit.context)
    return _stopped_by_link(visit, scope, told=after.told)


def _stopped_by_link(visit: Visit, scope: StopScope, *, told: bool) -> Response:
    return _stopped(visit, _what(visit, scope), told=told, goes_on=scope.channel is not None)


def _what(visit: Visit, scope: StopScope) -> str:
    """
    Return what a stop link stops, in words that follow "no more".
    """
    language = visit.language
    purposes = visit.self_service.purposes
    return stopped_in_words(scope.channel, scope.purpose, purposes, language, lambda text: visit.say(language, text))


# ---- undoing


def undo(visit: Visit) -> Response:
    """
    Undo a stop that the page has just reported.
    """
    form = visit.form()
    sent = form.get("stop", ("",))[-1]
    if not (sent.isascii() and sent.isdecimal() and len(sent) < 10):
        raise Refusal(HTTPStatus.BAD_REQUEST)
    undo_here(visit, visit.open(), int(sent))
    return visit.led_to(visit.own, Act.UNDONE)


def undo_here(visit: Visit, opened: Opened, stop: int | None = None) -> Standing:
    """
    Undo what the link is for, or the stop with that number.
    """
    return visit.me.undo(
        stop=stop,
        context=visit.context,
        language=visit.language_for(opened),
        hold_within=visit.site.hold_yes_within,
    )


def _undo_page(visit: Visit, opened: Opened) -> Response:
    language = visit.language_for(opened)
    if opened.held:
        return _held(visit, opened)
    if isinstance(opened.undo, UndoneChange):
        change = opened.undo
        return visit.own_page(
            opened,
            "undo_change",
            title=N_("Undo this change?"),
            what=visit.say(language, _KINDS[change.kind]),
            masked_old=change.old,
            masked_new=change.new,
            at=long_datetime(change.at, language),
        )
    if opened.undo is None:
        return _nothing_to_undo(visit, opened)
    return visit.own_page(
        opened,
        "stopped",
        title=N_("Stopped"),
        # Not everything has to have been stopped: a stop link may be about one purpose.
        what=visit.say(language, N_("of what you stopped")),
        goes_on=False,
        undo=opened.undo,
        ended=_ended(visit, opened, opened.undo),
        undo_sent=False,
    )


def _nothing_to_undo(visit: Visit, opened: Opened) -> Response:
    text = N_("This has already been undone, or you have since told us what you want.")
    return visit.own_done_page(opened, N_("There is nothing to undo"), visit.say(visit.language_for(opened), text))


def _undo_by_link(visit: Visit, opened: Opened) -> Response:
    if opened.undo is None:
        return visit.to(visit.own)
    undo_here(visit, opened)
    return visit.led_to(visit.own, Act.UNDONE)


def _undone(visit: Visit, opened: Opened) -> Response:
    language = visit.language_for(opened)
    if opened.kind is not LinkKind.UNDO or not isinstance(opened.undo, UndoneChange):
        allowed = [item for item in opened.items if item.answer]
        return visit.own_page(opened, "undone", title=N_("The stop is undone"), items=allowed)
    return visit.own_done_page(
        opened,
        N_("The change is undone"),
        visit.say(language, N_("We have gone back to your earlier details and removed the new ones.")),
        visit.say(language, N_("Anyone signed in to your pages has been signed out.")),
    )
