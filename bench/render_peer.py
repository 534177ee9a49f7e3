"""The chain that letters are usually written with, to compare ours with: jinja2, EmailMessage, dkimpy.

It writes the same letters.  Their text is one of ours turned into a plain jinja2 template, with everything that is the
same in all letters already in its place: the chain chooses no words, wraps no lines, and compiles its template once.
csv.writer and json.dumps make the attachments; EmailMessage builds the message (policy SMTP); dkimpy signs it, with
RSA-2048, relaxed/relaxed, over the headers that we sign.  What a letter tells is read, and the letter is stored, by our
own statements, in the same units.  So the comparison leaves out what our chain does beside and this one does not.
"""

import csv
import email
import email.policy
import io
import json
import uuid
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import dkim
import jinja2
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.render_planned import KEYS
from bench.stages import clock
from pipeline.render.form import PLAIN
from pipeline.render.run import UNIT
from pipeline.send.dkim import SIGNED
from pipeline.store import render as store
from pipeline.store.db import Database

NAMED = [name.encode() for name in SIGNED]


@dataclass(frozen=True, slots=True)
class Sample:
    """One of our letters, with what in it differs from letter to letter."""

    letter: bytes
    reference: str
    mailbox: str
    network: str
    holder: str
    addresses: tuple[str, ...]


class Chain:
    """Writes letters like a sample.  Nothing but the differing values is looked up for each letter."""

    def __init__(self, sample: Sample, key: RSAPrivateKey) -> None:
        message = email.message_from_bytes(sample.letter, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.sample = sample
        self.key = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        self.sender = message["From"].addresses[0]
        self.language = str(message["Content-Language"] or "en, fr-CA")
        text = message.get_body(("plain",))
        assert text is not None
        environment = jinja2.Environment(autoescape=False, keep_trailing_newline=True)
        self.text = environment.from_string(self._template(text.get_content().replace("\r\n", "\n")))
        self.subject = environment.from_string(self._template(str(message["Subject"])))
        parts = {part.get_filename(): part for part in message.iter_attachments()}
        self.tables = {n: p.get_content() for n, p in parts.items() if p.get_content_type() == "text/csv"}
        self.reports = [
            (name, json.loads(part.get_content()))
            for name, part in parts.items()
            if part.get_content_type().endswith("json")
        ]

    def _template(self, text: str) -> str:
        """Return a text of the sample as a template."""
        told = {"reference": self.sample.reference, "mailbox": self.sample.mailbox, "network": self.sample.network}
        told |= {"holder": self.sample.holder}
        told |= {f"address{n}": address for n, address in enumerate(self.sample.addresses)}
        for name, value in told.items():
            text = text.replace(value, f"{{{{ {name} }}}}")
        return text

    def write(self, db: Database, wave_id: int, worker_id: int) -> int:
        """Write, sign and store every letter of a wave; returns how many."""
        count = 0
        while True:
            with db.write() as connection:
                lease, notices = store.claim(connection, wave_id, worker_id, clock(), UNIT)
            if not notices:
                return count
            now = clock()
            with db.read() as connection:
                found = store.findings(connection, [notice.id for notice in notices])
                keys = {key for rows in found.values() for row in rows for key in store.quoted_keys(row["quoted"])}
                store.quoted(connection, sorted(keys))
            written = []
            for notice in notices:
                message_id = KEYS.message_id((notice.campaign_id, notice.contact_id, notice.number), self.sender.domain)
                letter = self.letter(notice, found[notice.id], message_id, now)
                written.append(store.Written(notice, letter, message_id, "en,fr_CA", "default", PLAIN.stored()))
            with db.write() as connection:
                store.add_letters(connection, written, lease, now, "system:bench")
            count += len(written)

    def letter(self, notice: store.Notice, rows: list[dict[str, Any]], message_id: str, now: datetime) -> bytes:
        """Return one letter with its signature."""
        addresses = [str(row["address"]) for row in rows]
        names = {"reference": notice.reference, "mailbox": notice.spelling, "network": rows[0]["network"]}
        names |= {"holder": rows[0]["holder"]} | {f"address{n}": address for n, address in enumerate(addresses)}
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"] = Address(self.sender.display_name, addr_spec=self.sender.addr_spec)
        message["Reply-To"] = self.sender.addr_spec
        message["To"] = notice.spelling
        message["Subject"] = self.subject.render(names)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = message_id
        message["Content-Language"] = self.language
        message.set_content(self.text.render(names), cte="quoted-printable")
        changed = dict(zip(self.sample.addresses, addresses, strict=True))
        for name, table in self.tables.items():
            message.add_attachment(self._csv(table, changed), subtype="csv", filename=name, cte="quoted-printable")
        for (name, report), address in zip(self.reports, addresses, strict=False):  # a campaign may attach none
            message.add_attachment(self._json(report, address), "application", "json", filename=name)
        data = message.as_bytes()
        algorithm = {"canonicalize": (b"relaxed", b"relaxed"), "include_headers": self._there(message)}
        return bytes(dkim.sign(data, b"bench", b"agency.example", self.key, **algorithm)) + data

    def _there(self, message: EmailMessage) -> list[bytes]:
        return [name for name in NAMED if message[name.decode()]]

    def _csv(self, table: str, changed: dict[str, str]) -> str:
        out = io.StringIO(newline="")
        rows = csv.reader(table.splitlines())
        csv.writer(out).writerows([changed.get(cell, cell) for cell in row] for row in rows)
        return out.getvalue()

    def _json(self, report: dict[str, Any], address: str) -> bytes:
        told = deepcopy(report)
        told |= {"report_id": str(uuid.uuid4()), "source_identifier": address}
        return json.dumps(told, indent=2).encode()
