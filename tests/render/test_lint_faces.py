"""A campaign says the same in each language: pages, texts, as many lines."""

from typing import Any

import pytest

from pipeline.render.lint_faces import bilingual_of, check_face
from pipeline.render.values import Agency
from tests.render.written import face

LOCALES = ("en", "fr_CA", "fr")
URL = "https://agency.example/"


def test_a_campaign_that_is_whole_has_no_problem() -> None:
    assert check_face(face(), LOCALES) == []
    assert check_face(face(privacy={}), LOCALES) == []


@pytest.mark.parametrize(
    ("changes", "source", "code"),
    [
        ({"guidance": {"en": URL, "fr": URL}}, "campaign.guidance", "link"),
        ({"privacy": {"en": URL, "fr": URL}}, "campaign.privacy", "link"),
        ({"privacy": {"en": URL}}, "campaign.privacy", "missing"),
        ({"operation": {"en": "Secure"}}, "campaign.operation", "missing"),
        ({"signature": {"en": ("A", "B"), "fr": ("A",)}}, "campaign.signature", "lines"),
        ({"postal": {"en": ("A",)}}, "campaign.postal", "missing"),
        ({"cosigners": (Agency({"en": "A"}),)}, "campaign.cosigners 1 name", "missing"),
        (
            {"agencies": (Agency({"en": "A", "fr": "B"}, "", {"en": ("A",), "fr": ("A", "B")}),)},
            "campaign.agencies 1 signature",
            "lines",
        ),
    ],
)
def test_what_one_language_lacks_is_found(changes: dict[str, Any], source: str, code: str) -> None:
    assert (source, code) in {(problem.source, problem.code) for problem in check_face(face(**changes), LOCALES)}


def test_a_page_in_both_languages_is_said_to_be_one() -> None:
    one = face(guidance={"en": URL, "fr": URL})
    assert check_face(one, LOCALES, ("guidance",)) == []
    assert bilingual_of({"bilingual_pages": ["guidance"]}) == ("guidance",)
    assert bilingual_of({}) == ()


def test_letters_in_one_language_need_no_other_page() -> None:
    assert check_face(face(guidance={"en": URL, "fr": URL}), ("fr_CA", "fr")) == []
