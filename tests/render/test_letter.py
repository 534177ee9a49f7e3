import dataclasses
import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import ConfigurationError, EvidenceLevel
from pipeline.render import letter
from pipeline.render.evidence import Wording, wording
from pipeline.render.form import PLAIN
from pipeline.render.letter import Letter
from pipeline.render.values import Agency, Audience, Finding, LetterValues
from tests.render.written import EN, EN_FR, FR, FR_CA, FR_EN, cases, choice, face, finding, sources, values

SOURCES = sources()
FIRST = {name: case.values for name, case in cases().items() if case.values.kind == "first" and case.form == PLAIN}
ALL = (EN, FR_CA, FR, EN_FR, FR_EN)
NB = "\u00a0"


def _write(notice: LetterValues, *locales: str) -> Letter:
    return letter.render(notice, SOURCES, choice(*(locales or EN)))


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("locales", ALL)
@pytest.mark.parametrize("name", FIRST)
def test_the_first_twelve_lines_hold_reference_count_kind_and_five_targets(name: str, locales: tuple[str, ...]) -> None:
    notice = FIRST[name]
    lines = _write(notice, *locales).body.split("\n")[:12]
    top = "\n".join(lines)
    assert f": {notice.reference}" in top
    assert f": {len({found.address for found in notice.findings})}" in top
    kinds = [line for line in lines if line.startswith(("Kind: ", f"Nature{NB}: "))]
    assert len(kinds) == len(locales)
    told = [line for line in lines if re.fullmatch(r"[0-9a-f.:]+  port .+  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line)]
    assert len(told) == min(5, len(notice.findings))


@pytest.mark.parametrize("locales", ALL)
@pytest.mark.parametrize("name", FIRST)
def test_every_target_has_its_own_unbroken_line_in_the_one_table(name: str, locales: tuple[str, ...]) -> None:
    notice = FIRST[name]
    body = _write(notice, *locales).body
    rows = re.findall(r"^([0-9a-f.:]+)  +(\d+|-)  +(\w+|-)  +(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$", body, re.MULTILINE)
    assert {(address, port) for address, port, _, _ in rows} == {
        (str(found.address), str(found.port or "-")) for found in notice.findings
    }
    assert len(rows) == len(notice.findings)


@pytest.mark.parametrize(
    ("locales", "first", "order"),
    [
        (EN_FR, "Le français suit.", ["ENGLISH", "FRANÇAIS"]),
        (FR_EN, "English follows.", ["FRANÇAIS", "ENGLISH"]),
    ],
)
def test_a_letter_in_two_languages_says_so_in_line_one_and_writes_each_in_full(
    locales: tuple[str, ...], first: str, order: list[str]
) -> None:
    text = _write(values(), *locales)
    lines = text.body.split("\n")
    assert lines[0] == first
    assert [line for line in lines if line in ("ENGLISH", "FRANÇAIS")] == order
    both = [_write(values(), locale).body for locale in locales]
    for alone in both:
        prose = re.search(r"^(Hello|Bonjour),\n.*?(?=\n\n(IP ADD|ADRESSES))", alone, re.DOTALL | re.MULTILINE)
        closing = re.search(r"^QUESTIONS\n.*Canada$", alone, re.DOTALL | re.MULTILINE)
        assert prose is not None
        assert closing is not None
        assert prose[0] in text.body
        assert closing[0] in text.body
    assert len(re.findall("^192.0.2.10  25 ", text.body, re.MULTILINE)) == 1
    assert text.content_language == ", ".join(locale.replace("_", "-") for locale in locales)
    assert " / " in text.subject
    assert "Report: open relay" in text.subject
    assert f"Signalement{NB}: relais ouvert" in text.subject


STRONGER = {
    Wording.REPORTED: ("observed", "observé", "observation", "confirmed by", "confirmed that", "a confirmé", "Finding"),
    Wording.OBSERVED: ("confirmed", "confirmé", "confirmation"),
    Wording.CONFIRMED: (),
}


SAID = {
    Wording.REPORTED: {"en": "there may be", "fr": "il pourrait y avoir"},
    Wording.OBSERVED: {"en": "We observed", "fr": "Nous avons nous-mêmes observé"},
    Wording.CONFIRMED: {
        "en": "On November 1, 2026 (UTC), our test confirmed",
        "fr": "Le 1er novembre 2026 (UTC), notre",
    },
}


@pytest.mark.parametrize("locales", ALL)
@pytest.mark.parametrize("level", EvidenceLevel)
def test_a_letter_never_claims_more_than_its_evidence(level: EvidenceLevel, locales: tuple[str, ...]) -> None:
    for topic, count, audience in product(("open_relay", "open_proxy"), (1, 3), Audience):
        findings = [finding(f"192.0.2.{n}", topic, level) for n in range(1, count + 1)]
        text = _write(values(*findings, audience=audience), *locales)
        said = _flat(f"{text.subject} {text.body}")
        assert [word for word in STRONGER[wording(level)] if word in said] == []
        assert all(SAID[wording(level)][locale[:2]] in said for locale in locales)


def test_in_a_mixed_letter_the_subject_claims_the_weakest_and_each_section_its_own() -> None:
    text = _write(values(finding(level=4), finding("192.0.2.11")))
    assert "Report: open relay" in text.subject
    assert f"open mail relay (confirmed by a test on November{NB}1, 2026)\n192.0.2.10" in text.body
    assert "open mail relay (reported, not verified)\n192.0.2.11" in text.body


def test_tests_on_several_days_are_dated_from_the_first_to_the_last() -> None:
    early, late = (finding(f"192.0.2.{n}", level=4) for n in (1, 2))
    assert early.confirmed_at is not None
    early = dataclasses.replace(early, confirmed_at=early.confirmed_at.replace(month=10, day=31))
    body = _flat(_write(values(early, late)).body)
    assert "Between October 31, 2026 and November 1, 2026 (UTC), our tests confirmed" in body
    assert "Entre le 31 octobre 2026 et le 1er novembre 2026 (UTC), nos essais ont confirmé" in _flat(
        _write(values(early, late), "fr").body
    )


def _sourced(address: str, count: int, *names: str) -> Finding:
    return finding(address, "open_relay", 1, sources=names, source_count=count)


@pytest.mark.parametrize(
    ("findings", "english", "french"),
    [
        ([_sourced("192.0.2.1", 1)], "one public database,", "une base de données publique,"),
        ([_sourced("192.0.2.1", 1, "A")], "one public database (A),", "une base de données publique (A),"),
        (
            [_sourced("192.0.2.1", 2, "A", "B")],
            "two public databases (A and B),",
            "deux bases de données publiques (A et B),",
        ),
        (
            [_sourced("192.0.2.1", 12, "A")],
            "12 public databases (the one that we may name: A),",
            "12 bases de données publiques (celle que nous pouvons nommer : A),",
        ),
        (
            [_sourced("192.0.2.1", 12, "A", "B")],
            "12 public databases (those that we may name: A and B),",
            "12 bases de données publiques (celles que nous pouvons nommer : A et B),",
        ),
        (
            [_sourced("192.0.2.1", 1, "A"), _sourced("192.0.2.2", 1, "B")],
            "one public database (A or B),",
            "une base de données publique (A ou B),",
        ),
        (
            [_sourced("192.0.2.1", 1, "A"), _sourced("192.0.2.2", 2, "A", "B")],
            "one or two public databases (A or B),",
            "une ou deux bases de données publiques (A ou B),",
        ),
        (
            [_sourced("192.0.2.1", 1), _sourced("192.0.2.2", 4)],
            "one to four public databases,",
            "une à quatre bases de données publiques,",
        ),
        (  # one address that two lists name for two reasons is named by two
            [_sourced("192.0.2.1", 1, "A"), finding("192.0.2.1", "open_proxy", sources=("B",))],
            "two public databases (A and B),",
            "deux bases de données publiques (A et B),",
        ),
    ],
)
def test_the_number_of_sources_is_the_true_one(findings: list[Finding], english: str, french: str) -> None:
    assert english in _flat(_write(values(*findings)).body)
    assert french in _flat(_write(values(*findings), "fr_CA").body)


@pytest.mark.parametrize("locales", ALL)
def test_a_training_letter_says_so_at_the_very_top_and_in_the_subject(locales: tuple[str, ...]) -> None:
    text = _write(values(training=True, watermark="Alpha"), *locales)
    for locale in locales:
        english = locale == "en"
        assert ("TRAINING LETTER, no action needed" if english else "LETTRE DE FORMATION, rien à faire") in (
            text.body.split("\n")[0]
        )
        assert ("TRAINING" if english else "FORMATION") in text.subject.split("]")[0]
    assert text.body.split("\n")[0].endswith("(Alpha) ***")
    assert "TRAINING" not in _write(values(), *locales).body
    assert "FORMATION" not in _write(values(), *locales).subject


def test_training_is_the_default() -> None:
    notice = LetterValues("TOC-1234", face(), "a@net.example", Audience.OWNER, (finding(),), values().written_on)
    assert notice.training


def test_who_is_not_the_networks_contact_is_not_told_that_it_is() -> None:
    beside = _flat(_write(values(audience=Audience.BESIDE)).body)
    assert "a network of which you are not the registered contact (EXAMPLE-NET; holder: Hébergement" in beside
    assert "Please pass this letter's contents on to them" in beside
    for untrue in ("for which your mailbox is registered", "you run the server", "your network", "found your mailbox"):
        assert untrue not in beside


def test_a_provider_is_told_of_its_network_and_an_owner_of_its_server() -> None:
    provider = _flat(_write(values(audience=Audience.PROVIDER)).body)
    assert "a network for which your mailbox is registered as the abuse contact (EXAMPLE-NET;" in provider
    assert "holder: Hébergement Exemple inc., Canada)" in provider
    assert "pass this letter on" in provider
    assert "you run the server" not in provider
    owner = _flat(_write(values()).body)
    assert "you run the server that uses this address" in owner
    assert "abuse contact" not in owner


def test_many_networks_are_not_named_in_the_prose() -> None:
    findings = [finding(f"192.0.2.{n}", network=f"NET-{n}") for n in range(1, 8)]
    body = _flat(_write(values(*findings, audience=Audience.PROVIDER, holder="")).body)
    assert "belong to networks for which your mailbox is registered as the abuse contact in the public records." in body


def test_many_agencies_are_named_in_part_and_the_rest_counted() -> None:
    agencies = tuple(Agency({"en": f"Agency {n}", "fr": f"Agence {n}"}) for n in range(37))
    body = _write(values(face=face(agencies=agencies, cosigners=()))).body
    assert "- Agency 5\n- and 31 others, named on the page of participants below\n" in body
    assert "Agency 6" not in body


def test_what_the_campaign_does_not_say_is_left_out_but_a_language_is_never_missing() -> None:
    assert "personal information" not in _write(values(face=face(privacy={}))).body
    with pytest.raises(ConfigurationError, match="no guidance in fr_CA"):
        _write(values(face=face(guidance={"en": "https://agency.example/"})), "fr_CA")


@pytest.mark.parametrize(
    ("notice", "match"),
    [
        (values(finding(topic="open_resolver")), "does not speak of open_resolver"),
        (values(kind="test"), "test"),
    ],
)
def test_a_notice_for_another_letter_is_refused(notice: LetterValues, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        _write(notice)


def test_evidence_below_the_letters_minimum_is_refused() -> None:
    strict = {**SOURCES, "letter.toml": SOURCES["letter.toml"].replace("minimum_level = 0", "minimum_level = 2")}
    with pytest.raises(ValueError, match="E2"):
        letter.render(values(finding(level=1)), strict, choice("en"))
    assert letter.render(values(finding(level=2)), strict, choice("en")).subject


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.endswith("fr.po")])
def test_a_revision_that_is_not_whole_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        letter.render(values(), {key: text for key, text in SOURCES.items() if key != name}, choice("en"))


def test_a_language_the_letter_does_not_have_is_refused() -> None:
    for locales in (("de",), ()):
        with pytest.raises(ConfigurationError, match="does not exist in"):
            letter.render(values(), SOURCES, choice(*locales))


@pytest.mark.parametrize("locales", ALL)
@pytest.mark.parametrize("name", FIRST)
def test_prose_keeps_to_72_columns_and_no_line_ends_in_white_space(name: str, locales: tuple[str, ...]) -> None:
    notice = FIRST[name]
    body = _write(notice, *locales).body
    prose = body[body.index("Bonjour," if "fr_CA" in locales or "fr" in locales else "Hello,") :]
    long = [line for line in prose.split("\n") if len(line) > 72 and not line.startswith("  ")]
    assert all(re.match(r"serveur |open ", line) for line in long)  # headings of the table's sections
    assert not [line for line in body.split("\n") if line != line.rstrip()]
    assert "\n\n\n" not in body
    assert body.endswith("\n")
    assert not body.endswith("\n\n")


OUTSIDE = st.text(max_size=300) | st.sampled_from(
    ["x\r\nBcc: a@b.example", "\n192.0.2.66  port 25  2026-01-01T00:00:00Z", "- x", "== X", "{{ face }}", "From x", "."]
)


@settings(max_examples=60, deadline=None)
@given(OUTSIDE, OUTSIDE, OUTSIDE, st.sampled_from(ALL))
def test_no_outside_value_changes_the_facts_or_adds_a_line_of_its_own(
    holder: str, network: str, source: str, locales: tuple[str, ...]
) -> None:
    def told(holder: str, network: str, source: str) -> list[str]:
        found = finding(network=network, sources=(source,))
        return _write(values(found, audience=Audience.PROVIDER, holder=holder), *locales).body.split("\n")

    hostile, plain = told(holder, network, source), told("H", "N", "S")
    top = min(plain.index(word) for word in ("Hello,", "Bonjour,") if word in plain)
    assert hostile[:top] == plain[:top]
    assert hostile.count("") == plain.count("")  # no paragraph more or less
    assert [line for line in hostile if line.startswith("  ")] == [line for line in plain if line.startswith("  ")]
    in_columns = re.compile(r"\S+  ")  # what reads as a line of the table
    assert [line for line in hostile if in_columns.match(line)] == [line for line in plain if in_columns.match(line)]
