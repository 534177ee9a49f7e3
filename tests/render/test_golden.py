"""The golden letters: each was read by a person.  `python -m tests.render.golden` writes them anew."""

import email
import email.policy
import hashlib
import os
import subprocess
import sys
from email.message import EmailMessage

import pytest

from pipeline.render import letter
from tests.render.golden import letters
from tests.render.written import GOLDEN, TEMPLATES, cases, choice, sources

LETTERS = letters()


@pytest.mark.parametrize("name", sorted(LETTERS))
def test_each_golden_letter_is_written_again_byte_for_byte(name: str) -> None:
    assert LETTERS[name] == (GOLDEN / name).read_bytes()


def test_there_is_no_golden_letter_that_nobody_writes() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(LETTERS)


@pytest.mark.parametrize("name", sorted(LETTERS))
def test_a_letter_parses_without_defects_and_reads_as_it_was_written(name: str) -> None:
    message = email.message_from_bytes(LETTERS[name], policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    assert not [header for header, value in message.items() if getattr(value, "defects", ())]
    name, locales, _ = name.split(".")
    case = cases()[name]
    text = letter.render(case.values, sources(case.values.kind), choice(*locales.split("+")), case.form, case.form.csv)
    body = message.get_body(("plain",))
    assert body is not None
    assert case.form.multilingual or body.get_content().replace("\r\n", "\n") == text.body
    assert message["Subject"] == text.subject
    assert message["Content-Language"] == text.content_language
    for absent in ("Date", "Auto-Submitted", "Precedence", "List-Unsubscribe", "DKIM-Signature", "Return-Path"):
        assert message[absent] == case.form.headers.get(absent)


def test_another_process_with_another_hash_seed_writes_the_same_bytes() -> None:
    code = (
        "import hashlib; from tests.render.golden import letters\n"
        "print(hashlib.sha256(b''.join(data for _, data in sorted(letters().items()))).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=TEMPLATES.parent,
        env={**os.environ, "PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Kathmandu"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = hashlib.sha256(b"".join(data for _, data in sorted(LETTERS.items()))).hexdigest()
    assert run.stdout.strip() == here
