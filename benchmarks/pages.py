"""
The pages of MyOptly under load, beside a bare page of a framework: ``python benchmarks/pages.py``.

Two processes serve the pages and two the floor (see ``serving.py``), over WSGI and over ASGI, on SQLite and, if it is
there, on PostgreSQL. A further process asks (see ``load.py``), on four connections to each server; floor and pages take
turns, every round in another order of contacts. Before that the pages are measured without a server, beside Jinja2
rendering the same template with the same facts: what lies between the two is Optly's.

``--quick`` measures less of everything. ``--profile`` shows where the time goes.
"""

from __future__ import annotations

import cProfile
import itertools
import os
import pstats
import random
import re
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import attrs
import pytest
from load import Load, load
from measure import Measured, Work, measure, options, table
from serving import Host, connect, manager, served

from optly import ConsentManager, Subscriber
from optly.backends import MemoryBackend
from optly.portal import Portal
from optly.portal.cookies import keeping
from optly.portal.look import Look, _drawn
from optly.protocols.http import Request, Response

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from services import fresh_database

SESSIONS = 200
HEADING = """\
| page | floor, a second | p50, p99, ms | pages, a second | p50, p99, ms | ratio | asking takes |
|---|---:|---:|---:|---:|---:|---:|"""
BROWSER = (
    ("host", "acme.example.com"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.9"),
    ("sec-fetch-site", "same-origin"),
)


@attrs.frozen(kw_only=True)
class Ask:
    """
    One request, as the pages take it and as it comes over a connection.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def request(self) -> Request:
        return Request(method=self.method, path=self.path, headers=BROWSER + self.headers, body=self.body)

    @property
    def wire(self) -> bytes:
        lines = [f"{self.method} /my{self.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in BROWSER + self.headers]
        if self.method == "POST":
            lines.append(f"content-length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@attrs.frozen(kw_only=True)
class Page:
    """
    A page, and the requests for it.

    Attributes:
        status: Of the response to a request.
        shown: Of the page that it is or leads to.
    """

    name: str
    title: str
    asks: Sequence[Ask]
    status: int = 200
    shown: int = 200


@attrs.frozen(kw_only=True)
class World:
    """
    Contacts on record, each with a link, and some with a session.
    """

    manager: ConsentManager
    codes: Sequence[str]
    sessions: Sequence[str]

    @classmethod
    def make(cls, url: str, contacts: int) -> World:
        made = manager(url)
        added = [
            made.add_contact(
                name=f"Ada {number}",
                email=f"ada{number}@example.com",
                phone=f"+4479{number:08}",
                subscriber=Subscriber.INDIVIDUAL,
            )
            for number in range(contacts)
        ]
        codes = [made.link(contact).rpartition("/")[2] for contact in added]
        return cls(manager=made, codes=codes, sessions=[_session(made, code) for code in codes[:SESSIONS]])

    def pages(self) -> Sequence[Page]:
        """
        Return the pages. Whoever said yes on one says no on the next, so that every button changes something.
        """
        links = [f"/l/{code}" for code in self.codes]
        form = ("content-type", "application/x-www-form-urlencoded")
        shown = self.manager.portal().handle(Ask(method="GET", path=links[0]).request).body.decode()
        yes = urlencode(re.findall(r'name="([^"]+)"[^>]*value="(yes-[^"]+)"', shown)).encode()
        cookies = [keeping(self.manager.pages, session)[1].partition(";")[0] for session in self.sessions]
        return [
            Page(
                name="choices",
                title="the choices, `GET /l/<code>`",
                asks=[Ask(method="GET", path=link) for link in links],
            ),
            Page(
                name="details",
                title="the details in a session, `GET /me/details`",
                asks=[
                    Ask(method="GET", path="/me/details", headers=(("cookie", cookie),))
                    for cookie in itertools.islice(itertools.cycle(cookies), len(links))
                ],
            ),
            Page(
                name="nothing",
                title="no such page, 404",
                asks=[Ask(method="GET", path=f"/nothing/{number}") for number in range(len(links))],
                status=404,
                shown=404,
            ),
            Page(
                name="answer",
                title="an answer, `POST /l/<code>`, and where it leads",
                asks=[Ask(method="POST", path=link, headers=(form,), body=yes) for link in links],
                status=303,
            ),
            Page(
                name="stop",
                title="a stop, `POST /l/<code>/stop`, and where it leads",
                asks=[Ask(method="POST", path=f"{link}/stop", headers=(form,)) for link in links],
                status=303,
            ),
        ]

    def fill_bare(self, bare: str) -> None:
        """
        Give the floor a row for each key that the pages are asked by.
        """
        connection = connect(bare)
        connection.execute("CREATE TABLE bare (name VARCHAR(80) PRIMARY KEY, value VARCHAR(200))")
        mark = "%s" if "://" in bare else "?"
        for number, key in enumerate([*self.codes, *self.sessions]):
            connection.execute(f"INSERT INTO bare VALUES ({mark}, {mark})", (key, f"a•••@e•••.com {number}"))
        connection.close()


def _session(made: ConsentManager, code: str) -> str:
    """
    Return a session that a one-time code has raised.
    """
    [email] = [
        backend for backend in made.backends if isinstance(backend, MemoryBackend) and backend.channel == "email"
    ]
    session = made.self_service.request_code(code)
    made.deliver()
    [digits] = re.findall(r"^ *(\d{6})$", email.outbox.pop().text, re.MULTILINE)
    return made.self_service.step_up(session, digits)


# ---- without a server


@contextmanager
def rendered() -> Iterator[list[Callable[[], str]]]:
    """
    Keep what renders each page again: the same template, with the same facts.
    """
    kept: list[Callable[[], str]] = []
    text = Look._text

    def keep(look: Look, facts: Mapping[str, Any]) -> str:
        kept.append(lambda: _drawn(look._ours, facts))
        return text(look, facts)

    Look._text = keep  # type: ignore[method-assign, assignment]
    try:
        yield kept
    finally:
        Look._text = text  # type: ignore[method-assign]


def handled(portal: Portal, page: Page) -> Iterator[Response]:
    """
    Yield the page that one request after the other leads to, without end.
    """
    for ask in itertools.cycle([ask.request for ask in page.asks]):
        response = portal.handle(ask)
        assert response.status == page.status, response.body.decode()
        if response.status == HTTPStatus.SEE_OTHER:
            led = urlsplit(dict(response.headers)["location"])
            path = led.path.removeprefix("/my")
            response = portal.handle(attrs.evolve(ask, method="GET", path=path, query=led.query, body=b""))
        assert response.status == page.shown, response.body.decode()
        yield response


def alone(world: World, rounds: int) -> Iterator[Measured]:
    """
    Measure each page without a server, once for each contact in all.
    """
    portal = world.manager.portal(hold_yes_within=None)
    repeat = (len(world.codes) - 2) * 10 // (rounds * 10 + 1)
    for page in world.pages():
        responses = handled(portal, page)
        with rendered() as kept:
            shown = next(responses).body
        [again] = kept
        assert again().encode() == shown
        yield measure(page.title, _calling(again), _taking(responses), repeat=repeat, rounds=rounds)


def _calling(work: Callable[[], object]) -> Work:
    def call(count: int) -> None:
        for _ in range(count):
            work()

    return call


def _taking(items: Iterator[object]) -> Work:
    def take(count: int) -> None:
        for _ in itertools.islice(items, count):
            pass

    return take


def profiled(world: World) -> None:
    """
    Print where the time of each page goes.
    """
    portal = world.manager.portal(hold_yes_within=None)
    for page in world.pages():
        responses = handled(portal, page)
        next(responses)
        profile = cProfile.Profile()
        profile.runcall(_taking(responses), len(page.asks) - 1)
        print(f"\n{page.title}")
        pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(25)


# ---- under load


def percentile(loads: Sequence[Load], percent: int) -> float:
    """
    Return the milliseconds within which so many of a hundred answers came.
    """
    answers = [seconds for each in loads for seconds in each.answers]
    return statistics.quantiles(answers, n=100)[percent - 1] * 1000


def loaded(interface: str, url: str, bare: str, contacts: int, rounds: int) -> Iterator[str]:
    """
    Yield a row of the table for each page, served over *interface* on the database at *url*.
    """
    world = World.make(url, contacts)
    world.fill_bare(bare)
    pages, portal = world.pages(), world.manager.portal(hold_yes_within=None)
    shown = {page.name: next(handled(portal, page)).body.decode() for page in pages}
    world.manager.close()
    floors: dict[str, list[Load]] = {page.name: [] for page in pages}
    paths: dict[str, list[Load]] = {page.name: [] for page in pages}
    host = Host(interface=interface, url=url, bare=bare)
    with served(attrs.evolve(host, pages=shown)) as floor, served(host) as path:
        for number in range(rounds + 1):  # the first warms up
            for page in pages:
                wires = [ask.wire for ask in random.sample(page.asks, len(page.asks))]
                for ports, loads, status in ((floor, floors, page.shown), (path, paths, page.status)):
                    taken = load(ports, wires, status)
                    if number:
                        loads[page.name].append(taken)
    for page in pages:
        before, after = floors[page.name], paths[page.name]
        rates = [statistics.median(each.rate for each in loads) for loads in (before, after)]
        asking = sum(each.asking for each in after) / sum(each.seconds for each in after)
        yield (
            f"| {page.title} | {rates[0]:,.0f} | {percentile(before, 50):.1f}, {percentile(before, 99):.1f} | "
            f"{rates[1]:,.0f} | {percentile(after, 50):.1f}, {percentile(after, 99):.1f} | {rates[0] / rates[1]:.2f} | "
            f"{asking:.0%} |"
        )


@contextmanager
def databases(kind: str) -> Iterator[tuple[str, str]]:
    """
    Make a database, and give where it is to the pages and to the floor.
    """
    with ExitStack() as stack:
        if kind == "SQLite":
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            yield f"sqlite:///{directory}/optly.db", f"{directory}/bare.db"
        else:
            url = stack.enter_context(fresh_database("postgresql"))
            yield url, url


def main() -> None:
    wanted = options(__doc__ or "", quick="fewer contacts and rounds", profile="show where the time goes, and no more")
    contacts, rounds = (12, 1) if wanted.small else (200, 2) if wanted.quick else (1000, 5)
    if wanted.profile:
        with databases("SQLite") as (url, _):
            profiled(World.make(url, contacts))
        return
    for kind in ("SQLite", "PostgreSQL"):
        try:
            with databases(kind) as (url, _):
                print(f"\n{kind}, without a server; the floor is Jinja2\n")
                print(table(list(alone(World.make(url, contacts), rounds=min(9, contacts // 12)))), flush=True)
            for interface, framework in (("WSGI", "Flask"), ("ASGI", "Starlette")):
                with databases(kind) as (url, bare):
                    print(f"\n{kind}, {interface}, two processes; the floor is {framework}\n")
                    print(HEADING)
                    for row in loaded(interface, url, bare, contacts, rounds):
                        print(row, flush=True)
        except pytest.skip.Exception as missing:
            print(missing)
    print(f"\nload average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
