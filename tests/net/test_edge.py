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


def test_a_failure_is_heard_by_the_caller_who_waits_for_an_answer() -> None:
    def wait_for_one() -> None:
        with Edge(fails, size=9) as edge:
            edge.ask(1)
            edge.take(timeout=3_600)  # woken by the failure, not by the time

    with pytest.raises(Broken):
        wait_for_one()


async def echoes(questions: asyncio.Queue[int | None], answer: Callable[[int], Coroutine[None, None, None]]) -> None:
    """Answer each question twice, and end by a failure after 9."""
    while (question := await questions.get()) is not None:
        await answer(question)
        await answer(question)
        if question == 9:
            raise Broken


def test_what_was_answered_before_a_failure_is_not_lost() -> None:
    edge = Edge(echoes, size=99).__enter__()
    for question in (1, 2, 9):
        edge.ask(question)
    edge._thread.join()
    assert edge.take(timeout=20) == [1, 1, 2, 2, 9, 9]
    with pytest.raises(Broken):
        edge.take(timeout=20)


def test_no_question_is_lost_however_fast_they_come() -> None:
    """The loop is called once for many questions; one that comes while they are fetched must call again."""
    with Edge(echoes, size=9) as edge:
        for _ in range(3_000):
            heard: list[int] = []
            for question in (1, 2, 3):
                edge.ask(question)
            while len(heard) < 6:
                taken = edge.take(timeout=20)
                assert taken, f"only {heard} were answered"
                heard += taken
            edge.done(3)
            assert heard == [1, 1, 2, 2, 3, 3]


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
