"""
The question and the choices: shown, answered, confirmed, stopped and undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from optly import typed
from optly.contacts import AddressKind, Channel
from optly.errors import AnswerError, LinkUsedError, TooSoonError
from optly.links import StopScope
from optly.locale.i18n import N_, long_date, long_datetime
from optly.portal.choices import Field, by_title, fields, read
from optly.portal.http import Refusal
from optly.portal.visit import Visit, quoted
from optly.protocols.http import Response
from optly.record.events import LinkKind
from optly.record.standing import Standing
from optly.record.views import AfterStop, Item, Opened, UndoneChange, UndoneStop, answer
from optly.timeline.stops import all_named, stopped_in_words

_EVERYTHING: Final = N_("marketing of any kind")

_KINDS: Final = {
    AddressKind.EMAIL: N_("Email address"),
    AddressKind.PHONE: N_("Telephone number"),
    AddressKind.POST: N_("Postal address"),
    AddressKind.ACCOUNT: N_("Account"),
}


# ---- showing


def show(visit: Visit) -> Response:
    """
    Show what is behind a link, or the choices.
    """
    opened = visit.open()
    _require_choices(visit, opened)
    if opened.kind is LinkKind.UNDO:
        return _undo_page(visit, opened)
    if opened.held and not opened.items:
        return _held(visit, opened)
    return _choices(visit, opened, fields(opened.items))


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
        can_verify=opened.verifiable,
        details_href=f"{visit.home}/details" if opened.raised else f"{visit.home}/code",
        complaint_href=f"{visit.home}/complaint",
    )


def _held(visit: Visit, opened: Opened, error: str | None = None) -> Response:
    return visit.own_page(
        opened,
        "held",
        title=N_("Was that you?"),
        items=_allowed(opened.held),
        error=error,
    )


def _allowed(items: Sequence[Item]) -> tuple[Item, ...]:
    return tuple(typed.evolve(item, answer=True) for item in items)


# ---- answering


def save(visit: Visit) -> Response:
    """
    Answer the question, change the choices, or undo what the link is for, and show what is now recorded.
    """
    form = visit.form()
    opened = visit.open()
    _require_choices(visit, opened)
    if opened.kind is LinkKind.UNDO:
        return _undo_by_link(visit, opened)
    answers, filled = read(opened.items, form)
    if any(field.error for field in filled):
        return _choices(visit, opened, filled)
    try:
        after, items = record_answers(visit, opened, answers)
    except AnswerError:
        return _choices(visit, opened, _unanswered(filled))
    return _held(visit, after) if after.held else _record(visit, after, items)


def record_answers(
    visit: Visit, opened: Opened, answers: Mapping[tuple[Channel, str], bool]
) -> tuple[Opened, Sequence[Item]]:
    """
    Answer the question, or change the choices.

    Returns:
        What is opened now, including what is held; and everything that was shown, as it is now recorded.
    """
    within = visit.site.hold_yes_within
    if opened.kind is LinkKind.QUESTION:
        language = visit.language_for(opened)
        standing = visit.me.answer(answers, context=visit.context, language=language, hold_within=within)
        return _waiting(visit) or opened, _recorded(opened.items, standing)
    if answers:
        # In the language of the words that were shown, which may not be that of the page.
        visit.me.choose(answers, context=visit.context, language=opened.language, hold_within=within)
    after = visit.open()
    return after, after.items


def _waiting(visit: Visit) -> Opened | None:
    try:
        after = visit.open()
    except LinkUsedError:
        return None
    return after if after.held else None


def _record(visit: Visit, opened: Opened, items: Sequence[Item]) -> Response:
    manages = opened.kind is not LinkKind.QUESTION
    return visit.own_page(opened, "saved", title=N_("Your choices are saved"), items=items, manages=manages)


def _recorded(items: Sequence[Item], standing: Standing) -> Sequence[Item]:
    # The answer closed its question, so it was given when the latest question was closed.
    at = max(question.closed_at for question in standing.questions if question.closed_at is not None)
    return [typed.evolve(item, answer=answer(standing, item.choice, at)) for item in items]


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
        confirmed = confirm_held(visit)
    except TooSoonError:
        opened = visit.open()
        language = visit.language_for(opened)
        return _held(visit, opened, visit.say(language, N_("Please read this, then press again.")))
    return show(visit) if confirmed is None else _record(visit, *confirmed)


def confirm_held(visit: Visit) -> tuple[Opened, Sequence[Item]] | None:
    """
    Confirm what is held.

    Returns:
        What was opened before, and what was held then, as it is now recorded; None if nothing was.

    Raises:
        TooSoonError: No one reads it in so short a time.
    """
    before = visit.opened_or_none()
    language = visit.chosen if before is None else visit.language_for(before)
    visit.me.confirm(context=visit.context, language=language)
    if before is None or not before.held:
        return None
    return before, _allowed(before.held)


# ---- stopping


def stop_everything(visit: Visit) -> Response:
    """
    Stop everything, through a link of any kind, even one whose question is closed. Nothing else is asked of the
    request, neither where it comes from nor what is in it.
    """
    after = visit.me.stop(context=visit.context)
    opened = visit.opened_or_none()
    what = visit.say(visit.language_for(opened), _EVERYTHING)
    if opened is None:
        return _stopped(visit, what, after, goes_on=False)
    return visit.own_page(
        opened,
        "stopped",
        title=N_("Stopped"),
        what=what,
        goes_on=False,
        undo=after.undo,
        ended=_ended(visit, opened, after.undo),
        undo_sent=after.told,
    )


def _ended(visit: Visit, opened: Opened, undo: UndoneStop | None) -> tuple[str, ...]:
    """
    Return what a stop ended, by name: to repeat the questions and their Yes would be to ask again.
    """
    language = visit.language_for(opened)
    choices = [] if undo is None else [item.key for item in undo.items]
    return all_named(choices, visit.self_service.purposes, language, lambda text: visit.say(language, text))


def _stopped(visit: Visit, what: str, after: AfterStop, *, goes_on: bool) -> Response:
    return visit.page(
        "stopped",
        title=N_("Stopped"),
        what=what,
        goes_on=goes_on,
        undo=None,
        ended=(),
        undo_sent=after.told,
    )


def show_stop(visit: Visit) -> Response:
    """
    Show what a stop link stops, with a button.
    """
    what = _what(visit, visit.self_service.open_stop(visit.argument))
    return visit.page("stop", title=N_("Stop messages"), token=quoted(visit.argument), what=what)


def stop(visit: Visit) -> Response:
    """
    Stop what a stop link names: the button on its page, or the one in an email program, was pressed.

    Nothing else is asked of the request: anyone with the token may stop.

    Source: RFC 8058 section 3.2, https://www.rfc-editor.org/rfc/rfc8058#section-3.2 (read 2026-11-23).
    """
    scope = visit.self_service.open_stop(visit.argument)
    after = visit.self_service.stop_by_token(visit.argument, context=visit.context)
    return _stopped(visit, _what(visit, scope), after, goes_on=scope.channel is not None)


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
    standing = undo_here(visit, visit.open(), int(sent))
    opened = visit.open()
    if opened.held:
        return _held(visit, opened)
    allowed = [item for item in opened.items if answer(standing, item.choice, visit.self_service.clock())]
    return visit.own_page(opened, "undone", title=N_("The stop is undone"), items=allowed)


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
    return visit.own_done(opened, N_("There is nothing to undo"), visit.say(visit.language_for(opened), text))


def _undo_by_link(visit: Visit, opened: Opened) -> Response:
    language = visit.language_for(opened)
    undo_here(visit, opened)
    after = visit.open()
    if after.held:
        return _held(visit, after)
    if isinstance(opened.undo, UndoneStop):
        return visit.own_page(after, "undone", title=N_("The stop is undone"), items=_allowed(opened.undo.items))
    if opened.undo is None:
        return _nothing_to_undo(visit, after)
    return visit.own_done(
        after,
        N_("The change is undone"),
        visit.say(language, N_("We have gone back to your earlier details and removed the new ones.")),
        visit.say(language, N_("Anyone signed in to your pages has been signed out.")),
    )
