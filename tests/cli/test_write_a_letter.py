"""The page on writing letters can be followed: its commands in its order, with the change that it describes."""

import re
import shlex
from pathlib import Path

import pytest

from pipeline.render import front
from pipeline.store.db import Database
from tests.cli import written_wave as wave
from tests.cli.conftest import Tocsin
from tests.cli.test_template import CAMPAIGN
from tests.databases import ROOT
from tests.render.posted import can_print
from tests.test_docs import COMMAND

PAGE = (ROOT / "docs" / "how-to" / "write-a-letter.md").read_text(encoding="utf-8")
NAME = "secure-your-server"


@pytest.fixture
def installation(folder: Path, installed: Database) -> Database:
    """An installation with the page's campaign and a contact whose case waits."""
    text = CAMPAIGN.replace("campaigns.one", f"campaigns.{NAME}").replace("# bilingual", "bilingual_pages")
    with (folder / "config.toml").open("a", encoding="utf-8") as file:
        file.write(text)
    wave.waiting(installed, name=NAME)
    return installed


def _edited(folder: Path) -> None:
    """Change a word in each language, and the digits, as the page says."""
    first = folder / "letters" / "first"
    for locale, old, new in (("en", "Hello,", "Good day,"), ("fr_CA", "Bonjour,", "Madame, Monsieur,")):
        file = first / f"{locale}.txt.j2"
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    matter = front.parse(
        (first / "letter.toml").read_text(encoding="utf-8"),
        (folder / "letters" / "shared" / "topics.toml").read_text(encoding="utf-8"),
    )
    english = (first / "en.txt.j2").read_text(encoding="utf-8")
    digits = front.fingerprint(f"{english}\n{matter.subjects['en']}")
    file = first / "letter.toml"
    file.write_text(re.sub(r'"[0-9a-f]{16}"', f'"{digits}"', file.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.usefixtures("installation")
def test_what_the_page_says_to_type_can_be_run_in_its_order(tocsin: Tocsin, folder: Path) -> None:
    ran = []
    for line in COMMAND.findall(PAGE):
        if "--pdf" in line and not can_print():
            continue
        if line.startswith("tocsin template preview --as"):
            assert tocsin("template", "import").code == 0  # an installation has the shipped letters
        done = tocsin(*shlex.split(line)[1:])
        assert done.code == 0, (line, done.out, done.err)
        ran.append(line)
        if line.startswith("tocsin template copy"):
            _edited(folder)
    assert len(ran) > 15
    assert "Good day," in (folder / "first.eml").read_text(encoding="utf-8")


def test_the_page_says_what_to_do_for_every_common_code() -> None:
    told = set(re.findall(r"`(\w+)`", PAGE.partition("| It says |")[2].partition("\nA campaign's")[0]))
    listed = (
        (ROOT / "docs" / "reference" / "letters.md").read_text(encoding="utf-8").partition("## What the lint finds")[2]
    )
    assert {"stale", "order", "undefined", "literal", "words"} <= told <= set(re.findall(r"`(\w+)`", listed))
