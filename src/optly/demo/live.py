"""
The demo with a person: what they do on the pages is reported as it happens, and the company acts on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Final

import attrs

from optly.contacts import Channel
from optly.demo import Terminal
from optly.demo.acme import CHANNELS, Acme
from optly.demo.web import Handle
from optly.errors import NotPermittedError
from optly.protocols.http import Request, Response
from optly.record import events

_SERVICES: Final[Mapping[events.Service, str]] = {
    events.Service.CODE: "a one-time code",
    events.Service.LINK: "a new link",
    events.Service.COPY: "a copy of her data",
}
# The pages about a person, and the one that sends them a link. Style sheets and the help page are not reported.
_PAGES: Final = frozenset({"l", "u", "me", "new-link"})
_TICK: Final = 0.5  # seconds; on Windows an endless wait could not be interrupted


@attrs.frozen(kw_only=True)
class Visit:
    """
    A request for one of the pages.

    Attributes:
        posted: Whether a button was pressed.
        status: That of the response.
        events: What it recorded.
    """

    posted: bool
    status: int
    events: Sequence[events.Event]


class Watch:
    """
    Watches the requests for the pages. They are answered one at a time, so that it is certain which changed what.

    Attributes:
        acme: The company whose record is watched; nothing is as long as there is none.
        lock: Held while a request is answered, and by anything else that changes the record.
    """

    def __init__(self) -> None:
        self.acme: Acme | None = None
        self.lock = Lock()
        self._visits: SimpleQueue[Visit | None] = SimpleQueue()

    def around(self, handle: Handle) -> Handle:
        """
        Return *handle*, with every request for Ada's pages watched.
        """

        def watched(request: Request) -> Response:
            acme = self.acme
            if acme is None or request.path.removeprefix("/").partition("/")[0] not in _PAGES:
                return handle(request)
            with self.lock:
                known = len(acme.history())
                response = handle(request)
                recorded = acme.history()[known:]
            self._visits.put(Visit(posted=request.method == "POST", status=response.status, events=recorded))
            return response

        return watched

    def next(self) -> Visit | None:
        """
        Wait for the next visit and return it, or None when the watch has ended.
        """
        while True:
            try:
                return self._visits.get(timeout=_TICK)
            except Empty:
                continue

    def end(self) -> None:
        """
        End the watch after the visits so far. May be called by a signal handler.
        """
        self._visits.put(None)


class Company:
    """
    Acme at work: it asks Ada, and acts on what she does.
    """

    def __init__(self, acme: Acme, terminal: Terminal) -> None:
        self._acme = acme
        self._terminal = terminal
        self._open: set[Channel] = set()

    def ask(self) -> None:
        self._acme.ask()
        self._terminal.good("asked", "Ada filled in Acme's form, so Acme asks: may we write by email, and by text?")
        self._deliver()
        self._report_gate()

    def follow(self, watch: Watch) -> None:
        """
        Report what Ada does and act on it, until the watch ends.
        """
        while (visit := watch.next()) is not None:
            with watch.lock:
                self.act_on(visit)

    def act_on(self, visit: Visit) -> None:
        """
        Report a visit, and act on it if something changed.
        """
        if not visit.events:
            self._terminal.note(*_nothing_changed(visit))
            return
        if not visit.posted:
            self._terminal.bad("opened", "A page was only opened, and something changed. That must never happen.")
        for event in visit.events:
            if said := _in_words(event):
                self._terminal.good(*said)
        self._deliver()
        self._report_gate()
        self._offer()
        prove(self._acme, self._terminal)

    def _deliver(self) -> None:
        for reply in self._acme.deliver():
            self._terminal.good("delivered", f"A message was sent. The reply: {reply}")

    def _report_gate(self) -> None:
        for channel, name in CHANNELS.items():
            decision = self._acme.gate(channel)
            report, verdict = (self._terminal.good, "allowed") if decision else (self._terminal.bad, "refused")
            report(name, f"{verdict}: {decision.explanation} ({decision.regulation})")

    def _offer(self) -> None:
        """
        Send an offer on each channel that has been opened, and try to on each that has been shut.
        """
        for channel, name in CHANNELS.items():
            if bool(self._acme.gate(channel)) is (channel in self._open):
                continue
            self._open ^= {channel}
            try:
                self._acme.offer(channel)
            except NotPermittedError:
                self._terminal.good("offer refused", f"Acme tried to send an offer by {name} and could not.")
            else:
                self._terminal.good("offer sent", f"Acme sends an offer by {name}.")
                self._deliver()


def _nothing_changed(visit: Visit) -> tuple[str, str]:
    worked = visit.status < 400
    if visit.posted:
        name, what = ("saved", "The answers are the same") if worked else ("refused", "It was not accepted")
    else:
        name, what = "opened", "A page was opened" if worked else "A closed page was requested"
    return name, f"{what} ({visit.status}): nothing changed."


def _in_words(event: events.Event) -> tuple[str, str] | None:
    """
    Return a name and a sentence for what Ada did; None for what follows from it.
    """
    match event:
        case events.ConsentGiven(choices=choices):
            return "answered", f"Yes to {_names(choice.channel for choice in choices)}."
        case events.ConsentRefused(choices=choices):
            return "answered", f"No to {_names(choice.channel for choice in choices)}."
        case events.Stopped(channels=channels):
            return "stopped", f"No more marketing by {_names(channels) or 'any means'}."
        case events.ServiceRequested(service=service):
            return "asked for", f"Ada asked for {_SERVICES[service]}."
        case events.DetailsChanged():
            return "changed", "Ada changed her details."
        case events.LineAdded():
            return "changed", "A new address counts from now on: Ada entered the code that was sent to it."
        case events.LineRemoved() | events.LineLeft():
            return "changed", "An address was removed, and nothing may be sent to it."
        case events.LineReinstated():
            return "undone", "The earlier address counts again, with what was allowed on it."
        case events.ComplaintReceived(acknowledge_by=by):
            return "complained", f"Acme has to acknowledge it by {by:%d %B %Y}, and does so at once."
        case _:
            return None


def _names(channels: Iterable[Channel]) -> str:
    return ", ".join(CHANNELS.get(channel, channel.value) for channel in channels)


def prove(acme: Acme, terminal: Terminal, *, keep: bool = False) -> bool:
    """
    Verify the evidence, report the result, and return whether it holds.

    Args:
        keep: Whether to write it beside the database.
    """
    pack = acme.manager.evidence(acme.ada)
    found = pack.verify(public_keys=acme.manager.public_keys)
    for problem in found.problems:
        terminal.bad(problem.finding, str(problem))
    if found:
        where = f" Written to {acme.save(pack)}." if keep else ""
        terminal.good("evidence verified", f"{found.events} events, unaltered and in the log.{where}")
    return bool(found)
