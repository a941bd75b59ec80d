"""
The facts of a message or a call as options. The gate receives only those that are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import attrs
import click

from optly.cli._options import INSTANT, one_of
from optly.rules import Call, ClientRelationship, Facts, RefusalCost, Solicited

_CALL: Final = "Facts of a call or a fax (left out: counts against you)"
_CLIENT: Final = "Facts of a client called about pensions (left out: counts against you)"
_MESSAGE: Final = "Facts of a message (left out: as in the messages Optly sends)"


@attrs.frozen
class _Fact:
    section: str
    name: str
    help: str
    settings: Mapping[str, Any] = {}  # of the option, if it is not a yes or a no
    wanted: bool = True  # whether a yes counts in favour

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
        Its name in a decision.
        """
        return {_CALL: "call.", _CLIENT: "call.client.", _MESSAGE: ""}[self.section] + self.name


_FACTS: Final = (
    _Fact(_CALL, "shows_number", "The calling number is shown, or another number to reach you on."),
    _Fact(_CALL, "gives_name", "The caller says on whose behalf they are calling."),
    _Fact(_CALL, "contact_requested", "The person called asked how to reach you. Left out: they did not."),
    _Fact(_CALL, "gives_contact", "The caller gives an address or a number to reach you on."),
    _Fact(_CALL, "contact_is_free", "It is an address, or a number that is free of charge."),
    _Fact(_CALL, "recorded", "A recording or an artificial voice speaks. Left out: depends on the channel."),
    _Fact(_CALL, "claims_management", "It markets claims management services."),
    _Fact(_CALL, "pensions", "It markets anything about pension schemes."),
    _Fact(_CALL, "authorised", "The caller is an authorised firm, or the trustee or manager of a pension scheme."),
    _Fact(_CALL, "connected", "Someone answered. Left out: the call has not been made yet."),
    _Fact(_CLIENT, "calls_envisaged", "The client might reasonably expect such calls."),
    _Fact(_CLIENT, "refusal_at_collection", "A free way to refuse was offered when the details were collected."),
    _Fact(_CLIENT, "refusal_each_time", "It has been offered each time you contacted them since."),
    _Fact(_CLIENT, "avoids_ban", "The relationship was set up mainly to get round the ban.", wanted=False),
    _Fact(_MESSAGE, "promotional", "It promotes something. Left out: unknown, but a question promotes nothing."),
    _Fact(_MESSAGE, "shows_identity", "It says on whose behalf it is sent."),
    _Fact(_MESSAGE, "gives_stop_address", "It says where to send a request to stop."),
    _Fact(_MESSAGE, "offers_refusal", "It offers a simple way to refuse, and so did every message before it."),
    _Fact(_MESSAGE, "refusal_cost", "What refusing costs the person.", {"type": one_of(RefusalCost)}),
    _Fact(_MESSAGE, "first_contact", "No marketing has relied on the consent yet. Left out: as recorded."),
    _Fact(_MESSAGE, "delivered", "It reached someone. Left out: it has not been sent yet."),
    _Fact(_MESSAGE, "public_task", "The task of a public authority that needs the message.", {"metavar": "TEXT"}),
    _Fact(_MESSAGE, "instigator", "Key of the organisation that instigates the message.", {"metavar": "KEY"}),
    _Fact(_MESSAGE, "solicited_at", "When the person asked for this message, or to be asked.", INSTANT),
)
_BY_PATH: Final = {fact.path: fact for fact in _FACTS}
# The sections of the help, by the names of the parameters.
SECTIONS: Final = {fact.parameter: fact.section for fact in _FACTS}
# What is on record, or should be.
_MISSING: Final = {
    "line": "a contact with this address",
    "consent": "a consent",
    "expires_at": "a consent that has not expired",
    "organisations": "a consent that names the sender",
    "organisation": "a later consent that names the organisation that the person said no to",
    "solicited": "that the person asked for this",
    "solicited.at": "that the person asked for this lately",
    "attempt": "that the person has not got what they asked for",
    "public_authority": "that the organisation is a public authority",
    "obtained_by": "that the sender itself collected the details",
    "dated": "when the details were collected",
    "collected_at": "that the details were collected after the law began to allow it",
    "refused": "that the person did not refuse",
    "tps": "a recent enough copy of the TPS",
    "ctps": "a recent enough copy of the CTPS",
    "fps": "a recent enough copy of the FPS",
}


def fact_options(command: Callable[..., None]) -> Callable[..., None]:
    """
    Give *command* an option for each fact.
    """
    for fact in reversed(_FACTS):
        names = fact.option if fact.settings else f"{fact.option}/{fact.denial}"
        command = click.option(names, default=None, help=fact.help, **fact.settings)(command)
    return command


def gather(options: Mapping[str, Any]) -> Facts:
    """
    Return the facts among the values of *options*.
    """
    values: dict[str, dict[str, Any]] = {_CALL: {}, _CLIENT: {}, _MESSAGE: {}}
    for fact in _FACTS:
        if (value := options[fact.parameter]) is not None:
            values[fact.section][fact.name] = value
    facts = values[_MESSAGE]
    if (asked_at := facts.pop("solicited_at", None)) is not None:
        facts["solicited"] = Solicited(how="as given to optly check", at=asked_at)
    if (cost := facts.get("refusal_cost")) is not None:
        facts["refusal_cost"] = RefusalCost(cost)
    client = ClientRelationship(**values[_CLIENT]) if values[_CLIENT] else None
    if client is not None or values[_CALL]:
        facts["call"] = Call(**values[_CALL], client=client)
    return cast(Facts, facts)


def in_words(failed: str) -> str:
    """
    Describe what a decision names as missing, with the option for it if there is one.
    """
    fact = _BY_PATH.get(failed)
    if fact is not None:
        return f"{fact.option if fact.wanted else fact.denial}: {fact.help}"
    return _MISSING.get(failed, failed.replace("_", " "))


def left_open(options: Mapping[str, Any]) -> Sequence[str]:
    """
    Return the options that were left out, so that a live call has to meet a stricter regulation than it may need to.
    """
    return [
        fact.denial
        for fact in _FACTS
        if fact.name in ("claims_management", "pensions") and options[fact.parameter] is None
    ]
