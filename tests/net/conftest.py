"""What the tests of the edges share: one clock that stands still, and the asking of a batch of questions."""

import socket
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from pipeline.domain import Clock
from pipeline.net.edge import Edge


@pytest.fixture
def clock(now: datetime) -> Clock:
    return lambda: now


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket on loopback that does not wait for ever for a client."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        opened.settimeout(20)
        yield opened


@pytest.fixture
def ask() -> Callable[[Edge[Any, Any], list[Any]], list[Any]]:
    """Put all questions to an edge that is not entered yet; return the answers in the order they came."""

    def asked(edge: Edge[Any, Any], questions: list[Any]) -> list[Any]:
        answers: list[Any] = []
        with edge:
            for question in questions:
                edge.ask(question)
            while len(answers) < len(questions):
                taken = edge.take(timeout=20)
                assert taken, f"only {len(answers)} of {len(questions)} answers came"
                answers += taken
            edge.done(len(answers))
        return answers

    return asked
