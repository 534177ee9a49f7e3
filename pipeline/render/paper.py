"""A letter on paper: the same words as its HTML, as a tagged PDF whose address shows in the window of an envelope.

Reads the fonts of the machine and nothing else: whatever a page may ask for is refused.  The same letter and sheet give
the same bytes where WeasyPrint and the fonts are the same.  WeasyPrint is the extra `pdf`: without it, or without the
libraries of the system that it needs, a ConfigurationError says what to install.
Standards: PDF/UA-1 (ISO 14289-1), DIN 5008 form B (A4), the window of a No. 10 envelope (Letter), ISO 216.
"""

import hashlib
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from html import escape
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.domain import ConfigurationError
from pipeline.render import html
from pipeline.render.letter import Letter

if TYPE_CHECKING:
    from weasyprint import Document

FITS = ((10, 35, 6), (9, 39, 7), (8, 44, 8))  # size in pt, characters of a line in capitals, lines of the window
_VARIANT: dict[str, Any] = {"pdf_variant": "pdf/ua-1", "pdf_tags": True}
_BREAK = "<br>\n"


class Size(StrEnum):
    """A size of paper."""

    A4 = "a4"
    LETTER = "letter"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What paper needs beside the letter.  `sender` has the lines of who writes, for each of the letter's languages."""

    reference: str
    recipient: tuple[str, ...]
    sender: tuple[tuple[str, ...], ...]
    written_on: date
    size: Size = Size.A4


@dataclass(frozen=True, slots=True)
class Printed:
    """A PDF, and how many pages it has."""

    data: bytes
    pages: int


# The window is measured from the upper left corner of the paper.  A4: DIN 5008 form B, a field of 85 x 45 mm whose first
# 17.7 mm hold the sender's line; marks to fold at, and one to punch at.  Letter: a No. 10 envelope has its window of
# 4 1/2 x 1 1/8 inches 7/8 inch from the left and 1/2 inch from the bottom; paper that is folded in three and stands on
# its bottom edge shows there what lies 2.04 to 3.17 inches from its top.
_SIZES = {
    Size.A4: {"page": "A4", "top": "45mm", "sender": "17.7mm", "left": "25mm", "right": "20mm"},
    Size.LETTER: {"page": "letter", "top": "2.1in", "sender": "0mm", "left": "1in", "right": "0.9in"},
}
_FOLDS = {
    Size.A4: (("105mm", "4mm"), ("148.5mm", "6mm"), ("210mm", "4mm")),
    Size.LETTER: (("3.667in", "4mm"), ("7.333in", "4mm")),
}
_STYLE = """
@page{size:%(page)s;margin:20mm %(right)s 20mm %(left)s;
@bottom-left{content:"%(reference)s";font:8pt "DejaVu Sans",sans-serif;color:#333}
@bottom-right{content:counter(page) " / " counter(pages);font:8pt "DejaVu Sans",sans-serif;color:#333}}
@page:first{margin-top:15mm}
body{margin:0;color:#000;font:9.5pt/1.42 "DejaVu Serif",serif}
.fold{position:absolute;left:calc(4mm - %(left)s);border-top:.2mm solid #777}
.letterhead{height:calc(%(top)s - 15mm);font:bold 11pt/1.35 "DejaVu Sans",sans-serif;color:#1f4468}
.sender{font:6.5pt/1.3 "DejaVu Sans",sans-serif;color:#000;white-space:nowrap}
.window{width:85mm;font-family:"DejaVu Sans",sans-serif}
.window .sender{height:3.2mm;padding-top:calc(%(sender)s - 3.2mm)}
.recipient{height:27.3mm;font-size:%(points)dpt;line-height:1.2}
h1{font:bold 11pt/1.35 "DejaVu Sans",sans-serif;margin:8mm 0 4mm}
h2,h3{font:bold 9.5pt/1.35 "DejaVu Sans",sans-serif;margin:4.5mm 0 1.2mm;color:#1f4468;break-after:avoid}
h3{font-size:9pt}
p{margin:1.8mm 0;orphans:2;widows:2}
ul{margin:1.8mm 0;padding-left:5mm;break-before:avoid}
li{margin:.6mm 0}
a{color:#000;text-decoration:none}
.facts{border:.4pt solid #1f4468;padding:2mm 3mm;margin:0 0 4mm;font:8.5pt/1.45 "DejaVu Sans",sans-serif;
break-inside:avoid}
.facts div{padding-left:4mm;text-indent:-4mm}
.facts .apart{margin-top:1.5mm}
.whole{white-space:nowrap}
.kept{margin:.8mm 0 2mm 5mm;break-inside:avoid;break-before:avoid;font-family:"DejaVu Sans",sans-serif;font-size:8.5pt}
.half+.half{border-top:.4pt solid #666;margin-top:6mm}
.listing{border-top:.4pt solid #666;margin-top:6mm;padding-top:3mm}
table{border-collapse:collapse;width:100%%;font:8.5pt/1.3 "DejaVu Sans",sans-serif}
caption{text-align:left;padding-bottom:2mm;break-after:avoid}
caption strong{display:block;color:#1f4468;font-size:9.5pt}
th,td{text-align:left;vertical-align:top;padding:.7mm 3mm .7mm 0}
td{border-bottom:.3pt solid #bbb}
thead th{font-size:7.5pt}
thead tr:last-child th{border-bottom:.8pt solid #1f4468}
tbody th{padding-top:3mm;break-after:avoid}
tr{break-inside:avoid}
"""


def pdf(letter: Letter, sheet: Sheet) -> Printed:
    """Return the letter as PDF.

    Raises ConfigurationError without WeasyPrint, ValueError for a recipient whose lines do not fit the window.
    """
    page = source(letter, sheet)
    document = laid_out(page)
    identifier = hashlib.sha256(page.encode()).hexdigest()[:32].encode()
    return Printed(document.write_pdf(pdf_identifier=identifier, **_VARIANT), len(document.pages))


def source(letter: Letter, sheet: Sheet) -> str:
    """Return the page that becomes the PDF.  Raises ValueError as `pdf` does."""
    fit = fitted(sheet.recipient)
    if fit is None:
        raise ValueError("the recipient's address does not fit the window")
    points, recipient = fit
    names = [
        f'<span lang="{half.tag}">{escape(lines[0])}</span>'
        for half, lines in zip(letter.halves, sheet.sender, strict=True)
    ]
    sender = f'<div class="sender">{escape(" · ".join(sheet.sender[0]))}</div>'
    window = sheet.size is Size.A4  # a No. 10 envelope bears its sender itself
    folds = "".join(
        f'<div class="fold" style="top:calc({top} - 15mm);width:{length}"></div>\n'
        for top, length in _FOLDS[sheet.size]
    )
    body = f"""{folds}<div class="letterhead">{_BREAK.join(dict.fromkeys(names))}{"" if window else sender}</div>
<div class="window">{sender if window else ""}
<div class="recipient">{_BREAK.join(map(escape, recipient))}</div></div>
<main>
{html.content(letter)}
</main>"""
    day = sheet.written_on.isoformat()
    dates = "".join(f'<meta name="dcterms.{name}" content="{day}">\n' for name in ("created", "modified"))
    return html.document(letter, _style(sheet, points), body, dates)


def fitted(lines: Sequence[str]) -> tuple[int, list[str]] | None:
    """Return the size in points at which an address fits the window and its lines as they stand there, or None."""
    for points, width, most in FITS:
        folded = [part for line in lines for part in textwrap.wrap(line, width)]
        if 0 < len(folded) <= most:
            return points, folded
    return None


def _style(sheet: Sheet, points: int) -> str:
    reference = "".join(letter for letter in sheet.reference if letter.isalnum() or letter == "-")
    return _STYLE % {**_SIZES[sheet.size], "reference": reference, "points": points}


def laid_out(page: str) -> "Document":
    """Return a page's source as sheets.  Raises ConfigurationError without WeasyPrint, ValueError if it loads anything."""
    require()
    from weasyprint import HTML  # heavy, and an extra: only who prints needs it
    from weasyprint.urls import FatalURLFetchingError, URLFetcher

    nothing = URLFetcher(allowed_protocols=(), fail_on_errors=True)
    try:
        return HTML(string=page, url_fetcher=nothing).render(**_VARIANT)
    except FatalURLFetchingError as error:  # a BaseException, which would end more than this letter
        raise ValueError(f"a letter loads nothing: {error}") from error


def require() -> None:
    """Raise ConfigurationError unless letters can be printed here."""
    try:
        import weasyprint  # noqa: F401
    except ImportError:
        _missing("the package weasyprint is not installed")
    except OSError as error:  # it loads Pango by name
        _missing(str(error).partition("\n")[0])


def _missing(why: str) -> NoReturn:
    raise ConfigurationError(
        "Letters cannot be printed here",
        why,
        "Run: pip install 'tocsin[pdf]', and install the system's Pango (Debian: libpango-1.0-0, libpangoft2-1.0-0)",
    )
