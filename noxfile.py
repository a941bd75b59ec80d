"""
Everything that has to hold before a change is good: ``nox`` runs it all.
"""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "typing", "tests", "demo"]
PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    session.install(".[all]", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """
    Check style and formatting.
    """
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """
    Check types, strictly.
    """
    install(session, "typing", "test")
    session.run("mypy")
    hosts = [argument for name in ("flask", "fastapi", "wsgi", "asgi") for argument in ("-m", f"examples.{name}.app")]
    session.run("mypy", "--strict", *hosts)


@nox.session
def tests(session: nox.Session) -> None:
    """
    Run the tests, documentation included.
    """
    install(session, "test")
    session.run("pytest", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """
    Play the whole of the main job, as installed.
    """
    install(session)
    session.run("optly", "demo", "--once")


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """
    Measure the main paths beside their floors.
    """
    install(session)
    for name in ("foundation", "storage", "rules", "registers", "smtp", "delivery", "callbacks", "pages"):
        session.run("python", f"benchmarks/{name}.py")
