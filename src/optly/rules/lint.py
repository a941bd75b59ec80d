"""
What is wrong with the words a consent was, or will be, asked for with. Pure.

A record of consent is worth what its wording is worth: what counts is what the person was shown and did, looked at from
outside (RTM v Bonne Terre [2026] EWCA Civ 488). Most penalties for unlawful marketing were for wordings with one of the
flaws below. Finding none of them does not mean that a consent is valid.

Only English is judged, whatever language it is said to be. In another language the check covers the organisation's name
and the form around the wording, and a finding of its own, `WordingFlaw.NOT_JUDGED`, says so: such a wording is neither
sound nor unsound.

What makes a consent invalid is reported only where the words leave no doubt. If a finding is wrong all the same, or the
form shows what the words leave out, the host accepts it in words of its own, which are kept as evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Final

import attrs
import msgspec

from optly import typed
from optly.contacts import Channel, Organisation, Purpose, Wording
from optly.record.events import Defect


class Severity(StrEnum):
    """
    Whether a consent asked for like this does not count at all, cannot be judged, or is only harder to defend.
    """

    INVALIDATING = "invalidating"
    NOT_JUDGED = "not_judged"
    WEAK = "weak"


class WordingFlaw(StrEnum):
    """
    What is wrong. A code that programs may rely on.
    """

    NO_ORGANISATION = "no_organisation"
    NO_CHANNEL = "no_channel"
    NO_PURPOSE = "no_purpose"
    UNNAMED_THIRD_PARTIES = "unnamed_third_parties"
    BUNDLED = "bundled"
    CONDITION = "condition"
    SILENCE = "silence"
    OPT_OUT = "opt_out"
    PRE_TICKED = "pre_ticked"
    PARTNERS_WITHOUT_CHOICE = "partners_without_choice"

    NOT_JUDGED = "not_judged"

    NO_WITHDRAWAL = "no_withdrawal"
    NO_REFUSAL = "no_refusal"
    ALL_OR_NOTHING = "all_or_nothing"
    DOUBLE_NEGATIVE = "double_negative"
    VAGUE = "vague"
    DISGUISED = "disguised"
    INCENTIVE = "incentive"
    SHAMING = "shaming"


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
    def defect(self) -> Defect | None:
        """
        Why a consent that was given to these words is none; None if it may be one.
        """
        return _KNOWN.flaws[self.code].defect

    @property
    def explanation(self) -> str:
        """
        What is wrong, in a sentence for people.
        """
        return _KNOWN.flaws[self.code].explanation

    @property
    def source(self) -> str:
        """
        The case or the guidance it comes from, with its address. Empty for `WordingFlaw.NOT_JUDGED`.
        """
        return _KNOWN.sources.get(_KNOWN.flaws[self.code].source, "")

    @property
    def missing(self) -> bool:
        """
        Whether it is about what the words do not say: the organisation, a channel or the purpose.
        """
        return self.code in (WordingFlaw.NO_ORGANISATION, WordingFlaw.NO_CHANNEL, WordingFlaw.NO_PURPOSE)

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
    defect: Defect | None = None


@attrs.frozen
class _Topics:
    generic: str
    alike: tuple[str, ...]
    whatever: str


@attrs.frozen
class _English:
    words: str
    more: str


@attrs.frozen
class _Nothing:
    words: str


@attrs.frozen
class _Signs:
    signs: tuple[str, ...]


@attrs.frozen
class _Statement:
    signs: tuple[str, ...]
    asks: tuple[str, ...]


@attrs.frozen
class _Names:
    legal_forms: tuple[str, ...]
    additions: tuple[str, ...]
    ordinary: str
    determiners: tuple[str, ...]
    verbs: tuple[str, ...]
    slots: tuple[str, ...]


@attrs.frozen
class _Known:
    """
    The content of ``wordings.toml``, which explains itself.
    """

    parts: Mapping[str, str]
    sources: Mapping[str, str]
    channels: Mapping[str, tuple[str, ...]]
    implied: Mapping[str, tuple[str, ...]]
    other_role: _Signs
    statement: _Statement
    reassurance: tuple[str, ...]
    denial: tuple[str, ...]
    clause: tuple[str, ...]
    joined: tuple[str, ...]
    own: str
    about: tuple[str, ...]
    listed: tuple[str, ...]
    flaws: Mapping[WordingFlaw, _Flaw]
    names: _Names
    topics: _Topics
    english: _English
    nothing: _Nothing


_KNOWN: Final = msgspec.toml.decode(files("optly.rules").joinpath("wordings.toml").read_bytes(), type=_Known)


def _filled(match: re.Match[str]) -> str:
    return _PART.sub(_filled, _KNOWN.parts[match[1]])


def _compiled(*signs: str) -> re.Pattern[str]:
    return re.compile(_PART.sub(_filled, "|".join(signs)), re.IGNORECASE)


_PART: Final = re.compile(r"\{([a-z_]+)\}")  # a quantifier holds numbers
_CHANNELS: Final = {
    channel: _compiled(*_KNOWN.channels.get(channel, (rf"\b{channel.replace('_', '[ -]')}",))) for channel in Channel
}
_IMPLIED: Final = {channel: _compiled(*signs) for channel, signs in _KNOWN.implied.items()}
_OTHER_ROLE: Final = _compiled(*_KNOWN.other_role.signs)
_STATEMENTS, _ASKS = _compiled(*_KNOWN.statement.signs), _compiled(*_KNOWN.statement.asks)
_SIGNS: Final = {code: _compiled(*flaw.signs) for code, flaw in _KNOWN.flaws.items() if flaw.signs}
_WITHDRAWALS, _PARTIES = _SIGNS.pop(WordingFlaw.NO_WITHDRAWAL), _SIGNS.pop(WordingFlaw.UNNAMED_THIRD_PARTIES)
_REASSURANCES, _LISTED_AFTER = _compiled(*_KNOWN.reassurance), _compiled(*_KNOWN.listed)
_DENIALS, _CLAUSE_ENDS = _compiled(*_KNOWN.denial), _compiled(*_KNOWN.clause)
# Flaws that words deny by saying the same with a "not"; to refuse is to say it with one.
_DENIABLE: Final = (WordingFlaw.BUNDLED, WordingFlaw.CONDITION, WordingFlaw.SILENCE, WordingFlaw.PRE_TICKED)

# In a sentence about something, others are what it is about, unless they would send it or be passed the details.
_JOINED: Final = tuple(_compiled(sign) for sign in _KNOWN.joined)
_OWN: Final = _compiled(_KNOWN.own)
_ABOUT: Final = _compiled(*_KNOWN.about)
_PASSED: Final = re.compile(
    r"\b(?:from|by|of|shar(?:e|ed|ing)|pass(?:ed|ing)?|sell|disclos\w+|give|given|behalf)\b", re.IGNORECASE
)

_ORDINARY: Final = frozenset(_KNOWN.names.ordinary.split())
_LEGAL_FORM: Final = _compiled(rf"[ ,]+\(?(?:{'|'.join(_KNOWN.names.legal_forms)})\)?\.?$")
_ADDITION: Final = _compiled(rf"[ ,]+\(?(?:{'|'.join(_KNOWN.names.additions)})\)?$")
_ARTICLE: Final = re.compile(r"^the ", re.IGNORECASE)
_WITH_FORM: Final = rf"(?:,? \(?(?:{'|'.join(_KNOWN.names.legal_forms)})(?!\w)\)?\.?)?"
_DETERMINED: Final = _compiled(rf"(?<!\w)(?:{'|'.join(_KNOWN.names.determiners)}) $")
_ACTS: Final = _compiled(rf"^(?:'s\b| (?:{'|'.join(_KNOWN.names.verbs)})\b)")
_SLOT: Final = _compiled(rf"(?<!\w)(?:{'|'.join(_KNOWN.names.slots)}) $")
_BETWEEN_SENTENCES: Final = re.compile(r"(?:^|[.!?:;])[\s\"'(\[\]-]*$")
_GENERIC: Final = frozenset(_KNOWN.topics.generic.split())
_WHATEVER: Final = _compiled(_KNOWN.topics.whatever)
_ENGLISH: Final = frozenset(_KNOWN.english.words.split())
_RATHER_ENGLISH: Final = _ENGLISH.union(_KNOWN.english.more.split())
_COMMON: Final = _GENERIC | _RATHER_ENGLISH
_NOTHING: Final = frozenset(_KNOWN.nothing.words.split())
_LONG: Final = 5
_CLAUSE: Final = 120
_SENTENCE_ENDS: Final = re.compile(r"[.!?;]")
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_PLAIN: Final = str.maketrans("’‘“”‐‑\u00a0", "''\"\"-- ")


def lint(
    wording: Wording,
    *,
    organisation: Organisation,
    channels: Sequence[Channel],
    form: Form | None = None,
    purpose: Purpose | None = None,
    others: Sequence[Purpose] = (),
) -> tuple[WordingFinding, ...]:
    """
    Return what is wrong with *wording*, the gravest first. Empty if nothing was found.

    Args:
        organisation: Whom it has to name, by any of its names. An article, the legal form and what follows a name in
            a register may be left out: "Acme" names Acme UK Ltd. A name made of ordinary words counts only in the form
            of a name: "Next" in the middle of a sentence names Next plc, and "our next sale" does not.
        channels: What the consent is to be relied on for; each has to be named.
        form: How the question is put. Without it, only the words are checked.
        purpose: What the consent is to be relied on for. It counts as missing only where the words are plainly about
            one of the *others*. Without it, this is not checked.
        others: The other purposes that there are.
    """
    names = [form for name in getattr(organisation, "names", (organisation.name,)) for form in _names(name)]
    question, yes, no = (
        _without_names(_plain(text), names) for text in (f"{wording.text} . {wording.hint}", wording.yes, wording.no)
    )
    shown = f"{question}. {yes}"
    found = []
    if "_" not in shown:
        found.append(WordingFinding(code=WordingFlaw.NO_ORGANISATION))
    if _is_read(question, wording.language):
        found += _of_channels(shown, channels)
        if purpose is not None and _is_about_another(question, purpose, others):
            found.append(WordingFinding(code=WordingFlaw.NO_PURPOSE))
        if not _WITHDRAWALS.search(question):
            found.append(WordingFinding(code=WordingFlaw.NO_WITHDRAWAL))
        question = _REASSURANCES.sub(" ", question)
        found += _of_third_parties(f"{question}. {yes}", form)
        found += _of_words(question, yes, no)
        found += _of_statements(question, yes, found)
    else:
        found.append(WordingFinding(code=WordingFlaw.NOT_JUDGED))
    if form is not None:
        found += _of_form(form)
    gravity = list(WordingFlaw)
    found.sort(key=lambda finding: gravity.index(finding.code))
    return tuple(dict.fromkeys(typed.evolve(one, excerpt=one.excerpt.replace("_", organisation.name)) for one in found))


def says_nothing(text: str) -> bool:
    """
    Whether *text* says no more than that it is not known, like "n/a" or "see CRM". Case, dots and blanks do not matter.
    """
    said = "".join(filter(str.isalnum, text.lower()))
    return not said or said in _NOTHING


def _plain(text: str) -> str:
    return " ".join(text.translate(_PLAIN).replace("_", " ").split())


@attrs.frozen(kw_only=True)
class _Name:
    """
    A form in which an organisation is known.

    Attributes:
        core: The words of the name, without article and legal form.
        ordinary: Whether all of them are ordinary words, so that only the form of a name tells it from them.
    """

    core: str
    pattern: re.Pattern[str]
    ordinary: bool

    def is_in(self, text: str, match: re.Match[str]) -> bool:
        """
        Whether *match* in *text* is the name, and not the ordinary words it is made of.
        """
        if not self.ordinary:
            return True
        before, after = text[: match.start()], text[match.end() :]
        if match["form"] or _FORM_AFTER.match(after):
            return True
        if self.core.islower():
            return match["core"] == self.core and bool(_ACTS.match(after) or _SLOT.search(before))
        own, here = self.core.split(), match["core"].replace("-", " ").split()
        if not all(shown[:1].isupper() for known, shown in zip(own, here, strict=False) if known[:1].isupper()):
            return False
        if len(own) == 1 and _BETWEEN_SENTENCES.search(before):
            return bool(_ACTS.match(after))
        return not _DETERMINED.search(before) if _all_capitals(text, match) else True


def _all_capitals(text: str, match: re.Match[str]) -> bool:
    """
    Whether nearly every word around the match has a capital, so that a capital says nothing.
    """
    around = re.findall(
        r"[^\W\d_][\w']{3,}", text[max(0, match.start() - 60) : match.start()] + text[match.end() :][:60]
    )
    return bool(around) and 3 * sum(word[0].isupper() for word in around) >= 2 * len(around)


_FORM_AFTER: Final = re.compile(_WITH_FORM[:-1], re.IGNORECASE)
_SMALL: Final = frozenset({"and", "&", "of", "the", "for", "to", "in", "on", "at", "with"})


@lru_cache(maxsize=256)
def _names(name: str) -> tuple[_Name, ...]:
    """
    Return the forms in which an organisation is known by *name*, the longest first: with and without its article, its
    legal form and what else stands behind a name, and by its initials.

    Names are removed from the text, because there are organisations with names such as Trusted Partners.
    """
    whole = _plain(name)
    core = _ARTICLE.sub("", whole)
    while (shorter := _LEGAL_FORM.sub("", core)) != core:
        core = shorter
    short = _ADDITION.sub("", core)
    forms = [_form(form) for form in dict.fromkeys((whole, core, short)) if form]
    return (*forms, *_initials(core))


def _form(core: str) -> _Name:
    words = [word for word in re.split(r"[ -]", core.lower()) if word]
    unusual = sum(not _is_ordinary(word) for word in words)
    pattern = "[ -]".join(
        r"(?:&|and|\+)" if word in ("&", "and", "+") else re.escape(word).replace("'", "'?") for word in words
    )
    return _Name(
        core=core,
        # Not in an address of email or of a page: that names nobody in words.
        pattern=_compiled(
            rf"(?<![\w@])(?<!www\.)(?<!://)(?:the )?(?P<core>{pattern})(?P<form>{_WITH_FORM})(?!\w|@)",
        ),
        ordinary=len(core) <= 2 or 4 * unusual <= len(words),
    )


def _is_ordinary(word: str) -> bool:
    word = word.strip("?!.,()'").removesuffix("'s")
    stems = [word.removesuffix(ending) for ending in ("s", "es", "ed", "ing") if word.endswith(ending)]
    return any(stem in _ORDINARY for stem in (word, *stems, *(f"{stem}e" for stem in stems)))


def _initials(core: str) -> Iterator[_Name]:
    words = core.replace("-", " ").split()
    first = "".join(word[0] for word in words if word.lower() not in _SMALL and word[0].isupper())
    forms = []
    if len(first) >= 3:
        forms.append(re.escape(first))
    if len(words) == 3 and words[1].lower() in ("&", "and") and len(first) == 2:
        forms.append(rf"{first[0]} ?(?:&|and|\+) ?{first[1]}")
    for form in forms:
        pattern = re.compile(rf"(?<![\w@])(?P<core>{form})(?P<form>)(?!\w|@)")
        yield _Name(core=first, pattern=pattern, ordinary=False)


def _without_names(text: str, names: Sequence[_Name]) -> str:
    """
    Return *text* with ``_`` for every name in it.
    """
    for name in names:
        given = text

        def put(match: re.Match[str], name: _Name = name, given: str = given) -> str:
            return "_" if name.is_in(given, match) else match[0]

        text = name.pattern.sub(put, text)
    return text


def _of_channels(shown: str, channels: Sequence[Channel]) -> Iterator[WordingFinding]:
    offered = _OTHER_ROLE.sub(" ", shown)
    for channel in channels:
        named = _CHANNELS[channel].search(offered) is not None
        if not named and channel in _IMPLIED:
            named = _IMPLIED[channel].search(offered) is not None and not any(
                other.search(offered) for other in _CHANNELS.values()
            )
        if not named:
            yield WordingFinding(code=WordingFlaw.NO_CHANNEL, channel=channel)


def _is_read(question: str, language: str) -> bool:
    """
    Whether a text is judged: it is said to be English and not plainly something else, or it is plainly English.
    """
    words = [word.replace("'", "") for word in _WORD.findall(question.lower())]
    some = not _RATHER_ENGLISH.isdisjoint(words)
    if language.partition("-")[0].lower() == "en":
        return some or len(words) < _LONG
    english = [word for word in words if word in _ENGLISH]
    if len(set(english)) >= 2 and 10 * len(english) >= 3 * len(words):
        return True
    return some and 10 * sum(word in _COMMON for word in words) >= 7 * len(words)


def _is_about_another(question: str, purpose: Purpose, others: Sequence[Purpose]) -> bool:
    """
    Whether the words are plainly about one of the *others*: they share a word with its title, and none with that of
    *purpose*, not even one for the same thing. How to withdraw is not what they are about.
    """
    own = _with_alike(_topics(purpose.title))
    if not own or _WHATEVER.search(question) or _topics(question) & own:
        return False
    sentences = [part for part in _SENTENCE_ENDS.split(question) if not _WITHDRAWALS.search(part)]
    about = _topics(". ".join(sentences))
    return any(about & _topics(other.title) for other in others)


def _with_alike(stems: frozenset[str]) -> frozenset[str]:
    return stems.union(*(group for group in _ALIKE if group & stems))


def _topics(text: str) -> frozenset[str]:
    """
    Return the stems of the words in *text* that say what it is about.
    """
    words = (word.removesuffix("'s") for word in _WORD.findall(_plain(text).lower()))
    return frozenset(_stem(word) for word in words if len(word) > 2 and word not in _GENERIC)


def _stem(word: str) -> str:
    for endings in (("ies", "es", "s"), ("ing", "ed"), ("y", "e")):
        for ending in endings:
            if word.endswith(ending) and len(word) - len(ending) >= 3 and not (ending == "s" and word.endswith("ss")):
                word = word.removesuffix(ending)
                break
    return word


_ALIKE: Final = tuple(_topics(group) for group in _KNOWN.topics.alike)


def _of_third_parties(text: str, form: Form | None) -> Iterator[WordingFinding]:
    lists = form is not None and bool(form.partners)
    for match in _PARTIES.finditer(text):
        if not (lists and _LISTED_AFTER.match(text, match.end())) and not _is_topic(text, match):
            yield WordingFinding(code=WordingFlaw.UNNAMED_THIRD_PARTIES, excerpt=match[0])
    for sign in _JOINED:
        for match in sign.finditer(text):
            # A name has a capital somewhere.
            unnamed = match["who"].islower() and not _OWN.search(match["who"])
            if unnamed and not (lists and _LISTED_AFTER.search(match[0])):
                yield WordingFinding(code=WordingFlaw.UNNAMED_THIRD_PARTIES, excerpt=match[0])


def _is_topic(text: str, match: re.Match[str]) -> bool:
    """
    Whether others are only what the messages are about, as in "about volunteering with other charities".
    """
    sentence = re.split(r"[.!?;]", text[: match.start()])[-1]
    about = [found.end() for found in _ABOUT.finditer(sentence)]
    return bool(about) and not _PASSED.search(sentence[about[-1] :])


def _of_statements(question: str, yes: str, found: Sequence[WordingFinding]) -> Iterator[WordingFinding]:
    """
    Find a wording that states what will be sent and asks for nothing. A box beside a notice is not an answer to it.
    """
    taken = {WordingFlaw.SILENCE, WordingFlaw.OPT_OUT, WordingFlaw.PRE_TICKED, WordingFlaw.CONDITION}
    if taken & {finding.code for finding in found}:
        return
    match = _STATEMENTS.search(question)
    if match is not None and not _ASKS.search(question) and not _ASKS.search(yes.replace("Yes", "")):
        yield WordingFinding(code=WordingFlaw.SILENCE, excerpt=match[0].strip(" .!?;"))


def _of_words(question: str, yes: str, no: str) -> Iterator[WordingFinding]:
    for flaw, signs in _SIGNS.items():
        # "No, I do not want that" is a fair answer. What can be wrong with a no is that it shames.
        for part in (no,) if flaw is WordingFlaw.SHAMING else (question, yes):
            for match in signs.finditer(part):
                if flaw not in _DENIABLE or not _is_denied(part, match):
                    yield WordingFinding(code=flaw, excerpt=match[0])
                    break


def _is_denied(text: str, match: re.Match[str]) -> bool:
    """
    Whether the clause in front of the match says that it is not so, as in "no box is ticked by default".
    """
    before = text[max(0, match.start() - _CLAUSE) : match.start()]
    return _DENIALS.search(_CLAUSE_ENDS.split(before)[-1]) is not None


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
