"""English and French say the same; a sentence of another layer is said again; nothing crashes for want of a word."""

import re

import pytest

from pipeline.cli import words
from pipeline.cli.states import WORDS, said
from pipeline.domain import CaseState, Exposure, LetterState, Verdict, WaveState
from pipeline.store.persons import Role
from pipeline.store.stops import Reason
from tests.cli import catalogue
from tests.cli.catalogue import Msgid

NB = "\u00a0"
# The same word in both languages
SAME = {
    "Arguments",
    "DATE",
    "FORMAT",
    "ID",
    "Options",
    "PRINCIPAL",
    "[OPTIONS]",
    "[Errno {number}] {message}",
    "contact",
    "contacts",
    "date",
    "format",
}
SAME |= {"DKIM", "OpenPGP", "exclusion", "id", "mode", "plan", "port", "signature", "signatures", "verdict", "version"}
SAME |= {"DMARC", "DNS", "MX", "PTR", "SPF"}


def pairs() -> list[tuple[Msgid, object]]:
    return [(message.id, message.string) for message in catalogue.read("fr") if message.id]


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_catalogue_has_every_message_and_no_other_sorted(language: str) -> None:
    text = catalogue.file(language).read_text(encoding="utf-8")
    expected = catalogue.as_text(catalogue.brought_up_to_date(language), language)
    assert text == expected, "run: python -m tests.cli.catalogue, and translate what is new"


def test_every_message_is_translated() -> None:
    assert [msgid for msgid, string in pairs() if not (all(string) if isinstance(string, tuple) else string)] == []


def test_no_english_is_left_in_french() -> None:
    assert {msgid for msgid, string in pairs() if msgid == string} <= SAME


def test_a_translation_has_the_places_of_its_message_and_no_others() -> None:
    for msgid, string in pairs():
        forms = zip(msgid, string, strict=True) if isinstance(msgid, tuple) else [(msgid, string)]  # type: ignore[call-overload]
        for english, french in forms:
            assert set(words.PLACE.findall(french)) == set(words.PLACE.findall(english)), english


def test_french_typography_is_kept() -> None:
    for _, string in pairs():
        for text in string if isinstance(string, tuple) else (str(string),):
            assert not re.search(r"[^\s\u00a0] :(\s|$)| [;!?»]|« |[^\u00a0]»|«[^\u00a0]|  \S.*\.$", text), text
            assert not re.search(r"\w:(\s|$)", text.replace(NB + ":", "")), text


def test_every_state_role_and_reason_has_a_word() -> None:
    kinds = {
        "case": CaseState,
        "exposure": Exposure,
        "letter": LetterState,
        "wave": WaveState,
        "verdict": Verdict,
        "role": Role,
        "reason": Reason,
    }
    for kind, states in kinds.items():
        assert {state.value for state in states} == set(WORDS[kind]) - {"rejected"}  # said by a word on contacts alone
    words.use("fr")
    assert said("letter", "accepted") == "acceptée par leur serveur"


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("There is no settings file a/config.toml", "Le fichier de paramètres a/config.toml n'existe pas"),
        ("mail.rat: no such setting", f"mail.rat{NB}: ce paramètre n'existe pas"),
        (
            "mail.rate: Input should be greater than or equal to 0; dns.timeout: Field required",
            f"mail.rate{NB}: la valeur doit être au moins 0; dns.timeout{NB}: ce paramètre est exigé",
        ),
        ("Invalid value (at line 3, column 7)", "Valeur non valable (ligne 3, colonne 7)"),
        (
            "No such command 'statos'. Did you mean 'status'?",
            "La commande 'statos' n'existe pas. Vouliez-vous dire 'status'?",
        ),
        (
            "Invalid value for '--role': 'x' is not one of 'officer', 'approver'.",
            f"Valeur non valable pour '--role'{NB}: 'x' n'est pas l'un de 'officer', 'approver'.",
        ),
        (
            "No suppression of 192.0.2.0/24 is in force",
            "Aucune inscription à la liste de non-envoi de 192.0.2.0/24 n'est en vigueur",
        ),
        (
            "Invalid value: 192.0.2.1/24 is not a network: 192.0.2.1/24 has host bits set",
            f"Valeur non valable{NB}: 192.0.2.1/24 n'est pas un réseau{NB}: "
            "192.0.2.1/24 nomme une adresse à l'intérieur du réseau",
        ),
        ("Nobody has ever said this", "Nobody has ever said this"),
        ("", ""),
    ],
)
def test_a_finished_sentence_is_said_again_in_french(english: str, french: str) -> None:
    words.use("fr")
    assert words.sentence(english) == french
    words.use("en")
    assert words.sentence(english) == english


def test_a_hostile_sentence_is_left_alone() -> None:
    words.use("fr")
    for text in ("{0} {__class__} %s", "x" * 100_000, "There is no settings file " + "a" * 100_000):
        assert words.sentence(text) == text
    assert "{x}" in words.sentence("There is no settings file {x}")


def test_a_message_that_no_catalogue_has_fails_a_test_and_not_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    for language in words.LANGUAGES:
        words.use(language)
        with pytest.raises(KeyError, match="no msgid"):
            words.text("Nobody has ever said {this}", this=1)
    monkeypatch.setattr(words, "STRICT", False)
    assert words.text("Nobody has ever said {this}", this=1) == "Nobody has ever said 1"


def test_without_a_catalogue_all_is_said_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "STRICT", False)
    words.use("xx")
    try:
        assert words.text("Interrupted") == "Interrupted"
        assert words.sentence("Interrupted") == "Interrupted"
    finally:
        words.catalogue.cache_clear()
        words.templates.cache_clear()


@pytest.mark.parametrize(
    ("language", "count", "expected"),
    [
        ("en", 0, "0 warnings"),
        ("en", 1, "1 warning"),
        ("en", 12_430, "12,430 warnings"),
        ("fr", 0, "0 avertissement"),
        ("fr", 1, "1 avertissement"),
        ("fr", 12_430, f"12{NB}430 avertissements"),
    ],
)
def test_counts_are_written_as_each_language_does(language: str, count: int, expected: str) -> None:
    words.use(language)
    assert words.plural("{count} warning", "{count} warnings", count) == expected


@pytest.mark.parametrize(
    ("flag", "environment", "configured", "expected"),
    [
        ("fr", {"TOCSIN_LANGUAGE": "en"}, "en", "fr"),
        ("", {"TOCSIN_LANGUAGE": "fr", "LANG": "en_CA.UTF-8"}, "en", "fr"),
        ("", {"LANG": "en_CA.UTF-8"}, "fr", "fr"),
        ("", {"LANG": "fr_CA.UTF-8"}, "", "fr"),
        ("", {"LC_ALL": "C", "LANG": "fr_CA.UTF-8"}, "", "en"),
        ("", {"LANG": "de_DE.UTF-8"}, "", "en"),
        ("de", {}, "", "en"),
    ],
)
def test_the_nearest_wish_decides_the_language(
    flag: str, environment: dict[str, str], configured: str, expected: str
) -> None:
    assert words.choose(flag, environment, configured) == expected


@pytest.mark.parametrize(
    ("msgid", "definite"),
    [
        ("{value} and {name}", False),
        ("{where}.{key} is {value}", False),
        ("{done} of {total}", False),
        ("{what}: {count}", False),
        ("{value} is past", True),
        ("{value} is not one of {choices}", True),
        ("it is {value}", True),
        ("the topics are {first} and {second}", True),
    ],
)
def test_a_message_that_would_fit_any_sentence_is_not_looked_for_in_one(msgid: str, definite: bool) -> None:
    assert words.is_definite(msgid) is definite


def test_a_sentence_that_nobody_knows_is_not_translated_by_halves() -> None:
    words.use("fr")
    for text in (
        "550 5.7.1 Mail from you and your network is refused",
        "451 4.3.0 Queue of 10 of 20 is full, try mail.isp.example and others",
        "8 letters of 20 were returned and nobody knows why",
    ):
        assert words.sentence(text) == text


def test_every_message_is_found_again_in_what_was_made_from_it() -> None:
    words.use("fr")
    for msgid, string in pairs():
        if isinstance(msgid, str) and words.is_definite(msgid):
            values = {name: f"value-{i}" for i, name in enumerate(words.PLACE.findall(msgid))}
            english, french = (words.PLACE.sub(lambda place: values[place[1]], str(text)) for text in (msgid, string))  # noqa: B023
            assert words.sentence(english) == french
