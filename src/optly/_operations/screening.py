"""
Screening: the gate, asked about many addresses at once.

Of the contacts in a long list most are in one of a few situations, which the rules answer alike (`rules.alike`). The
gate is asked once about each, and the answer is copied for the others. Whatever is not that plain is asked about by
itself: what others share or suppressed, what cannot be read, and what another rulebook than ours decides.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeAlias, TypeVar

import attrs

from optly._operations.application import Application
from optly._operations.contacts import on_record
from optly._operations.gate import Lines, assess
from optly.contacts import Address, Channel, normal_form, recognise_address, recorded_address
from optly.errors import AddressError, LedgerError
from optly.protocols import Identifier
from optly.record.standing import Standing
from optly.rules import UKPECR, Communication, Decision, Facts, MessageKind, Reason
from optly.rules.alike import Alike, Likeness

T = TypeVar("T")

# The idkeys of an address, and those of its domains.
_Keys: TypeAlias = tuple[tuple[bytes, ...], tuple[bytes, ...]]


@attrs.frozen
class _Answer:
    """
    What the gate answered for one of those who are alike.

    Attributes:
        evidence: At which places of `Alike.numbers` the events are that it rests on.
        end: At which place the consent is whose end is its limit; None if it has none.
    """

    decision: Decision
    evidence: tuple[int, ...]
    end: int | None

    @classmethod
    def of(cls, decision: Decision, numbers: Sequence[int], ends: Sequence[datetime | None]) -> _Answer | None:
        """
        Return an answer that can be copied; None if what it rests on is not found again.
        """
        try:
            evidence = tuple([numbers.index(number) for number in decision.evidence])
            return cls(decision, evidence, None if decision.valid_until is None else ends.index(decision.valid_until))
        except ValueError:
            return None


# What is asked about each address, and returns None if that takes the gate.
_Plain: TypeAlias = "Callable[[_Keys], T | None]"


def _decisions(lines: Lines) -> _Plain[Decision]:
    """
    Return what decides the plain cases among lines.
    """
    find = _alike(lines)

    def decision(keys: _Keys) -> Decision | None:
        found = find(keys)
        if found is None:
            return None
        answer, alike, holder = found
        if alike is None or holder is None:
            return answer.decision
        _, numbers, ends = alike
        evidence = tuple([numbers[place] for place in answer.evidence])
        end = None if answer.end is None else ends[answer.end]
        return answer.decision.about(holder.subject.hex(), holder.line, evidence, end)

    return decision


def _verdicts(lines: Lines) -> _Plain[bool]:
    """
    Return what says of the plain cases among lines whether the decision allows.
    """
    find = _alike(lines)

    def verdict(keys: _Keys) -> bool | None:
        found = find(keys)
        return None if found is None else found[0].decision.allowed

    return verdict


def _alike(lines: Lines) -> _Plain[tuple[_Answer, Alike | None, Identifier | None]]:
    """
    Return what finds the answer in the plain cases among lines, and what is its own in each.
    """
    find_alike, answers = _likeness(lines), dict[Hashable, _Answer | None]()
    if find_alike is None:
        return lambda _keys: None
    likeness, repository, record = find_alike, lines.app.repository, lines.record
    holders_of, head_of, glance_at = record.holders.get, record.heads.get, repository.glance
    # Idkeys with a suppression, or with a row that Optly did not write.
    special = record.forged.union(lines.suppressions)
    nobody = _Answer(lines.assess(Standing(), "", None, lines.facts), (), None)

    def found(keys: _Keys) -> tuple[_Answer, Alike | None, Identifier | None] | None:
        own, domains = keys
        if special and not (special.isdisjoint(own) and special.isdisjoint(domains)):
            return None
        holder = None
        for idkey in own:
            if holders := holders_of(idkey):
                if holder is not None or len(holders) > 1:
                    return None
                holder = holders[0]
        if holder is None:
            return nobody, None, None
        subject, line = holder.subject, holder.line
        head = head_of(subject)
        glance = glance_at(subject, head)
        if glance is None or not glance.has(line) or (alike := likeness(glance, line)) is None:
            return None
        key, numbers, ends = alike
        if key not in answers:
            standing = repository.stored(subject, head)
            assert standing is not None
            decision = lines.assess(standing, subject.hex(), line, lines.facts)
            answers[key] = _Answer.of(decision, numbers, ends)
        answer = answers[key]
        return None if answer is None else (answer, alike, holder)

    return found


def _likeness(lines: Lines) -> Likeness | None:
    """
    Return what finds out who is answered alike; None if each has to be asked about: as of an earlier instant, for
    several purposes at once, where a register is asked about each, and by a rulebook that may read anything.
    """
    settings = lines.app.settings
    if type(settings.rulebook) is not UKPECR or lines.at is not None or len(lines.purposes) > 1 or lines.listed:
        return None
    return settings.rulebook.likeness(
        Communication(
            channel=lines.channel,
            kind=lines.kind,
            sender=settings.organisation.key,
            purpose=lines.purposes[0],
            contact="",
            line=None,
            at=lines.now,
            **lines.facts,
        )
    )


@attrs.frozen(kw_only=True)
class Screening:
    """
    What is asked about each address of a list.

    Attributes:
        at: As of which instant. None for now.
    """

    app: Application
    channel: Channel
    purposes: Sequence[str]
    kind: MessageKind
    at: datetime | None
    facts: Facts

    async def decisions(self, addresses: Sequence[str | Address]) -> list[Decision]:
        """
        Decide as `check_address` does, and refuse malformed addresses, and those whose record cannot be read. An
        address that a library does not accept is malformed only if nothing is on record under it.
        """
        return await self._each(addresses, _decisions, lambda decision: decision)

    async def verdicts(self, addresses: Sequence[str | Address]) -> list[bool]:
        """
        Return which of these decisions allow.
        """
        return await self._each(addresses, _verdicts, bool)

    async def _each(
        self,
        addresses: Sequence[str | Address],
        plain: Callable[[Lines], _Plain[T]],
        read: Callable[[Decision], T],
    ) -> list[T]:
        app, kind = self.app, self.channel.kind
        names = await self._names(addresses)
        keys = app.index.each(kind, [name for name in names if name is not None])
        try:
            found = await app.storage.find(
                [idkey for own, _ in keys for idkey in own], list({idkey for _, domains in keys for idkey in domains})
            )
        except LedgerError:
            if len(addresses) == 1:
                return [read(self._refused(Reason.UNREADABLE))]
            return [answer for address in addresses for answer in await self._each([address], plain, read)]
        lines = Lines.found(app, found, self.channel, self.purposes, self.kind, self.at, self.facts)
        decide_plainly, remaining = plain(lines), iter(keys)
        answers: list[T] = []
        for name in names:
            if name is None:
                answers.append(read(self._refused(Reason.NOT_AN_ADDRESS)))
                continue
            each = next(remaining)
            answer = decide_plainly(each)
            if answer is None:
                try:
                    decision = await lines.decide(*each, recorded_address(name, kind) if lines.listed else None)
                except LedgerError:
                    decision = self._refused(Reason.UNREADABLE)
                answer = read(decision)
            answers.append(answer)
        return answers

    async def _names(self, addresses: Sequence[str | Address]) -> list[str | None]:
        """
        Return the normal form of each address; None for one that is malformed.
        """
        kind = self.channel.kind
        names: list[str | None] = []
        unaccepted: dict[int, Address] = {}
        for position, address in enumerate(addresses):
            try:
                names.append(normal_form(address, kind))
            except AddressError:
                names.append(None)
                with suppress(AddressError):
                    unaccepted[position] = recognise_address(address, kind)
        if unaccepted:
            known = await on_record(self.app, unaccepted.values())
            for position, recognised in unaccepted.items():
                if recognised in known:
                    names[position] = recognised.normal
        return names

    def _refused(self, reason: Reason) -> Decision:
        app, at = self.app, self.app.settings.clock() if self.at is None else self.at
        decision = assess(
            app, Standing(), self.channel, self.purposes, kind=self.kind, contact="", line=None, at=at, **self.facts
        )
        return decision.overruled(reason)
