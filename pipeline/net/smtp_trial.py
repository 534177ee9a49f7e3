"""Try the relay: connect as sending does, say what it offers, and hand over one test letter if there is one.

Writes: nothing but what the relay does with that letter.  Repeating it sends the letter again: whoever calls has written
down before that it goes.  Its envelope asks for all that a real letter's does.  Standards: RFC 5321, RFC 3207, RFC 3461,
RFC 4954.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import aiosmtplib

from pipeline.domain import Send
from pipeline.net.edge import alone
from pipeline.net.smtp_command import mail_from, rcpt_to
from pipeline.net.smtp_session import NotOpened, RelaySettings, drop, offers, opened, reply_to, tls_context
from pipeline.net.smtp_wire import Reply, cleaned


@dataclass(frozen=True, slots=True)
class Trial:
    """What the relay offers (in capitals, with its parameters), how the connection is encrypted (empty: not), whether we
    logged in, and its answer to the letter, None if there was none."""

    extensions: Mapping[str, str]
    tls: str
    cipher: str
    certificate_sha256: str
    logged_in: bool
    reply: Reply | None


def trial(settings: RelaySettings, letter: Send | None = None) -> Trial:
    """Try the relay, and hand it the letter if there is one.  Raises NotOpened, ConfigurationError."""
    return alone(_trial(settings, letter))


async def _trial(settings: RelaySettings, letter: Send | None) -> Trial:
    client, known = await opened(settings, tls_context(settings))
    transport = client.transport
    try:
        return Trial(
            extensions=offers(client),
            tls=known.tls,
            cipher=known.cipher,
            certificate_sha256=known.certificate,
            logged_in=bool(settings.username),
            reply=await _handed(client, settings, letter) if letter is not None else None,
        )
    finally:
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):  # it answered all that was asked
            await client.quit(timeout=min(settings.timeout, 5.0))
        drop(client, transport)


async def _handed(client: aiosmtplib.SMTP, settings: RelaySettings, letter: Send) -> Reply:
    offered = {name.lower() for name in offers(client)} - {"size"}  # aiosmtplib says it
    said = (
        mail_from(letter.sender, letter.recipient, letter.data, letter.envid, offered),
        rcpt_to(letter.recipient, offered),
    )
    mail, rcpt = (command.decode().rpartition(">")[2].split() for command in said)
    try:
        _, text = await client.sendmail(
            letter.sender,
            [letter.recipient],
            letter.data,
            mail_options=mail,
            rcpt_options=rcpt,
            timeout=settings.timeout,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        return reply_to(error.recipients[0], settings)
    except (aiosmtplib.SMTPException, OSError) as error:
        return reply_to(error, settings)
    return Reply(250, "", cleaned(text))


__all__ = ("NotOpened", "Trial", "trial")
