"""Languages say the same in the same order; a translation knows what it was made from."""

from collections.abc import Mapping

import pytest

from pipeline.render import front, lint, templating
from pipeline.render.lint_parity import check, paragraphs
from pipeline.render.problem import Problem
from tests.render.written import sources


def _compared(english: str, french: str) -> list[str]:
    every = {"en": english, "fr": french}
    trees = {name: templating.tree(name, every) for name in every}
    return [f"{problem.code}: {problem.detail}" for problem in check(trees, "{}", ())]


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("{{ a }} of {{ b }}.", "{{ b }} {{ a }}."),  # grammar
        ("One\ntwo.\n\n{{ a }}", "Un deux.\n\n\n{{ a }}"),
        (
            "{% if x %}\n{{ a }}\n{% else %}\n{{ b }}\n{% endif %}",
            "{% if x %}\n{{ a }}\n{% else %}\n{{ b }}\n{% endif %}",
        ),
        ("== HEAD\nText\n  {{ a }}\n", "== TITRE\nTexte\n  {{ a }}\n"),
    ],
)
def test_two_values_of_a_paragraph_may_change_places(english: str, french: str) -> None:
    assert _compared(english, french) == []


@pytest.mark.parametrize(
    ("english", "french", "code"),
    [
        ("{{ a }}\n\n{{ b }}", "{{ b }}\n\n{{ a }}", "order"),
        ("One.\n\nTwo.", "Un. Deux.", "order"),
        ("== HEAD\ntext", "TITRE\n\ntexte", "order"),
        ("- one\n- two", "- un, deux", "order"),
        ("{{ a }} {{ a }} {{ b }}", "{{ a }} {{ b }} {{ b }}", "order"),
        ("{% if x %}{{ a }}{% endif %} {{ b }}", "{% if x %}{{ b }}{% endif %} {{ a }}", "order"),
        ("{% if x %}{{ a }}{% else %}{{ b }}{% endif %}.", "{% if x %}{{ b }}{% else %}{{ a }}{% endif %}.", "order"),
        ("{% if x and (y or z) %}{{ a }}{% endif %}.", "{% if x and y or z %}{{ a }}{% endif %}.", "order"),
        ("{% if x == 'a' %}{{ a }}{% endif %}.", "{% if x == 'b' %}{{ a }}{% endif %}.", "order"),
        ("{% for s in a %}{{ s.b }}{% endfor %}{{ b }}", "{% for s in b %}{{ s.b }}{% endfor %}{{ a }}", "order"),
        ("{{ guidance }} {{ mailbox }}", "{{ mailbox }} {{ guidance }}", "links"),
        ("{{ guidance }} {{ guidance }}", "{{ guidance }}", "links"),
        ("{{ a }}", "{{ b }}", "names"),
    ],
)
def test_what_says_something_else_or_elsewhere_is_found(english: str, french: str, code: str) -> None:
    assert code in {problem.partition(":")[0] for problem in _compared(english, french)}


def test_a_problem_says_which_paragraph_and_what_it_lacks() -> None:
    told = _compared("One.\n\nAt {{ a }} for {{ b }}.\n\n{{ c }}", "Un.\n\nÀ {{ a }} pour.\n\n{{ c }} {{ b }}")
    assert told == ["order: paragraph 2 ('À {{ a }} pour.'): only in en: b"]


def test_a_paragraph_ends_where_a_filled_letter_ends_it() -> None:
    tree = templating.tree(
        "t", {"t": "{% if a %}\nOne\n{% endif %}\ntwo\n\n{% for b in c %}\n- {{ b }}\n{% endfor %}\nthree"}
    )
    assert [(part.kind, " ".join(part.words.split())) for part in paragraphs(tree.body)] == [
        ("", "[a] One two"),
        ("", ""),  # the loop itself stands before its first item
        ("an item", "- {{ b }} three"),
    ]


def _with(changes: Mapping[str, str]) -> dict[str, str]:
    return {**sources(), **changes}


def _stale(given: Mapping[str, str]) -> dict[str, str]:
    return {problem.source: problem.detail for problem in lint.check(given) if problem.code == "stale"}


def test_a_changed_english_text_makes_its_translations_stale_until_they_bear_its_fingerprint() -> None:
    matter = front.parse(sources()["letter.toml"], sources()["topics.toml"])
    english = sources()["en.txt.j2"].replace("Hello,", "Good day,")
    old, new = matter.translated["fr.txt.j2"], front.fingerprint(f"{english}\n{matter.subjects['en']}")
    found = _stale(_with({"en.txt.j2": english}))
    assert found.keys() == {"fr.txt.j2", "fr_CA.txt.j2"}
    assert f"'fr.txt.j2' = '{new}'" in found["fr.txt.j2"]
    settled = sources()["letter.toml"].replace(old, new)
    assert _stale(_with({"en.txt.j2": english, "letter.toml": settled})) == {}


def test_a_changed_english_subject_makes_the_letter_stale() -> None:
    text = sources()["letter.toml"].replace("IP addresses{%", "addresses{%", 1)
    assert _stale(_with({"letter.toml": text})).keys() == {"fr.txt.j2", "fr_CA.txt.j2"}


def test_a_changed_partial_makes_its_translations_stale_and_nothing_else() -> None:
    english = sources()["who.en.txt.j2"] + "\nMore.\n"
    assert _stale(_with({"who.en.txt.j2": english})).keys() == {"who.fr.txt.j2", "who.fr_CA.txt.j2"}


def test_a_translation_without_a_fingerprint_is_stale() -> None:
    text = "\n".join(line for line in sources()["topics.toml"].split("\n") if "note.fr." not in line)
    assert _stale(_with({"topics.toml": text})).keys() == {"note.fr.txt.j2"}


def test_a_fault_in_a_partial_is_told_of_the_partial_alone() -> None:
    french = sources()["who.fr.txt.j2"] + "\n{{ reference }}\n"
    told = [problem for problem in lint.check(_with({"who.fr.txt.j2": french})) if problem.code in ("names", "order")]
    assert {problem.source for problem in told} == {"who.fr.txt.j2"}


def test_a_partial_that_lacks_a_language_is_missing_there() -> None:
    kept = {name: text for name, text in sources().items() if name != "fix.fr.txt.j2"}
    assert "fix.fr.txt.j2" in " ".join(str(problem) for problem in lint.check(kept))
    extra = lint.check(_with({"more.en.txt.j2": "More.", "more.fr_CA.txt.j2": "Plus."}))
    assert Problem("more.fr.txt.j2", "missing", "the other languages have it") in extra
