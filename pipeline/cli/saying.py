"""Sentences of the record (audit/say.py) in the reader's language, and chapters of them as lines.

Reads: templates/locale/LANGUAGE/LC_MESSAGES/record.po, once, and only when a language other than English is wanted.  It is
a catalogue of its own: its sentences are full of places, and would be found in other sentences (words.sentence).  Values
from outside are put on one line and cut here; what could steer a terminal is taken out where lines are printed (show.emit).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache

from pipeline.audit.say import Chapter, Exact, Line, Say, Word
from pipeline.cli import show, words
from pipeline.cli.states import WORDS

MOST = 300  # characters of one value from outside
MOST_EXACT = 10_000  # of what is shown as it came: a line of a feed, a server's reply
INDENT = "  "


def spoken(value: object) -> str:
    """Return a sentence, or a value that goes into one, as text on one line."""
    if isinstance(value, Say):
        return _sentence(value)
    if isinstance(value, Word):
        known = WORDS.get(value.kind, {}).get(value.value)
        return words.text(known) if known else one_line(value.value)
    if isinstance(value, tuple):
        return ", ".join(map(spoken, value))
    if isinstance(value, datetime):
        return show.instant(value)
    if isinstance(value, bytes):
        return value.hex()
    return one_line("-" if value is None else value)


def _sentence(said: Say) -> str:
    values = {name: spoken(value) for name, value in said.values.items()}
    count = said.values.get("count")
    if not said.many or not isinstance(count, int):
        return _lookup(said.msgid).format(**values)
    one = count <= 1 if words.language() == "fr" else count == 1
    return _lookup(said.msgid if one else said.many).format(**{**values, "count": words.number(count)})


def one_line(value: object) -> str:
    """Return a value from outside on one line, cut to what a reader can take in; --json has all of it."""
    text, most = str(value), MOST_EXACT if isinstance(value, Exact) else MOST
    cut = f"{text[:most]}… ({words.number(len(text))})" if len(text) > most else text
    return " ".join(cut.replace("\t", " ").split("\n"))


def _lookup(msgid: str) -> str:
    if words.language() == "en":
        return msgid
    known = catalogue(words.language()).get(msgid)
    if known is None and words.STRICT:
        raise KeyError(f"no msgid in {words.language()}/LC_MESSAGES/record.po: {msgid!r}")
    return known or msgid


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return {msgid: translation} of the record's sentences in one language."""
    from babel.messages.pofile import read_po  # not needed to say something in English

    with words.file(language).with_name("record.po").open("rb") as stream:
        return {str(message.id): str(message.string) for message in read_po(stream, locale=language) if message.id}


def chapters(told: Iterable[Chapter]) -> Iterator[str]:
    """Yield the lines of chapters: the heading, then each line below its time, deeper ones further in."""
    for number, chapter in enumerate(told):
        if number:
            yield ""
        yield spoken(chapter.title)
        yield from map(line, chapter.lines)


def line(told: Line) -> str:
    """Return one line with its time and indentation."""
    time = f"{show.instant(told.at)}  " if told.at is not None else ""
    return f"{INDENT * (told.depth + 1)}{time}{spoken(told.say)}"
