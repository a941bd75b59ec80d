"""
Who comes by a code: what it opens, whose record that is, and whether they may go on.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from optly._operations.desk import Desk, Record
from optly.contacts.parties import Contact
from optly.errors import LinkInvalidError, LinkRevokedError, SessionError
from optly.links import LinkTarget, Session, Undo, code_key, mark, read_code
from optly.record.commands import Context
from optly.record.consent import Standing
from optly.record.events import LinkKind


def lines_of(standing: Standing) -> tuple[int, ...]:
    """
    Return what a session keeps of the lines: their numbers, and those of the lines that are gone below zero. A change
    that is undone leaves it other than it was.
    """
    return tuple(-line.number if line.removed else line.number for line in standing.lines)


def _context_or_none(context: Context | None) -> Context:
    return Context() if context is None else context


@attrs.frozen
class Circumstances:
    """
    How an answer came.

    Attributes:
        context: Where it came from, as far as the host wishes to keep that.
        language: The language of the page it was given on; empty for none.
        hold_within: A yes that comes so soon after its link was handed over is to be confirmed; None for no such time.
    """

    context: Context = attrs.field(converter=_context_or_none)
    language: str = ""
    hold_within: timedelta | None = None


@attrs.frozen(kw_only=True)
class Entry:
    """
    One visit by one code.

    Attributes:
        key: What the code is stored under.
        mark: Mark of the link they came by; in a session, of the one at which it began.
    """

    target: LinkTarget
    record: Record
    key: bytes
    mark: str

    @property
    def contact(self) -> Contact:
        return Contact(self.target.contact)

    @property
    def line(self) -> int | None:
        """
        The line the link was sent to, or None if nobody knows who was given it.
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

    def require_session(self) -> Session:
        """
        Return the session.

        Raises:
            SessionError: It is none.
        """
        if self.target.session is None:
            raise SessionError("this takes a session: have a one-time code sent first")
        return self.target.session

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

    def require_raised(self) -> Session:
        """
        Return the session, which a one-time code has raised.

        Raises:
            SessionError: None has.
        """
        session = self.require_session()
        if not session.raised:
            raise SessionError("the session is not raised yet: type in the one-time code")
        return session

    def require_line(self) -> None:
        """
        Refuse a link that was sent to a line which is no longer on record: who reads there may be somebody else by now.

        Raises:
            LinkRevokedError: It was.
        """
        if self.target.line not in self.record.standing.present():
            raise LinkRevokedError("the address the link was sent to is no longer on record")

    def holds(self, how: Circumstances, now: datetime) -> bool:
        """
        Whether a yes now comes too soon after the message to be surely a person's. Whoever has typed in a one-time code
        is one.
        """
        if self.target.session is not None and self.target.session.raised:
            return False
        question = None if self.target.question is None else self.record.standing.question(self.target.question)
        arrivals = (self.target.made_at, None if question is None else question.delivered_at)
        arrived_at = max((at for at in arrivals if at is not None), default=None)
        return how.hold_within is not None and arrived_at is not None and now < arrived_at + how.hold_within


async def enter(desk: Desk, code: str) -> Entry:
    """
    Return what a code opens.

    Raises:
        LinkInvalidError: Nothing: it is no code of ours, or was revoked, or its time is over.
        LinkRevokedError: What it opened was erased.
        SessionError: It is a session from before an address changed.
    """
    read = read_code(code)
    value = await desk.storage.code(code_key(read), desk.clock())
    if value is None:
        raise LinkInvalidError("this is not a link of ours, or it was revoked")
    target = LinkTarget.load(value)
    record = await desk.load(Contact(target.contact))
    if not record.version or record.standing.erased_at is not None:
        raise LinkRevokedError("what this link opened was erased")
    session = target.session
    if session is not None and session.lines != lines_of(record.standing):
        raise SessionError("an address changed since the session began: begin again at a link")
    return Entry(target=target, record=record, key=code_key(read), mark=mark(read) if session is None else session.link)


async def enter_as(desk: Desk, code: str, *kinds: LinkKind) -> Entry:
    """
    Return what a code opens, if it is of one of these kinds and was sent to a line that is still on record.

    Raises:
        LinkInvalidError, LinkRevokedError, SessionError: As for `enter`.
    """
    entry = await enter(desk, code)
    if entry.target.kind not in kinds:
        raise LinkInvalidError("this link is for something else")
    entry.require_line()
    return entry
