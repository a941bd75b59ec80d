"""
What contacts do for themselves on their MyOptly page, beyond answering and stopping: raise a session by a one-time
code, see and correct their details, see their history, have a copy sent, and complain.

It is what the pages and the JSON API are made of. A host needs it only where it draws pages of its own by other means.
"""

from __future__ import annotations

import attrs

from optly._operations import complaints, details, sessions
from optly._operations.desk import Desk
from optly._operations.run import run_to_completion
from optly._operations.setup import read_own
from optly.contacts.addresses import AddressKind, EmailAddress, PhoneNumber, PostalAddress
from optly.record.consent import Complaint
from optly.record.views import Details, History


@attrs.frozen
class SelfService:
    """
    The self-service of one manager. Blocking; safe to share between threads.
    """

    _desk: Desk = attrs.field(repr=False)

    def request_code(self, code: str) -> str:
        """
        Have a one-time code of six digits sent to the line a question link or a MyOptly link was sent to.

        Returns:
            The code of a session: a secret for that browser alone. It may do what the link may, and more once `step_up`
            has raised it. It ends after thirty minutes, when links are revoked, and when an address changes. Given such
            a code, another code of digits is sent for the same session.

        Raises:
            LinkError: As for `ConsentManager.open`.
            NoBackendError: Nothing can be sent to that line.
            TooManyTriesError: Three in a quarter of an hour, or six in a day.
        """
        return run_to_completion(sessions.request_code(self._desk, code))

    def step_up(self, session: str, digits: str) -> str:
        """
        Raise a session by the digits that were sent. They count for ten minutes, once.

        Returns:
            The code of the raised session. The earlier one is over.

        Raises:
            WrongDigitsError: They are not those that were sent, or their time is over.
            TooManyTriesError: Five were tried in ten minutes.
            LinkInvalidError, SessionError: The session is over.
        """
        return run_to_completion(sessions.step_up(self._desk, session, digits))

    def stay(self, session: str) -> str:
        """
        Prolong a session by thirty minutes from now, up to twelve hours in all, and return its new code.

        Raises:
            LinkInvalidError, SessionError: The session is over.
        """
        return run_to_completion(sessions.stay(self._desk, session))

    def finish(self, session: str) -> None:
        """
        End a session. Harmless when it is over.

        Raises:
            LinkInvalidError: It is no code at all.
        """
        run_to_completion(sessions.finish(self._desk, session))

    def details(self, session: str) -> Details:
        """
        Return what is held of the contact, unmasked.

        Raises:
            SessionError: The session is not raised, or is over.
            LinkInvalidError: The session is over.
        """
        return run_to_completion(details.details(self._desk, session))

    def change_details(
        self,
        session: str,
        *,
        name: str | None = None,
        language: str | None = None,
        address: str | PostalAddress | None = None,
    ) -> str:
        """
        Change the name, the language or the postal address. None leaves a detail as it is.

        Returns:
            The code of the session, which is a new one if an address changed.

        Raises:
            AddressError: The address is malformed.
            LineTakenError: It belongs to another contact.
            LinkInvalidError, SessionError: As for `details`.
        """
        return run_to_completion(
            details.change_own(self._desk, session, name=name, language=language, address=read_own(address))
        )

    def propose(self, session: str, address: EmailAddress | PhoneNumber) -> None:
        """
        Have a one-time code sent to a new email address or telephone number. Nothing changes before `prove`.

        Raises:
            AnswerError: It is on record already.
            NoBackendError: Nothing can be sent there.
            TooManyTriesError: Three in a quarter of an hour, or ten in a day.
            LinkInvalidError, SessionError: As for `details`.
        """
        run_to_completion(details.propose(self._desk, session, address))

    def proposed(self, session: str, kind: AddressKind) -> str:
        """
        Return the new address of a kind that waits for its code, masked; empty for none.

        Raises:
            LinkInvalidError, SessionError: As for `details`.
        """
        return run_to_completion(details.proposed(self._desk, session, kind))

    def prove(self, session: str, kind: AddressKind, digits: str) -> str:
        """
        Put the new address of a kind in the place of the present one, by the digits that were sent there. Whoever reads
        at the present one is told, with a link that undoes it for thirty days. No consent moves.

        Returns:
            The code of the session. Every earlier session of the contact is over.

        Raises:
            WrongDigitsError, TooManyTriesError: As for `step_up`.
            LineTakenError: The address belongs to another contact.
            LinkInvalidError, SessionError: As for `details`.
        """
        return run_to_completion(details.prove(self._desk, session, kind, digits))

    def history(self, session: str) -> History:
        """
        Return everything that happened, with the words that were shown.

        Raises:
            LinkInvalidError, SessionError: As for `details`.
        """
        return run_to_completion(details.history(self._desk, session))

    def send_copy(self, session: str) -> str:
        """
        Have a copy of everything that is held sent to the contact's own email address, and return that, masked.

        Raises:
            MissingLineError: There is none.
            NoBackendError: No backend serves email.
            TooManyTriesError: Three in a day.
            LinkInvalidError, SessionError: As for `details`.

        Source: UK GDPR Art 15(3).
        """
        return run_to_completion(details.send_copy(self._desk, session))

    def request_link(self, address: str, *, language: str = "en") -> None:
        """
        Have a MyOptly link sent to an email address or a telephone number, if it is on record. Whether it is, nobody
        can tell from this call, nor from the time it takes.

        Raises:
            AddressError: It is neither.
            NoBackendError: Nothing can be sent there.
            TooManyTriesError: Three in a quarter of an hour, or ten in a day, for that address.
        """
        run_to_completion(sessions.request_link(self._desk, address, language))

    def complain(self, code: str, text: str) -> Complaint:
        """
        Take down a complaint about how the contact's data are used. They are sent an acknowledgement; the organisation
        is told at its own address at once, and again a week before the time to acknowledge it is over, if nobody has.

        Args:
            code: Of a link of any kind, or of a session.
            text: Up to 5,000 characters.

        Raises:
            AnswerError: It is empty or too long.
            TooManyTriesError: Five in a day.
            LinkError: As for `ConsentManager.open`.

        Source: Data Protection Act 2018 s. 164A, in force since 19 June 2026 (as reported 2026-11-24).
        """
        return run_to_completion(complaints.complain(self._desk, code, text))


@attrs.frozen
class AsyncSelfService:
    """
    The same, awaited.
    """

    _desk: Desk = attrs.field(repr=False)

    async def request_code(self, code: str) -> str:
        """
        As :meth:`SelfService.request_code`.
        """
        return await sessions.request_code(self._desk, code)

    async def step_up(self, session: str, digits: str) -> str:
        """
        As :meth:`SelfService.step_up`.
        """
        return await sessions.step_up(self._desk, session, digits)

    async def stay(self, session: str) -> str:
        """
        As :meth:`SelfService.stay`.
        """
        return await sessions.stay(self._desk, session)

    async def finish(self, session: str) -> None:
        """
        As :meth:`SelfService.finish`.
        """
        await sessions.finish(self._desk, session)

    async def details(self, session: str) -> Details:
        """
        As :meth:`SelfService.details`.
        """
        return await details.details(self._desk, session)

    async def change_details(
        self,
        session: str,
        *,
        name: str | None = None,
        language: str | None = None,
        address: str | PostalAddress | None = None,
    ) -> str:
        """
        As :meth:`SelfService.change_details`.
        """
        return await details.change_own(self._desk, session, name=name, language=language, address=read_own(address))

    async def propose(self, session: str, address: EmailAddress | PhoneNumber) -> None:
        """
        As :meth:`SelfService.propose`.
        """
        await details.propose(self._desk, session, address)

    async def proposed(self, session: str, kind: AddressKind) -> str:
        """
        As :meth:`SelfService.proposed`.
        """
        return await details.proposed(self._desk, session, kind)

    async def prove(self, session: str, kind: AddressKind, digits: str) -> str:
        """
        As :meth:`SelfService.prove`.
        """
        return await details.prove(self._desk, session, kind, digits)

    async def history(self, session: str) -> History:
        """
        As :meth:`SelfService.history`.
        """
        return await details.history(self._desk, session)

    async def send_copy(self, session: str) -> str:
        """
        As :meth:`SelfService.send_copy`.
        """
        return await details.send_copy(self._desk, session)

    async def request_link(self, address: str, *, language: str = "en") -> None:
        """
        As :meth:`SelfService.request_link`.
        """
        await sessions.request_link(self._desk, address, language)

    async def complain(self, code: str, text: str) -> Complaint:
        """
        As :meth:`SelfService.complain`.
        """
        return await complaints.complain(self._desk, code, text)
