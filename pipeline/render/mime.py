"""A letter's parts and headers become the exact bytes of a message, but for the lines that are set when it is sent.

Pure and deterministic; written by hand because email.message folds long words into encoded ones, leaves "From " and a
lone dot at the start of a line as they are, draws boundaries by lot, and spells domains that no server knows.  Lines end
in CRLF.  Date, DKIM-Signature and Return-Path are not made here: the send stage puts them on top.
Standards: RFC 5322, RFC 2045, RFC 2046, RFC 6532 (a mailbox outside ASCII, and only that, is raw UTF-8).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.data.asked_headers import asked_headers
from pipeline.render import header_fields, mime_parts
from pipeline.render.header_fields import mailbox
from pipeline.render.mime_parts import (
    Part,
    attachment,
    entity,
    html_part,
    message_part,
    multilingual,
    multipart,
    text_part,
)
from pipeline.render.quoted_printable import quoted_printable

__all__ = [
    "Headers",
    "Part",
    "attachment",
    "build",
    "entity",
    "html_part",
    "mailbox",
    "message_part",
    "multilingual",
    "multipart",
    "needs_smtputf8",
    "quoted_printable",
    "text_part",
]


@dataclass(frozen=True, slots=True)
class Headers:
    """What stands above a letter.

    `message_id`, `in_reply_to` (may be empty) and `references` have their angle brackets; without `references` a letter
    that replies refers to what it replies to.  `extra` are headers that the contact asked for, by name.
    """

    from_name: str
    from_mailbox: str
    reply_to: str
    to: str
    subject: str
    message_id: str
    content_language: str
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)


def build(headers: Headers, part: Part | str) -> bytes:
    """Return the message.  A text, "\\n" between its lines, stands for a part of plain text.

    Raises ValueError for a control character anywhere (CR, LF and NUL in a header among them), for a mailbox, Message-ID
    or language that is not of its form, for an extra header that nobody may ask for, and for a header that cannot be
    folded below 998 bytes.
    """
    lines, body = mime_parts.written(text_part(part) if isinstance(part, str) else part)
    threaded = headers.references or ((headers.in_reply_to,) if headers.in_reply_to else ())
    head_lines = [
        header_fields.originator("From", headers.from_name, headers.from_mailbox),
        header_fields.folded("Reply-To", [mailbox(headers.reply_to)]),
        header_fields.folded("To", [mailbox(headers.to)]),
        header_fields.words("Subject", headers.subject),
        header_fields.message_ids("Message-ID", [headers.message_id]),
        *([header_fields.message_ids("In-Reply-To", [headers.in_reply_to])] if headers.in_reply_to else []),
        *([header_fields.message_ids("References", threaded)] if threaded else []),
        *(header_fields.literal(name, value) for name, value in asked_headers(headers.extra).items()),
        "MIME-Version: 1.0",
        *lines,
        header_fields.languages(headers.content_language),
    ]
    return "".join(f"{line}\r\n" for line in head_lines).encode() + b"\r\n" + body


def needs_smtputf8(headers: Headers) -> bool:
    """True if a mailbox has a local part outside ASCII, so that only servers with SMTPUTF8 take the letter (RFC 6531)."""
    addresses = (headers.from_mailbox, headers.reply_to, headers.to)
    return not all(mailbox(address).isascii() for address in addresses)
