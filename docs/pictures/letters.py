"""Pictures of letters as they reach people: `python -m docs.pictures.letters`.

Draws letters of a made-up campaign, rendered from the shipped texts: as a mail program shows the text, as a browser shows
the HTML, in one language and in two, and as the first page of a PDF.  Needs Chromium, WeasyPrint and Poppler.  Writes
letter-text.png, letter-html.en.png, letter-html.fr.png, letter-html.both.png, letter-paper.png.  Safe to repeat.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from html import escape
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from pipeline.render import html, paper
from pipeline.render.letter import Letter, render
from pipeline.render.paper import Sheet
from pipeline.render.values import Audience, LetterValues
from tests.browser.conftest import FLAGS
from tests.render import written
from tests.render.written import EN, EN_FR, FR_CA

HERE = Path(__file__).parent
WIDTH = 720  # CSS pixels
PAPER = ("Hébergement Exemple inc.", "12, rue de l'Exemple, bureau 400", "Québec (Québec)  G1A 1A1", "CANADA")
COLOURS = 32  # of a picture: letters are text, and few colours make small files
_MAIL = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{subject}</title><style>
body{{margin:0;background:#fff;color:#1f2328;font:14px/1.45 "DejaVu Sans",sans-serif}}
header{{background:#f6f8fa;border-bottom:1px solid #d0d7de;padding:12px 18px}}
header b{{display:inline-block;width:72px;color:#59636e;font-weight:normal}}
pre{{margin:0;padding:16px 18px;font:13px/1.4 "DejaVu Sans Mono",monospace;white-space:pre-wrap}}
</style><header>{head}</header><pre>{body}</pre></html>"""


def values() -> LetterValues:
    """A notice about a few addresses, to the provider of their network."""
    found = [
        written.finding(f"198.51.100.{7 + number}", topic, 1, source_count=1)
        for number, topic in enumerate(("open_proxy", "open_relay", "open_proxy"))
    ]
    return written.values(*found, audience=Audience.PROVIDER)


def letter(*locales: str) -> Letter:
    """That notice, written in these languages."""
    return render(values(), written.sources(), written.choice(*locales))


def mail(text: Letter) -> str:
    """A letter's text as a mail program shows it."""
    face = written.face()
    lines = {
        "From": f"{face.from_name['en']} <{face.from_mailbox}>",
        "To": "abuse@net.example",
        "Subject": text.subject,
    }
    head = "<br>".join(f"<b>{name}</b>{escape(value)}" for name, value in lines.items())
    return _MAIL.format(subject=escape(text.subject), head=head, body=escape(text.body))


def main() -> None:
    """Write every picture."""
    with browser() as started:
        shot(started, mail(letter(*EN)), "letter-text", 1250)
        shot(started, html.page(letter(*EN)), "letter-html.en", 1250)
        shot(started, html.page(letter(*FR_CA)), "letter-html.fr", 1250)
        shot(started, html.page(letter(*EN_FR)), "letter-html.both", 1250)
    sheets()


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium for the block."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield started
        started.close()


def shot(started: Browser, page: str, name: str, height: int) -> None:
    """Write the top of a page as a picture."""
    tab = started.new_page(viewport={"width": WIDTH, "height": height}, color_scheme="light")
    tab.set_content(page)
    save(Image.open(BytesIO(tab.screenshot())), name)
    tab.close()


def sheets() -> None:
    """Write the first page of the letter in two languages, as it is posted."""
    face = written.face()
    sender = tuple(tuple(face.postal[language]) for language in ("en", "fr"))
    made = paper.pdf(letter(*EN_FR), Sheet("TOC-7K3M-Q2XA", PAPER, sender, date(2026, 11, 3)))
    drawn = subprocess.run(
        ["pdftoppm", "-r", "90", "-f", "1", "-l", "1", "-png", "-"],
        input=made.data,
        capture_output=True,
        check=True,
    )
    page = Image.open(BytesIO(drawn.stdout)).convert("RGB")
    framed = Image.new("RGB", (page.width + 2, page.height + 2), "#8c959f")
    framed.paste(page, (1, 1))
    save(framed, "letter-paper")


def save(picture: Image.Image, name: str) -> None:
    """Write a picture with few colours."""
    few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(HERE / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
