"""
What holds for every register: an answer for the instant that is asked about, and none from a copy that is too old.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from optly.contacts.addresses import PhoneNumber
from optly.errors import NaiveDatetimeError, RegisterStaleError
from optly.protocols import UNDATED, Listing, Register, RegisterName
from optly.registers import FileRegister, MemoryRegister, build

AS_OF = date(2026, 3, 1)
AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
CHECKED_AT = datetime(2026, 3, 20, 12, 0, 1, tzinfo=UTC)
ADA = PhoneNumber("+447911123456")
BOB = PhoneNumber("+442079460000")

MakeRegister = Callable[[Mapping[PhoneNumber, date]], Register]


def clock() -> datetime:
    return CHECKED_AT


@pytest.fixture(params=["file", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> MakeRegister:
    def in_a_file(listings: Mapping[PhoneNumber, date]) -> Register:
        rows = (
            f"{number.value},{'' if listed_on == UNDATED else listed_on}\n" for number, listed_on in listings.items()
        )
        source, target = tmp_path / "licence.csv", tmp_path / "tps.register"
        source.write_text("".join(rows))
        build(source, target, name=RegisterName.TPS, as_of=AS_OF, date_column=1)
        return FileRegister(target, clock=clock)

    def in_memory(listings: Mapping[PhoneNumber, date]) -> Register:
        return MemoryRegister(RegisterName.TPS, listings, as_of=AS_OF, clock=clock)

    return in_a_file if request.param == "file" else in_memory


def test_an_answer_can_be_cited(make: MakeRegister) -> None:
    """
    It names the register, the day of the listing, the copy that was asked and when, and not the number.
    """
    register = make({ADA: date(2025, 12, 24)})
    listing = register.listed_on(ADA, AT)

    expected = Listing(
        register=RegisterName.TPS,
        listed_on=date(2025, 12, 24),
        at=AT,
        checked_at=CHECKED_AT,
        as_of=AS_OF,
        version=listing.version,
    )
    assert expected == listing
    assert register.name is RegisterName.TPS
    assert "7911" not in repr(listing) + repr(register)


def test_a_number_without_a_date_was_listed_long_ago(make: MakeRegister) -> None:
    """
    So that a rule that counts days refuses; a number that is not listed has no date at all.
    """
    register = make({ADA: UNDATED})

    assert register.listed_on(ADA, AT).listed_on == UNDATED
    assert register.listed_on(BOB, AT).listed_on is None


def test_a_listing_counts_from_its_day_on(make: MakeRegister) -> None:
    """
    At the last microsecond of the day before it is not there; with the day it is.
    """
    register = make({ADA: date(2026, 2, 10)})
    day = datetime(2026, 2, 10, tzinfo=UTC)

    assert register.listed_on(ADA, day - timedelta(microseconds=1)).listed_on is None
    assert date(2026, 2, 10) == register.listed_on(ADA, day).listed_on


def test_the_day_is_that_of_the_kingdom(make: MakeRegister) -> None:
    """
    In summer it begins at eleven in the evening of UTC, in whatever time zone the instant is written.
    """
    register = make({ADA: date(2025, 7, 10)})
    day = datetime(2025, 7, 9, 23, tzinfo=UTC)

    for zone in (UTC, timezone(timedelta(hours=5))):
        before = register.listed_on(ADA, (day - timedelta(microseconds=1)).astimezone(zone))
        assert before.listed_on is None
        assert register.listed_on(ADA, day.astimezone(zone)).listed_on == date(2025, 7, 10)
        assert before.at.tzinfo is UTC


def test_a_copy_is_good_for_28_days(make: MakeRegister) -> None:
    """
    On the twenty-eighth day after its date it still screens, on the twenty-ninth it does not.
    """
    register = make({ADA: UNDATED})
    end = datetime(2026, 3, 29, 23, tzinfo=UTC)  # the clocks went forward that morning

    assert register.listed_on(BOB, end - timedelta(microseconds=1)).listed_on is None
    with pytest.raises(RegisterStaleError, match="get a new one") as caught:
        register.listed_on(BOB, end)
    assert caught.value.as_of == AS_OF
    assert caught.value.as_of == pickle.loads(pickle.dumps(caught.value)).as_of


def test_an_instant_is_needed(make: MakeRegister) -> None:
    """
    A naive datetime names no day.
    """
    with pytest.raises(NaiveDatetimeError):
        make({ADA: UNDATED}).listed_on(ADA, datetime(2026, 3, 20))  # noqa: DTZ001


def test_a_foreign_number_is_on_no_register(make: MakeRegister) -> None:
    """
    However long it is.
    """
    register = make({ADA: UNDATED})

    assert register.listed_on(PhoneNumber("+123456789012345"), AT).listed_on is None
    assert register.listed_on(PhoneNumber("+1234567"), AT).listed_on is None


@pytest.mark.parametrize(
    ("listings", "complaint"),
    [
        ({"+442079460000": date(2024, 1, 5)}, "PhoneNumber"),
        ({BOB: "2024-01-05"}, "date"),
        ({BOB: datetime(2024, 1, 5, tzinfo=UTC)}, "date"),
        ({BOB: None}, "date"),
    ],
)
def test_listings_that_would_never_be_found_are_refused(listings: dict[object, object], complaint: str) -> None:
    """
    Otherwise the register would answer of every number that it is not listed.
    """
    with pytest.raises(TypeError, match=complaint):
        MemoryRegister(RegisterName.TPS, listings, as_of=AS_OF)  # type: ignore[arg-type]
