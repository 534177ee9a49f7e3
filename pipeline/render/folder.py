"""A letter's folder becomes its sources, as one revision stores them: its own files, then what all letters share.

Reads: the files of a folder, of `shared` beside it, and of the shipped templates; writes nothing.  A file in the letter's
own folder comes before a shared one of its name, so an agency changes what it likes and keeps the rest.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline.domain import ConfigurationError
from pipeline.render.front import NAME

SHARED = "shared"
MAX_SOURCE = 1 << 20  # bytes of one file
MOST_FILES = 100  # of one folder


def letters(templates: Path) -> list[Path]:
    """Return the folders of the letters among templates, by name."""
    return sorted(path for path in (templates / "letters").iterdir() if path.is_dir() and path.name != SHARED)


def read(folder: Path, templates: Path) -> dict[str, str]:
    """Return the sources of the letter in a folder; `templates` holds the shipped ones.

    Raises ConfigurationError for a file that is not text, or a folder that is no letter.
    """
    if not (folder / NAME).is_file():
        raise ConfigurationError(f"{folder} is not a letter", f"it has no {NAME}", "Name the folder of a letter.")
    files: dict[str, Path] = {}
    for found in (folder, folder.parent / SHARED, templates / "letters" / SHARED):
        for path in _files(found):
            files.setdefault(path.name, path)
    for path in sorted((templates / "locale").glob("*/LC_MESSAGES/letters.po")):
        files.setdefault(f"{path.parent.parent.name}.po", path)
    return {name: _text(path) for name, path in sorted(files.items())}


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    found = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if len(found) > MOST_FILES:
        raise ConfigurationError(f"{folder} holds too many files", f"over {MOST_FILES}", "Name the folder of a letter.")
    yield from found


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_SOURCE:
        raise ConfigurationError(f"{path} is too large", f"over {MAX_SOURCE} bytes", "A letter is short.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text", "", "Save it as UTF-8.") from None
