import re

import pytest

from pipeline.render import lint
from pipeline.render.front import KINDS
from pipeline.render.problem import Problem
from tests.render.written import sources

NB = "\u00a0"


@pytest.mark.parametrize("kind", KINDS)
def test_a_shipped_letter_has_no_problem(kind: str) -> None:
    assert lint.check(sources(kind)) == []


def test_what_is_done_to_a_list_of_problems_changes_no_later_answer() -> None:
    given = {**sources("first")}
    del given["fr.po"]
    found = lint.check(given)
    assert found
    said = list(found)
    found.clear()
    assert lint.check(given) == said


def test_every_shipped_source_is_used_by_a_letter() -> None:
    assert lint.unused(map(sources, KINDS)) == []
    assert lint.unused([{**sources(kind), "more.en.txt.j2": "More."} for kind in KINDS]) == [
        Problem("more.en.txt.j2", "unused", "no letter includes it")
    ]


def _changed(name: str, old: str, new: str, kind: str = "first") -> set[tuple[str, str]]:
    given = sources(kind)
    assert old in given[name]
    return {(problem.source, problem.code) for problem in lint.check({**given, name: given[name].replace(old, new, 1)})}


@pytest.mark.parametrize(
    ("name", "old", "new", "source", "code"),
    [
        ("fr_CA.txt.j2", "{{ guidance }}", "https://agency.example/", "fr_CA.txt.j2", "names"),
        ("said.fr.txt.j2", "s.observed and s.one", "s.one", "said.fr.txt.j2", "order"),
        ("said.en.txt.j2", "s.address", "s.extra", "said.fr.txt.j2", "fields"),
        ("fr.txt.j2", "{% block closing %}", "{% block fin %}", "fr.txt.j2", "blocks"),
        ("letter.toml", "IP addresses{% endif %}'", "{{ reference }}{% endif %}'", "subject.fr", "names"),
        ("fr_CA.txt.j2", "Bonjour,", "Bonjour, " + "mot " * 200, "fr_CA.txt.j2", "length"),
        ("fr_CA.txt.j2", "Bonjour,", "Bonjour :", "fr_CA.txt.j2", "typography"),
        ("fr_CA.txt.j2", "Bonjour,", f"Bonjour{NB}!", "fr_CA.txt.j2", "typography"),
        ("fr_CA.txt.j2", "Bonjour,", "Bonjour!", "fr_CA.txt.j2", "clean"),
        ("fr_CA.txt.j2", "Bonjour,", f"Bonjour{NB}: «{NB}oui{NB}»", "fr_CA.txt.j2", "clean"),
        ("fr_CA.txt.j2", "Bonjour,", "Bonjour « oui »", "fr_CA.txt.j2", "typography"),
        ("fr_CA.txt.j2", "Bonjour,", 'Bonjour "oui"', "fr_CA.txt.j2", "typography"),
        ("fr.txt.j2", "Bonjour,", "Bonjour!", "fr.txt.j2", "typography"),
        ("fr.txt.j2", "Bonjour,", "Bonjour !", "fr.txt.j2", "typography"),
        ("fr.txt.j2", "Bonjour,", "Bonjour\u202f!", "fr.txt.j2", "typography"),
        ("fr.txt.j2", "Bonjour,", f"Bonjour{NB}! https://agency.example/", "fr.txt.j2", "literal"),
        ("en.txt.j2", "Hello,", "Hello :", "en.txt.j2", "typography"),
        ("en.txt.j2", "Hello,", "**Hello**", "en.txt.j2", "typography"),
        ("en.txt.j2", "Hello,", "It\u2019s", "en.txt.j2", "typography"),
        ("en.txt.j2", "Hello,", "Hello\t", "en.txt.j2", "typography"),
        ("en.txt.j2", "Hello,", "Hello{% if one %} you{% endif %}", "en.txt.j2", "glued"),
        ("en.txt.j2", "Hello,", "{{ Hello", "en.txt.j2", "unreadable"),
        ("letter.toml", "[subject]", "[subjects]", "letter.toml", "unreadable"),
        ("letter.toml", "'{% if reported %}", '\'{% include "x" %}{% if reported %}', "subject.en", "unreadable"),
        ("fr.po", 'msgid "nine"', 'msgid "neuf"', "fr.po", "missing"),
        ("fr.po", 'msgid "nine"', 'msgid "neuf"', "fr.po", "unused"),
        ("fr.po", 'msgstr "neuf"', 'msgstr ""', "fr.po", "missing"),
        ("fr.po", 'msgid "nine"', '#, fuzzy\nmsgid "nine"', "fr.po", "fuzzy"),
        ("fr.po", 'msgstr "%(number)s services"', 'msgstr "services"', "fr.po", "placeholders"),
        ("fr_CA.po", f"Nature{NB}:", "Nature:", "fr_CA.po", "typography"),
        ("facts.txt.j2", 'both("Reference:")', 'both("Ticket:")', "en.po", "missing"),
    ],
)
def test_each_fault_is_found_where_it_is(name: str, old: str, new: str, source: str, code: str) -> None:
    problems = _changed(name, old, new)
    if code == "clean":
        assert problems == set()
    else:
        assert (source, code) in problems


@pytest.mark.parametrize("name", sorted(sources()))
def test_a_missing_source_is_a_problem_not_a_crash(name: str) -> None:
    kept = {key: text for key, text in sources().items() if key != name}
    problems = [problem for problem in lint.check(kept) if problem.code == "unreadable"]
    assert [problem for problem in problems if name in (problem.source, *problem.detail.split())]


def test_no_source_names_a_campaign_an_agency_or_an_address() -> None:
    """All of those are settings: a template that held one would speak for another campaign."""
    for name, text in sources().items():
        assert not re.search(r"https?://|[\w.]+@[\w.]+|\bFTC\b|Secure Your Server", text), name
