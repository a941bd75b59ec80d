"""
The keys a record is written with: a process that lacks one of them starts nothing and looks nothing up.

What is made with a key is found only by those who have it. So before a key is first used, the store gets a mark under
every other key that says so. Each look-up reads the marks of the process's own keys along with what it looks for, last,
so that no row can be missed whose key it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optly._operations.running import Awaited, Wrap
from optly._operations.settings import Settings
from optly.errors import ConfigurationError, KeyMissingError
from optly.protocols import AsyncStorage, Found, Storage, Suppression
from optly.results import KnownKey


def use_current_key(storage: Storage, settings: Settings) -> None:
    """
    Check that no key of the record is missing, and record that the current one is used from now on.

    Raises:
        ConfigurationError: One is missing.
    """
    organisation, keys = settings.organisation.key, settings.keys
    used = storage.key_versions(organisation)
    current = keys.all[0].version
    if missing := used - {key.version for key in keys.all}:
        raise ConfigurationError(
            f"the storage was written with {len(missing)} key(s) that are missing here: add them to "
            "Keys(previous=[…]), or suppressions made with them would not be found"
        )
    if current not in used:
        now = settings.clock()
        marks = [
            Suppression(idkey=mark, scope=f"key/{current}", at=now, key_version=current)
            for mark in keys.marks(organisation)[1:]  # those of the other keys
        ]
        storage.add_key_version(organisation, current, marks)


async def known_keys(storage: AsyncStorage, settings: Settings) -> tuple[KnownKey, ...]:
    """
    Return what is known of each key, the current one first.
    """
    used, keys = await storage.key_versions(settings.organisation.key), settings.keys
    return tuple(
        KnownKey(version=key.version, current=key is keys.all[0], used=key.version in used, public_key=public_key)
        for key, public_key in zip(keys.all, keys.public_keys, strict=True)
    )


async def require_keys(storage: AsyncStorage) -> None:
    """
    Check that no process uses a key that this one lacks, where something was not recognised.

    Raises:
        KeyMissingError: One does.
    """
    await storage.find(())  # reads the marks alone


class KeyedStorage(Awaited):
    """
    A store whose look-ups are refused to a process that lacks a key they may have been made with.
    """

    def __init__(self, storage: Storage, wrap: Wrap, settings: Settings) -> None:
        super().__init__(storage, wrap)
        self._find, self._referred = wrap(storage.find), wrap(storage.referred)
        self._marks = settings.keys.marks(settings.organisation.key)
        self._versions = {key.version for key in settings.keys.all}

    async def find(self, idkeys: Sequence[bytes], stops: Sequence[bytes] = ()) -> Found:
        found = await self._find(idkeys, (*stops, *self._marks))
        if not found.suppressions:
            return found
        others = []
        for row in found.suppressions:
            if row.idkey not in self._marks:
                others.append(row)
            elif row.key_version not in self._versions:
                raise KeyMissingError(
                    "another process writes with a key that is missing here, and what it wrote would not be found: "
                    "restart this one with that key in Keys(previous=[…])"
                )
        return Found(found.holders, others, found.heads)

    async def referred(self, idkeys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        subjects = await self._referred(idkeys)
        if not subjects:
            await self.find(())
        return subjects
