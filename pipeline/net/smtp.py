"""Hand letters to one relay over a few connections that are kept open, with the final dot in the caller's hand.

The caller sends Send; when the relay waits for the message it gets Ready; it commits the time of the dot and answers Go
(only then; Go before Ready is a bug, and raises), or Stop at any time; it gets exactly one Result for each Send.  Nothing
is tried twice here: what to do next is the caller's rule.  A Result with reply 0 says why in `text`; a text that begins
with "stopped" or "made by us" is our own word.
Reads: nothing but the relay.  Writes: the message, byte for byte, to the relay, and only after Go.
Safe to repeat: a Result without `dot_written` was not delivered; with it and reply 0 nobody knows (RFC 1047).
Standards: RFC 5321, 1870 (SIZE), 3461 (DSN), 6152 (8BITMIME), 6531 (SMTPUTF8).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum, auto

from pipeline.domain import Go, Ready, Result, Send, Stop
from pipeline.net.edge import Main, Questions, Tell, each
from pipeline.net.smtp_command import mail_from, problem, rcpt_to
from pipeline.net.smtp_session import NotOpened, RelaySettings, Session, open_session, tls_context
from pipeline.net.smtp_wire import Reply

__all__ = ["Answer", "Message", "RelaySettings", "relay"]

Message = Send | Go | Stop
Answer = Ready | Result


@dataclass(slots=True)
class _UnderWay:
    letter: Send
    decision: asyncio.Future[bool]  # True for Go, False for Stop
    ready: bool = False
    session: Session | None = None

    def stopped(self) -> bool:
        return self.decision.done() and not self.decision.result()

    async def wait(self, seconds: float) -> None:
        """Wait so long, or until it is stopped."""
        if seconds > 0:
            await asyncio.wait({self.decision}, timeout=seconds)


class _Then(Enum):
    """What becomes of the connection."""

    KEEP = auto()
    RESET = auto()  # a transaction is open on it
    CLOSE = auto()  # the only way to abandon a message after 354
    GIVE_UP = auto()  # it is broken, or the relay sent us away: the next one waits a little


def relay(settings: RelaySettings) -> Main[Message, Answer]:
    """Return the `main` of an Edge that hands letters to this relay.  Raises ConfigurationError for a bad `ca_file`.

    When the caller leaves its block, letters that have had their Go are finished; all others end as if stopped.
    """
    context = tls_context(settings)

    async def main(questions: Questions[Message], answer: Tell[Answer]) -> None:
        await _Relay(settings, context, answer).work(questions)

    return main


class _Relay:
    """The connections to one relay, and the letters that are under way."""

    def __init__(self, settings: RelaySettings, context: ssl.SSLContext | None, answer: Tell[Answer]) -> None:
        self._settings = settings
        self._context = context
        self._answer = answer
        self._letters: dict[int, _UnderWay] = {}
        self._slots = asyncio.Semaphore(settings.connections)
        self._sessions: set[Session] = set()  # all that are open
        self._idle: list[Session] = []
        self._opening = asyncio.Lock()  # one at a time: a relay that is down is asked by one letter, not by all
        self._failures = 0
        self._not_before = 0.0

    async def work(self, questions: Questions[Message]) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as group:
                messages: AsyncIterator[Message] = each(questions)
                async for message in messages:
                    if isinstance(message, Send):
                        if message.letter_id in self._letters:
                            raise ValueError(f"letter {message.letter_id} is under way already")
                        under_way = _UnderWay(message, loop.create_future())
                        self._letters[message.letter_id] = under_way
                        group.create_task(self._carry(under_way))
                    else:
                        self._decide(message)
                for under_way in self._letters.values():
                    if not under_way.decision.done():
                        under_way.decision.set_result(False)
            await asyncio.gather(*(session.quit() for session in self._idle))
        finally:
            for session in self._sessions:
                session.abort()

    def _decide(self, message: Go | Stop) -> None:
        under_way = self._letters.get(message.letter_id)
        if under_way is None or under_way.decision.done():
            return
        go = isinstance(message, Go)
        if go and not under_way.ready:
            raise ValueError(f"letter {message.letter_id} got its Go before it was ready")
        under_way.decision.set_result(go)

    async def _carry(self, under_way: _UnderWay) -> None:
        """See one letter through to its Result."""
        letter = under_way.letter
        await under_way.wait(letter.delay)
        async with self._slots:
            stage, reply, then = await self._attempt(under_way)
            session = under_way.session
            result = Result(
                letter.letter_id,
                letter.attempt_id,
                stage,
                reply.code,
                reply.enhanced,
                reply.text,
                stage == "dot",
                self._settings.name,
                session.tls if session else "",
            )
            del self._letters[letter.letter_id]
            self._answer(result)
            if session is not None:
                await self._put_back(session, then)

    async def _attempt(self, under_way: _UnderWay) -> tuple[str, Reply, _Then]:
        letter = under_way.letter
        try:
            session = under_way.session = await self._session(under_way)
        except NotOpened as error:
            return error.stage, error.reply, _Then.GIVE_UP
        if session is None:
            return "connect", Reply(0, "", "stopped before it started"), _Then.KEEP
        refusal = problem(letter.sender, letter.recipient, letter.data, session.extensions)
        if refusal is not None:
            return *refusal, _Then.KEEP
        stage, reply = await session.envelope(
            mail_from(letter.sender, letter.recipient, letter.data, letter.envid, session.extensions),
            rcpt_to(letter.recipient, session.extensions),
        )
        if (stage, reply.code) != ("data", 354):
            return stage, reply, _Then.RESET if _refused(reply) else _Then.GIVE_UP
        under_way.ready = True
        self._answer(Ready(letter.letter_id, letter.attempt_id))
        spoken = await session.until(under_way.decision)
        if spoken is not None:
            return "data", spoken, _Then.GIVE_UP
        if under_way.stopped():
            return "data", Reply(0, "", "stopped before the message"), _Then.CLOSE
        stage, reply = await session.body(letter.data)
        answered = stage == "dot" and (reply.code // 100 == 2 or _refused(reply))
        return stage, reply, _Then.KEEP if answered else _Then.GIVE_UP

    async def _session(self, under_way: _UnderWay) -> Session | None:
        """Return a connection that is free, or a new one; None if the letter was stopped.  Raises NotOpened."""
        if under_way.stopped():
            return None
        while self._idle:
            session = self._idle.pop()
            if session.fresh:
                return session
            self._sessions.discard(session)
            await session.quit()
        async with self._opening:
            await under_way.wait(self._not_before - asyncio.get_running_loop().time())
            if under_way.stopped():
                return None
            try:
                session = await open_session(self._settings, self._context)
            except NotOpened:
                self._back_off()
                raise
            self._sessions.add(session)
            return session

    async def _put_back(self, session: Session, then: _Then) -> None:
        if then is _Then.KEEP or (then is _Then.RESET and await session.reset()):
            self._failures = 0
            self._idle.append(session)
            return
        self._sessions.discard(session)
        await session.close()
        if then is not _Then.CLOSE:
            self._back_off()

    def _back_off(self) -> None:
        self._failures += 1
        wait = min(self._settings.backoff * 2.0 ** min(self._failures - 1, 30), self._settings.longest_backoff)
        self._not_before = asyncio.get_running_loop().time() + wait


def _refused(reply: Reply) -> bool:
    """True for a refusal after which the relay still listens (421 closes, RFC 5321 4.2.3)."""
    return reply.code >= 400 and reply.code != 421
