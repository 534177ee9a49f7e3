"""A letter's text, table and reports become one message, in the form that was chosen for it.

Pure, but for letters that are signed with OpenPGP: a signature holds its time.
"""

from collections.abc import Mapping

from pipeline.render import letter as text_of
from pipeline.render import mime
from pipeline.render.form import Form
from pipeline.render.language import LanguageChoice
from pipeline.render.values import LetterValues


def letter(
    values: LetterValues, sources: Mapping[str, str], choice: LanguageChoice, form: Form, message_id: str
) -> bytes:
    """Return the exact bytes of a letter, without the lines that are set when it is sent."""
    text = text_of.render(values, sources, choice, form)
    return mime.build(text_of.headers(values, text, choice, message_id), text.body)
