from datetime import date

import pytest

from pipeline.domain import ConfigurationError
from pipeline.render import catalogue, formats
from pipeline.render.blocks import fill, parse
from pipeline.render.catalogue import Catalogue, MissingTranslation, Say
from tests.render.written import sources

NB = "\u00a0"


@pytest.fixture
def french() -> Catalogue:
    return catalogue.parse(sources()["fr_CA.po"], "fr_CA")


@pytest.fixture
def english() -> Catalogue:
    return catalogue.parse(sources()["en.po"], "en")


def _po(entry: str) -> str:
    return f'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n{entry}\n'


@pytest.mark.parametrize(
    "entry",
    ['msgid "other"\nmsgstr "autre"', 'msgid "word"\nmsgstr ""', '#, fuzzy\nmsgid "word"\nmsgstr "mot"'],
)
def test_a_missing_empty_or_fuzzy_message_raises_rather_than_being_said_in_english(entry: str) -> None:
    with pytest.raises(MissingTranslation):
        catalogue.parse(_po(entry), "fr").say("word")


def test_a_translation_with_another_placeholder_raises() -> None:
    french = catalogue.parse(_po('msgid "port %(port)s"\nmsgstr "port %(porte)s"'), "fr")
    with pytest.raises(MissingTranslation, match="placeholder"):
        french.say("port %(port)s", port="25")


@pytest.mark.parametrize("text", ["msgid unquoted", "x" * 300_000, _po('msgid "a"\nmsgid_plural "b"\nmsgstr[0] "c"')])
def test_a_catalogue_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        catalogue.parse(text, "fr")


def test_a_label_in_two_languages_keeps_the_colon_of_the_last(english: Catalogue, french: Catalogue) -> None:
    assert catalogue.both([english, french], "Reference:") == f"Reference / Référence{NB}:"
    assert catalogue.both([french, english], "Reference:") == "Référence / Reference:"
    assert catalogue.both([french], "Reference:") == f"Référence{NB}:"


def test_what_both_languages_say_alike_is_said_once(english: Catalogue, french: Catalogue) -> None:
    assert catalogue.both([english, french], Say.PORT, port="25") == "port 25"


@pytest.mark.parametrize(
    ("day", "locale", "text"),
    [
        (date(2026, 1, 1), "fr", f"1er{NB}janvier 2026"),
        (date(2026, 1, 1), "fr_CA", f"1er{NB}janvier 2026"),
        (date(2026, 8, 11), "fr_CA", f"11{NB}août 2026"),
        (date(2026, 1, 1), "en", f"January{NB}1, 2026"),
    ],
)
def test_dates_are_long_and_the_first_of_a_french_month_is_1er(day: date, locale: str, text: str) -> None:
    assert formats.long_date(day, locale) == text


def test_thousands_are_set_apart_without_the_narrow_space_that_old_programs_show_as_a_box() -> None:
    assert [formats.number(12430, locale) for locale in ("en", "fr", "fr_CA")] == [
        "12,430",
        f"12{NB}430",
        f"12{NB}430",
    ]


def test_counts_to_nine_are_words(english: Catalogue, french: Catalogue) -> None:
    assert [formats.count_word(n, french) for n in (2, 9, 10)] == ["deux", "neuf", "10"]
    assert formats.count_word(3, english) == "three"


def test_lists_have_no_comma_before_the_last_word() -> None:
    assert formats.listing(["A", "B", "C"], "en") == "A, B and C"
    assert formats.listing(["A", "B", "C"], "en", joined_by_or=True) == "A, B or C"
    assert formats.listing(["A", "B", "C"], "fr_CA") == "A, B et C"
    assert formats.listing(["A", "B"], "fr", joined_by_or=True) == "A ou B"
    assert formats.listing(["A"], "en") == "A"


def test_an_unknown_country_is_shown_by_its_code() -> None:
    assert formats.country("US", "fr_CA") == "États-Unis"
    assert formats.country("QQ", "en") == "QQ"


def test_paragraphs_are_filled_and_kept_lines_are_not() -> None:
    word = "word " * 30
    filled = fill(parse(f"{word}\n{word}\n\n\n\n  {word}\n== TITLE\n- {word}\n-\nitem\n"))
    lines = filled.split("\n")
    assert max(len(line) for line in lines if not line.startswith("  word")) <= 72
    assert f"  {word.rstrip()}" in lines
    assert lines[lines.index("TITLE") + 1].startswith("- word")
    assert lines[lines.index("TITLE") + 2].startswith("  word")
    assert lines[-1] == "- item"
    assert "\n\n\n" not in filled


def test_a_url_and_a_no_break_space_are_never_broken() -> None:
    url = "https://agency.example/" + "a-" * 60
    assert url in fill(parse(f"See {url} for more.")).split("\n")
    assert f"a{NB}b" in fill(parse("x" * 71 + f" a{NB}b")).split("\n")
