"""
Every page with made-up facts, in each of its states: for trying templates without a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

import attrs

from optly.contacts import Channel, Organisation, Purpose, Wording
from optly.portal.choices import by_title, fields
from optly.portal.shown import Input, Link, Option, Row, SignedIn
from optly.record.events import Choice, LinkKind
from optly.record.views import EverythingStopped, Item, Opened, UndoneStop
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
        template: The name of the page, without the suffix.
        state: What distinguishes it from other samples of the same page; empty for the usual one.
        facts: What the page is given beyond what every page is given.
    """

    template: str
    state: str
    facts: Mapping[str, Any]


def item(channel: Channel, purpose: str, title: str, wording: Wording, answer: bool | None) -> Item:
    """
    Return one thing that can be allowed or refused.
    """
    choice = Choice(channel=channel, purpose=purpose, line=1, wording=wording.digest)
    return Item(choice=choice, title=title, wording=wording, answer=answer)


def samples(organisation: Organisation, mount: str) -> Iterator[Sample]:
    """
    Yield every page in each of its states: behind a link, in a session, and without either.
    """
    for name, facts in (
        *_behind_a_link(organisation, f"{mount}/l/{_CODE}"),
        *_in_a_session(organisation, f"{mount}/me"),
        *_public(f"{mount}/l/{_CODE}"),
    ):
        template, _, state = name.partition(" ")
        yield Sample(template=template, state=state, facts=facts)


_Named = tuple[str, dict[str, Any]]


def _ways(home: str, current: str, **labels: str) -> dict[str, Any]:
    places = {"": "Your choices", **labels, "complaint": "Complain"}
    return {
        "nav": [
            Link(label=label, href=f"{home}/{place}".rstrip("/"), current=place == current)
            for place, label in places.items()
        ]
    }


def _behind_a_link(organisation: Organisation, home: str) -> Iterator[_Named]:
    held = tuple(
        item(channel, purpose.key, purpose.title, purpose.wording(organisation, channel), answer)
        for (purpose, channel), answer in zip(product(_PURPOSES, _CHANNELS), _ANSWERS, strict=True)
    )
    yes = [attrs.evolve(item, answer=True) for item in held[:2]]
    fresh = fields(attrs.evolve(item, answer=None) for item in held)
    link = {"code": _CODE, "home": home, "csrf": None, **_ways(home, "", code="Your details")}
    opened = Opened(kind=LinkKind.MANAGE, masked=_MASKED, language="en", items=held)
    asked = Opened(kind=LinkKind.QUESTION, masked=_MASKED, language="en", items=held, expires_at=_UNTIL)

    mine = {**link, "title": "Your choices", "opened": opened, "manages": True, "until": None, "errors": ()}
    mine |= {"can_verify": True, "details_href": f"{home}/code", "complaint_href": f"{home}/complaint"}
    mine |= {"groups": by_title(fields(held)), "held": (), "unchanged": False, "stopped": None}
    yield "choices", mine
    yield "choices unchanged", mine | {"unchanged": True}
    yield "choices held", mine | {"held": held[1:2]}
    yield "choices unverifiable", mine | {"can_verify": False}
    yield "choices empty", mine | {"groups": {}}
    question = {**mine, "nav": (), "opened": asked, "manages": False, "until": "24 December 2026"}
    yield "choices question", question | {"groups": by_title(fresh)}
    states: dict[int, dict[str, Any]] = {0: {"error": _ERROR}, 1: {"pressed": True}, 5: {"error": _ERROR}}
    wrong = [attrs.evolve(field, **states.get(place, {})) for place, field in enumerate(fresh)]
    errors = [field for field in wrong if field.error]
    yield "choices error", question | {"groups": by_title(wrong), "errors": errors}

    saved = {**link, "title": "Your choices are saved", "opened": opened, "items": held}
    yield "saved", saved | {"manages": True}
    yield "saved question", saved | {"manages": False, "nav": ()}
    confirm = {**link, "nav": (), "title": "Was that you?", "items": yes, "beside": (), "undoes": False}
    yield "held", confirm | {"error": None}
    yield "held undo", confirm | {"error": None, "undoes": True}
    yield "held beside", confirm | {"error": None, "beside": held[2:3]}
    yield "held error", confirm | {"error": _ERROR}
    stopped = {**link, "title": "Stopped", "what": "marketing of any kind"}
    stopped |= {"goes_on": False, "ended": ("“Offers and discounts” by email",)}
    undo = UndoneStop(items=tuple(yes), stop=1, at=_UNTIL)
    yield "stopped", stopped | {"undo": undo, "undo_sent": True}
    dates = {"stopped_at": "24 November 2026", "stopped_until": "24 December 2026", "ended": stopped["ended"]}
    noes = by_title(fields(attrs.evolve(item, answer=False) for item in held))
    since = mine | dates | {"groups": noes}
    yield "choices stopped", since | {"stopped": EverythingStopped(at=_UNTIL, until=_UNTIL, undo=undo)}
    yield "choices stopped final", since | {"stopped": EverythingStopped(at=_UNTIL, until=_UNTIL, undo=None)}
    yield "stopped final", stopped | {"undo": None, "ended": (), "undo_sent": False}
    yield "undone", link | {"title": "The stop is undone", "items": yes}
    send = {
        "title": "We need to check it’s you",
        "masked": _MASKED,
        "by": "Email",
        **_ways(home, "code", code="Your details"),
    }
    yield "code_send", link | send
    complaint = {**link, "title": "Complain", "action": f"{home}/complaint", "contact": organisation.email}
    yield "complaint", complaint | {"error": None, "value": "", "once": "sample"}
    yield "complaint error", complaint | {"error": _ERROR, "value": "It", "once": "sample"}
    change = {"title": "Undo this change?", "what": "Email address", "at": "24 November 2026, 14:02", "nav": ()}
    yield "undo_change", link | change | {"masked_old": _MASKED, "masked_new": "b•••@example.com"}


def _in_a_session(organisation: Organisation, home: str) -> Iterator[_Named]:
    begun: dict[str, Any] = {"code": None, "home": home, "csrf": _CSRF}
    enter = {**begun, "title": "Enter the code", "masked": _MASKED, "action": f"{home}/code"}
    enter |= {"resend": f"{home}/code/again", **_ways(home, "code", code="Your details")}
    yield "code_enter", enter | {"error": None}
    yield "code_enter error", enter | {"error": _ERROR, "action": f"{home}/email/code", "resend": None}

    def page(place: str, title: str) -> dict[str, Any]:
        known = {"details": "Your details", "history": "Your history", "copy": "A copy of your data"}
        signed_in = SignedIn(masked=_MASKED, until="14:32")
        return {**begun, "session": signed_in, "title": title, **_ways(home, place, **known)}

    rows = (
        Row(label="Name", value="Ada Lovelace", change=f"{home}/name"),
        Row(label="Email address", value="ada@example.com", change=f"{home}/email"),
        Row(label="Mobile number", value=None, change=f"{home}/phone"),
        Row(label="Language", value="English", change=f"{home}/language"),
    )
    details = page("details", "Your details") | {"rows": rows}
    yield "details", details | {"news": None}
    yield "details changed", details | {"news": "Your change has been saved."}

    email = Input(name="value", label="New email address", type="email", autocomplete="email", value="ada@example")
    change = page("details", "Change your email address") | {"lead": "", "action": f"{home}/email", "field": email}
    yield "change", change | {"error": None}
    yield "change error", change | {"error": _ERROR}
    tongues = (Option(value="en", label="English", lang="en"), Option(value="cy", label="Cymraeg", lang="cy"))
    hint = "For our messages and these pages."
    tongue = Input(name="value", label="Language", hint=hint, value="en", options=tongues)
    choose = {"title": "Change your language", "action": f"{home}/language", "field": tongue}
    yield "change options", change | choose | {"error": None}

    wording = _PURPOSES[0].wording(organisation, Channel.EMAIL)
    through = ("Through the link by email.",)
    answered = Happening(time="14:02", what="You answered", wording=wording, answer=True, detail=through)
    asked = Happening(time="14:00", what="You were asked", wording=wording)
    added = Happening(time="09:30", what="Your email address was added")
    days = (Day(date="24 November 2026", items=(answered, asked)), Day(date="3 March 2026", items=(added,)))
    history = page("history", "Your history")
    yield "history", history | {"days": days, "more": f"{home}/history?before=1"}
    yield "history empty", history | {"days": (), "more": None}
    yield "copy", page("copy", "A copy of your data") | {"masked": _MASKED}
    back = Link(label="Back to your choices", href=home)
    done = {"heading": "The copy is on its way", "texts": ("It comes soon.",), "links": (back,)}
    yield "done", page("", "The copy is on its way") | done


def _public(home: str) -> Iterator[_Named]:
    public: dict[str, Any] = {"code": None, "home": None, "csrf": None}
    what = "“Offers and discounts” by email"
    yield "stop", public | {"title": "Stop messages", "token": "sample", "what": what}
    stopped = {"title": "Stopped", "what": what, "goes_on": True, "undo": None, "ended": (), "undo_sent": False}
    yield "stopped by token", public | stopped
    again = {**public, "title": "Send me a new link"}
    yield "front", {**public, "title": "Your choices", "error": None, "value": ""}
    yield "new_link", again | {"error": None, "value": ""}
    yield "new_link error", again | {"error": _ERROR, "value": "ada@"}
    yield "help", public | {"title": "Help"}
    gone = {"title": "It is too late to answer", "texts": ("Nothing was changed.", "Not answering is never a yes.")}
    yield "problem", public | gone
    yield "problem known", public | gone | {"code": _CODE, "home": home}
