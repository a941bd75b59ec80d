"""
What a person finds in a message: the link to their page, and the link that stops messages.
"""

from __future__ import annotations

import re

from optly.messages import Message

_CODE = re.compile(r"/l/([0-9a-z]+)")
_TOKEN = re.compile(r"/u/([0-9A-Za-z_.-]+)")


def code_in(message: Message) -> str:
    """
    Return the code in the question link or MyOptly link of a message.

    Raises:
        AssertionError: There is none.
    """
    return _only(_CODE, message.text)


def stop_token_in(message: Message) -> str:
    """
    Return the token in the stop link of a message.

    Raises:
        AssertionError: There is none.
    """
    return _only(_TOKEN, message.headers.get("List-Unsubscribe", message.text))


def _only(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    assert found is not None, "there is no such link in the message"
    return found[1]
