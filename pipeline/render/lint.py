"""Do a letter's languages say the same, and is each written as its readers write?

Pure: a letter's sources in, what is wrong with them out.  A build and `template lint` fail on any problem; importing a
letter and approving a wave need none.  What is compared stands in lint_parity.py, how it is worded in lint_words.py,
whether it can be written for every notice in lint_samples.py; a campaign's settings are looked at in lint_faces.py.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from jinja2 import nodes

from pipeline.domain import ConfigurationError
from pipeline.render import catalogue, front, lint_parity, lint_samples, lint_words, templating
from pipeline.render.catalogue import Say
from pipeline.render.front import FrontMatter
from pipeline.render.letter import BLOCKS, SHARED, names_of, source
from pipeline.render.lint_parity import literals
from pipeline.render.problem import Problem

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_TEMPLATE = ".txt.j2"

Trees = Mapping[str, nodes.Template]


def check(sources: Mapping[str, str]) -> list[Problem]:
    """Return what is wrong with a letter's sources (named as in letter.py); an empty list if nothing is."""
    return list(_checked(tuple(sources.items())))


@lru_cache(maxsize=16)  # a letter takes most of a second, and approving, importing and the checklist ask again
def _checked(items: tuple[tuple[str, str], ...]) -> tuple[Problem, ...]:
    return tuple(_check(dict(items)))


def _check(sources: Mapping[str, str]) -> list[Problem]:
    missing = [name for name in (front.NAME, front.TOPICS) if name not in sources]
    if missing:
        return [Problem(name, "unreadable", "it is missing") for name in missing]
    try:
        matter = front.parse(sources[front.NAME], sources[front.TOPICS])
    except ConfigurationError as error:
        return [Problem(front.NAME, "unreadable", f"{error.what} {error.why}".strip())]
    trees, problems = _trees(sources, matter)
    if problems:
        return problems
    problems = [*_matter(matter), *_parity(trees, matter), *_stale(sources, matter), *_lengths(trees, matter)]
    problems += _words(sources, matter)
    unsayable = list(_messages(sources, matter, trees.values()))
    problems += unsayable
    if any(problem.code in ("unreadable", "missing", "fuzzy", "placeholders") for problem in unsayable):
        return problems  # no letter can be written
    undefined = list(lint_samples.undefined(trees, sources, matter))
    return problems + (undefined or list(lint_samples.written(sources, matter)))


def misnamed(sources: Mapping[str, str], letter: str) -> list[Problem]:
    """Return whether a letter is imported under another name than its kind's: no wave would ever take it."""
    try:
        kind = front.parse(source(sources, front.NAME), source(sources, front.TOPICS)).kind
    except ConfigurationError:
        return []  # `check` says what is wrong
    detail = f"its kind is {kind}, and so must its folder be named, not {letter}: waves take letters by name"
    return [] if kind == letter else [Problem(front.NAME, "kind", detail)]


def locales_of(sources: Mapping[str, str]) -> tuple[str, ...]:
    """Return the languages of a letter that `check` finds nothing wrong with."""
    return front.parse(sources[front.NAME], sources[front.TOPICS]).locales


def unused(letters: Iterable[Mapping[str, str]]) -> list[Problem]:
    """Return the sources that none of these letters includes; all letters that share sources must be among them."""
    every: set[str] = set()
    included: set[str] = set()
    for sources in letters:
        every |= {name for name in sources if name.endswith(_TEMPLATE)}
        try:
            mains = names_of(front.parse(source(sources, front.NAME), source(sources, front.TOPICS)))
            included |= {*mains, *(part for name in mains for part in templating.parts(name, sources))}
        except ConfigurationError:
            return []  # `check` says what is wrong with that one
    return [Problem(name, "unused", "no letter includes it") for name in sorted(every - included)]


def _trees(sources: Mapping[str, str], matter: FrontMatter) -> tuple[dict[str, nodes.Template], list[Problem]]:
    """Return every template, parsed, what it includes put in its place; and those that cannot be."""
    every = {**sources, **{f"subject.{locale}": text for locale, text in matter.subjects.items()}}
    partials = [name for name in sources if name.endswith(_TEMPLATE) and name not in names_of(matter)]
    trees: dict[str, nodes.Template] = {}
    problems = []
    for name in (*names_of(matter), *(f"subject.{locale}" for locale in matter.locales), *partials):
        try:
            trees[name] = templating.tree(name, every)
        except ConfigurationError as error:
            problems.append(Problem(name, "unreadable", f"{error.what} {error.why}".strip()))
    return trees, problems


def _matter(matter: FrontMatter) -> Iterator[Problem]:
    if matter.revision < 1:
        yield Problem(front.NAME, "unreadable", "`revision` is 1 or more")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", matter.name):
        yield Problem(front.NAME, "unreadable", "`name` is up to 40 small letters, digits and hyphens")
    if not matter.topics:
        yield Problem(front.TOPICS, "unreadable", "it has no topic")


def _parity(trees: Trees, matter: FrontMatter) -> Iterator[Problem]:
    """Compare the languages, partials first: what is wrong there would be told again of every letter that includes them."""
    apart = False
    for stem in sorted(_stems(trees, matter)):
        here = {
            locale: trees[f"{stem}{locale}{_TEMPLATE}"]
            for locale in matter.locales
            if f"{stem}{locale}{_TEMPLATE}" in trees
        }
        for locale in set(matter.locales) - here.keys():
            yield Problem(f"{stem}{locale}{_TEMPLATE}", "missing", "the other languages have it")
        if len(here) > 1:
            found = list(lint_parity.check(here, f"{stem}{{}}{_TEMPLATE}", ()))
            apart = apart or bool(found)
            yield from found
    if not apart:
        yield from lint_parity.check(
            {locale: trees[f"{locale}{_TEMPLATE}"] for locale in matter.locales}, f"{{}}{_TEMPLATE}", BLOCKS
        )
    yield from lint_parity.check({locale: trees[f"subject.{locale}"] for locale in matter.locales}, "subject.{}", ())


def _stems(trees: Trees, matter: FrontMatter) -> set[str]:
    """Return the names of partials and notes without their locale: "said."."""
    ends = {f"{locale}{_TEMPLATE}" for locale in matter.locales}
    return {name[: -len(end)] for name in trees for end in ends if name.endswith(f".{end}")}


def _stale(sources: Mapping[str, str], matter: FrontMatter) -> Iterator[Problem]:
    """A translation bears the fingerprint of the text that it was made from."""
    first, *others = matter.locales
    models = {
        f"{locale}{_TEMPLATE}": f"{sources[f'{first}{_TEMPLATE}']}\n{matter.subjects[first]}" for locale in others
    }
    for name in sources:
        for locale in others:
            model = name.removesuffix(f".{locale}{_TEMPLATE}") + f".{first}{_TEMPLATE}"
            if name.endswith(f".{locale}{_TEMPLATE}") and model in sources:
                models[name] = sources[model]
    for name, model in sorted(models.items()):
        wanted, has = front.fingerprint(model), matter.translated.get(name, "no fingerprint")
        if has != wanted:
            where = front.TOPICS if name.count(".") > 2 else front.NAME
            detail = f"made from another text ({has}); once it says the same, write in {where}: {name!r} = {wanted!r}"
            yield Problem(name, "stale", detail)


def _lengths(trees: Trees, matter: FrontMatter) -> Iterator[Problem]:
    sizes = {locale: len(" ".join(literals(trees[f"{locale}{_TEMPLATE}"]).split())) for locale in matter.locales}
    first = matter.locales[0]
    for locale, size in sizes.items():
        if abs(size - sizes[first]) > lint_samples.LENGTH_APART * sizes[first]:
            yield Problem(f"{locale}{_TEMPLATE}", "length", f"{size} characters; {first} has {sizes[first]}")


def _words(sources: Mapping[str, str], matter: FrontMatter) -> Iterator[Problem]:
    """Look at the words of each source by itself; of shared parts, all words come from the .po files."""
    every = {**sources, **{f"subject.{locale}": text for locale, text in matter.subjects.items()}}
    for name, text in every.items():
        locale = _locale(name, matter)
        if name.endswith(_TEMPLATE):
            yield from lint_words.line_ends(name, text)
        if name.endswith(_TEMPLATE) or name.startswith("subject."):
            own = literals(templating.environment().parse(text))
            yield from lint_words.check(name, locale, [own]) if locale else lint_words.literal(name, own)
    for locale in matter.locales:
        for topic, words in matter.topics.items():
            forms = words[locale]
            named = (forms.name, forms.a, forms.the, forms.short)
            yield from lint_words.check(f"{front.TOPICS}, {topic}", locale, named)


def _locale(name: str, matter: FrontMatter) -> str:
    """Return the language that a source is written in; nothing for one that all languages share."""
    stem = name.removesuffix(_TEMPLATE).rpartition(".")[2]
    return stem if stem in matter.locales and name not in SHARED else ""


def _messages(sources: Mapping[str, str], matter: FrontMatter, trees: Iterable[nodes.Template]) -> Iterable[Problem]:
    wanted = {str(message) for message in Say}
    wanted |= {call.args[0].value for tree in trees for call in tree.find_all(nodes.Call)}  # type: ignore[attr-defined]
    for locale in matter.locales:
        name = f"{locale}.po"
        try:
            found = {entry.message: entry for entry in catalogue.entries(source(sources, name), locale)}
        except ConfigurationError as error:
            yield Problem(name, "unreadable", f"{error.what} {error.why}".strip())
            continue
        for message in sorted(wanted - found.keys()):
            yield Problem(name, "missing", message)
        for message in sorted(found.keys() - wanted):
            yield Problem(name, "unused", message)
        for message, entry in found.items():
            if entry.fuzzy or not entry.translation:
                yield Problem(name, "fuzzy" if entry.fuzzy else "missing", message)
            elif set(_PLACEHOLDER.findall(message)) != set(_PLACEHOLDER.findall(entry.translation)):
                yield Problem(name, "placeholders", message)
        yield from lint_words.check(name, locale, [entry.translation for entry in found.values()])
