"""Every point of the model letter of 2004 is made, in each language, to owners and to providers."""

import re

import pytest

from pipeline.render import letter
from pipeline.render.values import Audience
from tests.render.written import choice, finding, sources, values

READERS = (Audience.OWNER, Audience.PROVIDER)  # the model of 2004 knows no others

# The point; how English says it; how French does (fr_CA, fr).  A pair of texts: to an owner, to a provider.
POINTS: dict[str, tuple[str | tuple[str, str], ...]] = {
    "public databases speak of the address": (
        "According to two public databases",
        "Selon deux bases de données publiques",
    ),
    "it may be an open relay or an open proxy": (
        "there may be an open mail relay and an open proxy at the IP address 192.0.2.10",
        "il pourrait y avoir un serveur relais de courriels ouvert et un serveur mandataire",
    ),
    "the address is in your hands": (
        ("you run the server that uses this address", "a network for which your mailbox is registered"),
        ("vous exploitez le serveur qui utilise cette adresse", "réseau dont votre adresse"),
    ),
    "it may harm your presence on the Internet": (
        "could harm your presence on the Internet",
        "pourrait nuire à votre présence",
    ),
    "the operation has a name": ('a joint operation, "Secure Your Server"', "commune, « Sécurisez votre serveur »"),
    "several public agencies run it": (
        "run by these public agencies: - Example Network Agency (Canada) - Example Trade Commission (United States)",
        "menée par ces organismes publics : - Agence des réseaux d'exemple (Canada) - Commission du commerce",
    ),
    "they work against unsolicited commercial e-mail": (
        "unsolicited commercial e-mail (spam)",
        "courriels commerciaux non sollicités (",
    ),
    "we want to help you secure the server": ("We want to help you secure", "Nous voulons vous aider à protéger"),
    "so that it is no source of spam without your knowledge": (
        "becomes a source of spam without your knowledge",
        "ne devienne à votre insu une source de",
    ),
    "the first step is to close it": (
        "As a first step, we recommend that you close",
        "nous vous recommandons de fermer",
    ),
    "what a relay is": (
        "lets any computer in the world send e-mail through it to other addresses",
        "laisse tout ordinateur du monde envoyer, par son entremise, des courriels à d'autres adresses",
    ),
    "what a proxy is": (
        "lets any computer in the world pass its traffic through it",
        "laisse tout ordinateur du monde faire passer son trafic par lui",
    ),
    "spammers flood the Internet through them": ("flood the Internet through them", "pour inonder Internet"),
    "consumers suffer": ("Consumers everywhere suffer", "Les consommateurs du monde entier en souffrent"),
    "so does the enforcement of the law": (
        "the law becomes harder to enforce",
        "la loi devient plus difficile à appliquer",
    ),
    "spam seems to come from you": ("the spam can seem to come from your", "peuvent sembler venir de votre"),
    "strangers use your resources": (
        ("strangers can use your servers", "strangers can use servers"),
        "des inconnus peuvent se servir de",
    ),
    "connections saturate": ("traffic can saturate your", "trafic peut saturer vos connexions"),
    "administration costs rise": ("your administration", "vos frais d'administration"),
    "your provider may end your service": ("provider may end your service", "peut mettre fin à votre service"),
    "a secured server protects against intruders": ("against intruders", "contre les intrus"),
    "where guidance is": ("https://agency.example/en/secure", "https://agency.example/fr/securiser"),
    "the dangers of unsecured servers": ("the dangers of unsecured servers", "les dangers d'un serveur mal protégé"),
    "where the participants are listed": ("https://agency.example/en/agencies", "https://agency.example/fr/organismes"),
    "where the instructions are": (
        "Step-by-step instructions for closing an open mail relay or an open proxy: https://agency.example/en/close",
        "Instructions détaillées pour fermer un serveur relais",
    ),
    "whom to ask about instructions and letter": (
        "a question about these instructions or this letter, please write to: questions@agency.example",
        "question sur ces instructions ou cette lettre, veuillez écrire à : questions@agency.example",
    ),
}


@pytest.fixture(scope="module")
def bodies() -> dict[tuple[Audience, str], str]:
    notices = {who: values(finding(), finding(topic="open_proxy"), audience=who) for who in READERS}
    return {
        (who, locale): re.sub(r"\s+", " ", letter.render(notices[who], sources(), choice(locale)).body)
        for who in READERS
        for locale in ("en", "fr_CA", "fr")
    }


@pytest.mark.parametrize("point", POINTS)
def test_the_letter_makes_every_point_of_the_model(point: str, bodies: dict[tuple[Audience, str], str]) -> None:
    for (audience, locale), body in bodies.items():
        wanted = POINTS[point][0 if locale == "en" else 1]
        assert (wanted if isinstance(wanted, str) else wanted[0 if audience is Audience.OWNER else 1]) in body
