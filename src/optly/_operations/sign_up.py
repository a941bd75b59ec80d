"""
Sign-up forms: what a visitor typed is proved by a question that is sent there, and attached to nobody before.

A form tells its visitor nothing about who is on record, and changes nothing on record: it can only have a question sent
to the address typed. The holder of a known address is asked as the contact they are; anyone else becomes a contact of
whom only the address is known, until the answer proves it.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import TypeAlias

import attrs
import msgspec

from optly import errors
from optly._operations import throttle, way_back
from optly._operations.access import Access
from optly._operations.application import Application
from optly._operations.ask import ConsentRequest, request_consent
from optly._operations.contacts import add_address, holders
from optly._operations.lines import WRITTEN_TO_BY, Named, writes_to
from optly.contacts import Address, AddressKind, Channel, Contact, EmailAddress, PhoneNumber, Wording
from optly.keys import sha256
from optly.locale.i18n import read_tag_or_none
from optly.protocols import StoredCode
from optly.record.commands import ChangeDetails
from optly.record.events import Actor
from optly.record.standing import Question, Standing
from optly.rules import Solicited

Check: TypeAlias = Callable[[], "bool | Awaitable[bool]"]


@attrs.frozen(kw_only=True)
class Form:
    """
    What a visitor typed and ticked, checked as far as it does not depend on who is on record.

    Attributes:
        ticked: The channel and the purpose of each box that was ticked.
        wording: The words beside the boxes, if they are to be kept with the question.
        how: Which form it was, for the evidence.
    """

    name: str = attrs.field(repr=False)
    email: EmailAddress | None = attrs.field(repr=False)
    phone: PhoneNumber | None = attrs.field(repr=False)
    ticked: Sequence[tuple[Channel, str]]
    wording: Wording | None
    how: str = attrs.field(repr=False)
    language: str | None = attrs.field(converter=read_tag_or_none)
    expires_within: timedelta

    def asks(self, app: Application) -> list[tuple[Address, ConsentRequest]]:
        """
        Return each address that was typed with what is asked there: what was ticked for the channels that reach it.

        Raises:
            UsageError: Nothing was ticked, or a channel cannot be proved by a message.
            MissingLineError: A channel was ticked whose address was not typed.
            NoBackendError: No backend can write to an address.
            UnknownPurposeError: There is no such purpose.
        """
        if not self.ticked:
            raise errors.UsageError("nothing was ticked, so there is nothing to ask about")
        found: list[tuple[Address, ConsentRequest]] = []
        for kind in dict.fromkeys(channel.kind for channel, _ in self.ticked):
            address = {AddressKind.EMAIL: self.email, AddressKind.PHONE: self.phone}.get(kind)
            if kind not in WRITTEN_TO_BY:
                raise errors.UsageError("only an email address or a telephone number can be proved by a message")
            if address is None:
                raise errors.MissingLineError(f"a channel was ticked for which no {kind} was typed")
            via = writes_to(kind, app.backends)
            if via is None:
                raise errors.NoBackendError(f"no message backend serves {WRITTEN_TO_BY[kind]}, so nobody can be asked")
            ticked = [(channel, purpose) for channel, purpose in self.ticked if channel.kind is kind]
            for purpose in {purpose for _, purpose in ticked}:
                app.settings.purpose(purpose)
            found.append((address, self._request(via, ticked, app)))
        return found

    def _request(self, via: Channel, ticked: Sequence[tuple[Channel, str]], app: Application) -> ConsentRequest:
        return ConsentRequest(
            via=via,
            channels=[channel for channel, _ in ticked],
            purposes=[purpose for _, purpose in ticked],
            only=frozenset(ticked),
            basis=Solicited(how=self._evidence(), at=app.settings.clock()),
            language=self.language,
            expires_within=self.expires_within,
            remind_after=None,
            unproved=True,
        )

    def _evidence(self) -> str:
        boxes = ", ".join(f"{channel}/{purpose}" for channel, purpose in self.ticked)
        words = "" if self.wording is None else " ".join(filter(None, (self.wording.text, self.wording.hint)))
        return f"{self.how}; ticked: {boxes}" + (f"; words: {words}" if words else "")


async def sign_up(app: Application, form: Form, check: Check | None) -> None:
    """
    Ask the holder of each address typed about what was ticked for it. Returns the same whatever is on record.
    """
    asks = form.asks(app)
    try:
        for address, _ in asks:
            await throttle.count(app, "sign-up", app.index.idkeys(address)[0].hex(), throttle.SIGN_UPS)
    except errors.TooManyTriesError:
        return
    if check is not None and not await _passes(check):
        return
    for address, request in asks:
        contact = await _holder(app, address)
        try:
            question = await request_consent(app, contact, request, Named(addresses=(address,)))
            await _keep_name(app, contact, question, form.name)
        except errors.NotPermittedError:
            await way_back.offer(app, address)
        except errors.AmbiguousLineError:
            pass


async def _passes(check: Check) -> bool:
    passed = check()
    return await passed if inspect.isawaitable(passed) else passed


async def _holder(app: Application, address: Address) -> Contact:
    known = await holders(app, address)
    return known[0] if len(known) == 1 else await add_address(app, address, Actor.PERSON)


# ---- the name, once the address is proved


def _name_key(question: str) -> bytes:
    return sha256(f"sign-up\0{question}")


async def _keep_name(app: Application, contact: Contact, question: Question, name: str) -> None:
    if name:
        code = StoredCode(
            key=_name_key(question.id),
            subject=contact.subject,
            value=msgspec.json.encode(name),
            expires_at=question.expires_at,
        )
        await app.storage.put_codes([code])


async def take_name(access: Access, question: str, standing: Standing) -> Standing:
    """
    Give a contact of whom only the address is known the name that was typed with it, now that an answer came from
    there.
    """
    if not standing.anonymous:
        return standing
    stored = await access.app.storage.take_code(_name_key(question), access.app.settings.clock())
    if stored is None:
        return standing
    name = msgspec.json.decode(stored.value, type=str)
    return (await access.apply(ChangeDetails(name=name, actor=Actor.PERSON, through=access.target.line))).standing


def read_ticked(ticked: Iterable[tuple[Channel | str, str]]) -> list[tuple[Channel, str]]:
    """
    Read which boxes were ticked, each once.

    Raises:
        UnknownChannelError: A channel does not exist.
    """
    return list(dict.fromkeys((Channel.of(channel), purpose) for channel, purpose in ticked))
