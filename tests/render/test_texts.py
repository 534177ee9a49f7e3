"""What the shipped letters say: short, true to the evidence, the same in each language."""

import dataclasses
import re
from datetime import UTC, date, datetime
from itertools import product

import pytest

from pipeline.render import blocks, front, letter
from pipeline.render.form import PLAIN, Form
from pipeline.render.letter import Letter
from pipeline.render.values import Audience, Earlier, Ended, Finding, LetterValues
from tests.render.written import choice, finding, sources, values

KINDS = ("first", "reminder", "last", "thanks", "test")
LOCALES = ("en", "fr_CA", "fr")
EARLIER = Earlier("TOC-2B5N-8WQE", date(2026, 10, 1), "<n0.2b5n@agency.example>")
ENDED = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)


def _notice(kind: str, *findings: Finding, **changes: object) -> LetterValues:
    found = findings or (finding(),)
    if kind == "thanks":
        found = tuple(dataclasses.replace(one, ended=one.ended or Ended(ENDED)) for one in found)
    earlier = None if kind in ("first", "test") else EARLIER
    return values(*found, kind=kind, earlier=earlier, **changes)


def _letter(notice: LetterValues, locale: str, form: Form = PLAIN, csv: bool = False) -> Letter:
    return letter.render(notice, sources(notice.kind), choice(locale), form, csv)


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _prose(notice: LetterValues, locale: str) -> str:
    return _flat(blocks.fill(_letter(notice, locale).halves[0].prose))


@pytest.mark.parametrize("kind", KINDS)
def test_each_translation_bears_the_fingerprint_of_the_english_it_was_made_from(kind: str) -> None:
    given = sources(kind)
    matter = front.parse(given["letter.toml"], given["topics.toml"])
    own = front.fingerprint(f"{given['en.txt.j2']}\n{matter.subjects['en']}")
    for name in (name for name in given if re.search(r"\.?fr(_CA)?\.txt\.j2$", name)):
        english = re.sub(r"fr(_CA)?\.txt", "en.txt", name)
        wanted = own if english == "en.txt.j2" else front.fingerprint(given[english])
        assert matter.translated[name] == wanted, f"{name}: read it again, then set {wanted}"


@pytest.mark.parametrize("locale", LOCALES)
def test_a_reminder_is_much_shorter_than_the_first_letter(locale: str) -> None:
    for audience in Audience:
        first, *later = (_prose(_notice(kind, audience=audience), locale) for kind in ("first", "reminder", "last"))
        assert all(len(text) < 0.7 * len(first) for text in later)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", ["reminder", "last", "thanks"])
def test_a_later_letter_names_the_first_one_and_its_date(kind: str, locale: str) -> None:
    prose = _prose(_notice(kind), locale)
    assert EARLIER.reference in prose
    assert ("October 1, 2026" if locale == "en" else "1er octobre 2026") in prose


@pytest.mark.parametrize("locale", LOCALES)
def test_what_was_stated_is_never_told_as_tested(locale: str) -> None:
    told = dataclasses.replace(finding(), ended=Ended(ENDED, stated=True))
    written = _letter(_notice("thanks", told), locale)
    assert ("Stated to be fixed:" if locale == "en" else "Déclaré corrigé") in written.subject
    body = _flat(written.body)
    tests = re.findall(r"[^.]*\b(?:test|tested|essai)\b[^.]*", body)
    denied = "not tested" if locale == "en" else r"sans essai|pas fait d'essai"
    assert tests
    assert all(re.search(denied, sentence) for sentence in tests)


@pytest.mark.parametrize("locale", LOCALES)
def test_thanks_for_both_say_of_each_address_how_its_end_is_known(locale: str) -> None:
    stated = dataclasses.replace(finding("192.0.2.11"), ended=Ended(ENDED, stated=True))
    written = _letter(_notice("thanks", finding(), stated), locale)
    body = _flat(written.body)
    assert ("Closed or stated to be fixed:" if locale == "en" else "Corrigé ou déclaré corrigé") in written.subject
    closed, told = (
        ("In our test of November 2, 2026 (UTC), the IP address 192.0.2.10", "We were told that")
        if locale == "en"
        else ("Lors de notre essai du 2 novembre 2026 (UTC), l'adresse IP 192.0.2.10", "On nous a déclaré")
    )
    assert closed in body
    assert told in body


@pytest.mark.parametrize("locale", LOCALES)
def test_a_test_letter_says_first_that_nothing_is_wrong_and_claims_nothing(locale: str) -> None:
    written = _letter(_notice("test"), locale)
    opening = blocks.fill(written.halves[0].prose[2:3])
    assert ("Nothing is wrong" if locale == "en" else "Il n'y a aucun problème") in _flat(opening)
    words = _flat(blocks.fill((*written.halves[0].prose, *written.halves[0].closing)))
    for claim in ("there may be", "you run the server", "il pourrait y avoir", "vous exploitez", "registres publics"):
        assert claim not in words


ATTACHED = {
    (False, False): ("This letter has no attachment.", "Cette lettre n'a aucune pièce jointe."),
    (True, False): ("a table of all addresses (CSV).", "texte brut : tableau de toutes les adresses (CSV)."),
    (False, True): ("plain text: machine-readable data (XARF).", "texte brut : données lisibles par machine (XARF)."),
    (True, True): ("(CSV) and machine-readable data (XARF).", "(CSV) et données lisibles par machine (XARF)."),
}


@pytest.mark.parametrize(("kind", "locale"), list(product(KINDS, LOCALES)))
def test_a_letter_says_what_is_attached_and_nothing_else(kind: str, locale: str) -> None:
    for csv, xarf in ATTACHED:
        reports = xarf and kind != "thanks"  # what has ended is reported no more
        said = ATTACHED[csv, reports]
        body = _flat(_letter(_notice(kind), locale, Form(csv=csv, xarf=50 if xarf else 0), csv).body)
        assert said[locale != "en"] in body
        assert ("(CSV)" in body) == csv
        assert ("(XARF)" in body) == reports


@pytest.mark.parametrize("locale", LOCALES)
def test_a_summary_says_where_the_full_list_is(locale: str) -> None:
    many = [finding(f"2001:db8::{n:x}") for n in range(1, 1100)]
    attached, asked = (_flat(_letter(_notice("first", *many), locale, csv=csv).body) for csv in (True, False))
    lists, write = (
        ("The attached table (CSV) lists every address.", "For the full list, please write to the mailbox above")
        if locale == "en"
        else ("Le tableau joint (CSV) donne toutes les adresses.", "Pour la liste complète, veuillez écrire")
    )
    assert lists in attached
    assert write not in attached
    assert write in asked
    assert lists not in asked


@pytest.mark.parametrize("locale", LOCALES)
def test_notes_to_pass_on_go_to_those_who_can_pass_them_on(locale: str) -> None:
    head = "TO PASS ON" if locale == "en" else "À TRANSMETTRE"
    for kind, audience in product(KINDS, Audience):
        notes = _letter(_notice(kind, audience=audience), locale).body.count(f"\n{head}\n")
        assert notes == (kind == "first" and audience is not Audience.OWNER)


@pytest.mark.parametrize("kind", KINDS)
def test_the_languages_have_the_same_headings_lists_and_kept_lines_in_the_same_order(kind: str) -> None:
    both = [finding(), finding(topic="open_proxy", level=4), finding("192.0.2.11", level=2)]
    for audience, found in product(Audience, ([finding()], both)):
        shapes = set()
        for locale in LOCALES:
            half = _letter(_notice(kind, *found, audience=audience), locale).halves[0]
            shapes.add(tuple(block.kind for block in (*half.prose, *half.closing)))
        assert len(shapes) == 1
