# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
An email backend that sends marketing only if the gate allows it.

With ``EMAIL_BACKEND = "optly.contrib.django.mail.GatedEmailBackend"``, or with it as the default of ``MAILERS``, every
email of the site goes through it, whichever application sends it. The site marks an email as marketing by its purpose:
with `MarketingEmail`, or with the header ``X-Optly-Purpose: offers``. It marks others with ``X-Optly-Kind: service``.
An unmarked email is refused, unless ``OPTLY["UNMARKED"]`` is ``"service"``; it is then sent unchanged. An email that
goes only to the site's ``ADMINS`` and ``MANAGERS`` is always sent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, cast

import attrs
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

from optly import errors
from optly.contacts import Channel, Contact
from optly.contrib.django import _email
from optly.contrib.django._mailers import inner_backend
from optly.contrib.django._settings import Unmarked
from optly.contrib.django._site import get_manager, get_settings
from optly.contrib.django.signals import mail_withheld
from optly.rendering import Letterhead
from optly.rules import Decision, Facts, RefusalCost

_log = logging.getLogger("optly")

# What the frame of every email provides.
_KEPT: Final[Facts] = {
    "shows_identity": True,
    "gives_stop_address": True,
    "offers_refusal": True,
    "refusal_cost": RefusalCost.FREE,
}


# What `MAILERS` passes to every backend.
_DJANGOS_OWN: Final = ("alias", "_ignore_unknown_kwargs")


class MarketingEmail(EmailMultiAlternatives):
    """
    A marketing email.

    Args:
        purpose: The key of its purpose. The other arguments are those of `EmailMultiAlternatives`.
    """

    def __init__(self, *args: Any, purpose: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Not changed in place: the dictionary belongs to the caller.
        self.extra_headers: Any = {**self.extra_headers, _email.PURPOSE: purpose}


class UnmarkedMailError(errors.UsageError):
    """
    An email does not say whether it is marketing, and the site refuses such emails. Nothing was sent.
    """


class MailWithheldError(errors.NotPermittedError):
    """
    Emails were withheld. Everything that is allowed was sent.

    Attributes:
        decision: Why the first was withheld.
        decisions: Why each was withheld, in order.
        sent: How many emails of the call were sent to at least one recipient.
    """

    def __init__(self, message: str, *, decisions: tuple[Decision, ...], sent: int) -> None:
        super().__init__(message, decision=decisions[0])
        self.decisions = decisions
        self.sent = sent


class GatedEmailBackend(BaseEmailBackend):
    """
    Screens marketing, and sends with the backend that ``OPTLY["EMAIL_INNER_BACKEND"]`` names: by its path, or by its
    alias if the site has ``MAILERS``.

    A marketing email becomes one email for each recipient in ``to``, ``cc`` and ``bcc``, so that no one gets the stop
    link or sees the address of another. Each has the sender's identity, a MyOptly link and a stop link in every form of
    its body, and the headers with which mail programs unsubscribe. It is recorded just before it is sent, because an
    attempt counts. If the gate refuses a recipient, nothing is sent to them; the signal `mail_withheld` is sent, and
    the refusal is logged without the address.

    Sending returns how many of the emails were sent to at least one recipient. Unless it is to fail silently, it raises
    an error if anything was withheld, after sending everything else.
    """

    def __init__(self, fail_silently: bool = False, **kwargs: Any) -> None:
        # Django 6.1 passes the alias to backends, and no longer keeps `fail_silently` for them.
        super().__init__(**{name: kwargs.pop(name) for name in _DJANGOS_OWN if name in kwargs})
        self.fail_silently = fail_silently
        self._inner = inner_backend(get_settings().inner_backend, fail_silently=fail_silently, **kwargs)

    def open(self) -> Any:
        return self._inner.open()

    def close(self) -> None:
        self._inner.close()

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """
        Send what is allowed.

        Raises:
            UsageError: An email is marked wrongly, for example with an unknown purpose. Nothing was sent.
            UnmarkedMailError: An email is not marked. Nothing was sent.
            MailWithheldError: Something was withheld. Everything else was sent.
        """
        emails = [_read(message) for message in email_messages]
        dispatch = _Dispatch(self._inner)
        for message in (email.message for email in emails if email.refused):
            if not self.fail_silently:
                raise UnmarkedMailError(
                    "an email does not say whether it is marketing: send a MarketingEmail, add the header "
                    f"{_email.PURPOSE} or X-Optly-Kind: service, or set OPTLY['UNMARKED']"
                )
            for recipient in _email.recipients_of(message):
                dispatch.withhold(message, recipient, None)
        try:
            dispatch.send([email for email in emails if not email.refused])
        except errors.RetryableError as error:
            if not self.fail_silently:
                raise
            _log.warning("gate unavailable; emails not sent", extra={"error": str(error)})
        if dispatch.refusals and not self.fail_silently:
            raise MailWithheldError(
                f"{len(dispatch.refusals)} withheld, the first because: {dispatch.refusals[0].explanation}",
                decisions=tuple(dispatch.refusals),
                sent=dispatch.sent,
            )
        return dispatch.sent


@attrs.frozen(kw_only=True)
class _Email:
    """
    An email of the site.

    Attributes:
        purpose: The purpose of a marketing email. None if it is sent unchanged or refused.
        recipients: The people to screen it for.
    """

    message: EmailMessage = attrs.field(repr=False)
    purpose: str | None = None
    recipients: tuple[_email.Recipient, ...] = attrs.field(default=(), repr=False)
    refused: bool = False


def _read(message: EmailMessage) -> _Email:
    purpose, is_service = _email.mark_of(message)
    if purpose is not None:
        known = get_manager().purposes
        if purpose not in known:
            raise errors.UnknownPurposeError(f"no such purpose; the purposes are {', '.join(known)}")
        return _Email(message=message, purpose=purpose, recipients=_email.recipients_of(message))
    passes = is_service or get_settings().unmarked is Unmarked.SERVICE or _email.is_for_the_site(message)
    return _Email(message=_email.without_marks(message), refused=not passes)


@attrs.define
class _Dispatch:
    """
    The emails of one call.

    Attributes:
        sent: How many were sent to at least one recipient.
        refusals: The refusals of the gate.
    """

    _inner: Any
    sent: int = attrs.field(default=0, init=False)
    refusals: list[Decision] = attrs.field(factory=list, init=False)

    def send(self, emails: Sequence[_Email]) -> None:
        """
        Send emails in order. Addresses for the same purpose are looked up together.
        """
        screens = {purpose: _screen(emails, purpose) for purpose in {email.purpose for email in emails} if purpose}
        if not emails:
            return
        opened = self._inner.open()
        try:
            for purpose, run in groupby(emails, key=attrgetter("purpose")):
                if purpose is None:
                    self.sent += self._inner.send_messages([email.message for email in run]) or 0
                else:
                    for email in run:
                        self.sent += self._send_to_each(email, purpose, screens[purpose])
        finally:
            if opened:
                self._inner.close()

    def _send_to_each(self, email: _Email, purpose: str, decisions: Iterator[Decision]) -> bool:
        sent = 0
        for recipient in email.recipients:
            decision, own = _record(email.message, recipient, purpose, next(decisions))
            if own is None:
                self.withhold(email.message, recipient, decision)
            else:
                sent += self._inner.send_messages([own]) or 0
        return sent > 0

    def withhold(self, message: EmailMessage, recipient: _email.Recipient, decision: Decision | None) -> None:
        """
        Report an email that one recipient does not get.
        """
        if decision is None:
            _log.warning("unmarked email withheld")
        else:
            self.refusals.append(decision)
            _log.info(
                "email withheld",
                extra={
                    "contact": decision.contact,
                    "purpose": decision.purpose,
                    "reason": decision.reason,
                    "regulation": decision.regulation,
                },
            )
        mail_withheld.send_robust(
            sender=GatedEmailBackend, message=message, recipient=recipient.text, decision=decision
        )


def _screen(emails: Sequence[_Email], purpose: str) -> Iterator[Decision]:
    addresses = (recipient.address for email in emails if email.purpose == purpose for recipient in email.recipients)
    return get_manager().screen(addresses, Channel.EMAIL, purpose)


def _record(
    message: EmailMessage, recipient: _email.Recipient, purpose: str, decision: Decision
) -> tuple[Decision, EmailMessage | None]:
    """
    Check an email again, record it and return the recipient's copy, or the decision against it.
    """
    if not decision:
        return decision, None
    manager, contact, line = get_manager(), Contact(decision.contact), decision.line
    try:
        language = manager.standing(contact).language
        stop = manager.unsubscribe_headers(contact, purpose, line=line)["List-Unsubscribe"].strip("<>")
        link = manager.link(contact, line=line)
        decision = manager.record_communication(contact, Channel.EMAIL, purpose, line=line, **_KEPT)
    except errors.NotPermittedError as refusal:
        return cast(Decision, refusal.decision), None
    except (errors.MissingLineError, errors.UnknownContactError):
        # The contact was erased, or the address removed, since it was looked up.
        return _record(message, recipient, purpose, manager.check(recipient.address, Channel.EMAIL, purpose))
    head = Letterhead(
        organisation=manager.organisation, link=link, stop=stop, language=language, more=manager.catalogues
    )
    return decision, _email.personal(message, recipient, head, decision.reason)
