"""
What a failure says about the address: that nobody is there, that the trouble is elsewhere, or neither. Pure.

One field is not enough. Servers write 5.1.1 for whatever they refuse, so an address is taken for dead only if the code
says so and nothing beside it names another cause: a rate, a quota, a block, a policy, a reputation. Without a code, the
words alone are believed only if they are repeated for a while.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

STATUS: Final = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\w)", re.ASCII)
# Not a part of an address, such as 192.0.2.225.
REPLY_CODE: Final = re.compile(r"(?<![\d.])[245]\d\d(?=[ -])", re.ASCII)

# RFC 3463 3.2 and 3.3: no such mailbox, no such domain, no such syntax, moved, a domain that accepts no mail (RFC
# 7505).
NOBODY_THERE: Final = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
# The mailbox exists, but is not accepting messages: for ever, or until it is opened again.
_DISABLED: Final = "5.2.1"
_SAYS_NOTHING: Final = re.compile(r"[245]\.0\.0|[25]\.[15]\.0|5\.3\.0|2\..*")

# Names, and what only may be the cause.
_NAMES: Final = re.compile(
    r"https?://\S+|\S*@\S*|\[[^\[\]]*\]|^\s*x-[\w-]+;|\b(?:may|might|could) (?:be|have)\b[^,.;]*", re.IGNORECASE
)
_NOBODY: Final = re.compile(
    r"\b(?:(?:user|recipient|mailbox|address|account|domain|host|alias)(?: name)?(?: is)? (?:unknown|not found|invalid)"
    r"|(?:unknown|no such|invalid|bad|nonexistent|non-existent|unrout(?:e)?able) (?:local )?(?:user|recipient|mailbox"
    r"|address|account|domain|host|person|alias|local-?part|destination)"
    r"|(?:does not|doesn.?t|do not|don.?t|not|no longer) (?:exist|have an? )"
    r"|not (?:a )?(?:known|valid|registered|listed|our (?:user|customer)|found|local)"
    r"|(?:does|do)(?: not|n.t) accept (?:any )?mail|no (?:smtp|mail) service"
    r"|no longer (?:on|valid|in use|available|active|here|works|employed)"
    r"|(?:host|domain)(?: or domain)?(?: name)? not found|nxdomain|null mx|has moved|is inactive|terminated)",
    re.IGNORECASE,
)
_ELSEWHERE: Final = re.compile(
    r"\b(?:too (?:many|much|large|big|long|fast)|rates?|limit(?:s|ed|ing)?|throttl\w+|quota|exceed\w*"
    r"|(?:is|box|almost) full|full mailbox|mailbox.?full|storage|disk|insufficient|out of space|no space|resources?"
    r"|block(?:s|ed|ing|list\w*)?|black.?list\w*|deny.?list\w*|(?<!not )listed (?:at|in|on|by)|dnsbl|rbl|spam\w*"
    r"|reputation|polic(?:y|ies)|preferences?|dmarc|spf|dkim|ptr|reverse dns|virus\w*|malware|phish\w*|infected"
    r"|suspicious|content|attachment|message size|size limit|gr[ae]y.?list\w*|try (?:again )?later|temporar\w*"
    r"|deferr?\w*|timed? ?out|expired|complain\w*|volume|(?:to|open) relay|relaying|relay (?:access|not|denied)"
    r"|authenticat\w*|unauthenticated|not verified|loop\w*|hops?|access list|ban(?:ned)?|abus\w+|prohibited"
    r"|unsolicited|bulk|locked|suspended|frozen|procmail|couldn.t create|config\w*|headers?|command"
    r"|message (?:was |is )?(?:rejected|refused|not (?:allowed|accepted))|transaction failed"
    r"|service (?:currently )?(?:un|not )available)\b",
    re.IGNORECASE,
)


class Cause(Enum):
    """
    Why a message was not delivered.

    GONE: Nobody is at the address.
    UNSAID: It failed for good, and no cause but the address is named.
    ELSEWHERE: Anything else. It says nothing lasting about the address.
    """

    GONE = auto()
    UNSAID = auto()
    ELSEWHERE = auto()


def diagnose(status: str, words: str, *, told_hard: bool = False) -> Cause:
    """
    Return what a failure says about the address.

    Args:
        status: The enhanced status code (RFC 3463) that the report gives, or empty.
        words: What the server said, which may contain other codes.
        told_hard: Whether the provider itself says that the address is dead, so that the words alone may confirm it.
    """
    codes = {code for code in (status, *STATUS.findall(words)) if code and not _SAYS_NOTHING.fullmatch(code)}
    plain = _plain(words)
    if _ELSEWHERE.search(plain):
        return Cause.ELSEWHERE
    says_nobody = _NOBODY.search(plain) is not None
    if codes and codes <= NOBODY_THERE:
        return Cause.GONE
    if (codes <= {_DISABLED} and says_nobody and (codes or told_hard)) or (codes == {_DISABLED} and told_hard):
        return Cause.GONE
    if says_nobody or not codes or all(map(_may_be_the_address, codes)):
        return Cause.UNSAID
    return Cause.ELSEWHERE


def say_nobody_is_there(words: str) -> bool:
    """
    Whether the words alone say that nobody is at the address, and name no other cause.
    """
    plain = _plain(words)
    return _NOBODY.search(plain) is not None and _ELSEWHERE.search(plain) is None


def _plain(words: str) -> str:
    return " ".join(_NAMES.sub(" ", words).split())


def _may_be_the_address(code: str) -> bool:
    """
    Whether a code may stand for an address that is gone: a permanent one about addresses, mailboxes or the way there.
    """
    return (
        code.startswith(("5.1.", "5.4.", "5.5.")) and code not in ("5.1.7", "5.1.8", "5.4.5", "5.4.6", "5.4.7")
    ) or (code in (_DISABLED, "5.2.0", "5.3.2"))
