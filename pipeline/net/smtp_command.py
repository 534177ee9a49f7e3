"""What is said for one letter, and what keeps a letter from being said at all.  Pure: values in, a value out.

The whole message is read here, so how that is done was chosen by the clock: on 20 KB three `count` for the line ends take
60 us and a newline decoder 9; `replace` of what is not there takes 25 us, and `rfind` 7 to see that.
Standards: RFC 5321 2.3.8 (line ends), 4.1.2 (paths), 4.5.2 (dots), 1870 (SIZE), 3461 (DSN, xtext), 6152 (8BITMIME),
6531 (SMTPUTF8).
"""

import re
from collections.abc import Set
from io import IncrementalNewlineDecoder

from pipeline.domain import Send
from pipeline.net.smtp_event import Letter
from pipeline.net.smtp_wire import Reply

OURS = "made by us: "  # begins the text of every reply that no server gave

_ATOM = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010FFFF]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*|\"(?:[^\"\\\x00-\x1f\x7f]|\\[ -~])*\"")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")


def letter_of(send: Send, extensions: Set[str]) -> Letter | tuple[str, Reply]:
    """Return what is said for a letter, or the stage and the refusal that we give ourselves (see `problem`)."""
    refusal = problem(send.sender, send.recipient, send.data, extensions)
    if refusal is not None:
        return refusal
    mail = mail_from(send.sender, send.recipient, send.data, send.envid, extensions)
    return Letter(send.letter_id, mail, rcpt_to(send.recipient, extensions), wire_form(send.data))


def problem(sender: str, recipient: str, data: bytes, extensions: Set[str]) -> tuple[str, Reply] | None:
    """Return the stage and the refusal that we give ourselves, or None if the letter may be offered to the relay.

    About the recipient: stage rcpt.  About the sender or the message, which are our own work: stage mail.  `extensions`
    are those the relay offered, in lower case.  A header outside ASCII needs SMTPUTF8, a body outside it 8BITMIME.
    """
    if not _only_crlf(data):
        return "mail", Reply(554, "5.6.0", f"{OURS}the message has a line end that is not CRLF")
    if not (sender.isascii() and _is_mailbox(sender)):
        return "mail", Reply(553, "5.1.7", f"{OURS}the sender is not a mailbox that can be written in ASCII")
    if not _is_mailbox(recipient):
        return "rcpt", Reply(553, "5.1.3", f"{OURS}the recipient is not a mailbox with an A-label domain")
    if not recipient.isascii() and "smtputf8" not in extensions:  # first: it is this letter that cannot go, not us
        return "rcpt", Reply(553, "5.6.7", f"{OURS}the relay does not offer SMTPUTF8")
    if data.isascii():
        return None
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.isascii() and "smtputf8" not in extensions:
        return "mail", Reply(554, "5.6.7", f"{OURS}a header is outside ASCII, and the relay does not offer SMTPUTF8")
    if not body.isascii() and "8bitmime" not in extensions:
        return "mail", Reply(554, "5.6.3", f"{OURS}the relay does not offer 8BITMIME")
    return None


def _only_crlf(data: bytes) -> bool:
    """True if every line ends with CRLF, the last one too."""
    ends = IncrementalNewlineDecoder(None, translate=False)
    ends.decode(data.decode("latin-1"), final=True)  # without a decoder of its own it takes text
    return ends.newlines == "\r\n" and data.endswith(b"\r\n")


def wire_form(data: bytes) -> bytes:
    """Return the message with every line that begins with a dot given one more (RFC 5321 4.5.2)."""
    if data.rfind(b"\r\n.") >= 0:
        data = data.replace(b"\r\n.", b"\r\n..")
    return b"." + data if data.startswith(b".") else data


def _is_mailbox(address: str) -> bool:
    local, at, domain = address.rpartition("@")
    if not at or len(local.encode("utf-8", "replace")) > 64 or len(address.encode("utf-8", "replace")) > 254:
        return False
    return local.isprintable() and bool(_LOCAL.fullmatch(local)) and bool(_DOMAIN.fullmatch(domain))


def mail_from(sender: str, recipient: str, data: bytes, envid: str, extensions: Set[str]) -> bytes:
    """Return the MAIL command with what the letter needs and the relay offers."""
    words = [f"MAIL FROM:<{sender}>"]
    if "size" in extensions:
        words.append(f"SIZE={len(data)}")
    if not data.isascii() and "8bitmime" in extensions:
        words.append("BODY=8BITMIME")
    if not recipient.isascii() or not data.partition(b"\r\n\r\n")[0].isascii():  # RFC 6531 section 3.4
        words.append("SMTPUTF8")
    if "dsn" in extensions:
        words.append("RET=HDRS")
        if envid:
            words.append(f"ENVID={xtext(envid)}")
    return (" ".join(words) + "\r\n").encode("ascii")


def rcpt_to(recipient: str, extensions: Set[str]) -> bytes:
    """Return the RCPT command; where DSN is offered it asks for news of failure and delay (RFC 3461 4.1, 4.2)."""
    words = [f"RCPT TO:<{recipient}>"]
    if "dsn" in extensions:
        words.append("NOTIFY=FAILURE,DELAY")
        if recipient.isascii():  # else it would have to be utf-8-addr-xtext (RFC 6533 section 3)
            words.append(f"ORCPT=rfc822;{xtext(recipient)}")
    return (" ".join(words) + "\r\n").encode("utf-8")


def xtext(text: str) -> str:
    """Return ASCII text with everything but printing characters, and "+" and "=", as +XX (RFC 3461 section 4)."""
    return _NOT_XTEXT.sub(lambda match: f"+{ord(match[0]):02X}", text)
