# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
An email backend that lets marketing out only where the gate does.

With ``EMAIL_BACKEND = "optly.contrib.django.mail.GatedEmailBackend"``, or that as the default of ``MAILERS``, every
mail of the site goes through it, whichever application sends it. Which mails are marketing the site says, by the
purpose they are for: with `MarketingEmail`, or with a header ``X-Optly-Purpose: offers``. ``X-Optly-Kind: service``
says that a mail is none. What says neither is refused, unless ``OPTLY["UNMARKED"]`` is ``"service"``, which has it sent
as it is. What goes to nobody but the site's own ``ADMINS`` and ``MANAGERS`` is always sent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final, cast

import attrs
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

from optly.contacts.addresses import Channel
from optly.contacts.parties import Contact
from optly.contrib.django._current import get_manager, get_settings
from optly.contrib.django._letters import (
    PURPOSE,
    Frame,
    Recipient,
    is_for_the_site,
    mark_of,
    personal,
    recipients_of,
    without_marks,
)
from optly.contrib.django._mailers import inner_backend
from optly.contrib.django._settings import Unmarked
from optly.contrib.django.signals import mail_withheld
from optly.errors import (
    MissingLineError,
    NotPermittedError,
    RetryableError,
    UnknownContactError,
    UnknownPurposeError,
    UsageError,
)
from optly.rules import Decision, Facts, RefusalCost

_log = logging.getLogger("optly")

# What the frame around every mail sees to.
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
    A mail that is marketing.

    Args:
        purpose: The key of the purpose it is for. Everything else is as for `EmailMultiAlternatives`.
    """

    def __init__(self, *args: Any, purpose: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Not changed in place: the dictionary is the caller's.
        self.extra_headers: Any = {**self.extra_headers, PURPOSE: purpose}


class UnmarkedMailError(UsageError):
    """
    A mail does not say whether it is marketing, and the site lets no such mail out. Nothing was sent.
    """


class MailWithheldError(NotPermittedError):
    """
    Mails were held back. Everything that may go out was sent.

    Attributes:
        decision: Why the first of them was.
        decisions: Why each of them was, in order.
        sent: How many mails of the call were sent to somebody.
    """

    def __init__(self, message: str, *, decisions: tuple[Decision, ...], sent: int) -> None:
        super().__init__(message, decision=decisions[0])
        self.decisions = decisions
        self.sent = sent


class GatedEmailBackend(BaseEmailBackend):
    """
    Screens marketing, and hands mails over with the backend that ``OPTLY["EMAIL_INNER_BACKEND"]`` names: by its path,
    or by its alias where the site has ``MAILERS``.

    A marketing mail becomes one for each of its recipients, in ``to``, ``cc`` and ``bcc`` alike, so that nobody gets
    the stop link or sees the address of somebody else. Each has the identity of the sender, a MyOptly link and a stop
    link in every form of its body, and the headers by which mail programs stop it. It is put on record just before it
    is handed over, because an attempt counts. A recipient the gate refuses gets nothing, and is told of by the signal
    `mail_withheld` and in the log, there without the address.

    Sending returns how many of the mails were sent to somebody. Unless it is to fail silently, it raises if something
    was held back, after everything else is sent.
    """

    def __init__(self, fail_silently: bool = False, **kwargs: Any) -> None:
        # Django 6.1 has backends told their alias, and no longer keeps for them whether they are to fail silently.
        super().__init__(**{name: kwargs.pop(name) for name in _DJANGOS_OWN if name in kwargs})
        self.fail_silently = fail_silently
        self._inner = inner_backend(get_settings().inner_backend, fail_silently=fail_silently, **kwargs)

    def open(self) -> Any:
        return self._inner.open()

    def close(self) -> None:
        self._inner.close()

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """
        Send what may be sent.

        Raises:
            UsageError: A mail says of itself what cannot be, such as a purpose that there is not. Nothing was sent.
            UnmarkedMailError: A mail does not say what it is. Nothing was sent.
            MailWithheldError: Something was held back. Everything else was sent.
        """
        mails = [_read(message) for message in email_messages]
        dispatch = _Dispatch(self._inner)
        for message in (mail.message for mail in mails if mail.refused):
            if not self.fail_silently:
                raise UnmarkedMailError(
                    f"a mail does not say whether it is marketing: send a MarketingEmail, give it the header {PURPOSE} "
                    "or X-Optly-Kind: service, or set OPTLY['UNMARKED']"
                )
            for recipient in recipients_of(message):
                dispatch.withhold(message, recipient, None)
        try:
            dispatch.send([mail for mail in mails if not mail.refused])
        except RetryableError as error:
            if not self.fail_silently:
                raise
            _log.warning("the gate cannot be asked, so mails are not sent", extra={"error": str(error)})
        if dispatch.refusals and not self.fail_silently:
            raise MailWithheldError(
                f"{len(dispatch.refusals)} held back, the first because: {dispatch.refusals[0].explanation}",
                decisions=tuple(dispatch.refusals),
                sent=dispatch.sent,
            )
        return dispatch.sent


@attrs.frozen(kw_only=True)
class _Mail:
    """
    A mail of the site's.

    Attributes:
        purpose: What it is marketing for. None for what is sent as it is, or refused.
        recipients: Whom it has to be screened for.
    """

    message: EmailMessage = attrs.field(repr=False)
    purpose: str | None = None
    recipients: tuple[Recipient, ...] = attrs.field(default=(), repr=False)
    refused: bool = False


def _read(message: EmailMessage) -> _Mail:
    mark = mark_of(message)
    if mark.purpose is not None:
        known = get_manager().purposes
        if mark.purpose not in known:
            raise UnknownPurposeError(f"no such purpose; the purposes are {', '.join(known)}")
        return _Mail(message=message, purpose=mark.purpose, recipients=recipients_of(message))
    passes = mark.service or get_settings().unmarked is Unmarked.SERVICE or is_for_the_site(message)
    return _Mail(message=without_marks(message), refused=not passes)


@attrs.define
class _Dispatch:
    """
    One call's worth of mails.

    Attributes:
        sent: How many were sent to somebody.
        refusals: What the gate refused.
    """

    _inner: Any
    sent: int = attrs.field(default=0, init=False)
    refusals: list[Decision] = attrs.field(factory=list, init=False)

    def send(self, mails: Sequence[_Mail]) -> None:
        """
        Send mails in order. Those for one purpose are looked up together, as they come.
        """
        screens = {purpose: _screened(mails, purpose) for purpose in {mail.purpose for mail in mails} if purpose}
        if not mails:
            return
        opened = self._inner.open()
        try:
            for purpose, run in groupby(mails, key=_purpose):
                if purpose is None:
                    self.sent += self._inner.send_messages([mail.message for mail in run]) or 0
                else:
                    for mail in run:
                        self.sent += self._send_to_each(mail, purpose, screens[purpose])
        finally:
            if opened:
                self._inner.close()

    def _send_to_each(self, mail: _Mail, purpose: str, decisions: Iterator[Decision]) -> bool:
        handed_over = 0
        for recipient in mail.recipients:
            decision, own = _recorded(mail.message, recipient, purpose, next(decisions))
            if own is None:
                self.withhold(mail.message, recipient, decision)
            else:
                handed_over += self._inner.send_messages([own]) or 0
        return handed_over > 0

    def withhold(self, message: EmailMessage, recipient: Recipient, decision: Decision | None) -> None:
        """
        Tell of a mail that somebody does not get.
        """
        if decision is None:
            _log.warning("a mail that names no purpose was held back")
        else:
            self.refusals.append(decision)
            _log.info(
                "a mail was held back",
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


def _purpose(mail: _Mail) -> str | None:
    return mail.purpose


def _screened(mails: Sequence[_Mail], purpose: str) -> Iterator[Decision]:
    addresses = (recipient.address for mail in mails if mail.purpose == purpose for recipient in mail.recipients)
    return get_manager().screen(addresses, Channel.EMAIL, purpose)


def _recorded(
    message: EmailMessage, recipient: Recipient, purpose: str, decision: Decision
) -> tuple[Decision, EmailMessage | None]:
    """
    Gate a mail again, put it on record and return it as its recipient gets it; or why they do not.
    """
    if not decision:
        return decision, None
    manager, contact, line = get_manager(), Contact(decision.contact), decision.line
    try:
        language = manager.standing(contact).language
        stop = manager.unsubscribe_headers(contact, purpose, line=line)
        link = manager.link(contact, line=line)
        decision = manager.record_communication(contact, Channel.EMAIL, purpose, line=line, **_KEPT)
    except NotPermittedError as refusal:
        return cast(Decision, refusal.decision), None
    except (MissingLineError, UnknownContactError):
        # They were erased, or gave the address up, since they were looked up.
        return _recorded(message, recipient, purpose, manager.check(recipient.address, Channel.EMAIL, purpose))
    frame = Frame(
        organisation=manager.organisation,
        reason=decision.reason,
        link=link,
        stop=stop,
        language=language,
        catalogues=manager.catalogues,
    )
    return decision, personal(message, recipient, frame)
