"""A letter as one HTML page that says the same as its text, in the same order, for everybody who reads with a program.

Pure.  It is made of the letter's own blocks and table.  Nothing is loaded and nothing runs: no image, script, style sheet
or font from elsewhere, and no link that a sender of mail counts.  A link's words are its address, and only a line that
is kept as it stands becomes one: what a registry or a feed wrote stays text.
Standards: HTML, WCAG 2.2 AA (1.3.1, 1.4.3, 1.4.10, 2.4.4, 3.1.1, 3.1.2), RFC 5646, RFC 6068.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from urllib.parse import quote

from pipeline.render.blocks import Block, Kind
from pipeline.render.letter import Half, Letter
from pipeline.render.table import Section, Table

_URL = re.compile(r"https?://[!-~\u00a1-\ufffd]+")
_MAILBOX = re.compile(r"[!#-'*+./0-9=?A-Z^-~\u00a1-\ufffd-]+@[0-9A-Za-z.\u00a1-\ufffd-]+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_IPV4 = re.compile(r"[0-9.]{7,15}")
_BREAK = "<br>\n"

# Mail programs know little of style sheets: what they leave out here costs looks, never words.
_STYLE = """
:root{color-scheme:light dark}
body{margin:0;padding:1.25rem 1rem;background:#fff;color:#1b1f24;
font:1rem/1.55 system-ui,"Segoe UI","DejaVu Sans",Helvetica,Arial,sans-serif}
main{max-width:40rem;margin:0 auto;overflow-wrap:break-word}
h1{font-size:1.25rem;line-height:1.3;margin:0 0 1.25rem}
h2{font-size:1rem;letter-spacing:.02em;margin:1.9rem 0 .5rem;color:#1f4468}
h3{font-size:.95rem;letter-spacing:.02em;margin:1.6rem 0 .5rem;color:#1f4468}
p{margin:.75rem 0}
ul{margin:.75rem 0;padding-left:1.4rem}
li{margin:.3rem 0}
a{color:#0b4f8a}
.facts{background:#f1f4f7;border-left:.3rem solid #1f4468;padding:.8rem 1rem;margin:0 0 1.5rem}
.facts div{padding-left:1.2rem;text-indent:-1.2rem}
.facts div+div.apart{margin-top:.6rem}
.whole{white-space:nowrap}
.kept{margin:.35rem 0 .9rem 1.4rem}
.half{border-top:1px solid #8a939d;margin-top:2rem}
.listing{border-top:1px solid #8a939d;margin-top:2rem;padding-top:1rem}
table{border-collapse:collapse;width:100%;font-size:.9rem;line-height:1.4}
caption{text-align:left;padding-bottom:.6rem}
caption strong{display:block;font-size:1rem;letter-spacing:.02em;color:#1f4468;margin-bottom:.3rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .7rem .25rem 0;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{overflow-wrap:anywhere}
thead th{font-size:.8rem;letter-spacing:.02em}
thead tr:last-child th{border-bottom:2px solid #1f4468}
tbody th{padding-top:.9rem}
td{border-bottom:1px solid #d3d9df}
@media (max-width:30rem){table{font-size:.75rem}thead th{font-size:.65rem}th,td{padding-right:.4rem}
.kept{margin-left:.7rem}}
@media (prefers-color-scheme:dark){body{background:#14181d;color:#e4e8ec}
h2,h3,caption strong{color:#b4cfe9}a{color:#8fbdf0}.facts{background:#1e252d;border-color:#6f9cc8}
thead tr:last-child th{border-color:#6f9cc8}td{border-color:#3a434d}}
"""


def page(letter: Letter) -> str:
    """Return the letter as a whole document."""
    return document(letter, _STYLE, f"<main>\n{content(letter)}\n</main>")


def document(letter: Letter, style: str, body: str, head: str = "") -> str:
    """Return a document in the letter's first language, titled by its subject; `style`, `body`, `head` are markup."""
    return f"""<!DOCTYPE html>
<html lang="{letter.halves[0].tag}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(letter.subject)}</title>
{head}<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def content(letter: Letter) -> str:
    """Return what stands in the body: subject, facts, the halves, the table, the foot."""
    parts = [_subject(letter), f'<div class="facts">\n{_facts(letter.facts)}\n</div>']
    if len(letter.halves) == 1:
        [half] = letter.halves
        parts += [_markup(half.prose, "h2"), _listing(letter), _markup(half.closing, "h2")]
    else:
        parts += [_half(half) for half in letter.halves]
        parts.append(_listing(letter))
    parts.append(_lines(letter.foot))
    return "\n".join(part for part in parts if part)


def _subject(letter: Letter) -> str:
    """Return the subject as the heading, each language's part marked as its own."""
    joined = " / ".join(half.subject for half in letter.halves)
    before = letter.subject.removesuffix(joined)
    if len(letter.halves) == 1 or before == letter.subject:
        return f"<h1>{escape(letter.subject)}</h1>"
    parts = _spans(letter, [half.subject for half in letter.halves], " / ")
    return f"<h1>{escape(before)}{parts}</h1>"


def _half(half: Half) -> str:
    words = "\n".join((_markup(half.prose, "h3"), _markup(half.closing, "h3")))
    return f'<div class="half" lang="{half.tag}">\n<h2>{escape(half.label)}</h2>\n{words}\n</div>'


def _markup(blocks: Iterable[Block], heading: str) -> str:
    parts = []
    for kind, run in groupby(blocks, key=lambda block: block.kind):
        texts = [block.text for block in run]
        if kind is Kind.ITEM:
            parts.append("<ul>\n" + "\n".join(f"<li>{escape(text)}</li>" for text in texts) + "\n</ul>")
        elif kind is Kind.HEADING:
            parts += [f"<{heading}>{escape(text)}</{heading}>" for text in texts]
        elif kind is Kind.KEPT:
            parts += [f'<p class="kept">{_BREAK.join(map(_linked, text.split(chr(10))))}</p>' for text in texts]
        else:
            parts += [f"<p>{escape(text)}</p>" for text in texts]
    return "\n".join(parts)


def _linked(line: str) -> str:
    """Return a kept line, as a link if it is an address of a page or a mailbox and nothing else."""
    if _URL.fullmatch(line):
        return f'<a href="{escape(line)}">{escape(line)}</a>'
    if _MAILBOX.fullmatch(line):
        return f'<a href="mailto:{escape(quote(line, safe="@"))}">{escape(line)}</a>'
    return escape(line)


def _facts(text: str) -> str:
    """Return the facts, a line each; one that follows an empty line stands apart."""
    parts, apart = [], False
    for line in text.split("\n"):
        if line.strip():
            shown = _TIME.sub(lambda time: f'<span class="whole">{time[0]}</span>', escape(line))
            parts.append(f'<div class="apart">{shown}</div>' if apart else f"<div>{shown}</div>")
        apart = not line.strip()
    return "\n".join(parts)


def _lines(text: str) -> str:
    """Return lines that keep their breaks, a paragraph for each run of them."""
    runs = (run.strip("\n") for run in text.split("\n\n"))
    return "\n".join(f"<p>{_BREAK.join(map(escape, run.split(chr(10))))}</p>" for run in runs if run)


# --- the table --------------------------------------------------------------------------------------------------------


def _listing(letter: Letter) -> str:
    """Return the table under the words that its text form begins with, and those that it ends with.

    Those words are an agency's own (table.txt.j2); a form without the table's lines in it gets the title and the notes.
    """
    table = letter.table
    heads, lines = table.as_text()
    before, found, rest = letter.listing.partition("\n".join(heads))
    _, ended, after = rest.partition("\n".join(lines).strip("\n"))
    if not (found and ended):
        before, after = "\n".join((" / ".join(table.titles), *table.notes)), ""
    parts = [f'<div class="listing">\n<table>\n{_caption(letter, before)}', _heads(letter, table)]
    parts += [_section(letter, section) for section in table.sections]
    return "\n".join([*parts, "</table>", *([_lines(after)] if after.strip() else []), "</div>"])


def _caption(letter: Letter, text: str) -> str:
    title, *notes = [line for line in text.split("\n") if line.strip()] or [" / ".join(letter.table.titles)]
    parts = title.split(" / ")
    named = _spans(letter, parts, " / ") if len(parts) == len(letter.halves) else escape(title)
    said = [_note(letter, note) for note in notes]
    return f"<caption><strong>{named}</strong>\n{_BREAK.join(said)}</caption>"


def _note(letter: Letter, note: str) -> str:
    for half, known in zip(letter.halves, letter.table.notes, strict=True):
        if note == known:
            return _in(half, letter, note)
    return escape(note)


def _heads(letter: Letter, table: Table) -> str:
    rows = []
    for half, cells in zip(letter.halves, table.heads, strict=True):
        heads = "".join(f'<th scope="col"{_lang(half, letter)}>{escape(cell)}</th>' for cell in cells)
        rows.append(f"<tr>{heads}</tr>")
    return "<thead>\n" + "\n".join(rows) + "\n</thead>"


def _section(letter: Letter, section: Section) -> str:
    """Return the lines of a section; it has a heading where it is not the only one."""
    rows = []
    if len(letter.table.sections) > 1:
        named = _BREAK.join(_in(half, letter, text) for half, text in zip(letter.halves, section.headings, strict=True))
        rows.append(f'<tr><th scope="rowgroup" colspan="{len(letter.table.heads[0])}">{named}</th></tr>')
    rows += [_row(cells) for cells in section.lines]
    return "<tbody>\n" + "\n".join(rows) + "\n</tbody>"


def _row(cells: Sequence[str]) -> str:
    """Return one line.  A narrow screen may part an IPv6 address at its colons, and the day from the hour."""
    first, *others, time = cells
    if _IPV4.fullmatch(first):
        parts = [f'<td class="whole">{first}</td>']
    else:
        parts = [f"<td>{escape(first).replace(':', ':<wbr>')}</td>"]
    parts += [f"<td>{escape(cell)}</td>" for cell in others]
    return f"<tr>{''.join(parts)}<td>{escape(time).replace('T', 'T<wbr>')}</td></tr>"


# --- languages --------------------------------------------------------------------------------------------------------


def _lang(half: Half, letter: Letter) -> str:
    """Return the attribute that a half's words need outside its own part."""
    return "" if half is letter.halves[0] else f' lang="{half.tag}"'


def _in(half: Half, letter: Letter, text: str) -> str:
    lang = _lang(half, letter)
    return f"<span{lang}>{escape(text)}</span>" if lang else escape(text)


def _spans(letter: Letter, texts: Sequence[str], between: str) -> str:
    """Return one text for each language, one after the other."""
    return between.join(_in(half, letter, text) for half, text in zip(letter.halves, texts, strict=True))
