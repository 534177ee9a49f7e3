"""Whatever refuses to send, to approve or to go live says so in the reader's language, to the last word.

An error carries English sentences, which the command line says again (cli/words.py): so each must be a message of the
catalogue, and what stands in its places a name, a number or a command, or a sentence that is said again, too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli import words
from pipeline.cli.states import WORDS
from tests.cli import catalogue
from tests.databases import ROOT

CLI = "approvals approve dkim doctor_dns doctor_relay first_letters golive golive_facts hold letter send send_plan work"
STORE = "brakes golive holds letters lives persons send waves"
MODULES = [
    *(ROOT / "pipeline" / "cli" / f"{name}.py" for name in CLI.split()),
    *(ROOT / "pipeline" / "store" / f"{name}.py" for name in STORE.split()),
    *sorted((ROOT / "pipeline" / "send").glob("*.py")),
    ROOT / "pipeline" / "net" / "signature.py",
]
# What is the same in every language: names, numbers, addresses, times, settings, commands, words of a protocol
NAMES = {
    *("wave['number']", "wave['campaign']", "plan['wave']", "plan['campaign']", "campaign.name", "campaign['name']"),
    *("campaign", "campaign_id", "name", "named", "number", "command", "letter_id", "due.id", "TEST", "by", "domain"),
    *(
        "mailbox",
        "campaign.from_mailbox",
        "person.name",
        "person.name if person else by",
        "relay.name",
        "settings.name",
        "allowed_signers",
    ),
    *("setting", "secret", "wanted", "key.key_size", "SHORTEST", "LONGEST", "refused.stage"),
    *("problems[0].source", "problems[0].code", "events.stamp(dot_at + STILL_UNDER_WAY)"),
}
# Sentences that were made elsewhere: in the reader's language already, or in English for words.sentence, or a relay's own
SENTENCES = {
    "sentence(missing[0])",
    "approvals.english(found)",
    "plan['objection']",
    "objection",
    "'; '.join(_changes(before, plan))",
    "run.last_words",
    "trouble",
    "refused.reply.text",
}


def told(path: Path) -> Iterator[ast.expr]:
    """Yield every text that the errors of a module are made of."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and getattr(call.func, "id", getattr(call.func, "attr", "")) in catalogue.ERRORS:
            for text in (*call.args, *(keyword.value for keyword in call.keywords)):
                yield from parts(text)


def parts(text: ast.expr) -> Iterator[ast.expr]:
    if isinstance(text, ast.IfExp):
        yield from (*parts(text.body), *parts(text.orelse))
    elif isinstance(text, ast.BoolOp):
        for value in text.values:
            yield from parts(value)
    else:
        yield text


def is_said(text: ast.expr) -> bool:
    """True for `words.text(...)`: it is in the reader's language."""
    return isinstance(text, ast.Call) and ast.unparse(text.func) in ("words.text", "words.plural")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_an_error_says_is_a_message_and_what_it_names_needs_no_translation(path: Path) -> None:
    for text in told(path):
        if isinstance(text, ast.JoinedStr):
            named = {ast.unparse(part.value) for part in text.values if isinstance(part, ast.FormattedValue)}
            assert named - NAMES <= set(words.SPOKEN_AGAIN), f"line {text.lineno}: is it the same in French?"
        elif not isinstance(text, ast.Constant):
            assert is_said(text) or ast.unparse(text) in SENTENCES, f"line {text.lineno}: no catalogue knows it"


def test_every_error_can_be_told_from_other_sentences() -> None:
    """A message such as `{value} and {name}` is not looked for in a sentence, so it would stay English."""
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        for text in told(path):
            for msgid in catalogue.texts(text):
                own = words.PLACE.sub("", msgid)
                assert not words.WORD.search(own) or not words.PLACE.search(msgid) or words.is_definite(msgid), msgid


@pytest.mark.parametrize("kind", ["objection", "link"])
def test_every_objection_is_said_again_in_french(kind: str) -> None:
    words.use("fr")
    for english in WORDS[kind].values():
        assert words.sentence(english) != english
    words.use("en")


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("1 of 2 approvals are there", "approbations données\u00a0: 1 sur 2"),
        ("Wave 3 of test is rendered", "La vague 3 de test est rédigée"),
        ("Wave 3 of test is sending", "La vague 3 de test est en cours d'envoi"),
        ("Wave 3 is planned", "La vague 3 est planifiée"),
    ],
)
def test_a_state_in_a_refusal_is_said_in_french(english: str, french: str) -> None:
    words.use("fr")
    assert words.sentence(english) == french
    words.use("en")
