"""`tocsin template` by the command itself: import, lint, list, diff."""

import shutil
from pathlib import Path

import pytest

from pipeline.config import shipped
from pipeline.store.db import Database
from tests.cli import written_wave as wave
from tests.cli.conftest import Tocsin


@pytest.fixture(autouse=True)
def database(db: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command works on the test's database, of either kind."""
    monkeypatch.setenv("TOCSIN_DATABASE__URL", db.engine.url.render_as_string(hide_password=False))


@pytest.fixture
def own(folder: Path) -> Path:
    """An agency's own first letter, beside what it shares."""
    letters = shipped("templates") / "letters"
    shutil.copytree(letters / "first", folder / "letters" / "first")
    shutil.copytree(letters / "shared", folder / "letters" / "shared")
    return folder / "letters" / "first"


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_shipped_letters_have_no_problem(tocsin: Tocsin) -> None:
    ran = tocsin("template", "lint")
    assert (ran.code, ran.out) == (0, "none\n")


def test_a_stale_translation_is_told_with_what_to_write_and_is_not_imported(tocsin: Tocsin, own: Path) -> None:
    _change(own / "en.txt.j2", "Hello,", "Good day,")
    ran = tocsin("template", "lint", own)
    assert ran.code == 5
    assert "first: fr.txt.j2: stale: " in ran.out
    assert "write in letter.toml: 'fr.txt.j2' = '" in ran.out
    refused = tocsin("template", "import", own)
    assert (refused.code, "tocsin template lint" in refused.err) == (6, True)
    fingerprint = ran.out.partition("'fr.txt.j2' = '")[2].partition("'")[0]
    old = (own / "letter.toml").read_text(encoding="utf-8").rpartition(' = "')[2].partition('"')[0]
    _change(own / "letter.toml", old, fingerprint)
    assert tocsin("template", "lint", own).code == 0
    assert tocsin("template", "import", own).code == 0


def test_a_campaign_is_looked_at_when_it_is_named(tocsin: Tocsin, folder: Path) -> None:
    with (folder / "config.toml").open("a", encoding="utf-8") as file:
        file.write(CAMPAIGN)
    assert tocsin("template", "lint", "--campaign", "one").code == 5
    ran = tocsin("template", "lint", "--campaign", "one", "--json")
    assert [problem.partition(": the")[0] for problem in ran.data["problems"]["one"]] == ["campaign.guidance: link"]
    _change(folder / "config.toml", "# bilingual", "bilingual_pages")
    assert tocsin("template", "lint", "--campaign", "one").code == 0
    assert tocsin("template", "lint", "--campaign", "two").code == 4


CAMPAIGN = """
[campaigns.one]
operation = { en = "Secure", fr = "Sécurisez" }
agencies = [{ name = { en = "Agency", fr = "Agence" } }]
from_name = { en = "Agency", fr = "Agence" }
from_mailbox = "a@agency.example"
reply_to = "a@agency.example"
contact_mailbox = "a@agency.example"
guidance = { en = "https://agency.example/both", fr = "https://agency.example/both" }
participants = { en = "https://agency.example/en", fr = "https://agency.example/fr" }
instructions = { en = "https://agency.example/en", fr = "https://agency.example/fr" }
verification = { en = "https://agency.example/en", fr = "https://agency.example/fr" }
postal = { en = ["x"], fr = ["y"] }
signature = { en = ["x"], fr = ["y"] }
# bilingual = ["guidance"]
"""


def _imported_twice(tocsin: Tocsin, own: Path) -> list[int]:
    """Import the letter, then with another revision number; returns both revisions."""
    assert tocsin("template", "import", own).code == 0
    _change(own / "letter.toml", "revision = 1", "revision = 2")
    assert tocsin("template", "import", own).code == 0
    return [one["revision"] for one in tocsin("template", "list", "first", "--json").data["imports"]]


def test_imports_are_listed_with_what_they_brought(tocsin: Tocsin, own: Path) -> None:
    assert tocsin("template", "list").out == "nothing to show\n"
    _imported_twice(tocsin, own)
    first, second = tocsin("template", "list", "--json").data["imports"]
    assert (len(first["sources"]) > 10, list(second["sources"])) == (True, ["letter.toml"])
    assert second["by"].startswith("system:")
    shown = tocsin("template", "list", "first").out.splitlines()
    assert shown[-1].rstrip().endswith(f"letter.toml {second['sources']['letter.toml'][:12]}")
    assert tocsin("template", "list", "last").out == "nothing to show\n"


def test_a_second_import_of_the_same_is_no_revision(tocsin: Tocsin, own: Path) -> None:
    tocsin("template", "import", own)
    again = tocsin("template", "import", own)
    [only] = tocsin("template", "list", "--json").data["imports"]
    assert again.out == f"first: nothing has changed since revision {only['revision']}\n"
    data = tocsin("template", "import", own, "--json").data
    assert (data["letters"], data["revisions"]) == ({"first": []}, {"first": only["revision"]})


def test_an_import_says_in_a_line_how_much_it_stored_and_names_the_files_to_programs(tocsin: Tocsin, own: Path) -> None:
    ran = tocsin("template", "import", own)
    [only] = tocsin("template", "list", "--json").data["imports"]
    assert ran.out == f"first: {len(only['sources'])} files stored, revision {only['revision']}\n"
    _change(own / "letter.toml", "revision = 1", "revision = 2")
    data = tocsin("template", "import", own, "--json").data
    assert data["letters"] == {"first": ["letter.toml"]}
    assert data["revisions"]["first"] == tocsin("template", "list", "--json").data["imports"][-1]["revision"]
    _change(own / "letter.toml", "revision = 2", "revision = 3")
    assert tocsin("template", "import", own).out.startswith("first: 1 file stored, revision ")


def test_a_diff_shows_what_the_last_import_changed(tocsin: Tocsin, own: Path) -> None:
    old, new = _imported_twice(tocsin, own)
    ran = tocsin("template", "diff", "first")
    assert ran.code == 0
    assert [line for line in ran.out.splitlines() if line[0] in "+-"] == [
        f"--- letter.toml {old}",
        f"+++ letter.toml {new}",
        "-revision = 1",
        "+revision = 2",
    ]
    data = tocsin("template", "diff", "--from", new, "--to", old, "--json").data
    assert (data["from"], data["to"], list(data["changes"])) == (str(new), str(old), ["letter.toml"])
    assert tocsin("template", "diff", "--from", new, "--to", new).out == "nothing has changed\n"


def test_a_diff_with_a_folder_shows_what_an_import_would_change(tocsin: Tocsin, own: Path) -> None:
    tocsin("template", "import", own)
    _change(own / "fr.txt.j2", "Bonjour,", "Madame, Monsieur,")
    ran = tocsin("template", "diff", "--folder", own)
    assert [line for line in ran.out.splitlines() if line.startswith(("-B", "+M"))] == [
        "-Bonjour,",
        "+Madame, Monsieur,",
    ]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("last",), 4),
        (("first", "--from", "99999"), 4),
        (("first", "--from", "2001-01-01"), 4),
        (("first", "--from", "yesterday"), 2),
        (("first", "--between", "en", "de"), 2),
    ],
)
def test_what_is_not_there_is_said(tocsin: Tocsin, own: Path, more: tuple[str, ...], code: int) -> None:
    tocsin("template", "import", own)
    ran = tocsin("template", "diff", *more)
    assert (ran.code, ran.out) == (code, "")


def test_a_date_names_the_revision_of_that_day(tocsin: Tocsin, db: Database) -> None:
    wave.bring_in(db)
    day = f"{wave.NOW:%Y-%m-%d}"
    assert tocsin("template", "diff", "--from", day, "--to", day).out == "nothing has changed\n"


def test_languages_stand_side_by_side_and_what_differs_is_marked(tocsin: Tocsin, db: Database, own: Path) -> None:
    wave.bring_in(db)
    data = tocsin("template", "diff", "first", "--between", "en", "fr_CA", "--json").data
    assert not any(row["apart"] for row in data["paragraphs"])
    assert {"part": "prose", "en": "Hello,", "fr_CA": "Bonjour,", "apart": False} in data["paragraphs"]
    _change(own / "fr_CA.txt.j2", "Bonjour,\n", "Bonjour,\n\nSalut, {{ reference }}.\n")
    ran = tocsin("template", "diff", "first", "--folder", own, "--between", "en", "fr_CA")
    lines = ran.out.splitlines()
    at = lines.index("  fr_CA: Salut, {{ reference }}.")
    assert lines[at - 2 : at] == ["≠ prose", "  en: "] or lines[at - 2 : at] == ["≠ prose", "  en:"]
    assert sum(line.startswith("≠") for line in lines) == 1
