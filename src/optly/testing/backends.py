"""
What every message backend has to hold to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import attrs
import pytest

from optly.contacts import AddressKind, Channel
from optly.errors import UsageError
from optly.messages import Fault, Message, Outcome, Receipt
from optly.protocols import BatchBackend, MessageBackend, WebhookBackend
from optly.protocols.http import Request

_ADDRESSES = {
    AddressKind.EMAIL: "ada@example.com",
    AddressKind.PHONE: "+447911123456",
    AddressKind.POST: "Ada, 1 High Street, Leeds LS1 1AA",
    AddressKind.ACCOUNT: "app:ada",
}


class BackendContract:
    """
    Tests for the author of a backend. Subclass it and say how your backend is made::

        class TestPigeonBackend(BackendContract):
            secrets = ["kept under the wing"]

            @pytest.fixture
            def backend(self):
                return PigeonBackend(loft=loft_that_takes_everything, secret="kept under the wing")

            @pytest.fixture
            def cut_off(self):
                return PigeonBackend(loft=loft_that_has_burnt_down, secret="kept under the wing")

    Attributes:
        secrets: What the backend was given and must not show.
    """

    secrets: Sequence[str] = ()

    @pytest.fixture
    def backend(self) -> MessageBackend:
        """
        A backend whose provider takes everything.
        """
        raise NotImplementedError("override the fixture backend")

    @pytest.fixture
    def cut_off(self) -> MessageBackend:
        """
        A backend whose provider cannot be reached.
        """
        raise NotImplementedError("override the fixture cut_off")

    @pytest.fixture
    def message(self, backend: MessageBackend) -> Message:
        """
        A message for the backend's channel.
        """
        email = backend.channel is Channel.EMAIL
        return Message(
            id="0123456789abcdef" * 2,
            channel=backend.channel,
            to=_ADDRESSES[backend.channel.kind],
            subject="Your choices" if email else "",
            text="Please choose: https://acme.example.com/my/q7Rk2",
            html="<p>Please choose.</p>" if email else "",
            headers={"List-Unsubscribe": "<https://acme.example.com/my/stop/x>"} if email else {},
        )

    def test_it_satisfies_the_protocol(self, backend: MessageBackend) -> None:
        """
        It has a name for the record, in lower case, and a channel.
        """
        assert isinstance(backend, MessageBackend)
        assert isinstance(backend.channel, Channel)
        assert re.fullmatch(r"[a-z][a-z0-9_-]{0,47}", backend.name)

    def test_a_message_the_provider_takes_is_accepted(self, backend: MessageBackend, message: Message) -> None:
        """
        The receipt says so, and says in the provider's words why.
        """
        receipt = backend.send(message)
        assert Outcome.ACCEPTED is receipt.outcome
        assert receipt.reply

    def test_a_provider_that_is_cut_off_is_no_error(self, cut_off: MessageBackend, message: Message) -> None:
        """
        Nothing is raised, nothing is said to be accepted, and the message is not refused: it was not to blame.
        """
        receipt = cut_off.send(message)
        assert isinstance(receipt, Receipt)
        assert receipt.outcome in {Outcome.RETRY_LATER, Outcome.IN_DOUBT}

    def test_a_message_for_another_channel_is_a_mistake(self, backend: MessageBackend, message: Message) -> None:
        """
        It is raised and not sent.
        """
        other = Channel.SMS if backend.channel is not Channel.SMS else Channel.EMAIL
        with pytest.raises(UsageError):
            backend.send(attrs.evolve(message, channel=other))

    def test_threads_can_share_it(self, backend: MessageBackend, message: Message) -> None:
        """
        Each gets the receipt of its own message.
        """
        messages = [attrs.evolve(message, id=f"{number:032x}") for number in range(16)]
        with ThreadPoolExecutor(4) as pool:
            receipts = list(pool.map(backend.send, messages))
        assert [Outcome.ACCEPTED] * len(messages) == [receipt.outcome for receipt in receipts]

    def test_closing_is_harmless_when_repeated(self, backend: MessageBackend, message: Message) -> None:
        """
        Before anything was sent and after.
        """
        backend.close()
        backend.close()
        backend.send(message)
        backend.close()
        backend.close()

    def test_nothing_shows_what_it_must_not(
        self, backend: MessageBackend, message: Message, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Neither a secret nor an address nor a text is in a repr or a log.
        """
        caplog.set_level(0, "optly")
        receipt = backend.send(message)
        logged = [vars(record) for record in caplog.records if record.name.partition(".")[0] == "optly"]
        shown = repr((backend, message, receipt, logged)) + str(backend)
        for hidden in (*self.secrets, message.to, message.text):
            assert hidden not in shown


class BatchContract:
    """
    Further tests for a backend that takes many messages at once. Subclass it beside `BackendContract`.
    """

    def test_many_are_taken_at_once(self, backend: BatchBackend, message: Message) -> None:
        """
        A receipt for each, in order, and one message that cannot be expressed keeps no other back.
        """
        assert isinstance(backend, BatchBackend)
        assert list(backend.send_all([])) == []
        other = Channel.SMS if backend.channel is not Channel.SMS else Channel.EMAIL
        messages = [attrs.evolve(message, id=f"{number:032x}") for number in range(9)]
        messages[4] = attrs.evolve(messages[4], channel=other)
        receipts = backend.send_all(messages)
        wanted = [Outcome.REFUSED if number == 4 else Outcome.ACCEPTED for number in range(9)]
        assert wanted == [receipt.outcome for receipt in receipts]

    def test_many_for_a_provider_that_is_cut_off_are_no_error(self, cut_off: BatchBackend, message: Message) -> None:
        """
        None of them is accepted, none refused, and the trouble is the backend's.
        """
        receipts = cut_off.send_all([attrs.evolve(message, id=f"{number:032x}") for number in range(9)])
        assert len(receipts) == 9
        assert {receipt.outcome for receipt in receipts} <= {Outcome.RETRY_LATER, Outcome.IN_DOUBT}
        assert Fault.BACKEND in {receipt.fault for receipt in receipts}


class WebhookContract:
    """
    Further tests for a backend that hears from its provider. Subclass it beside `BackendContract`.
    """

    def test_a_request_from_nobody_is_refused(self, backend: WebhookBackend, caplog: pytest.LogCaptureFixture) -> None:
        """
        Whatever is in it: it results in no event, and is not repeated in a log.
        """
        assert isinstance(backend, WebhookBackend)
        now = datetime.now(UTC)
        for body in (b"", b"From=%2B447911123456&Body=STOP", b'{"Message": "STOP"}', b"\xff\x00", b"x" * 300_000):
            for method in ("POST", "GET"):
                request = Request(method=method, path="/", body=body, headers=(("content-type", "text/plain"),))
                heard = backend.webhook(request, now=now)
                assert heard.events == ()
                assert 400 <= heard.response.status < 500
        assert "447911123456" not in "".join(str(vars(record)) for record in caplog.records)
