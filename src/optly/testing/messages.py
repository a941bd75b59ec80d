"""
What a person finds in a message: the link to the page, and the link that stops.
"""

from __future__ import annotations

import re

from optly.messages import Message

_CODE = re.compile(r"/l/([0-9a-z]+)")
_TOKEN = re.compile(r"/u/([0-9A-Za-z_.-]+)")


def code_in(message: Message) -> str:
    """
    Return the code of the question or MyOptly link in a message.

    Raises:
        AssertionError: There is none.
    """
    return _only(_CODE, message.text)


def stop_token_in(message: Message) -> str:
    """
    Return the token of the stop link in a message.

    Raises:
        AssertionError: There is none.
    """
    return _only(_TOKEN, message.headers.get("List-Unsubscribe", message.text))


def _only(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    assert found is not None, "the message holds no such link"
    return found[1]
