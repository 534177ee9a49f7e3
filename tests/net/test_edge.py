"""The edge: what a caller hears when the loop behind it has ended, and what the loop hears when the caller is stopped."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine

import pytest

from pipeline.net.edge import Edge, alone


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


def test_what_is_run_alone_returns_or_raises_as_it_does_itself() -> None:
    async def works() -> int:
        return 5

    async def breaks() -> int:
        raise Broken

    assert alone(works()) == 5
    with pytest.raises(Broken):
        alone(breaks())


def test_ctrl_c_cancels_what_is_run_alone() -> None:
    heard: list[str] = []

    async def waits() -> None:
        threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            alone(waits())
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == ["cancelled"]
