"""
The acknowledgement of a complaint, its outcome, and the alert to the organisation that there is one.
"""

from __future__ import annotations

import re
from datetime import datetime

from optly.contacts import Organisation
from optly.locale.i18n import long_date
from optly.messages import Content
from optly.rendering._templates import Letterhead, wrapped


def complaint_received(head: Letterhead, *, reference: str, on: datetime, by: datetime) -> Content:
    """
    Return the acknowledgement of a complaint about how the person's data are used.

    Args:
        reference: The reference of the complaint.
        on: When it was received.
        by: The last day on which the law lets it be acknowledged.

    Source: Data Protection Act 2018 section 164A, inserted by the Data (Use and Access) Act 2025 section 103,
    https://www.legislation.gov.uk/ukpga/2025/18/section/103 (read 2026-11-24): receipt is acknowledged within 30 days;
    steps are taken, and progress and outcome told, without undue delay.
    """
    _ = head.translations.gettext
    received = head.day(on)
    if not (head.by_email or head.on_paper):
        text = _(
            "%(organisation)s: on %(on)s we received your complaint about your data. Reference %(reference)s. "
            "We will look into it and tell you the outcome."
        )
        return head.text(text, reference=reference, on=received)
    subject = _("%(organisation)s: we have received your complaint")
    return head.letter("complaint", subject, reference=reference, on=received, by=head.day(by))


def complaint_outcome(head: Letterhead, *, reference: str, outcome: str) -> Content:
    """
    Return the message with the outcome of a complaint, in the organisation's own words.

    Args:
        reference: The reference of the complaint.
        outcome: Plain text; an empty line begins a new paragraph.

    Source: as for `complaint_received`; section 164A(4)(b), the outcome is told without undue delay.
    """
    _ = head.translations.gettext
    if not (head.by_email or head.on_paper):
        text = _("%(organisation)s: the outcome of your complaint %(reference)s: %(outcome)s")
        return head.text(text, reference=reference, outcome=" ".join(outcome.split()))
    subject = _("%(organisation)s: the outcome of your complaint")
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", outcome) if part.strip()]
    return head.letter("complaint_outcome", subject, reference=reference, paragraphs=paragraphs)


def complaint_alert(
    organisation: Organisation, *, contact: str, reference: str, by: datetime, reminder: bool = False
) -> Content:
    """
    Return the alert to the organisation itself, in English. It names the complaint by its reference and the contact by
    their id.

    Args:
        contact: The id of the contact.
        by: The last day on which the law lets the complaint be acknowledged.
        reminder: Whether this is a second alert, because nobody has acted on the first.
    """
    day = long_date(by)
    subject = f"Complaint {reference}: acknowledge by {day}"
    made = "is still waiting" if reminder else "was made"
    paragraphs = (
        wrapped(f"A complaint about how {organisation.name} uses someone’s data {made}."),
        f"Complaint: {reference}\nContact: {contact}",
        wrapped(
            f"By law you must acknowledge it by {day}, look into it without undue delay, keep the person informed of "
            "progress, and tell them the outcome (Data Protection Act 2018, section 164A). The complaint itself is on "
            "record: this message does not repeat it."
        ),
    )
    return Content(subject=f"Reminder: {subject}" if reminder else subject, text="\n\n".join(paragraphs) + "\n")
