"""
What is wrong with the words a consent was, or will be, asked for with. Pure.

A record of consent is worth what its wording is worth: what counts is what the person was shown and did, looked at from
outside (RTM v Bonne Terre [2026] EWCA Civ 488). Most penalties for unlawful marketing were for wordings with one of the
flaws below. Finding none of them does not mean that a consent is valid.

Only English is checked in full. In another language the check covers the organisation's name and the form around the
wording, and a finding of its own says that the rest was not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from importlib.resources import files
from typing import Final

import attrs
import msgspec

from optly.contacts import Channel, Organisation, Wording


class Severity(StrEnum):
    """
    Whether a consent asked for like this does not count at all, or is only harder to defend.
    """

    INVALIDATING = "invalidating"
    WEAK = "weak"


class WordingFlaw(StrEnum):
    """
    What is wrong. A code that programs may rely on.
    """

    NO_ORGANISATION = "no_organisation"
    NO_CHANNEL = "no_channel"
    UNNAMED_THIRD_PARTIES = "unnamed_third_parties"
    BUNDLED = "bundled"
    CONDITION = "condition"
    SILENCE = "silence"
    OPT_OUT = "opt_out"
    PRE_TICKED = "pre_ticked"
    PARTNERS_WITHOUT_CHOICE = "partners_without_choice"

    NO_WITHDRAWAL = "no_withdrawal"
    NO_REFUSAL = "no_refusal"
    ALL_OR_NOTHING = "all_or_nothing"
    DOUBLE_NEGATIVE = "double_negative"
    VAGUE = "vague"
    DISGUISED = "disguised"
    INCENTIVE = "incentive"
    SHAMING = "shaming"
    NOT_CHECKED = "not_checked"


@attrs.frozen(kw_only=True)
class Partner:
    """
    Another organisation that would rely on the same consent.

    Attributes:
        choosable: Whether the person can say yes or no to it separately.
    """

    name: str
    choosable: bool


@attrs.frozen(kw_only=True)
class Form:
    """
    What a wording alone does not show: how the question is put on the page, on paper or in the call.

    Attributes:
        pre_ticked: A yes is selected before the person does anything.
        bundled: The same act also accepts terms, confirms an age or does something else.
        condition: Without a yes there is no service, no sale, no quote, no entry.
        refusable: A no is as easy as a yes and as visible.
        separate: Each channel and each purpose is answered separately.
        partners: The other organisations that would rely on the consent, each by its name.
    """

    pre_ticked: bool = False
    bundled: bool = False
    condition: bool = False
    refusable: bool = True
    separate: bool = True
    partners: tuple[Partner, ...] = ()


@attrs.frozen(kw_only=True)
class WordingFinding:
    """
    One thing that is wrong with a wording or with the form around it.

    Attributes:
        channel: The channel it is about, for `WordingFlaw.NO_CHANNEL`.
        excerpt: The words that show it, with plain white space and quotes and the organisation's name in full; empty if
            it is about missing words or about the form.
    """

    code: WordingFlaw
    channel: Channel | None = None
    excerpt: str = ""

    @property
    def severity(self) -> Severity:
        return _KNOWN.flaws[self.code].severity

    @property
    def explanation(self) -> str:
        """
        What is wrong, in a sentence for people.
        """
        return _KNOWN.flaws[self.code].explanation

    @property
    def source(self) -> str:
        """
        The case or the guidance it comes from, with its address. Empty for `WordingFlaw.NOT_CHECKED`.
        """
        return _KNOWN.sources.get(_KNOWN.flaws[self.code].source, "")

    def __str__(self) -> str:
        about = f" [{self.channel}]" if self.channel else ""
        shown = f" “{self.excerpt}”" if self.excerpt else ""
        return f"{self.severity}: {self.explanation}{about}{shown}"


@attrs.frozen
class _Flaw:
    severity: Severity
    explanation: str
    source: str = ""
    signs: tuple[str, ...] = ()


@attrs.frozen
class _Known:
    """
    The content of ``wordings.toml``, which explains itself.
    """

    parts: Mapping[str, str]
    sources: Mapping[str, str]
    channels: Mapping[Channel, tuple[str, ...]]
    reassurance: tuple[str, ...]
    listed: tuple[str, ...]
    flaws: Mapping[WordingFlaw, _Flaw]


_KNOWN: Final = msgspec.toml.decode(files("optly.rules").joinpath("wordings.toml").read_bytes(), type=_Known)


def _filled(match: re.Match[str]) -> str:
    return _PART.sub(_filled, _KNOWN.parts[match[1]])


def _compiled(*signs: str) -> re.Pattern[str]:
    return re.compile(_PART.sub(_filled, "|".join(signs)), re.IGNORECASE)


_PART: Final = re.compile(r"\{([a-z_]+)\}")  # a quantifier holds numbers
_CHANNELS: Final = {channel: _compiled(*signs) for channel, signs in _KNOWN.channels.items()}
_SIGNS: Final = {code: _compiled(*flaw.signs) for code, flaw in _KNOWN.flaws.items() if flaw.signs}
_WITHDRAWALS, _PARTIES = _SIGNS.pop(WordingFlaw.NO_WITHDRAWAL), _SIGNS.pop(WordingFlaw.UNNAMED_THIRD_PARTIES)
_REASSURANCES, _LISTED_AFTER = _compiled(*_KNOWN.reassurance), _compiled(*_KNOWN.listed)

_LEGAL_FORM: Final = _compiled(r"[ ,]+(?:ltd|limited|plc|llp|inc|cic|cio)\.?$")
_PLAIN: Final = str.maketrans("’‘“”‐‑\u00a0", "''\"\"-- ")


def lint(
    wording: Wording, *, organisation: Organisation, channels: Sequence[Channel], form: Form | None = None
) -> tuple[WordingFinding, ...]:
    """
    Return what is wrong with *wording*, the gravest first. Empty if nothing was found.

    Args:
        organisation: Whom it has to name. Its legal form may be left out: "Acme" names Acme Ltd.
        channels: What the consent is to be relied on for; each has to be named.
        form: How the question is put. Without it, only the words are checked.
    """
    name = _name(organisation)
    question, yes, no = (
        name.sub("_", _plain(text)) for text in (f"{wording.text} . {wording.hint}", wording.yes, wording.no)
    )
    shown = f"{question}. {yes}"
    found = []
    if "_" not in shown:
        found.append(WordingFinding(code=WordingFlaw.NO_ORGANISATION))
    if wording.language.partition("-")[0].lower() == "en":
        found += _of_channels(shown, channels)
        if not _WITHDRAWALS.search(question):
            found.append(WordingFinding(code=WordingFlaw.NO_WITHDRAWAL))
        question = _REASSURANCES.sub(" ", question)
        found += _of_third_parties(f"{question}. {yes}", form)
        found += _of_words(question, yes, no)
    else:
        found.append(WordingFinding(code=WordingFlaw.NOT_CHECKED))
    if form is not None:
        found += _of_form(form)
    gravity = list(WordingFlaw)
    found.sort(key=lambda finding: gravity.index(finding.code))
    return tuple(dict.fromkeys(attrs.evolve(one, excerpt=one.excerpt.replace("_", organisation.name)) for one in found))


def _plain(text: str) -> str:
    return " ".join(text.translate(_PLAIN).replace("_", " ").split())


def _name(organisation: Organisation) -> re.Pattern[str]:
    """
    Return what identifies the organisation. Its name is removed from the text, because there are organisations
    with names such as Trusted Partners.
    """
    whole = _plain(organisation.name)
    short = _LEGAL_FORM.sub("", whole)
    return _compiled(rf"(?<!\w)(?:{re.escape(whole)}|{re.escape(short)})(?!\w)")


def _of_channels(shown: str, channels: Sequence[Channel]) -> Iterator[WordingFinding]:
    for channel in channels:
        if not _CHANNELS[channel].search(shown):
            yield WordingFinding(code=WordingFlaw.NO_CHANNEL, channel=channel)


def _of_third_parties(text: str, form: Form | None) -> Iterator[WordingFinding]:
    for match in _PARTIES.finditer(text):
        named = form is not None and form.partners and _LISTED_AFTER.match(text, match.end())
        if not named:
            yield WordingFinding(code=WordingFlaw.UNNAMED_THIRD_PARTIES, excerpt=match[0])


def _of_words(question: str, yes: str, no: str) -> Iterator[WordingFinding]:
    for flaw, signs in _SIGNS.items():
        # "No, I do not want that" is a fair answer. What can be wrong with a no is that it shames.
        for part in (no,) if flaw is WordingFlaw.SHAMING else (question, yes):
            if (match := signs.search(part)) is not None:
                yield WordingFinding(code=flaw, excerpt=match[0])


def _of_form(form: Form) -> Iterator[WordingFinding]:
    wrong = {
        WordingFlaw.PRE_TICKED: form.pre_ticked,
        WordingFlaw.BUNDLED: form.bundled,
        WordingFlaw.CONDITION: form.condition,
        WordingFlaw.PARTNERS_WITHOUT_CHOICE: not all(partner.choosable for partner in form.partners),
        WordingFlaw.NO_REFUSAL: not form.refusable,
        WordingFlaw.ALL_OR_NOTHING: not form.separate,
    }
    for flaw, there in wrong.items():
        if there:
            yield WordingFinding(code=flaw)
