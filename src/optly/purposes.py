"""
What an organisation wants to write about, and the exact words it asks with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType

import attrs

from optly.addresses import Channel
from optly.errors import ConfigurationError, WordingError
from optly.parties import Organisation, is_key, one_line

_MAX_TEXT = 4000

_ASKING = {
    Channel.EMAIL: "send you {} by email",
    Channel.SMS: "send you {} by text message",
    Channel.MMS: "send you {} by picture message",
    Channel.VOICEMAIL: "leave you voicemail messages about {}",
    Channel.SOCIAL_DM: "send you {} by direct message",
    Channel.IN_APP: "show you {} as messages in the app",
    Channel.PUSH: "send you {} as push notifications",
    Channel.LIVE_CALL: "telephone you about {}",
    Channel.AUTOMATED_CALL: "call you with recorded messages about {}",
    Channel.FAX: "send you {} by fax",
    Channel.POST: "send you {} by post",
}


@attrs.frozen(kw_only=True, slots=False)
class Wording:
    """
    The exact words of one question in one language. Immutable, and named by a digest of what it says.

    A record of consent names the digest, the register keeps the words, and so what was agreed to can be shown years
    later whatever the templates say by then.

    Attributes:
        text: The question as the person reads it: who asks, what for, by which channel.
        hint: What is said beside it, such as how often and that the answer can be changed.
        yes, no: The two answers. Texts of the question, because in many languages they depend on its verb.
        language: A BCP 47 tag.
    """

    text: str = attrs.field()
    hint: str = attrs.field(default="")
    yes: str = attrs.field(default="Yes")
    no: str = attrs.field(default="No")
    language: str = attrs.field(default="en")

    @text.validator
    @yes.validator
    @no.validator
    def _says_something(self, attribute: attrs.Attribute[str], value: str) -> None:
        if not value.strip():
            raise WordingError(f"the {attribute.name} of a wording must not be empty")
        if len(value) > _MAX_TEXT:
            raise WordingError(f"the {attribute.name} of a wording is longer than {_MAX_TEXT} characters")

    @language.validator
    def _is_tag(self, _attribute: object, value: str) -> None:
        if not (value.isascii() and value.replace("-", "").isalnum() and 2 <= len(value) <= 35):
            raise WordingError("the language of a wording must be a BCP 47 tag, such as en or cy")

    @cached_property
    def digest(self) -> str:
        """
        SHA-256 over the canonical form, as 64 hexadecimal digits.
        """
        from optly.serialization import canonical

        return hashlib.sha256(b"optly/w1\0" + canonical(self.fields())).hexdigest()

    def fields(self) -> dict[str, str]:
        """
        The parts by name, as the register stores them.
        """
        return {"text": self.text, "hint": self.hint, "yes": self.yes, "no": self.no, "language": self.language}


def _frozen_wordings(value: Mapping[tuple[Channel, str], Wording] | None) -> Mapping[tuple[Channel, str], Wording]:
    return MappingProxyType(dict(value or {}))


@attrs.frozen(kw_only=True)
class Purpose:
    """
    One thing an organisation would like to write about, which a person can allow or refuse by itself.

    Attributes:
        key: Its name in the record. Must never change, nor be used again for something else.
        title: What it is about, in words that finish the sentence "May we send you …".
        hint: Said beside each question. By default, that the answer can be changed at any time.
        wordings: Words of your own for a channel and a language, in place of the built-in English question.
        validity: How long a consent for this purpose counts, or None for as long as it is not withdrawn.
    """

    key: str = attrs.field(validator=is_key)
    title: str = attrs.field(validator=one_line)
    hint: str = "You can change your mind at any time, on your MyOptly page or with the stop link in each message."
    wordings: Mapping[tuple[Channel, str], Wording] = attrs.field(
        factory=dict, converter=_frozen_wordings, eq=False, repr=False
    )
    validity: timedelta | None = None

    def __attrs_post_init__(self) -> None:
        for (_, language), wording in self.wordings.items():
            if wording.language != language:
                raise ConfigurationError(f"purpose {self.key}: a wording is filed under a language it is not in")

    def wording(self, organisation: Organisation, channel: Channel, language: str = "en") -> Wording:
        """
        Return the words in which this purpose is asked for *channel*, in *language* where they exist, else in English.
        """
        for wanted in (language, language.partition("-")[0], "en"):
            if (found := self.wordings.get((channel, wanted))) is not None:
                return found
        title = self.title
        if title[1:2].islower():  # "Offers" opens a sentence of its own; "BBC news" is a name
            title = title[0].lower() + title[1:]
        return Wording(text=f"May {organisation.name} {_ASKING[channel].format(title)}?", hint=self.hint)
