"""Our French letters beside the model of 2004: its points are made, its sentences are not copied.

Reads ../shared/data/seed when it is there.  tests/render/test_points.py lists the points themselves.
"""

import re
from pathlib import Path

import pytest

from pipeline.render import letter
from pipeline.render.values import Audience
from tests.render.written import choice, finding, sources, values

SEED = Path(__file__).parents[2].parent / "shared" / "data" / "seed" / "letter.fr_CA.txt"
RUN = 7  # words in a row

pytestmark = pytest.mark.skipif(not SEED.is_file(), reason="the model letter is not here")

# The ideas of the model, each by a word stem that no letter about something else would hold, and where ours has it.
STEMS = {
    "bases de données publiques": "bases de données publiques",
    "relais": "relais",
    "mandataire": "mandataire",
    "présence de votre organisme": "votre présence dans Internet",
    "conjoint": "commune",
    "organismes publics": "organismes publics",
    "non sollicités": "non sollicités",
    "à votre insu": "à votre insu",
    "première étape": "Pour commencer",
    "n'importe quel ordinateur": "tout ordinateur",
    "inonder Internet": "inonder Internet",
    "consommateurs": "consommateurs",
    "application de la loi": "loi devient plus difficile à appliquer",
    "provient de votre système": "venir de votre système",
    "inconnus": "inconnus",
    "volume du trafic": "trafic peut saturer vos connexions",
    "coûts administratifs": "frais d'administration",
    "mettre fin": "mettre fin",
    "intrus": "intrus",
    "instructions détaillées": "Instructions détaillées",
    "liste des organismes": "Participants",
    "questions": "question",
}


def _text(locale: str, audience: Audience) -> str:
    notice = values(finding(), finding(topic="open_proxy"), audience=audience)
    return letter.render(notice, sources(), choice(locale)).body


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("stem", STEMS)
def test_each_idea_of_the_model_has_its_place_in_ours(stem: str) -> None:
    assert stem in _flat(SEED.read_text("utf-8"))
    assert STEMS[stem] in _flat(_text("fr_CA", Audience.OWNER))


@pytest.mark.parametrize("locale", ["fr_CA", "fr"])
@pytest.mark.parametrize("audience", Audience)
def test_no_run_of_seven_words_is_the_models(locale: str, audience: Audience) -> None:
    def runs(text: str) -> set[tuple[str, ...]]:
        named = _flat(text).replace("serveur relais de courriels ouvert", "TERM")  # the term is nobody's sentence
        words = re.findall(r"\w+", named.lower())
        return {tuple(words[n : n + RUN]) for n in range(len(words) - RUN + 1)}

    assert runs(_text(locale, audience)) & runs(SEED.read_text("utf-8")) == set()


def test_the_models_slip_and_its_addresses_are_not_in_our_sources() -> None:
    for name, source in sources().items():
        assert not re.search(r"adresses électronique\b|ftc\.gov", source), name
