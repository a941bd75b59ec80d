"""
What a code opens, whose record that is, and what may be done through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs

from optly._operations.application import Application
from optly._operations.blind_index import line_values
from optly._operations.lines import lines_of
from optly._operations.repository import Applied, Plan, Planner, Record
from optly.contacts.addresses import Address
from optly.contacts.parties import Contact
from optly.errors import LinkInvalidError, LinkRevokedError, SessionError
from optly.links import LinkTarget, Session, Undo, code_key, mark, read_code
from optly.record.commands import Command, Context
from optly.record.consent import Standing, StandingStop
from optly.record.events import LinkKind
from optly.record.ledger import Opening


def _context_or_none(context: Context | None) -> Context:
    return Context() if context is None else context


@attrs.frozen
class Circumstances:
    """
    How an answer was given.

    Attributes:
        context: Where it came from, as far as the host wishes to keep that.
        language: The language of the page it was given on; empty for none.
        hold_within: A yes that comes so soon after its link was sent has to be confirmed; None for never.
    """

    context: Context = attrs.field(converter=_context_or_none)
    language: str = ""
    hold_within: timedelta | None = None


@attrs.define(kw_only=True)
class Access:
    """
    One visit by one code. What was read for it once is not read again; what was changed through it is seen.

    Attributes:
        code: The code, as it is read.
        key: The key it is stored under.
        mark: Mark of the link that was opened; in a session, of the link at which it began.
    """

    app: Application = attrs.field(repr=False)
    target: LinkTarget
    record: Record
    code: str = attrs.field(repr=False)
    key: bytes = attrs.field(repr=False)
    mark: str
    _stops: list[StandingStop] | None = attrs.field(default=None, init=False, repr=False)

    @property
    def contact(self) -> Contact:
        return Contact(self.target.contact)

    @property
    def line(self) -> int | None:
        """
        The line the link was sent to, or None if it is not known who was given it.
        """
        return self.target.line if self.target.handed_over else None

    @property
    def manages(self) -> bool:
        """
        Whether it may do what a MyOptly link may. A session that began at a question may once a one-time code has
        raised it, and before that no more than the question.
        """
        session = self.target.session
        if session is None:
            return self.target.kind is LinkKind.MANAGE
        return session.raised or self.target.question is None

    @property
    def undo(self) -> Undo:
        """
        What the link undoes.

        Raises:
            LinkInvalidError: It is no such link.
        """
        if self.target.undo is None:
            raise LinkInvalidError("this link undoes nothing")
        return self.target.undo

    # ---- what it takes

    def require_session(self) -> Session:
        """
        Return the session.

        Raises:
            SessionError: It is none.
        """
        if self.target.session is None:
            raise SessionError("this takes a session: request a one-time code first")
        return self.target.session

    def require_raised(self) -> Session:
        """
        Return the session, on a line that is still on record, if a one-time code has raised it.

        Raises:
            SessionError: It is none, or none has.
            LinkRevokedError: As for `require_line`.
        """
        session = self.require_session()
        if not session.raised:
            raise SessionError("the session is not raised yet: enter the one-time code")
        self.require_line()
        return session

    def require_kind(self, *kinds: LinkKind) -> None:
        """
        Refuse a link that is not of one of these kinds, or that was sent to a line which is no longer on record.

        Raises:
            LinkInvalidError, LinkRevokedError: It is refused.
        """
        if self.target.kind not in kinds:
            raise LinkInvalidError("this link is for something else")
        self.require_line()

    def require_line(self) -> None:
        """
        Refuse a link that was sent to a line which is no longer on record: its reader may be someone else by now.

        Raises:
            LinkRevokedError: It was.
        """
        if self.target.line not in self.record.standing.present():
            raise LinkRevokedError("the address this link was sent to is no longer on record")

    def holds(self, how: Circumstances, now: datetime) -> bool:
        """
        Whether a yes now comes too soon after the message to be surely a person's. Someone who has entered a one-time
        code is a person.
        """
        if self.target.session is not None and self.target.session.raised:
            return False
        question = None if self.target.question is None else self.record.standing.question(self.target.question)
        arrivals = (self.target.made_at, None if question is None else question.delivered_at)
        arrived_at = max((at for at in arrivals if at is not None), default=None)
        return how.hold_within is not None and arrived_at is not None and now < arrived_at + how.hold_within

    # ---- the record

    async def openings(self) -> Mapping[str, Opening]:
        """
        Return every personal value of the contact that is still stored, by slot.
        """
        openings = await self.app.repository.openings_of(self.record)
        self.record = attrs.evolve(self.record, openings=openings)
        return openings

    async def addresses(self) -> dict[int, Address]:
        """
        Return the addresses of the contact by line, removed lines included.
        """
        return line_values(self.record.standing, await self.openings())

    async def standing(self) -> Standing:
        """
        Return the standing together with what is stopped by address alone.
        """
        if self._stops is None:
            subject = self.record.subject
            found = await self.app.repository.stops_by_address({subject: await self.addresses()})
            self._stops = found.get(subject, [])
        return self.record.standing.with_stops(self._stops) if self._stops else self.record.standing

    async def apply(self, plan: Planner | Plan | Command, *, suppressions: bool = False) -> Applied:
        """
        Change the contact, and see it changed from now on.
        """
        applied = await self.app.repository.apply(self.contact, plan, suppressions=suppressions, read=self.record)
        self.record, self._stops = applied.record, None
        return applied


async def resolve(app: Application, code: str) -> Access:
    """
    Return what a code opens.

    Raises:
        LinkInvalidError: Nothing: it is not one of our codes, was revoked, or has expired.
        LinkRevokedError: What it opened was erased.
        SessionError: It is a session from before an address changed.
    """
    read = read_code(code)
    value = await app.storage.code(code_key(read), app.settings.clock())
    if value is None:
        raise LinkInvalidError("this is not one of our links, or it was revoked")
    target = LinkTarget.load(value)
    record = await app.repository.load(Contact(target.contact))
    if not record.version or record.standing.erased_at is not None:
        raise LinkRevokedError("what this link opened was erased")
    session = target.session
    if session is not None and session.lines != lines_of(record.standing):
        raise SessionError("an address changed since the session began: begin again at a link")
    return Access(
        app=app,
        target=target,
        record=record,
        code=read,
        key=code_key(read),
        mark=mark(read) if session is None else session.link,
    )
