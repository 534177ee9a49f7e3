"""The edge: what a caller hears when the loop behind it has ended, and what the loop hears when the caller is stopped."""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable

import pytest

from pipeline.net.edge import Edge, Questions, Tell, alone, each, quick_loop


class Broken(Exception):
    """What `main` fails with."""


async def fails(questions: Questions[int], answer: Tell[int]) -> None:
    await questions.get()
    raise Broken


@pytest.mark.parametrize("hand_over", [Edge.ask, lambda edge, question: edge.tell_all([question])])
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


async def echoes(questions: Questions[int], answer: Tell[int]) -> None:
    """Answer each question twice, and end by a failure after 9."""
    async for question in each(questions):
        answer(question)
        answer(question)
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


async def listens(questions: Questions[int], answer: Tell[list[int]]) -> None:
    """Answer with each list of messages as it was heard."""
    while True:
        heard = await questions.get()
        answer([message for message in heard if message is not None])
        if None in heard:
            return


def test_a_round_is_heard_whole_and_in_its_order() -> None:
    with Edge[int, list[int]](listens, size=1) as edge:
        for _ in range(500):
            edge.tell_all([3, 1, 2])
            assert edge.take(timeout=20) == [[3, 1, 2]]
        edge.tell_all([])
    assert edge.take(0) == [[]]  # the caller's leaving, and nothing for the empty round


def test_a_caller_that_counts_for_itself_never_waits_for_room() -> None:
    with Edge(echoes, size=1) as edge:
        edge.tell_all(range(10, 100))
        heard: list[int] = []
        while len(heard) < 180:
            heard += edge.take(timeout=20)
    assert heard == [n for n in range(10, 100) for _ in range(2)]


async def says_its_loop(questions: Questions[int], answer: Tell[str]) -> None:
    answer(type(asyncio.get_running_loop()).__module__)


def test_an_edge_runs_on_the_loop_that_it_is_given_and_the_quick_one_is_uvloops_where_it_can_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def loop(*given: Callable[[], asyncio.AbstractEventLoop]) -> str:
        with Edge[int, str](says_its_loop, 1, *given) as edge:
            return edge.take(timeout=20)[0].split(".")[0]

    assert loop() == "asyncio"
    assert loop(quick_loop) == "uvloop"
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as if it were not installed
    assert loop(quick_loop) == "asyncio"
