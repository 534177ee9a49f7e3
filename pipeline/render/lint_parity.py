"""Do the languages of a letter say the same, in the same order?

Pure: parsed templates in, problems out.  A paragraph is what an empty line, a heading, an item or kept lines part from the
rest, as in blocks.py.  Each paragraph must use the same values under the same conditions in every language; inside one,
French may put two values in another order than English does.  Links may not change places at all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from jinja2 import meta, nodes

from pipeline.render.problem import Problem

LINKS = frozenset(
    {"guidance", "participants", "instructions", "verification", "privacy", "mailbox"}
)  # where a reader may go or write
_SHOWN = 40  # characters of a paragraph that a problem quotes
_OPERATORS = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "in": "in", "notin": "not in"}


@dataclass
class Paragraph:
    """One paragraph of a template: what kind of line begins it, what it uses and under which conditions, its words
    with the values' names and, in square brackets, the conditions."""

    kind: str = ""
    uses: Counter[str] = field(default_factory=Counter)
    words: str = ""

    def __bool__(self) -> bool:
        return bool(self.uses) or bool(self.words.strip())


def check(trees: Mapping[str, nodes.Template], named: str, blocks: Iterable[str]) -> Iterator[Problem]:
    """Compare each language with the first; `named` makes a source's name of a locale, `blocks` must be there."""
    (first, model), *others = trees.items()
    for locale, tree in trees.items():
        if missing := sorted(set(blocks) - _blocks(tree)):
            yield Problem(named.format(locale), "blocks", f"missing: {', '.join(missing)}")
    for locale, tree in others:
        name = named.format(locale)
        for code, of in (("names", _names), ("fields", _fields), ("blocks", _blocks)):
            if apart := sorted(of(model) ^ of(tree)):
                yield Problem(name, code, f"only in one language: {', '.join(apart)}")
        for block in sorted(_blocks(model) & _blocks(tree)) or [""]:
            yield from _in_order(name, first, locale, body_of(model, block), body_of(tree, block))


def _in_order(name: str, first: str, locale: str, model: list[nodes.Node], body: list[nodes.Node]) -> Iterator[Problem]:
    links, here = (list(_links(part)) for part in (model, body))
    if links != here:
        detail = f"{first} has {', '.join(links) or 'none'}; {locale} has {', '.join(here) or 'none'}"
        yield Problem(name, "links", detail)
    for number, (one, other) in enumerate(zip_longest(paragraphs(model), paragraphs(body)), 1):
        if one is None or other is None:
            told = one or other
            yield Problem(name, "order", f"paragraph {number} is only in {first if one else locale}: {_quoted(told)}")
            return
        if one.kind != other.kind:
            kinds = f"{one.kind or 'a paragraph'} in {first}, {other.kind or 'a paragraph'} in {locale}"
            yield Problem(name, "order", f"paragraph {number} is {kinds}: {_quoted(other)}")
            return
        if one.uses != other.uses:
            lacks, more = sorted(one.uses - other.uses), sorted(other.uses - one.uses)
            parts = [f"only in {where}: {'; '.join(what)}" for where, what in ((first, lacks), (locale, more)) if what]
            yield Problem(name, "order", f"paragraph {number} ({_quoted(other)}): {', '.join(parts)}")
            return  # what follows is out of step


def paragraphs(body: Iterable[nodes.Node]) -> list[Paragraph]:
    """Return the paragraphs of a template or a block, in their order, those of every branch one after another."""
    reader = _Reader()
    reader.read(body, "", True)
    return [paragraph for paragraph in reader.found if paragraph]


class _Reader:
    """Walks a template as it would be filled, every branch in turn, and cuts it where a filled one would be cut."""

    def __init__(self) -> None:
        self.found = [Paragraph()]

    def read(self, body: Iterable[nodes.Node], path: str, fresh: bool) -> bool:
        """Read nodes that stand under the conditions `path`.  `fresh` is true at the start of a line; returns it anew."""
        for node in body:
            if isinstance(node, nodes.Output):
                for part in node.nodes:
                    fresh = (
                        self._text(part.data, fresh) if isinstance(part, nodes.TemplateData) else self._use(path, part)
                    )
            elif isinstance(node, nodes.If):
                fresh = self._branches(node, path, fresh)
            elif isinstance(node, nodes.For):
                here = f"{path}for {said(node.target)} in {said(node.iter)}: "
                self.found[-1].uses[here] += 1
                fresh = self.read(node.body, here, fresh)
        return fresh

    def _branches(self, node: nodes.If, path: str, fresh: bool) -> bool:
        after = fresh
        for branch in (node, *node.elif_):
            here = f"{path}if {said(branch.test)}: "
            self.found[-1].uses[here] += 1
            self.found[-1].words += f"[{said(branch.test)}] "
            after = self.read(branch.body, here, fresh)
        if node.else_:
            self.found[-1].words += "[else] "
            after = self.read(node.else_, f"{path}else: ", fresh)
        return after

    def _use(self, path: str, node: nodes.Node) -> bool:
        self.found[-1].uses[path + said(node)] += 1
        self.found[-1].words += f"{{{{ {said(node)} }}}}"
        return False

    def _text(self, text: str, fresh: bool) -> bool:
        for line in text.splitlines(keepends=True):
            if fresh:
                self._line(line)
            self.found[-1].words += line
            fresh = line.endswith("\n")
        return fresh

    def _line(self, line: str) -> None:
        begins = {"== ": "a heading", "- ": "an item", "-\n": "an item", "  ": "a kept line"}
        kind = next((kind for mark, kind in begins.items() if line.startswith(mark)), "")
        if not line.strip(" \t\n"):
            self.found.append(Paragraph())
        elif kind and not (kind == "a kept line" == self.found[-1].kind):
            self.found.append(Paragraph(kind))
        elif not kind and self.found[-1].kind in ("a heading", "a kept line"):
            self.found.append(Paragraph())


def said(node: nodes.Node) -> str:
    """Return an expression as a template's author wrote it."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{said(node.node)}.{node.attr}"
    if isinstance(node, nodes.Const):
        return repr(node.value)
    if isinstance(node, nodes.Not):
        return f"not ({said(node.node)})" if isinstance(node.node, nodes.BinExpr) else f"not {said(node.node)}"
    if isinstance(node, nodes.And | nodes.Or):
        sides = [
            f"({said(side)})" if isinstance(side, nodes.And | nodes.Or) else said(side)
            for side in (node.left, node.right)
        ]
        return f" {type(node).__name__.lower()} ".join(sides)
    if isinstance(node, nodes.Compare):
        return " ".join([said(node.expr), *(f"{_OPERATORS.get(op.op, op.op)} {said(op.expr)}" for op in node.ops)])
    if isinstance(node, nodes.CondExpr):
        other = f" else {said(node.expr2)}" if node.expr2 else ""
        return f"{said(node.expr1)} if {said(node.test)}{other}"
    if isinstance(node, nodes.Call):
        return f"{said(node.node)}({', '.join(map(said, node.args))})"
    return type(node).__name__


def literals(tree: nodes.Node) -> str:
    """Return a template's own words, with U+FFFC where a value or a tag stands."""
    parts = []
    for output in tree.find_all(nodes.Output):
        own = [node.data if isinstance(node, nodes.TemplateData) else "\ufffc" for node in output.nodes]
        parts.append("".join(own))
    return "\ufffc".join(parts)


def _links(body: Iterable[nodes.Node]) -> Iterator[str]:
    for node in body:
        for output in [node] if isinstance(node, nodes.Output) else node.find_all(nodes.Output):
            for part in output.nodes:
                if isinstance(part, nodes.Name) and part.name in LINKS:
                    yield part.name


def body_of(tree: nodes.Template, block: str) -> list[nodes.Node]:
    """Return the nodes of a block, or of the whole template if no block is named."""
    if not block:
        return tree.body
    return next(node.body for node in tree.find_all(nodes.Block) if node.name == block)


def _names(tree: nodes.Template) -> set[str]:
    return meta.find_undeclared_variables(tree)


def _fields(tree: nodes.Template) -> set[str]:
    return {node.attr for node in tree.find_all(nodes.Getattr)}


def _blocks(tree: nodes.Template) -> set[str]:
    return {node.name for node in tree.find_all(nodes.Block)}


def _quoted(paragraph: Any) -> str:
    words = " ".join(paragraph.words.split())
    return repr(words[:_SHOWN] + ("..." if len(words) > _SHOWN else ""))
