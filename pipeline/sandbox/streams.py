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
    under_way: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await converse(reader, writer)
            writer.close()
        finally:
            if not writer.is_closing():
                writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(one(reader, writer))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    server = await asyncio.start_server(begin, host, port, limit=longest_line)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await server.wait_closed()
