"""
What a stop covers and what goes on, in words for the person. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from optly.contacts import AddressKind, Channel, Purpose, stopped_with
from optly.locale.i18n import N_
from optly.timeline.phrases import BY

# Translators: what is stopped and how it is sent, such as “marketing by email”.
_WHAT_BY: Final = N_("%(what)s %(by)s")

# Where one kind of address is reached by messages of several kinds, which are stopped together.
_MESSAGES: Final = {
    AddressKind.PHONE: N_("marketing messages to this number"),
    AddressKind.ACCOUNT: N_("marketing in messages to this account"),
}


def stopped_in_words(
    channel: Channel | None,
    purpose: str | None,
    purposes: Mapping[str, Purpose],
    language: str,
    translate: Callable[[str], str],
) -> str:
    """
    Return what a stop through a link covers, in words that follow "no more".

    Args:
        channel: The channel of the message that the link was in; None for everything.
        purpose: Key of the one purpose that is stopped on it; None for every message of its kind.
        purposes: The purposes of today by key.
    """
    if channel is None:
        return translate(N_("marketing of any kind"))
    if purpose is not None:
        return named(channel, purpose, purposes, language, translate)
    if len(stopped_with(channel)) > 1 and channel.kind in _MESSAGES:
        return translate(_MESSAGES[channel.kind])
    return translate(_WHAT_BY) % {"what": translate(N_("marketing")), "by": translate(BY[channel])}


def named(
    channel: Channel, purpose: str, purposes: Mapping[str, Purpose], language: str, translate: Callable[[str], str]
) -> str:
    """
    Return one purpose on one channel, such as “Offers and discounts” by email.
    """
    known = purposes.get(purpose)
    what = translate(N_("messages of this kind")) if known is None else f"“{known.title_in(language)}”"
    return translate(_WHAT_BY) % {"what": what, "by": translate(BY[channel])}


def all_named(
    choices: Sequence[tuple[Channel, str]],
    purposes: Mapping[str, Purpose],
    language: str,
    translate: Callable[[str], str],
) -> tuple[str, ...]:
    """
    Return each channel and purpose in words, once.
    """
    return tuple(dict.fromkeys(named(*choice, purposes, language, translate) for choice in choices))
