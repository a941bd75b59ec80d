"""
What a person means by a reply to a message: stop, yes, no, a number, start, help, or something else. Pure.

Two of these are read in opposite ways. A **stop** is read widely: wherever there is a clear word or phrase for it, and
whatever is beside it. A **yes** is read narrowly: only when the whole message is one. To miss a stop is a breach of the
law; to see one that is not there costs messages that the person can ask for again. Anything else is `Other`, for a
person to read. English and Welsh are recognised, and the keywords that providers publish.

Source: the keywords of Twilio, https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out, and of AWS,
https://docs.aws.amazon.com/sms-voice/latest/userguide/keywords-required.html (both read 2026-11-23).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, TypeAlias

import attrs

# How many characters of a message are read. In a longer one only a stop is recognised: the rest might change a yes.
LIMIT: Final = 10_000

# The highest number that is recognised as an option.
MOST_OPTIONS: Final = 20


@attrs.frozen
class Stops:
    """
    The person wants no more messages. Wins over everything else in the same message.
    """


@attrs.frozen
class Says:
    """
    The whole message is a yes or a no. It answers the open question; without one it means nothing.
    """

    yes: bool


@attrs.frozen
class Picks:
    """
    The whole message is one or more numbers of options.

    Attributes:
        numbers: From 1 to `MOST_OPTIONS`, each once, in the order given. The caller checks whether there are such
            options.
    """

    numbers: tuple[int, ...]


@attrs.frozen
class Starts:
    """
    The whole message is a keyword that lifts the provider's block. It grants nothing.
    """


@attrs.frozen
class Asks:
    """
    The whole message asks for help, or asks who sent the message.
    """


@attrs.frozen
class Other:
    """
    Anything else, including an empty message.
    """


Reply: TypeAlias = Stops | Says | Picks | Starts | Asks | Other


def read_reply(text: str) -> Reply:
    """
    Return what a reply means.

    Raises nothing, whatever the text contains. Takes time in proportion to its length, up to `LIMIT`.

    Args:
        text: What the person wrote, without quoted text: our own words would be read as theirs.
    """
    text = text.lstrip()
    read = _plain(text[:LIMIT])
    if _REACTION.fullmatch(read.strip()):
        return Other()  # it repeats our message, including "reply STOP"
    if _stops(read):
        return Stops()
    if len(text) > LIMIT:
        return Other()
    return _whole(read)


# ---- words

_DROPPED: Final = frozenset({"Mn", "Me", "Cf", "Cc"})  # accents, variation selectors, zero-width characters, controls
_UNSEEN: Final = re.compile("['*‘’ʼ`´＇]")  # don't, f***, *stop*
_STOP_SIGN: Final = "\N{OCTAGONAL SIGN}"
_WORD: Final = re.compile(r"[^\W_]+|\n|[^\w\s-]")
_SPELT: Final = re.compile(r"(?<![^\W_])[^\W\d_](?:[\s._-]{1,3}[^\W\d_](?![^\W_])){2,}")  # s t o p, s.t.o.p


def _plain(text: str) -> str:
    """
    Return *text* in lower case, without accents and apostrophes, each letter in its plainest form.
    """
    seen = _UNSEEN.sub("", text).replace(_STOP_SIGN, " stop ").replace("❓", "?")
    plain = unicodedata.normalize("NFKD", seen)
    return "".join(c for c in plain if c.isspace() or unicodedata.category(c) not in _DROPPED).casefold()


def _words(plain: str) -> str:
    """
    Return the words with one space between them. Line breaks stay, and everything else becomes a full stop.
    """
    return " ".join(word if word.isalnum() or word == "\n" else "." for word in _WORD.findall(plain))


def _any(*patterns: str) -> str:
    return "(?:" + "|".join(patterns) + ")"


_COURTESY: Final = re.compile(
    r"\b(?:please|pls|plz|plse|plis|many thanks|thanks|thank ?you|thank u|thx|ta|cheers|os gwelwch yn dda)\b"
)
# A phone's reaction to a message arrives as a text that quotes it. A stop sign has been replaced by a word before this.
_REACTION: Final = re.compile(
    r"(?:(?:loved|liked|disliked|laughed at|emphasi[sz]ed|questioned|removed an? [\w ]{1,20} from)"
    r"|(?:reacted)?[^\w\n]{1,20}to)\s+[^\w\s“\"]*(?:“[^“”]*”|\"[^\"]*\")"
)

# ---- stop

_STOP: Final = _any(
    r"s+t+o+p+\d{0,6}",
    "stop(?:all|it|now|please|pls|plz|thanks|me|this|that|these|texts?|texting|txts?|messages?|messaging|msgs?|sms|spam)",
    "sotp|stpo|tsop|st0p|5top",
    r"un ?s\w{0,6}(?:rib|crb|cib)\w*|un ?subs?",
    "(?:opt|otp)(?:ing|ed)?(?: me| us)? ?outs?",
    "arret(?:ez)?",
    "stopi(?:o|a|wch)",
    r"d?da[dt] ?danysgrif\w*",
    "opt(?:io|iwch|ia)(?: fi| ni)? allan",
)
# These mean a stop at the beginning, or where nothing else is said. Elsewhere they are ordinary words.
_WEAK: Final = _any(
    "end|cancel|quit|revoke|remove|delete|cease|desist|discontinue|terminate|halt",
    "canslo|canslwch|gorffen|gorffennwch|diwedd",
)
_POLITE: Final = _any("please|pls|plz|plse|plis|kindly|just|sorry|hi|hello|hey|hiya|helo", r"\.", "\n")
_FILLER: Final = _any(
    "please|pls|plz|plse|thanks|thank you|thank u|thx|ta|cheers|sorry|just|now|asap|immediately|at once|ok|okay|yes|no",
    "it|this|that|these|those|them|all|everything|me|and|ever|forever|again|any ?more",
    "(?:i |we )?(?:want|wish|need) to|(?:i|we) would like to|id like to|(?:can|could|would|will) (?:you|u|i)",
    "plis|diolch|os gwelwch yn dda|nawr|rwan",
)
_MESSAGES: Final = _any(
    "texts?|txts?|texting|messages?|messaging|msgs?|mesages?|sms|emails?|e mails?|mails?|mailings?",
    "calls?|calling|spam|marketing|junk|ads?|adverts?|advertising|offers|promos?|promotions?|newsletters?",
    "notifications?|alerts?|communications?|correspondence|subscriptions?|contact",
)
_WHICH: Final = _any(
    "all|any|my|your|ur|the|these|those|this|that|such|further|future|more|other|of|from|me|us|to|be|being|get|getting",
    "have|keep|receive|receiving|hear|hearing|sent|sending|marketing|promotional|direct|text|stupid|bloody|fucking",
)
_SELF: Final = _any("me|us", "my (?:number|name|details|data|email|e mail|phone|mobile|contact|info|account)",
                    "(?:this|the) (?:number|phone|mobile|email)")  # fmt: skip
_LIST: Final = _any("lists?|database|system|records|mailing")
_DO_NOT: Final = r"(?<!\bi )(?<!\bwe )(?<!\bthey )(?:do ?not|dont|dnt|never|not to|no longer)(?: ever| please| you| u)?"

_CLEAR: Final = (
    _STOP,
    # do not contact me
    rf"{_DO_NOT} (?:text|txt|texting|message|messaging|msg|sms|contact|contacting|bother|spam|disturb|pester|harass)",
    rf"{_DO_NOT} (?:call|ring|phone|email|e mail|mail|write|send)(?: to)?"
    rf"(?: me| us| any| these| those| this| them| more| anything| again| {_MESSAGES}|(?= \.|$))",
    r"not (?:want |wish )?to be (?:contacted|texted|messaged|called|emailed|marketed|bothered)",
    # I do not want these messages
    rf"(?:do not|dont|no longer|never|did not|didnt) (?:really |actually )?(?:want|wanted|wish|wanna|need|like)"
    rf"(?: {_WHICH})* (?:{_MESSAGES}|contacted|texted|messaged|bothered|called|emailed|anything from|from you)",
    r"(?:do not|dont|no longer) (?:want|wish)(?: to (?:have|get|receive))? (?:this|these|those|them)"
    r"(?: any ?more| please| thanks)?(?= \.|$)",
    rf"no more (?:{_WHICH} )*{_MESSAGES}",
    r"(?:never|did not|didnt) (?:sign(?:ed)? up|subscribed?|opt(?:ed)? in)",
    r"(?:never|did not|didnt|do not|dont|have not|havent) consent(?:ed)?",
    r"(?:never|did not|didnt) (?:ask(?:ed)? for|agreed? to|request(?:ed)?) (?:this|these|them|any of|your|"
    + _MESSAGES
    + ")",
    r"(?:never|did not|didnt) (?:give|gave) (?:you |u )?(?:my |any )?(?:consent|permission)",
    rf"(?:withdraw|withdrawing|revoke|remove|cancel) (?:{_WHICH} )*(?:consent|permission)",
    r"i (?:hereby |strongly |do )?object|object to (?:direct )?marketing",
    rf"(?:cease|discontinue|terminate|quit|end|cancel|halt|desist|block) (?:{_WHICH} )*"
    rf"(?:{_MESSAGES}|sending|contacting|emailing|bothering|spamming|harassing|pestering)",
    r"cease and desist",
    r"(?:want|need|like|get|be)(?: \w+){0,3} stopped",
    # take me off your list
    rf"(?:take|get|strike|cross) {_SELF} (?:off|out of|from your)",
    rf"off (?:of )?(?:this|that|your|ur|the|all|any) (?:\w+ ){{0,2}}{_LIST}",
    rf"(?:remove|delete|erase|unlist) {_SELF}",
    rf"removed? from (?:\w+ ){{0,3}}{_LIST}",
    r"(?:to|i|we) be (?:removed|taken off|deleted)",
    r"(?:lose|forget) (?:my|this) (?:number|details)",
    r"block(?:ed|ing)? (?:me|you|u|(?:this|your|ur|my) number)",
    # leave me alone
    r"leave (?:me|us) (?:alone|be|out)",
    r"(?:fuck|f|fck|fk|eff|piss|bugger|sod|naff|bog) off|fuck (?:you|u)",
    r"wrong (?:number|num|nmbr|numbr|no|person|guy|recipient)(?! of\b)",
    # the same in Welsh
    r"(?:peidiwch|peidio|paid)(?: byth)?(?: a| ag)? (?:anfon|danfon|hala|gyrru|(?:c|ch|g)ysylltu|th?ecstio|negeseuo|"
    r"ff?onio|ph?oeni|e ?bostio|trafferthu)",
    r"dim (?:mwy|rhagor) (?:o )?(?:negeseuon|negesau|tecsts?|tecstiau|destunau|hyn|e ?byst|sbam)",
    r"ddim (?:eisiau|isio|moyn|am)(?: (?:cael|derbyn|mwy|rhagor|o|y|yr|eich|dy|unrhyw))* "
    r"(?:negeseuon|negesau|tecsts?|tecstiau|hyn|rhain|e ?byst|clywed|chi)",
    r"(?:tynn(?:wch|a|u)|dile(?:wch|a|u)) (?:fi|ni|fy (?:enw|rhif|manylion|e ?bost))",
    r"oddi ar (?:(?:y|eich|ych|dy) )?rhestr",
    r"(?:gadewch|gad) (?:lonydd|(?:i )?(?:fi|ni) (?:fod|lonydd|mewn heddwch))",
    r"(?:rhif|person) (?:anghywir|rong)",
)
_ALONE: Final = _any(
    _WEAK,
    r"no more",
    rf"no (?:{_WHICH} )*{_MESSAGES}",
    "block|blocked|go away|get lost|shut up|get stuffed|jog on|peidiwch",
    "dim (?:mwy|rhagor)",
    "dim (?:negeseuon|tecsts?|tecstiau)",
)

# Typing errors that are only accepted as a whole message, and words that were split.
_SLIPS: Final = re.compile(
    "stop|stopall|unsubscribe|optout|td|stp|sto|stpp|stip|stio|stoo|stol|stopo|srop|syop|sgop|dtop|atop|ztop|xtop"
)

# Uses of the word that do not ask for anything to stop. Each is within one clause and one line.
_HARMLESS: Final = _any(
    "un stop",
    # don't stop; but not: you don't stop, these texts won't stop
    r"(?<!\byou )(?<!\bu )(?<!\bit )(?<!\bthey )(?<!\bthis )(?<!\bthat )(?<!\bthese )(?<!\bthose )"
    r"(?<!\btexts )(?<!\bmessages )(?<!\bstill )"
    r"(?:do not|dont|does not|doesnt|never|will not|wont|would not|wouldnt|did not|didnt|no need to)(?: ever)? stop",
    # can't stop laughing; but not: can't stop these texts
    r"(?:cannot|can not|cant|could not|couldnt|methu) stop(?:io)?"
    rf"(?= (?!{_any(_WHICH, _MESSAGES, 'you|u|it|them|coming')}\b)\w)",
    r"(?:bus|tram|train|tube|coach|metro|truck|pit|rest|full|non|one|next|last|first|short) stop",
    r"(?:a|the|each|every) stop(?! (?:to|link|button|word|code|option|message|text|request|reply|now|please))",
    r"stop (?:bws|bysiau)",
    r"(?:peidiwch|peidio|paid) (?:a |ag )?stopio",
    # I'll stop by; we could stop at the shop
    r"(?:(?:i|we) (?:will|can|could|may|might|shall|should|would|want to|need to|have to|had to)|i|we|ill|well"
    r"|going to|gonna) stop (?:by|in|off|over|round|outside|near|at)(?! (?:once|any|future|the future)\b)",
    r"stop (?:laughing|crying|smiling|smoking|drinking|dancing|singing|raining|snowing|dreaming)",
    # don't remove me from your list
    rf"(?:do not|dont|never) (?:remove|delete|take|unsub\w*|opt|cancel|block)(?: (?!{_STOP}\b)\w+){{0,4}}",
)

# Large, so compiled for the first reply and not while the library is imported.
_FIRST: Final = rf"(?:{_POLITE} )*{_any(_STOP, _WEAK)}\b"
_ANYWHERE: Final = rf"\b{_any(*_CLEAR)}\b"
_BY_ITSELF: Final = rf"(?:^|\. )(?:{_FILLER} )*{_ALONE}(?: {_FILLER})*(?= \.|$)"
_SET_ASIDE: Final = rf"\b{_HARMLESS}\b"


def _stops(plain: str) -> bool:
    """
    Return whether there is a clear stop.
    """
    said = _words(_SPELT.sub(_joined, plain))
    if re.match(_FIRST, said) or _SLIPS.fullmatch(re.sub(r"[\s.]", "", _COURTESY.sub("", said))):
        return True
    # A phrase may run across lines. Words that make a stop harmless may not.
    left = " ".join(re.sub(_SET_ASIDE, ".", said).split())
    return bool(re.search(_ANYWHERE, left) or re.search(_BY_ITSELF, left))


def _joined(letters: re.Match[str]) -> str:
    return "".join(filter(str.isalpha, letters[0]))


# ---- whole messages

_YES: Final = re.compile(
    r"y|ye+s+|yep|yeah|yea|yup|(?:yes )?i (?:agree|consent)|yes i do"
    r"|ie(?: diolch)?|ydw|cewch|caiff|hoffwn|(?:dw in|dwin|rwyn|rydw in) cytuno"
)
_NO: Final = re.compile(
    r"n|no+|nope|nah|no sorry|sorry no|no way|no i (?:do not|dont)|not for me|i (?:do not|dont) agree"
    r"|(?:no )?(?:i am |im )?(?:not|no longer) interested"
    r"|na|(?:na )?dim diolch|na diolch|na chewch|na chaiff|na[cg] ydw|na hoffwn"
)
_STARTS: Final = re.compile(
    r"start|start again|restart|unstop|un stop|resume|(?:re)?subscribe|resub|opt ?in|dechrau|ailddechrau"
)
_ASKS: Final = re.compile(
    r"help|help me|info|aide|cymorth|(?:hi |hello |sorry )?(?:whos|who is|who are|what is|whats) (?:this|you)|pwy sy na"
)
# With one of these a yes or a number is not accepted.
_DOUBT: Final = re.compile("[?👎🖕❌✖🚫⛔🙅🙄]")

_ORNAMENT: Final = frozenset({"So", "Sk", "Pi", "Pf", "Ps", "Pe"})  # emoji, quotes and brackets; no £, % or dash
_NUMBER: Final = r"(?:(?:options?|numbers?|choices?|opsiwn|rhif) ?|# ?)?(20|1[0-9]|[1-9])\.?"
_PICKS: Final = re.compile(rf"{_NUMBER}(?:(?: ?[,;&+] ?(?:and )?| ?and ?| (?:a|ac|n|plus) | ){_NUMBER})*")


def _whole(plain: str) -> Reply:
    """
    Return what a whole message that is not a stop means.
    """
    said = " ".join(_COURTESY.sub(" ", _words(plain)).replace(".", " ").split())
    asks, doubt = "?" in plain, bool(_DOUBT.search(plain))
    if _ASKS.fullmatch(said) or (asks and not said):
        return Asks()
    if _STARTS.fullmatch(said) and not asks:
        return Starts()
    if _NO.fullmatch(said) and not asks:
        return Says(yes=False)
    if _YES.fullmatch(said) and not doubt:
        return Says(yes=True)
    listed = " ".join(_COURTESY.sub(" ", _without_ornament(plain)).split()).strip(" .,")
    if _PICKS.fullmatch(listed) and not doubt:
        numbers = (int(number) for number in re.findall("[0-9]+", listed))
        return Picks(tuple(dict.fromkeys(numbers)))
    return Other()


def _without_ornament(plain: str) -> str:
    return "".join(" " if c in '!"' or unicodedata.category(c) in _ORNAMENT else c for c in plain)
