"""
Every page in each of its states, on a server of its own: what is looked at in a browser.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import attrs

from optly import Channel, Organisation, Purpose, Wording
from optly.demo.web import WebServer
from optly.portal.choices import by_title, fields
from optly.portal.look import Look
from optly.portal.theme import Theme
from optly.protocols.http import Request, Response
from optly.testing.pages import Sample, item, samples

MOUNT = "/my"

ACME = Organisation(
    key="acme",
    name="Acme Ltd",
    address="1 High Street, Leeds LS1 1AA",
    freephone="0800 496 0000",
    email="privacy@acme.example.com",
)
LONG = Organisation(
    key="long",
    name="The Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogoch Agricultural and Horticultural Co-operative",
    address="Tremadog House, 1–3 Ffordd Caergybi, Llanfairpwllgwyngyll, Ynys Môn LL61 5UJ",
    email="data-protection-and-privacy-enquiries@llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogoch.example.com",
)

LOGO = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 44" fill="#1d2b53">
<circle cx="22" cy="22" r="18" fill="#7a3db8"/><path d="M13 30 22 12l9 18" fill="none" stroke="#fff" stroke-width="4"/>
<path d="M54 32V14h6l4 9 4-9h6v18h-5V22l-3 8h-4l-3-8v10Zm26 0V14h18v5H86v2h10v5H86v1h12v5Z"/></svg>"""

_CHANNELS = (Channel.EMAIL, Channel.SMS, Channel.LIVE_CALL, Channel.POST)
_ANSWERS = (True, None, False, None, True)


def _many(organisation: Organisation) -> Mapping[str, Any]:
    """
    Return twelve purposes on four channels: more than anybody should be asked.
    """
    found = []
    for number in range(12):
        hint = "" if number == 2 else "About once a month. You can change your mind at any time."
        purpose = Purpose(key=f"purpose-{number}", title=f"News about subject number {number + 1}", hint=hint)
        for place, channel in enumerate(_CHANNELS):
            wording = purpose.wording(organisation, channel)
            answer = _ANSWERS[(number + place) % len(_ANSWERS)]
            found.append(item(channel, purpose.key, purpose.title, wording, answer))
    return {"groups": by_title(fields(found))}


def _arabic() -> Mapping[str, Any]:
    """
    Return a question from right to left.
    """
    wording = Wording(
        text="هل تسمح لشركة Acme Ltd بإرسال العروض إليك عبر البريد الإلكتروني؟",
        hint="يمكنك تغيير رأيك في أي وقت.",
        yes="نعم، أسمح",
        no="لا، لا أسمح",
        language="ar",
    )
    asked = [
        item(Channel.EMAIL, "offers", "العروض والخصومات", wording, True),
        item(Channel.SMS, "offers", "العروض والخصومات", wording, None),
    ]
    return {"groups": by_title(fields(asked))}


@attrs.frozen(kw_only=True)
class Picture:
    """
    A page to look at.
    """

    name: str
    look: Look
    sample: Sample
    language: str = "en"

    def response(self) -> Response:
        facts = dict(self.sample.facts)
        return self.look.page(
            HTTPStatus.OK, self.sample.template, language=self.language, here=f"/{self.name}", **facts
        )


def pictures(directory: Path) -> Iterator[Picture]:
    """
    Yield all of them. A catalogue for a language from right to left is put into *directory*.
    """
    (directory / "ar.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Your choices"\nmsgstr "خياراتك"\n',
        encoding="utf-8",
    )
    acme = Look(organisation=ACME, mount=MOUNT)
    worldly = Look(organisation=ACME, mount=MOUNT, catalogues=(directory,), theme=Theme(colour="#7a3db8", logo=LOGO))
    yellow = Look(organisation=LONG, mount=MOUNT, theme=Theme(colour="#ffdd00"))
    for sample in samples(ACME, MOUNT):
        name = "-".join([sample.template, *sample.state.split()])
        yield Picture(name=name, look=acme, sample=sample)
        if name in ("choices", "choices-error", "code_enter-error", "history", "details", "stopped", "change"):
            yield Picture(name=f"{name}-rtl", look=worldly, sample=sample, language="ar")
        if name in ("choices", "code_send", "help", "details", "stop"):
            yield Picture(name=f"{name}-long", look=yellow, sample=sample, language="cy")
        if name == "choices":
            many = attrs.evolve(sample, facts={**sample.facts, **_many(ACME)})
            yield Picture(name="choices-many", look=acme, sample=many)
            arabic = attrs.evolve(sample, facts={**sample.facts, **_arabic()})
            yield Picture(name="choices-arabic", look=worldly, sample=arabic, language="ar")


@contextmanager
def served(shown: Iterator[Picture]) -> Iterator[Mapping[str, str]]:
    """
    Serve pictures until the block ends, and yield their addresses by their names.
    """
    known = {picture.name: picture for picture in shown}
    looks = {picture.look for picture in known.values()}

    def handle(request: Request) -> Response:
        name = request.path.rpartition("/")[2]
        if name in known:
            return known[name].response()
        found = [file for look in looks if (file := look.file(name)) is not None]
        return (
            found[0] if found else Response(status=HTTPStatus.NOT_FOUND, headers=(("content-length", "0"),), body=b"")
        )

    server = WebServer()
    try:
        with server.serving(handle):
            yield {name: f"{server.url}/{name}" for name in known}
    finally:
        server.server_close()
