"""demo.en.svg and demo.fr.svg, drawn from what a real run of the demonstration printed: `python -m docs.pictures.demo`.

Runs `tocsin demo` in a temporary folder in each language, then asks `who` about a letter that arrived.  Writes the two
pictures.  Safe to repeat: each run is another campaign, with other references and times.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from docs.pictures import paper

HERE = Path(__file__).parent
CAMPAIGN = "secure-your-server"
TITLES = {"en": "What the demonstration prints", "fr": "Ce que la démonstration affiche"}
RECIPIENTS = {"en": "abuse@redwood.example", "fr": "abuse@rhone.example"}
STEPS = (
    "ingest demo/hits/open-proxies.txt",
    "resolve",
    "verify",
    "wave",
    "render",
    "approve",
    f"send {CAMPAIGN} --execute",
)
COLUMNS, MOST = 96, 12  # characters of a line, lines of one step
SIZE, LINE, MARGIN = 13, 18, 16
PROMPT, CUT = "$ tocsin ", "[...]"


def run(folder: Path, *line: str) -> str:
    """Return what a command prints, both streams as a terminal mixes them."""
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": str(COLUMNS)}
    program = [sys.executable, "-m", "pipeline", *line]
    done = subprocess.run(
        program, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout


def screen(folder: Path, language: str) -> list[str]:
    """Run the demonstration and return the lines of the picture."""
    said = run(folder, "--lang", language, "demo")
    who = run(folder, "--lang", language, "--config", "demo/config.toml", "who", RECIPIENTS[language])
    return [*_steps(said), *_letter(said, RECIPIENTS[language]), *_record(who, RECIPIENTS[language])]


def _steps(said: str) -> Iterator[str]:
    for part in said.split(f"\n{PROMPT}")[1:]:
        blocks = part.strip().split("\n\n")
        lines = blocks[0].splitlines()
        if lines[0].startswith(STEPS):
            yield PROMPT + lines[0]
            yield from (line for line in lines[1 : MOST + 1] if "/s," not in line)  # not the progress
            if len(blocks) > 1:  # a plan, and what came of it
                yield CUT
                yield from (line for line in blocks[-1].splitlines()[-MOST:] if "/s," not in line)


def _letter(said: str, recipient: str) -> Iterator[str]:
    """Yield the top of a letter as the demonstration shows it, and what it says of the addresses."""
    lines = said.split(f"--- {recipient} ---\n")[1].splitlines()
    claims = next(number for number, line in enumerate(lines) if line.startswith("- "))
    yield from ("", f"--- {recipient} ---")
    yield from (line for line in lines[:11] if not line.startswith(("Date:", "Message-ID:")))
    yield CUT
    yield from takewhile(str.strip, lines[claims:])
    yield CUT


def _record(who: str, recipient: str) -> Iterator[str]:
    """Yield what the record says of that letter: its beginning, and the server's reply."""
    lines = who.splitlines()
    letter = next(number for number, line in enumerate(lines) if "TCS-" in line)
    reply = next(number for number, line in enumerate(lines) if "250 2.0.0" in line)
    yield from ("", f"{PROMPT}who {recipient}", CUT)
    yield from lines[letter : letter + 4]
    yield CUT
    yield from lines[reply - 5 : reply + 1]


def drawn(lines: Sequence[str], title: str) -> str:
    """Return the picture of a terminal that shows these lines."""
    width = 2 * MARGIN + COLUMNS * SIZE * 0.6
    height = 2 * MARGIN + LINE * len(lines)
    return paper.page(width, height, title, "\n".join(lines), _rows(lines))


def _rows(lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        cut = line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…"
        if cut.strip():
            ink = "strong" if line.startswith((PROMPT, "---")) else "faint" if line == CUT else "ink"
            yield paper.text(
                MARGIN,
                MARGIN + LINE * (number + 0.75),
                cut,
                ink,
                size=SIZE,
                font=paper.MONO,
                width=len(cut) * SIZE * 0.6,
            )


def main() -> None:
    for language, title in TITLES.items():
        with tempfile.TemporaryDirectory() as folder:
            lines = screen(Path(folder), language)
        (HERE / f"demo.{language}.svg").write_text(drawn(lines, title), encoding="utf-8")


if __name__ == "__main__":
    main()
