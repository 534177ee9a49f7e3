"""A mail server on loopback that keeps what it accepts and misbehaves, per mailbox and command, exactly as told.

Reads: SMTP from whoever connects (RFC 5321, with PIPELINING, 8BITMIME, SIZE, DSN, SMTPUTF8, STARTTLS, AUTH as offered).
Writes: a Maildir of what was accepted, one file per message and recipient; a Maildir `bounces` beside it.
It is strict on purpose: a parameter that was not offered, a nested MAIL or unannounced 8-bit data is refused.
"""

import asyncio
import base64
import contextlib
import os
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping
from ipaddress import ip_address
from pathlib import Path

from pipeline.domain import RefusedBySafety
from pipeline.sandbox.mail_rules import Rule, RuleBook
from pipeline.sandbox.maildir import Envelope, Kept, keep, kept, status_notification
from pipeline.sandbox.streams import listening

NAME = "mx.sandbox.example"
OFFERS = ("PIPELINING", "8BITMIME", "SIZE 10485760", "DSN", "ENHANCEDSTATUSCODES")
_LONGEST_LINE = 4096
_PATH = re.compile(r"(MAIL FROM|RCPT TO):<((?:\"(?:[^\"\\]|\\.)*\"|[^<>\"])*)>((?: [^ ]+)*)", re.IGNORECASE)
_OFFER_OF = {"BODY": "8BITMIME", "RET": "DSN", "ENVID": "DSN", "NOTIFY": "DSN", "ORCPT": "DSN"}


class MailServer:
    """A running server.  `commands` holds the last lines received, each with the number of its connection, from 1."""

    def __init__(
        self, rules: RuleBook, maildir: Path, offers: Collection[str], users: Mapping[str, str], fsync: bool
    ) -> None:
        self.rules = rules
        self.maildir = maildir
        self.bounces = maildir.with_name("bounces")
        self.offers = tuple(offers)
        self.users = users
        self.fsync = fsync
        self.host = ""
        self.port = 0
        self.connections = 0
        self.commands: deque[tuple[int, str]] = deque(maxlen=10_000)

    def messages(self) -> list[Kept]:
        """Return what was kept, oldest first: (recipient, Message-ID, SHA-256 of the bytes received, path)."""
        return kept(self.maildir)


@contextlib.asynccontextmanager
async def serve(
    rules: Mapping[str, Rule],
    maildir: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    offers: Collection[str] = OFFERS,
    tls: ssl.SSLContext | None = None,
    users: Mapping[str, str] | None = None,
    fsync: bool = False,
) -> AsyncIterator[MailServer]:
    """Serve until the block is left; the server's `port` is the one the system gave when `port` is 0.

    `offers` are lines of the EHLO reply; STARTTLS is added when `tls` is given, AUTH PLAIN when `users` (name to
    password) are.  Raises RefusedBySafety for an address that is not loopback.
    """
    if not ip_address(host).is_loopback:
        raise RefusedBySafety(f"the sandbox's mail server does not listen on {host}", "it must stay on this machine")
    server = MailServer(RuleBook(rules), maildir, offers, users or {}, fsync)
    for folder in (server.maildir, server.bounces):
        for part in ("tmp", "new", "cur"):
            os.makedirs(folder / part, exist_ok=True)
    largest = next((int(offer[5:]) for offer in offers if offer.startswith("SIZE ")), 10_485_760)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        await _Dialogue(server, reader, writer, tls, largest).run()

    async with listening(converse, host, port, largest) as used:
        server.host, server.port = host, used
        yield server


class _HangUp(Exception):
    """The connection ends here."""


class _Dialogue:
    """One connection, from greeting to goodbye."""

    def __init__(
        self,
        server: MailServer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tls: ssl.SSLContext | None,
        largest: int,
    ) -> None:
        self._server = server
        self._rules = server.rules
        self._reader = reader
        self._writer = writer
        self._tls = tls  # None once it is in use
        self._largest = largest  # bytes of one message
        self._number = server.connections
        self._envelope: Envelope | None = None

    async def run(self) -> None:
        with contextlib.suppress(_HangUp, OSError, asyncio.IncompleteReadError):
            await self._answer(self._rules.applies("connect"), f"220 {NAME} ESMTP")
            while True:
                await self._command(await self._line())

    def _say(self, text: str) -> None:
        self._writer.write(text.encode("utf-8", "surrogateescape") + b"\r\n")

    async def _line(self) -> str:
        try:
            raw = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise _HangUp from None
        if len(raw) > _LONGEST_LINE:
            self._say("500 5.5.2 Line too long")
            raise _HangUp
        line = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
        self._server.commands.append((self._number, line))
        return line

    async def _answer(self, rule: Rule | None, usual: str) -> bool:
        """Say what the rule wants said, else `usual`; returns True if it was `usual`."""
        if rule is None or rule.do == "bounce":
            self._say(usual)
        elif rule.do == "drop":
            self._writer.transport.abort()
            raise _HangUp
        elif rule.do == "stall" and rule.seconds == 0:
            while await self._reader.read(65536):
                pass
            raise _HangUp
        elif rule.do == "stall":
            await asyncio.sleep(rule.seconds)
            self._say(usual)
        elif rule.do == "slow":
            for byte in usual.encode() + b"\r":
                self._writer.write(bytes([byte]))
                await asyncio.sleep(rule.seconds)
            self._writer.write(b"\n")  # at once what follows: the other side may begin with TLS now
        elif rule.do == "raw":
            self._writer.write(rule.reply.encode("latin-1"))
            return False
        else:
            self._say(rule.reply)
            if rule.reply.startswith("421"):
                raise _HangUp
            return False
        return True

    async def _command(self, line: str) -> None:
        verb = line.partition(" ")[0].upper()
        match verb:
            case "EHLO" | "HELO":
                self._envelope = None
                await self._answer(self._rules.applies("ehlo"), self._greeting() if verb == "EHLO" else f"250 {NAME}")
            case "STARTTLS" if self._tls is not None:
                if await self._answer(self._rules.applies("starttls"), "220 2.0.0 Go on"):
                    await self._writer.start_tls(self._tls)
                    self._tls = None
            case "AUTH" if self._server.users:
                known = await self._credentials(line)
                await self._answer(self._rules.applies("auth"), "235 2.7.0 Welcome" if known else "535 5.7.8 No")
            case "MAIL":
                await self._mail(line)
            case "RCPT":
                await self._rcpt(line)
            case "DATA":
                await self._data()
            case "RSET":
                self._envelope = None
                self._say("250 2.0.0 Forgotten")
            case "NOOP":
                self._say("250 2.0.0 Ok")
            case "QUIT":
                self._say("221 2.0.0 Bye")
                raise _HangUp
            case _:
                self._say("502 5.5.1 Not implemented")

    def _greeting(self) -> str:
        lines = [NAME, *self._server.offers]
        lines += ["STARTTLS"] * (self._tls is not None) + ["AUTH PLAIN"] * bool(self._server.users)
        return "\r\n".join([f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"])

    async def _credentials(self, line: str) -> bool:
        words = line.split(" ")
        if len(words) < 3:
            self._say("334 ")
            words = ["", "", await self._line()]
        try:
            _, user, password = base64.b64decode(words[2], validate=True).decode().split("\0")
        except ValueError:
            return False
        return self._server.users.get(user) == password

    def _path(self, line: str) -> tuple[str, dict[str, str]] | None:
        """Return the address and the parameters of MAIL or RCPT, or None after saying what is wrong with them."""
        match = _PATH.fullmatch(line)
        if match is None:
            self._say("501 5.5.4 Syntax")
            return None
        parameters = {name.upper(): value for name, _, value in (word.partition("=") for word in match[3].split())}
        offered = {offer.partition(" ")[0] for offer in self._server.offers}
        if not offered.issuperset(_OFFER_OF.get(name, name) for name in parameters):
            self._say("555 5.5.4 That parameter was not offered")
        elif not (line.isascii() or "SMTPUTF8" in parameters or (self._envelope and self._envelope.utf8)):
            self._say("553 5.6.7 SMTPUTF8 was not asked for")
        else:
            return match[2], parameters
        return None

    async def _mail(self, line: str) -> None:
        if self._envelope is not None:
            self._say("503 5.5.1 Nested MAIL")
        elif (path := self._path(line)) and await self._answer(self._rules.applies("mail"), "250 2.1.0 Ok"):
            self._envelope = Envelope(path[0], path[1])

    async def _rcpt(self, line: str) -> None:
        if self._envelope is None:
            self._say("503 5.5.1 MAIL first")
        elif (path := self._path(line)) and await self._answer(self._rules.applies("rcpt", path[0]), "250 2.1.5 Ok"):
            self._envelope.recipients[path[0]] = path[1]

    async def _data(self) -> None:
        envelope = self._envelope
        if envelope is None or not envelope.recipients:
            self._say("554 5.5.1 No valid recipients")
            return
        first = next(iter(envelope.recipients))
        if not await self._answer(self._rules.applies("data", first), "354 Go on"):
            return
        if rule := self._rules.applies("body", first):
            if rule.do == "drop":
                await self._reader.readuntil(b"\n")
            await self._answer(rule, "")
            raise _HangUp
        data = await self._message()
        self._envelope = None
        rule = self._rules.applies("dot", first)
        if not (data.isascii() or envelope.eight_bit):
            self._say("554 5.6.3 8-bit data was not announced")
            return
        if rule is None or rule.accepts or rule.keep:
            self._keep(envelope, data, rule)
        await self._answer(rule, "250 2.0.0 Kept")

    async def _message(self) -> bytes:
        """Return the message without its final dot and dot-stuffing (RFC 5321 4.5.2)."""
        lines: list[bytes] = []
        left = self._largest
        try:
            while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
                lines.append(line.removeprefix(b"."))
                left -= len(line)
                if left < 0:
                    raise asyncio.LimitOverrunError("too big", 0)
        except asyncio.LimitOverrunError:
            self._say("552 5.3.4 Too big")
            raise _HangUp from None
        return b"".join(lines)

    def _keep(self, envelope: Envelope, data: bytes, rule: Rule | None) -> None:
        for recipient, parameters in envelope.recipients.items():
            keep(self._server.maildir, envelope.sender, recipient, data, self._server.fsync)
            wanted = envelope.sender and "NEVER" not in parameters.get("NOTIFY", "").upper()
            if rule is not None and rule.do == "bounce" and wanted:
                notification = status_notification(envelope, recipient, rule.reply, data)
                keep(self._server.bounces, "", envelope.sender, notification, self._server.fsync)
