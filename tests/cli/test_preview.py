"""`tocsin template preview`: what a contact would get, in every form; nothing is kept of it."""

import email
import email.policy
import shutil
from pathlib import Path

import pytest
from sqlalchemy import func, select

from pipeline.config import shipped
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.keys import is_reference
from tests.cli import written_wave as wave
from tests.cli.conftest import Tocsin
from tests.render.posted import printable


@pytest.fixture(autouse=True)
def database(db: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command works on the test's database, of either kind."""
    monkeypatch.setenv("TOCSIN_DATABASE__URL", db.engine.url.render_as_string(hide_password=False))
    credentials = folder / "credentials.toml"  # the key that the waves of these tests are made with
    credentials.write_text(f'master_key = "{bytes(range(32)).hex()}"\n', encoding="utf-8")
    wave.bring_in(db)


def _rows(db: Database) -> dict[str, int]:
    with db.read() as connection:
        kept = (t.waves, t.notices, t.notice_cases, t.letters, t.bodies, t.events, t.template_revisions)
        return {one.name: int(connection.execute(select(func.count()).select_from(one)).scalar_one()) for one in kept}


def test_a_sample_letter_bears_a_reference_that_is_one_and_that_no_notice_has(tocsin: Tocsin) -> None:
    ran = tocsin("template", "preview")
    assert ran.code == 0
    assert ran.out.startswith("[TCS-00000-00000-0] Report: open relay, 198.51.100.1\n====")
    assert is_reference("TCS-00000-00000-0")
    assert tocsin("template", "preview", "--json").data["kind"] == "first"


@pytest.mark.parametrize(
    ("languages", "said"), [("fr_CA", "pourriels"), ("fr-CA", "pourriels"), ("fr", "spams"), ("en,fr_CA", "FRANÇAIS")]
)
def test_the_languages_are_those_that_are_asked_for(tocsin: Tocsin, languages: str, said: str) -> None:
    assert said in tocsin("template", "preview", "--lang", languages).out


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--lang", "de"), 2),
        (("--lang", "en,en"), 2),
        (("rappel",), 2),
        (("last",), 4),
        (("--sample", "none"), 4),
        (("--revision", "99999"), 4),
        (("--as", "nobody@isp.example"), 4),
        (("--campaign", "none"), 4),
        (("--from", "nowhere"), 3),
        (("--as", "abuse@isp.example", "--folder", "x"), 2),
    ],
)
def test_what_is_not_there_is_said(tocsin: Tocsin, more: tuple[str, ...], code: int) -> None:
    ran = tocsin("template", "preview", *more)
    assert (ran.code, ran.out) == (code, "")


def test_a_contact_with_waiting_cases_is_shown_the_letter_that_it_would_get_and_nothing_is_kept(
    tocsin: Tocsin, db: Database
) -> None:
    wave.waiting(db)
    before = _rows(db)
    shown = tocsin("template", "preview", "--as", wave.MAILBOX, "--text")
    assert shown.code == 0, shown.err
    assert wave.ADDRESS in shown.out
    assert _rows(db) == before
    reference = wave.plan(db)  # it is the very letter that is planned afterwards
    assert f"Reference / Référence\u00a0: {reference}" in shown.out
    assert tocsin("template", "preview", "--as", wave.MAILBOX.upper()).out == shown.out


def test_a_planned_notice_is_shown_in_the_form_it_will_have(tocsin: Tocsin, db: Database, folder: Path) -> None:
    wave.waiting(db, attachments=["csv"])
    wave.rendered(db)
    before = _rows(db)
    ran = tocsin("template", "preview", "--as", wave.MAILBOX, "--eml", "--output", "letter.eml")
    assert (ran.code, ran.out) == (0, "written: letter.eml\n")
    message = email.message_from_bytes((folder / "letter.eml").read_bytes(), policy=email.policy.default)
    assert message["To"] == wave.MAILBOX
    assert [part.get_content_type() for part in message.iter_attachments()] == ["text/csv"]
    assert _rows(db) == before
    assert wave.ADDRESS in tocsin("template", "preview", "--as", wave.MAILBOX, "--lang", "fr").out


def test_a_letter_that_is_not_imported_yet_is_shown_from_its_folder(tocsin: Tocsin, db: Database, folder: Path) -> None:
    own = folder / "first"
    shutil.copytree(shipped("templates") / "letters" / "first", own)
    text = (own / "en.txt.j2").read_text(encoding="utf-8")
    (own / "en.txt.j2").write_text(text.replace("Hello,", "Good day,"), encoding="utf-8")
    assert "Good day," in tocsin("template", "preview", "--from", own).out
    assert "Hello," in tocsin("template", "preview").out
    wave.waiting(db)
    assert "Good day," in tocsin("template", "preview", "--from", own, "--as", wave.MAILBOX).out


def test_an_older_revision_is_shown_as_it_was(tocsin: Tocsin, db: Database) -> None:
    [old] = (one["revision"] for one in tocsin("template", "list", "--json").data["imports"])
    wave.bring_in(db, {"en.txt.j2": wave.sources()["en.txt.j2"].replace("Hello,", "Good day,")})
    assert "Good day," in tocsin("template", "preview").out
    assert "Hello," in tocsin("template", "preview", "--revision", old).out


def test_bytes_go_to_a_pipe_and_html_is_a_page(tocsin: Tocsin) -> None:
    refused = tocsin("template", "preview", "--eml", "--json")
    assert (refused.code, refused.data["error"]["what"]) == (2, "--eml makes bytes: add --output FILE")
    assert tocsin("template", "preview", "--eml").out.startswith("From: ")
    assert "<html" in tocsin("template", "preview", "--html").out


def test_a_review_has_every_sample_in_every_order_of_languages(tocsin: Tocsin, folder: Path) -> None:
    wave_letters = tocsin("template", "preview", "--folder", "review", "--json").data["letters"]
    found = list((folder / "review").glob("first.*.eml"))
    assert len(found) == wave_letters
    assert {path.name.split(".")[2] for path in found} == {"en", "fr_CA", "fr", "en+fr_CA", "fr_CA+en"}
    for path in found:
        assert email.message_from_bytes(path.read_bytes())["Message-ID"] == "<preview@agency.example>"


def test_paper_is_a_pdf(tocsin: Tocsin, folder: Path) -> None:
    printable()
    assert tocsin("template", "preview", "--lang", "fr,en", "--pdf", "--output", "letter.pdf").code == 0
    assert (folder / "letter.pdf").read_bytes().startswith(b"%PDF-")
