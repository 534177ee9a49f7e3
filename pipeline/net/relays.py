"""Several relays behind one edge: each message goes to the transport that its letter was given, all on one event loop.

Reads and writes: nothing; the transports do.  Which relay a letter goes over is said with it (Send.relay), and is not
decided here: a letter never changes over.  Safe to repeat: as the transports are.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from pipeline.domain import Go, Ready, Result, Send, Stop
from pipeline.net.edge import Edge, Main, Questions, Tell, quick_loop

Transport = Main[Send | Go | Stop, Ready | Result]


def edge(transports: Mapping[str, Transport], connections: int) -> Edge[Send | Go | Stop, Ready | Result]:
    """Return an edge to all these relays, by their names; `connections`: those of all together."""
    return Edge(relays(transports), 2 * connections, quick_loop)


def relays(transports: Mapping[str, Transport]) -> Transport:
    """Return the `main` of an Edge that passes letters on to several."""

    async def main(questions: Questions[Send | Go | Stop], answer: Tell[Ready | Result]) -> None:
        queues: dict[str, Questions[Send | Go | Stop]] = {name: asyncio.Queue() for name in transports}
        over: dict[int, str] = {}  # the relay of each letter that has no result yet

        def told(said: Ready | Result) -> None:
            if isinstance(said, Result):
                over.pop(said.letter_id)
            answer(said)

        async with asyncio.TaskGroup() as group:
            for name, transport in transports.items():
                group.create_task(transport(queues[name], told))
            open_ = True
            while open_:
                parts, open_ = _parted(await questions.get(), over)
                for name, part in parts.items():
                    queues[name].put_nowait(part)
            for queue in queues.values():
                queue.put_nowait([None])

    return main


def _parted(
    messages: list[Send | Go | Stop | None], over: dict[int, str]
) -> tuple[Mapping[str, list[Send | Go | Stop | None]], bool]:
    """Return the messages by relay, in their order, and whether the caller stays.  `over` learns where letters go."""
    parts: dict[str, list[Send | Go | Stop | None]] = defaultdict(list)
    for message in messages:
        if message is None:
            return parts, False
        if isinstance(message, Send):
            if message.letter_id in over:
                raise ValueError(f"letter {message.letter_id} is under way already")
            over[message.letter_id] = message.relay
        if relay := over.get(message.letter_id):  # else it has ended meanwhile
            parts[relay].append(message)
    return parts, True
