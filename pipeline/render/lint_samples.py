"""Does a letter stand every notice that it may be asked to tell?

Pure: sources in, problems out.  Every name in every branch must be one that is there (StrictUndefined alone would say so
once a notice takes that branch), and the letter is written for sample notices that reach every branch of the shipped ones.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from jinja2 import meta, nodes

from pipeline.domain import ConfigurationError
from pipeline.render import blocks, catalogue, facts, letter, view
from pipeline.render.blocks import WIDTH, Kind
from pipeline.render.front import FrontMatter
from pipeline.render.language import LanguageChoice
from pipeline.render.letter import Half
from pipeline.render.lint_parity import said
from pipeline.render.problem import Problem
from pipeline.render.samples import Sample, samples
from pipeline.render.table import table
from pipeline.render.templating import CALLABLE
from pipeline.render.told import told
from pipeline.render.view import Enclosed

LENGTH_APART = 0.15  # of the first language's length: for a template's own words, and for each letter with its values


@dataclass(frozen=True, slots=True)
class Known:
    """The names that each kind of template may use, and the fields of what it may loop over."""

    prose: frozenset[str]
    shared: frozenset[str]
    note: frozenset[str]
    fields: Mapping[str, frozenset[str]]


def undefined(trees: Mapping[str, nodes.Template], sources: Mapping[str, str], front: FrontMatter) -> Iterator[Problem]:
    """Return the names and fields that no notice has, whatever branch they stand in.  The catalogues must be whole."""
    known = _known(next(samples(front.kind, tuple(front.topics), front.minimum_level)), sources, front)
    for name, tree in trees.items():
        there = known.shared if name in letter.SHARED else known.note if name.startswith("note.") else known.prose
        for missing in sorted(meta.find_undeclared_variables(tree) - there):
            yield Problem(name, "undefined", missing)
        for wrong in sorted(_wrong_fields(tree, known)):
            yield Problem(name, "undefined", wrong)


def written(sources: Mapping[str, str], front: FrontMatter) -> Iterator[Problem]:
    """Write the letter for every sample; return what goes wrong, the first time that it does."""
    seen: set[tuple[str, str, str]] = set()
    for sample in samples(front.kind, tuple(front.topics), front.minimum_level):
        for problem in _of_sample(sample, sources, front):
            key = (problem.source, problem.code, problem.detail if problem.code == "undefined" else "")
            if key not in seen:
                seen.add(key)
                yield problem


def _of_sample(sample: Sample, sources: Mapping[str, str], front: FrontMatter) -> Iterator[Problem]:
    sizes: dict[str, int] = {}
    for locale in front.locales:
        name = f"{locale}.txt.j2"
        try:
            choice = LanguageChoice((locale,), "default")
            text = letter.render(sample.values, sources, choice, sample.form, csv=sample.form.csv)
        except ConfigurationError as error:
            yield Problem(name, "undefined", error.why or error.what)
            continue
        sizes[locale] = len(" ".join(text.body.split()))
        for line in _wide(text.halves[0]):
            yield Problem(name, "wide", f"{len(line)} columns, letter {sample.name}: {line[:40]!r}")
    if front.locales[0] in sizes:
        model = sizes[front.locales[0]]
        for locale, size in sizes.items():
            if abs(size - model) > LENGTH_APART * model:
                detail = f"{size} characters; {front.locales[0]} has {model}, letter {sample.name}"
                yield Problem(f"{locale}.txt.j2", "length", detail)


def _wide(half: Half) -> Iterator[str]:
    """Return the lines that are wider than a letter is: a heading is not broken, nor is a word."""
    for block in (*half.prose, *half.closing):
        if block.kind is not Kind.KEPT:
            yield from (line for line in blocks.fill([block]).split("\n") if len(line) > WIDTH)


def _known(sample: Sample, sources: Mapping[str, str], front: FrontMatter) -> Known:
    words = catalogue.parse(sources[f"{front.locales[0]}.po"], front.locales[0])
    one = told(sample.values, front)
    shared = facts.shared_names(one, [words], table(one, [words], cut=False))
    return Known(
        prose=frozenset(view.prose_names(one, words, Enclosed())),
        shared=frozenset({*shared, CALLABLE}),
        note=frozenset(view.note_names(one, words, one.groups[0], one.lines[0])),
        fields={
            "statements": frozenset(field.name for field in fields(view.Statement)),
            "kinds": frozenset(field.name for field in fields(facts.Kind)),
            "topic": frozenset(front.topics),
        },
    )


def _wrong_fields(tree: nodes.Template, known: Known) -> set[str]:
    """Return the uses of `a.b` where a has no b."""
    stands_for: dict[str, set[str]] = {"topic": {"topic"}}
    for loop in tree.find_all(nodes.For):
        stands_for.setdefault(said(loop.target), set()).add(said(loop.iter))
    wrong = set()
    for node in tree.find_all(nodes.Getattr):
        there = {name for of in stands_for.get(said(node.node), set()) for name in known.fields.get(of, frozenset())}
        if node.attr not in there:
            wrong.add(said(node))
    return wrong
