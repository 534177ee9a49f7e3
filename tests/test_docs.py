"""The pages say what the program does: commands, settings, states, tables; links lead somewhere; pictures are true."""

import hashlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from pydantic import BaseModel

from docs.pictures import demo, states
from pipeline import domain
from pipeline.audit import chain, codes
from pipeline.cli import root
from pipeline.cli.command import Given
from pipeline.config import (
    CampaignSection,
    FeedSection,
    NamedRelaySection,
    RatesSection,
    RelaySection,
    Settings,
    ZoneSection,
)
from pipeline.store import events
from pipeline.store.tables import metadata
from tests.cli.catalogue import commands
from tests.databases import ROOT

READMES = (ROOT / "README.md", ROOT / "README.fr.md")
PAGES = (*READMES, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
TREE = dict(commands())

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^ {4,}(?:[A-Z_]+=\S+ )?(tocsin .*)", re.MULTILINE)
INLINE = re.compile(r"`(tocsin [^`]+)`")
TOML = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
FOREIGN = re.compile(
    r"/work\b|/tmp\b|(?<!letters/)\bshared/|#\d+|\bsessions?\b|\bissues?\b|\b(?:AI|LLM|GPT|Claude|Copilot|CEO)\b|\bTODO\b|\bassistants?\b"
)


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def pages() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        yield page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8")


# --- commands and settings -------------------------------------------------------------------------------------------


def parsed(line: str) -> None:
    """Parse a command line as the command would, without running it.  Raises click's UsageError."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>")
    lexer.whitespace_split = True
    words = list(lexer)
    end = next((place for place, word in enumerate(words) if word[0] in "|<>"), len(words))
    path, rest = follow(words[1:end])
    TREE[path].make_context(path, rest, obj=Given())


def follow(words: list[str]) -> tuple[str, list[str]]:
    """Return the command that words name, and the words after its name; shared options may stand before it."""
    path, shared = "tocsin", list[str]()
    while isinstance(TREE[path], click.Group) and words:
        if words[0] in ("--lang", "--config", "--as"):
            shared, words = shared + words[:2], words[2:]
        elif words[0].startswith("-"):
            shared, words = shared + words[:1], words[1:]
        elif f"{path} {words[0]}" in TREE:
            path, words = f"{path} {words[0]}", words[1:]
        else:
            raise click.UsageError(f"{path} has no command {words[0]}")
    return path, shared + words


def test_every_command_appears_in_the_reference() -> None:
    page = read("reference/commands.md")
    assert [path for path in TREE if f"\n## {path}\n" not in page] == []


def test_every_command_line_in_the_pages_can_be_typed() -> None:
    found = [
        (page, line) for page, text in pages() for line in COMMAND.findall(text) if page != "docs/reference/commands.md"
    ]
    assert len(found) > 80
    for page, line in found:
        try:
            parsed(line)
        except click.UsageError as error:
            pytest.fail(f"{page}: {line}: {error.format_message()}")


def test_every_command_named_in_a_sentence_exists_with_its_options() -> None:
    found = [(page, line) for page, text in pages() for line in INLINE.findall(text)]
    assert len(found) > 20
    for page, line in found:
        words = [word for word in line.partition("|")[0].split()[1:] if word not in ("...", "COMMAND")]
        path, rest = follow(words)
        known = {name for param in TREE[path].get_params(click.Context(root)) for name in param.opts} | {"--help"}
        assert {word for word in rest if word.startswith("--")} <= known, (page, line)


def test_both_readmes_show_the_same_commands_and_chapters() -> None:
    english, french = (readme.read_text(encoding="utf-8") for readme in READMES)
    assert [shlex.split(line, comments=True) for line in COMMAND.findall(english)] == [
        shlex.split(line, comments=True) for line in COMMAND.findall(french)
    ]
    for mark in (r"^## ", r"^\d\. ", r"^\d\. \*\*", r"^!\["):
        assert len(re.findall(mark, english, re.MULTILINE)) == len(re.findall(mark, french, re.MULTILINE)), mark
    assert english.splitlines()[2] == "[Français](README.fr.md)"
    assert french.splitlines()[2] == "[English](README.md)"


def test_french_of_canada_has_its_typography() -> None:
    text = "\n".join(
        line for line in READMES[1].read_text(encoding="utf-8").splitlines() if not line.startswith("    ")
    )
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)|https?://\S+", "", text)
    assert not re.findall(r".{0,20} [:;!?]", prose), "a no-break space stands before a colon, nothing before ; ! ?"
    assert not re.findall(r".{0,20}[^\u00a0]:(?!:)", prose)
    assert not re.search(r"[«»“”]|\u202f", prose)


def keys(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel) and not field.is_required():
            yield from keys(field.annotation, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def test_every_setting_appears_in_the_example() -> None:
    shown, section = set(), ""
    for line in (ROOT / "config.example.toml").read_text(encoding="utf-8").splitlines():
        if head := re.fullmatch(r"\[([a-z_.]+?)(?:\.\"[^\"]+\")?\]", line):
            section = f"{head[1]}."
        elif key := re.match(r"(?:# )?([a-z_0-9]+) = ", line):
            shown.add(section + key[1])
    tables = {"feeds", "zones", "campaigns", "mail.providers", "mail.relays"}
    wanted = {key for key in keys(Settings) if key not in tables}
    wanted |= {f"feeds.{key}" for key in FeedSection.model_fields}
    wanted |= {f"zones.{key}" for key in ZoneSection.model_fields}
    wanted |= {f"mail.providers.{key}" for key in RatesSection.model_fields}
    wanted |= {f"campaigns.{key}" for key in CampaignSection.model_fields}
    assert wanted <= shown
    text = (ROOT / "config.example.toml").read_text(encoding="utf-8")
    own = NamedRelaySection.model_fields.keys() - RelaySection.model_fields.keys()
    assert all(f"\n#  {key} = " in text for key in own)  # a table that stands for another one is a comment


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "how-to").glob("*.md")), ids=lambda page: page.stem)
def test_settings_in_a_how_to_are_accepted(page: Path) -> None:
    blocks = TOML.findall(page.read_text(encoding="utf-8"))
    Settings(**tomllib.loads("\n".join(blocks)))


# --- states, tables, evidence ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", domain.TRANSITIONS, ids=states.kind_of)
def test_the_page_of_states_has_every_move_and_no_other(kind: type[domain.State]) -> None:
    chapter = read("reference/states.md").split(f"\n## {states.kind_of(kind).title()}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (.*) \|$", chapter, re.MULTILINE)
    said = {state: dict(re.findall(r"`([a-z_.]+)` → `(\w+)`", moves)) for state, moves in rows}
    assert said == {
        state.value: {event.value: after.value for event, after in moves.items()}
        for state, moves in domain.TRANSITIONS[kind].items()
    }


def test_every_state_event_and_word_of_a_row_appears_in_the_reference() -> None:
    page = read("reference/states.md")
    kinds: tuple[type[StrEnum], ...] = (
        domain.Event, domain.Exposure, domain.Verdict, domain.ContactState, domain.Listing, domain.Outcome,
    )  # fmt: skip
    wanted = {word.value for kind in kinds for word in kind} | set(codes.EVENTS)
    assert {word for word in wanted if f"`{word}`" not in page} == set()


def test_pictures_of_states_are_drawn_from_the_moves() -> None:
    for file, picture in states.files().items():
        assert file.read_text(encoding="utf-8") == picture, "run: python -m docs.pictures.states"


def test_every_table_and_column_appears_in_the_reference() -> None:
    chapters = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", read("reference/tables.md"), re.MULTILINE | re.DOTALL))
    assert set(chapters) == set(metadata.tables)
    for name, table in metadata.tables.items():
        said = " ".join(chapters[name].split())
        assert {column.name for column in table.columns if f"`{column.name}`" not in said} == set(), name
        for column in table.columns:
            null = r"\?" if column.nullable else r"(?!\?)"
            arrow = "".join(f" → {key.column.table.name}" for key in column.foreign_keys)
            assert re.search(rf"`{column.name}`{null}{arrow}", said), (name, column.name)


def test_every_reason_to_reject_a_contact_is_explained() -> None:
    page = read("explanation/contacts.md")
    assert {code for code in codes.REJECTED if f"`{code}`" not in page} == set()
    assert {int(tier) for tier in re.findall(r"^\| (\d) \|", page, re.MULTILINE)} == set(codes.TIERS)


def test_every_level_of_evidence_is_explained() -> None:
    page = read("explanation/evidence.md")
    assert [level.name for level in domain.EvidenceLevel if f"\n| {level.name} |" not in page] == []


def test_the_leaf_hash_is_computed_as_the_page_says() -> None:
    formula = re.search(r"SHA-256\( 0x00 \|\| (.*) \)", read("explanation/record.md"))
    assert formula is not None
    values = {
        "at": events.stamp(datetime(2026, 3, 1, 10, tzinfo=UTC)),
        "what": "letter.handed",
        "subject": "letter",
        "subject_id": "412",
        "campaign_id": "",
        "by": "tocsin",
        "why": "2.0.0",
        "data": events.canonical({"é": 1, "a": [1]}),
    }
    said = "\x1f".join(values[name] for name in formula[1].split(" U+001F "))
    leaf = events.leaf(**{**values, "subject_id": 412, "campaign_id": None})  # type: ignore[arg-type]
    assert hashlib.sha256(b"\0" + said.encode()).digest() == leaf


def test_the_head_of_a_seal_is_the_hash_of_the_lines_on_the_page() -> None:
    shown = re.search(r"((?:^    .*\n){6})", read("explanation/record.md").partition("## Seals")[2], re.MULTILINE)
    assert shown is not None
    said = (
        re.sub(r"^    ", "", shown[1], flags=re.MULTILINE).replace("5be1...", "5b" * 32).replace("8f0c...", "8f" * 32)
    )
    values = (12, datetime(2026, 3, 1, 10, tzinfo=UTC), 240, b"\x5b" * 32, b"\x8f" * 32)
    assert said == chain.form(*values)
    assert hashlib.sha256(said.encode()).digest() == chain.head(*values)


# --- the pages themselves --------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_test_that_a_page_names_is_there() -> None:
    """`tests/PATH.py::NAME`, or a file alone: a page that says what holds leads to what shows it."""
    named = {found for _, page in pages() for found in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)}
    missing = [(path, name) for path, name in sorted(named) if f"\ndef {name}(" not in (ROOT / path).read_text("utf-8")]
    assert len(named) > 30
    assert not missing
    files = {found for _, page in pages() for found in re.findall(r"`(?:tests/\w+/)?(test_\w+)(?:\.py)?`", page)}
    assert files <= {path.stem for path in (ROOT / "tests").rglob("test_*.py")}


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.is_file(), (page.name, link)
            assert target.is_relative_to(ROOT), (page.name, link)
            assert not anchor or anchor in anchors(target), (page.name, link)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, left = set(), [READMES[0]]
    while left:
        page = left.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8")))
        left += [(page.parent / link).resolve() for link in links if link]
    assert {page.relative_to(ROOT).as_posix() for page in PAGES if page not in reached} <= {"docs/README.md"}


def test_the_pages_speak_of_the_project_alone() -> None:
    said = {(name, word[0]) for name, text in pages() for word in FOREIGN.finditer(text)}
    assert said == set()


@pytest.mark.parametrize("language", demo.TITLES)
def test_pictures_of_the_demonstration_show_commands_that_exist(language: str) -> None:
    picture = ElementTree.parse(demo.HERE / f"demo.{language}.svg").getroot()
    said = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    typed = [line.removeprefix("$ ") for line in said if line.startswith(demo.PROMPT)]
    assert len(typed) > 6
    for line in typed:
        parsed(line)
    assert [line for line in said if "\ufffd" in line] == []


@pytest.mark.parametrize(("readme", "language"), list(zip(READMES, ("en", "fr"), strict=True)))
def test_the_readmes_tell_the_figures_that_the_demonstration_printed(readme: Path, language: str) -> None:
    picture = ElementTree.parse(demo.HERE / f"demo.{language}.svg").getroot()
    said = "\n".join(element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text"))
    steps = re.findall(r"^[3-8]\. [^\n]*(?:\n {3}[^\n]*)*", readme.read_text(encoding="utf-8"), re.MULTILINE)
    told = set(
        re.findall(
            r"\d+",
            " ".join(step[2:] for step in steps if "`resolve`" in step or "`send`" in step or "`render`" in step),
        )
    )
    assert len(told) == 7
    assert told <= set(re.findall(r"\d+", said))
