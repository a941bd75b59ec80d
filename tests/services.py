"""
What tests need from elsewhere: database servers, those that are named or those that are found on this machine, and
data that others published. What is missing is told in one line.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

PUBLISHED = Path(__file__).parents[2] / "shared" / "data"

# What a test or a fixture is given to run on a server of its own kind.
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.server)
MYSQL = pytest.param("mysql", marks=pytest.mark.server)

_LOOPBACK = {
    "postgresql": ["postgresql+psycopg://root@127.0.0.1/test", "postgresql+psycopg://postgres@127.0.0.1/test"],
    "mysql": ["mysql+pymysql://root@127.0.0.1/test"],
}
_DRIVERS = {"postgresql": "psycopg", "mysql": "pymysql"}


REACHED: list[str] = []


def reached(what: str) -> None:
    """
    Note that the test reaches for something outside its process. Only one that is marked may.
    """
    REACHED.append(what)


def missing(what: str, advice: str = "name one in OPTLY_TEST_URLS") -> NoReturn:
    """
    Skip the test for want of something, or fail it where everything is required. Say what to do about it.
    """
    if os.environ.get("OPTLY_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{what} is required and not to be had; {advice}")
    pytest.skip(f"{what} is not to be had; {advice}")


def published(name: str) -> Any:
    """
    Return data that somebody else published.
    """
    file = PUBLISHED / name
    if not file.is_file():
        missing(f"the published data {name}", f"put it into {PUBLISHED}")
    return json.loads(file.read_text(encoding="utf-8"))


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
    reached(f"a database on {kind}")
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


@contextmanager
def fresh_schema_on_citus() -> Iterator[str]:
    """
    Make a schema in the database of the Citus cluster that is named, give the URL of it, and drop it afterwards.
    """
    reached("Citus")
    name = f"optly_{secrets.token_hex(6)}"
    url = make_url(os.environ["OPTLY_TEST_CITUS"]).set(drivername="postgresql+psycopg")
    server = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with server.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        in_schema = url.update_query_dict({"options": f"-c search_path={name},public"})
        yield in_schema.render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))


@contextmanager
def database(kind: str, directory: Path) -> Iterator[str]:
    """
    Give the URL of an empty database: of SQLite in that directory, or on a server.
    """
    if kind == "sqlite":
        yield f"sqlite:///{directory / 'optly.db'}"
    else:
        with fresh_database(kind) as url:
            yield url
