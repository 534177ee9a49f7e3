"""What the reference says is what the commands do: every command, option and exit code, and help for each."""

import re
from inspect import cleandoc

import click
import pytest

from pipeline import cli
from pipeline.cli import COMMANDS, failures, words
from pipeline.cli.command import Argument, Option, paragraphs
from tests.cli import reference
from tests.cli.catalogue import commands
from tests.cli.conftest import Tocsin
from tests.databases import ROOT

TREE = list(commands())


def test_the_page_of_commands_is_written_from_the_commands() -> None:
    assert reference.FILE.read_text(encoding="utf-8") == reference.text(), "run: python -m tests.cli.reference"


def test_every_command_and_option_appears_in_the_reference() -> None:
    page = reference.FILE.read_text(encoding="utf-8")
    for path, command in TREE:
        assert f"## {path}\n" in page
        for param in command.params:
            assert isinstance(param, Argument) or f"{param.opts[-1]}" in page, (path, param.name)


def test_every_exit_code_appears_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d+) \| (?:`(\w+)` )?\|", page, re.MULTILINE))
    assert {int(code): kind for code, kind in rows.items() if kind} == failures.KINDS
    assert {"0", str(failures.READER_GONE)} <= set(rows)


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_command_has_help_in_both_languages(tocsin: Tocsin, language: str) -> None:
    for path, command in TREE:
        ran = tocsin("--lang", language, *path.split()[1:], "--help")
        assert (ran.code, ran.err) == (0, ""), path
        assert words.text(paragraphs(command)[0])[:20] in ran.out


def test_the_table_names_commands_that_exist_in_a_sentence_each() -> None:
    ctx = click.Context(cli.root)
    for name, (_, line) in COMMANDS.items():
        command = cli.root.get_command(ctx, name)
        assert command is not None
        assert command.name == name
        assert line.endswith("."), name


def test_every_command_says_what_it_is_and_what_each_option_means() -> None:
    for path, command in TREE:
        assert cleandoc(command.help or "").endswith("."), path
        for param in command.params:
            assert isinstance(param, Option | Argument), (path, param.name)
            assert param.help, (path, param.name)


def test_shared_options_may_stand_anywhere(tocsin: Tocsin) -> None:
    lines = ("--json", "feed", "list"), ("feed", "--json", "list"), ("feed", "list", "--json")
    assert len({tocsin(*line).out for line in lines}) == 1


def test_a_settings_file_named_on_the_line_wins_over_the_environment(
    tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_CONFIG", "missing.toml")
    assert tocsin("feed", "list").code == 3
    assert tocsin("--config", "config.toml", "feed", "list").code == 0
    assert tocsin("feed", "list", "--config", "config.toml").code == 0


def test_the_shell_completes_commands(tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TOCSIN_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "tocsin sna")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert tocsin().out == "plain,snapshot\n"
