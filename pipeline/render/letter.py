"""A notice's values and a letter's sources become its text: subject and body, in one language or two.

Pure: the same values, sources and languages give the same text in every process.  The sources of one letter are a
mapping of names to texts, as stored in one revision: letter.toml, LOCALE.txt.j2 and LOCALE.po for each of its locales,
and the shared facts.txt.j2, table.txt.j2 and foot.txt.j2.

A letter in one language: facts, prose, table, closing, foot.  In two: facts, prose and closing in the first language,
the same in the second, then the one table and the foot.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Template

from pipeline.domain import ConfigurationError
from pipeline.render import catalogue, front, templating
from pipeline.render.catalogue import Catalogue, Say
from pipeline.render.facts import shared_names, training_mark
from pipeline.render.front import FrontMatter
from pipeline.render.language import LanguageChoice
from pipeline.render.mime import Headers
from pipeline.render.values import LetterValues, said
from pipeline.render.view import prose_names
from pipeline.render.wrap import WIDTH, fill

SHARED = ("facts.txt.j2", "table.txt.j2", "foot.txt.j2")
BLOCKS = ("prose", "closing")
RULE = "-" * WIDTH


@dataclass(frozen=True, slots=True)
class Text:
    """A letter before it is mail.  `body` has "\\n" between lines and at its end; `content_language` is RFC 3282."""

    subject: str
    body: str
    content_language: str


@dataclass(frozen=True, slots=True)
class _Compiled:
    front: FrontMatter
    catalogues: Mapping[str, Catalogue]
    templates: Mapping[str, Template]
    subjects: Mapping[str, Template]


def render(values: LetterValues, sources: Mapping[str, str], choice: LanguageChoice) -> Text:
    """Return the letter's text.

    Raises ConfigurationError (of which TemplateFault and MissingTranslation are kinds) if the sources or the campaign's
    settings lack something, ValueError if the values are not for this letter: another kind, a topic it does not speak
    of, evidence below its minimum.
    """
    letter = _compiled(frozenset(sources.items()))
    _fits(values, letter.front)
    unknown = [locale for locale in choice.locales if locale not in letter.front.locales]
    if unknown or not choice.locales:
        raise ConfigurationError(
            f"The letter {letter.front.name} does not exist in {', '.join(unknown) or 'no language'}"
        )
    catalogues = [letter.catalogues[locale] for locale in choice.locales]
    shared = shared_names(values, letter.front, catalogues) | {"both": _both(catalogues)}
    facts, table, foot = (templating.whole(letter.templates[name], name, shared).strip("\n") for name in SHARED)
    halves, subjects = [], []
    for words in catalogues:
        names = prose_names(values, letter.front, words)
        name = f"{words.locale}.txt.j2"
        halves.append([fill(templating.block(letter.templates[name], name, part, names)) for part in BLOCKS])
        subjects.append(templating.whole(letter.subjects[words.locale], f"subject.{words.locale}", names).strip())
    if len(catalogues) == 1:
        parts = [facts, halves[0][0], table, halves[0][1], foot]
    else:
        parts = [facts]
        for words, half in zip(catalogues, halves, strict=True):
            parts += [f"{RULE}\n{words.say(Say.LANGUAGE)}", *half]
        parts += [RULE, table, foot]
    mark = training_mark(values, catalogues, Say.TRAINING_SUBJECT)
    return Text(
        subject=" ".join(([f"[{mark}]"] if mark else []) + [f"[{values.reference}]", " / ".join(subjects)]),
        body="\n\n".join(part for part in parts if part) + "\n",
        content_language=", ".join(locale.replace("_", "-") for locale in choice.locales),
    )


def headers(
    values: LetterValues, text: Text, choice: LanguageChoice, message_id: str, in_reply_to: str = ""
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
        in_reply_to=in_reply_to,
    )


@lru_cache(maxsize=8)
def _compiled(sources: frozenset[tuple[str, str]]) -> _Compiled:
    """Return a revision ready for use; kept, as every letter of a wave has the same."""
    by_name = dict(sources)
    matter = front.parse(source(by_name, front.NAME))
    env = templating.environment(by_name)
    names = (*SHARED, *(f"{locale}.txt.j2" for locale in matter.locales))
    return _Compiled(
        front=matter,
        catalogues={locale: catalogue.parse(source(by_name, f"{locale}.po"), locale) for locale in matter.locales},
        templates={name: templating.compiled(env, name, source(by_name, name)) for name in names},
        subjects={
            locale: templating.compiled(env, f"subject.{locale}", text) for locale, text in matter.subjects.items()
        },
    )


def source(sources: Mapping[str, str], name: str) -> str:
    """Return one source of a letter.  Raises ConfigurationError if the revision lacks it."""
    if name not in sources:
        raise ConfigurationError(f"The letter has no {name}", "its revision is not whole", "import the letter again")
    return sources[name]


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
