"""Does a campaign say the same in each language of its letters?

Pure: a campaign's face in, problems out.  Every page has an address in English and one in French, or the campaign says that
it is one page in both languages (`bilingual_pages`); texts are there in each language, and lists of lines are as long.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from pipeline.domain import ConfigurationError
from pipeline.render.problem import Problem
from pipeline.render.values import Agency, CampaignFace, Lines, Words, said, said_lines

PAGES = ("guidance", "participants", "instructions", "verification", "privacy")


def check_face(face: CampaignFace, locales: Sequence[str], bilingual: Collection[str] = ()) -> list[Problem]:
    """Return what is wrong with a campaign's settings for letters in these locales; `bilingual` names pages in both."""
    found: list[Problem] = []
    for name in PAGES:
        found += _page(name, getattr(face, name), locales, name in bilingual)
    for name in ("operation", "from_name"):
        found += _text(name, getattr(face, name), locales)
    for name in ("signature", "postal"):
        found += _lines(name, getattr(face, name), locales)
    for place, agencies in (("agencies", face.agencies), ("cosigners", face.cosigners)):
        for number, agency in enumerate(agencies, 1):
            found += _agency(f"{place} {number}", agency, locales)
    return found


def _page(name: str, words: Words, locales: Sequence[str], bilingual: bool) -> Iterator[Problem]:
    if name == "privacy" and not words:
        return  # may be left out
    if missing := list(_text(name, words, locales)):
        yield from missing
        return
    by_language = {locale.partition("_")[0]: said(name, words, locale) for locale in locales}
    if len(by_language) > 1 and len(set(by_language.values())) == 1 and not bilingual:
        detail = f'the same page in every language; if it is in both, write bilingual_pages = ["{name}"]'
        yield Problem(f"campaign.{name}", "link", detail)


def _text(name: str, words: Words, locales: Sequence[str]) -> Iterator[Problem]:
    for locale in locales:
        try:
            said(name, words, locale)
        except ConfigurationError as error:
            yield Problem(f"campaign.{name}", "missing", error.what)


def _lines(name: str, lines: Lines, locales: Sequence[str]) -> Iterator[Problem]:
    counts: dict[str, int] = {}
    for locale in locales:
        try:
            counts[locale] = len(said_lines(name, lines, locale))
        except ConfigurationError as error:
            yield Problem(f"campaign.{name}", "missing", error.what)
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{locale} has {count}" for locale, count in counts.items())
        yield Problem(f"campaign.{name}", "lines", f"not as many lines in each language: {told}")


def _agency(place: str, agency: Agency, locales: Sequence[str]) -> Iterator[Problem]:
    yield from _text(f"{place} name", agency.name, locales)
    if agency.signature:
        yield from _lines(f"{place} signature", agency.signature, locales)


def bilingual_of(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return the pages that a campaign's stored settings call bilingual; older settings have none."""
    named = settings.get("bilingual_pages", ())
    return tuple(str(name) for name in named) if isinstance(named, list | tuple) else ()
