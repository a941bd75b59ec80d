"""
Access: what the code of a link or a session opens, and what it permits.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs

from optly import typed
from optly._operations.application import Application
from optly._operations.blind_index import line_values
from optly._operations.lines import lines_of
from optly._operations.links import read_signed
from optly._operations.repository import Applied, Plan, Planner, Record
from optly.contacts import Address, Contact
from optly.errors import LinkInvalidError, LinkRevokedError, SessionError
from optly.links import LinkTarget, Session, SignedLink, Undo, code_key, is_signed, mark, read_code
from optly.locale.i18n import spelt_or_same
from optly.record.commands import Command, Context
from optly.record.events import LinkKind
from optly.record.ledger import Opening
from optly.record.standing import Standing, StandingStop


def _context_or_none(context: Context | None) -> Context:
    return Context() if context is None else context


@attrs.frozen
class Circumstances:
    """
    The circumstances in which an answer was given.

    Attributes:
        context: Where it came from, if the host wishes to keep that.
        language: The language of the page it was given on; empty if not known.
        hold_within: A yes given within this time after its link was sent has to be confirmed; None for never.
    """

    context: Context = attrs.field(converter=_context_or_none)
    # What is no tag is kept as it is: nobody's answer is refused for the language of a page.
    language: str = attrs.field(default="", converter=spelt_or_same)
    hold_within: timedelta | None = None


@attrs.define(kw_only=True)
class Access:
    """
    One visit with one code. Nothing is read twice, and later calls see what earlier ones changed.

    Attributes:
        code: The code in its normal form.
        key: The key it is stored under.
        mark: Mark of the link that was opened; in a session, of the link it began with.
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
    def manages(self) -> bool:
        """
        Whether it permits what a MyOptly link permits. A session that began with a question does so only after a
        one-time code has raised it.
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
            LinkInvalidError: It undoes nothing.
            LinkRevokedError: The contact has left the line that the link was sent to.
        """
        if self.target.undo is None:
            raise LinkInvalidError("this link undoes nothing")
        line = self.record.standing.line(self.target.line)
        if line is not None and line.left:
            raise LinkRevokedError("the contact no longer has the address this link was sent to")
        return self.target.undo

    @property
    def reached(self) -> frozenset[int]:
        """
        The lines that whoever came this way has shown to be theirs.
        """
        return self.record.standing.reached(self.target.line)

    @property
    def hidden(self) -> frozenset[int]:
        """
        The lines, removed ones included, whose values they do not see.
        """
        return frozenset(line.number for line in self.record.standing.lines) - self.reached

    # ---- requirements

    def require_session(self) -> Session:
        """
        Return the session.

        Raises:
            SessionError: It is not a session.
        """
        if self.target.session is None:
            raise SessionError("this needs a session: request a one-time code first")
        return self.target.session

    def require_raised(self) -> Session:
        """
        Return the session, on a line that is still on record, if a one-time code has raised it.

        Raises:
            SessionError: It is not a session, or not raised.
            LinkRevokedError: As for `require_line`.
        """
        session = self.require_session()
        if not session.raised:
            raise SessionError("this needs a raised session: enter the one-time code first")
        self.require_line()
        return session

    def require_kind(self, *kinds: LinkKind) -> None:
        """
        Refuse a link of another kind, or one sent to a line that is no longer on record.

        Raises:
            LinkInvalidError: It is of another kind.
            LinkRevokedError: As for `require_line`.
        """
        if self.target.kind not in kinds:
            raise LinkInvalidError("this link is for a different purpose")
        self.require_line()

    def require_line(self) -> None:
        """
        Refuse a link sent to a line that is no longer on record: someone else may read there now.

        Raises:
            LinkRevokedError: The line is no longer on record.
        """
        if self.target.line not in self.record.standing.present():
            raise LinkRevokedError("the address this link was sent to is no longer on record")

    def holds(self, how: Circumstances, now: datetime) -> bool:
        """
        Whether a yes now is too soon after the message for a program to be ruled out. Someone who has entered a
        one-time code is a person.
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
        Return the addresses and the name of the contact that are still stored, by slot.
        """
        openings = await self.app.repository.openings_of(self.record)
        self.record = typed.evolve(self.record, openings=openings)
        return openings

    async def addresses(self) -> dict[int, Address]:
        """
        Return the addresses of the contact by line, removed lines included.
        """
        return line_values(self.record.standing, await self.openings())

    async def standing(self) -> Standing:
        """
        Return the standing, including what is suppressed by address alone.
        """
        if self._stops is None:
            self._stops = await self.app.repository.stops_elsewhere(self.record, await self.addresses())
        return self.record.standing.with_stops(self._stops) if self._stops else self.record.standing

    async def apply(self, plan: Planner | Plan | Command, *, suppressions: bool = False) -> Applied:
        applied = await self.app.repository.apply(
            self.contact,
            plan,
            suppressions=suppressions,
            read=self.record,
            suppressed=self._stops if suppressions else None,
        )
        self.record, self._stops = applied.record, None
        return applied


async def resolve(app: Application, code: str) -> Access:
    """
    Return the access that a code gives.

    Raises:
        LinkInvalidError: It is not one of our codes or not this organisation's, was revoked, or has expired.
        LinkRevokedError: The contact was erased.
        KeyMissingError: It may be one of ours, made by a process with a key that this one lacks.
        SessionError: An address has changed since the session began.
    """
    code, link = read_code(code), None
    if is_signed(code):
        link = await read_signed(app, code)
        target = link.target
    else:
        stored = await app.storage.code(code_key(code), app.settings.clock())
        if stored is None:
            raise _unknown()
        target = LinkTarget.load(stored.value)
    record = await app.repository.load(Contact(target.contact))
    if not record.version or (link is not None and link.version < record.standing.links_since):
        raise _unknown()
    if record.standing.erased_at is not None:
        raise LinkRevokedError("the record behind this link was erased")
    session = target.session
    if session is not None and session.lines != lines_of(record.standing):
        raise SessionError("an address has changed since the session began: open a link again")
    return Access(
        app=app,
        target=target,
        record=record,
        code=code,
        key=code_key(code),
        mark=_mark(code, link, session),
    )


def _unknown() -> LinkInvalidError:
    return LinkInvalidError("this is not one of our links, or it was revoked or has expired")


def _mark(code: str, link: SignedLink | None, session: Session | None) -> str:
    if session is not None:
        return session.link
    return mark(code) if link is None else link.mark
