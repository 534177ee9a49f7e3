"""A letter's text, table and reports become one message, in the form that was chosen for it.

Pure, but for letters that are signed with OpenPGP: a signature holds its time, so those are other bytes each time.
"""

from collections.abc import Mapping

from pipeline.domain import ConfigurationError
from pipeline.render import html, mime, pgp, table_csv, xarf
from pipeline.render import letter as written
from pipeline.render.catalogue import Say
from pipeline.render.evidence import Group
from pipeline.render.form import Form
from pipeline.render.language import LanguageChoice
from pipeline.render.letter import Letter
from pipeline.render.mime import Part
from pipeline.render.pgp import Sign
from pipeline.render.values import LetterValues, said


def letter(
    values: LetterValues,
    sources: Mapping[str, str],
    choice: LanguageChoice,
    form: Form,
    message_id: str,
    sign: Sign | None = None,
) -> bytes:
    """Return the exact bytes of a letter, without the lines that are set when it is sent.

    Raises ConfigurationError and ValueError as letter.render does, ConfigurationError if the form wants a signature and
    there is no key.
    """
    listed = _table(values, sources, choice) if form.csv else None
    text = written.render(values, sources, choice, form, listed is not None)
    body = _multilingual(values, sources, choice, form, text, message_id) if form.multilingual else _body(text, form)
    files = [mime.attachment("addresses.csv", "text/csv; charset=utf-8; header=present", listed)] if listed else []
    if form.xarf:
        said_of = [" / ".join(section.headings) for section in text.table.sections]
        reports = xarf.reports(values, _groups(values, sources), said_of, form.xarf)
        files += [mime.attachment(name, "application/json", report) for name, report in reports]
    whole = mime.multipart("mixed", [body, *files], message_id) if files else body
    if form.pgp:
        whole = pgp.signed(whole, _key(sign), message_id)
    return mime.build(written.headers(values, text, choice, message_id, form.headers), whole)


def _table(values: LetterValues, sources: Mapping[str, str], choice: LanguageChoice) -> bytes | None:
    notes = {locale: written.notes_of(values, sources, locale) for locale in choice.locales}
    return table_csv.csv_table(values, _groups(values, sources), notes)


def _groups(values: LetterValues, sources: Mapping[str, str]) -> list[Group]:
    return [group for group, _ in written.listed(values, sources)]


def _body(text: Letter, form: Form, language: str = "") -> Part:
    plain = mime.text_part(text.body, language)
    if not form.html:
        return plain
    return mime.multipart(
        "alternative", [plain, mime.html_part(html.page(text), language)], f"{text.subject}\n{language}"
    )


def _multilingual(
    values: LetterValues,
    sources: Mapping[str, str],
    choice: LanguageChoice,
    form: Form,
    text: Letter,
    message_id: str,
) -> Part:
    """Return the letter as RFC 8255 has it: the facts and a notice for programs that show all, then each language."""
    catalogues = written.catalogues(sources, choice)
    notice = "\n\n".join([text.facts, *(words.say(Say.PREFACE) for words in catalogues)])
    versions = []
    for locale in choice.locales:
        alone = written.render(values, sources, LanguageChoice((locale,), choice.rule), form)
        tag, name = alone.halves[0].tag, said("from_name", values.face.from_name, locale)
        versions.append((tag, alone.subject, name, _body(alone, form)))
    return mime.multilingual(mime.text_part(f"{notice}\n"), versions, message_id, from_mailbox=values.face.from_mailbox)


def _key(sign: Sign | None) -> Sign:
    if sign is None:
        raise ConfigurationError(
            "Letters of this campaign are signed, and there is no key",
            "its settings say pgp_sign, the credential file has no pgp_key",
            "Put the armoured secret key there as pgp_key, or set pgp_sign = false.",
        )
    return sign
