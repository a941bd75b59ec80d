"""
Packages whose names are imported when they are first used, so that nothing is loaded that is not needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any

from optly.errors import ConfigurationError


def importer(package: str, modules: Mapping[str, str], *, extras: Collection[str] = ()) -> Callable[[str], Any]:
    """
    Return a `__getattr__` for *package* that imports a name when it is first used, and keeps it.

    Args:
        modules: The module of the package that defines each name.
        extras: Modules that need the extra of the same name, which the error for a missing one then gives.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = modules[name]
        try:
            value = getattr(import_module(f"{package}.{module}"), name)
        except ModuleNotFoundError as error:
            if module not in extras:
                raise
            raise ConfigurationError(f"{error.name} is missing: pip install 'optly[{module}]'") from None
        setattr(sys.modules[package], name, value)
        return value

    return load
