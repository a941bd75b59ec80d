"""
Reading the files and the standard input that people name.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import IO

import click


def read_bytes(file: IO[bytes], name: str) -> bytes:
    """
    Return the content of a file.

    Args:
        name: What the help calls the file.

    Raises:
        click.BadParameter: It cannot be read.
    """
    try:
        return file.read()
    except OSError as error:
        raise unreadable(error, name) from error


def read_text(file: IO[bytes], name: str) -> str:
    """
    Return the content of a file as text.

    Raises:
        click.BadParameter: It cannot be read, or is not text in UTF-8.
    """
    try:
        return read_bytes(file, name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_text(name) from error


def words_or_input(words: Sequence[str], name: str) -> str:
    """
    Return the words of an argument as one, or what standard input holds if they are a ``-``.

    Raises:
        click.BadParameter: Standard input cannot be read, or is not text in UTF-8.
    """
    return read_text(sys.stdin.buffer, name).strip() if tuple(words) == ("-",) else " ".join(words)


def unreadable(error: OSError, name: str) -> click.BadParameter:
    return click.BadParameter(f"it cannot be read: {error.strerror}", param_hint=name)


def not_text(name: str) -> click.BadParameter:
    return click.BadParameter("this is not UTF-8 text", param_hint=name)
