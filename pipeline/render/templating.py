"""Templates that officers may write, held so tightly that a hostile one can do no more than say the wrong words.

Pure.  jinja2's ImmutableSandboxedEnvironment is the outer wall.  Inside it only text, names, `a.b`, comparisons, `if`,
one level of `for` and the call `both("...")` are allowed: no filter, no import, no arithmetic, so that a template's
work is at most its length times the number of addresses.  An undefined name is an error.  `{% include "NAME" %}` puts
another source of the same letter in its place before anything is compiled; a source that is included includes nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from jinja2 import StrictUndefined, Template, nodes
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.domain import ConfigurationError

MAX_SOURCE = 64 * 1024  # characters of one template
MAX_OUTPUT = 4 * 1024 * 1024  # characters of one block
MAX_DEPTH = 30  # of nested tags

CALLABLE = "both"

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Block,
    nodes.If,
    nodes.CondExpr,
    nodes.For,
    nodes.Name,
    nodes.Getattr,
    nodes.Include,
    nodes.Call,
    nodes.Const,
    nodes.Compare,
    nodes.Operand,
    nodes.Not,
    nodes.And,
    nodes.Or,
)


class TemplateFault(ConfigurationError):
    """A template does what no template may, or asks for what is not there."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The template {name} cannot be used", why, "mend it, then import it again")


class _Environment(ImmutableSandboxedEnvironment):
    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow the fields of our own records; nothing of a string, a list or a function."""
        return attr in getattr(type(obj), "__dataclass_fields__", ())

    def is_safe_callable(self, obj: Any) -> bool:
        """Allow `both`, which letter.py puts into the context, and nothing else."""
        return getattr(obj, "__name__", "") == CALLABLE


def environment() -> ImmutableSandboxedEnvironment:
    """Return an environment that loads nothing and has no global names."""
    made = _Environment(
        undefined=StrictUndefined,
        autoescape=False,  # letters are plain text
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,  # else what is included would flow into the paragraph after it
    )
    made.globals.clear()
    made.filters.clear()
    made.tests.clear()
    return made


def tree(name: str, sources: Mapping[str, str]) -> nodes.Template:
    """Return the parsed form of sources[name], what it includes put in place.

    Raises TemplateFault if one of them is missing, is too long or holds what is not allowed.
    """
    parsed = _parsed(name, sources)
    _put_in_place(name, parsed, sources)
    return parsed


def parts(name: str, sources: Mapping[str, str]) -> list[str]:
    """Return the names of the sources that one includes, in their order.  Raises TemplateFault."""
    return [_included(name, node) for node in _parsed(name, sources).find_all(nodes.Include)]


def compiled(name: str, sources: Mapping[str, str]) -> Template:
    """Return a template ready for use.  Raises TemplateFault."""
    template: Template = environment().from_string(tree(name, sources))
    return template


def block(template: Template, name: str, part: str, names: dict[str, object]) -> str:
    """Return one block of a template, filled in.  Raises TemplateFault."""
    if part not in template.blocks:
        raise TemplateFault(name, f"it has no block {part}")
    return _filled(name, template.blocks[part], template, names)


def whole(template: Template, name: str, names: dict[str, object]) -> str:
    """Return a template filled in.  Raises TemplateFault."""
    return _filled(name, template.root_render_func, template, names)


def _filled(name: str, render: Callable[..., Iterable[str]], template: Template, names: dict[str, object]) -> str:
    parts: list[str] = []
    size = 0
    try:
        pieces = iter(render(template.new_context(names, shared=True)))
        while some := list(islice(pieces, 256)):
            size += sum(map(len, some))
            if size > MAX_OUTPUT:
                raise TemplateFault(name, f"it writes more than {MAX_OUTPUT} characters")
            parts += some
    except (TemplateError, TypeError) as error:  # TypeError: a loop over a flag, a word compared with a number
        raise TemplateFault(name, str(error)) from error
    return "".join(parts)


def _parsed(name: str, sources: Mapping[str, str]) -> nodes.Template:
    if name not in sources:
        raise TemplateFault(name, "it is not there")
    if len(sources[name]) > MAX_SOURCE:
        raise TemplateFault(name, f"it is longer than {MAX_SOURCE} characters")
    try:
        parsed = environment().parse(sources[name], name)
    except (TemplateError, RecursionError) as error:
        raise TemplateFault(name, f"it cannot be read: {error}") from error
    _refuse(name, parsed, inside_loop=False, depth=0)
    return parsed


def _put_in_place(name: str, node: nodes.Node, sources: Mapping[str, str]) -> None:
    """Put the body of each included source where its tag stands."""
    for field, value in node.iter_fields():
        if isinstance(value, list):
            setattr(node, field, [new for old in value for new in _replaced(name, old, sources)])
    for child in node.iter_child_nodes():
        _put_in_place(name, child, sources)


def _replaced(name: str, node: Any, sources: Mapping[str, str]) -> list[Any]:
    if not isinstance(node, nodes.Include):
        return [node]
    included = _included(name, node)
    parsed = _parsed(included, sources)
    if next(parsed.find_all((nodes.Include, nodes.Block)), None) is not None:
        raise TemplateFault(included, "a source that is included has no block and includes nothing")
    return parsed.body


def _included(name: str, node: nodes.Include) -> str:
    if not isinstance(node.template, nodes.Const) or not isinstance(node.template.value, str) or node.ignore_missing:
        raise TemplateFault(name, f'line {node.lineno}: only {{% include "NAME" %}} may include')
    return node.template.value


def _refuse(name: str, node: nodes.Node, inside_loop: bool, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TemplateFault(name, f"its tags are nested more than {MAX_DEPTH} deep")
    for child in node.iter_child_nodes():
        kind, line = type(child).__name__, child.lineno
        if not isinstance(child, _ALLOWED):
            raise TemplateFault(name, f"line {line}: {kind} is not allowed")
        if isinstance(child, nodes.For) and (inside_loop or child.recursive):
            raise TemplateFault(name, f"line {line}: a loop inside a loop is not allowed")
        if isinstance(child, nodes.Include) and inside_loop:
            raise TemplateFault(name, f"line {line}: nothing may be included inside a loop")
        if isinstance(child, nodes.Call):
            _refuse_call(name, child)
        _refuse(name, child, inside_loop or isinstance(child, nodes.For), depth + 1)


def _refuse_call(name: str, call: nodes.Call) -> None:
    plain = len(call.args) == 1 and isinstance(call.args[0], nodes.Const) and isinstance(call.args[0].value, str)
    extra = call.kwargs or call.dyn_args or call.dyn_kwargs
    if not (isinstance(call.node, nodes.Name) and call.node.name == CALLABLE and plain and not extra):
        raise TemplateFault(name, f'line {call.lineno}: only {CALLABLE}("...") may be called')
