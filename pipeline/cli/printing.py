"""`tocsin render --print`: letters on paper for those whose mailbox took none, and a list for who posts them."""

from pathlib import Path

from pipeline.cli import show, words
from pipeline.cli.command import given
from pipeline.cli.work import at_work
from pipeline.render import paper, print_queue
from pipeline.render.paper import Size
from pipeline.render.print_queue import LACKS, Done, Press
from pipeline.store.printing import STOPS


def print_letters(folder: Path, size: Size) -> None:
    """Print what is due into a folder, and say how many letters could not be printed, and why."""
    paper.require()
    with at_work() as bench:
        press = Press(bench.ground.db, folder, size, given().clock, bench.ground.by())
        done = print_queue.print_letters(press, bench.progress)
    data = {"printed": done.printed, "not_printed": dict(done.not_printed), "folder": str(folder)}
    show.emit(data, lambda: _told(done, folder))


def _told(done: Done, folder: Path) -> list[str]:
    lines = [words.plural("{count} letter printed", "{count} letters printed", done.printed)]
    if done.not_printed:
        whys = _whys()
        reasons = words.counted({whys[why]: count for why, count in done.not_printed.items()})
        lines.append(words.text("not printed: {reasons}", reasons=reasons))
    lines.append(words.text("the list: {file}", file=str(folder / print_queue.MANIFEST)))
    return lines


def _whys() -> dict[str, str]:
    """Return why a letter is not printed, in the reader's language."""
    stops = words.each("on the do-not-write list", "held back", "contact wants no letter yet")
    lacks = words.each(
        "no postal address",
        "several postal addresses",
        "address too long for the window",
        "no case that is still open",
    )
    return dict(zip((*STOPS, *LACKS), (*stops, *lacks), strict=True))
