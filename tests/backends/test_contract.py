"""
Every backend holds to the same contract.
"""

from __future__ import annotations

import errno
import io
import subprocess
import sys
from collections.abc import Iterator

import pytest
from backends.mail_servers import SENDER, Inbox, ScriptedServer, mail_server

from optly.backends import ConsoleBackend, MemoryBackend, SMTPBackend
from optly.contacts.addresses import Channel
from optly.messages import Outcome, Receipt
from optly.testing.backends import BackendContract, BatchContract


class Deserted(io.StringIO):
    """
    A stream whose reader has gone.
    """

    def write(self, text: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


class TestMemoryBackend(BackendContract):
    @pytest.fixture(params=list(Channel))
    def backend(self, request: pytest.FixtureRequest) -> MemoryBackend:
        return MemoryBackend(request.param)

    @pytest.fixture
    def cut_off(self, backend: MemoryBackend) -> MemoryBackend:
        return MemoryBackend(backend.channel, outcomes=[Receipt(outcome=Outcome.RETRY_LATER)])


class TestConsoleBackend(BackendContract):
    @pytest.fixture(params=[Channel.EMAIL, Channel.SMS])
    def backend(self, request: pytest.FixtureRequest) -> ConsoleBackend:
        return ConsoleBackend(request.param, stream=io.StringIO())

    @pytest.fixture
    def cut_off(self, backend: ConsoleBackend) -> ConsoleBackend:
        return ConsoleBackend(backend.channel, stream=Deserted())


@pytest.mark.server
class TestSMTPBackend(BatchContract, BackendContract):
    secrets = ("s3cret",)

    @pytest.fixture
    def backend(self, inbox: Inbox) -> Iterator[SMTPBackend]:
        with mail_server(inbox) as address:
            backend = SMTPBackend(f"smtp://{address}", sender=SENDER)
            yield backend
            backend.close()

    @pytest.fixture
    def cut_off(self) -> SMTPBackend:
        with ScriptedServer() as server:
            pass
        return SMTPBackend(f"smtp://optly:s3cret@{server.address}", sender=SENDER)

    def test_nothing_shows_the_password(self, cut_off: SMTPBackend) -> None:
        """
        Neither the backend nor what it is made of, nor, when the URL is wrong, the error.
        """
        assert "s3cret" not in repr((cut_off, cut_off._server, cut_off._sender))


def test_importing_the_backends_loads_none_of_them() -> None:
    """
    Whoever has no mail server does not pay for SMTP.
    """
    program = "import sys, optly.backends; print([m for m in sys.modules if m == 'smtplib' or 'optly.backends.' in m])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_a_backend_that_is_not_there_is_named() -> None:
    """
    As any other name that is missing from a module.
    """
    import optly.backends

    with pytest.raises(AttributeError, match="PigeonBackend"):
        optly.backends.PigeonBackend  # noqa: B018
