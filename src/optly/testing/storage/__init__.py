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

from optly.testing.storage._base import BYTES as BYTES
from optly.testing.storage._base import NOW as NOW
from optly.testing.storage._base import TICK as TICK
from optly.testing.storage._base import WORDING as WORDING
from optly.testing.storage._base import Contact as Contact
from optly.testing.storage._base import Opener as Opener
from optly.testing.storage._base import append_again as append_again
from optly.testing.storage._base import at_once as at_once
from optly.testing.storage._base import claim_of as claim_of
from optly.testing.storage._base import code as code
from optly.testing.storage._base import grown as grown
from optly.testing.storage._base import is_written as is_written
from optly.testing.storage._base import key as key
from optly.testing.storage._base import problems as problems
from optly.testing.storage._base import seal as seal
from optly.testing.storage._base import settlement as settlement
from optly.testing.storage._base import stop as stop
from optly.testing.storage._base import values_of as values_of
from optly.testing.storage.codes import CodesContract as CodesContract
from optly.testing.storage.complaints import ComplaintsContract as ComplaintsContract
from optly.testing.storage.complaints import closed as closed
from optly.testing.storage.complaints import complaint as complaint
from optly.testing.storage.concurrency import ConcurrencyContract as ConcurrencyContract
from optly.testing.storage.contacts import ContactsContract as ContactsContract
from optly.testing.storage.durable import DurableContract as DurableContract
from optly.testing.storage.durable import append_many as append_many
from optly.testing.storage.durable import everything as everything
from optly.testing.storage.durable import try_to_open as try_to_open
from optly.testing.storage.erasure import ErasureContract as ErasureContract
from optly.testing.storage.log import LogContract as LogContract
from optly.testing.storage.macs import MacsContract as MacsContract
from optly.testing.storage.outbox import OutboxContract as OutboxContract
from optly.testing.storage.sizes import SizesContract as SizesContract


class StorageContract(
    ContactsContract,
    ErasureContract,
    OutboxContract,
    ComplaintsContract,
    CodesContract,
    LogContract,
    MacsContract,
    SizesContract,
    ConcurrencyContract,
):
    """
    What every store has to do. Subclass it and give it a `storage` fixture.
    """


class DurableStorageContract(DurableContract, StorageContract):
    """
    What a store that outlives its process has to do. Subclass it and give it an `opener` fixture.
    """
