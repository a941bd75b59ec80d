"""
The database servers that tests run against: those that are named, or those that are found on this machine.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

_LOOPBACK = {
    "postgresql": ["postgresql+psycopg://root@127.0.0.1/test", "postgresql+psycopg://postgres@127.0.0.1/test"],
    "mysql": ["mysql+pymysql://root@127.0.0.1/test"],
}
_DRIVERS = {"postgresql": "psycopg", "mysql": "pymysql"}


def missing(what: str) -> None:
    """
    Skip the test for want of a service, or fail it where every service is required.
    """
    if os.environ.get("OPTLY_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{what} is required and cannot be reached")
    pytest.skip(f"{what} cannot be reached; name one in OPTLY_TEST_URLS")


def _candidates(kind: str) -> list[URL]:
    named = [make_url(url) for url in os.environ.get("OPTLY_TEST_URLS", "").split()]
    # Another driver than ours would be another test.
    return [
        url.set(drivername=f"{kind}+{_DRIVERS[kind]}")
        for url in named
        if url.get_backend_name().replace("mariadb", "mysql") == kind
    ] or [make_url(url) for url in _LOOPBACK[kind]]


@contextmanager
def fresh_database(kind: str) -> Iterator[str]:
    """
    Make a database on a server of this kind, give its URL, and drop it afterwards.
    """
    name = f"optly_{secrets.token_hex(6)}"
    for url in _candidates(kind):
        server = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        try:
            with server.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
        except DBAPIError:
            continue
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            force = " WITH (FORCE)" if kind == "postgresql" else ""
            with server.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name}{force}"))
        return
    missing({"postgresql": "PostgreSQL", "mysql": "MariaDB or MySQL"}[kind])
