"""Whose servers take the mail of the letters that leave next: asked of the DNS ahead of them, and kept for a day.

Reads: the recipients of letters that are due, what is kept of their domains; the DNS through an edge.  Writes, within the
caller's transaction: what the DNS said.  Nobody waits for an answer in a transaction: questions are handed to the edge, and
answers are taken that are there.  Safe to repeat: what is kept is not asked again.  Standards: RFC 5321 5.1; RFC 7505.
"""

import json
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipeline.data.mx_groups import group
from pipeline.domain import NameKind, NameQuestion, NameReply, Wire
from pipeline.store import mail_domains
from pipeline.store.db import Connection
from pipeline.store.mail_domains import BEGINNING, MailDomain, Place

KEEP = timedelta(days=1)
KEEP_UNKNOWN = timedelta(hours=1)  # the DNS could not say
PATIENCE = timedelta(seconds=30)  # a question that is not answered for that long holds no letter back any more
LETTERS = 500  # looked at in one go, and questions that may be open
LOOK_AGAIN = timedelta(minutes=10)  # at letters from the first on: waves are released, and what was kept gets old
TAKES_NONE = frozenset({"null_mx", "none"})  # as net/mx.py says it


@dataclass(slots=True)
class MailServers:
    """What a run knows of the mail servers of recipients' domains.  Without an edge every domain stands for itself."""

    wire: Wire[NameQuestion, NameReply] | None = None
    _asked: dict[str, datetime] = field(default_factory=dict)  # the edge has them
    _next: deque[str] = field(default_factory=deque)  # to be asked when the edge has room
    _place: Place | None = BEGINNING
    _looked_at: datetime | None = None

    def look_ahead(self, connection: Connection, wave_ids: Sequence[int], now: datetime) -> None:
        """Keep the answers that have come, and ask about the letters that leave next."""
        if self.wire is None:
            return
        replies = self.wire.take(0.0)
        if replies:
            self.wire.done(len(replies))
            self._keep(connection, replies, now)
        self._look_at_letters(connection, wave_ids, now)
        while self._next and self.wire.room():
            domain = self._next.popleft()
            self._asked[domain] = now
            self.wire.ask(NameQuestion(domain, NameKind.MAIL, domain))

    def of(self, connection: Connection, domains: Collection[str], now: datetime) -> dict[str, MailDomain | None]:
        """Return what is known of each domain; None for one whose answer is awaited.

        One that is looked up again, or could not be looked up, is what it was before, or stands for itself.
        """
        kept = mail_domains.known(connection, domains)
        found: dict[str, MailDomain | None] = {}
        for domain in domains:
            known = kept.get(domain)
            if (known is None or known.until <= now) and self.wire is not None:
                self._want(domain, first=True)
            is_awaited = known is None and self.wire is not None and now - self._asked.get(domain, now) < PATIENCE
            found[domain] = None if is_awaited else known or _unknown(domain, now)
        return found

    def _look_at_letters(self, connection: Connection, wave_ids: Sequence[int], now: datetime) -> None:
        if self._place is None and self._looked_at is not None and now - self._looked_at >= LOOK_AGAIN:
            self._place = BEGINNING
        if self._place is None or len(self._next) + len(self._asked) >= LETTERS:
            return
        domains, self._place = mail_domains.ahead(connection, wave_ids, self._place, LETTERS)
        self._looked_at = now
        kept = mail_domains.known(connection, domains)
        for domain in sorted(domains):
            if domain not in kept or kept[domain].until <= now:
                self._want(domain)

    def _want(self, domain: str, *, first: bool = False) -> None:
        if domain not in self._asked and domain not in self._next:
            if first:
                self._next.appendleft(domain)
            else:
                self._next.append(domain)

    def _keep(self, connection: Connection, replies: Sequence[NameReply], now: datetime) -> None:
        answers = {reply.name: answer_of(reply, now) for reply in replies}
        before = mail_domains.known(connection, answers)
        for domain, answer in answers.items():
            self._asked.pop(domain, None)
            if answer.route == "unknown" and domain in before:  # what the DNS said last is better than nothing
                answers[domain] = MailDomain(domain, before[domain].mx_group, "unknown", now, answer.until)
        mail_domains.keep(connection, answers.values())


def answer_of(reply: NameReply, now: datetime) -> MailDomain:
    """Return what an answer about a domain says; a failure says nothing, and is asked again sooner."""
    if reply.answer.failure is not None:
        return _unknown(reply.name, now)
    said = json.loads(reply.answer.body)
    hosts = said["hosts"] if said["route"] in ("mx", "address") else []
    return MailDomain(reply.name, group(reply.name, hosts), said["route"], now, now + KEEP)


def _unknown(domain: str, now: datetime) -> MailDomain:
    return MailDomain(domain, domain, "unknown", now, now + KEEP_UNKNOWN)
