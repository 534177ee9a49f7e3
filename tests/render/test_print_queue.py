"""The print queue on both databases: which letters become paper, each once, whatever stops a run."""

import csv
import hashlib
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from pipeline.domain import CaseState
from pipeline.render.letter import Letter
from pipeline.render.paper import Printed, Sheet, Size
from pipeline.render.print_queue import Done, Press, print_letters, recipient_lines
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.printing import Postal
from tests.render.posted import POSTAL, refused


class Killed(BaseException):
    """The process ends here."""


def page(text: Letter, sheet: Sheet) -> Printed:
    """What stands for a PDF: the words of the letter and of its envelope."""
    return Printed("\n".join([*sheet.recipient, text.subject, text.body]).encode(), 2)


def press(db: Database, folder: Path, now: datetime) -> Press:
    return Press(db, folder, Size.A4, lambda: now, "system:test", page)


def run(db: Database, folder: Path, now: datetime) -> Done:
    return print_letters(press(db, folder, now), lambda *_: None)


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def logged(db: Database) -> list[tuple[int, str]]:
    query = select(t.events.c.subject_id, t.events.c.data).where(t.events.c.what == "letter.printed")
    with db.read() as connection:
        return [(row.subject_id, row.data) for row in connection.execute(query.order_by(t.events.c.id))]


def test_each_letter_is_printed_once_with_its_event_and_its_line(db: Database, now: datetime, tmp_path: Path) -> None:
    references = refused(db, now, 2)
    folder = tmp_path / "out"
    assert run(db, folder, now) == Done(2, {})
    assert sorted(path.name for path in folder.iterdir()) == sorted([*(f"{r}.pdf" for r in references), "manifest.csv"])
    first = (folder / f"{references[0]}.pdf").read_bytes()
    assert first.startswith(b"Sample Inc.\n12 Sample Road\nSampleville, NY 10000\nUNITED STATES\n")
    assert {b"192.0.2.0" in first, b"192.0.2.2" in first} == {True, False}
    rows = manifest(folder)
    assert [row["reference"] for row in rows] == references
    assert rows[0]["sha256"] == hashlib.sha256(first).hexdigest()
    assert rows[0]["recipient"] == f"Sample Inc.\n{POSTAL}\nUNITED STATES"
    assert (rows[0]["holder"], rows[0]["languages"], rows[0]["pages"]) == ("Sample Inc.", "en", "2")
    assert (rows[0]["printed_at"], rows[0]["not_printed"]) == ("2026-03-01T10:00:00Z", "")
    assert [letter for letter, _ in logged(db)] == [1, 2]
    assert rows[0]["sha256"] in logged(db)[0][1]


def test_nothing_is_readable_by_others(db: Database, now: datetime, tmp_path: Path) -> None:
    refused(db, now)
    run(db, tmp_path / "out", now)
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "out").iterdir())


def test_no_personal_value_stands_in_the_log(db: Database, now: datetime, tmp_path: Path) -> None:
    refused(db, now)
    run(db, tmp_path, now)
    [(_, data)] = logged(db)
    assert not any(word in data for word in ("Sample", "Road", "abuse@", "192.0.2"))


def test_a_second_run_prints_only_what_is_new_and_lists_all(db: Database, now: datetime, tmp_path: Path) -> None:
    references = refused(db, now, 2)
    with db.write() as connection:
        connection.execute(update(t.letters).where(t.letters.c.id == 2).values(state="accepted"))
    assert run(db, tmp_path, now).printed == 1
    before = (tmp_path / f"{references[0]}.pdf").stat().st_mtime_ns
    with db.write() as connection:
        connection.execute(update(t.letters).where(t.letters.c.id == 2).values(state="bounced"))
    assert run(db, tmp_path, now).printed == 1
    assert (tmp_path / f"{references[0]}.pdf").stat().st_mtime_ns == before
    assert [row["reference"] for row in manifest(tmp_path)] == references
    assert run(db, tmp_path, now) == Done(0, {})


def test_after_a_kill_between_file_and_event_the_next_run_goes_on(db: Database, now: datetime, tmp_path: Path) -> None:
    references = refused(db, now, 3)

    def clock() -> datetime:
        if (tmp_path / f"{references[1]}.pdf").exists():  # asked for the time of the event
            raise Killed
        return now

    with pytest.raises(Killed):
        print_letters(Press(db, tmp_path, Size.A4, clock, "system:test", page), lambda *_: None)
    assert [letter for letter, _ in logged(db)] == [1]
    assert not (tmp_path / "manifest.csv").exists()
    (tmp_path / f"{references[1]}.pdf").write_bytes(b"half")
    assert run(db, tmp_path, now) == Done(2, {})
    assert [letter for letter, _ in logged(db)] == [1, 2, 3]
    rows = manifest(tmp_path)
    assert [row["reference"] for row in rows] == references
    assert all(
        row["sha256"] == hashlib.sha256((tmp_path / f"{row['reference']}.pdf").read_bytes()).hexdigest() for row in rows
    )


def test_a_file_is_never_seen_half_written(db: Database, now: datetime, tmp_path: Path) -> None:
    refused(db, now, 2)
    folder = tmp_path / "out"
    seen: list[list[str]] = []

    def watched(text: Letter, sheet: Sheet) -> Printed:
        seen.append([path.suffix for path in folder.iterdir()])
        return page(text, sheet)

    print_letters(Press(db, folder, Size.A4, lambda: now, "system:test", watched), lambda *_: None)
    assert seen == [[], [".pdf"]]


def test_a_letter_without_one_postal_address_is_listed_and_not_printed(
    db: Database, now: datetime, tmp_path: Path
) -> None:
    references = refused(db, now, 4)
    with db.write() as connection:
        networks = t.netblocks.c
        connection.execute(update(t.netblocks).where(networks.id == 1).values(postal=""))
        connection.execute(update(t.netblocks).where(networks.id == 3).values(postal="\n".join("abcdefghi")))
        other = {"outcome": "contacts", "valid_from": now, "expires_at": now, "holder": "Other", "postal": "9 Road\nX"}
        lone = select(t.netblocks.c.first_address, t.netblocks.c.last_address).where(networks.id == 2)
        first, last = connection.execute(lone).one()
        made = insert(t.netblocks).values(first_address=first, last_address=last, **other).returning(networks.id)
        network = connection.execute(made).scalar_one()
        case = update(t.cases).where(t.cases.c.id == 3)
        connection.execute(case.values(netblock_contact_id=None, netblock_id=network))
    done = run(db, tmp_path, now)
    assert done == Done(1, {"address_too_long": 1, "no_postal_address": 1, "several_postal_addresses": 1})
    printed, *others = manifest(tmp_path)
    assert [path.name for path in tmp_path.glob("*.pdf")] == [f"{printed['reference']}.pdf"]
    assert printed["not_printed"] == ""
    assert {printed["reference"], *(row["reference"] for row in others)} == set(references)
    assert sorted(row["not_printed"] for row in others) == [
        "address too long",
        "no postal address",
        "several postal addresses",
    ]


def test_what_is_over_is_not_spoken_of(db: Database, now: datetime, tmp_path: Path) -> None:
    refused(db, now, 2)
    with db.write() as connection:
        connection.execute(update(t.cases).where(t.cases.c.id == 1).values(state=CaseState.FIXED.value))
        connection.execute(update(t.cases).where(t.cases.c.id == 3).values(exposure="closed"))
        connection.execute(update(t.cases).where(t.cases.c.id == 4).values(state=CaseState.EXCLUDED.value))
    assert run(db, tmp_path, now) == Done(1, {"no_case_left": 1})
    [file] = tmp_path.glob("*.pdf")
    text = file.read_text()
    assert "192.0.2.0" not in text
    assert "192.0.2.1" in text


def test_a_suppression_that_comes_while_printing_takes_the_file_away(
    db: Database, now: datetime, tmp_path: Path
) -> None:
    refused(db, now)

    def slow(text: Letter, sheet: Sheet) -> Printed:
        with db.write() as connection:
            values = {"mailbox": "abuse@isp0.example", "reason": "asked", "by": "person:1", "at": now}
            connection.execute(insert(t.suppressions).values(**values))
        return page(text, sheet)

    done = print_letters(Press(db, tmp_path, Size.A4, lambda: now, "system:test", slow), lambda *_: None)
    assert done == Done(0, {"suppressed": 1})
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".pdf"] == []
    assert logged(db) == []
    assert manifest(tmp_path) == []


def test_two_at_once_print_nothing_twice(db: Database, now: datetime, tmp_path: Path) -> None:
    refused(db, now)
    inner: list[Done] = []

    def meanwhile(text: Letter, sheet: Sheet) -> Printed:
        if not inner:
            inner.append(Done(0, {}))
            inner.append(run(db, tmp_path, now))
        return page(text, sheet)

    outer = print_letters(Press(db, tmp_path, Size.A4, lambda: now, "system:test", meanwhile), lambda *_: None)
    assert (outer, inner[1]) == (Done(0, {}), Done(1, {}))
    assert len(logged(db)) == 1
    assert len(list(tmp_path.glob("*.pdf"))) == 1


def test_a_cell_of_the_manifest_is_never_a_formula(db: Database, now: datetime, tmp_path: Path) -> None:
    refused(db, now)
    with db.write() as connection:
        connection.execute(update(t.netblocks).values(holder='=HYPERLINK("https://evil.example")'))
    run(db, tmp_path, now)
    [row] = manifest(tmp_path)
    assert row["holder"].startswith("'=")
    assert row["recipient"].startswith("'=")


@pytest.mark.parametrize(
    ("postal", "locale", "lines"),
    [
        (Postal("Holder", ("1 Road", "Town"), "US"), "en", ("Holder", "1 Road", "Town", "UNITED STATES")),
        (Postal("Holder", ("1 Road", "Town"), "US"), "fr_CA", ("Holder", "1 Road", "Town", "ÉTATS-UNIS")),
        (Postal("Holder", ("HOLDER", "1 Road", "united states"), "US"), "en", ("HOLDER", "1 Road", "united states")),
        (Postal("", ("1 Road", "US"), "US"), "fr", ("1 Road", "US")),
        (Postal("Holder", ("1 Road",), ""), "en", ("Holder", "1 Road")),
    ],
)
def test_an_envelope_has_the_holder_first_and_the_country_last_once(
    postal: Postal, locale: str, lines: tuple[str, ...]
) -> None:
    assert recipient_lines(postal, locale) == lines
