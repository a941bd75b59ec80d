"""
The facts of a message or a call as options. What is not told is not told to the gate either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import attrs
import click

from optly.cli._options import INSTANT, one_of
from optly.rules import Call, ClientRelationship, Facts, RefusalCost, Solicited

_CALL: Final = "Facts of a call or a fax (not told counts against you)"
_CLIENT: Final = "Facts of a client who is called about pensions (not told counts against you)"
_MESSAGE: Final = "Facts of a message (not told: as Optly itself sends them)"


class FactOption(click.Option):
    """
    An option that stands in a section of its own in the help.
    """

    def __init__(self, names: Sequence[str], *, section: str, **settings: Any) -> None:
        super().__init__(names, **settings)
        self.section = section


@attrs.frozen
class _Fact:
    section: str
    name: str
    help: str
    settings: Mapping[str, Any] = {}  # of the option, where it is not a yes or a no
    wanted: bool = True  # whether a yes is what allows something

    @property
    def option(self) -> str:
        prefix = "client-" if self.section is _CLIENT else ""
        return f"--{prefix}{self.name.replace('_', '-')}"

    @property
    def denial(self) -> str:
        return f"--no-{self.option.removeprefix('--')}"

    @property
    def parameter(self) -> str:
        return self.option.lstrip("-").replace("-", "_")

    @property
    def path(self) -> str:
        """
        What a decision calls it.
        """
        return {_CALL: "call.", _CLIENT: "call.client.", _MESSAGE: ""}[self.section] + self.name


_FACTS: Final = (
    _Fact(_CALL, "shows_number", "The calling number is shown, or another on which you can be reached."),
    _Fact(_CALL, "gives_name", "The caller says in whose name the call is made."),
    _Fact(_CALL, "contact_requested", "The person called asked how to reach you. Not told: they did not."),
    _Fact(_CALL, "gives_contact", "An address or a number to reach you is given."),
    _Fact(_CALL, "contact_is_free", "That is an address, or a number that is free of charge."),
    _Fact(_CALL, "recorded", "Recorded matter is played, also by an agent. Not told: as the channel says."),
    _Fact(_CALL, "claims_management", "It markets claims management services."),
    _Fact(_CALL, "pensions", "It markets anything about pension schemes."),
    _Fact(_CALL, "authorised", "The caller is an authorised firm, or a pension scheme's trustee or manager."),
    _Fact(_CALL, "connected", "Somebody answered. Not told: it is not made yet."),
    _Fact(_CLIENT, "calls_envisaged", "They might reasonably expect such calls."),
    _Fact(_CLIENT, "refusal_at_collection", "A free way to refuse was offered when their details were collected."),
    _Fact(_CLIENT, "refusal_each_time", "It has been offered at each contact since."),
    _Fact(_CLIENT, "avoids_ban", "The relationship was set up mainly to get round the ban.", wanted=False),
    _Fact(_MESSAGE, "promotional", "A service message, or a question, promotes something. Not told: nothing."),
    _Fact(_MESSAGE, "shows_identity", "It names whom it is sent for."),
    _Fact(_MESSAGE, "gives_stop_address", "It says where to send a request to stop."),
    _Fact(_MESSAGE, "offers_refusal", "It offers a simple way to refuse, and each one before it did."),
    _Fact(_MESSAGE, "refusal_cost", "What taking that way costs.", {"type": one_of(RefusalCost)}),
    _Fact(_MESSAGE, "first_contact", "You never wrote to the person before. Not told: you never did."),
    _Fact(_MESSAGE, "delivered", "It reached somebody. Not told: it is not sent yet."),
    _Fact(_MESSAGE, "instigator", "Key of the organisation at whose instigation it is sent.", {"metavar": "KEY"}),
    _Fact(_MESSAGE, "solicited_at", "When the person asked for this very message, or to be asked.", INSTANT),
)
_BY_PATH: Final = {fact.path: fact for fact in _FACTS}
# What is on record, or should be.
_MISSING: Final = {
    "line": "somebody on record with this address",
    "consent": "a consent",
    "expires_at": "a consent that has not run out",
    "organisations": "a consent that names the sender",
    "obtained_by": "that the sender itself collected the details",
    "dated": "when the details were collected",
    "collected_at": "that the details were collected since the law allows it",
    "refused": "that the person did not refuse",
    "tps": "a copy of the TPS that is recent enough",
    "ctps": "a copy of the CTPS that is recent enough",
    "fps": "a copy of the FPS that is recent enough",
}


def fact_options(command: Callable[..., None]) -> Callable[..., None]:
    """
    Give *command* an option for each fact.
    """
    for fact in reversed(_FACTS):
        names = fact.option if fact.settings else f"{fact.option}/{fact.denial}"
        option = click.option(
            names, cls=FactOption, section=fact.section, default=None, help=fact.help, **fact.settings
        )
        command = option(command)
    return command


def gather(told: Mapping[str, Any]) -> Facts:
    """
    Return the facts among the values of the options.
    """
    values: dict[str, dict[str, Any]] = {_CALL: {}, _CLIENT: {}, _MESSAGE: {}}
    for fact in _FACTS:
        if (value := told[fact.parameter]) is not None:
            values[fact.section][fact.name] = value
    facts = values[_MESSAGE]
    if (asked_at := facts.pop("solicited_at", None)) is not None:
        facts["solicited"] = Solicited(how="as told to optly check", at=asked_at)
    if (cost := facts.get("refusal_cost")) is not None:
        facts["refusal_cost"] = RefusalCost(cost)
    client = ClientRelationship(**values[_CLIENT]) if values[_CLIENT] else None
    if client is not None or values[_CALL]:
        facts["call"] = Call(**values[_CALL], client=client)
    return cast(Facts, facts)


def in_words(failed: str) -> str:
    """
    Say what a decision names as missing, with the option that tells it where there is one.
    """
    fact = _BY_PATH.get(failed)
    if fact is not None:
        return f"{fact.option if fact.wanted else fact.denial}: {fact.help}"
    return _MISSING.get(failed, failed.replace("_", " "))


def left_open(told: Mapping[str, Any]) -> Sequence[str]:
    """
    Return the options which, not told, have a live call pass a regulation that may not be meant for it.
    """
    return [
        fact.denial
        for fact in _FACTS
        if fact.name in ("claims_management", "pensions") and told[fact.parameter] is None
    ]
