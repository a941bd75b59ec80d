"""
A program that calls the API, as the page that a host draws does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs
from portal.sessions import NEW, latest_digits
from portal.visitor import Acme
from world import EMAIL

from optly.portal import Portal
from optly.protocols.http import Request, Response

JSON = ("content-type", "application/json")
NEW_PHONE = "+447911123457"
# What fits each operation that takes something.
FITTING: Mapping[str, Any] = {
    "/me/answers": {"answers": [{"channel": "email", "purpose": "offers", "answer": False}]},
    "/me/undo": {},
    "/me/complaints": {"text": "You write too often."},
    "/me/session": {"digits": "123456"},
    "/me/details": {"name": "Ada King"},
    "/me/email": {"value": NEW},
    "/me/email/proof": {"digits": "123456"},
    "/me/phone": {"value": NEW_PHONE},
    "/me/phone/proof": {"digits": "123456"},
    "/new-link": {"address": EMAIL},
}


@attrs.frozen
class Answered:
    """
    A response of the API.
    """

    response: Response

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return dict(self.response.headers)

    @property
    def body(self) -> Any:
        return json.loads(self.response.body)

    @property
    def problem(self) -> str:
        """
        The type of problem, without what is the same for all.
        """
        assert self.headers["content-type"] == "application/problem+json"
        body = self.body
        assert body["status"] == self.status
        return str(body["type"]).removeprefix("urn:optly:problem:")


@attrs.frozen
class Program:
    """
    Calls the API, as the page that a host draws does.
    """

    portal: Portal

    def call(
        self, method: str, path: str, code: str = "", body: Any = None, *headers: tuple[str, str], raw: bytes = b""
    ) -> Answered:
        """
        Call with the code of a link or of a session, and with a body as JSON or as it is.
        """
        if code:
            headers = (*headers, ("authorization", f"Bearer {code}"))
        if body is not None:
            headers, raw = (*headers, JSON), json.dumps(body).encode()
        place, _, query = path.partition("?")
        request = Request(
            method=method, path=f"/api{place}", query=query, headers=headers, body=raw, remote_addr="192.0.2.1"
        )
        return Answered(self.portal.handle(request))

    def get(self, path: str, code: str = "") -> Answered:
        return self.call("GET", path, code)

    def post(self, path: str, code: str = "", body: Any = None) -> Answered:
        return self.call("POST", path, code, body)

    def fitting(self, method: str, path: str, code: str) -> Answered:
        """
        Call with a body that fits.
        """
        return self.call(method, path, code, FITTING.get(path) if method == "POST" else None)

    def say(self, code: str, query: str = "", **answers: bool) -> Answered:
        """
        Look at what is asked, and answer it by channel.
        """
        shown = {item["channel"]: item for item in self.get(f"/me{query}", code).body["items"]}
        sent = [
            {
                "channel": channel,
                "purpose": shown[channel]["purpose"],
                "answer": answer,
                **({"wording": shown[channel]["wording"]["digest"]} if answer else {}),
            }
            for channel, answer in answers.items()
        ]
        return self.post(f"/me/answers{query}", code, {"answers": sent})

    def raised(self, acme: Acme, code: str) -> str:
        """
        Go through the one-time code and return the raised session.
        """
        session = self.post("/me/codes", code).body["session"]
        raised = self.post("/me/session", session, {"digits": latest_digits(acme.world)})
        return str(raised.body["session"])
