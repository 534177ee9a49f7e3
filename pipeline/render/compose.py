"""A letter's text, table and reports become one message, in the form that was chosen for it.

Pure, but for letters that are signed with OpenPGP: a signature holds its time, so those are other bytes each time.
"""

from collections.abc import Mapping

from pipeline.domain import ConfigurationError
from pipeline.render import blocks, html, mime, pgp, table_csv, xarf
from pipeline.render import letter as written
from pipeline.render.catalogue import Say
from pipeline.render.facts import training_mark
from pipeline.render.form import Form
from pipeline.render.language import LanguageChoice
from pipeline.render.letter import Draft, Letter
from pipeline.render.mime import Part
from pipeline.render.pgp import Sign
from pipeline.render.values import LetterValues, said

CSV_TYPE = "text/csv; charset=utf-8; header=present"


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
    made = written.draft(values, sources)
    notes = {locale: made.notes(locale) for locale in choice.locales} if form.csv else None
    listed = table_csv.csv_table(values, made.told.groups, notes or {}) if form.csv else None
    text = written.write(made, choice, form, listed is not None, notes)
    body = (
        _multilingual(made, choice, form, text, listed is not None, message_id)
        if form.multilingual
        else _body(text, form)
    )
    files = [mime.attachment(table_csv.file_name(values), CSV_TYPE, listed)] if listed else []
    if form.xarf:
        mark = training_mark(values, written.catalogues(made, choice), Say.TRAINING_SUBJECT)
        said_of = [" / ".join([mark] * bool(mark) + list(section.headings)) for section in text.table.sections]
        reports = xarf.reports(values, made.told.groups, said_of, form.xarf)
        files += [mime.attachment(name, "application/json", report) for name, report in reports]
    whole = mime.multipart("mixed", [body, *files], message_id) if files else body
    if form.pgp:
        whole = pgp.signed(whole, _key(sign), message_id)
    return mime.build(written.headers(values, text, choice, message_id, form.headers), whole)


def _body(text: Letter, form: Form, language: str = "") -> Part:
    plain = mime.text_part(text.body, language)
    if not form.html:
        return plain
    return mime.multipart(
        "alternative", [plain, mime.html_part(html.page(text), language)], f"{text.subject}\n{language}"
    )


def _multilingual(made: Draft, choice: LanguageChoice, form: Form, text: Letter, csv: bool, message_id: str) -> Part:
    """Return the letter as RFC 8255 has it: the facts and a notice for programs that show all, then each language."""
    preface = [words.say(Say.PREFACE) for words in written.catalogues(made, choice)]
    notice = "\n\n".join([text.facts, *(blocks.fill(blocks.parse(line)) for line in preface)])
    face = made.told.values.face
    versions = []
    for locale in choice.locales:
        alone = written.write(made, LanguageChoice((locale,), choice.rule), form, csv)
        name = said("from_name", face.from_name, locale)
        versions.append((alone.halves[0].tag, alone.subject, name, _body(alone, form)))
    return mime.multilingual(mime.text_part(f"{notice}\n"), versions, message_id, from_mailbox=face.from_mailbox)


def _key(sign: Sign | None) -> Sign:
    if sign is None:
        raise ConfigurationError(
            "Letters of this campaign are signed, and there is no key",
            "its settings say pgp_sign, the credential file has no pgp_key",
            "Put the armoured secret key there as pgp_key, or set pgp_sign = false.",
        )
    return sign
