"""A connection to the relay is set up by aiosmtplib and then taken over, so that the final dot is ours to hold.

aiosmtplib connects, says EHLO, changes to TLS and logs in.  Then the transport is taken over: the library throws away
what a server says out of turn, and cannot tell a connection lost before the final dot from one lost after it.
Standards: RFC 5321 (3.3, 4.5.3.2 time-outs), 2920, 3207, 4954.
"""

import asyncio
import base64
import contextlib
import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, cast

import aiosmtplib

from pipeline.domain import Clock, ConfigurationError, Connected, Said
from pipeline.net.smtp_wire import Reply, cleaned, reply_of

MOST_EXTENSIONS = 40
OTHER_CERTIFICATE = (  # with two fingerprints it stays under what is kept of a reply
    "the relay showed another certificate (SHA-256 {}) than the one that is set ({}): no letter and no password was sent. "
    "Ask whoever runs the relay whether it has a new certificate; if so, set mail.relay.fingerprint to it."
)
LONGEST_KEPT = 500  # characters of the line of extensions


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """One relay and how we speak to it.  Times are in seconds.

    `tls`: none; opportunistic (when offered, any certificate); required (any certificate); verified (a certificate for
    `host`, from `ca_file` or the system's authorities; with a `fingerprint`, SHA-256 in 64 lower-case digits, that
    certificate and no other, whoever signed it).  The password is sent in clear only with `none`.
    `ehlo_name` empty: our address as a literal (RFC 5321 4.1.4).  `timeout` is for each reply but the one to the dot.
    `called` is what the record calls it; empty: its host and port.
    """

    host: str
    port: int
    tls: Literal["none", "opportunistic", "required", "verified"] = "opportunistic"
    ca_file: str = ""
    fingerprint: str = ""
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
    withdraw_after: float = 5.0  # so long may a letter stand behind a dot if another connection could have it
    called: str = ""

    @property
    def name(self) -> str:
        return self.called or f"{self.host}:{self.port}"


class NotOpened(Exception):
    """No connection came about: `stage` (connect, tls, ehlo, auth), the `reply` that ended it, and how far it came."""

    def __init__(self, stage: str, reply: Reply, connection: Connected, milliseconds: int) -> None:
        super().__init__(stage, reply)
        self.stage = stage
        self.reply = reply
        self.connection = connection
        self.said = (Said(stage, milliseconds, reply.code, reply.enhanced, reply.text),)


def system_clock() -> datetime:
    return datetime.now(UTC)


def tls_context(settings: RelaySettings) -> ssl.SSLContext | None:
    """Return what STARTTLS will use, or None for `none`.  Raises ConfigurationError if `ca_file` cannot be used."""
    if settings.tls == "none":
        return None
    if settings.tls != "verified" or settings.fingerprint:  # whose certificate it is, is looked at after the handshake
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


async def connected(
    settings: RelaySettings, context: ssl.SSLContext | None, clock: Clock = system_clock
) -> tuple[asyncio.Transport, frozenset[str], Connected]:
    """Connect, EHLO, STARTTLS and AUTH as the settings say, and take the connection over from the library.

    Returns the transport, the extensions offered (in lower case: pipelining, 8bitmime, smtputf8, dsn, size) and what is to
    be recorded of the connection.  Whoever gets it sets a protocol of its own at once.  Raises NotOpened.
    """
    client, known = await opened(settings, context, clock)
    return cast(asyncio.Transport, client.transport), frozenset(client.esmtp_extensions), known


async def greet(settings: RelaySettings) -> str:
    """Connect as for letters, say QUIT, and return the version of TLS (empty: none).  Raises NotOpened."""
    client, known = await opened(settings, tls_context(settings))
    transport = client.transport
    with contextlib.suppress(aiosmtplib.SMTPException, OSError):  # it answered all that was asked
        await client.quit(timeout=min(settings.timeout, 5.0))
    drop(client, transport)
    return known.tls


async def opened(
    settings: RelaySettings, context: ssl.SSLContext | None, clock: Clock = system_clock
) -> tuple[aiosmtplib.SMTP, Connected]:
    loop = asyncio.get_running_loop()
    began, known = loop.time(), Connected(settings.name, clock())
    client = aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        local_hostname=settings.ehlo_name or "localhost",
        source_address=(settings.source_address, 0) if settings.source_address else None,
        timeout=settings.timeout,
        start_tls=False,
        tls_context=context,
    )
    stage, transport = "connect", client.transport
    try:
        greeting = await client.connect()
        name = settings.ehlo_name or _literal(client.get_transport_info("sockname")[0])
        transport = client.transport
        peer = str(client.get_transport_info("peername")[0])
        known = replace(known, address=peer, greeting=cleaned(greeting.message))
        stage = "ehlo"
        await client.ehlo(hostname=name)
        known = replace(known, extensions=_listed(client))
        stage = "tls"
        if context and (settings.tls != "opportunistic" or client.supports_extension("starttls")):
            await client.starttls()
            transport = client.transport
            known = _encrypted(known, client.get_transport_info("ssl_object"))
            if settings.tls == "verified" and settings.fingerprint not in ("", known.certificate):
                raise aiosmtplib.SMTPException(OTHER_CERTIFICATE.format(known.certificate, settings.fingerprint))
            stage = "ehlo"
            await client.ehlo(hostname=name)
            known = replace(known, extensions=_listed(client))
        stage = "auth"
        if settings.username:
            if context and not known.tls:
                raise aiosmtplib.SMTPException("TLS is not offered: the password was not sent")
            await client.login(settings.username, settings.password)
        if not client.is_connected:
            raise aiosmtplib.SMTPServerDisconnected("the relay closed the connection")
        return client, known
    except (aiosmtplib.SMTPException, OSError) as error:
        drop(client, transport)
        milliseconds = int((loop.time() - began) * 1000)
        raise NotOpened(stage, reply_to(error, settings), known, milliseconds) from error
    except BaseException:
        drop(client, transport)
        raise


def _encrypted(known: Connected, socket: ssl.SSLObject) -> Connected:
    certificate = socket.getpeercert(binary_form=True)
    return replace(
        known,
        tls=socket.version() or "",
        cipher=(socket.cipher() or ("",))[0],
        certificate=hashlib.sha256(certificate).hexdigest() if certificate else "",
    )


def offers(client: aiosmtplib.SMTP) -> Mapping[str, str]:
    """Return what the relay offers: {name, in capitals: its parameters}."""
    named = sorted(client.esmtp_extensions.items())[:MOST_EXTENSIONS]
    return {cleaned(name).upper()[:40]: cleaned(value)[:200] for name, value in named}


def _listed(client: aiosmtplib.SMTP) -> str:
    return ", ".join(f"{name} {value}".rstrip() for name, value in offers(client).items())[:LONGEST_KEPT]


def drop(client: aiosmtplib.SMTP, transport: asyncio.BaseTransport | None = None) -> None:
    """Close a connection at once; `transport` is the one it had, which the library forgets when a reply is overdue.

    To close TLS politely could take its 30 s, and with uvloop the end of the loop waits for it without an end.
    """
    for each in (transport, client.transport):
        if each is not None:
            cast(asyncio.Transport, each).abort()
    client.close()


def _literal(address: str) -> str:
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def reply_to(error: Exception, settings: RelaySettings) -> Reply:
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
