"""A notice's values and a letter's sources become its text: subject and blocks, in one language or two.

Pure: the same values, sources and languages give the same text in every process.  The sources of one letter are a
mapping of names to texts, as stored in one revision: letter.toml, topics.toml, LOCALE.txt.j2 and LOCALE.po for each of its
locales, what these include, note.LOCALE.txt.j2, and the shared facts.txt.j2, table.txt.j2 and foot.txt.j2.

A letter in one language: facts, prose, table, closing, foot.  In two: facts, prose and closing in the first language,
the same in the second, then the one table and the foot.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from jinja2 import Template

from pipeline.domain import ConfigurationError
from pipeline.render import blocks, catalogue, front, templating
from pipeline.render.blocks import WIDTH, Block
from pipeline.render.catalogue import Catalogue, Say
from pipeline.render.evidence import Group, Row
from pipeline.render.facts import shared_names, training_mark
from pipeline.render.form import PLAIN, Form
from pipeline.render.front import FrontMatter
from pipeline.render.language import LanguageChoice
from pipeline.render.mime import Headers
from pipeline.render.table import MOST_LINES, Table, table
from pipeline.render.told import Told, told
from pipeline.render.values import THANKS, Audience, LetterValues, said
from pipeline.render.view import Enclosed, note_names, prose_names

SHARED = ("facts.txt.j2", "table.txt.j2", "foot.txt.j2")
BLOCKS = ("prose", "closing")
RULE = "-" * WIDTH
MOST_NOTES = 5  # notes to pass on that stand in the text


@dataclass(frozen=True, slots=True)
class Half:
    """A letter's words in one of its languages; `tag` is that of RFC 5646, `label` the language's own name for itself."""

    locale: str
    tag: str
    label: str
    subject: str
    prose: tuple[Block, ...]
    closing: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter before it is mail, HTML or paper.  `content_language` is RFC 3282; `facts`, `listing`, `foot` are text."""

    subject: str
    content_language: str
    facts: str
    halves: tuple[Half, ...]
    table: Table
    listing: str  # the table as text, with its title and notes
    foot: str

    @property
    def body(self) -> str:
        """The text form: "\\n" between lines and at its end."""
        if len(self.halves) == 1:
            [half] = self.halves
            parts = [self.facts, blocks.fill(half.prose), self.listing, blocks.fill(half.closing), self.foot]
        else:
            parts = [self.facts]
            for half in self.halves:
                parts += [f"{RULE}\n{half.label}", blocks.fill(half.prose), blocks.fill(half.closing)]
            parts += [RULE, self.listing, self.foot]
        return "\n\n".join(part for part in parts if part) + "\n"


@dataclass(frozen=True, slots=True)
class _Compiled:
    front: FrontMatter
    catalogues: Mapping[str, Catalogue]
    templates: Mapping[str, Template]
    subjects: Mapping[str, Template]


@dataclass(frozen=True, slots=True)
class Draft:
    """A letter that has its values and its sources, and no form yet."""

    told: Told
    letter: _Compiled

    def notes(self, locale: str, most: int | None = None) -> list[str]:
        """Return the notes about the first `most` targets that may be passed on, in the table's order."""
        lines = ((group, row) for group, rows in self.told.sections for row in rows)
        return [_note(self, self.letter.catalogues[locale], group, row) for group, row in islice(lines, most)]


def draft(values: LetterValues, sources: Mapping[str, str]) -> Draft:
    """Return what every form of the letter is made of.

    Raises ConfigurationError (of which TemplateFault and MissingTranslation are kinds) if the sources lack something,
    ValueError if the values are not for this letter: another kind, a topic it does not speak of, evidence below its
    minimum.
    """
    letter = _compiled(frozenset(sources.items()))
    _fits(values, letter.front)
    return Draft(told(values, letter.front), letter)


def render(
    values: LetterValues, sources: Mapping[str, str], choice: LanguageChoice, form: Form = PLAIN, csv: bool = False
) -> Letter:
    """Return the letter.  `csv` is true if a table is attached: its text says so, and may be short.

    Raises as `draft` and `write` do.
    """
    return write(draft(values, sources), choice, form, csv)


def write(
    made: Draft,
    choice: LanguageChoice,
    form: Form = PLAIN,
    csv: bool = False,
    notes: Mapping[str, Sequence[str]] | None = None,
) -> Letter:
    """Return the letter, written out.  `notes` has those to pass on by locale, if they are made already.

    Raises ConfigurationError if the letter is not in these languages, or the campaign's settings lack something.
    """
    letter, values, flat = made.letter, made.told.values, made.told.lines
    words = catalogues(made, choice)
    cut = len(flat) > MOST_LINES and not form.inline
    shown = table(made.told, words, cut)
    shared = shared_names(made.told, words, shown) | {"both": _both(words)}
    facts, listing, foot = (templating.whole(letter.templates[name], name, shared).strip("\n") for name in SHARED)
    reports = 0 < len(flat) <= form.xarf and values.kind != THANKS
    enclosed = Enclosed((), len(flat) > MOST_NOTES, csv, reports, form.pgp, cut)
    halves = tuple(_half(made, one, enclosed, (notes or {}).get(one.locale)) for one in words)
    mark = training_mark(values, words, Say.TRAINING_SUBJECT)
    subjects = " / ".join(half.subject for half in halves)
    return Letter(
        subject=" ".join(([f"[{mark}]"] if mark else []) + [f"[{values.reference}]", subjects]),
        content_language=", ".join(half.tag for half in halves),
        facts=facts,
        halves=halves,
        table=shown,
        listing=listing,
        foot=foot,
    )


def headers(
    values: LetterValues, text: Letter, choice: LanguageChoice, message_id: str, extra: Mapping[str, str] | None = None
) -> Headers:
    """Return the headers of a letter; the sender's name stands in each of its languages, once where they agree."""
    names = [said("from_name", values.face.from_name, locale) for locale in choice.locales]
    return Headers(
        from_name=" / ".join(dict.fromkeys(names)),
        from_mailbox=values.face.from_mailbox,
        reply_to=values.face.reply_to,
        to=values.contact,
        subject=text.subject,
        message_id=message_id,
        content_language=text.content_language,
        in_reply_to=values.earlier.message_id if values.earlier else "",
        extra=extra or {},
    )


def catalogues(made: Draft, choice: LanguageChoice) -> list[Catalogue]:
    """Return the short strings of a letter's languages, in their order.  Raises ConfigurationError if it lacks one."""
    unknown = [locale for locale in choice.locales if locale not in made.letter.catalogues]
    if unknown or not choice.locales:
        raise ConfigurationError(
            f"The letter {made.told.front.name} does not exist in {', '.join(unknown) or 'no language'}"
        )
    return [made.letter.catalogues[locale] for locale in choice.locales]


def source(sources: Mapping[str, str], name: str) -> str:
    """Return one source of a letter.  Raises ConfigurationError if the revision lacks it."""
    if name not in sources:
        raise ConfigurationError(f"The letter has no {name}", "its revision is not whole", "import the letter again")
    return sources[name]


def _half(made: Draft, words: Catalogue, enclosed: Enclosed, notes: Sequence[str] | None) -> Half:
    letter, locale = made.letter, words.locale
    if made.told.values.audience is Audience.OWNER:
        notes = ()
    elif notes is None:
        notes = made.notes(locale, MOST_NOTES)
    names = prose_names(made.told, words, replace(enclosed, pass_on=tuple(notes[:MOST_NOTES])))
    name = f"{locale}.txt.j2"
    prose, closing = (blocks.parse(templating.block(letter.templates[name], name, part, names)) for part in BLOCKS)
    subject = templating.whole(letter.subjects[locale], f"subject.{locale}", names).strip()
    return Half(locale, locale.replace("_", "-"), words.say(Say.LANGUAGE), subject, prose, closing)


def _note(made: Draft, words: Catalogue, group: Group, row: Row) -> str:
    name = f"note.{words.locale}.txt.j2"
    names = note_names(made.told, words, group, row)
    return blocks.one_line(templating.whole(made.letter.templates[name], name, names))


@lru_cache(maxsize=8)
def _compiled(sources: frozenset[tuple[str, str]]) -> _Compiled:
    """Return a revision ready for use; kept, as every letter of a wave has the same."""
    by_name = dict(sources)
    matter = front.parse(source(by_name, front.NAME), source(by_name, front.TOPICS))
    for name in names_of(matter):
        source(by_name, name)
    subjects = {f"subject.{locale}": text for locale, text in matter.subjects.items()}
    return _Compiled(
        front=matter,
        catalogues={locale: catalogue.parse(source(by_name, f"{locale}.po"), locale) for locale in matter.locales},
        templates={name: templating.compiled(name, by_name) for name in names_of(matter)},
        subjects={locale: templating.compiled(f"subject.{locale}", subjects) for locale in matter.subjects},
    )


def names_of(matter: FrontMatter) -> tuple[str, ...]:
    """Return the names of the templates that a letter cannot do without."""
    return (*SHARED, *(f"{part}{locale}.txt.j2" for part in ("", "note.") for locale in matter.locales))


def _fits(values: LetterValues, matter: FrontMatter) -> None:
    if values.kind != matter.kind:
        raise ValueError(f"a notice of kind {values.kind} is not written as the letter {matter.name}")
    for finding in values.findings:
        if finding.topic not in matter.topics:
            raise ValueError(f"the letter {matter.name} does not speak of {finding.topic}")
        if finding.level < matter.minimum_level:
            raise ValueError(f"the letter {matter.name} needs evidence of level E{matter.minimum_level.value}")


def _both(catalogues: list[Catalogue]) -> Callable[[str], str]:
    def both(message: str) -> str:
        return catalogue.both(catalogues, message)

    return both
