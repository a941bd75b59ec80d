"""
The description of the API (OpenAPI 3.1), made from what answers: the table of operations and the types of the bodies.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import msgspec

from optly.portal.api.bodies import Nothing
from optly.portal.api.operations import OPERATIONS, Operation
from optly.portal.api.problems import Kind, Problem

_VERSION: Final = "1"  # of the API; raised when something in it changes its meaning

_ABOUT: Final = """\
What the MyOptly pages do, for pages that a host draws itself.

The last part of a link's address is its code, and goes into the header `Authorization: Bearer <code>`, as does the
code of a session: neither is ever part of a path. No cookie is read or set, and pages of another origin may not call:
there is no CORS. `GET` and `HEAD` change nothing. Where nothing is to be sent, whatever is sent is not read. Times are
in UTC.

Errors are problem details (RFC 9457), known by their `type`. New members and new types may be added; do not
refuse what you do not know."""


@cache
def describe(base_url: str) -> bytes:
    """
    Return the description of the API below *base_url*, as JSON.
    """
    operations = [operation for methods in OPERATIONS.values() for operation in methods.values()]
    types = {type_: None for operation in operations for type_ in (operation.takes, operation.gives)}
    types.pop(Nothing)
    _, schemas = msgspec.json.schema_components([*types, Problem], ref_template="#/components/schemas/{name}")
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "MyOptly", "version": _VERSION, "description": _ABOUT},
        "servers": [{"url": f"{base_url}/api"}],
        "paths": {
            path: {method.lower(): _operation(method, operation) for method, operation in methods.items()}
            for path, methods in OPERATIONS.items()
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "code": {"type": "http", "scheme": "bearer", "description": "The code of a link or of a session."}
            },
        },
    }
    return msgspec.json.encode(whole, order="sorted")


def _operation(method: str, operation: Operation) -> dict[str, Any]:
    summary, _, more = (inspect.getdoc(operation.run) or "").partition("\n\n")
    described: dict[str, Any] = {
        "operationId": operation.run.__name__,
        "summary": " ".join(summary.split()),
        "parameters": _parameters(operation),
        "responses": {
            str(operation.status.value): _response("Done.", "application/json", operation.gives.__name__),
            **_refusals(operation.kinds(method)),
        },
    }
    if more:
        described["description"] = " ".join(more.split())
    if operation.takes_code:
        described["security"] = [{"code": []}]
    if operation.takes is not Nothing:
        content = _content("application/json", operation.takes.__name__)
        described["requestBody"] = {"required": operation.needs_body, "content": content}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    language = {
        "name": "lang",
        "in": "query",
        "description": "The language to answer in. One that there is not counts for nothing.",
        "schema": {"type": "string"},
    }
    before = {
        "name": "before",
        "in": "query",
        "description": "Return what came before the event with this number.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
    }
    return [language, before] if operation.pages else [language]


def _refusals(kinds: Sequence[Kind]) -> dict[str, Any]:
    by_status: dict[HTTPStatus, list[Kind]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {
        str(status.value): _response(
            " ".join(f"`{kind.type}`: {kind.title}." for kind in of_status), "application/problem+json", "Problem"
        )
        for status, of_status in sorted(by_status.items())
    }


def _response(description: str, media_type: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": _content(media_type, schema)}


def _content(media_type: str, schema: str) -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
