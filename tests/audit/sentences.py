"""Every English sentence that the record can say: found in its sources and its tables of codes.

`python -m tests.audit.sentences` brings templates/locale/fr/LC_MESSAGES/record.po up to date: new sentences come in empty,
those that nothing says any more go, the rest stays as it is, sorted.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from pipeline.audit import behind, codes, explained, limits, lookup_codes, now, waits, written
from pipeline.cli import status
from tests.databases import ROOT

FILE = ROOT / "templates" / "locale" / "fr" / "LC_MESSAGES" / "record.po"
SOURCES = (*sorted((ROOT / "pipeline" / "audit").glob("*.py")), ROOT / "pipeline" / "cli" / "record.py")
HEADER = """# The sentences of the record (who, explain, status, audit log).
# Brought up to date by: python -m tests.audit.sentences
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: fr\\n"

"""
FIRST_ARGUMENTS = {"say": 1, "Say": 1, "counted": 2}  # function -> how many of its arguments are sentences


def _is_table(name: str, value: object) -> TypeGuard[dict[str, str]]:
    return name.isupper() and isinstance(value, dict)


TABLES = (
    *(value for module in (codes, lookup_codes) for name, value in vars(module).items() if _is_table(name, value)),
    *(now.MEANINGS, explained.VERDICTS, explained.NEXT, written.METHODS, written.OUTCOMES, behind.TOLD),
    *(status.CONTACTS, status.ATTEMPTS),
    *(limits.SPANS, limits.LIMITED, limits.REACHED, limits.ASKED, {"": limits.BOX}, {"": limits.LOOK_UP}),
)


def sentences() -> set[str]:
    """Return every sentence and every part of one."""
    found = {sentence for table in TABLES for sentence in table.values()}
    found |= {form for forms in waits.WAITS.values() for form in forms if form}
    for path in SOURCES:
        found |= set(_said(path))
    return found


def _said(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        for argument in node.args[: FIRST_ARGUMENTS.get(node.func.id, 0)]:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def read() -> Catalog:
    with FILE.open("rb") as stream:
        return read_po(stream, locale="fr", abort_invalid=True)


def write(catalog: Catalog) -> None:
    with FILE.open("wb") as stream:
        stream.write(HEADER.encode())
        write_po(stream, catalog, width=120, sort_output=True, no_location=True, omit_header=True)


def main() -> None:
    old = read() if FILE.exists() else Catalog(locale="fr")
    new = Catalog(locale="fr")
    for msgid in sentences():
        known = old.get(msgid)
        new.add(msgid, known.string if known else None)
    write(new)


if __name__ == "__main__":
    main()
