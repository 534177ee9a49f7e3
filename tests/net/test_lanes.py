"""The lanes of an edge: slots kept, spacing kept where slots have passed, turns counted, one host for itself."""

import asyncio
import selectors
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from pipeline.net.edge import Edge, Questions, plain
from pipeline.net.lanes import CATCH_UP, MOST_BEHIND, MOST_LANES, in_lanes

STEP = 0.02  # seconds
Asked = Callable[..., list[float]]


@dataclass(frozen=True)
class Ask:
    name: str
    delay: float = 0.0
    apart: float = 0.0
    host: str = "one.example"


def edge(handler: Callable[[Ask], Any], count: int = 8, size: int = 2_000) -> Edge[Ask, Any]:
    return Edge(in_lanes(lambda: plain(handler), lambda q: q.host, count, lambda q: q.apart), size)


class Passing(selectors.DefaultSelector):
    """Waits for nothing: the time that a wait would take has passed."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.passed += timeout or 0.0
        return super().select(0)


class Quick(asyncio.SelectorEventLoop):
    """A loop with a time of its own, which no busy machine makes longer."""

    def __init__(self) -> None:
        self._passing = Passing()
        super().__init__(self._passing)

    def time(self) -> float:
        return self._passing.passed


def in_its_own_time(handler: Callable[[Ask], Any], asked: Sequence[Ask], count: int = 8) -> list[Any]:
    """Ask through lanes on a loop of its own time; returns the answers in their order."""

    async def main() -> list[Any]:
        questions: Questions[Ask] = asyncio.Queue()
        questions.put_nowait([*asked, None])
        answers: list[Any] = []
        await in_lanes(lambda: plain(handler), lambda q: q.host, count, lambda q: q.apart)(questions, answers.append)
        return answers

    with asyncio.Runner(loop_factory=Quick) as runner:
        return runner.run(main())


async def left_at(question: Ask) -> tuple[str, float]:
    return question.name, asyncio.get_running_loop().time()


def test_slots_that_have_passed_leave_one_by_one_in_their_spacing() -> None:
    """What piled up behind a slow host goes out at the pace of its budget, not at once: half a step is the most."""
    replies = in_its_own_time(left_at, [Ask(str(n), apart=STEP) for n in range(12)])
    times = sorted(at for _, at in replies)
    assert all(times[n] - times[0] >= (n - 0.5) * STEP - 0.001 for n in range(12))


def test_a_host_that_was_slow_gets_what_waited_in_its_spacing() -> None:
    released = asyncio.Event()

    async def slow_at_first(question: Ask) -> tuple[str, float]:
        if question.name == "0":
            asyncio.get_running_loop().call_later(10 * STEP, released.set)
            await released.wait()
        return await left_at(question)

    questions = [Ask(str(n), delay=n * STEP, apart=STEP) for n in range(8)]
    replies = in_its_own_time(slow_at_first, questions, count=1)
    times = [at for name, at in replies if name != "0"]
    assert [name for name, _ in replies] == [str(n) for n in range(8)]
    assert all(times[n] - times[0] >= (n - 0.5) * STEP - 0.001 for n in range(7))


def test_a_lane_that_is_late_does_not_draw_its_slots_together() -> None:
    """Between its slots lie those of other processes, which are on time: what is late stays late for a while."""

    async def slow_at_first(question: Ask) -> tuple[str, float]:
        left = await left_at(question)
        if question.name == "0":
            await asyncio.sleep(5 * STEP)
        return left

    questions = [Ask(str(n), delay=n * 2 * STEP, apart=STEP) for n in range(8)]
    replies = in_its_own_time(slow_at_first, questions, count=1)
    times = [at for _, at in replies]
    assert [name for name, _ in replies] == [str(n) for n in range(8)]
    assert all(later - at >= 2 * STEP - (1 - CATCH_UP) * MOST_BEHIND - 0.001 for at, later in pairwise(times[1:]))


def test_without_a_spacing_nothing_waits(ask: Asked) -> None:
    questions = [Ask("a", apart=3_600), *(Ask(str(n)) for n in range(5))]
    assert len(ask(edge(left_at), questions)) == 6


def test_questions_leave_in_the_order_of_their_slots(ask: Asked) -> None:
    questions = [Ask("third", 0.2), Ask("first"), Ask("second", 0.1), Ask("fourth", 0.2)]
    replies: list[Any] = ask(edge(left_at, count=1), questions)
    assert [name for name, _ in replies] == ["first", "second", "third", "fourth"]


def test_a_later_question_with_an_earlier_slot_is_not_held_up_by_the_one_before() -> None:
    heard: list[str] = []

    def leave_early() -> None:
        with edge(left_at) as opened:
            opened.ask(Ask("late", delay=3_600))
            opened.ask(Ask("soon", delay=0.01))
            heard.extend(name for name, _ in opened.take(20))
            raise KeyboardInterrupt  # without waiting for the hour

    with pytest.raises(KeyboardInterrupt):
        leave_early()
    assert heard == ["soon"]


def test_no_more_are_under_way_to_a_host_than_it_has_turns(ask: Asked) -> None:
    most: dict[str, int] = {}
    now: dict[str, int] = {}

    async def counted(question: Ask) -> str:
        now[question.host] = now.get(question.host, 0) + 1
        most[question.host] = max(most.get(question.host, 0), now[question.host])
        await asyncio.sleep(0)
        now[question.host] -= 1
        return question.name

    ask(edge(counted, count=3), [Ask(str(n), host=f"{n % 2}.example") for n in range(40)])
    assert most == {"0.example": 3, "1.example": 3}


def test_more_hosts_than_lanes_are_all_asked(ask: Asked) -> None:
    questions = [Ask(str(n), host=f"{n}.example") for n in range(MOST_LANES + 50)]
    replies: list[Any] = ask(edge(left_at), questions)
    assert {name for name, _ in replies} == {question.name for question in questions}


def test_a_handler_that_fails_rises_in_the_caller() -> None:
    async def broken(_question: Ask) -> str:
        raise ZeroDivisionError

    def one_question() -> None:
        with edge(broken) as opened:
            opened.ask(Ask("a"))
            opened.take(20)

    with pytest.raises(ExceptionGroup):
        one_question()
