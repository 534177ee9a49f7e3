"""A letter on paper: what the PDF says, where its address stands, that it is tagged and comes out the same again."""

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.render import letter, paper
from pipeline.render.paper import Sheet, Size
from tests.render import written
from tests.render.posted import printable
from tests.render.written import EN, EN_FR, FR_CA
from tests.system.presence import needs

RECIPIENT = ("Hébergement Exemple inc.", "12, rue de l'Exemple", "Québec (Québec)  G1A 1A1", "CANADA")
MILLIMETRE = 72 / 25.4  # points


@pytest.fixture(autouse=True)
def pango() -> None:
    printable()


def sheet(*languages: str, **changes: Any) -> Sheet:
    postal = written.face().postal
    sender = tuple(tuple(postal["en" if locale == "en" else "fr"]) for locale in languages)
    values: dict[str, Any] = {"reference": "TOC-7K3M-Q2XA", "recipient": RECIPIENT, "written_on": date(2026, 11, 3)}
    return Sheet(sender=sender, **{**values, **changes})


def printed(name: str, *languages: str, **changes: Any) -> paper.Printed:
    values = written.cases()[name].values
    text = letter.render(values, written.sources(values.kind), written.choice(*languages))
    return paper.pdf(text, sheet(*languages, **changes))


def told(data: bytes, program: str, *options: str) -> str:
    """What a program of Poppler says of a PDF."""
    path = needs(program, shutil.which(program))
    return subprocess.run(
        [path, *options, "-"], input=data, capture_output=True, check=True, timeout=30
    ).stdout.decode()


def text_of(data: bytes) -> str:
    path = needs("pdftotext", shutil.which("pdftotext"))
    done = subprocess.run([path, "-layout", "-", "-"], input=data, capture_output=True, check=True, timeout=30)
    return done.stdout.decode()


def place(data: bytes, word: str) -> tuple[float, float]:
    """Where a word stands first: millimetres from the left and from the top of its page."""
    path = needs("pdftotext", shutil.which("pdftotext"))
    done = subprocess.run([path, "-bbox", "-l", "1", "-", "-"], input=data, capture_output=True, check=True, timeout=30)
    found = re.search(rf'<word xMin="([0-9.]+)" yMin="([0-9.]+)"[^>]*>{re.escape(word)}</word>', done.stdout.decode())
    assert found
    return float(found[1]) / MILLIMETRE, float(found[2]) / MILLIMETRE


@pytest.mark.parametrize(
    ("size", "page"), [(Size.A4, "595.276 x 841.89 pts (A4)"), (Size.LETTER, "612 x 792 pts (letter)")]
)
def test_pdf_is_tagged_titled_and_of_the_size_asked_for(size: Size, page: str) -> None:
    made = printed("mixed-beside", *EN_FR, size=size)
    info = dict(line.split(":", 1) for line in told(made.data, "pdfinfo").splitlines())
    assert info["Tagged"].strip() == "yes"
    assert info["Page size"].strip() == page
    assert info["Title"].strip().startswith("[TOC-7K3M-Q2XA] Report: open relay or open proxy, 6 IP addresses / ")
    assert info["Pages"].strip() == str(made.pages)
    assert b"pdfuaid:part" in made.data or "pdfuaid" in told(made.data, "pdfinfo", "-meta")


def test_pdf_names_its_languages() -> None:
    structure = told(printed("mixed-beside", *EN_FR).data, "pdfinfo", "-struct")
    assert "Table" in structure
    page = paper.source(letter.render(written.values(), written.sources(), written.choice(*EN_FR)), sheet(*EN_FR))
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert '<div class="half" lang="fr-CA">' in page


def test_paper_holds_reference_recipient_and_every_address() -> None:
    text = text_of(printed("both-300-provider", *EN).data)
    assert "TOC-7K3M-Q2XA" in text
    assert all(line.replace("  ", " ") in text.replace("  ", " ") for line in RECIPIENT)
    findings = written.cases()["both-300-provider"].values.findings
    missing = [str(one.address) for one in findings if not re.search(rf"^ *{one.address} ", text, re.MULTILINE)]
    assert missing == []


def test_a_long_table_has_its_heads_on_every_page_and_pages_are_counted() -> None:
    made = printed("both-300-provider", *FR_CA)
    pages = text_of(made.data).split("\f")[:-1]
    assert len(pages) == made.pages
    lines = [page for page in pages if len(re.findall(r"^ *(?:198\.51|203\.0|2001:)\S+ .*Z$", page, re.MULTILINE)) > 9]
    assert len(lines) > 3
    assert all("DERNIÈRE MENTION UTC" in page for page in lines)
    assert [f"{number} / {made.pages}" in page for number, page in enumerate(pages, 1)] == [True] * made.pages


def test_accents_and_blanks_that_do_not_break_come_out_whole() -> None:
    text = text_of(printed("mixed-beside", *FR_CA).data).replace("\u00a0", " ")
    assert "Hébergement Exemple inc." in text
    assert "« Sécurisez votre serveur »" in " ".join(text.split())
    assert "\ufffd" not in text


@pytest.mark.parametrize(
    ("size", "left", "top", "bottom"),
    [(Size.A4, (20, 105), 62.7, 90.0), (Size.LETTER, (22.2, 136.5), 51.8, 80.6)],
)
def test_the_address_stands_in_the_window(size: Size, left: tuple[float, float], top: float, bottom: float) -> None:
    made = printed("mixed-beside", *EN, size=size)
    for word in ("Hébergement", "CANADA"):
        x, y = place(made.data, word)
        assert left[0] < x < left[1]
        assert top - 0.5 <= y <= bottom - 3


@pytest.mark.parametrize("size", Size)
def test_the_longest_address_that_fits_stays_above_the_subject(size: Size) -> None:
    recipient = (*["W" * 43] * 7, "LASTLINE")
    made = printed("relay-e0-owner", *EN, size=size, recipient=recipient)
    assert place(made.data, "LASTLINE")[1] < (90.0 if size is Size.A4 else 80.6) - 2
    assert place(made.data, "LASTLINE")[1] < place(made.data, "[TOC-7K3M-Q2XA]")[1]


def test_an_address_is_folded_and_set_smaller_before_it_is_refused() -> None:
    assert paper.fitted(("A", "B")) == (10, ["A", "B"])
    assert paper.fitted(["word " * 12]) == (10, ["word word word word word word word", "word word word word word"])
    assert paper.fitted([str(n) for n in range(7)]) == (9, [str(n) for n in range(7)])
    assert paper.fitted([str(n) for n in range(8)]) == (8, [str(n) for n in range(8)])
    assert paper.fitted([str(n) for n in range(9)]) is None
    assert paper.fitted([]) is None
    with pytest.raises(ValueError, match="window"):
        printed("relay-e0-owner", *EN, recipient=("line",) * 9)


def test_the_same_letter_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    here = printed("mixed-beside", *EN_FR).data
    program = (
        "import sys; from tests.render.test_paper import printed; "
        "sys.stdout.buffer.write(printed('mixed-beside', 'en', 'fr_CA').data)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": os.pathsep.join(sys.path)}
    there = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    assert there.stdout == here


def test_another_letter_gives_another_identifier() -> None:
    identifiers = {
        re.findall(rb"/ID ?\[(.*?)\]", printed("relay-e0-owner", *EN, reference=reference).data)[-1]
        for reference in ("TOC-7K3M-Q2XA", "TOC-2B5N-8WQE")
    }
    assert len(identifiers) == 2


@pytest.mark.parametrize(
    "tag", ['<object data="{}"></object>', '<img alt="" src="{}">', '<link rel="stylesheet" href="{}">']
)
def test_paper_loads_nothing(tag: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.css"
    secret.write_text("p{color:red}")
    text = letter.render(written.values(), written.sources(), written.choice(*EN))
    page = paper.source(text, sheet(*EN))
    paper.laid_out(page)
    with pytest.raises(ValueError, match="loads nothing"):
        paper.laid_out(page.replace("<main>", f"<main>{tag.format(secret.as_uri())}"))


def test_no_recipient_can_add_markup_or_style() -> None:
    text = letter.render(written.values(), written.sources(), written.choice(*EN))
    recipient = ("</div><script>", '"}@page{size:A1}')
    page = paper.source(text, sheet(*EN, recipient=recipient, reference='"}@page{size:A1}'))
    assert "<script>" not in page
    assert "{size:A1}" not in page.partition("</style>")[0]
