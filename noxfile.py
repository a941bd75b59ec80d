"""
Everything that has to hold before a change is good: ``nox`` runs it all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = nox.project.python_versions(PROJECT)
CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"
PARALLEL = ("-n", "auto", "--dist", "worksteal")
QUICK = ("-m", "not browser and not server and not slow", "--hypothesis-profile", "quick", "--durations", "10")

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "uv|virtualenv"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process that a test starts would compile everything again


def interpreters(version: str) -> Iterator[str]:
    """
    Yield where a Python of this version may be: on the path, where pyenv's shims need not work, or among pyenv's own.
    """
    if found := shutil.which(f"python{version}"):
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    yield from map(str, pyenv.glob(f"versions/{version}.*/bin/python"))


def starts(interpreter: str, version: str) -> bool:
    """
    Check that a Python starts, is of this version and can make environments.
    """
    program = "import ensurepip, sys, venv; print('{}.{}'.format(*sys.version_info))"
    done = subprocess.run([interpreter, "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip() == version


def others() -> dict[str, str]:
    """
    Return the Pythons beside this one: those that ``OPTLY_PYTHONS`` names, all of which have to be there, or else every
    supported one that is found.
    """
    named = os.environ.get("OPTLY_PYTHONS", "").split()
    wanted = [version for version in named or SUPPORTED if version != CURRENT]
    found = {version: path for version in wanted for path in interpreters(version) if starts(path, version)}
    if named and (missing := set(wanted) - found.keys()):
        raise SystemExit(f"OPTLY_PYTHONS names a Python that is not installed: {', '.join(sorted(missing))}")
    return found


def install(session: nox.Session, *groups: str) -> None:
    session.install(".[all]", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session(allow_parallel=True)
def lint(session: nox.Session) -> None:
    """
    Check style and formatting.
    """
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(allow_parallel=True)
def workflows(session: nox.Session) -> None:
    """
    Check what GitHub reads: that it is well formed, and that the workflows give nothing away.
    """
    session.install(*nox.project.dependency_groups(PROJECT, "workflows"))
    for schema, files in {
        "github-workflows": Path(".github/workflows").glob("*.yml"),
        "dependabot": [".github/dependabot.yml"],
        "github-issue-config": [".github/ISSUE_TEMPLATE/config.yml"],
        "github-issue-forms": Path(".github/ISSUE_TEMPLATE").glob("[!c]*.yml"),
    }.items():
        session.run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files))
    session.run("zizmor", "--offline", "--pedantic", ".github")


@nox.session(allow_parallel=True)
def typing(session: nox.Session) -> None:
    """
    Check types, strictly.
    """
    install(session, "typing", "test")
    session.run("mypy")
    hosts = [argument for name in ("flask", "fastapi", "wsgi", "asgi") for argument in ("-m", f"examples.{name}.app")]
    session.run("mypy", "--strict", *hosts)


@nox.session(allow_parallel=True)
def pyright(session: nox.Session) -> None:
    """
    Check that the public names mean the same to a second type checker, and list those that have no type.
    """
    install(session, "pyright")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "optly", "--ignoreexternal", success_codes=[0, 1])


@nox.session
def tests(session: nox.Session) -> None:
    """
    Run the tests, documentation included.
    """
    install(session, "test")
    session.run("pytest", *PARALLEL, *session.posargs)


@nox.session(default=False)
def quick(session: nox.Session) -> None:
    """
    Run the tests that need neither a browser nor a server nor much time.
    """
    install(session, "test")
    session.run("pytest", *PARALLEL, *QUICK, *session.posargs)


for _version, _interpreter in others().items():
    nox.session(quick.func, name=f"quick-{_version}", python=_interpreter)


@nox.session(python=SUPPORTED[0], default=False)
def lowest(session: nox.Session) -> None:
    """
    Run the quick tests with the lowest version of everything that pyproject.toml allows.
    """
    session.install("uv")
    lowest = str(Path(session.create_tmp(), "lowest.txt"))
    session.run(
        *("uv", "pip", "compile", "--quiet", "pyproject.toml", "--all-extras", "--no-deps"),
        *("--resolution", "lowest-direct", "--output-file", lowest),
    )
    group = nox.project.dependency_groups(PROJECT, "test")
    session.run("uv", "pip", "install", "--quiet", ".[all]", *group, "--constraint", lowest)
    session.run("pytest", *PARALLEL, *QUICK, *session.posargs)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """
    Measure which lines and branches the quick tests reach; fewer than pyproject.toml asks for fail.
    """
    install(session, "coverage")
    session.run("pytest", *PARALLEL, *QUICK, "--cov", *session.posargs)


@nox.session(allow_parallel=True)
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
    for name in (
        *("foundation", "storage", "rules", "registers", "smtp", "delivery", "log", "footprint"),
        *("callbacks", "receive", "pages", "screen"),
    ):
        session.run("python", f"benchmarks/{name}.py")


@nox.session(default=False)
def kills(session: nox.Session) -> None:
    """
    Kill processes at random points, a thousand times for each store, or as often as OPTLY_KILLS says.
    """
    install(session, "test")
    env = {"OPTLY_KILLS": session.env.get("OPTLY_KILLS") or "1000"}
    session.run("pytest", "tests/storage/test_kill.py", "tests/storage/test_host_kill.py", *session.posargs, env=env)


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """
    Build what is released, in dist/, and check it.
    """
    session.install(*nox.project.dependency_groups(PROJECT, "build"))
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))
    session.run("check-wheel-contents", "dist")


@nox.session(requires=["build"], default=False, venv_backend="virtualenv")
def sbom(session: nox.Session) -> None:
    """
    List what the wheel brings along with all of its extras, as CycloneDX, in dist/.
    """
    session.install(*nox.project.dependency_groups(PROJECT, "sbom"))
    (wheel,) = Path("dist").glob("*.whl")
    installed = str(Path(session.create_tmp(), "installed"))
    session.run("python", "-m", "venv", "--clear", "--without-pip", installed)
    session.run("python", "-m", "pip", "--python", f"{installed}/bin/python", "install", "--quiet", f"{wheel}[all]")
    session.run(
        *("cyclonedx-py", "environment", f"{installed}/bin/python", "--pyproject", "pyproject.toml"),
        *("--mc-type", "library", "--output-reproducible", "--validate"),
        *("--output-file", f"dist/{wheel.stem}.cdx.json"),
    )
