"""
Checking chains on every core: in this process, or in others that are given bytes and no key.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import Final, TypeAlias

import attrs
import msgspec

from optly._operations.chain_proof import Chain, Checked, check_chain
from optly._operations.running import Wrap

# Waits for the outcome of a batch.
Check: TypeAlias = Callable[[], Awaitable[list[Checked]]]

# Batches that wait for each process, so that none is idle while the next is read.
_AHEAD: Final = 2

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Chain]).decode


def _check_all(chains: Sequence[Chain]) -> list[Checked]:
    return [check_chain(chain) for chain in chains]


def _check_encoded(data: bytes) -> list[Checked]:
    return _check_all(_decode(data))


def _begin() -> None:
    # The one who started this process is interrupted, too, and ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@attrs.define
class Checking:
    """
    Checks batches of chains, in the order in which they are begun.

    The other processes are spawned, because a fork would copy the locks of the host's threads, and only once there is a
    second batch: a small record is checked sooner than they start.

    Args:
        wrap: Runs what takes time beside an event loop.
    """

    _wrap: Wrap
    _processes: int
    _pool: ProcessPoolExecutor | None = attrs.field(default=None, init=False)
    _begun: int = attrs.field(default=0, init=False)

    @property
    def ahead(self) -> int:
        """
        How many batches may be under way while another is read.
        """
        return self._processes * _AHEAD if self._processes > 1 else 0

    def begin(self, chains: Sequence[Chain]) -> Check:
        """
        Begin to check chains, and return what waits for the outcome.
        """
        self._begun += 1
        if self._processes == 1 or self._begun == 1:
            return lambda: self.here(chains)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._processes, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
            )
        return self._wrap(self._pool.submit(_check_encoded, _encode(chains)).result)

    async def here(self, chains: Sequence[Chain]) -> list[Checked]:
        """
        Check chains in this process.
        """
        return await self._wrap(_check_all)(chains)

    def __enter__(self) -> Checking:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
