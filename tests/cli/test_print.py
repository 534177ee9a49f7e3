"""`tocsin render --print`: real PDF files in a folder, each letter once, and what is said where nothing can be printed."""

import csv
import hashlib
import json
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, update

from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.cli.conftest import Tocsin
from tests.conftest import NOW
from tests.render.posted import printable, refused


@pytest.fixture
def pango() -> None:
    printable()


@pytest.mark.usefixtures("pango")
def test_letters_are_printed_once_and_listed(installed: Database, folder: Path, tocsin: Tocsin) -> None:
    references = refused(installed, NOW, 2)
    done = tocsin("render", "--print", "out", "--paper", "letter", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out) == {"schema_version": 1, "printed": 2, "not_printed": {}, "folder": "out"}
    with (folder / "out" / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["reference"] for row in rows] == references
    for row in rows:
        data = (folder / "out" / f"{row['reference']}.pdf").read_bytes()
        assert data.startswith(b"%PDF-")
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
    assert json.loads(tocsin("render", "--print", "out", "--json").out)["printed"] == 0


@pytest.mark.usefixtures("pango")
def test_who_printed_stands_in_the_log(installed: Database, tocsin: Tocsin) -> None:
    refused(installed, NOW, 1)
    tocsin("render", "--print", "out", "--json")
    with installed.read() as connection:
        query = select(t.events.c.by).where(t.events.c.what == "letter.printed")
        [by] = connection.execute(query).scalars()
    assert by.startswith("system:")


@pytest.mark.usefixtures("pango")
def test_how_many_have_no_postal_address_is_said(installed: Database, tocsin: Tocsin) -> None:
    refused(installed, NOW, 2)
    with installed.write() as connection:
        connection.execute(update(t.netblocks).where(t.netblocks.c.id == 1).values(postal=""))
    done = json.loads(tocsin("render", "--print", "out", "--json").out)
    assert (done["printed"], done["not_printed"]) == (1, {"no_postal_address": 1})


def test_paper_needs_print(tocsin: Tocsin) -> None:
    done = tocsin("render", "--paper", "a4", "--json")
    assert done.code == 2
    assert "--paper needs --print" in done.err + done.out


def test_without_weasyprint_the_command_says_what_to_install(
    installed: Database, folder: Path, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(installed, NOW, 1)
    monkeypatch.setitem(sys.modules, "weasyprint", None)  # Python's own way to say that there is none
    done = tocsin("render", "--print", "out", "--json")
    assert done.code != 0
    error = json.loads(done.out or done.err)["error"]
    assert "tocsin[pdf]" in error["next"]
    assert "libpango" in error["next"]
    assert not (folder / "out").exists()


def test_without_pango_the_command_says_what_to_install(
    tocsin: Tocsin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "weasyprint.py").write_text("raise OSError(\"cannot load library 'libpango-1.0-0'\\nmore\")\n")
    monkeypatch.syspath_prepend(broken)
    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    done = tocsin("render", "--print", "out", "--json")
    error = json.loads(done.out or done.err)["error"]
    assert (error["why"], "tocsin[pdf]" in error["next"]) == ("cannot load library 'libpango-1.0-0'", True)
