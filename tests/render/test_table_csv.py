"""The attached table: all targets, read back as written; and no value from outside is ever a formula, a row, a column."""

import csv
import email
import email.policy
import io
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.render import letter, table_csv
from pipeline.render.evidence import Group
from pipeline.render.form import Form
from pipeline.render.values import Audience, Ended, LetterValues
from tests.render.written import SEEN, TEMPLATES, cases, finding, message, sources, values

FORMULA = re.compile(r'[\s"]*[=+\-@|%\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212]')
CELL = re.compile(r'("(?:[^"]|"")*"|[^",;\t]*)([,;\t]|$)')  # as LibreOffice parts a line by its first settings


def _groups(notice: LetterValues) -> tuple[Group, ...]:
    return letter.draft(notice, sources(notice.kind)).told.groups


def _read(notice: LetterValues, *locales: str) -> list[dict[str, str]]:
    notes = {locale: letter.draft(notice, sources(notice.kind)).notes(locale) for locale in locales}
    data = table_csv.csv_table(notice, _groups(notice), notes)
    assert data is not None
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))


@pytest.mark.parametrize("name", cases())
def test_every_target_has_one_row(name: str) -> None:
    notice = cases()[name].values
    rows = _read(notice, "en", "fr_CA")
    told = {(str(found.address), str(found.port or ""), found.topic) for found in notice.findings}
    assert sorted((row["address"], row["port"], row["topic"]) for row in rows) == sorted(told)
    assert {row["reference"] for row in rows} == {notice.reference}
    for row in rows:
        assert row["note_en"].startswith(row["address"])
        assert notice.reference in row["note_fr_CA"]


def test_a_row_says_what_the_letter_says_and_leaves_empty_what_nobody_said() -> None:
    unsaid = finding("2001:db8::1", "open_proxy", port=0, service="any", sources=(), source_count=2, network="")
    confirmed = finding("192.0.2.1", level=4)
    rows = _read(values(unsaid, confirmed))
    assert rows[0]["tested_at"] == "2026-11-01T02:00:00Z"
    assert [row["evidence"] for row in rows] == ["confirmed", "reported"]
    assert (rows[1]["port"], rows[1]["service"], rows[1]["sources"], rows[1]["source_count"]) == ("", "", "", "2")


def test_a_statement_is_no_test() -> None:
    ended = [finding("192.0.2.1", ended=Ended(SEEN)), finding("192.0.2.2", ended=Ended(SEEN, stated=True))]
    rows = _read(values(*ended, kind="thanks"))
    assert {row["address"]: (row["evidence"], bool(row["tested_at"])) for row in rows} == {
        "192.0.2.1": ("closed", True),
        "192.0.2.2": ("stated", False),
    }


@pytest.mark.parametrize(
    ("kind", "training", "name", "status"),
    [
        ("first", False, "addresses.csv", ""),
        ("first", True, "training-addresses.csv", "training"),
        ("test", False, "addresses.csv", "test"),
        ("test", True, "training-addresses.csv", "training"),
    ],
)
def test_a_table_that_is_not_in_earnest_says_so_in_each_row_and_stays_a_table(
    kind: str, training: bool, name: str, status: str
) -> None:
    notice = values(finding("192.0.2.1"), finding("192.0.2.2"), kind=kind, training=training)
    assert [row["status"] for row in _read(notice, "fr_CA")] == [status] * 2
    letters = [message(notice, *locales, form=Form(csv=True)) for locales in (("en",), ("fr_CA",), ("en", "fr_CA"))]
    attached = [list(email.message_from_bytes(body, policy=email.policy.default).walk())[-1] for body in letters]
    assert {part.get_filename() for part in attached} == {name}


@pytest.mark.parametrize("head", table_csv.HEADS)
def test_heads_are_machine_names(head: str) -> None:
    assert re.fullmatch(r"[a-z][a-z_]*", head)


def test_every_column_is_explained() -> None:
    page = (TEMPLATES.parent / "docs" / "reference" / "attachments.md").read_text("utf-8")
    table = page.partition("## The table")[2].partition("\n## ")[0]
    named = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall("`([^`]+)`", row)]
    assert named == [*table_csv.HEADS, *map(table_csv.NOTE.format, ("en", "fr_CA", "fr"))]


def test_lines_end_as_rfc_4180_has_it_and_no_mark_stands_before_the_first_head() -> None:
    data = table_csv.csv_table(values(), _groups(values()), {})
    assert data is not None
    assert data.startswith(b"address,port,")
    assert data.endswith(b"\r\n")
    assert data.count(b"\n") == data.count(b"\r\n") == 2


OUTSIDE = st.text(max_size=120) | st.sampled_from(
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        " =1",
        "\r\n=1",
        '"=1',
        "a,b",
        'a"b',
        "\uff1d1",
        "x\r\n192.0.2.66,25",
        "'=1",
        "a; =1",
        'a;"=1',
        "a;",
        "\u00a0\u200b=1",
        "\ufe66\u2212",
        "|cmd",
    ]
)
PIECES = st.lists(st.sampled_from(list("=+-@\t\r\n\",;'| \u00a0\u2028\ud800\uff1da1")), max_size=12).map("".join)


def _hostile(network: str, source: str, note: str) -> str:
    """A file of two targets with these values in it."""
    notice = values(
        finding(network=network, sources=(source, "Z"), source_count=2),
        finding("192.0.2.11"),
        audience=Audience.PROVIDER,
    )
    data = table_csv.csv_table(notice, _groups(notice), {"en": [note, "a note"]})
    assert data is not None
    return data.decode("utf-8")


@given(OUTSIDE | PIECES, OUTSIDE | PIECES, OUTSIDE | PIECES)
def test_no_outside_value_is_a_formula_or_moves_another(network: str, source: str, note: str) -> None:
    rows = list(csv.DictReader(io.StringIO(_hostile(network, source, note), newline=""), strict=True))
    assert [row["address"] for row in rows] == ["192.0.2.10", "192.0.2.11"]
    for row in rows:
        assert list(row) == [*table_csv.HEADS, "note_en"]
        assert None not in row.values()
        assert not [value for value in row.values() if FORMULA.match(value)]
        assert not [value for value in row.values() if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", value)]


@given(OUTSIDE | PIECES, OUTSIDE | PIECES, OUTSIDE | PIECES)
def test_a_spreadsheet_that_parts_cells_at_semicolons_as_well_sees_the_same_cells(
    network: str, source: str, note: str
) -> None:
    lines = _hostile(network, source, note).removesuffix("\r\n").split("\r\n")
    assert len(lines) == 3
    for line in lines:
        found = list(CELL.finditer(line))
        cells = [each[1] for each in found if each[0] or each.start() == 0 or line[each.start() - 1] in ",;\t"]
        assert "".join(each[0] for each in found) == line
        assert len(cells) == len(table_csv.HEADS) + 1
        assert not [cell for cell in cells if FORMULA.match(cell)]


@given(OUTSIDE | PIECES, OUTSIDE | PIECES, OUTSIDE | PIECES)
def test_one_that_parts_them_at_semicolons_alone_computes_nothing(network: str, source: str, note: str) -> None:
    text = _hostile(network, source, note)
    cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=";") for cell in row]
    cells += [cell for line in text.split("\r\n") for cell in line.split(";")]
    assert not [cell for cell in cells if FORMULA.match(cell)]


def test_what_a_guard_does_to_a_value_can_be_undone() -> None:
    kept = ("EXAMPLE-NET", "Hébergement Exemple inc.", "A; B", "1 = 1", "a 'b'")
    assert [table_csv.guarded(text) for text in kept] == list(kept)
    assert table_csv.guarded(" =1; -2") == "'=1;' -2"


def test_notes_that_do_not_fit_the_targets_are_refused() -> None:
    notice = values(finding(), finding("192.0.2.11"))
    with pytest.raises(ValueError, match="shorter"):
        table_csv.csv_table(notice, _groups(notice), {"en": ["one"]})


def test_no_more_notes_are_written_than_fit() -> None:
    some = values(*(finding(f"2001:db8::{n:x}") for n in range(1, 3_000)))
    written = []

    def notes() -> Iterator[str]:
        for number in range(len(some.findings)):
            written.append(number)
            yield "n" * 10_000

    without = table_csv.csv_table(some, _groups(some), {"en": notes()})
    assert without is not None
    assert b"note_en" not in without
    assert len(written) <= table_csv.MAX_CSV // 10_000


def test_a_file_that_is_too_large_loses_its_notes_and_one_that_still_is_is_not_made() -> None:
    some = values(*(finding(f"2001:db8::{n:x}", network="N" * 100) for n in range(1, 5_000)))
    notes = {"en": ["n" * 400] * len(some.findings)}
    assert "note_en" in _read(values(finding()), "en")[0]
    without = table_csv.csv_table(some, _groups(some), notes)
    assert without is not None
    assert len(without) <= table_csv.MAX_CSV
    assert b"note_en" not in without
    many = values(*(finding(f"2001:db8::{n:x}", network="N" * 200) for n in range(1, 12_000)))
    assert table_csv.csv_table(many, _groups(many), {}) is None
