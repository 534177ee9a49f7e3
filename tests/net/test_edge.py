"""The edge: what a caller hears when the loop behind it has ended."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from pipeline.net.edge import Edge


class Broken(Exception):
    """What `main` fails with."""


async def fails(questions: asyncio.Queue[int | None], answer: Callable[[int], Coroutine[None, None, None]]) -> None:
    await questions.get()
    raise Broken


@pytest.mark.parametrize("hand_over", [Edge.ask, Edge.tell])
def test_a_question_after_the_loop_failed_raises_what_it_failed_with(
    hand_over: Callable[[Edge[int, int], int], None],
) -> None:
    edge = Edge(fails, size=9).__enter__()
    edge.ask(1)
    edge._thread.join()
    with pytest.raises(Broken):
        hand_over(edge, 2)
