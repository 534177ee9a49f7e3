"""A letter is tried on notices that reach every branch; a name that no notice has is found in whatever branch it stands."""

import re
from collections.abc import Mapping

import pytest

from pipeline.render import front, letter, lint, samples
from pipeline.render.front import KINDS
from pipeline.render.language import LanguageChoice
from tests.render.written import sources

BRANCH = re.compile(r"\{% (?:if|elif|else|for)\b[^%]*%\}")
LOCALE = "en"  # branches are the same in each language: test_lint_parity


def _found(changes: Mapping[str, str], kind: str = "first") -> set[tuple[str, str, str]]:
    return {(p.source, p.code, p.detail) for p in lint.check({**sources(kind), **changes}) if p.code != "stale"}


def _everywhere(name: str, old: str, new: str) -> dict[str, str]:
    """The same change in each language."""
    return {
        f"{name}{locale}.txt.j2": sources()[f"{name}{locale}.txt.j2"].replace(old, new, 1)
        for locale in ("en", "fr_CA", "fr")
    }


@pytest.mark.parametrize(
    ("added", "undefined"),
    [
        ("{% if cut and beside and joint and mixed %}{{ nothing }}{% endif %}", "nothing"),
        ("{% if topic.open_door %}.{% endif %}", "topic.open_door"),
        ("{% for s in statements %}{% if s.sure %}.{% endif %}{% endfor %}", "s.sure"),
        ("{% for line in postal %}{{ line.street }}{% endfor %}", "line.street"),
        ("{% if beside %}{{ top }}{% endif %}", "top"),
    ],
)
def test_a_name_that_no_letter_has_is_found_in_any_branch(added: str, undefined: str) -> None:
    found = _found(_everywhere("", "{{ date }}", "{{ date }} " + added + "\n"))
    assert {("en.txt.j2", "undefined", undefined), ("fr.txt.j2", "undefined", undefined)} <= found


def test_a_letter_that_cannot_be_written_is_found() -> None:
    found = _found(_everywhere("", "{{ date }}", "{{ date }} {% for part in mixed %}{{ part }}{% endfor %}.\n"))
    assert {source for source, code, _ in found if code == "undefined"} == {"en.txt.j2", "fr_CA.txt.j2", "fr.txt.j2"}


def test_a_name_of_the_prose_is_none_of_a_note() -> None:
    found = _found({**_everywhere("note.", "{{ address }}", "{{ address }} {{ holder }}")})
    assert ("note.en.txt.j2", "undefined", "holder") in found


def test_a_heading_too_long_for_a_line_is_found() -> None:
    changed = {
        name: text.replace("\n== ", f"\n== {'WORD ' * 12}", 1)
        for name, text in sources().items()
        if name in ("en.txt.j2", "fr.txt.j2", "fr_CA.txt.j2")
    }
    assert "wide" in {code for _, code, _ in _found(changed)}


@pytest.mark.parametrize(("longer", "found"), [(1.145, []), (1.155, ["beside-one-unnamed"])])
def test_one_letter_may_not_be_much_longer_in_a_language(longer: float, found: list[str]) -> None:
    """A branch that is long in one language hides in the length of the whole text, if another branch makes up for it."""
    given = sources("test")
    (sample,) = (one for one in samples.samples("test", ("open_proxy",)) if one.name == "beside-one-unnamed")
    sizes = {}
    for locale in ("en", "fr_CA"):
        text = letter.render(sample.values, given, LanguageChoice((locale,), "default"), sample.form)
        sizes[locale] = len(" ".join(text.body.split()))
    more = round(longer * (sizes["en"] + len(" word"))) - sizes["fr_CA"] - len(" ")
    assert more > 50
    short, long = "word", ("mot " * more)[: more - 1] + "."
    changed = {
        f"{locale}.txt.j2": given[f"{locale}.txt.j2"].replace(
            "{{ date }}\n", f"{{{{ date }}}}\n{{% if beside %}}\n{beside}\n{{% else %}}\n{others}\n{{% endif %}}\n", 1
        )
        for locale, beside, others in (("en", short, long), ("fr_CA", long, short), ("fr", short, long))
    }
    details = [
        detail for source, code, detail in _found(changed, "test") if (source, code) == ("fr_CA.txt.j2", "length")
    ]
    assert [detail.partition(", letter ")[2] for detail in details] == found


def test_samples_reach_every_branch_of_the_shipped_letters() -> None:
    """A mark in each branch is read back from the letters; a branch may be reached by one kind of letter alone."""
    reached: set[str] = set()
    marked: set[str] = set()
    for kind in KINDS:
        given = {name: _marked(kind, name, text) for name, text in sources(kind).items()}
        matter = front.parse(given["letter.toml"], given["topics.toml"])
        names = [name for name in given if name.endswith(f"{LOCALE}.txt.j2")]
        marked |= {mark for name in names for mark in re.findall(r"⟦[^⟧]*⟧", given[name])}
        for sample in samples.samples(kind, tuple(matter.topics), matter.minimum_level):
            choice = LanguageChoice((LOCALE,), "default")
            text = letter.render(sample.values, given, choice, sample.form, csv=sample.form.csv)
            said = " ".join(block.text for half in text.halves for block in (*half.prose, *half.closing))
            reached |= set(re.findall(r"⟦[^⟧]*⟧", said))
    assert len(marked) > 100
    assert sorted(marked - reached) == []


def _marked(kind: str, name: str, text: str) -> str:
    """Put a mark after each tag that opens a branch; a source that letters share has the same marks in each."""
    if not name.endswith(f"{LOCALE}.txt.j2"):
        return text
    owner = kind if name == f"{LOCALE}.txt.j2" else ""
    count = iter(range(10_000))
    return BRANCH.sub(lambda tag: f"{tag[0]}⟦{owner}:{name}:{next(count)}:{tag[0][3:-3].replace(' ', '_')}⟧ ", text)
