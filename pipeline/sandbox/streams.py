"""TCP servers of the sandbox that leave nothing open behind them.

Reads and writes: what the conversation does.  A client that goes away in the middle is no error here.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(converse: Conversation, host: str, port: int, longest_line: int = 1 << 16) -> AsyncIterator[int]:
    """Hold `converse` with each client until left, then cut off those that are still there; gives the port."""
    under_way: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await converse(reader, writer)
            writer.close()
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(one(reader, writer))
        under_way[task] = writer
        task.add_done_callback(end)

    def end(task: asyncio.Task[None]) -> None:
        under_way.pop(task).transport.abort()  # at once, whatever has become of the conversation
        if not task.cancelled():
            task.result()

    server = await asyncio.start_server(begin, host, port, limit=longest_line)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        left = list(under_way)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)  # for the loop to close what was aborted
