"""Run a server of the sandbox on a loop of its own, for callers that are plain and synchronous.

Reads and writes: nothing.  The server is closed, and its loop with it, when the caller leaves the `with` block.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

T = TypeVar("T")

SETTLING = 0.01  # seconds in which connections that were accepted a moment ago reach the server, which then closes them


@contextlib.contextmanager
def in_thread(server: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Enter `server` on a loop in a thread and hand over what it gives (its port).  What it raises rises here."""
    opened: list[T] = []
    failed: list[BaseException] = []
    ready = threading.Event()
    leave: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def live() -> None:
        over = asyncio.Event()
        async with server as given:
            leave.append((asyncio.get_running_loop(), over))
            opened.append(given)
            ready.set()
            await over.wait()
            await asyncio.sleep(SETTLING)

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, where it rises
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    ready.wait()
    try:
        if failed:
            raise failed[0]
        yield opened[0]
    finally:
        if leave and thread.is_alive():
            leave[0][0].call_soon_threadsafe(leave[0][1].set)
        thread.join()
    if failed:
        raise failed[0]
