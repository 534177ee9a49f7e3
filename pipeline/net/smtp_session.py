"""One connection to the relay: set up by aiosmtplib, then spoken by hand, so that the final dot is ours to hold.

aiosmtplib connects, says EHLO, changes to TLS and logs in.  Then the transport is taken over: the library throws away
what a server says out of turn, and cannot tell a connection lost before the final dot from one lost after it.
Standards: RFC 5321 (3.3, 4.5.3.2 time-outs), 2920, 3207, 4954.
"""

import asyncio
import base64
import ssl
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import aiosmtplib

from pipeline.domain import ConfigurationError
from pipeline.net.smtp_wire import Reply, Wire, cleaned, dot_stuffed, reply_of

_CHUNK = 65_536  # bytes; waiting is between two of them


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """One relay and how we speak to it.  Times are in seconds.

    `tls`: none; opportunistic (when offered, any certificate); required (any certificate); verified (a certificate for
    `host`, from `ca_file` or the system's authorities).  The password is sent in clear only with `none`.
    `ehlo_name` empty: our address as a literal (RFC 5321 4.1.4).  `timeout` is for each reply but the one to the dot.
    """

    host: str
    port: int
    tls: Literal["none", "opportunistic", "required", "verified"] = "opportunistic"
    ca_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    ehlo_name: str = ""
    source_address: str = ""
    connections: int = 4
    max_letters_per_connection: int = 100
    max_age: float = 300.0
    timeout: float = 60.0
    dot_timeout: float = 600.0
    backoff: float = 1.0  # wait after a connection that failed; doubled for each that fails after it
    longest_backoff: float = 300.0

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"


class NotOpened(Exception):
    """No connection came about: `stage` (connect, tls, ehlo, auth) and the `reply` that ended it."""

    def __init__(self, stage: str, reply: Reply) -> None:
        super().__init__(stage, reply)
        self.stage = stage
        self.reply = reply


class Session:
    """An open connection, ready for letters, one at a time."""

    def __init__(self, settings: RelaySettings, wire: Wire, extensions: frozenset[str], tls: str) -> None:
        self.extensions = extensions  # in lower case: pipelining, 8bitmime, smtputf8, dsn, size
        self.tls = tls
        self.letters = 0
        self._settings = settings
        self._wire = wire
        self._born = asyncio.get_running_loop().time()

    @property
    def fresh(self) -> bool:
        """True if the next letter may use this connection: young, not worn out, and silent since the last reply."""
        age = asyncio.get_running_loop().time() - self._born
        worn = self.letters >= self._settings.max_letters_per_connection or age > self._settings.max_age
        return self._wire.quiet and not worn

    async def envelope(self, mail: bytes, rcpt: bytes) -> tuple[str, Reply]:
        """Say MAIL, RCPT and, when both are accepted, DATA; returns the last stage and its reply, ("data", 354) if all
        went well.  MAIL and RCPT share a packet where PIPELINING is offered; DATA never does, so that a refused
        recipient leaves the connection usable."""
        self.letters += 1
        together = "pipelining" in self.extensions
        self._wire.write(mail + rcpt if together else mail)
        mailed = await self._wire.reply(self._settings.timeout)
        if mailed.code // 100 != 2:
            if together and mailed.code not in (0, 421):
                await self._wire.reply(self._settings.timeout)  # RCPT's, which is bound to be a refusal
            return "mail", mailed
        if not together:
            self._wire.write(rcpt)
        named = await self._wire.reply(self._settings.timeout)
        if named.code // 100 != 2:
            return "rcpt", named
        self._wire.write(b"DATA\r\n")
        return "data", await self._wire.reply(self._settings.timeout)

    async def until(self, decision: asyncio.Future[bool]) -> Reply | None:
        """Wait for the decision; returns None once it is there, or what the relay said or did in the meantime."""
        while self._wire.quiet and not decision.done():
            either: set[asyncio.Future[Any]] = {decision, self._wire.news()}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return None if self._wire.quiet else await self._wire.reply(self._settings.timeout)

    async def body(self, data: bytes) -> tuple[str, Reply]:
        """Write the message and its final dot; returns ("dot", reply), or ("data", reply) if the dot was not written.

        Once the dot may have left us, what comes back is ("dot", ...) whatever happens.
        """
        stuffed = dot_stuffed(data)
        while len(stuffed) > _CHUNK:
            self._wire.write(stuffed[:_CHUNK])
            stuffed = stuffed[_CHUNK:]
            if not await self._wire.written(
                self._settings.timeout
            ):  # refused or gone: without its dot it is no message
                return "data", await self._wire.reply(self._settings.timeout)
        self._wire.write(bytes(stuffed) + b".\r\n")
        return "dot", await self._wire.reply(self._settings.dot_timeout)

    async def reset(self) -> bool:
        """Say RSET; returns True if the connection can take the next letter."""
        self._wire.write(b"RSET\r\n")
        return (await self._wire.reply(self._settings.timeout)).code == 250

    async def quit(self) -> None:
        """Say QUIT, wait a little for the answer, and close."""
        if self._wire.quiet:
            self._wire.write(b"QUIT\r\n")
            await self._wire.reply(min(self._settings.timeout, 5.0))
        await self.close()

    async def close(self) -> None:
        """Close at once: what is not written yet is never written."""
        self._wire.abort()
        await asyncio.wait({self._wire.closed}, timeout=self._settings.timeout)

    def abort(self) -> None:
        """As `close`, without waiting for it."""
        self._wire.abort()


def tls_context(settings: RelaySettings) -> ssl.SSLContext | None:
    """Return what STARTTLS will use, or None for `none`.  Raises ConfigurationError if `ca_file` cannot be used."""
    if settings.tls == "none":
        return None
    if settings.tls != "verified":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"the certificate file {settings.ca_file} cannot be used", str(error), "name a PEM file"
        ) from error


async def open_session(settings: RelaySettings, context: ssl.SSLContext | None) -> Session:
    """Connect, EHLO, STARTTLS and AUTH as the settings say.  Raises NotOpened."""
    client = aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        local_hostname=settings.ehlo_name or "localhost",
        source_address=(settings.source_address, 0) if settings.source_address else None,
        timeout=settings.timeout,
        start_tls=False,
        tls_context=context,
    )
    stage = "connect"
    try:
        await client.connect()
        name = settings.ehlo_name or _literal(client.get_transport_info("sockname")[0])
        stage = "ehlo"
        await client.ehlo(hostname=name)
        stage = "tls"
        version = ""
        if context and (settings.tls != "opportunistic" or client.supports_extension("starttls")):
            await client.starttls()
            version = client.get_transport_info("ssl_object").version()
            stage = "ehlo"
            await client.ehlo(hostname=name)
        stage = "auth"
        if settings.username:
            if context and not version:
                raise aiosmtplib.SMTPException("TLS is not offered: the password was not sent")
            await client.login(settings.username, settings.password)
        if not client.is_connected:
            raise aiosmtplib.SMTPServerDisconnected("the relay closed the connection")
        wire = Wire(cast(asyncio.Transport, client.transport))
        return Session(settings, wire, frozenset(client.esmtp_extensions), version)
    except (aiosmtplib.SMTPException, OSError) as error:
        _drop(client)
        raise NotOpened(stage, _reply_of(error, settings)) from error
    except BaseException:
        _drop(client)
        raise


def _drop(client: aiosmtplib.SMTP) -> None:
    if client.transport is not None:
        cast(asyncio.Transport, client.transport).abort()  # to close TLS politely could take its 30 s
    client.close()


def _literal(address: str) -> str:
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _reply_of(error: Exception, settings: RelaySettings) -> Reply:
    """Return the reply inside an exception of aiosmtplib, without any echo of the password."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        code, text = error.code, str(error.message)
    else:
        code, text = 0, str(error) or type(error).__name__
    if settings.password:
        plain = f"\0{settings.username}\0{settings.password}"
        for secret in (settings.password, plain):
            text = text.replace(base64.b64encode(secret.encode()).decode(), "[hidden]").replace(secret, "[hidden]")
    if 200 <= code < 600:
        return reply_of(code, [cleaned(line) for line in text.split("\n")])
    return Reply(0, "", cleaned(text))
