"""
Every page with made-up facts, in each state that it has. For trying templates without a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from optly.contacts.addresses import Channel
from optly.contacts.parties import Organisation
from optly.contacts.purposes import Purpose, Wording
from optly.portal.choices import Field, by_title, fields
from optly.portal.shown import Input, Link, Option, Row, SignedIn, Undo, Way
from optly.record.events import Choice, LinkKind
from optly.record.views import Item, Opened
from optly.timeline.for_the_person import Day, Happening

_CODE: Final = "sample"
_CSRF: Final = "sample-secret"
_MASKED: Final = "a•••@example.com"
_PURPOSES: Final = (
    Purpose(key="offers", title="Offers and discounts on our products"),
    Purpose(key="news", title="News about our work", hint="About once a month."),
)
_CHANNELS: Final = (Channel.EMAIL, Channel.SMS, Channel.LIVE_CALL)
_ANSWERS: Final = (True, None, False, None, None, True)
_UNTIL: Final = datetime(2026, 12, 24, 12, 0, tzinfo=UTC)
_ERROR: Final = "Something is wrong with this"


@attrs.frozen(kw_only=True)
class Sample:
    """
    A page in one of its states.

    Attributes:
        template: Its name, without the suffix.
        state: What sets it apart from other samples of the same template; empty for the usual one.
        facts: All that its template is given, but what every template is.
    """

    template: str
    state: str
    facts: Mapping[str, Any]


def items(organisation: Organisation) -> tuple[Item, ...]:
    """
    Return two purposes on three channels, with every answer there is.
    """
    wordings = [
        (channel, purpose, purpose.wording(organisation, channel)) for purpose in _PURPOSES for channel in _CHANNELS
    ]
    return tuple(
        item(channel, purpose.key, purpose.title, wording, answer)
        for (channel, purpose, wording), answer in zip(wordings, _ANSWERS, strict=True)
    )


def item(channel: Channel, purpose: str, title: str, wording: Wording, answer: bool | None) -> Item:
    """
    Return one thing that can be allowed or refused.
    """
    choice = Choice(channel=channel, purpose=purpose, line=1, wording=wording.digest)
    return Item(choice=choice, title=title, wording=wording, answer=answer)


def samples(organisation: Organisation, mount: str) -> Iterator[Sample]:
    """
    Yield every page in each of its states: behind a link, in a session, and before anybody is known.
    """
    yield from _behind_a_link(organisation, f"{mount}/l/{_CODE}")
    yield from _in_a_session(f"{mount}/me")
    yield from _of_everybody(mount)


def _behind_a_link(organisation: Organisation, home: str) -> Iterator[Sample]:
    held = items(organisation)
    yes = [attrs.evolve(item, answer=True) for item in held[:2]]
    ways = (
        Way(label="Your choices", href=home, current=True),
        Way(label="Your details", href=f"{home}/code"),
    )
    link: dict[str, Any] = {"code": _CODE, "home": home, "csrf": None, "nav": ways}
    fresh = fields(attrs.evolve(item, answer=None) for item in held)
    opened = Opened(kind=LinkKind.MANAGE, masked=_MASKED, language="en", items=held)
    asked = Opened(kind=LinkKind.QUESTION, masked=_MASKED, language="en", items=held, expires_at=_UNTIL)

    mine = {**link, "title": "Your choices", "opened": opened, "manages": True, "until": None, "errors": ()}
    mine |= {"can_verify": True, "details_href": f"{home}/code", "complaint_href": f"{home}/complaint"}
    mine |= {"groups": by_title(fields(held)), "held": ()}
    yield Sample(template="choices", state="", facts=mine)
    yield Sample(template="choices", state="held", facts=mine | {"held": held[1:2]})
    yield Sample(template="choices", state="unverifiable", facts=mine | {"can_verify": False})
    yield Sample(template="choices", state="empty", facts=mine | {"groups": {}})

    question = {**mine, "nav": (), "opened": asked, "manages": False, "until": "24 December 2026"}
    question |= {"groups": by_title(fresh)}
    yield Sample(template="choices", state="question", facts=question)
    wrong = _with_errors(fresh)
    errors = [field for field in wrong if field.error]
    yield Sample(template="choices", state="error", facts=question | {"groups": by_title(wrong), "errors": errors})

    saved = {**link, "title": "Your choices are saved", "opened": opened, "items": held}
    yield Sample(template="saved", state="", facts=saved | {"manages": True})
    yield Sample(template="saved", state="question", facts=saved | {"manages": False, "nav": ()})
    confirm = {**link, "nav": (), "title": "Was that you?", "items": yes}
    yield Sample(template="held", state="", facts=confirm | {"error": None})
    yield Sample(template="held", state="error", facts=confirm | {"error": _ERROR})

    stopped = {**link, "title": "Stopped", "what": "marketing of any kind"}
    undo = Undo(items=yes, stop=1)
    yield Sample(template="stopped", state="", facts=stopped | {"undo": undo, "undo_sent": True})
    yield Sample(template="stopped", state="final", facts=stopped | {"undo": None, "undo_sent": False})
    yield Sample(template="undone", state="", facts=link | {"title": "The stop is undone", "items": yes})
    yield Sample(
        template="code_send",
        state="",
        facts=link | {"title": "We need to check it’s you", "masked": _MASKED, "by": "Email"},
    )
    enter = {**link, "title": "Enter the code", "masked": _MASKED, "action": f"{home}/code/enter"}
    yield Sample(template="code_enter", state="", facts=enter | {"error": None, "resend": f"{home}/code"})
    yield Sample(template="code_enter", state="error", facts=enter | {"error": _ERROR, "resend": None})
    complaint = {**link, "title": "Complain", "action": f"{home}/complaint", "contact": organisation.email}
    yield Sample(template="complaint", state="", facts=complaint | {"error": None, "value": ""})
    yield Sample(template="complaint", state="error", facts=complaint | {"error": _ERROR, "value": "It"})
    yield Sample(
        template="undo_change",
        state="",
        facts={
            **link,
            "nav": (),
            "title": "Undo this change?",
            "what": "Email address",
            "masked_old": _MASKED,
            "masked_new": "b•••@example.com",
            "at": "24 November 2026, 14:02",
        },
    )


def _with_errors(shown: tuple[Field, ...]) -> tuple[Field, ...]:
    """
    Return a form in which two answers are wrong and one is given.
    """
    return (
        attrs.evolve(shown[0], error=_ERROR),
        attrs.evolve(shown[1], pressed=True),
        *shown[2:5],
        attrs.evolve(shown[5], error=_ERROR),
    )


def _in_a_session(home: str) -> Iterator[Sample]:
    def ways(current: str) -> tuple[Way, ...]:
        known = {"Your choices": home, "Your details": f"{home}/details", "Your history": f"{home}/history"}
        known["A copy of your data"] = f"{home}/copy"
        return tuple(Way(label=label, href=href, current=label == current) for label, href in known.items())

    signed_in = SignedIn(masked=_MASKED, until="14:32")
    session: dict[str, Any] = {"code": None, "home": home, "csrf": _CSRF, "session": signed_in}

    rows = (
        Row(label="Name", value="Ada Lovelace", change=f"{home}/details/name"),
        Row(label="Email address", value="ada@example.com", change=f"{home}/details/email"),
        Row(label="Telephone number", value=None, change=f"{home}/details/phone"),
        Row(label="Language", value="English", change=f"{home}/details/language"),
    )
    details = {**session, "title": "Your details", "nav": ways("Your details")}
    yield Sample(template="details", state="", facts=details | {"rows": rows})

    email = Input(name="value", label="New email address", type="email", autocomplete="email", value="ada@example")
    change = {**details, "title": "Change your email address", "lead": "", "action": f"{home}/details/email"}
    yield Sample(template="change", state="", facts=change | {"field": email, "error": None})
    yield Sample(template="change", state="error", facts=change | {"field": email, "error": _ERROR})
    tongues = (Option(value="en", label="English", lang="en"), Option(value="cy", label="Cymraeg", lang="cy"))
    tongue = Input(
        name="value", label="Language", hint="For our messages and these pages.", value="en", options=tongues
    )
    choose = change | {"title": "Change your language", "action": f"{home}/details/language"}
    yield Sample(template="change", state="options", facts=choose | {"field": tongue, "error": None})

    wording = _PURPOSES[0].wording(
        Organisation(key="sample", name="Sample Ltd", address="1 High Street"), Channel.EMAIL
    )
    entries = (
        Happening(
            time="14:02", what="You answered", wording=wording, answer=True, detail=("Through the link by email.",)
        ),
        Happening(time="14:00", what="You were asked", wording=wording),
        Happening(time="09:30", what="Your email address came onto the record"),
    )
    history = {**session, "title": "Your history", "nav": ways("Your history")}
    days = (Day(date="24 November 2026", items=entries[:2]), Day(date="3 March 2026", items=entries[2:]))
    yield Sample(template="history", state="", facts=history | {"days": days, "more": f"{home}/history?before=1"})
    yield Sample(template="history", state="empty", facts=history | {"days": (), "more": None})
    copy = {**session, "title": "A copy of your data", "nav": ways("A copy of your data"), "masked": _MASKED}
    yield Sample(template="copy", state="", facts=copy)
    links = (Link(label="Back to your details", href=f"{home}/details"),)
    done = {"title": "The copy is on its way", "heading": "The copy is on its way", "texts": ("It comes soon.",)}
    yield Sample(template="done", state="", facts=session | done | {"links": links, "nav": ways("")})


def _of_everybody(mount: str) -> Iterator[Sample]:
    public: dict[str, Any] = {"code": None, "home": None, "csrf": None}
    stop = {"title": "Stop messages", "token": "sample", "what": "“Offers and discounts” by email"}
    yield Sample(template="stop", state="", facts=public | stop)
    stopped = {"title": "Stopped", "what": stop["what"], "undo": None, "undo_sent": False}
    yield Sample(template="stopped", state="by token", facts=public | stopped)
    again = {**public, "title": "Send me a new link"}
    yield Sample(template="new_link", state="", facts=again | {"error": None, "value": ""})
    yield Sample(template="new_link", state="error", facts=again | {"error": _ERROR, "value": "ada@"})
    yield Sample(template="help", state="", facts=public | {"title": "Help"})
    gone = {"title": "It is too late to answer", "texts": ("Nothing was changed.", "Not answering is never a yes.")}
    yield Sample(template="problem", state="", facts=public | gone)
    yield Sample(template="problem", state="known", facts=public | gone | {"code": _CODE, "home": f"{mount}/l/{_CODE}"})
