"""Templates that officers may write, held so tightly that a hostile one can do no more than say the wrong words.

Pure.  jinja2's ImmutableSandboxedEnvironment is the outer wall.  Inside it only text, names, `a.b`, comparisons, `if`,
one level of `for` and the call `both("...")` are allowed: no filter, no import, no arithmetic, so that a template's
work is at most its length times the number of addresses.  An undefined name is an error.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import DictLoader, StrictUndefined, Template, nodes
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
        return dataclasses.is_dataclass(obj) and attr in {field.name for field in dataclasses.fields(obj)}

    def is_safe_callable(self, obj: Any) -> bool:
        """Allow `both`, which letter.py puts into the context, and nothing else."""
        return getattr(obj, "__name__", "") == CALLABLE


def environment(sources: Mapping[str, str]) -> ImmutableSandboxedEnvironment:
    """Return an environment that knows these templates alone, and no global names."""
    made = _Environment(
        loader=DictLoader(dict(sources)),
        undefined=StrictUndefined,
        autoescape=False,  # letters are plain text
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.clear()
    made.filters.clear()
    made.tests.clear()
    return made


def tree(name: str, source: str) -> nodes.Template:
    """Return a template's parsed form.  Raises TemplateFault if it is too long or holds what is not allowed."""
    if len(source) > MAX_SOURCE:
        raise TemplateFault(name, f"it is longer than {MAX_SOURCE} characters")
    try:
        parsed = environment({}).parse(source, name)
    except (TemplateError, RecursionError) as error:
        raise TemplateFault(name, f"it cannot be read: {error}") from error
    _refuse(name, parsed, inside_loop=False, depth=0)
    return parsed


def compiled(env: ImmutableSandboxedEnvironment, name: str, source: str) -> Template:
    """Return a template ready for use.  Raises TemplateFault."""
    tree(name, source)
    template: Template = env.from_string(source)
    return template


def block(template: Template, name: str, part: str, names: Mapping[str, object]) -> str:
    """Return one block of a template, filled in.  Raises TemplateFault."""
    if part not in template.blocks:
        raise TemplateFault(name, f"it has no block {part}")
    return _filled(name, template.blocks[part], template, names)


def whole(template: Template, name: str, names: Mapping[str, object]) -> str:
    """Return a template filled in.  Raises TemplateFault."""
    return _filled(name, template.root_render_func, template, names)


def _filled(name: str, render: Callable[..., Iterable[str]], template: Template, names: Mapping[str, object]) -> str:
    parts: list[str] = []
    size = 0
    try:
        for piece in render(template.new_context(dict(names))):
            size += len(piece)
            if size > MAX_OUTPUT:
                raise TemplateFault(name, f"it writes more than {MAX_OUTPUT} characters")
            parts.append(piece)
    except (TemplateError, TypeError) as error:  # TypeError: a loop over a flag, a word compared with a number
        raise TemplateFault(name, str(error)) from error
    return "".join(parts)


def _refuse(name: str, node: nodes.Node, inside_loop: bool, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TemplateFault(name, f"its tags are nested more than {MAX_DEPTH} deep")
    for child in node.iter_child_nodes():
        kind, line = type(child).__name__, child.lineno
        if not isinstance(child, _ALLOWED):
            raise TemplateFault(name, f"line {line}: {kind} is not allowed")
        if isinstance(child, nodes.For) and (inside_loop or child.recursive):
            raise TemplateFault(name, f"line {line}: a loop inside a loop is not allowed")
        if isinstance(child, nodes.Call):
            _refuse_call(name, child)
        _refuse(name, child, inside_loop or isinstance(child, nodes.For), depth + 1)


def _refuse_call(name: str, call: nodes.Call) -> None:
    plain = len(call.args) == 1 and isinstance(call.args[0], nodes.Const) and isinstance(call.args[0].value, str)
    extra = call.kwargs or call.dyn_args or call.dyn_kwargs
    if not (isinstance(call.node, nodes.Name) and call.node.name == CALLABLE and plain and not extra):
        raise TemplateFault(name, f'line {call.lineno}: only {CALLABLE}("...") may be called')
