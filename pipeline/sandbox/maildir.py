"""The sandbox's mail on disk: a Maildir of what was accepted, and the notifications of what was returned.

Reads and writes: a Maildir (tmp, then new).  Each file begins with Return-Path and X-Envelope-To; what follows are the
bytes as received.  Safe to repeat: every message is a file of its own, complete or not there.  Standards: RFC 3464.
"""

import hashlib
import os
import re
import socket
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import count
from pathlib import Path
from typing import NamedTuple

_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*([^\r\n]{1,500})", re.IGNORECASE | re.MULTILINE)
_number = count(1)


class Kept(NamedTuple):
    recipient: str
    message_id: str
    sha256: str  # of the bytes as received
    path: Path


@dataclass(slots=True)
class Envelope:
    """What MAIL and RCPT said of one message: the addresses, and the parameters of each by name in capitals."""

    sender: str
    parameters: dict[str, str]
    recipients: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def utf8(self) -> bool:
        return "SMTPUTF8" in self.parameters

    @property
    def eight_bit(self) -> bool:
        return self.parameters.get("BODY", "").upper() == "8BITMIME"


def keep(maildir: Path, sender: str, recipient: str, data: bytes, fsync: bool) -> Path:
    """Write one message into `maildir` and return its path; with `fsync` it is on the disk when this returns."""
    name = f"{time.time_ns():020d}.P{os.getpid()}Q{next(_number)}.{socket.gethostname()}"
    head = f"Return-Path: <{sender}>\r\nX-Envelope-To: {recipient}\r\n".encode("utf-8", "surrogateescape")
    path = maildir / "new" / name
    with open(maildir / "tmp" / name, "xb") as file:
        file.write(head)
        file.write(data)
        if fsync:
            file.flush()
            os.fsync(file.fileno())
    os.rename(maildir / "tmp" / name, path)
    if fsync:
        folder = os.open(maildir / "new", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return path


def kept(maildir: Path) -> list[Kept]:
    """Return every message of `maildir`, oldest first."""
    return [_read(path) for path in sorted((maildir / "new").iterdir())]


def _read(path: Path) -> Kept:
    _, recipient, data = path.read_bytes().split(b"\r\n", 2)
    match = _MESSAGE_ID.search(data[: data.find(b"\r\n\r\n")])
    return Kept(
        recipient.partition(b": ")[2].decode("utf-8", "surrogateescape"),
        match[1].strip().decode("ascii", "replace") if match else "",
        hashlib.sha256(data).hexdigest(),
        path,
    )


def status_notification(envelope: Envelope, recipient: str, reply: str, data: bytes) -> bytes:
    """Return the DSN (RFC 3464) that says `recipient` was refused with `reply`, such as "550 5.1.1 No such user"."""
    code, enhanced, words = reply.split(" ", 2)
    boundary = "returned-" + hashlib.sha256(data).hexdigest()[:24]
    report = ["Reporting-MTA: dns; mx.sandbox.example", f"Arrival-Date: {formatdate()}"]
    if "ENVID" in envelope.parameters:
        report.insert(0, f"Original-Envelope-Id: {_from_xtext(envelope.parameters['ENVID'])}")
    report.append("")
    if "ORCPT" in envelope.recipients[recipient]:
        report.append(f"Original-Recipient: {_from_xtext(envelope.recipients[recipient]['ORCPT'])}")
    report += [f"Final-Recipient: rfc822; {recipient}", "Action: failed", f"Status: {enhanced}"]
    report += ["Remote-MTA: dns; mx.sandbox.example", f"Diagnostic-Code: smtp; {code} {enhanced} {words}"]
    lines = [
        "From: Mail Delivery System <MAILER-DAEMON@mx.sandbox.example>",
        f"To: {envelope.sender}",
        f"Date: {formatdate()}",
        f"Message-ID: <{time.time_ns()}.{next(_number)}@mx.sandbox.example>",
        "Subject: Undelivered Mail Returned to Sender",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "Your message could not be delivered to this recipient:",
        "",
        f"    <{recipient}>: {code} {enhanced} {words}",
        "",
        f"--{boundary}",
        "Content-Type: message/delivery-status",
        "",
        *report,
        "",
        f"--{boundary}",
        "Content-Type: text/rfc822-headers",
        "",
    ]
    headers = data[: data.find(b"\r\n\r\n") + 2]
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape")
    return head + b"\r\n" + headers + f"\r\n--{boundary}--\r\n".encode()


def _from_xtext(text: str) -> str:
    """Undo RFC 3461 section 4, for printable ASCII; what is not xtext stays as it is."""
    return re.sub(r"\+([2-7][0-9A-F])", lambda match: chr(int(match[1], 16)).strip("\x7f"), text)
