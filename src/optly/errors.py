"""
Every error Optly raises, in one tree whose branches follow what the caller does next.

::

    OptlyError
    ├── UsageError                  fix the call
    │   ├── InvalidValueError       (also a ValueError)
    │   ├── AddressError            (also a ValueError)
    │   ├── NaiveDatetimeError      (also a ValueError)
    │   ├── WordingError            (also a ValueError)
    │   │   └── UnsoundWordingError
    │   ├── UnknownPurposeError     (also a LookupError)
    │   ├── UnknownChannelError     (also a LookupError)
    │   ├── UnknownContactError     (also a LookupError)
    │   ├── UnknownComplaintError   (also a LookupError)
    │   ├── MissingLineError        (also a LookupError)
    │   ├── AmbiguousLineError      (also a LookupError)
    │   ├── AmbiguousContactError   (also a LookupError)
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
    ├── RegisterError               get a good copy of the register
    │   ├── RegisterStaleError
    │   ├── RegisterUnreadableError
    │   └── RegisterSourceError     (also a ValueError)
    ├── RetryableError              try again
    │   ├── ConflictError
    │   ├── ReferenceTakenError     (a ConflictError)
    │   ├── ClaimLostError          (a ConflictError)
    │   ├── StorageFullError        move to a database, or allow more
    │   ├── StorageLockedError
    │   ├── StorageUnavailableError
    │   ├── KeyMissingError         restart this process with every key
    │   └── ProviderUnavailableError
    └── LedgerError                 stop and investigate
        ├── DamagedError
        ├── StorageFailedError
        └── SerializationError

A refusal of a *question* (``manager.check``) is a value, a :class:`~optly.rules.Decision`. A refusal of a *command* is
one of these. Messages and attributes name contacts, questions and messages by opaque ids and never contain an address,
a link or a wording. All errors can be pickled, because task queues do that.
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
    The root of all errors.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call __init__ with the message alone and lose keyword-only arguments.
        return _restore, (type(self), self.args, self.__dict__)


class UsageError(OptlyError):
    """
    The call is wrong and will fail again: fix it. Nothing was changed.
    """


class InvalidValueError(UsageError, ValueError):
    """
    An argument or a field is not of its type, or is a text that cannot be kept. The message names it, and what it must
    be, and does not repeat the value.
    """


class AddressError(UsageError, ValueError):
    """
    The text is not an address of the required kind. The message does not repeat the text.
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
    A consent given to this wording would not be valid.

    Attributes:
        findings: The flaws, each with the case or guidance behind it.
    """

    def __init__(self, message: str, *, findings: tuple[Flaw, ...]) -> None:
        super().__init__(message)
        self.findings = findings


class UnknownPurposeError(UsageError, LookupError):
    """
    The purpose is not one of the manager's purposes.
    """


class UnknownChannelError(UsageError, LookupError):
    """
    There is no channel of that name.
    """


class UnknownContactError(UsageError, LookupError):
    """
    There is no such contact, or it was erased.
    """


class UnknownComplaintError(UsageError, LookupError):
    """
    There is no such complaint, or its reference was mistyped: every reference ends with a letter that checks it.
    """


class MissingLineError(UsageError, LookupError):
    """
    The contact has no address or number for the channel.
    """


class AmbiguousLineError(UsageError, LookupError):
    """
    The contact has several addresses or numbers for the channel, and the call names none of them.
    """


class AmbiguousContactError(UsageError, LookupError):
    """
    The address has several holders, and the call does not say who is meant.
    """


class NoBackendError(UsageError, LookupError):
    """
    The manager has no message backend for the channel.
    """


class HeaderError(UsageError, ValueError):
    """
    A header or an envelope address contains a line break or another control character.
    """


class ConfigurationError(UsageError):
    """
    The settings of the manager, a backend or a store cannot work.
    """


class LinkError(OptlyError):
    """
    The link does not allow this. Tell the person; nothing was changed.
    """


class LinkInvalidError(LinkError):
    """
    The link is unknown, was altered, or was signed with a key the manager does not have.
    """


class LinkExpiredError(LinkError):
    """
    The time to answer the question has passed.

    Attributes:
        expired_at: The last instant at which an answer counted. Aware.
    """

    def __init__(self, message: str, *, expired_at: datetime) -> None:
        super().__init__(message)
        self.expired_at = expired_at


class LinkUsedError(LinkError):
    """
    The question has already been answered.

    Attributes:
        answered_at: When it was answered. Aware.
    """

    def __init__(self, message: str, *, answered_at: datetime) -> None:
        super().__init__(message)
        self.answered_at = answered_at


class LinkSupersededError(LinkError):
    """
    A newer question, answer or stop has replaced the question.
    """


class LinkRevokedError(LinkError):
    """
    The link was revoked, or the contact it opened was erased.
    """


class AnswerError(LinkError, ValueError):
    """
    The answer does not fit the question: no choice was answered, or one that was not asked.
    """


class TooSoonError(AnswerError):
    """
    The confirmation came so soon that no person can have read what it confirms.
    """


class SessionError(LinkError):
    """
    The session has ended, or needs a one-time code first: start again from the link.
    """


class WrongDigitsError(LinkError):
    """
    The one-time code is wrong, or its ten minutes have passed.
    """


class TooManyTriesError(LinkError):
    """
    There were too many attempts in a short time.

    Attributes:
        until: When another attempt is possible, at the latest. Aware.
    """

    def __init__(self, message: str, *, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class NotPermittedError(OptlyError):
    """
    The rulebook does not allow the message. Nothing was queued or sent.

    Attributes:
        decision: The :class:`~optly.rules.Decision`: why, under which provision, and what would change it.
    """

    def __init__(self, message: str, *, decision: Refusal) -> None:
        super().__init__(message)
        self.decision = decision


class RegisterError(OptlyError):
    """
    A register of numbers that must not be called cannot be checked. Do not call; get a good copy first.
    """


class RegisterStaleError(RegisterError):
    """
    The copy of the register is too old to screen with: numbers listed since then are missing from it.

    Attributes:
        as_of: The date of the copy.
    """

    def __init__(self, message: str, *, as_of: date) -> None:
        super().__init__(message)
        self.as_of = as_of


class RegisterUnreadableError(RegisterError):
    """
    The copy of the register is missing, truncated, altered, or in a format this version cannot read.
    """


class RegisterSourceError(RegisterError, ValueError):
    """
    A licence file is not a readable list of numbers. Nothing was built; an earlier copy is kept.
    """


class RetryableError(OptlyError):
    """
    The same call may succeed if repeated. Nothing was changed.
    """


class ConflictError(RetryableError):
    """
    Another writer was faster at every attempt.
    """


class ReferenceTakenError(ConflictError):
    """
    Another contact got the reference in the meantime.
    """


class ClaimLostError(ConflictError):
    """
    The outcome of a message cannot be recorded, because the sender no longer holds its claim: the message was settled,
    returned to the queue, claimed again or erased in the meantime.
    """


class StorageFullError(RetryableError):
    """
    A file store has reached the size it may have. Stops, erasures and what others report are still written.
    """


class StorageLockedError(RetryableError):
    """
    Another process has locked the store.
    """


class StorageUnavailableError(RetryableError):
    """
    The store cannot be reached, or the connection was lost.
    """


class KeyMissingError(RetryableError):
    """
    The record is written with a key that this process does not have, so it could not see every stop.

    Restart the process with that key in ``Keys(previous=[…])``. Another process may have it already.
    """


class ProviderUnavailableError(RetryableError):
    """
    A provider does not answer at the moment. Draw no conclusion from that.
    """


class LedgerError(OptlyError):
    """
    The record itself is damaged or cannot be read. Stop and investigate before writing anything more.
    """


class DamagedError(LedgerError):
    """
    A stored record differs from what was written.

    Attributes:
        line: The number of the damaged line, from 1, for a file store; None elsewhere.
    """

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class StorageFailedError(LedgerError):
    """
    A write to disk failed part-way. The store refuses further work until it is reopened.
    """


class SerializationError(LedgerError):
    """
    A value cannot be written in the canonical form, or a stored value has a type this version does not know.
    """
