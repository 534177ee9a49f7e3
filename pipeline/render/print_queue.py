"""Print letters that no mailbox took: a PDF for each in a folder, and a list of them for who posts them.

Reads: letters that go by post (store/printing.py) and what they were made of.  Writes: REFERENCE.pdf for each, readable
by its owner alone, then the event that it was printed; last manifest.csv, of all that lie in the folder and all that
could not be printed, with the reason.  Safe to repeat and to stop at any line: a file takes its place whole, one without
its event is written again over itself, and what has its event is not printed again.  Two at once print nothing twice.
"""

import csv
import hashlib
import io
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.domain import Clock, Progress
from pipeline.render import formats, paper, run
from pipeline.render.letter import Letter, render
from pipeline.render.paper import Printed, Sheet, Size
from pipeline.render.values import said_lines, utc_second
from pipeline.store import printing as store
from pipeline.store.db import Database
from pipeline.store.printing import Postal, Unposted

UNIT = 50  # letters
MANIFEST = "manifest.csv"
COLUMNS = (
    "reference",
    "letter",
    "holder",
    "recipient",
    "languages",
    "pages",
    "sha256",
    "printed_at",
    "not_printed",
)
FORMULA = tuple("=+-@\t\r＝＋－＠'")  # OWASP, CSV injection

NO_ADDRESS = "no_postal_address"
SEVERAL = "several_postal_addresses"
TOO_LONG = "address_too_long"
NOTHING_LEFT = "no_case_left"
LACKS = (NO_ADDRESS, SEVERAL, TOO_LONG, NOTHING_LEFT)
SPOKEN = ("en", "fr")  # languages in which a registry's address may name its country

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did: letters printed, and how many were not, by reason."""

    printed: int
    not_printed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Press:
    """What all letters of a run share.  `pdf` is paper.pdf."""

    db: Database
    folder: Path
    size: Size
    clock: Clock
    by: str
    pdf: Callable[[Letter, Sheet], Printed] = paper.pdf


def print_letters(press: Press, progress: Progress) -> Done:
    """Print every letter that is due, and write the manifest."""
    press.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    printed, refused = 0, Counter[str]()
    left: list[tuple[Unposted, str]] = []
    with press.db.read() as connection:
        total = store.due_count(connection)
    for number, letter in enumerate(_due(press.db), 1):
        why = _one(press, letter)
        if not why:
            printed += 1
        elif why != store.ALREADY:  # by another run, at the same time
            refused[why] += 1
            left.append((letter, why))
        progress("letters", number, total)
    _write_manifest(press, left)
    return Done(printed, dict(sorted(refused.items())))


def recipient_lines(postal: Postal, locale: str) -> tuple[str, ...]:
    """Return an address as it stands on an envelope: the holder, the registry's lines, the country if these lack it."""
    lines = list(postal.lines)
    if postal.holder and (not lines or lines[0].casefold() != postal.holder.casefold()):
        lines.insert(0, postal.holder)
    names = [formats.country(postal.country, language) for language in SPOKEN] if postal.country else []
    if postal.country and lines[-1].casefold() not in {name.casefold() for name in [postal.country, *names]}:
        lines.append(formats.country(postal.country, locale).upper())
    return tuple(lines)


def _due(db: Database) -> Iterator[Unposted]:
    """Yield what is due, once each, whatever becomes of it meanwhile."""
    after = 0
    while True:
        with db.read() as connection:
            found = store.due(connection, after, UNIT)
        if not found:
            return
        yield from found
        after = found[-1].id


def _one(press: Press, letter: Unposted) -> str:
    """Print one letter; return why it was not, or nothing."""
    now = press.clock()
    with press.db.read() as connection:
        if why := store.stopped(connection, [letter], now).get(letter.id):
            return why
        postal = store.addresses(connection, [letter.notice_id])[letter.notice_id]
        if len(postal) != 1:
            return SEVERAL if postal else NO_ADDRESS
        recipient = recipient_lines(next(iter(postal)), letter.locales[0])
        if paper.fitted(recipient) is None:
            return TOO_LONG
        again = run.read_back(connection, letter.notice_id)
        over = store.over(connection, letter, now)
    findings = tuple(f for f in again.values.findings if (f.address, f.port, f.service, f.topic) not in over)
    if not findings:
        return NOTHING_LEFT
    values = replace(again.values, findings=findings)
    text = render(values, again.sources, again.choice)  # in the plain form: nothing can be attached to paper
    sender = tuple(said_lines("postal", values.face.postal, locale) for locale in letter.locales)
    made = press.pdf(text, Sheet(letter.reference, recipient, sender, values.written_on, press.size))
    return _keep(press, letter, made)


def _keep(press: Press, letter: Unposted, made: Printed) -> str:
    """Put a PDF in its place and write its event; return why it must not lie there after all, or nothing."""
    name = f"{letter.reference}.pdf"
    digest = hashlib.sha256(made.data).digest()
    _place(press.folder / name, made.data)
    now = press.clock()
    with press.db.write() as connection:
        why = store.record(connection, letter, file=name, sha256=digest, pages=made.pages, now=now, by=press.by)
    if why and why != store.ALREADY:
        (press.folder / name).unlink(missing_ok=True)
    return why


def _place(path: Path, data: bytes) -> None:
    """Put a file in its place whole: whoever sees its name sees all of it, after a power cut too."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# --- the manifest -----------------------------------------------------------------------------------------------------


def _write_manifest(press: Press, left: Sequence[tuple[Unposted, str]]) -> None:
    """Write the list: what was printed and lies in the folder, by the log, then what could not be printed."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for row in [*_lying_there(press), *_left_over(press, left)]:
        writer.writerow({name: f"'{cell}" if cell.startswith(FORMULA) else cell for name, cell in row.items()})
    _place(press.folder / MANIFEST, text.getvalue().encode("utf-8-sig"))


def _lying_there(press: Press) -> Iterator[Row]:
    after = 0
    while True:
        with press.db.read() as connection:
            found = store.printed(connection, after, UNIT)
            postal = store.addresses(connection, [letter.notice_id for letter, _, _ in found])
        if not found:
            return
        for letter, at, data in found:
            if (press.folder / data["file"]).is_file():
                facts = {"pages": str(data["pages"]), "sha256": data["sha256"], "printed_at": utc_second(at)}
                yield {**_row(letter, postal[letter.notice_id]), **facts}
        after = found[-1][0].id


def _left_over(press: Press, left: Sequence[tuple[Unposted, str]]) -> Iterator[Row]:
    """Yield those that somebody may do something about; what must not go now is nobody's to post."""
    with press.db.read() as connection:
        for letter, why in left:
            if why in LACKS:
                postal = store.addresses(connection, [letter.notice_id])[letter.notice_id]
                yield {**_row(letter, postal), "not_printed": why.replace("_", " ")}


def _row(letter: Unposted, postal: set[Postal]) -> Row:
    """Return what the manifest says of any letter; its recipient only where the networks agree on one."""
    one = next(iter(postal)) if len(postal) == 1 else None
    return {
        **dict.fromkeys(COLUMNS, ""),
        "reference": letter.reference,
        "letter": str(letter.id),
        "holder": one.holder if one else "",
        "recipient": "\n".join(recipient_lines(one, letter.locales[0])) if one else "",
        "languages": ", ".join(locale.replace("_", "-") for locale in letter.locales),
    }
