import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.render import templating
from pipeline.render.templating import TemplateFault
from pipeline.render.view import Statement

NAMES = {"word": "text", "many": tuple("abc"), "flag": True, "topic": {"open_relay": True}, "number": 3}


def _write(source: str, names: dict[str, object] | None = None) -> str:
    template = templating.compiled("t", {"t": source})
    return templating.whole(template, "t", NAMES if names is None else names)


def test_what_a_letter_needs_is_allowed() -> None:
    source = "{% if flag and not (word == 'x') %}{{ word }}{% for m in many %}-{{ m }}{% endfor %}{% endif %}"
    assert _write(source) == "text-a-b-c"
    assert _write("{{ 'yes' if topic.open_relay else 'no' }}") == "yes"


@pytest.mark.parametrize(
    "source",
    [
        "{{ word.upper() }}",
        "{{ word.format(word) }}",
        "{{ word|replace('t', 'tttttttt') }}",
        "{{ range(1000000000) }}",
        "{% for a in range(9) %}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ word ~ word }}",
        "{{ word[0] }}",
        "{% set x = word %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include 't' %}",
        "{% include word %}",
        "{% include ['u'] %}",
        "{% include 'u' ignore missing %}",
        "{% extends 't' %}",
        "{% import 't' as t %}",
        "{% for a in many %}{% for b in many %}{{ b }}{% endfor %}{% endfor %}",
        "{% for a in many recursive %}{{ loop(many) }}{% endfor %}",
        "{% for a in many %}{% if flag %}{% for b in many %}{% endfor %}{% endif %}{% endfor %}",
        "{{ self.prose() }}",
        "{{ both(word) }}",
        "{{ both('a', 'b') }}",
        "{{ both(*many) }}",
        "{{ word is defined }}",
        "{{ [word, word] }}",
        "{{ ",
        "{% if flag %}" * 40 + "{% endif %}" * 40,
        "{% if flag %}" * 4000,
        "x" * (64 * 1024 + 1),
    ],
)
def test_all_else_is_refused_before_it_runs(source: str) -> None:
    with pytest.raises(TemplateFault):
        templating.tree("t", {"t": source})


@pytest.mark.parametrize(
    "source",
    [
        "{{ unknown }}",
        "{{ word.unknown }}",
        "{% if unknown %}{% endif %}",
        "{{ word.upper }}",
        "{{ topic.keys }}",
        "{{ many.count }}",
        "{{ flag.real.imag }}",
        "{{ word.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{% for a in flag %}{% endfor %}",
        "{{ 'a' if number < word else 'b' }}",
        "{{ both('x') }}",
    ],
)
def test_an_undefined_name_or_a_forbidden_attribute_is_an_error(source: str) -> None:
    with pytest.raises(TemplateFault):
        _write(source)


def test_of_our_records_the_fields_are_allowed_and_nothing_else() -> None:
    record = Statement(True, False, False, False, False, True, "192.0.2.1", "1", "a", "", "label", "", "", "today")
    assert _write("{{ s.count }}", {"s": record}) == "1"
    with pytest.raises(TemplateFault):
        _write("{{ s.__init__ }}", {"s": record})


def _included(source: str, **others: str) -> str:
    template = templating.compiled("t", {"t": source, **others})
    return templating.block(template, "t", "b", NAMES)


def test_an_included_source_stands_as_if_it_were_written_there() -> None:
    partial = "{% for m in many %}\n{{ m }}\n{% endfor %}\n"
    assert (
        _included("{% block b %}\nx\n{% include 'p' %}\n{{ word }}\n{% endblock %}", p=partial) == "x\na\nb\nc\ntext\n"
    )
    assert (
        _included("{% block b %}{% if flag %}{% include 'p' %}{% else %}no{% endif %}{% endblock %}", p="yes") == "yes"
    )
    assert _included("{% block b %}\n{% include 'p' %}\n\nnext{% endblock %}", p="last line\n") == "last line\n\nnext"
    assert templating.parts("t", {"t": "{% include 'p' %}{% if flag %}{% include 'q' %}{% endif %}"}) == ["p", "q"]


@pytest.mark.parametrize(
    ("source", "partial"),
    [
        ("{% include 'nobody' %}", ""),
        ("{% include 'p' %}", "{% include 'p' %}"),
        ("{% include 'p' %}", "{% include 't' %}"),
        ("{% include 'p' %}", "{% block c %}{% endblock %}"),
        ("{% include 'p' %}", "{{ word|upper }}"),
        ("{% include 'p' %}", "{{ 'x' * 1000 }}"),
        ("{% include 'p' %}", "x" * (64 * 1024 + 1)),
        ("{% for m in many %}{% include 'p' %}{% endfor %}", "x"),
        ("{% for m in many %}{% if flag %}{% include 'p' %}{% endif %}{% endfor %}", "x"),
    ],
)
def test_what_is_included_keeps_to_the_same_rules_and_includes_nothing(source: str, partial: str) -> None:
    with pytest.raises(TemplateFault):
        templating.tree("t", {"t": source, "p": partial})


def test_output_is_bounded() -> None:
    source = "{% for m in many %}" + "x" * 60_000 + "{% endfor %}"
    with pytest.raises(TemplateFault) as fault:
        _write(source, {"many": tuple(range(100))})
    assert "writes more than" in fault.value.why


def test_a_value_is_never_read_as_a_template() -> None:
    assert _write("{{ word }}", {"word": "{{ secret }}{% x %}"}) == "{{ secret }}{% x %}"


@given(st.text(alphabet="{}%# abcdefor-inq.()'|*[]\n", max_size=80))
def test_a_hostile_template_ends_in_text_or_a_fault(source: str) -> None:
    try:
        _write(source)
    except TemplateFault:
        return
