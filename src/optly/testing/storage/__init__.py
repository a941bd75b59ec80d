"""
The contract of a store, as a suite of tests that the author of any store runs.

::

    class TestMyStorage(DurableStorageContract):
        @pytest.fixture
        def opener(self, tmp_path):
            return partial(MyStorage, tmp_path / "record")

A store that ends with its process takes `StorageContract` and provides a `storage` fixture instead. Every test uses
fresh names, so all of them may share one database. Each chapter can also be run alone, by subclassing it.
"""

from optly.testing.storage._base import (
    BYTES,
    NOW,
    TICK,
    WORDING,
    Contact,
    Opener,
    append_again,
    at_once,
    checkpoint,
    claim_of,
    code,
    key,
    problems,
    seal,
    settlement,
    stop,
    values_of,
)
from optly.testing.storage.codes import CodesContract
from optly.testing.storage.concurrency import ConcurrencyContract
from optly.testing.storage.contacts import ContactsContract
from optly.testing.storage.durable import DurableContract, append_many, everything, try_to_open
from optly.testing.storage.erasure import ErasureContract
from optly.testing.storage.log import LogContract
from optly.testing.storage.outbox import OutboxContract


class StorageContract(
    ContactsContract, ErasureContract, OutboxContract, CodesContract, LogContract, ConcurrencyContract
):
    """
    What every store has to do. Subclass it and give it a `storage` fixture.
    """


class DurableStorageContract(DurableContract, StorageContract):
    """
    What a store that outlives its process has to do. Subclass it and give it an `opener` fixture.
    """


__all__ = [
    "BYTES",
    "NOW",
    "TICK",
    "WORDING",
    "CodesContract",
    "ConcurrencyContract",
    "Contact",
    "ContactsContract",
    "DurableContract",
    "DurableStorageContract",
    "ErasureContract",
    "LogContract",
    "Opener",
    "OutboxContract",
    "StorageContract",
    "append_again",
    "append_many",
    "at_once",
    "checkpoint",
    "claim_of",
    "code",
    "everything",
    "key",
    "problems",
    "seal",
    "settlement",
    "stop",
    "try_to_open",
    "values_of",
]
