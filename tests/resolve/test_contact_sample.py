"""The sample of national teams in the documentation: a file that can be taken as it stands, and writes to nobody."""

from datetime import UTC, datetime
from pathlib import Path

from pipeline.resolve import contact_files
from pipeline.resolve.contact_rows import RouteRow
from pipeline.resolve.contact_values import ROUTES

SAMPLE = Path(__file__).parents[2] / "docs" / "how-to" / "national-certs.toml"
NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)


def test_the_sample_of_national_teams_can_be_taken_whole() -> None:
    contents = contact_files.read(SAMPLE.read_bytes(), "toml", NOW)
    assert contents.problems == []
    assert [row.route for row in contents.rows if isinstance(row, RouteRow)] == list(ROUTES)


def test_the_sample_names_nobody_who_exists() -> None:
    routes = [row for row in contact_files.read(SAMPLE.read_bytes(), "toml", NOW).rows if isinstance(row, RouteRow)]
    assert all(row.mailbox.endswith(".example") and row.title and row.reason for row in routes)
