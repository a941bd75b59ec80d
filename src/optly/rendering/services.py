"""
What a person asked for: a one-time code, a new link, a copy of their data, and the answer to a text that says HELP.
"""

from __future__ import annotations

from optly.messages import Content
from optly.rendering._templates import Letterhead


def code_message(head: Letterhead, digits: str, *, host: str, minutes: int) -> Content:
    """
    Return the message with a one-time code.

    A text ends with the line that lets a phone fill in the code on *host* and nowhere else.

    Args:
        host: The host name of the pages, without scheme and path.
        minutes: How long the code works.

    Source: Origin-bound one-time codes delivered via SMS, https://wicg.github.io/sms-one-time-codes/.
    """
    translations = head.translations
    if not head.by_email:
        text = translations.ngettext(
            "%(digits)s is your MyOptly code for %(organisation)s. It works for one minute. Do not share it. "
            "Did not ask for it? Ignore this text.",
            "%(digits)s is your MyOptly code for %(organisation)s. It works for %(num)d minutes. Do not share it. "
            "Did not ask for it? Ignore this text.",
            minutes,
        )
        return Content(text=f"{head.text(text, digits=digits, num=minutes).text}\n\n@{host} #{digits}")
    subject = translations.gettext("%(organisation)s: your code for MyOptly")
    # Not a circular: those are cached, and a code must not stay in memory.
    return head.letter("code", subject, digits=digits, host=host, minutes=minutes)


def link_message(head: Letterhead) -> Content:
    """
    Return the message with the link that the person asked for.
    """
    _ = head.translations.gettext
    if not head.by_email:
        return head.text(
            _("%(organisation)s: your MyOptly page, as you asked: %(link)s Did not ask for it? Ignore this text.")
        )
    return head.letter("link", _("%(organisation)s: your MyOptly page"))


def way_back_message(head: Letterhead) -> Content:
    """
    Return the one message to a person who had stopped, after their address was entered in a form: a link to their
    choices, and one that asks never to be written to again. It promotes nothing.

    Args:
        head: Its stop link stops everything, and asks for no such message again.
    """
    _ = head.translations.gettext
    if not head.by_email:
        return head.text(
            _("%(organisation)s: this number was entered in a form. You had stopped us. If it was you: %(link)s")
        )
    return head.letter("way_back", _("%(organisation)s: you asked us to stop"))


def copy_message(head: Letterhead, *, page: str, plain: str) -> Content:
    """
    Return the letter with the copy of their data that the person asked for.

    Args:
        page: The copy as an HTML fragment, which goes in unchanged.
        plain: The same as plain text.
    """
    from markupsafe import Markup

    subject = head.translations.gettext("%(organisation)s: the copy of your data that you asked for")
    return head.letter("copy", subject, page=Markup(page), plain=plain.strip())  # noqa: S704


def help_text(head: Letterhead) -> Content:
    """
    Return a text that says who sends the messages, how to reach them, and how to stop them.
    """
    text = head.translations.gettext(
        "%(organisation)s: %(reach)s. See what we send and change it: %(link)s or reply STOP"
    )
    organisation = head.organisation
    return head.text(text, reach=organisation.freephone or organisation.email or organisation.address)
