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
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import attrs

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
        return _MEANINGS[self.code].severity

    @property
    def explanation(self) -> str:
        """
        What is wrong, in a sentence for people.
        """
        return _MEANINGS[self.code].explanation

    @property
    def source(self) -> str:
        """
        The case or the guidance it comes from, with its address. Empty for `WordingFlaw.NOT_CHECKED`.
        """
        return _MEANINGS[self.code].source

    def __str__(self) -> str:
        about = f" [{self.channel}]" if self.channel else ""
        shown = f" “{self.excerpt}”" if self.excerpt else ""
        return f"{self.severity}: {self.explanation}{about}{shown}"


@attrs.frozen
class _Meaning:
    severity: Severity
    explanation: str
    source: str


_ICO_CONSENT: Final = (
    "ICO, How should we obtain, record and manage consent?, https://cy.ico.org.uk/for-organisations/"
    "uk-gdpr-guidance-and-resources/lawful-basis/consent/how-should-we-obtain-record-and-manage-consent"
)
_ICO_CHECKLIST: Final = (
    "ICO, Direct marketing checklist, https://cy.ico.org.uk/for-organisations/advice-for-small-organisations/"
    "checklists/data-protection-self-assessment/direct-marketing-checklist"
)
_HELLOFRESH: Final = (
    "ICO, HelloFresh (January 2024), https://www.gordonsllp.com/"
    "privacy-data-in-marketing-ico-fine-for-invalid-consent-highlights-the-importance-of-lawful-consent-mechanisms/"
)
_TRIBOO: Final = (
    "Join the Triboo v ICO [2024] UKFTT 362 (GRC), https://caselaw.nationalarchives.gov.uk/ukftt/grc/2024/362"
)
_HARMFUL_DESIGN: Final = (
    "ICO and CMA, Harmful design in digital markets (August 2023), https://www.technologylawdispatch.com/2023/08/"
    "regulatory/the-entangled-web-of-deceptive-design-ico-and-cma-investigate-harmful-website-practices/"
)

_MEANINGS: Final = {
    WordingFlaw.NO_ORGANISATION: _Meaning(
        Severity.INVALIDATING, "The question does not name the organisation that would rely on the consent.", _TRIBOO
    ),
    WordingFlaw.NO_CHANNEL: _Meaning(
        Severity.INVALIDATING,
        "The question does not name the channel, and consent to one kind of message is not consent to another.",
        _HELLOFRESH,
    ),
    WordingFlaw.UNNAMED_THIRD_PARTIES: _Meaning(
        Severity.INVALIDATING,
        "It speaks of others that would rely on the consent and does not name them; a category is not enough.",
        "ICO, The Money Hive (February 2022), https://gdprhub.eu/index.php?title=ICO_(UK)_-_The_Money_Hive_Limited",
    ),
    WordingFlaw.BUNDLED: _Meaning(
        Severity.INVALIDATING,
        "The same yes also accepts terms, confirms an age or does something else; consent has to stand by itself.",
        _HELLOFRESH,
    ),
    WordingFlaw.CONDITION: _Meaning(
        Severity.INVALIDATING,
        "Consent is a condition of the service, the sale or the quote, and so is not freely given.",
        "ICO, Tempcover (February 2022), https://gdprhub.eu/index.php?title=ICO_(UK)_-_Tempcover_Ltd",
    ),
    WordingFlaw.SILENCE: _Meaning(
        Severity.INVALIDATING,
        "Silence, or doing something else, is taken for a yes; registering is not consenting.",
        "ICO on Join the Triboo (May 2024), https://cy.ico.org.uk/about-the-ico/media-centre/news-and-blogs/2024/05/"
        "first-tier-tribunal-ruling-on-join-the-triboo-appeal/",
    ),
    WordingFlaw.OPT_OUT: _Meaning(
        Severity.INVALIDATING,
        "The person is to act in order to refuse; whoever does nothing has not consented.",
        _ICO_CHECKLIST,
    ),
    WordingFlaw.PRE_TICKED: _Meaning(
        Severity.INVALIDATING,
        "The box is ticked beforehand; that is neither consent nor a simple way to refuse.",
        "ICO on Allay Claims (January 2026), https://www.lawgazette.co.uk/news/"
        "claims-firm-fined-120000-for-sending-millions-of-unsolicited-texts/5125729.article",
    ),
    WordingFlaw.PARTNERS_WITHOUT_CHOICE: _Meaning(
        Severity.INVALIDATING,
        "One yes is meant to cover other organisations that cannot be chosen one by one.",
        "ICO, ZMLUK (January 2026), https://solicitornews.co.uk/nuisance-marketing-fines-225000",
    ),
    WordingFlaw.NO_WITHDRAWAL: _Meaning(
        Severity.WEAK, "It does not say that the person can change their mind at any time.", _ICO_CONSENT
    ),
    WordingFlaw.NO_REFUSAL: _Meaning(
        Severity.WEAK, "A no is harder to give, or harder to see, than a yes.", _HARMFUL_DESIGN
    ),
    WordingFlaw.ALL_OR_NOTHING: _Meaning(
        Severity.WEAK, "Several channels or purposes can only be had together or not at all.", _ICO_CHECKLIST
    ),
    WordingFlaw.DOUBLE_NEGATIVE: _Meaning(
        Severity.WEAK, "Two negatives leave it unclear what a yes would mean.", _ICO_CONSENT
    ),
    WordingFlaw.VAGUE: _Meaning(
        Severity.WEAK, "It is so general that nobody can tell what they would be sent.", _TRIBOO
    ),
    WordingFlaw.DISGUISED: _Meaning(
        Severity.WEAK,
        "Marketing is called a service message or an update, which does not make it one.",
        "ICO, Halfords (September 2022), https://lewissilkin.com/en/insights/a-service-email-on-your-bike-says-the-ico",
    ),
    WordingFlaw.INCENTIVE: _Meaning(
        Severity.WEAK, "A gift, a prize or a price is held out for a yes.", _HELLOFRESH
    ),
    WordingFlaw.SHAMING: _Meaning(
        Severity.WEAK, "Whoever says no is made to look foolish.", _HARMFUL_DESIGN
    ),
    WordingFlaw.NOT_CHECKED: _Meaning(
        Severity.WEAK, "The wording is not in English, and only its organisation and its form were checked.", ""
    ),
}  # fmt: skip

# ---- what the words are recognised by

# What stands between two words of one thought: no end of a sentence, and not too far.
_NEAR: Final = r"[^.!?;]{0,60}?"
_SAME_SENTENCE: Final = r"[^.!?;]{0,120}"
_DO_NOT: Final = r"(?:do not|don't|would prefer not|would rather not|'d prefer not|'d rather not)"
_TELL_US: Final = r"(?:let us know|tell us|contact us|email us|write to us|call us)"
_ANY_MORE: Final = r"\b(?:any ?more|any longer|again|later|in (?:the )?future)\b"
_YES: Final = r"(?:agree|consent|are happy|accept|opt in|give (?:us )?(?:your )?(?:permission|consent))"

_NAMED: Final = {
    Channel.EMAIL: r"\be-?mail",
    Channel.SMS: r"\btexts?\b(?! (?:above|below|box))|\btext[- ]messag|\bsms\b",
    Channel.MMS: r"\bpicture messag|\bmultimedia messag|\bmms\b",
    Channel.VOICEMAIL: r"\bvoice ?mail|\bvoice messag",
    Channel.SOCIAL_DM: r"\bdirect messag|\bdms?\b|\bprivate messag",
    Channel.IN_APP: r"\bin(?: the| our|-) ?app\b",
    Channel.PUSH: r"\bpush\b|\bnotifications?\b",
    Channel.LIVE_CALL: r"\b(?:tele)?phon(?:e|ing)\b(?! number)|\bcall(?:s|ing)?\b(?! you with recorded)|\bring you\b",
    Channel.AUTOMATED_CALL: r"\b(?:recorded|automated|automatic) (?:\w+ )?(?:messag|call)",
    Channel.FAX: r"\bfax",
    Channel.POST: r"\bpost\b(?! ?code)|\bpostal\b|\bletters?\b|(?<!voice )(?<![\w-])mail\b(?! order)",
}

_WITHDRAWAL: Final = (
    r"\bchange your mind|\bchange (?:this|these|it|how|your (?:answer|choice|preference)s?)\b|\bwithdraw|\bunsubscrib"
    r"|\bopt(?:ing)?[- ]?out\b|\bstop\b|\bun-?tick (?:it|this|the box) (?:later|at any time|whenever)"
)

# A promise not to pass anything on mentions others without meaning to share with them.
_REASSURANCE: Final = (
    r"\b(?:never|not|won't|don't|nor)(?: ever| under any circumstances)? "
    r"(?:share|sell|pass|give|rent|lend|disclose|trade|swap)\b"
    r"(?:(?!\b(?:but|except|unless|other than|apart from)\b)[^.!?;])*"
)
_OTHERS: Final = (
    r"(?:partners?|sponsors?|affiliates?|advertisers|lenders|compan(?:y|ies)|organi[sz]ations|charities|businesses)"
)
_THIRD_PARTIES: Final = (
    r"\b(?:(?:(?:carefully|hand) ?-?)?(?:selected|chosen|picked)|trusted|relevant|approved|associated|affiliated"
    rf"|similar|like-minded|other|reputable|preferred|commercial|marketing|third[- ]party) (?:\w+ )?{_OTHERS}\b"
    r"|\b(?:third|3rd)[- ]part(?:y|ies)\b"
    r"|\b(?:our|its|their|the|and|or) (?:partners|sponsors|affiliates|advertisers|associates|subsidiaries)\b"
    rf"|\b(?:range|panel|network|number|selection|variety|family) of (?:\w+ )?{_OTHERS}\b"
    rf"|\b{_OTHERS} (?:that |which |who )?(?:we |are )(?:have )?(?:\w+ )?"
    r"(?:selected|chosen|trust|work with|think|believe)\b|\band others\b"
    r"|\bgroup (?:of )?(?:companies|members|businesses)\b|\bsister companies\b"
    r"|\b(?:companies|members|businesses) (?:in|within|of) (?:our|the|its) (?:\w+ )?group\b"
    r"|\band (?:the rest of )?(?:our|its|the) (?:wider |corporate )?group\b"
)
_LISTED: Final = r",?(?: (?:that|which|who) are)? (?:named|listed|shown|you (?:choose|pick|tick))\b"

# Saying yes is an act of consent; these are acts of another kind that a consent is hung on to.
_ANOTHER_ACT: Final = (
    r"\bby (?:(?:signing (?:up|in)|joining)\b(?! (?:\w+ ){0,4}(?:newsletter|emails|texts|news|offers|list)\b)"
    r"|registering|submitting|entering|continuing|creating|completing|providing|using|downloading|placing|ordering|purchasing"
    r"|buying|booking|visiting|proceeding|participating|requesting|giving us|closing|scrolling|checking out"
    r"|(?:clicking|pressing)(?! (?:on )?[\"']?(?:yes|i agree|agree|opt in|subscribe)\b))"
)
_SERVICE: Final = (
    r"(?:use|enter|order|register|provide|process|continue|proceed|complete|quote|buy|take part|open|join|access|offer"
    r"|give)"
)

_SIGNS: Final = {
    WordingFlaw.BUNDLED: (
        rf"\b(?:agree|accept|have read)\b{_NEAR}\b(?:terms|conditions|t ?& ?cs?|privacy (?:policy|notice)|rules)\b"
        rf"|\b(?:confirm|declare|certify)\b{_NEAR}\b(?:over|aged|at least|legal age|1[68])\b"
    ),
    WordingFlaw.CONDITION: (
        rf"(?<!not )(?<!n't )(?<!never )\b(?:must|need to|have to|required to) (?:\w+ )?{_YES}\b"
        rf"|\byou (?:can only|cannot|can't|will not be able to|won't be able to) {_SERVICE}\b{_NEAR}"
        r"\b(?:if|unless|without)\b"
        rf"|\bwe (?:cannot|can't|can only|are unable to) {_SERVICE}\b{_NEAR}\b(?:if|unless|without)\b"
        r"|(?<!not a )(?<!never a )(?<!n't a )\bcondition of\b"
        r"|\b(?:consent|agreement) is (?:required|needed|necessary|mandatory)\b"
        rf"|\bonly\b{_NEAR}\b(?:available|open|offered)\b{_NEAR}\b{_YES}\b"
        rf"|\b{_YES}\b{_NEAR}\bto (?:continue|proceed)\b(?! (?:to|hear|receiv|gett))"
        rf"|\bin order to (?:continue|proceed|complete|enter|get your|receive your)\b{_NEAR}\b{_YES}\b"
    ),
    WordingFlaw.SILENCE: (
        rf"{_ANOTHER_ACT}{_NEAR}\b(?:you|i|we)(?: will|'ll| are|'re)? (?:\w+ )?"
        rf"(?:{_YES}|agreeing|consenting|giving|allow|authori[sz]e)\b"
        rf"|\b(?:submitting|registering|signing up|continuing|continued use|using|use of)\b{_NEAR}"
        r"\b(?:means|signifies|indicates|constitutes|counts)\b"
        r"|\bautomatically (?:be )?(?:opted|signed|subscribed|enrolled|added)\b|\bopted in by default\b"
        rf"|\b{_YES}\b{_NEAR}{_ANOTHER_ACT}"
        r"|\bif (?:we|you) (?:do not|don't|have not|haven't) (?:\w+ ){0,2}"
        rf"(?:tick|opt|object|tell|reply|respond|answer|hear|heard|say|said|let us)\b{_NEAR}"
        r"\b(?:we|_)(?: will| shall|'ll| may) (?:assume|presume|take (?:it|this)|treat|consider|regard"
        r"|(?:send|contact|email|call|text|write to) you"
        r"|(?:continue|keep|carry on) (?:sending|to send|contacting|to contact|emailing|writing|calling|texting))"
        r"|(?<!not )(?<!n't )(?<!never )\b(?:assume|presume) (?:that )?(?:you|it|this)\b"
        r"|\bno (?:reply|response|answer)\b[^.!?;]{0,30}?\b(?:means|counts|is taken|will be taken)\b"
        r"|\b(?:deemed|taken) to (?:have )?(?:agreed?|consent|accept)"
        # "Unless you object we write" takes silence for a yes; "we do not write unless you agree" does the opposite.
        r"|(?:^|(?<=[.!?;] ))(?:(?!\b(?:not|never|nothing|no|only|nobody)\b|n't\b)[^.!?;])*\bunless (?:you|we hear|i)\b"
        r"(?! (?:have )?(?:withdraw|change))"
        rf"(?!{_SAME_SENTENCE}(?:\bwill not\b|\bdo not (?:send|contact|write)\b|\bwon't\b|\bnever\b|\bnothing\b))"
    ),
    WordingFlaw.OPT_OUT: (
        rf"\b(?:un-?tick|un-?check|de-?select)\b{_NEAR}\b(?:if|to|unless)\b"
        rf"|\b(?:tick|check|select|cross|mark|click)\b{_NEAR}\b(?:if|where|should) (?:you|i) ?(?:\w+ )?{_DO_NOT}\b"
        rf"|\b(?:tick|check|cross|mark)\b{_NEAR}\bto (?:opt[- ]?out|object|decline|refuse|stop)\b"
        rf"|\bif (?:you|i) ?{_DO_NOT}\b(?! (?:tick|check|cross|mark|click|select)\b){_NEAR}"
        r"\b(?:(?:un-?)?tick|check|cross|mark|(?:click|select) (?:here|this box))\b"
        # "If you do not want these any more, tell us" is how one withdraws.
        rf"|\bif (?:you|i) ?{_DO_NOT}\b(?!{_SAME_SENTENCE}{_ANY_MORE}){_NEAR}\b{_TELL_US}"
        rf"|\b{_TELL_US}\b{_NEAR}\bif (?:you|i) ?{_DO_NOT}\b(?!{_SAME_SENTENCE}{_ANY_MORE})"
        rf"|\bi ?{_DO_NOT} (?:to )?(?:wish|want|like|be|get|hear|receive)\b"
        r"|\bleave\b[^.!?;]{0,30}?\b(?:ticked|checked|un-?ticked if you(?:'d| would)? (?:like|want|love))\b"
    ),
    WordingFlaw.DOUBLE_NEGATIVE: (
        rf"\b(?:un-?tick|un-?check|de-?select|(?<!you )(?:do not|don't) (?:tick|check|select|click))\b{_NEAR}"
        r"(?:\bnot\b|n't\b|\bnever\b|\bopt[- ]?out\b)"
        r"|\bi (?:do not|don't) (?:object|mind)\b"
        r"|(?:\bnot|n't) (?:\w+ ){0,3}?(?:not to|to not|not be|not receive|(?:to )?opt[- ]?out|to unsubscribe"
        r"|be excluded|be removed|to stop (?:receiving|hearing|getting))\b"
    ),
    WordingFlaw.VAGUE: (
        r"\bmarketing (?:activit|purpose|communication|material)|\bwe think you\b"
        r"|\b(?:anything|other things|information|content|products|services|offers)\b[^.!?;]{0,30}?"
        r"\b(?:may|might|could) (?:be of interest|interest you|be relevant)"
    ),
    WordingFlaw.DISGUISED: (
        r"\bservice (?:messages?|emails?|updates?|communications?)\b"
        r"|\bimportant (?:account )?(?:updates?|information)\b"
        r"|\bupdates? (?:on|about|to|regarding) (?:your|my) (?:claim|account|order|application|case|policy)\b"
    ),
    WordingFlaw.INCENTIVE: (
        r"\b(?:sample|free|welcome|surprise|mystery) gifts?\b|\bprize draw\b|\bchance (?:to win|of winning)\b"
        r"|\b(?:say(?:ing)? yes|opt(?:ing)? in|sign(?:ing)? up|tick(?:ing)?|subscrib\w+|agree\w*|join\w*"
        r"|enter your (?:email|number|details))\b"
        rf"{_NEAR}(?:\b(?:get|receive|claim|unlock|enjoy|earn|save|win)\b"
        r"[^.!?;]{0,20}?(?:\d+ ?%|£ ?\d|\bfree\b|\bdiscount|\bvoucher|\bpoints)|\bin (?:return|exchange) for\b)"
    ),
    WordingFlaw.SHAMING: (
        r"\bmiss(?:ing)? out\b|\b(?:pay|paying|spend|spending)\b|\bhate\b"
        r"|\b(?:don't|do not) (?:care|like (?:saving|discounts|bargains|money)|need|want to (?:save|help))\b"
        r"|\bnot interested in (?:saving|helping)"
    ),
}  # fmt: skip


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_CHANNELS: Final = {channel: _compiled(pattern) for channel, pattern in _NAMED.items()}
_RECOGNISED: Final = {flaw: _compiled(pattern) for flaw, pattern in _SIGNS.items()}
_WITHDRAWALS, _REASSURANCES = _compiled(_WITHDRAWAL), _compiled(_REASSURANCE)
_PARTIES, _LISTED_AFTER = _compiled(_THIRD_PARTIES), _compiled(_LISTED)

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
    for flaw, signs in _RECOGNISED.items():
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
