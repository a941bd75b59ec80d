"""
The person's face, in its awaited form.

It is what the pages and the JSON API are made of. A host needs it only to draw pages of its own by other means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import attrs

from optly._operations import access, choices, complaints, details, sessions, stops
from optly._operations.access import Access, Circumstances
from optly._operations.application import Application
from optly._operations.arguments import read_own
from optly.contacts.addresses import AddressKind, Channel, EmailAddress, PhoneNumber, PostalAddress
from optly.contacts.parties import Organisation
from optly.contacts.purposes import Purpose
from optly.links import Pages, StopScope
from optly.protocols import Clock
from optly.record.commands import Context
from optly.record.consent import Complaint, Standing
from optly.record.views import AfterStop, Details, History, Opened


class AsyncPerson:
    """
    Someone who came by a code: the last part of a link's address, or the code of a session.

    What the code opens is looked up once, when they enter; what they then change is seen at once. Made by
    `AsyncSelfService.enter`, for one request. The awaited form.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    async def open(self, *, language: str = "") -> Opened:
        """
        Return what is behind a question link, a MyOptly link, a link that undoes something, or a session. Changes
        nothing.

        Args:
            language: The language to show the choices in, by default the contact's. A question stays in its own.

        Raises:
            LinkUsedError, LinkSupersededError, LinkExpiredError: The question can no longer be answered.
            LinkRevokedError: The address the link was sent to is no longer on record.
        """
        return await choices.open_link(self._access, language)

    # ---- choices

    async def answer(
        self,
        answers: Mapping[tuple[Channel, str], bool],
        *,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Answer the question, once. What is not in *answers* stays unanswered.

        Args:
            answers: Yes or no by channel and purpose.
            context: Where the answer came from, if the host wishes to keep that.
            language: The language of the page, recorded with the answer.
            hold_within: A yes that comes so soon after its link was sent may be that of a program which presses every
                button. It is held and allows nothing until `confirm`. A no counts at once. None holds nothing.

        Raises:
            AnswerError: It does not fit the question, or says nothing.
            LinkError: As for `open`.
        """
        return await choices.answer(self._access, answers, Circumstances(context, language, hold_within))

    async def choose(
        self,
        answers: Mapping[tuple[Channel, str], bool],
        *,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Change choices, through a MyOptly link or in a session. Arguments and errors as for `answer`; in a *language*
        other than the contact's, the words agreed to are those of that language.
        """
        return await choices.choose(self._access, answers, Circumstances(context, language, hold_within))

    async def confirm(self, *, context: Context | None = None, language: str = "") -> Standing:
        """
        Confirm what was held, through the link it came through. Nothing happens if nothing waits.

        Raises:
            TooSoonError: Within three seconds, in which no person reads what there is to confirm.
            LinkExpiredError: It was to be confirmed earlier.
            LinkError: As for `open`.
        """
        return await choices.confirm(self._access, Circumstances(context, language))

    async def stop(self, *, context: Context | None = None) -> AfterStop:
        """
        Stop everything, even through a link that can no longer answer. If the person had agreed to something, and
        `receipts` are sent, they are sent a notice with a link that undoes it for thirty days.

        Returns:
            What `undo` would allow again through this very link, which is nothing for the link of a question; and
            whether a notice is sent.
        """
        return await stops.stop(self._access, context or Context())

    async def undo(
        self,
        *,
        stop: int | None = None,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Undo a stop or a change of address, through the link that was sent for it; or the stop with number *stop*
        through a MyOptly link or in a session. Only what the person had agreed to themselves, and has not been stopped
        otherwise since, is allowed again; it counts as said again now. A second time, nothing happens.

        Args:
            context, language, hold_within: As for `answer`.

        Raises:
            LineTakenError: The earlier address now belongs to another contact.
            LinkError: As for `open`.
        """
        return await stops.undo(self._access, stop, Circumstances(context, language, hold_within))

    # ---- the session

    async def request_code(self) -> str:
        """
        Have a six-digit one-time code sent to the line the link was sent to.

        Returns:
            The code of a session: a secret for that browser alone. It may do what the link may, and more once `step_up`
            has raised it. It ends after thirty minutes, when links are revoked, and when an address changes. In a
            session, another code of digits is sent for the same session.

        Raises:
            LinkError: As for `open`.
            NoBackendError: Nothing can be sent to that line.
            TooManyTriesError: Three in a quarter of an hour, or six in a day.
        """
        return await sessions.request_code(self._access)

    async def step_up(self, digits: str) -> str:
        """
        Raise the session by the digits that were sent. They work for ten minutes, once.

        Returns:
            The code of the raised session. The earlier one is over.

        Raises:
            WrongDigitsError: They are not those that were sent, or have expired.
            TooManyTriesError: Five were tried in ten minutes.
            SessionError: It is no session, or is over.
        """
        return await sessions.step_up(self._access, digits)

    async def stay(self) -> str:
        """
        Extend the session to thirty minutes from now, up to twelve hours in all, and return its new code.

        Raises:
            SessionError: It is no session, or is over.
        """
        return await sessions.stay(self._access)

    # ---- details, in a session that a one-time code has raised

    async def details(self) -> Details:
        """
        Return what is held about the contact, unmasked.

        Raises:
            SessionError: The session is not raised, or is over.
        """
        return await details.details(self._access)

    async def change_details(
        self,
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
            SessionError: As for `details`.
        """
        return await details.change_own(self._access, name=name, language=language, address=read_own(address))

    async def propose(self, address: EmailAddress | PhoneNumber) -> None:
        """
        Have a one-time code sent to a new email address or telephone number. Nothing changes before `prove`.

        Raises:
            AnswerError: It is on record already.
            NoBackendError: Nothing can be sent there.
            TooManyTriesError: Three in a quarter of an hour, or ten in a day.
            SessionError: As for `details`.
        """
        await details.propose(self._access, address)

    async def proposed(self, kind: AddressKind) -> str:
        """
        Return the new address of a kind that waits for its code, masked; empty for none.

        Raises:
            SessionError: As for `details`.
        """
        return await details.proposed(self._access, kind)

    async def prove(self, kind: AddressKind, digits: str) -> str:
        """
        Replace the present address of a kind by the new one, by the digits that were sent there. A notice goes to the
        present one, with a link that undoes the change for thirty days. No consent moves.

        Returns:
            The code of the session. Every earlier session of the contact is over.

        Raises:
            WrongDigitsError, TooManyTriesError: As for `step_up`.
            LineTakenError: The address belongs to another contact.
            SessionError: As for `details`.
        """
        return await details.prove(self._access, kind, digits)

    async def history(self) -> History:
        """
        Return everything that happened, with the words that were shown.

        Raises:
            SessionError: As for `details`.
        """
        return await details.history(self._access)

    async def send_copy(self) -> str:
        """
        Have a copy of everything that is held sent to the contact's own email address, and return that, masked.

        Raises:
            MissingLineError: There is none.
            NoBackendError: No backend serves email.
            TooManyTriesError: Three in a day.
            SessionError: As for `details`.

        Source: UK GDPR Art 15(3).
        """
        return await details.send_copy(self._access)

    async def complain(self, text: str) -> Complaint:
        """
        Record a complaint about how the contact's data are used, through a link of any kind or in a session. They are
        sent an acknowledgement; the organisation is alerted at its own address at once, and again a week before the
        complaint has to be acknowledged, if it has not been.

        Args:
            text: Up to 5,000 characters.

        Raises:
            AnswerError: It is empty or too long.
            TooManyTriesError: Five in a day.
            LinkError: As for `open`.

        Source: Data Protection Act 2018 s. 164A, in force since 19 June 2026 (as reported 2026-11-24).
        """
        return await complaints.complain(self._access, text)


@attrs.frozen
class AsyncSelfService:
    """
    What people do for themselves with one organisation. Get it from a manager's ``self_service``. The awaited form.

    `enter` gives the person behind a code. The methods that take a code enter with it, for a host that does one thing
    in a request.
    """

    _app: Application = attrs.field(repr=False)

    @property
    def organisation(self) -> Organisation:
        """
        The organisation whose contacts they are.
        """
        return self._app.settings.organisation

    @property
    def purposes(self) -> Mapping[str, Purpose]:
        """
        The purposes, by key.
        """
        return self._app.settings.purposes

    @property
    def pages(self) -> Pages:
        """
        The addresses of the MyOptly pages.
        """
        return self._app.settings.pages

    @property
    def catalogues(self) -> Sequence[Path]:
        """
        The directories with the host's own catalogues.
        """
        return self._app.settings.catalogues

    @property
    def clock(self) -> Clock:
        """
        Returns the time.
        """
        return self._app.settings.clock

    async def enter(self, code: str) -> AsyncPerson:
        """
        Return the person who came by *code*. Changes nothing.

        Args:
            code: The last part of the address of a question link, a MyOptly link or a link that undoes something; or
                the code of a session.

        Raises:
            LinkInvalidError: It is not one of our links, was altered or revoked, or has expired.
            LinkRevokedError: What it opened was erased.
            SessionError: It is a session from before an address changed.
        """
        return AsyncPerson(await access.resolve(self._app, code))

    async def finish(self, session: str) -> None:
        """
        End a session. Harmless when it is over.

        Raises:
            LinkInvalidError: It is no code at all.
        """
        await sessions.finish(self._app, session)

    async def request_link(self, address: str, *, language: str = "en") -> None:
        """
        Have a MyOptly link sent to an email address or a telephone number, if it is on record. Neither this call nor
        the time it takes shows whether it is.

        Raises:
            AddressError: It is neither.
            NoBackendError: Nothing can be sent there.
            TooManyTriesError: Three in a quarter of an hour, or ten in a day, for that address.
        """
        await sessions.request_link(self._app, address, language)

    # ---- stop links

    def open_stop(self, token: str) -> StopScope:
        """
        Return what a stop link stops. Reads nothing but the link.

        Raises:
            LinkInvalidError: It was altered or is not one of ours.
        """
        return self._app.settings.stop_links.read(token)

    async def stop_by_token(self, token: str, *, context: Context | None = None) -> AfterStop:
        """
        Stop what a stop link names. The link never expires; a repeat is harmless, and so is a contact that is gone.

        Raises:
            LinkInvalidError: It was altered or is not one of ours.
        """
        return await stops.stop_by_token(self._app, token, context or Context())

    # ---- one thing in a request

    async def request_code(self, code: str) -> str:
        """
        Have a one-time code sent, and return the code of the session it will raise (`AsyncPerson.request_code`).
        """
        return await (await self.enter(code)).request_code()

    async def step_up(self, session: str, digits: str) -> str:
        """
        Raise a session by the digits that were sent, and return its new code (`AsyncPerson.step_up`).
        """
        return await (await self.enter(session)).step_up(digits)

    async def stay(self, session: str) -> str:
        """
        Extend a session and return its new code (`AsyncPerson.stay`).
        """
        return await (await self.enter(session)).stay()

    async def details(self, session: str) -> Details:
        """
        Return what is held about the contact, unmasked (`AsyncPerson.details`).
        """
        return await (await self.enter(session)).details()

    async def change_details(
        self,
        session: str,
        *,
        name: str | None = None,
        language: str | None = None,
        address: str | PostalAddress | None = None,
    ) -> str:
        """
        Change the name, the language or the postal address (`AsyncPerson.change_details`).
        """
        return await (await self.enter(session)).change_details(name=name, language=language, address=address)

    async def propose(self, session: str, address: EmailAddress | PhoneNumber) -> None:
        """
        Have a one-time code sent to a new address (`AsyncPerson.propose`).
        """
        await (await self.enter(session)).propose(address)

    async def proposed(self, session: str, kind: AddressKind) -> str:
        """
        Return the new address of a kind that waits for its code, masked (`AsyncPerson.proposed`).
        """
        return await (await self.enter(session)).proposed(kind)

    async def prove(self, session: str, kind: AddressKind, digits: str) -> str:
        """
        Replace the present address of a kind by the new one (`AsyncPerson.prove`).
        """
        return await (await self.enter(session)).prove(kind, digits)

    async def history(self, session: str) -> History:
        """
        Return everything that happened (`AsyncPerson.history`).
        """
        return await (await self.enter(session)).history()

    async def send_copy(self, session: str) -> str:
        """
        Have a copy of everything that is held sent to the contact (`AsyncPerson.send_copy`).
        """
        return await (await self.enter(session)).send_copy()

    async def complain(self, code: str, text: str) -> Complaint:
        """
        Record a complaint about how the contact's data are used (`AsyncPerson.complain`).
        """
        return await (await self.enter(code)).complain(text)
