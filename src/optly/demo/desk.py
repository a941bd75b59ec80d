"""
The demo with a person: what they do on the pages is told as it happens, and the company acts on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from optly.cli._terminal import Terminal
from optly.contacts.addresses import Channel
from optly.demo.acme import CHANNELS, Acme
from optly.demo.watch import Visit, Watch
from optly.errors import NotPermittedError
from optly.record.events import (
    ComplaintReceived,
    ConsentGiven,
    ConsentRefused,
    DetailsChanged,
    Event,
    LineAdded,
    LineReinstated,
    LineRemoved,
    Service,
    ServiceRequested,
    Stopped,
)

_SERVICES: Final[Mapping[Service, str]] = {
    Service.CODE: "a one-time code",
    Service.LINK: "a new link",
    Service.COPY: "a copy of her data",
}


class Desk:
    """
    The company at work: it asks, and acts on what Ada does.
    """

    def __init__(self, acme: Acme, terminal: Terminal) -> None:
        self._acme = acme
        self._terminal = terminal
        self._open: set[Channel] = set()

    def ask(self) -> None:
        """
        Ask Ada, and hand the question over.
        """
        self._acme.ask()
        self._terminal.good("asked", "Ada filled in Acme's form, so Acme asks: may we write by email, and by text?")
        self._deliver()
        self._tell_gate()

    def follow(self, watch: Watch) -> None:
        """
        Tell what Ada does and act on it, until the watch ends.
        """
        while (visit := watch.next()) is not None:
            with watch.lock:
                self.act_on(visit)

    def act_on(self, visit: Visit) -> None:
        """
        Tell what somebody did, and act on it if something changed.
        """
        if not visit.events:
            self._tell_idle(visit)
            return
        if not visit.posted:
            self._terminal.bad("opened", "A page was only opened, and something changed. That must never happen.")
        for event in visit.events:
            self._tell_event(event)
        self._deliver()
        self._tell_gate()
        self._write_or_not()
        prove(self._acme, self._terminal)

    def _tell_idle(self, visit: Visit) -> None:
        if visit.posted:
            name, what = ("saved", "Nothing new was said") if visit.status < 400 else ("refused", "It was not taken")
        else:
            name = "opened"
            what = "A page was opened" if visit.status < 400 else "A page was asked for that is closed"
        self._terminal.note(name, f"{what} ({visit.status}): nothing changed.")

    def _tell_event(self, event: Event) -> None:
        match event:
            case ConsentGiven(choices=choices):
                self._terminal.good("answered", f"Yes to {_names(choice.channel for choice in choices)}.")
            case ConsentRefused(choices=choices):
                self._terminal.good("answered", f"No to {_names(choice.channel for choice in choices)}.")
            case Stopped(channels=channels):
                self._terminal.good("stopped", f"No more marketing by {_names(channels) or 'any means'}.")
            case ServiceRequested(service=service):
                self._terminal.good("asked for", f"Ada has {_SERVICES[service]} sent to her.")
            case DetailsChanged():
                self._terminal.good("changed", "Ada changed her details.")
            case LineAdded():
                self._terminal.good("changed", "A new address counts from now on: the code that went there came back.")
            case LineRemoved():
                self._terminal.good("changed", "An address is off the record, and nothing is allowed on it.")
            case LineReinstated():
                self._terminal.good("undone", "The earlier address counts again, with what was allowed on it.")
            case ComplaintReceived(acknowledge_by=by):
                self._terminal.good("complained", f"Acme has to acknowledge it by {by:%d %B %Y}, and does so at once.")
            case _:
                pass

    def _deliver(self) -> None:
        for reply in self._acme.deliver():
            self._terminal.good("delivered", f"A message was handed over. The reply: {reply}")

    def _tell_gate(self) -> None:
        for channel, name in CHANNELS.items():
            decision = self._acme.gate(channel)
            tell = self._terminal.good if decision else self._terminal.bad
            verdict = "allowed" if decision else "refused"
            tell(name, f"{verdict}: {decision.explanation} ({decision.regulation})")

    def _write_or_not(self) -> None:
        """
        Send an offer where one became allowed, and try to where it no longer is.
        """
        for channel in CHANNELS:
            if bool(self._acme.gate(channel)) is (channel in self._open):
                continue
            self._open ^= {channel}
            try:
                self._acme.offer(channel)
            except NotPermittedError:
                self._terminal.good(
                    "offer refused", f"Acme tried to send an offer by {CHANNELS[channel]} and could not."
                )
            else:
                self._terminal.good("offer sent", f"Acme sends an offer by {CHANNELS[channel]}.")
                self._deliver()


def prove(acme: Acme, terminal: Terminal, *, keep: bool = False) -> bool:
    """
    Verify the evidence, tell what was found, and return whether it holds.

    Args:
        keep: Whether to write it beside the database.
    """
    pack = acme.manager.evidence(acme.ada)
    found = pack.verify(public_keys=acme.manager.public_keys)
    for problem in found.problems:
        terminal.bad(problem.finding, str(problem))
    if found:
        where = f" Written to {acme.keep(pack)}." if keep else ""
        terminal.good("evidence verified", f"{found.events} events, unaltered and in the log.{where}")
    return bool(found)


def _names(channels: Iterable[Channel]) -> str:
    return ", ".join(CHANNELS.get(channel, channel.value) for channel in channels)
