"""Do a letter's languages say the same, and is each written as its readers write?

Pure: a letter's sources in, what is wrong with them out.  A build and `template lint` fail on any problem; approval of
a wave needs none.  Typography: Office québécois de la langue française for fr_CA, Imprimerie nationale for fr.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jinja2 import meta, nodes

from pipeline.domain import ConfigurationError
from pipeline.render import catalogue, front, templating
from pipeline.render.catalogue import Say
from pipeline.render.front import FrontMatter
from pipeline.render.letter import BLOCKS, names_of, source

LENGTH_APART = 0.15  # of the first locale's length

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_TAG_ENDS_TEXT = re.compile(r"^(?!\s*{%).*%}$|^\s*{%.*%}[^{}]+{%.*%}$")
_MARKDOWN = re.compile(r"\*\*|`|\]\(|^#|^>|__", re.MULTILINE)
_COLON = "(?<!https)(?<!http)(?<!mailto):"
_TYPOGRAPHY: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    "en": {
        "a no-break space before punctuation": re.compile(r"\u00a0[:;!?]"),
        "French quotation marks": re.compile("[«»]"),
        "a space before punctuation": re.compile(r"\w [:;!?,.](?:\s|$)"),
    },
    "fr_CA": {
        "a colon without a no-break space before it": re.compile(rf"(?<!\u00a0){_COLON}"),
        "a space before ; ! or ?": re.compile(r"[ \u00a0][;!?]"),
    },
    "fr": {
        "a : ; ! or ? without a no-break space before it": re.compile(rf"(?<!\u00a0)(?:{_COLON}|[;!?])"),
    },
}
_EVERYWHERE = {
    "a narrow no-break space, which old mail programs show as a box": re.compile("\u202f"),
    "a tab": re.compile("\t"),
    "Markdown": _MARKDOWN,
    "a curly apostrophe or quotation mark": re.compile("[‘’“”]"),
}
_FRENCH = {
    "a guillemet without its no-break space": re.compile(r"«(?!\u00a0)|(?<!\u00a0)»"),
    "an English quotation mark": re.compile('"'),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: in which source, a code (docs/reference/letters.md), and what it is."""

    source: str
    code: str
    detail: str


def check(sources: Mapping[str, str]) -> list[Problem]:
    """Return what is wrong with a letter's sources (named as in letter.py); an empty list if nothing is."""
    missing = [name for name in (front.NAME, front.TOPICS) if name not in sources]
    if missing:
        return [Problem(name, "unreadable", "it is missing") for name in missing]
    try:
        matter = front.parse(sources[front.NAME], sources[front.TOPICS])
    except ConfigurationError as error:
        return [Problem(front.NAME, "unreadable", f"{error.what} {error.why}".strip())]
    names = names_of(matter)
    every = {**sources, **{f"subject.{locale}": text for locale, text in matter.subjects.items()}}
    trees: dict[str, nodes.Template] = {}
    problems: list[Problem] = []
    for name in (*names, *(f"subject.{locale}" for locale in matter.locales)):
        try:
            trees[name] = templating.tree(name, every)
        except ConfigurationError as error:
            problems.append(Problem(name, "unreadable", f"{error.what} {error.why}".strip()))
    if problems:
        return problems
    subjects = {locale: trees[f"subject.{locale}"] for locale in matter.locales}
    prose = {locale: trees[f"{locale}.txt.j2"] for locale in matter.locales}
    problems += _parity(prose, "{}.txt.j2")
    problems += _parity(subjects, "subject.{}")
    problems += _lengths(prose)
    problems += _messages(sources, matter, trees.values())
    problems += _line_ends(sources, names)
    for locale in matter.locales:
        problems += _typography(f"{locale}.txt.j2", locale, _literals(prose[locale]))
        problems += _typography(f"subject.{locale}", locale, _literals(subjects[locale]))
        words = [
            text
            for topic in matter.topics.values()
            for text in (topic[locale].name, topic[locale].a, topic[locale].the)
        ]
        problems += _typography(front.NAME, locale, words)
    return problems


def _parity(trees: Mapping[str, nodes.Template], named: str) -> Iterable[Problem]:
    """Compare each language with the first: the same names, the same fields, the same blocks."""
    (_, model), *others = trees.items()
    for locale, tree in others:
        for code, parts in (("names", _names), ("fields", _fields), ("blocks", _blocks)):
            apart = sorted(parts(model) ^ parts(tree))
            if apart:
                yield Problem(named.format(locale), code, f"only in one language: {', '.join(apart)}")
    for locale, tree in trees.items():
        missing = set(BLOCKS) - _blocks(tree)
        if missing and named.endswith(".j2"):
            yield Problem(named.format(locale), "blocks", f"missing: {', '.join(sorted(missing))}")


def _names(tree: nodes.Template) -> set[str]:
    return meta.find_undeclared_variables(tree)


def _fields(tree: nodes.Template) -> set[str]:
    return {node.attr for node in tree.find_all(nodes.Getattr)}


def _blocks(tree: nodes.Template) -> set[str]:
    return {node.name for node in tree.find_all(nodes.Block)}


def _literals(tree: nodes.Template) -> list[str]:
    """Return a template's own words, with U+FFFC where a value stands."""
    parts: list[str] = []
    for output in tree.find_all(nodes.Output):
        parts += [node.data if isinstance(node, nodes.TemplateData) else "\ufffc" for node in output.nodes]
    return ["".join(parts)]


def _lengths(prose: Mapping[str, nodes.Template]) -> Iterable[Problem]:
    sizes = {locale: len(" ".join("".join(_literals(tree)).split())) for locale, tree in prose.items()}
    (first, model), *others = sizes.items()
    for locale, size in others:
        if abs(size - model) > LENGTH_APART * model:
            yield Problem(f"{locale}.txt.j2", "length", f"{size} characters; {first} has {model}")


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
        yield from _typography(name, locale, [entry.translation for entry in found.values()])


def _line_ends(sources: Mapping[str, str], names: Iterable[str]) -> Iterable[Problem]:
    """A tag that ends a line of text takes the line's end with it and glues two words together."""
    for name in names:
        for number, line in enumerate(sources[name].split("\n"), 1):
            if _TAG_ENDS_TEXT.match(line):
                yield Problem(name, "glued", f"line {number} ends in a tag")


def _typography(name: str, locale: str, texts: Iterable[str]) -> Iterable[Problem]:
    rules = {**_EVERYWHERE, **_TYPOGRAPHY.get(locale, {}), **(_FRENCH if locale.startswith("fr") else {})}
    for text in texts:
        for what, pattern in rules.items():
            found = pattern.search(text)
            if found:
                near = text[max(0, found.start() - 20) : found.end() + 20].strip()
                yield Problem(name, "typography", f"{what}: {near!r}")
