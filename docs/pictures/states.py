"""states-case.svg, states-letter.svg, states-wave.svg, drawn from domain.TRANSITIONS: `python -m docs.pictures.states`.

A column is a state, a row an event.  A dot stands where a thing may be when the event comes, the arrow's head where it is
afterwards.  tests/test_docs.py compares the files with what would be drawn.  Pure but for writing them.
"""

from collections.abc import Iterator
from pathlib import Path

from docs.pictures import paper
from pipeline.domain import TRANSITIONS, State

HERE = Path(__file__).parent
COLUMN, ROW = 82, 30
LEFT, TOP = 128, 46
FONT = 12


def files() -> dict[Path, str]:
    """Return the text of each picture by its file."""
    return {HERE / f"states-{kind_of(states)}.svg": drawn(states) for states in TRANSITIONS}


def kind_of(states: type[State]) -> str:
    """Return case, letter or wave."""
    return states.__name__.removesuffix("State").lower()


def rows(states: type[State]) -> dict[tuple[str, State], list[State]]:
    """Return {(event, state it leads to): states it may come in}, in the order of the table."""
    found: dict[tuple[str, State], list[State]] = {}
    for state, moves in TRANSITIONS[states].items():
        for event, after in moves.items():
            found.setdefault((event.value.partition(".")[2].replace("_", " "), after), []).append(state)
    return found


def drawn(states: type[State]) -> str:
    """Return the picture of one kind of thing."""
    kind, table = kind_of(states), rows(states)
    order = list(TRANSITIONS[states])
    width, height = LEFT + COLUMN * len(order) + 10, TOP + ROW * len(table) + 14
    said = "; ".join(f"{event}: {', '.join(map(str, before))} to {after}" for (event, after), before in table.items())
    body = [*_bands(len(order), len(table)), *_columns(order, height), *_rows(order, table)]
    return paper.page(width, height, f"The states of a {kind} and its moves", said, body)


def _x(order: list[State], state: State) -> float:
    return LEFT + COLUMN * (order.index(state) + 0.5)


def _columns(order: list[State], height: float) -> Iterator[str]:
    for state in order:
        x = _x(order, state)
        name = state.value.replace("_", " ")
        yield paper.text(x, 24, name, "ink", size=FONT, font=paper.SANS, anchor="middle")
        yield paper.path(f"M{x:g} {TOP - 12:g}V{height - 12:g}", "edge")
        if not TRANSITIONS[type(state)][state]:  # nothing comes after it
            yield paper.path(f"M{x - 8:g} {height - 12:g}h16", "faint", 2)


def _rows(order: list[State], table: dict[tuple[str, State], list[State]]) -> Iterator[str]:
    for number, ((event, after), before) in enumerate(table.items()):
        y = TOP + ROW * (number + 0.5)
        yield paper.text(14, y + 4, event, "strong", size=FONT, font=paper.SANS)
        to = _x(order, after)
        places = sorted(_x(order, state) for state in before)
        left, right = [x for x in places if x < to], [x for x in places if x > to]
        for farthest in (*left[:1], *right[-1:]):
            yield from _arrow(farthest, to, y)
        yield from (paper.dot(x, y, 4, "strong") for x in places)


def _bands(columns: int, count: int) -> Iterator[str]:
    for number in range(0, count, 2):
        yield paper.box(4, TOP + ROW * number, LEFT + COLUMN * columns, ROW, "band")


def _arrow(x: float, to: float, y: float) -> Iterator[str]:
    back = 9 if to > x else -9
    yield paper.path(f"M{x:g} {y:g}H{to - back:g}", "strong", 1.6)
    yield paper.shape(f"M{to:g} {y:g}l{-back:g} -5v10z", "strong")


if __name__ == "__main__":
    for file, picture in files().items():
        file.write_text(picture, encoding="utf-8")
