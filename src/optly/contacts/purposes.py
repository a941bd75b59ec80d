"""
The purposes an organisation asks consent for, and the exact words it asks in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import attrs

from optly import typed
from optly.canonical import canonical
from optly.contacts.addresses import Channel
from optly.contacts.parties import Organisation, is_key, one_line
from optly.errors import ConfigurationError, WordingError
from optly.locale.i18n import N_, SOURCE, Catalogues, alone, spelt, spelt_or_same, truncated

_MAX_TEXT = 4000

# The host's title of a purpose goes into the question as it is, so the sentence must fit any title, uninflected.
_QUESTIONS: Final = {
    Channel.EMAIL: N_("May %(organisation)s send you %(title)s by email?"),
    Channel.SMS: N_("May %(organisation)s send you %(title)s by text message?"),
    Channel.MMS: N_("May %(organisation)s send you %(title)s by picture message?"),
    Channel.VOICEMAIL: N_("May %(organisation)s leave you voicemail messages about %(title)s?"),
    Channel.WHATSAPP: N_("May %(organisation)s send you %(title)s by WhatsApp?"),
    Channel.RCS: N_("May %(organisation)s send you %(title)s by RCS message?"),
    Channel.SOCIAL_DM: N_("May %(organisation)s send you %(title)s by direct message?"),
    Channel.IN_APP: N_("May %(organisation)s show you %(title)s as messages in the app?"),
    Channel.PUSH: N_("May %(organisation)s send you %(title)s as push notifications?"),
    Channel.LIVE_CALL: N_("May %(organisation)s telephone you about %(title)s?"),
    Channel.AUTOMATED_CALL: N_("May %(organisation)s call you with recorded messages about %(title)s?"),
    Channel.FAX: N_("May %(organisation)s send you %(title)s by fax?"),
    Channel.POST: N_("May %(organisation)s send you %(title)s by post?"),
}
_HINT: Final = N_("You can change your mind at any time, on your MyOptly page or with the stop link in each message.")


def _with_hyphens(tag: str) -> str:
    return spelt_or_same(tag) if "_" in tag else tag


@attrs.frozen(kw_only=True, slots=False, field_transformer=typed.fields)
class Wording:
    """
    The exact words of one question in one language. Immutable, and identified by a digest of its content.

    A record of consent names the digest and the register keeps the words, so what was agreed to can be shown years
    later, whatever the templates say by then.

    Attributes:
        text: The question as the person reads it: who asks, what for, by which channel.
        hint: The text beside it, such as how often messages come and that the answer can be changed.
        yes, no: The two answers. Part of the wording, because in many languages they depend on its verb.
        language: A BCP 47 tag. Its case is kept, because the digest is over it.
    """

    text: typed.LongText = attrs.field()
    hint: typed.LongText = attrs.field(default="")
    yes: typed.LongText = attrs.field(default="Yes")
    no: typed.LongText = attrs.field(default="No")
    language: str = attrs.field(default="en", converter=_with_hyphens)

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
        return hashlib.sha256(b"optly/w1\0" + canonical(self.fields())).hexdigest()

    def fields(self) -> dict[str, str]:
        """
        The fields by name, as the register stores them.
        """
        return {"text": self.text, "hint": self.hint, "yes": self.yes, "no": self.no, "language": self.language}


# Two, because with one for both a type checker would not know what a purpose takes.
def _frozen_texts(value: Mapping[str, str] | None) -> Mapping[str, str]:
    return MappingProxyType({spelt_or_same(tag): text for tag, text in (value or {}).items()})


def _frozen_wordings(value: Mapping[tuple[Channel, str], Wording] | None) -> Mapping[tuple[Channel, str], Wording]:
    return MappingProxyType({(channel, spelt_or_same(tag)): asked for (channel, tag), asked in (value or {}).items()})


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Purpose:
    """
    One purpose of messages, which a person can allow or refuse separately.

    Attributes:
        key: Its key in the record. Must never change or be reused for something else.
        title: What it is about, in English words that complete the sentence "May we send you …".
        hint: Shown beside each question. By default, that the answer can be changed at any time.
        titles: The title in other languages, by BCP 47 tag. The built-in question is asked in a language that has a
            title here and a catalogue.
        hints: The hint in other languages. Required for each language of *titles*, unless the hint is the default.
        wordings: Your own words for a channel and a language, instead of the built-in question.
        validity: How long a consent for this purpose counts, or None if it counts until it is withdrawn.
        accept: Why its questions are good although something was found in their words that makes a consent invalid.
            Kept as evidence with each such question. Without it, such words are not asked.
    """

    key: str = attrs.field(validator=is_key)
    title: str = attrs.field(validator=one_line)
    hint: str = _HINT
    titles: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen_texts, eq=False, repr=False)
    hints: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen_texts, eq=False, repr=False)
    wordings: Mapping[tuple[Channel, str], Wording] = attrs.field(
        factory=dict, converter=_frozen_wordings, eq=False, repr=False
    )
    validity: timedelta | None = None
    accept: str | None = attrs.field(default=None, eq=False, repr=False)

    @accept.validator
    def _says_why(self, _attribute: object, value: str | None) -> None:
        if value is not None and not value.strip():
            raise ConfigurationError(f"purpose {self.key}: say why its words are good")

    @titles.validator
    def _are_titles(self, attribute: attrs.Attribute[Any], value: Mapping[str, str]) -> None:
        for tag, title in value.items():
            if spelt(tag) is None or tag.partition("-")[0] == SOURCE:
                raise ConfigurationError(
                    f"purpose {self.key}: titles are filed under the BCP 47 tag of a language other than English"
                )
            one_line(self, attribute, title)

    def __attrs_post_init__(self) -> None:
        if set(self.hints) - set(self.titles) or (self.hint != _HINT and set(self.titles) - set(self.hints)):
            raise ConfigurationError(
                f"purpose {self.key}: a title and a hint of your own have to be there in the same languages"
            )
        for (_, language), wording in self.wordings.items():
            if spelt(wording.language) != language:
                raise ConfigurationError(f"purpose {self.key}: a wording is filed under a language it is not in")

    def title_in(self, language: str) -> str:
        """
        Return the title in *language* if there is one, else in English.
        """
        return next((self.titles[tag] for tag in truncated(language) if tag in self.titles), self.title)

    def wording(
        self, organisation: Organisation, channel: Channel, language: str = SOURCE, more: Catalogues = ()
    ) -> Wording:
        """
        Return the question for this purpose on *channel*, in *language* if that exists, else in English.

        A question is in one language throughout: without a title, or without a catalogue that has the question and its
        two answers, it is asked in English.

        Args:
            more: The catalogues of the host, for questions in languages other than English.
        """
        return next(self._wordings(organisation, channel, language, more))

    def _wordings(
        self, organisation: Organisation, channel: Channel, language: str, more: Catalogues
    ) -> Iterator[Wording]:
        for tag in (*truncated(language), SOURCE):
            if (own := self.wordings.get((channel, tag))) is not None:
                yield own
            if tag in self.titles and (built := self._translated(organisation, channel, tag, more)) is not None:
                yield built
        title = self.title
        if title[1:2].islower():  # "Offers" opens a sentence of its own; "BBC news" is a name
            title = title[0].lower() + title[1:]
        # Not from a catalogue: a host rewords an English question in *wordings*, where the change is plain to see.
        question = _QUESTIONS[channel] % {"organisation": organisation.name, "title": title}
        yield Wording(text=question, hint=self.hint)

    def _translated(self, organisation: Organisation, channel: Channel, tag: str, more: Catalogues) -> Wording | None:
        said = alone(tag, more)
        question = said.gettext(_QUESTIONS[channel])
        # Translators: the answers to "May … send you …?", "May … telephone you …?" and so on.
        yes, no = said.pgettext("an answer to May …?", "Yes"), said.pgettext("an answer to May …?", "No")
        hint = self.hints.get(tag) or said.gettext(_HINT)
        if not (question and yes and no and hint):
            return None
        facts = {"organisation": organisation.name, "title": self.titles[tag]}
        return Wording(text=question % facts, hint=hint, yes=yes, no=no, language=tag)
