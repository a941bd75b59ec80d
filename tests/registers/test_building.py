"""
Licence files are read as they come, what cannot be read is reported without being repeated, and no number is lost.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optly.contacts.addresses import PhoneNumber
from optly.errors import ConfigurationError, RegisterSourceError
from optly.protocols import UNDATED, RegisterName
from optly.registers import Built, FileRegister, Step, build
from optly.registers._format import pack_day, unpack_day
from optly.registers._sources import read_date, read_number

AS_OF = date(2026, 3, 1)
AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
ADA = PhoneNumber("+447911123456")
BOB = PhoneNumber("+442079460000")


def built(folder: Path, data: bytes | str, **facts: Any) -> tuple[Built, FileRegister]:
    source, target = folder / "licence.csv", folder / "tps.register"
    source.write_bytes(data.encode() if isinstance(data, str) else data)
    return build(source, target, name=RegisterName.TPS, as_of=AS_OF, **facts), FileRegister(target)


def listed(register: FileRegister, *numbers: PhoneNumber) -> list[date | None]:
    return [register.listed_on(number, AT).listed_on for number in numbers]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """
    By an error of ours, before anything is read.
    """
    with pytest.raises(ConfigurationError, match="folder"):
        build(tmp_path / "absent.csv", tmp_path / "nowhere" / "tps.register", name=RegisterName.TPS, as_of=AS_OF)


# ---- numbers and dates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("07911 123456", 447911123456),
        ("+44 7911 123456", 447911123456),
        ("447911123456", 447911123456),
        ("0044 7911 123456", 447911123456),
        ("7911123456", 447911123456),
        ("+44 (0)20 7946 0000", 442079460000),
        ("(020) 7946-0000", 442079460000),
        ("020\u00a07946\u00a00000", 442079460000),
        ("'02079460000", 442079460000),
        ('"02079460000"', 442079460000),
        ("0207 3787244 ", 442073787244),
        ("0191 5657153", 441915657153),
        ("07860 338653\r", 447860338653),
        ("01204 12345", 44120412345),
    ],
)
def test_a_number_is_read_however_it_is_written(text: str, expected: int) -> None:
    """
    The spaced forms are those of the published layout of the licence file.

    Source: https://corporate.mpsonline.org.uk/shared/technical_desc.asp?context=CTPS (read 2026-11-24).
    """
    assert expected == read_number(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "telephone",
        "0791112",
        "0791112345",
        "079111234567",
        "4.47911E+11",
        "07911123456.0",
        "+353 1 234 5678",
        "+32 2 123 45 67",
        "0032 2 123 45 67",
        "0 0 7911123456",
        "06911123456",
        "07911123456 / 02079460000",
        "07911123456 ada",
        "٠٧٩١١١٢٣٤٥٦",
    ],
)
def test_what_is_no_number_of_the_kingdom_is_not_read(text: str) -> None:
    """
    A foreign number included: without its country code it would be somebody else's.
    """
    assert read_number(text.encode()) is None


GB = phonenumbers.PhoneMetadata.metadata_for_region("GB", None)
EXAMPLES = [
    str(getattr(GB, kind).example_number)
    for kind in ("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "uan")
    if getattr(GB, kind) is not None and getattr(GB, kind).example_number
]


@given(
    st.sampled_from(EXAMPLES),
    st.integers(0, 999),
    st.integers(0, 2),
)
def test_numbers_are_read_as_the_core_reads_them(example: str, ending: int, form: int) -> None:
    """
    Whatever way a library that knows every number plan writes a number of the kingdom, the register finds it under the
    E.164 form that contacts have.
    """
    number = phonenumbers.parse(f"{example[:-3]}{ending:03}", "GB")
    text = phonenumbers.format_number(
        number,
        (
            phonenumbers.PhoneNumberFormat.NATIONAL,
            phonenumbers.PhoneNumberFormat.INTERNATIONAL,
            phonenumbers.PhoneNumberFormat.E164,
        )[form],
    )
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert int(e164[1:]) == read_number(text.encode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-01", date(2026, 2, 1)),
        ("20260201", date(2026, 2, 1)),
        ("2026-02-01T09:30:00Z", date(2026, 2, 1)),
        ("01/02/2026", date(2026, 2, 1)),
        ("1.2.2026", date(2026, 2, 1)),
        ("01-02-2026 09:30", date(2026, 2, 1)),
        ("31/02/2026", None),
        ("02/13/2026", None),
        ("soon", None),
        ("46054", None),
    ],
)
def test_a_date_is_read_with_the_day_first(text: str, expected: date | None) -> None:
    """
    As dates are written in the kingdom, or in the order of ISO 8601.
    """
    assert expected == read_date(text.encode())


@given(st.dates())
def test_a_day_is_kept_or_becomes_undated(day: date) -> None:
    """
    Two bytes hold the days of 1970 to 2149; a day outside them counts as long ago, which is the careful reading.
    """
    kept = unpack_day(pack_day(day))
    assert (day if date(1970, 1, 2) <= day <= date(2149, 6, 6) else UNDATED) == kept


# ---- files


def test_a_list_of_numbers_alone_is_read(tmp_path: Path) -> None:
    """
    In the fixed layout the licensor publishes, with its line ends; nothing is known of when they were listed.
    """
    report, register = built(tmp_path, b"0207 9460000\r\n07911 123456\r\n\r\n")

    assert listed(register, ADA, BOB, PhoneNumber("+447911123457")) == [UNDATED, UNDATED, None]
    assert (report.count, report.duplicates, report.flaws) == (2, 0, 0)
    assert (report.version, report.as_of) == (register.header.version, register.header.as_of)


def test_one_date_can_stand_for_a_whole_file(tmp_path: Path) -> None:
    """
    A date in a row goes before it.
    """
    _, register = built(tmp_path, "07911123456,\n02079460000,2025-05-05\n", listed_on=date(2026, 1, 1), date_column=1)
    assert [date(2026, 1, 1), date(2025, 5, 5)] == listed(register, ADA, BOB)


def test_columns_delimiters_headings_and_quotes_are_understood(tmp_path: Path) -> None:
    """
    A delimiter in quotes separates nothing, and a quote that is not closed spoils its own row alone.
    """
    text = (
        '\ufeff"Name";"Telephone";"Listed"\n"Lovelace; Ada";"07911 123456";"24/12/2025"\n"x;07911123457\n'
        "Bob;02079460000;2026-01-31\n"
    )
    report, register = built(tmp_path, text, column=1, date_column=2, delimiter=";")

    assert [date(2025, 12, 24), date(2026, 1, 31)] == listed(register, ADA, BOB)
    assert report.flawed_lines == ((3,),)


def test_a_first_row_with_digits_is_not_taken_for_a_heading(tmp_path: Path) -> None:
    """
    It is a number that could not be read, and said to be one.
    """
    report, _ = built(tmp_path, "0791112345x\n07911123456\n")
    assert report.flawed_lines == ((1,),)


def test_compressed_files_and_several_files_are_one_register(tmp_path: Path) -> None:
    """
    Compression is seen from the content, and a number in two files has the earlier date.
    """
    (tmp_path / "one").write_bytes(gzip.compress(b"\xef\xbb\xbf07911123456,2026-01-02\n07911123456,2026-01-01\n"))
    (tmp_path / "two").write_text("02079460000,2026-02-02\nnonsense\n07911123456,2026-01-03")
    target = tmp_path / "register"
    sources: list[str | Path] = [tmp_path / "one", str(tmp_path / "two")]
    report = build(sources, target, name=RegisterName.CTPS, as_of=AS_OF, date_column=1)

    assert [date(2026, 1, 1), date(2026, 2, 2)] == listed(FileRegister(target), ADA, BOB)
    assert (report.count, report.duplicates, report.flaws, report.flawed_lines) == (2, 2, 1, ((), (2,)))


@pytest.mark.parametrize("written", ["31/02/2026", "soon", "2026-03-02"])
def test_a_number_with_a_date_that_cannot_be_is_kept(tmp_path: Path, written: str) -> None:
    """
    Undated, so that it is never called for its date, and reported; a date after the copy's own cannot be true.
    """
    report, register = built(tmp_path, f"07911123456,{written}\n", date_column=1)

    assert listed(register, ADA) == [UNDATED]
    assert report.flawed_lines == ((1,),)


def test_flaws_are_put_up_with_up_to_the_limit(tmp_path: Path) -> None:
    """
    As many as the limit are reported, one more ends the build; the error names a line and nothing that is in it.
    """
    good, bad = "07911123456\n", "0791199999\u00a4\n"
    report, _ = built(tmp_path, good + bad * 3, flaw_limit=3)
    assert (report.flaws, report.flawed_lines) == (3, ((2, 3, 4),))

    with pytest.raises(RegisterSourceError, match="line 2") as caught:
        built(tmp_path, good + bad * 4, flaw_limit=3)
    assert "99999" not in str(caught.value)


def test_lines_are_counted_across_blocks(tmp_path: Path) -> None:
    """
    A flaw far into a file has its own line, and only so many are listed.
    """
    report, register = built(tmp_path, "07911123456\n" * 100_000 + "x1\n" * 150, flaw_limit=150)
    assert (150, tuple(range(100_001, 100_101))) == (report.flaws, report.flawed_lines[0])
    assert (len(register), report.duplicates) == (1, 99_999)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"Telephone\n",
        b"Telephone\nnone\n",
        gzip.compress(b"07911123456\n" * 999)[:-9],
        gzip.compress(b"07911123456\n" * 999)[:30] + b"\xff" * 40,
    ],
    ids=["empty", "blank", "heading", "no number", "cut short", "garbled"],
)
def test_what_is_no_licence_file_is_refused(tmp_path: Path, data: bytes) -> None:
    """
    Before anything takes the place of the register that is there.
    """
    _, register = built(tmp_path, "07911123456\n")
    with pytest.raises(RegisterSourceError):
        built(tmp_path, data)
    register.reload()
    assert listed(register, ADA) == [UNDATED]


def test_a_line_that_never_ends_is_not_read_to_its_end(tmp_path: Path) -> None:
    """
    It would be read into memory whole, however long the file is.
    """
    with pytest.raises(RegisterSourceError, match="longer than a million bytes"):
        built(tmp_path, b"07911123456\n" + b"7" * 3_000_000 + b"\n07911123456\n")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """
    As is a folder.
    """
    for source in (tmp_path / "missing", tmp_path):
        with pytest.raises(RegisterSourceError):
            build(source, tmp_path / "register", name=RegisterName.TPS, as_of=AS_OF)


@pytest.mark.parametrize(
    "facts",
    [
        {"as_of": date(9999, 1, 1)},
        {"listed_on": date(2026, 3, 2)},
        {"flaw_limit": -1},
        {"column": -1},
        {"date_column": -1},
        {"delimiter": ""},
        {"delimiter": ", "},
        {"delimiter": "¦"},
    ],
    ids=str,
)
def test_arguments_that_cannot_be_right_are_refused(tmp_path: Path, facts: dict[str, Any]) -> None:
    """
    Above all a date in the future, which would make a copy that never grows old.
    """
    (tmp_path / "licence").write_text("07911123456\n")
    with pytest.raises(ConfigurationError):
        build(tmp_path / "licence", tmp_path / "register", name=RegisterName.TPS, **{"as_of": AS_OF, **facts})


def test_progress_is_told_from_start_to_end(tmp_path: Path) -> None:
    """
    Each step ends with all of it done, and nothing is ever undone.
    """
    told: list[tuple[Step, int, int]] = []
    source = "".join(f"07{number:09}\n" for number in range(200_000))
    built(tmp_path, source, progress=lambda *step: told.append(step))

    assert (Step.READING, len(source), len(source)) == [step for step in told if step[0] is Step.READING][-1]
    assert told[-1] == (Step.WRITING, 200_000, 200_000)
    assert told == sorted(told)


def test_the_core_does_not_load_the_register(tmp_path: Path) -> None:
    """
    Importing optly or its rules loads no part of it.
    """
    code = "import sys, optly, optly.rules; sys.exit(any(name.startswith('optly.registers.') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
