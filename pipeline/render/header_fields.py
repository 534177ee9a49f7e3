"""Header lines: names, mailboxes, words and codes as they may stand above a message, folded, and free of injection.

Pure and deterministic.  Every function raises ValueError for a control character, so no value can end its line.
A line has at most 76 characters where it can be folded and never more than 998.
Standards: RFC 5322 (2.1.1, 2.2.3, 3.2.5, 3.4), RFC 2047, RFC 3282, RFC 5890, RFC 6532.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

MAX_LINE = 76  # characters; RFC 2047, stricter than the 78 of RFC 5322
LONGEST_LINE = 998  # bytes; RFC 5322 2.1.1

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~-"
_ATOM = re.compile(rf"[{_ATEXT}]+")
_LOCAL_ATOM = re.compile(rf"[\u0080-\U0010FFFF{_ATEXT}]+")  # RFC 6532 3.2
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,200}@[A-Za-z0-9.-]{1,255}>")
_LANGUAGES = re.compile(r"[A-Za-z0-9-]{2,35}(?:, [A-Za-z0-9-]{2,35})*")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ENCODED_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # RFC 2047 5 (3)
_WORD_START, _WORD_END = "=?utf-8?q?", "?="
_ROOM = 75 - len(_WORD_START) - len(_WORD_END)  # characters inside one encoded word, RFC 2047 section 2
_MAX_PLAIN = 60  # characters; a longer plain word is encoded, so that it can be folded


@lru_cache(maxsize=256)
def originator(field: str, name: str, address: str) -> str:
    """Return From: or its like, of a display name (may be empty) and a mailbox."""
    return folded(field, [*_phrase(name), f"<{mailbox(address)}>"], early=True)


def words(field: str, text: str) -> str:
    """Return a header of plain words.  They stand one space apart, however many there were."""
    no_controls(text)
    split = [word for word in text.split(" ") if word]
    return folded(field, _mixed(split, [_stands(word) for word in split], len(f"{field}: ")))


def literal(field: str, text: str) -> str:
    """Return a header of ASCII words, none of them ever encoded: a server reads it as it is written.

    Raises ValueError if it is not ASCII, or has a word that no line can hold.
    """
    no_controls(text)
    if not text.isascii():
        raise ValueError(f"{field} is to be ASCII")
    return folded(field, [word for word in text.split(" ") if word])


def message_ids(field: str, ids: Iterable[str]) -> str:
    """Return a header of Message-IDs, each with its angle brackets."""
    return folded(field, [_checked(_MESSAGE_ID, each) for each in ids])


def languages(text: str) -> str:
    """Return Content-Language.  `text` is one language tag or several, with ", " between."""
    return folded("Content-Language", _checked(_LANGUAGES, text).split(" "))


@lru_cache(maxsize=1024)
def mailbox(text: str) -> str:
    """Return a mailbox as headers spell it: a quoted local part where it must be, the domain in A-labels.

    A local part outside ASCII stays as it is (RFC 6532): such a message needs SMTPUTF8.  Raises ValueError if it is no
    mailbox, or one that a reader could take for another.
    """
    no_controls(text)
    local, at, domain = text.rpartition("@")
    if not at or not local or len(text.encode()) > 254 or len(local.encode()) > 64:
        raise ValueError("not a mailbox that can be written to")
    if not local.isprintable() or "=?" in local:  # what looks like an encoded word is decoded by some readers
        raise ValueError("not a mailbox that can be written to")
    if not _QUOTED.fullmatch(local):
        parts = local.split(".")
        if not all(_LOCAL_ATOM.fullmatch(part) for part in parts if part):
            raise ValueError("not a mailbox that can be written to")
        local = local if all(parts) else f'"{local}"'  # some providers gave out names with two dots in a row
    return f"{local}@{_a_labels(domain)}"


def folded(field: str, tokens: Sequence[str], early: bool = False) -> str:
    """Return a header, folded at white space between tokens where a line would grow too long.

    `early`: before the first token as well, where that keeps it within a line; some readers would show that fold as a
    space in a text, and none in an address.  Raises ValueError for a line over 998 bytes.
    """
    lines = [f"{field}:"]
    for n, token in enumerate(tokens):
        if len(lines[-1]) + 1 + len(token) > MAX_LINE and (n or (early and len(token) < MAX_LINE)):
            lines.append("")
        lines[-1] += f" {token}"
    if any(len(line.encode()) > LONGEST_LINE for line in lines):
        raise ValueError(f"{field} is too long for a line and cannot be folded")
    return "\r\n".join(lines)


def no_controls(text: str) -> None:
    """Raise ValueError for a control character, a line or paragraph separator, a surrogate."""
    if _CONTROL.search(text):
        raise ValueError("a control character or line break where none may stand")


def _a_labels(domain: str) -> str:
    try:
        ascii_form = domain if domain.isascii() else domain.encode("idna").decode("ascii")
        # The codec knows IDNA 2003 alone: where it would turn a name into another one ("ß" into "ss"), refuse.
        if not domain.isascii():
            again = ascii_form.encode("ascii").decode("idna").casefold()
            if again != unicodedata.normalize("NFC", domain.lower()):
                raise ValueError("a domain name that two standards read differently")
    except UnicodeError as error:
        raise ValueError(f"not a domain name: {error}") from error
    labels = ascii_form.split(".")
    if len(labels) < 2 or len(ascii_form) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("not a domain name")
    return ascii_form


def _phrase(name: str) -> list[str]:
    """Return a display name as tokens: atoms, or one quoted string, or atoms and encoded words (RFC 5322 3.2.5)."""
    no_controls(name)
    split = [word for word in name.split(" ") if word]
    name = " ".join(split)
    atoms = [bool(_ATOM.fullmatch(word)) and _stands(word) for word in split]
    if not all(atoms) and name.isascii() and "=?" not in name and len(name) <= _MAX_PLAIN:
        return ['"' + re.sub(r'(["\\])', r"\\\1", name) + '"']
    return _mixed(split, atoms, 0)


def _stands(word: str) -> bool:
    """True if a word may stand as it is among encoded ones."""
    return word.isascii() and "=?" not in word and len(word) <= _MAX_PLAIN


def _mixed(split: Sequence[str], stand: Sequence[bool], column: int) -> list[str]:
    """Return words as tokens, each run of those that may not stand as encoded words; `column` is where the first begins."""
    tokens: list[str] = []
    run: list[str] = []
    for word, stands in zip(split, stand, strict=True):
        if stands:
            tokens += _encoded(run, 0 if tokens else column)
            tokens.append(word)
            run = []
        else:
            run.append(word)
    return tokens + _encoded(run, 0 if tokens else column)


def _encoded(run: Sequence[str], column: int) -> list[str]:
    """Return words as encoded words of at most 75 characters, cut at spaces; no character is ever split.

    A space next to a cut stays inside, as readers drop the one between two encoded words (RFC 2047 section 6.2).  A word
    is cut only if it is longer than an encoded word can be where it stands.
    """
    room = min(_ROOM, MAX_LINE - column - len(_WORD_START) - len(_WORD_END))
    pieces: list[str] = []
    current = ""
    for token in _units(run, room):
        if len(current) + len(token) > room and current:
            pieces.append(current)
            current, room = "", _ROOM
        current += token
    if current:
        pieces.append(current)
    return [f"{_WORD_START}{piece}{_WORD_END}" for piece in pieces]


def _units(run: Sequence[str], room: int) -> Iterator[str]:
    """Yield what is not cut: words and the spaces between, and the characters of a word that is too long."""
    for n, word in enumerate(run):
        if n:
            yield "_"
        whole = _q(word)
        if len(whole) <= (_ROOM if n else room):
            yield whole
        else:
            yield from (_q(character) for character in word)


@lru_cache(maxsize=1024)
def _q(text: str) -> str:
    return "".join(chr(byte) if byte in _ENCODED_SAFE else f"={byte:02X}" for byte in text.encode())


def _checked(form: re.Pattern[str], text: str) -> str:
    if not form.fullmatch(text) or "=?" in text:
        raise ValueError("not of the form that this header has")
    return text
