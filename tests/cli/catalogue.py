"""Which messages the command line can show: every msgid, found in the sources and in the tree of commands.

`python -m tests.cli.catalogue` brings templates/locale/{en,fr}/LC_MESSAGES/tocsin.po up to date: new msgids come in empty,
those that nothing says any more go, the rest stays as it is, sorted.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import click
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from pipeline import domain
from pipeline.cli import COMMANDS, doctor, root, words
from pipeline.cli.command import SHARED, paragraphs
from pipeline.cli.states import WORDS
from pipeline.store.db import MEANINGS
from tests.cli.foreign import FOREIGN
from tests.databases import ROOT

LOCALES = ROOT / "templates" / "locale"
ERRORS = {
    name for name, kind in vars(domain).items() if isinstance(kind, type) and issubclass(kind, domain.TocsinError)
}
ERRORS |= {"BadParameter", "UsageError", "Failure"}

Msgid = str | tuple[str, str]


def msgids() -> set[Msgid]:
    """Return every msgid; a pair is a singular and a plural."""
    found: set[Msgid] = {*FOREIGN, *_tree(), *_tables()}
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        for call in _calls(path):
            found |= {msgid for msgid in _told(call) if words.WORD.search(words.PLACE.sub("", msgid))}
            if path.parent.name == "cli":
                found |= set(_said(call))
    return {msgid for msgid in found if msgid}


def _calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _told(call: ast.Call) -> Iterator[str]:
    """What any module may tell: its errors, and what it counts."""
    if _called(call) in ERRORS:
        first = 1 if _called(call) == "Failure" else 0  # after its exit code
        for value in (
            *call.args[first : first + 3],
            *(k.value for k in call.keywords if k.arg in ("what", "why", "next_step")),
        ):
            yield from texts(value)
    elif _called(call) == "progress" and call.args:
        yield from texts(call.args[0])


def _said(call: ast.Call) -> Iterator[Msgid]:
    """What the command line says itself."""
    name = _called(call)
    if name == "plural":
        one, many = (next(texts(argument)) for argument in call.args[:2])
        yield one, many
    elif name in ("text", "section", "failed", "Finding") and call.args:
        yield from _literals(call.args[min(1, len(call.args) - 1)] if name == "section" else call.args[0])
    elif name == "each":
        for argument in call.args:
            yield from _literals(argument)


def _literals(node: ast.AST) -> Iterator[str]:
    """Yield the texts that an argument may be, where each is a msgid as it stands."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_literals(node.body), *_literals(node.orelse))


def texts(node: ast.AST) -> Iterator[str]:
    """Yield the texts that an argument may be: a literal, an f-string as a msgid with places, either branch of an if."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield _template(node)
    elif isinstance(node, ast.IfExp):
        yield from (*texts(node.body), *texts(node.orelse))
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from texts(value)


def _template(node: ast.JoinedStr) -> str:
    made, used = "", Counter[str]()
    for part in node.values:
        if isinstance(part, ast.Constant):
            made += str(part.value)
        elif isinstance(part, ast.FormattedValue):
            name = _name(part.value)
            used[name] += 1
            made += f"{{{name}{used[name] if used[name] > 1 else ''}}}"
    return made


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr.lower()
    return node.id.lower() if isinstance(node, ast.Name) else "value"


def commands(command: click.Command = root, path: str = "tocsin") -> Iterator[tuple[str, click.Command]]:
    """Yield (path, command) for the whole tree."""
    yield path, command
    if isinstance(command, click.Group):
        ctx = click.Context(command, info_name=path)
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            yield from commands(inner, f"{path} {name}")


def _tree() -> Iterator[str]:
    for _, command in commands():
        yield from paragraphs(command)
        for param in (*command.params, *SHARED):
            yield from filter(None, (getattr(param, "help", ""), param.metavar))


def _tables() -> Iterator[str]:
    yield from (line for _, line in COMMANDS.values())
    yield from (said for kinds in WORDS.values() for said in kinds.values())
    yield from doctor.SIGNS.values()
    yield from (text for _, why, next_step in MEANINGS for text in (why, next_step))
    yield from ("Options", "Options of every command", "[OPTIONS]", "COMMAND [ARGS]...")


def file(language: str) -> Path:
    return LOCALES / language / "LC_MESSAGES" / "tocsin.po"


def read(language: str) -> Catalog:
    with file(language).open("rb") as stream:
        return read_po(stream, locale=language, abort_invalid=True)


HEADER = """\
# The words of the command line.  Brought up to date by: python -m tests.cli.catalogue
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: {language}\\n"
"Plural-Forms: nplurals=2; plural=({plural});\\n"

"""
PLURALS = {"en": "n != 1", "fr": "n > 1"}


def as_text(catalog: Catalog, language: str) -> str:
    """Return a catalogue as its file has it: sorted, without dates, places in the sources or what is obsolete."""
    stream = BytesIO()
    write_po(stream, catalog, width=120, sort_output=True, omit_header=True, no_location=True, ignore_obsolete=True)
    return HEADER.format(language=language, plural=PLURALS[language]) + stream.getvalue().decode()


def brought_up_to_date(language: str) -> Catalog:
    """Return the catalogue with every msgid there is: known translations stay, new ones are empty."""
    old = read(language) if file(language).exists() else Catalog(locale=language)
    new = Catalog(locale=language, charset="utf-8", fuzzy=False)
    for msgid in msgids():
        known = old.get(msgid if isinstance(msgid, str) else msgid[0])
        new.add(msgid, known.string if known else None)
    return new


def main() -> None:
    for language in words.LANGUAGES:
        file(language).write_text(as_text(brought_up_to_date(language), language), encoding="utf-8")


if __name__ == "__main__":
    main()
