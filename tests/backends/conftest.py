"""
What the tests of the backends share.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from backends.mail_servers import Authority, Inbox

from optly.contacts.addresses import Channel
from optly.messages import Message


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """
    An authority nobody knows until they are given its file.
    """
    ca = trustme.CA()
    file: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(file)
    return Authority(ca=ca, file=str(file))


@pytest.fixture
def inbox() -> Inbox:
    """
    An inbox that takes everything.
    """
    return Inbox()


@pytest.fixture
def write() -> Callable[..., Message]:
    """
    A function that makes a message of what it is told.
    """

    def make(**parts: Any) -> Message:
        return Message(
            **{
                "id": "0123456789abcdef" * 2,
                "channel": Channel.EMAIL,
                "to": "ada@example.com",
                "text": "Hello\n",
                **parts,
            }
        )

    return make
