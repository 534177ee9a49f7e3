"""What is attached says the same in every language: machine names, and texts that the lint has read in the catalogues."""

import email
import email.policy
import json
import re
from email.message import EmailMessage

import pytest

from pipeline.render import catalogue, compose, front, samples
from pipeline.render.catalogue import Say
from pipeline.render.language import LanguageChoice
from pipeline.render.table_csv import HEADS
from tests.render.written import decoded, sources

ORDERS = (("en",), ("fr_CA",), ("fr",), ("en", "fr_CA"))
SAID = ("description",)  # what a XARF report says to a person


def _attached(locales: tuple[str, ...]) -> dict[str, bytes]:
    """The attachments of a sample letter to a provider, of every wording and topic."""
    given = sources()
    matter = front.parse(given["letter.toml"], given["topics.toml"])
    [sample] = (one for one in samples.samples("first", tuple(matter.topics)) if one.name == "provider-mixed")
    choice = LanguageChoice(locales, "default")
    body = compose.letter(sample.values, given, choice, sample.form, "<n@agency.example>")
    message = email.message_from_bytes(body, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return {str(part.get_filename()): decoded(part) for part in message.iter_attachments()}


def test_heads_of_the_table_are_machine_names_in_one_place() -> None:
    assert all(re.fullmatch(r"[a-z][a-z_]*", head) for head in HEADS)


@pytest.mark.parametrize("locales", ORDERS)
def test_the_table_has_the_same_heads_and_a_note_for_each_language(locales: tuple[str, ...]) -> None:
    first, *lines = _attached(locales)["addresses.csv"].decode().split("\r\n")
    assert first.split(",") == [*HEADS, *(f"note_{locale}" for locale in locales)]
    assert len(lines) > 3


def test_reports_differ_between_languages_in_what_they_say_to_a_person_alone() -> None:
    every = {locales: _attached(locales) for locales in ORDERS}
    reports = {
        locales: [json.loads(data) for name, data in sorted(files.items()) if name.endswith(".json")]
        for locales, files in every.items()
    }
    plain = [
        [{key: value for key, value in report.items() if key not in SAID} for report in found]
        for found in reports.values()
    ]
    assert len(plain[0]) == 6
    assert all(found == plain[0] for found in plain)
    for alone, both in zip(reports["en",], reports["en", "fr_CA"], strict=True):
        assert both["description"].startswith(alone["description"].partition(" [")[0])


@pytest.mark.parametrize("locale", ["en", "fr_CA", "fr"])
def test_a_report_says_its_wording_as_the_catalogue_has_it(locale: str) -> None:
    said = catalogue.parse(sources()[f"{locale}.po"], locale).say(Say.REPORTED)
    reports = [json.loads(data) for name, data in _attached((locale,)).items() if name.endswith(".json")]
    assert any(said in report["description"] for report in reports)
