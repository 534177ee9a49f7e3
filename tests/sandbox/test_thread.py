"""A server of the sandbox in a thread of its own."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from pipeline.sandbox.thread import in_thread


@contextlib.asynccontextmanager
async def server(life: list[str], fails: str = "") -> AsyncIterator[int]:
    if fails == "opening":
        raise OSError("the port is taken")
    life.append("open")
    yield 7
    life.append("closed")
    if fails == "closing":
        raise OSError("still in use")


def test_a_server_is_open_inside_and_closed_afterwards() -> None:
    life: list[str] = []
    with in_thread(server(life)) as port:
        assert (port, life) == (7, ["open"])
    assert life == ["open", "closed"]


def test_a_server_is_closed_when_the_caller_fails() -> None:
    life: list[str] = []
    with pytest.raises(KeyError), in_thread(server(life)):
        raise KeyError
    assert life == ["open", "closed"]


@pytest.mark.parametrize(("fails", "words"), [("opening", "taken"), ("closing", "still in use")])
def test_what_a_server_raises_rises_in_the_caller(fails: str, words: str) -> None:
    with pytest.raises(OSError, match=words), in_thread(server([], fails)):
        pass
