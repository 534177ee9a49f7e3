"""What is put on top of a letter at the moment of sending: its Date, and the newest seal of the log."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipeline.send.head import head

NOW = datetime(2025, 3, 1, 10, 0, 7, 999_999, tzinfo=UTC)
SEAL = "5a" * 32


def test_the_date_is_in_utc_with_its_zone() -> None:
    assert head(NOW) == b"Date: Sat, 01 Mar 2025 10:00:07 +0000\r\n"
    assert head(NOW.astimezone(timezone(timedelta(hours=-5)))) == head(NOW)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        head(NOW.replace(tzinfo=None))


def test_the_newest_seal_stands_below_the_date_and_only_where_there_is_one() -> None:
    assert head(NOW, SEAL) == head(NOW) + b"Tocsin-Seal: " + SEAL.encode() + b"\r\n"
    assert head(NOW, "") == head(NOW)


@pytest.mark.parametrize(
    "seal", ["5A" * 32, "5", "5a" * 65, "0x5a", "5a\r\nBcc: b@agency.example", "5a\n", " 5a", "٥٥", "5a 5a"]
)
def test_a_seal_that_is_not_hexadecimal_is_refused(seal: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        head(NOW, seal)
