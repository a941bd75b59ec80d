"""
What is said about a person's own page: a code, a link, a change, a stop, a copy, a complaint. Never any marketing.

None of them is kept once it is made: what is the same for everybody is little, and a code must not stay in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from optly.contacts.addresses import AddressKind, Channel
from optly.contacts.parties import Organisation
from optly.contacts.purposes import Wording
from optly.locale.i18n import N_, Catalogues, catalogue, long_date, nearest
from optly.messages import Content
from optly.rendering._templates import in_plain_letters, letter, wrapped

_CHANGED = {
    AddressKind.EMAIL: N_("Your email address on MyOptly is now %(masked)s."),
    AddressKind.PHONE: N_("Your phone number on MyOptly is now %(masked)s."),
    AddressKind.POST: N_("Your postal address on MyOptly is now %(masked)s."),
    AddressKind.ACCOUNT: N_("Your account on MyOptly is now %(masked)s."),
}


def code_message(
    organisation: Organisation,
    channel: Channel,
    digits: str,
    *,
    host: str,
    minutes: int,
    language: str,
    more: Catalogues = (),
) -> Content:
    """
    Return the message with a one-time code.

    A text ends with the line by which a phone fills in the code on *host* and nowhere else.

    Args:
        host: The host name of the pages, without scheme and path.
        minutes: How long the code counts.

    Source: Origin-bound one-time codes delivered via SMS, https://wicg.github.io/sms-one-time-codes/.
    """
    translations = catalogue(language, more)
    facts = {"organisation": organisation.name, "digits": digits, "num": minutes}
    if channel is not Channel.EMAIL:
        text = translations.ngettext(
            "%(digits)s is your MyOptly code for %(organisation)s. It works for one minute. Give it to nobody. "
            "Did not ask for it? Ignore this text.",
            "%(digits)s is your MyOptly code for %(organisation)s. It works for %(num)d minutes. Give it to nobody. "
            "Did not ask for it? Ignore this text.",
            minutes,
        )
        return Content(text=f"{in_plain_letters(text % facts)}\n\n@{host} #{digits}")
    subject = translations.gettext("%(organisation)s: your code for MyOptly") % facts
    return letter(
        "code", organisation, subject, language=language, more=more, digits=digits, host=host, minutes=minutes
    )


def link_message(
    organisation: Organisation, channel: Channel, *, link: str, stop: str, language: str, more: Catalogues = ()
) -> Content:
    """
    Return the message with a new link to the page of a person who asked for one.
    """
    _ = catalogue(language, more).gettext
    facts = {"organisation": organisation.name, "link": link}
    if channel is not Channel.EMAIL:
        text = _("%(organisation)s: your MyOptly page, as you asked: %(link)s Did not ask for it? Ignore this text.")
        return Content(text=in_plain_letters(text % facts))
    subject = _("%(organisation)s: your MyOptly page") % facts
    return letter("link", organisation, subject, language=language, more=more, link=link, stop=stop)


def changed_notice(
    organisation: Organisation,
    channel: Channel,
    *,
    kind: AddressKind,
    masked: str,
    link: str,
    until: datetime,
    language: str,
    more: Catalogues = (),
) -> Content:
    """
    Tell the address on file up to now that another took its place or was put beside it.

    Args:
        kind: Of what kind the new address is.
        masked: Enough of it for its owner to recognise it.
        link: Where it is undone.
        until: The last day on which it can be undone.
    """
    _ = catalogue(language, more).gettext
    day = long_date(until, nearest(language, more))
    if channel is not Channel.EMAIL:
        # The dots of a masked address would make the text cost twice as much.
        changed = _(_CHANGED[kind]) % {"masked": masked.replace("•", "*")}
        text = _("%(organisation)s: %(changed)s Not you? Undo it until %(until)s: %(link)s")
        facts = {"organisation": organisation.name, "changed": changed, "until": day, "link": link}
        return Content(text=in_plain_letters(text % facts))
    subject = _("%(organisation)s: your details have changed") % {"organisation": organisation.name}
    changed = _(_CHANGED[kind]) % {"masked": masked}
    return letter("changed", organisation, subject, language=language, more=more, changed=changed, link=link, until=day)


def stopped_notice(
    organisation: Organisation,
    channel: Channel,
    wordings: Sequence[Wording],
    *,
    on: datetime,
    link: str,
    until: datetime,
    language: str,
    more: Catalogues = (),
) -> Content:
    """
    Tell somebody who stopped something, or everything, that it is done, and how it is undone.

    Args:
        wordings: What they had agreed to, in the words they agreed to. May be empty: then there is nothing to bring
            back, and neither link nor date is named.
        on: When they stopped it.
        link: Where it is brought back.
        until: The last day on which it can be brought back.
    """
    _ = catalogue(language, more).gettext
    spoken = nearest(language, more)
    facts = {"organisation": organisation.name, "on": long_date(on, spoken), "until": long_date(until, spoken)}
    if channel is not Channel.EMAIL:
        if wordings:
            text = _(
                "%(organisation)s: you have stopped messages. A mistake, or not you? Undo it until %(until)s: %(link)s"
            )
        else:
            text = _("%(organisation)s: you have stopped messages. No more of them will come.")
        return Content(text=in_plain_letters(text % (facts | {"link": link})))
    subject = _("%(organisation)s: you have stopped messages") % facts
    return letter(
        "stopped",
        organisation,
        subject,
        language=language,
        more=more,
        wordings=wordings,
        on=facts["on"],
        until=facts["until"],
        link=link,
    )


def copy_message(organisation: Organisation, *, page: str, plain: str, language: str, more: Catalogues = ()) -> Content:
    """
    Return the letter with the copy of their data that a person asked for.

    Args:
        page: The copy as an HTML fragment, put in as it is.
        plain: The same as plain text.
    """
    from markupsafe import Markup

    subject = catalogue(language, more).gettext("%(organisation)s: the copy of your data that you asked for")
    return letter(
        "copy",
        organisation,
        subject % {"organisation": organisation.name},
        language=language,
        more=more,
        page=Markup(page),  # noqa: S704
        plain=plain.strip(),
    )


def complaint_received(
    organisation: Organisation,
    channel: Channel,
    *,
    reference: str,
    on: datetime,
    by: datetime,
    language: str,
    more: Catalogues = (),
) -> Content:
    """
    Acknowledge a complaint about how somebody's data are used.

    Args:
        reference: What the complaint is called on record.
        on: When it was received.
        by: The last day on which the law lets it be acknowledged.

    Source: Data Protection Act 2018 section 164A, inserted by the Data (Use and Access) Act 2025 section 103,
    https://www.legislation.gov.uk/ukpga/2025/18/section/103 (read 2026-11-24): receipt is acknowledged within 30 days;
    steps are taken, and progress and outcome told, without undue delay.
    """
    _ = catalogue(language, more).gettext
    spoken = nearest(language, more)
    facts = {"organisation": organisation.name, "reference": reference, "on": long_date(on, spoken)}
    if channel is not Channel.EMAIL:
        text = _(
            "%(organisation)s: on %(on)s we received your complaint about your data. Reference %(reference)s. "
            "We will look into it and tell you the outcome."
        )
        return Content(text=in_plain_letters(text % facts))
    subject = _("%(organisation)s: we have received your complaint") % facts
    return letter(
        "complaint",
        organisation,
        subject,
        language=language,
        more=more,
        reference=reference,
        on=facts["on"],
        by=long_date(by, spoken),
    )


def complaint_alert(
    organisation: Organisation, *, contact: str, reference: str, by: datetime, reminder: bool = False
) -> Content:
    """
    Tell the organisation itself, in English, that a complaint waits. Names it and the contact by their ids alone.

    Args:
        contact: The id of the contact.
        by: The last day on which the law lets it be acknowledged.
        reminder: Whether it is told again because nobody did anything about it.
    """
    day = long_date(by)
    subject = f"Complaint {reference}: to be acknowledged by {day}"
    made = "is still waiting" if reminder else "was made"
    paragraphs = (
        wrapped(f"A complaint {made} about how {organisation.name} uses somebody's data."),
        f"Complaint: {reference}\nContact: {contact}",
        wrapped(
            f"The law wants you to acknowledge that you received it by {day} and, without undue delay, to look into "
            "it, to tell the person how far you are, and to tell them the outcome (Data Protection Act 2018, section "
            "164A). What was said is on record; this message holds none of it."
        ),
    )
    return Content(subject=f"Reminder: {subject}" if reminder else subject, text="\n\n".join(paragraphs) + "\n")
