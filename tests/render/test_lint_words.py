"""Words that do harm, settings that stand in a text, typography: each is found, and plain words are left alone."""

import pytest

from pipeline.data import load
from pipeline.data.words_to_avoid import FILE, avoided
from pipeline.render import lint, lint_words
from tests.render.written import sources

NB = "\u00a0"


def _codes(locale: str, text: str) -> set[str]:
    return {problem.code for problem in lint_words.check("x", locale, [text])}


@pytest.mark.parametrize("text", [
    "See https://agency.example/ for more.", "See www.agency.example.", "See agency.gc.ca for more.",
    "Write to help@agency.example.", "At 192.0.2.7 there is", "At 2001:db8::7 there is", "on 2026-11-03 we saw",
    "on 3 November we saw", "in November 2026 we saw", "Call +1 613 555 0100.", "Call 613-555-0100.",
])  # fmt: skip
def test_what_is_a_setting_or_a_value_may_not_stand_in_a_text(text: str) -> None:
    assert _codes("en", text) == {"literal"}


@pytest.mark.parametrize("text", [
    "You may close port 25 of it.", "Each of the 300 addresses", "e.g. a relay",
    "in the last 24 hours", "It may march on.", "a ratio of 1:2",
])  # fmt: skip
def test_plain_text_is_no_setting(text: str) -> None:
    assert _codes("en", text) == set()


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("en", "This is URGENT."),
        ("en", "Click here."),
        ("en", "You must close it immediately."),
        ("en", "Failure to comply is a violation."),
        ("en", "Hackers attacked it."),
        ("en", "Use Squid."),
        ("fr", "C'est urgent."),
        ("fr_CA", "Cliquez ici."),
        ("fr", f"Une{NB}mise en demeure."),
        ("fr_CA", "Vous devez le fermer sans délai."),
        ("fr_CA", "Des pirates l'ont infecté."),
    ],
)
def test_words_that_threaten_press_or_accuse_are_found(locale: str, text: str) -> None:
    assert _codes(locale, text) == {"words"}


@pytest.mark.parametrize(
    ("locale", "text"),
    [("en", "The click of a freeware clock is insurgent."), ("fr", "Une offrande et un courtier."), ("de", "Urgent.")],
)
def test_only_whole_words_of_the_language_are_found(locale: str, text: str) -> None:
    assert _codes(locale, text.replace("click", "clicking")) == set()


def test_every_word_has_a_reason_a_date_and_a_source_and_is_found_by_itself() -> None:
    document = load.table(FILE)
    assert document["as_of"]
    assert document["sources"]
    for entries in avoided().values():
        for entry in entries:
            assert entry.reason
            assert all(entry.pattern.fullmatch(word.removesuffix("*")) for word in entry.words)


def test_no_word_is_given_twice_in_a_language() -> None:
    for entries in avoided().values():
        words = [word for entry in entries for word in entry.words]
        assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize(
    ("name", "old", "new", "code"),
    [
        ("who.en.txt.j2", "We ", "We urgently ", "words"),
        ("note.fr.txt.j2", "Veuillez", "Veuillez immédiatement", "words"),
        ("letter.toml", "Signalement{% else %}", "Dernier avertissement{% else %}", "words"),
        ("fr.po", "NATURE", "NATURE", "clean"),
        ("topics.toml", '"open proxy"', '"hacked open proxy"', "words"),
        ("closing.fr_CA.txt.j2", "Merci", "Merci!  Merci", "clean"),
        ("closing.fr_CA.txt.j2", "Merci", f"Merci{NB}! Merci", "typography"),
        ("fix.en.txt.j2", "{% if", "See 192.0.2.1.\n{% if", "literal"),
        ("facts.txt.j2", "{% for line in top %}", "Agency, 3 May\n{% for line in top %}", "literal"),
    ],
)
def test_every_kind_of_source_is_read(name: str, old: str, new: str, code: str) -> None:
    given = sources()
    if code == "clean":
        assert {p.code for p in lint.check({**given, name: given[name].replace(old, new, 1)})} <= {"stale"}
        return
    assert old in given[name]
    found = {problem.code for problem in lint.check({**given, name: given[name].replace(old, new, 1)})}
    assert code in found
