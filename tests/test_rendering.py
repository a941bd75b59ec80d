"""
Every message in every language: whole, in that language, with who writes and what it is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from brackets import unbracketed

from optly import Channel, Organisation, Purpose
from optly.contacts.addresses import AddressKind, EmailAddress
from optly.locale.i18n import LANGUAGES
from optly.messages import Content
from optly.messages.replies import Says, read_reply
from optly.messages.texts import Encoding, segments
from optly.rendering import (
    Letterhead,
    changed_notice,
    code_message,
    complaint_alert,
    complaint_received,
    copy_message,
    help_text,
    link_message,
    marketing,
    receipt,
    request,
    stopped_notice,
    way_back_message,
)
from optly.rules import Reason

ACME = Organisation(
    key="acme",
    name="Acme & Sons",
    address="1 High Street, Leeds LS1 1AA",
    freephone="0800 496 0000",
    email="privacy@acme.example.com",
)
PURPOSES = (
    Purpose(key="offers", title="Offers", titles={"cy": "Cynigion"}),
    Purpose(key="news", title="News", titles={"cy": "Newyddion"}),
)
LINK, STOP = "https://acme.example.com/my/l/ABCDEFGHJKMNPQRS", "https://acme.example.com/my/u/token"
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
MASKED = EmailAddress.parse("ada@example.com").masked
HOST = Content(subject="", text="Half price", html="<p>Half price</p>")
# What stands in a message whatever its language.
FACTS = (
    LINK, STOP, MASKED, "123456", "C-17", "acme.example.com", "Half price", "24 November 2026", ACME.name, ACME.address,
    ACME.freephone, ACME.email, "http://", "https://", "STOP", "YES",
)  # fmt: skip

every_language = pytest.mark.parametrize("language", LANGUAGES)


def messages(
    channel: Channel, language: str, more: tuple[Path, ...] = (), organisation: Organisation = ACME
) -> Iterator[tuple[str, Content]]:
    """
    Yield one message of each kind that travels by *channel*.
    """
    wordings = [purpose.wording(organisation, channel, language, more) for purpose in PURPOSES]
    head = Letterhead(organisation=organisation, channel=channel, link=LINK, stop=STOP, language=language, more=more)
    for several in (wordings, wordings[:1]):
        yield "request", request(head, several, until=AT)
        yield "reminder", request(head, several, until=AT, reminder=True)
    yield "receipt", receipt(head, wordings, on=AT)
    for reason in (Reason.CONSENTED, Reason.SOFT_OPT_IN, Reason.CHARITY_SOFT_OPT_IN, Reason.NO_CONSENT):
        yield "marketing", marketing(head, HOST, reason=reason)
    for minutes in (1, 10):
        yield "code", code_message(head, "123456", host="acme.example.com", minutes=minutes)
    yield "link", link_message(head)
    for kind in AddressKind:
        yield "changed", changed_notice(head, kind=kind, masked=MASKED, until=AT)
    number = head.translations.gettext("marketing messages to this number")
    for left, undoes in (([number], True), ([], True), ([], False)):
        yield "stopped", stopped_notice(head, number, left=left, on=AT, until=AT, undoes=undoes)
    yield "way back", way_back_message(head)
    yield "complaint", complaint_received(head, reference="C-17", on=AT, by=AT)
    if channel is Channel.EMAIL:
        yield "copy", copy_message(head, page="", plain="")
    else:
        yield "by reply", request(head, wordings, until=AT, by_reply=True)
        yield "by reply", request(head, wordings[:1], until=AT, by_reply=True)
        yield "help", help_text(head)


def head(channel: Channel = Channel.EMAIL, language: str = "en", more: tuple[Path, ...] = ()) -> Letterhead:
    """
    The letterhead of Acme.
    """
    return Letterhead(organisation=ACME, channel=channel, link=LINK, stop=STOP, language=language, more=more)


class Reader(HTMLParser):
    """
    What a person reads on a page, and what its root says of it.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.root: dict[str, str | None] = {}
        self.elements: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.root = self.root or dict(attrs)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_every_word_comes_from_the_catalogue(channel: Channel, bracketed: tuple[Path, ...]) -> None:
    """
    Nothing stays English in another language: no subject, no line of a text, nothing on a page, and no direction.
    """
    # The questions themselves are in English, for no purpose has a title in this language.
    asked = [purpose.wording(ACME, channel, "ar", bracketed) for purpose in PURPOSES]
    assert {"en"} == {wording.language for wording in asked}
    words = [f"{wording.text} {wording.yes}" for wording in asked] + [wording.text for wording in asked]
    for name, content in messages(channel, "ar", bracketed):
        read = Reader(content.html)
        for part in (content.subject, content.text, "".join(read.text)):
            # Lines of a plain text may be broken anywhere.
            flat = " ".join(part.split())
            for said in words:
                flat = flat.replace(said, "")
            assert "" == unbracketed(flat, FACTS), (name, part)
        if content.html:
            assert ("ar", "rtl") == (read.root["lang"], read.root["dir"]), name


@every_language
def test_an_email_says_who_writes(language: str) -> None:
    """
    In both forms: the name, the postal address and how to reach them for nothing; and it is in the language it claims.
    """
    for name, content in messages(Channel.EMAIL, language):
        read = Reader(content.html)
        for form in (content.text, " ".join(read.text)):
            for fact in (ACME.name, ACME.address, ACME.freephone, ACME.email):
                assert fact in form, name
        assert (language, "ltr") == (read.root["lang"], read.root["dir"])
        assert not {"script", "img", "link", "style", "form"} & read.elements, name


@every_language
def test_a_text_says_who_writes_and_costs_one_part(language: str) -> None:
    """
    The words are chosen so that the cheap alphabet has all of their letters, in Welsh too; only what asks several
    questions at once, or carries words of the host, may take more.
    """
    for name, content in messages(Channel.SMS, language):
        counted = segments(content.text)
        assert "" == content.html == content.subject
        assert ACME.name in content.text, name
        assert Encoding.GSM is counted.encoding, (name, counted.culprit)
        assert counted.count == 1 or name == "by reply", (name, content.text)


@every_language
@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_what_asks_and_markets_can_be_stopped(language: str, channel: Channel) -> None:
    """
    By a link of its own in an email, and by the page in a text, for which one link has to do.
    """
    for name, content in messages(channel, language):
        if name in ("request", "reminder", "receipt", "marketing", "link"):
            expected = [LINK, STOP] if channel is Channel.EMAIL else [LINK]
            for form in filter(None, (content.text, content.html)):
                assert expected == [link for link in (LINK, STOP) if link in form], name


@every_language
def test_the_yes_to_type_is_read_as_one(language: str) -> None:
    """
    Whoever does as the text says has said yes.
    """
    wording = PURPOSES[0].wording(ACME, Channel.SMS, language)
    text = request(head(Channel.SMS, language), [wording], until=AT, by_reply=True).text
    assert text.startswith(wording.text)
    typed = {"en": "YES", "cy": "CAIFF"}[language]
    assert f" {typed} " in text
    assert Says(yes=True) == read_reply(typed)


def test_a_yes_that_is_not_read_is_typed_in_english() -> None:
    """
    A host may word the answers as it likes; the reply has to be understood.
    """
    wording = PURPOSES[0].wording(ACME, Channel.SMS)
    odd = type(wording)(text=wording.text, yes="Go ahead")
    text = request(head(Channel.SMS), [odd], until=AT, by_reply=True).text
    assert "Reply YES or STOP" in text


def test_a_code_in_a_text_is_bound_to_the_pages() -> None:
    """
    The last line is what a phone reads, and is the same in every language.
    """
    for language in LANGUAGES:
        text = code_message(head(Channel.SMS, language), "012345", host="acme.example.com", minutes=10).text
        assert ["", "@acme.example.com #012345"] == text.splitlines()[-2:]
        assert 2 == text.count("012345")


def test_a_code_is_not_kept() -> None:
    """
    Two people get two codes, and none is left behind for the next.
    """
    first, second = (
        code_message(head(), digits, host="acme.example.com", minutes=10) for digits in ("111111", "222222")
    )
    assert "111111" in first.text
    assert "111111" not in second.text + second.html
    assert "222222" in second.html
    assert "111111" not in first.subject


def test_who_had_agreed_to_nothing_is_offered_nothing_back() -> None:
    """
    No link that would do nothing.
    """
    for channel in (Channel.EMAIL, Channel.SMS):
        content = stopped_notice(head(channel), "marketing by email", left=[], on=AT, until=AT, undoes=False)
        assert LINK not in content.text + content.html


def test_a_notice_of_a_stop_names_it_and_what_goes_on_and_asks_nothing() -> None:
    """
    No question, no Yes, and the way back is a plain link and no button: it must not look like marketing.
    """
    content = stopped_notice(head(), "marketing by email", left=["“News” by text message"], on=AT, until=AT)
    assert "will send you no more marketing by email." in " ".join(content.text.split())
    assert "- “News” by text message\n" in content.text
    for question in (purpose.wording(ACME, Channel.EMAIL) for purpose in PURPOSES):
        assert question.text not in content.text
    assert "Yes" not in content.text + content.html
    assert "<li>“News” by text message</li>" in content.html
    assert f'<a href="{LINK}" style="color:inherit">' in content.html


def test_names_and_links_are_escaped_and_the_hosts_page_is_not() -> None:
    """
    A name is no markup. What the host wrote as HTML is.
    """
    odd = Organisation(key="acme", name="<i>Acme</i>", address="1 <b>High</b> Street")
    for language in LANGUAGES:
        for name, content in messages(Channel.EMAIL, language, organisation=odd):
            assert not {"i", "b"} & Reader(content.html).elements, name
    page = copy_message(head(), page="<table></table>", plain="1 < 2")
    assert "<table></table>" in page.html
    assert "\n1 < 2\n" in page.text


def test_what_the_host_writes_is_put_into_the_frame_as_it_is() -> None:
    """
    Its subject is no markup, its HTML is, and none of it is left behind for the next.
    """
    for number in range(2):
        mine = Content(subject=f"<b>{number} & more", text=f"  {number} < 5\n", html=f"<p>{number}</p>")
        made = marketing(head(), mine, reason=Reason.CONSENTED)
        assert mine.subject == made.subject
        because = "You receive this because you agreed to hear from Acme & Sons."
        assert made.text.startswith(f"{number} < 5\n\n--\n{because}\n")
        assert f"<title>&lt;b&gt;{number} &amp; more</title>" in made.html
        assert f"<p>{number}</p>" in made.html
        assert str(1 - number) not in made.text.partition("--")[0]
    bare = marketing(head(), Content(subject="Sale", text="t"), reason=Reason.CONSENTED)
    assert "" == bare.html


@pytest.mark.parametrize("reminder", [False, True])
def test_the_organisation_is_alerted_by_ids_alone(reminder: bool) -> None:
    """
    A mailbox is no place for what somebody complained about.
    """
    content = complaint_alert(ACME, contact="0" * 32, reference="C-17", by=AT, reminder=reminder)
    assert reminder == content.subject.startswith("Reminder: ")
    for fact in ("0" * 32, "C-17", "24 November 2026"):
        assert fact in content.text


def test_a_language_without_a_catalogue_is_answered_in_english() -> None:
    """
    As a whole: the words, the dates, and what the page says of itself.
    """
    english = dict(messages(Channel.EMAIL, "en"))
    assert english == dict(messages(Channel.EMAIL, "pl-PL"))


def test_a_host_rewords_a_message(tmp_path: Path) -> None:
    """
    By a catalogue of its own, which reaches what is made once for many too.
    """
    (tmp_path / "en.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Open your choices"\nmsgstr "Tell us"\n'
    )
    wordings = [purpose.wording(ACME, Channel.EMAIL) for purpose in PURPOSES]
    for more, expected in (((), "Open your choices"), ((tmp_path,), "Tell us")):
        content = request(head(more=more), wordings, until=AT)
        assert f"\n{expected}:\n" in content.text
        assert f">{expected}</a>" in content.html
