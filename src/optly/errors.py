"""
Every error Optly raises, in one tree whose branches follow what the caller does next.

::

    OptlyError
    ├── UsageError                  fix the call
    │   ├── AddressError            (also a ValueError)
    │   ├── NaiveDatetimeError      (also a ValueError)
    │   ├── WordingError            (also a ValueError)
    │   │   └── UnsoundWordingError
    │   ├── UnknownPurposeError     (also a LookupError)
    │   ├── UnknownChannelError     (also a LookupError)
    │   ├── UnknownContactError     (also a LookupError)
    │   ├── MissingLineError        (also a LookupError)
    │   ├── LineTakenError          (also a ValueError)
    │   ├── NoBackendError          (also a LookupError)
    │   ├── HeaderError             (also a ValueError)
    │   └── ConfigurationError
    ├── LinkError                   tell the person
    │   ├── LinkInvalidError
    │   ├── LinkExpiredError
    │   ├── LinkUsedError
    │   ├── LinkSupersededError
    │   ├── LinkRevokedError
    │   ├── SessionError
    │   ├── WrongDigitsError
    │   ├── TooManyTriesError
    │   └── AnswerError             (also a ValueError)
    │       └── TooSoonError
    ├── NotPermittedError           do not send
    ├── StopStandsError             leave it to the person
    ├── RegisterError               get a good copy of the register
    │   ├── RegisterStaleError
    │   ├── RegisterUnreadableError
    │   └── RegisterSourceError     (also a ValueError)
    ├── RetryableError              try again
    │   ├── ConflictError
    │   ├── AddressTakenError       (a ConflictError)
    │   ├── ClaimLostError          (a ConflictError)
    │   ├── StorageLockedError
    │   ├── StorageUnavailableError
    │   └── ProviderUnavailableError
    └── LedgerError                 give up and look
        ├── DamagedError
        ├── StorageFailedError
        └── SerializationError

A refusal of a *question* (``manager.check``) is a value, a :class:`~optly.rules.Decision`. A refusal of a *command* is
one of these. Messages and attributes name contacts, questions and messages by opaque ids and never carry an address, a
link or a wording. All of them can be pickled, because task queues do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol


class Refusal(Protocol):
    """
    The decision of an error: a :class:`~optly.rules.Decision`, by the attributes a caller needs.

    Errors stand below the rules and cannot name the class. Its other attributes are there after an
    ``isinstance(error.decision, Decision)``.
    """

    @property
    def allowed(self) -> bool: ...
    @property
    def reason(self) -> StrEnum: ...
    @property
    def regulation(self) -> str: ...
    @property
    def explanation(self) -> str: ...
    @property
    def would_change_it(self) -> str: ...
    @property
    def also(self) -> tuple[str, ...]: ...
    @property
    def failed(self) -> tuple[str, ...]: ...
    @property
    def evidence(self) -> tuple[int, ...]: ...
    @property
    def channel(self) -> StrEnum: ...
    @property
    def purpose(self) -> str: ...
    @property
    def contact(self) -> str: ...
    @property
    def line(self) -> int | None: ...
    @property
    def at(self) -> datetime: ...
    @property
    def edition(self) -> str: ...
    @property
    def fines(self) -> str: ...
    def __bool__(self) -> bool: ...


class Flaw(Protocol):
    """
    One flaw of a wording: a :class:`~optly.rules.lint.WordingFinding`, by its attributes.
    """

    @property
    def code(self) -> StrEnum: ...
    @property
    def channel(self) -> StrEnum | None: ...
    @property
    def excerpt(self) -> str: ...
    @property
    def severity(self) -> StrEnum: ...
    @property
    def explanation(self) -> str: ...
    @property
    def source(self) -> str: ...


def _restore(cls: type[OptlyError], args: tuple[Any, ...], facts: Mapping[str, Any]) -> OptlyError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class OptlyError(Exception):
    """
    Something Optly refuses or cannot do.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call __init__ with the message alone and lose keyword-only arguments.
        return _restore, (type(self), self.args, self.__dict__)


class UsageError(OptlyError):
    """
    The call is wrong and would be wrong again: fix it. Nothing was changed.
    """


class AddressError(UsageError, ValueError):
    """
    The text is not an address of the kind that is needed. The text itself is not repeated.
    """


class NaiveDatetimeError(UsageError, ValueError):
    """
    A datetime has no time zone, so it does not name an instant.
    """


class WordingError(UsageError, ValueError):
    """
    A wording is empty, too long, or not in the language it claims.
    """


class UnsoundWordingError(WordingError):
    """
    A consent asked for in these words would not count.

    Attributes:
        findings: What is wrong, and which case or guidance says so.
    """

    def __init__(self, message: str, *, findings: tuple[Flaw, ...]) -> None:
        super().__init__(message)
        self.findings = findings


class UnknownPurposeError(UsageError, LookupError):
    """
    The purpose is not one this manager was made with.
    """


class UnknownChannelError(UsageError, LookupError):
    """
    The text names no channel.
    """


class UnknownContactError(UsageError, LookupError):
    """
    There is no such contact, or it was erased.
    """


class MissingLineError(UsageError, LookupError):
    """
    The contact has no address or number for the channel.
    """


class LineTakenError(UsageError, ValueError):
    """
    An address or number belongs to another contact, and one line has one holder.
    """


class NoBackendError(UsageError, LookupError):
    """
    No message backend was given for the channel.
    """


class HeaderError(UsageError, ValueError):
    """
    A header or an envelope address holds a line break or another control character.
    """


class ConfigurationError(UsageError):
    """
    The manager, a backend or a store was set up in a way that cannot work.
    """


class LinkError(OptlyError):
    """
    A link does not allow what was tried. Tell the person; nothing was changed.
    """


class LinkInvalidError(LinkError):
    """
    The link is unknown, was altered, or was signed with a key that is not among the keys.
    """


class LinkExpiredError(LinkError):
    """
    The question behind the link was to be answered by an instant that has passed.

    Attributes:
        expired_at: The last instant at which an answer counted. Aware.
    """

    def __init__(self, message: str, *, expired_at: datetime) -> None:
        super().__init__(message)
        self.expired_at = expired_at


class LinkUsedError(LinkError):
    """
    The question behind the link was already answered.

    Attributes:
        answered_at: When it was answered. Aware.
    """

    def __init__(self, message: str, *, answered_at: datetime) -> None:
        super().__init__(message)
        self.answered_at = answered_at


class LinkSupersededError(LinkError):
    """
    A newer question, or a stop, took the place of the question behind the link.
    """


class LinkRevokedError(LinkError):
    """
    The link was revoked, or the contact it opened was erased.
    """


class AnswerError(LinkError, ValueError):
    """
    The answer does not fit the question: a choice is missing, or one was answered that was not asked.
    """


class TooSoonError(AnswerError):
    """
    A confirmation came so soon after what it confirms that no person can have read it.
    """


class SessionError(LinkError):
    """
    The session is over, or has not been raised by a one-time code: begin again at the link.
    """


class WrongDigitsError(LinkError):
    """
    The digits are not those of a one-time code that was sent for this, or its ten minutes are over.
    """


class TooManyTriesError(LinkError):
    """
    It was tried too often in too short a time.

    Attributes:
        until: When it can be tried again, at the latest. Aware.
    """

    def __init__(self, message: str, *, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class NotPermittedError(OptlyError):
    """
    The law, as the rulebook reads it, does not allow the message. Nothing was queued or sent.

    Attributes:
        decision: Why, under which provision, and what would change it.
    """

    def __init__(self, message: str, *, decision: Refusal) -> None:
        super().__init__(message)
        self.decision = decision


class StopStandsError(OptlyError):
    """
    Somebody other than the person tried to record a consent over a stop that only the person can lift. Nothing was
    recorded.
    """


class RegisterError(OptlyError):
    """
    A register of numbers that must not be called cannot be asked. Do not call; get a good copy first.
    """


class RegisterStaleError(RegisterError):
    """
    The copy of the register is too old to screen with: numbers listed since are missing from it.

    Attributes:
        as_of: The date of the copy.
    """

    def __init__(self, message: str, *, as_of: date) -> None:
        super().__init__(message)
        self.as_of = as_of


class RegisterUnreadableError(RegisterError):
    """
    The copy of the register is missing, cut short, altered, or of a form this version cannot read.
    """


class RegisterSourceError(RegisterError, ValueError):
    """
    A licence file cannot be read as a list of numbers. Nothing was built; a copy that was there before stays.
    """


class RetryableError(OptlyError):
    """
    The same call may succeed if it is made again. Nothing was changed.
    """


class ConflictError(RetryableError):
    """
    Another writer was faster, and kept being faster until the attempts were used up.
    """


class AddressTakenError(ConflictError):
    """
    The address was given to another contact in the meantime.
    """


class ClaimLostError(ConflictError):
    """
    A message whose outcome was to be recorded is no longer claimed by whoever sent it: it was settled, put back,
    claimed again or erased in the meantime.
    """


class StorageLockedError(RetryableError):
    """
    Another process holds the store.
    """


class StorageUnavailableError(RetryableError):
    """
    The store cannot be reached, or its connection was lost.
    """


class ProviderUnavailableError(RetryableError):
    """
    A provider cannot be asked now. Nothing follows from its silence.
    """


class LedgerError(OptlyError):
    """
    The record itself is damaged or cannot be read. Stop and look before writing anything more.
    """


class DamagedError(LedgerError):
    """
    A stored record is not what was written.

    Attributes:
        line: The number of the damaged line, from 1, for a file store; None elsewhere.
    """

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class StorageFailedError(LedgerError):
    """
    A write to disk failed part-way. The store refuses further work until it is opened again.
    """


class SerializationError(LedgerError):
    """
    A value cannot be written in the canonical form, or a stored one has a type this version does not know.
    """
