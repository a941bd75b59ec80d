# Made from awaited.py by tools/unawait.py: change that file and run the tool, not this one.

"""
The person's face, in its blocking form.

The pages and the JSON API stand on it. Use it to build pages of your own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

import attrs

from optly import typed
from optly._operations import access, choices, complaints, details, sessions, stops
from optly._operations.access import Access, Circumstances
from optly._operations.application import Application, Face
from optly._operations.arguments import read_own
from optly._operations.running import run_to_completion
from optly.contacts import AddressKind, Channel, EmailAddress, PhoneNumber, PostalAddress
from optly.links import StopScope
from optly.record.commands import Context
from optly.record.standing import Complaint, Standing
from optly.record.views import AfterStop, Details, History, Opened
from optly.typed import Judged, Sent


@typed.methods
class Person:
    """
    The person behind a code: the last part of a link's URL, or the code of a session. The blocking form.

    Made by `SelfService.enter`, for one request. The code is looked up once, on entering; later calls see what
    earlier ones changed.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    def open(self, *, language: str = "") -> Opened:
        """
        Return what is behind the question link, MyOptly link, undo link or session. Changes nothing.

        Args:
            language: The language to show the choices in. Defaults to the contact's. A question keeps its own.

        Raises:
            LinkUsedError, LinkSupersededError, LinkExpiredError: The question can no longer be answered.
            LinkRevokedError: The address the link was sent to is no longer on record.
        """
        return run_to_completion(choices.open_link(self._access, language))

    def recorded(self, *, language: str = "") -> Opened:
        """
        Return what `open` returns, with what is on record by now for all that the link shows: also for a question that
        has been answered through it, and for a stop that has been undone. Changes nothing.

        Raises:
            AnswerError: The question is not answered yet.
            LinkSupersededError, LinkRevokedError: As for `open`.
        """
        return run_to_completion(choices.recorded(self._access, language))

    # ---- choices

    def answer(
        self,
        answers: Annotated[Mapping[tuple[Channel, str], bool], Judged],
        *,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Answer the question, once. Choices that are not in *answers* stay unanswered.

        Args:
            answers: Yes or no by channel and purpose.
            context: Where the answer came from, if you wish to keep that.
            language: The language of the page, recorded with the answer.
            hold_within: A yes within this time after its link was sent may come from a program that presses every
                button. It is held, and allows nothing until `confirm`. A no counts at once. None holds nothing.

        Raises:
            AnswerError: The answers do not fit the question, or there are none.
            LinkError: As for `open`.
        """
        return run_to_completion(choices.answer(self._access, answers, Circumstances(context, language, hold_within)))

    def choose(
        self,
        answers: Annotated[Mapping[tuple[Channel, str], bool], Judged],
        *,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Change choices, through a MyOptly link or in a session.

        Arguments and errors as for `answer`. If *language* differs from the contact's, the wording agreed to is that of
        *language*.
        """
        return run_to_completion(choices.choose(self._access, answers, Circumstances(context, language, hold_within)))

    def confirm(self, *, context: Context | None = None, language: str = "") -> Standing:
        """
        Confirm a held answer through the link it was given with. Harmless if nothing is held.

        Raises:
            TooSoonError: It was confirmed within three seconds, too soon for a person to have read it.
            LinkExpiredError: The time to confirm it is over.
            LinkError: As for `open`.
        """
        return run_to_completion(choices.confirm(self._access, Circumstances(context, language)))

    def stop(self, *, context: Context | None = None) -> AfterStop:
        """
        Stop everything, even through a link that can no longer answer.

        If receipts are sent and the person had agreed to something, they are sent a notice with a link that undoes the
        stop for thirty days.

        Returns:
            What `undo` would allow again through the same link, which is nothing for a question link; and whether a
            notice is sent.
        """
        return run_to_completion(stops.stop(self._access, context or Context()))

    def undo(
        self,
        *,
        stop: int | None = None,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Undo a stop or a change of address through the link sent for it; or the stop of event number *stop* through a
        MyOptly link or in a session. A repeat is harmless.

        Only what the person had agreed to, and has not been stopped in another way since, is allowed again. It counts
        as agreed to now.

        Args:
            context, language, hold_within: As for `answer`.

        Raises:
            LinkError: As for `open`.
        """
        return run_to_completion(stops.undo(self._access, stop, Circumstances(context, language, hold_within)))

    # ---- the session

    def request_code(self, *, session: str = "") -> str:
        """
        Send a six-digit one-time code to the line that the link was sent to. In a session, send another for the same
        session; none if it is raised.

        Args:
            session: The code of the session that this browser has. If it began at the same link and has not ended, it
                goes on, so that a second tab does not end what was begun in the first.

        Returns:
            The code of a session: a secret for that browser alone. It permits what the link permits, and more once
            `step_up` has raised it. It ends after thirty minutes, when links are revoked, and when an address changes.

        Raises:
            LinkError: As for `open`.
            NoBackendError: Nothing can be sent to that line.
            TooManyTriesError: More than three in a quarter of an hour, or six in a day.
        """
        return run_to_completion(sessions.request_code(self._access, session))

    def step_up(self, digits: Sent) -> str:
        """
        Raise the session with the digits that were sent. They work once, for ten minutes.

        Returns:
            The code of the raised session. The earlier code no longer works.

        Raises:
            WrongDigitsError: The digits are wrong, or have expired.
            TooManyTriesError: More than five attempts in ten minutes.
            SessionError: It is not a session, or has ended.
        """
        return run_to_completion(sessions.step_up(self._access, digits))

    def stay(self) -> str:
        """
        Extend the session to thirty minutes from now, up to twelve hours in total, and return its new code.

        Raises:
            SessionError: It is not a session, or has ended.
        """
        return run_to_completion(sessions.stay(self._access))

    # ---- details, in a session that a one-time code has raised

    def details(self) -> Details:
        """
        Return the details on record, unmasked.

        Raises:
            SessionError: The session is not raised, or has ended.
        """
        return run_to_completion(details.details(self._access))

    def change_details(
        self,
        *,
        name: str | None = None,
        language: str | None = None,
        address: str | PostalAddress | None = None,
    ) -> str:
        """
        Change the name, the language or the postal address. None leaves a detail unchanged.

        Returns:
            The code of the session, which is a new one if an address changed.

        Raises:
            AddressError: The address is malformed.
            SessionError: As for `details`.
        """
        return run_to_completion(
            details.change_own(self._access, name=name, language=language, address=read_own(address))
        )

    def propose(self, address: EmailAddress | PhoneNumber) -> None:
        """
        Send a one-time code to a new email address or telephone number. Nothing changes until `prove`.

        Raises:
            AnswerError: The address is already on record.
            NoBackendError: Nothing can be sent there.
            TooManyTriesError: More than three in a quarter of an hour, or ten in a day.
            SessionError: As for `details`.
        """
        run_to_completion(details.propose(self._access, address))

    def proposed(self, kind: AddressKind) -> str:
        """
        Return the new address of a kind that is waiting for its code, masked; empty for none.

        Raises:
            SessionError: As for `details`.
        """
        return run_to_completion(details.proposed(self._access, kind))

    def prove(self, kind: AddressKind, digits: Sent) -> str:
        """
        Replace the address of a kind with the new one, with the digits that were sent there. No consent moves. Of
        several of the kind, the one they came through is replaced, or one they have proved; where nobody can tell which
        is meant, none is.

        A notice is sent to the replaced address, with a link that undoes the change for thirty days.

        Returns:
            The code of the session. Every earlier session of the contact has ended.

        Raises:
            WrongDigitsError, TooManyTriesError: As for `step_up`.
            SessionError: As for `details`.
        """
        return run_to_completion(details.prove(self._access, kind, digits))

    def history(self) -> History:
        """
        Return every event, with the wording that was shown.

        Raises:
            SessionError: As for `details`.
        """
        return run_to_completion(details.history(self._access))

    def send_copy(self) -> str:
        """
        Send a copy of all data to the contact's own email address, and return the address, masked. Of several, it is
        the one they came through, or one they have proved.

        Raises:
            MissingLineError: No email address is on record, or nobody can tell which of several is meant.
            NoBackendError: No backend serves email.
            TooManyTriesError: More than three in a day.
            SessionError: As for `details`.

        Source: UK GDPR Art 15(3).
        """
        return run_to_completion(details.send_copy(self._access))

    def complain(self, text: Sent, *, once: Sent = "") -> Complaint:
        """
        Record a complaint about how the contact's data are used, through a link of any kind or in a session.

        The person is sent an acknowledgement. The organisation is alerted at its own address at once, and again a week
        before the deadline if the complaint has not been acknowledged by then.

        Args:
            text: Up to 5,000 characters.
            once: A random text of your own. The same text sent again with it is the same complaint.

        Raises:
            AnswerError: The text is empty or too long.
            TooManyTriesError: More than five in a day.
            LinkError: As for `open`.

        Source: Data Protection Act 2018 s. 164A, in force since 19 June 2026 (as reported 2026-11-24).
        """
        return run_to_completion(complaints.complain(self._access, text, once))


@typed.methods
@attrs.frozen
class SelfService(Face):
    """
    What people do for themselves with one organisation. Use a manager's ``self_service``. The blocking form.

    `enter` returns the person behind a code. The methods that take a code are shortcuts, for a host that does one thing
    in a request.
    """

    _app: Application = attrs.field(repr=False)

    def enter(self, code: Sent) -> Person:
        """
        Return the person behind *code*. Changes nothing.

        Args:
            code: The last part of the URL of a question link, a MyOptly link or an undo link; or the code of a session.

        Raises:
            LinkInvalidError: It is not one of our links, was altered, or has expired.
            LinkRevokedError: It was revoked, or the contact was erased.
            SessionError: An address has changed since the session began.
        """
        return Person(run_to_completion(access.resolve(self._app, code)))

    def finish(self, session: Sent) -> None:
        """
        End a session. Harmless if it has already ended.

        Raises:
            LinkInvalidError: It does not have the form of a code.
        """
        run_to_completion(sessions.finish(self._app, session))

    def request_link(self, address: Sent, *, language: str = "en") -> None:
        """
        Send a MyOptly link to an email address or a telephone number, if it is on record. Neither the call nor the time
        it takes reveals whether it is.

        Raises:
            AddressError: It is neither an email address nor a telephone number.
            NoBackendError: Nothing can be sent there.
            TooManyTriesError: More than three in a quarter of an hour, or ten in a day, for that address.
        """
        run_to_completion(sessions.request_link(self._app, address, language))

    # ---- stop links

    def open_stop(self, token: Sent) -> StopScope:
        """
        Return what a stop link stops. Reads only the link, not the record.

        Raises:
            LinkInvalidError: It was altered or is not one of ours.
            KeyMissingError: It may be one of ours, made by a process with a key that this one lacks.
        """
        return run_to_completion(stops.read_stop(self._app, token))

    def stop_by_token(self, token: Sent, *, context: Context | None = None) -> AfterStop:
        """
        Stop what a stop link names. The link never expires. A repeat is harmless, and so is a contact that no longer
        exists.

        Raises:
            LinkInvalidError: It was altered or is not one of ours.
            KeyMissingError: It may be one of ours, made by a process with a key that this one lacks.
        """
        return run_to_completion(stops.stop_by_token(self._app, token, context or Context()))

    # ---- shortcuts: one thing in a request

    def request_code(self, code: Sent) -> str:
        """
        Send a one-time code, and return the code of the session it will raise (`Person.request_code`).
        """
        return (self.enter(code)).request_code()

    def step_up(self, session: Sent, digits: Sent) -> str:
        """
        Raise a session with the digits that were sent, and return its new code (`Person.step_up`).
        """
        return (self.enter(session)).step_up(digits)

    def stay(self, session: Sent) -> str:
        """
        Extend a session and return its new code (`Person.stay`).
        """
        return (self.enter(session)).stay()

    def details(self, session: Sent) -> Details:
        """
        Return the details on record, unmasked (`Person.details`).
        """
        return (self.enter(session)).details()

    def change_details(
        self,
        session: Sent,
        *,
        name: str | None = None,
        language: str | None = None,
        address: str | PostalAddress | None = None,
    ) -> str:
        """
        Change the name, the language or the postal address (`Person.change_details`).
        """
        return (self.enter(session)).change_details(name=name, language=language, address=address)

    def propose(self, session: Sent, address: EmailAddress | PhoneNumber) -> None:
        """
        Send a one-time code to a new address (`Person.propose`).
        """
        (self.enter(session)).propose(address)

    def proposed(self, session: Sent, kind: AddressKind) -> str:
        """
        Return the new address of a kind that waits for its code, masked (`Person.proposed`).
        """
        return (self.enter(session)).proposed(kind)

    def prove(self, session: Sent, kind: AddressKind, digits: Sent) -> str:
        """
        Replace the address of a kind with the new one (`Person.prove`).
        """
        return (self.enter(session)).prove(kind, digits)

    def history(self, session: Sent) -> History:
        """
        Return every event, with the wording that was shown (`Person.history`).
        """
        return (self.enter(session)).history()

    def send_copy(self, session: Sent) -> str:
        """
        Send a copy of all data to the contact (`Person.send_copy`).
        """
        return (self.enter(session)).send_copy()

    def complain(self, code: Sent, text: Sent) -> Complaint:
        """
        Record a complaint about how the contact's data are used (`Person.complain`).
        """
        return (self.enter(code)).complain(text)
