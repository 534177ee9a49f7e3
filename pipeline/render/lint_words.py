"""Is a letter written as its readers write, with words that do no harm, and nothing in it that is a setting?

Pure: texts in, problems out.  Typography: Office québécois de la langue française for fr_CA, Imprimerie nationale for fr.
Words to avoid: pipeline/data/words_to_avoid.toml, with the reasons.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from pipeline.data.words_to_avoid import avoided
from pipeline.render.problem import Problem

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
_MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|"
    "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
)
_LITERALS = {
    "an address of a page": re.compile(
        r"\bhttps?:|\bwww\.|\b[a-z0-9-]+\.(?:com|org|net|gov|example|ca|fr|us|eu|int)\b", re.I
    ),
    "a mailbox": re.compile(r"\bmailto:|[\w.+-]+@[\w.-]+", re.I),
    "an IP address": re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7}", re.I),
    "a date": re.compile(
        rf"\b\d{{4}}-\d\d-\d\d\b|\b\d{{1,2}}(?:er)?[ \u00a0](?:{_MONTHS})\b|\b(?:{_MONTHS})[ \u00a0]\d{{1,4}}\b", re.I
    ),
    "a telephone number": re.compile(r"(?:\+\d|\b1-|\(\d{3}\)|\b\d{3}[-.]\d{3}[-.])[\d .\u00a0-]{5,}"),
}


def check(name: str, locale: str, texts: Iterable[str]) -> Iterator[Problem]:
    """Return what is wrong with texts of one language: typography, what is a setting, words to avoid."""
    for text in texts:
        yield from typography(name, locale, text)
        yield from literal(name, text)
        for entry in avoided().get(locale.partition("_")[0], ()):
            for found in entry.pattern.finditer(text):
                yield Problem(name, "words", f"{found[0]!r}: {entry.reason}")


def typography(name: str, locale: str, text: str) -> Iterator[Problem]:
    """Return what is not written as readers of that language write."""
    rules = {**_EVERYWHERE, **_TYPOGRAPHY.get(locale, {}), **(_FRENCH if locale.startswith("fr") else {})}
    for what, pattern in rules.items():
        if found := pattern.search(text):
            yield Problem(name, "typography", f"{what}: {_near(text, found)!r}")


def literal(name: str, text: str) -> Iterator[Problem]:
    """Return what stands in a text though it is a value: a template that held it would speak for another campaign."""
    for what, pattern in _LITERALS.items():
        if found := pattern.search(text):
            yield Problem(name, "literal", f"{what}: {_near(text, found)!r}")


def line_ends(name: str, text: str) -> Iterator[Problem]:
    """Return tags that end a line of text: they take the line's end with them, and glue two words together."""
    for number, line in enumerate(text.split("\n"), 1):
        if _TAG_ENDS_TEXT.match(line):
            yield Problem(name, "glued", f"line {number} ends in a tag")


def _near(text: str, found: re.Match[str]) -> str:
    return text[max(0, found.start() - 20) : found.end() + 20].strip()
