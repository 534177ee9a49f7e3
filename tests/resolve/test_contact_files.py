"""Files of contacts: what is written is read again, what is wrong is named by row and column, and nothing raises."""

import csv as cells
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.resolve.contact_files import FORMULA, MAX_BYTES, as_csv, as_toml, read
from pipeline.resolve.contact_rows import COLUMNS, KINDS, PreferenceRow, Problem, RouteRow, Row, WordRow
from tests.resolve.keys import PRIVATE, PUBLIC

NOW = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
NET = (ip_address("192.0.2.0"), ip_address("192.0.2.127"))

ROWS: list[Row] = [
    PreferenceRow("abuse@isp.example", "Abuse@isp.example", "fr_CA,en", "csv", 30, NOW, NOW + timedelta(days=9)),
    PreferenceRow(
        "+desk@two.example",
        "+desk@two.example",
        headers={"X-Desk": "=7; 'x' \"y\"", "X-Queue": "abuse"},
        pgp_key=PUBLIC.strip(),
        source='letter of 3 May, « en français »\u00a0: "oui"',
    ),
    WordRow("use", "noc@isp.example", "NOC@isp.example", NET, "=SUM(1)"),
    WordRow("use", "a@isp.example", "a@isp.example", (ip_address("192.0.2.1"), ip_address("192.0.2.9")), "'quoted"),
    WordRow("reject", "me@two.example", "me@two.example", None, "'=twice", NOW + timedelta(seconds=1.5)),
    WordRow("reject", "me@two.example", "me@two.example", (ip_address("2001:db8::"), ip_address("2001:db8::f")), "-"),
    RouteRow("CH", "digest", "cert@cert.example", "CERT, of Example", "@asked"),
    RouteRow("FR", "direct", "", "", "x;y"),
]


def csv(*lines: str, encoding: str = "utf-8") -> bytes:
    return "\r\n".join(lines).encode(encoding)


HEAD = "kind,mailbox,network,reason,language,until"
GOOD = "use,noc@isp.example,192.0.2.0/24,asked,,"


def problems(data: bytes, kind: str = "csv") -> list[tuple[str, str, str]]:
    return [(found.row, found.column, found.code) for found in read(data, kind, NOW).problems]


@pytest.mark.parametrize("kind", ["csv", "toml"])
def test_what_is_written_is_read_again_as_it_was(kind: str) -> None:
    text = as_csv(ROWS) if kind == "csv" else as_toml(ROWS)
    found = read(text.encode(), kind, NOW)
    assert found.problems == []
    assert found.rows == ROWS


def test_no_cell_that_is_written_begins_like_a_formula() -> None:
    text = as_csv(ROWS)
    assert "'=SUM(1)" in text
    assert "'-----BEGIN PGP" in text
    rows = list(cells.reader(text.lstrip("\ufeff").splitlines(keepends=True)))
    assert not [cell for row in rows for cell in row if cell.startswith(FORMULA)]


def test_a_cell_that_a_person_wrote_like_a_formula_is_text() -> None:
    [row] = read(csv(HEAD, "reject,me@isp.example,,=1+1,,"), "csv", NOW).rows
    assert isinstance(row, WordRow)
    assert row.reason == "=1+1"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-8"])
def test_marks_of_utf_8_and_utf_16_are_understood(encoding: str) -> None:
    data = csv(HEAD, GOOD.replace("asked", "demandé"), encoding=encoding)
    data = b"\xff\xfe" + data if encoding == "utf-16-le" else data
    [row] = read(data, "csv", NOW).rows
    assert isinstance(row, WordRow)
    assert row.reason == "demandé"


@pytest.mark.parametrize("mark", [";", "\t", ","])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_semicolons_tabs_and_every_line_end_are_understood(mark: str, end: str) -> None:
    text = end.join((HEAD, "", GOOD)).replace(",", mark) + end
    assert len(read(text.encode(), "csv", NOW).rows) == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (csv(HEAD, "use,abuse@isp,192.0.2.0/24,asked"), [("2", "mailbox", "mailbox")]),
        (
            csv(HEAD, GOOD, "", "use,a@isp.example,192.0.2.7/24,,,"),
            [("4", "reason", "missing"), ("4", "network", "network")],
        ),
        (
            csv(HEAD, '"use","a@isp.example","192.0.2.0/24","two\nlines"', "uses,,,,"),
            [("2", "reason", "control"), ("4", "kind", "kind")],
        ),
        (csv(HEAD, "use,a@isp.example,,asked"), [("2", "network", "missing")]),
        (csv(HEAD, "use,a@isp.example,192.0.2.0/24,asked,en"), [("2", "language", "not_here")]),
        (csv(HEAD, "use,a@isp.example,192.0.2.0/24,asked,,2026-03-01"), [("2", "until", "past")]),
        (csv(HEAD, "preference,a@isp.example,,,de"), [("2", "language", "language")]),
        (csv(HEAD, ",a@isp.example,,,"), [("2", "kind", "missing")]),
        (csv(HEAD, GOOD, GOOD.replace("asked", "again")), [("3", "mailbox", "double")]),
        (csv(HEAD, GOOD + ",,"), []),
        (csv(HEAD, GOOD + ",,x"), [("2", "", "too_many_cells")]),
        (
            csv("kind,country,route,reason", "route,CH,digest,x", "route,Suisse,all,x"),
            [("2", "mailbox", "missing"), ("3", "country", "country"), ("3", "route", "route")],
        ),
        (csv("kind,mail,reason,reason", "x"), [("1", "", "unknown_column"), ("1", "", "double_column")]),
        (csv("mailbox,reason", "x"), [("1", "", "missing_column")]),
        (csv("one line of text"), [("1", "", "unknown_column"), ("1", "", "missing_column")]),
        (csv(HEAD, 'reject,a@isp.example,,"never ends'), [("2", "", "csv")]),
        (csv(HEAD, f"reject,a@isp.example,,{'x' * 140_000}"), [("2", "", "csv")]),
        (csv(HEAD, f"reject,a@isp.example,,{'x' * 80_000}"), [("2", "reason", "too_long")]),
        (csv(HEAD, GOOD, "reject,a@isp.example,,demandé", encoding="latin-1"), [("3", "", "encoding")]),
        (csv(HEAD, GOOD, encoding="utf-16-le"), [("", "", "encoding")]),
        (b"", [("", "", "empty")]),
        (b"\r\n\r\n", [("", "", "empty")]),
        (b" " * (MAX_BYTES + 1), [("", "", "too_large")]),
        (csv("kind," * 50, "x"), [("1", "", "unknown_column"), ("1", "", "double_column")]),
    ],
)
def test_what_is_wrong_in_csv_is_named_by_row_and_column(data: bytes, expected: list[tuple[str, str, str]]) -> None:
    assert problems(data) == expected


def test_a_row_that_is_wrong_takes_no_good_one_with_it() -> None:
    found = read(csv(HEAD, "use,abuse@isp,192.0.2.0/24,asked", GOOD), "csv", NOW)
    assert (len(found.rows), len(found.problems)) == (1, 1)
    assert found.problems[0] == Problem("2", "mailbox", "mailbox", "abuse@isp")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[[use]]\nmailbox = "a@isp"\nnetwork = "192.0.2.0/24"\nreason = "x"', [("use 1", "mailbox", "mailbox")]),
        ("[[preference]]\nmailbox = 7", [("preference 1", "mailbox", "mailbox")]),
        ("[[preference]]\nmailbox = true", [("preference 1", "mailbox", "type")]),
        ('[[preference]]\nmail = "a@isp.example"', [("preference 1", "mail", "unknown_column")]),
        (
            '[[preference]]\nmailbox = "a@isp.example"\nheaders = { Bcc = "x" }',
            [("preference 1", "headers", "header_name")],
        ),
        (
            '[[preference]]\nmailbox = "a@isp.example"\nheaders = { X-A = "x\\nBcc: y" }',
            [("preference 1", "headers", "type")],
        ),
        ('[[preference]]\nmailbox = "a@isp.example"\nheaders = "X-A: 1"', [("preference 1", "headers", "type")]),
        (
            '[[preference]]\nmailbox = "a@isp.example"\ncadence_days = 10_000',
            [("preference 1", "cadence_days", "days")],
        ),
        ('[[preference]]\nmailbox = "a@isp.example"\nuntil = 2027-01-01T00:00:00', [("preference 1", "until", "zone")]),
        ('[[contacts]]\nmailbox = "a@isp.example"', [("", "", "unknown_table")]),
        ('[use]\nmailbox = "a@isp.example"', [("", "", "unknown_table")]),
        ("use = [1]", [("use 1", "", "type")]),
        ("[[use]\n", [("", "", "toml")]),
        ("x = " + "9" * 5000, [("", "", "toml")]),
        ("[[use]]\nreason = 0x" + "f" * 9000, [("use 1", "reason", "type")]),
        ("x = " + "[" * 5000 + "]" * 5000, [("", "", "toml")]),
        ("", [("", "", "empty")]),
    ],
)
def test_what_is_wrong_in_toml_is_named_by_table_and_key(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert problems(text.encode(), "toml") == expected


def test_toml_takes_times_numbers_and_headers_as_they_are_in_toml() -> None:
    text = '[[preference]]\nmailbox = "a@isp.example"\ncadence_days = 30\nuntil = 2027-01-01\nheaders = { X-A = "1" }'
    [row] = read(text.encode(), "toml", NOW).rows
    assert row == PreferenceRow(
        *("a@isp.example", "a@isp.example"),
        cadence_days=30,
        until=datetime(2027, 1, 1, tzinfo=UTC),
        headers={"X-A": "1"},
    )


@pytest.mark.parametrize("text", [PUBLIC, PRIVATE])
def test_a_key_is_never_repeated_in_a_problem(text: str) -> None:
    quoted = '"' + text.replace("KEY BLOCK", "KEY BLOCKS", 1 if text == PUBLIC else 0) + '"'
    [found] = read(csv("kind,mailbox,pgp_key", f"preference,a@isp.example,{quoted}"), "csv", NOW).problems
    assert found == Problem("2", "pgp_key", "pgp_key" if text == PUBLIC else "private_key")


CELLS = st.one_of(
    st.sampled_from([*COLUMNS, *KINDS, "a@isp.example", "192.0.2.0/24", "=1", "'", '"', "en", "2027-01-01", "X-A: 1"]),
    st.text(max_size=8),
)


@given(st.lists(st.lists(CELLS, max_size=16), max_size=6), st.sampled_from([",", ";", "\t"]))
def test_no_csv_raises(rows: list[list[str]], mark: str) -> None:
    text = "\n".join([mark.join(COLUMNS), *(mark.join(row) for row in rows)])
    found = read(text.encode(errors="surrogatepass"), "csv", NOW)
    again = read(as_csv(found.rows).encode(), "csv", NOW)
    assert again.rows == found.rows


@given(st.binary(max_size=80))
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfe\x00")
def test_no_bytes_raise(data: bytes) -> None:
    for kind in ("csv", "toml"):
        assert read(data, kind, NOW).rows == []
