"""A letter's text and headers become the exact bytes of a message, but for the lines that are set when it is sent.

Pure and deterministic; written by hand because email.message folds long words into encoded ones, leaves "From " and a
lone dot at the start of a line as they are, and spells domains that no server knows.  Lines end in CRLF.  Date,
DKIM-Signature and Return-Path are not made here: `head` makes the Date line at the moment of sending.
Standards: RFC 5322 (2.1.1, 2.2.3, 3.4), RFC 2045 section 6.7 (quoted-printable), RFC 2047, RFC 3282, RFC 5890.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

MAX_LINE = 76  # characters; RFC 2045 and RFC 2047, stricter than the 78 of RFC 5322

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,200}@[A-Za-z0-9.-]{1,255}>")
_LANGUAGES = re.compile(r"[A-Za-z0-9-]{2,35}(?:, [A-Za-z0-9-]{2,35})*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_ENCODED_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # RFC 2047 5 (3)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LITERAL = frozenset(chr(code) for code in range(0x20, 0x7F) if chr(code) != "=")
_PLAIN_LINE = re.compile(r"(?!From |\.)[ -<>-~]*(?<! )")
_WORD_START, _WORD_END = "=?utf-8?q?", "?="
_MAX_ENCODED = 75  # RFC 2047 section 2
_MAX_TOKEN = 60  # a longer plain word is encoded, so that it can be folded


@dataclass(frozen=True, slots=True)
class Headers:
    """What stands above a letter.  `message_id` and `in_reply_to` have their angle brackets; the latter may be empty."""

    from_name: str
    from_mailbox: str
    reply_to: str
    to: str
    subject: str
    message_id: str
    content_language: str
    in_reply_to: str = ""


def build(headers: Headers, text: str) -> bytes:
    """Return the message.  `text` has "\\n" between lines.

    Raises ValueError for a control character anywhere (CR, LF and NUL in a header among them; "\\n" alone is allowed,
    and only in the text), and for a mailbox, Message-ID or language that is not of its form.
    """
    lines = [
        _folded("From", [*_phrase(headers.from_name), f"<{mailbox(headers.from_mailbox)}>"]),
        _folded("Reply-To", [mailbox(headers.reply_to)]),
        _folded("To", [mailbox(headers.to)]),
        _folded("Subject", _words(headers.subject)),
        _folded("Message-ID", [_checked(_MESSAGE_ID, headers.message_id)]),
        *([_folded("In-Reply-To", [_checked(_MESSAGE_ID, headers.in_reply_to)])] if headers.in_reply_to else []),
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
        _folded("Content-Language", [_checked(_LANGUAGES, headers.content_language)]),
        "",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii") + quoted_printable(text)


def head(date: datetime) -> bytes:
    """Return the Date line, for the moment of sending.  Raises ValueError if the time has no zone."""
    if date.utcoffset() is None:
        raise ValueError("a Date needs a zone")
    return f"Date: {format_datetime(date.astimezone(UTC))}\r\n".encode("ascii")


def quoted_printable(text: str) -> bytes:
    """Return `text` as quoted-printable lines of at most 76 characters, ending in CRLF.

    White space at the end of a line, "From " at its start and a dot at its start are encoded, so that neither a relay
    nor a mailbox file changes them.  Raises ValueError for a control character other than "\\n".
    """
    _no_controls(text.replace("\n", ""))
    out: list[str] = []
    for line in text.removesuffix("\n").split("\n"):
        if len(line) < MAX_LINE and _PLAIN_LINE.fullmatch(line):
            out.append(line)
            continue
        current = ""
        tokens = _tokens(line)
        for n, token in enumerate(tokens):
            if len(current) + len(token) > MAX_LINE - 1:  # one place is for the soft break
                out.append(f"{current}=")
                current = ""
            current += token if current else _guarded(tokens, n)
        out.append(current)
    return "".join(f"{line}\r\n" for line in out).encode("ascii")


def mailbox(text: str) -> str:
    """Return a mailbox as headers spell it: a quoted local part where it must be, the domain in A-labels.

    Raises ValueError if it is none, or if its local part is not ASCII (that would need SMTPUTF8).
    """
    _no_controls(text)
    local, at, domain = text.rpartition("@")
    if not at or not local or len(text) > 254 or len(local) > 64 or not local.isascii():
        raise ValueError("not a mailbox that can be written to")
    if not _QUOTED.fullmatch(local):
        parts = local.split(".")
        if not all(_ATOM.fullmatch(part) for part in parts if part):
            raise ValueError("not a mailbox that can be written to")
        local = local if all(parts) else f'"{local}"'  # some providers gave out names with two dots in a row
    return f"{local}@{_a_labels(domain)}"


def _a_labels(domain: str) -> str:
    try:
        ascii_form = domain.encode("idna").decode("ascii")
        # The codec knows IDNA 2003 alone: where it would turn a name into another one ("ß" into "ss"), refuse.
        same = ascii_form.encode("ascii").decode("idna").casefold() == unicodedata.normalize("NFC", domain.lower())
    except UnicodeError as error:
        raise ValueError(f"not a domain name: {error}") from error
    labels = ascii_form.split(".")
    if not domain.isascii() and not same:
        raise ValueError("a domain name that two standards read differently")
    if len(labels) < 2 or len(ascii_form) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("not a domain name")
    return ascii_form


def _tokens(line: str) -> list[str]:
    """Return a line's characters, each as it may stand in quoted-printable; no character is split by a soft break."""
    tokens = [character if character in _LITERAL else _escaped(character) for character in line]
    if tokens and tokens[-1] == " ":
        tokens[-1] = "=20"
    return tokens


@lru_cache(maxsize=1024)
def _escaped(character: str) -> str:
    return "".join(f"={byte:02X}" for byte in character.encode())


def _guarded(tokens: list[str], n: int) -> str:
    """Return the token that begins a line, encoded where a relay or a mailbox file would touch it."""
    if tokens[n : n + 5] == list("From "):
        return "=46"
    return "=2E" if tokens[n] == "." else tokens[n]


def _phrase(name: str) -> list[str]:
    """Return a display name as tokens: atoms, or one quoted string, or encoded words (RFC 5322 3.2.5)."""
    _no_controls(name)
    plain = [word for word in name.split(" ") if word]
    name = " ".join(plain)
    if all(_ATOM.fullmatch(word) and "=?" not in word for word in plain):
        return plain
    if name.isascii() and "=?" not in name and len(name) <= _MAX_TOKEN:
        return ['"' + re.sub(r'(["\\])', r"\\\1", name) + '"']
    return _encoded(name)


def _words(text: str) -> list[str]:
    """Return an unstructured text as tokens; each run of words that need it becomes encoded words.

    Words stand one space apart, however many there were.
    """
    _no_controls(text)
    tokens: list[str] = []
    run: list[str] = []
    for word in filter(None, text.split(" ")):
        if word.isascii() and "=?" not in word and len(word) <= _MAX_TOKEN:
            tokens += _encoded(" ".join(run)) if run else []
            tokens.append(word)
            run = []
        else:
            run.append(word)
    return tokens + (_encoded(" ".join(run)) if run else [])


def _encoded(text: str) -> list[str]:
    """Return `text` as encoded words of at most 75 characters, none of which splits a character (RFC 2047 section 5)."""
    room = _MAX_ENCODED - len(_WORD_START) - len(_WORD_END)
    pieces = [""]
    for character in text:
        token = "".join(
            "_" if byte == 0x20 else chr(byte) if byte in _ENCODED_SAFE else f"={byte:02X}"
            for byte in character.encode()
        )
        if len(pieces[-1]) + len(token) > room:
            pieces.append("")
        pieces[-1] += token
    return [f"{_WORD_START}{piece}{_WORD_END}" for piece in pieces]


def _folded(name: str, tokens: list[str]) -> str:
    """Return a header, folded at white space between tokens where a line would grow too long."""
    lines = [f"{name}:"]
    for n, token in enumerate(tokens):
        if n and len(lines[-1]) + 1 + len(token) > MAX_LINE:
            lines.append("")
        lines[-1] += f" {token}"
    return "\r\n".join(lines)


def _checked(form: re.Pattern[str], text: str) -> str:
    if not form.fullmatch(text):
        raise ValueError("not of the form that this header has")
    return text


def _no_controls(text: str) -> None:
    if _CONTROL.search(text):
        raise ValueError("a control character or line break where none may stand")
