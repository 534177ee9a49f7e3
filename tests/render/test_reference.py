"""docs/reference/letters.md names what a template may use, and nothing else."""

import dataclasses
import re
from pathlib import Path

import pytest

from pipeline.render import catalogue, facts, front, lint, table, view
from pipeline.render.told import told
from tests.render.written import sources, values

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "letters.md").read_text("utf-8")


def _names(heading: str) -> set[str]:
    """The names in the first column of the table under a heading."""
    table = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.fixture
def matter() -> front.FrontMatter:
    return front.parse(sources()["letter.toml"], sources()["topics.toml"])


@pytest.fixture
def english() -> catalogue.Catalogue:
    return catalogue.parse(sources()["en.po"], "en")


def test_every_name_of_the_prose_is_on_the_page(matter: front.FrontMatter, english: catalogue.Catalogue) -> None:
    names = view.prose_names(told(values(), matter), english, view.Enclosed())
    assert _names("Names in the prose and the subject") == set(names)


def test_every_name_of_the_shared_parts_is_on_the_page(matter: front.FrontMatter, english: catalogue.Catalogue) -> None:
    one = told(values(), matter)
    shown = table.table(one, [english], cut=False)
    assert _names("Names in the shared parts") == set(facts.shared_names(one, [english], shown))
    note = view.note_names(one, english, one.groups[0], one.lines[0])
    assert _names("Names in a note to pass on") == set(note)


def test_every_field_of_a_statement_is_on_the_page() -> None:
    assert set(re.findall(r"`s\.(\w+)`", PAGE)) == {field.name for field in dataclasses.fields(view.Statement)}


def test_every_code_of_the_lint_is_on_the_page() -> None:
    modules = Path(lint.__file__).parent.glob("lint*.py")
    codes = {code for path in modules for code in re.findall(r'Problem\([^,]+, "(\w+)"', path.read_text("utf-8"))}
    assert codes | {"names", "fields", "fuzzy"} == _names("What the lint finds")


def test_every_source_of_the_starter_is_on_the_page() -> None:
    section = PAGE.partition("## The sources of one letter\n")[2].partition("\n## ")[0]
    shipped = set(re.findall(r"`(\w+)`", section.rpartition("Shipped are")[2]))
    partials = {name for name in sources() if name.partition(".")[0] in shipped}
    assert {name.partition(".")[0] for name in partials} == shipped
    assert set(sources()) - partials <= _names("The sources of one letter")
