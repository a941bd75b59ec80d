"""
The latest head of the log at a URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from optly.backends._hosts import is_private
from optly.backends._http import Answer, Call, Caller, NoAnswerError, NotSentError
from optly.errors import ConfigurationError, ProviderUnavailableError

_LONGEST_NOTE: Final = 100_000
_NOTHING: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_TEXT: Final = "text/plain; charset=utf-8"


class HTTPAnchor:
    """
    Keeps the latest head at a URL, where PUT puts it and GET gets it: a bucket with versions, or a server of someone
    else's. Safe to share between threads, and across a fork.

    Let the other side keep every version, so that nobody can put an older one in place of a newer one.

    Args:
        url: One for each organisation. It is https, or http on this machine.
        headers: Sent with each request, such as ``{"Authorization": "Bearer …"}``.
        timeout: How long to wait for each step of a request: a seal waits for it.

    Raises:
        ConfigurationError: The URL cannot be used, or only unsafely.
    """

    name = "http"

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        if not is_private(url, path=True):
            raise ConfigurationError("an anchor's url must be https, or http on this machine, without a query")
        self._url, self._headers = url, dict(headers or {})
        self._caller = Caller(timeout=timeout)

    def publish(self, note: str) -> None:
        call = Call(method="PUT", url=self._url, headers={**self._headers, "Content-Type": _TEXT}, body=note.encode())
        _require(self._answer(call))

    def latest(self) -> str | None:
        answer = self._answer(Call(method="GET", url=self._url, headers={**self._headers, "Accept": _TEXT}))
        if answer.status in _NOTHING:
            return None
        _require(answer)
        if len(answer.body) > _LONGEST_NOTE:
            raise ProviderUnavailableError("the anchor returned more than a head of the log")
        return answer.body.decode("utf-8", "replace")

    def close(self) -> None:
        self._caller.close()

    def _answer(self, call: Call) -> Answer:
        try:
            return self._caller.call(call)
        except (NotSentError, NoAnswerError) as error:
            raise ProviderUnavailableError(f"the anchor cannot be reached ({error})") from None


def _require(answer: Answer) -> None:
    if not 200 <= answer.status < 300:
        raise ProviderUnavailableError(f"the anchor answered with {answer.status}")
