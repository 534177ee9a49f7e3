"""The checks of `tocsin doctor`, each a function that returns its findings in the reader's language."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline import config
from pipeline.cli import context, dkim, relays, words
from pipeline.cli.config import unknown_names
from pipeline.cli.edges import pgp_signer
from pipeline.cli.finding import Finding, Grade, failed
from pipeline.data import asked_headers
from pipeline.domain import TocsinError
from pipeline.net import smtp_session
from pipeline.net.smtp_session import RelaySettings
from pipeline.store import migrate, overview, persons, preferences
from pipeline.store.db import Database
from pipeline.store.keys import keys_of

LOW_DISK, FULL_DISK = 1 << 30, 100 << 20  # bytes
OLDEST_NOW = datetime(2026, 1, 1, tzinfo=UTC)  # no clock that is right shows an earlier time
CLOCK_SLACK = timedelta(minutes=5)
MOST_PATIENCE = 20.0  # seconds for a reply of the relay: a person waits


def all_of(file: Path, now: datetime, *, relay: bool) -> list[Finding]:
    """Run every check that makes sense: without settings there is nothing else to look at."""
    try:
        loaded = context.settings()
    except TocsinError as error:
        return [failed("settings", error), *catalogues()]
    return [
        *settings(file, loaded),
        *credentials(loaded),
        *database(loaded, now),
        *disk(loaded),
        *catalogues(),
        *signing(),
        *dkim.findings(loaded),
        *openpgp(loaded),
        *(mail_relay(loaded) if relay else ()),
    ]


def settings(file: Path, loaded: config.Loaded) -> Iterator[Finding]:
    """The settings name only what is known, and say what a first campaign needs."""
    unknown = unknown_names(loaded)
    if unknown:
        why = "; ".join(words.sentence(name) for name in unknown)
        yield Finding("settings", Grade.FAIL, words.text("{file} names what is not known", file=file), why)
    else:
        yield Finding("settings", Grade.OK, words.text("{file} can be used", file=file))
    if loaded.settings.dns.nameservers:
        yield Finding("nameservers", Grade.OK, ", ".join(loaded.settings.dns.nameservers))
    else:
        yield Finding(
            "nameservers",
            Grade.WARN,
            words.text("no nameserver is set"),
            words.text("DNSBL zones refuse the questions of public resolvers: a sweep needs a resolver of your own"),
            words.text("Set dns.nameservers in config.toml."),
        )
    if loaded.settings.rdap.user_agent:
        yield Finding("registries", Grade.OK, loaded.settings.rdap.user_agent)
    else:
        yield Finding(
            "registries",
            Grade.WARN,
            words.text("rdap.user_agent is not set"),
            words.text("registries are told who asks them; without it none is asked"),
            words.text("Set rdap.user_agent in config.toml: your page and a mailbox that people read."),
        )


def credentials(loaded: config.Loaded) -> Iterator[Finding]:
    """The credential file has a usable key.  That nobody else can read it, config.load has seen already."""
    try:
        keys = keys_of(loaded.secrets.master_key.get_secret_value())
    except TocsinError as error:
        yield failed("credentials", error)
    else:
        yield Finding("credentials", Grade.OK, words.text("only you can read them; key {id}", id=keys.key_id))


def database(loaded: config.Loaded, now: datetime) -> Iterator[Finding]:
    """The database answers, has this release's schema, survives a power cut; clocks agree; two people can approve."""
    try:
        with context.database(loaded) as db:
            migrate.require_current(db, config.shipped("migrations"))
            how = overview.condition(db)
            yield Finding("database", Grade.OK, f"{how['kind']} {how['version']}, {migrate.current(db)}")
            yield _durability(how["durable"])
            yield clock(now, _newest(db))
            yield _approvers(db, loaded.settings.safety.approvers_needed)
            yield from _wishes(db, now)
    except Exception as error:  # noqa: BLE001 - `failed` raises again what it does not know
        yield failed("database", error)


def _durability(durable: bool) -> Finding:
    if durable:
        return Finding("durability", Grade.OK, words.text("what is committed survives a power cut"))
    return Finding(
        "durability",
        Grade.FAIL,
        words.text("what is committed may be lost in a power cut"),
        words.text("a letter could then be sent a second time"),
        words.text("PostgreSQL: set fsync = on and synchronous_commit = on. SQLite: keep the file on a local disk."),
    )


def _newest(db: Database) -> datetime | None:
    with db.read() as connection:
        return overview.newest_event(connection)


def clock(now: datetime, newest: datetime | None) -> Finding:
    """The clock is not behind this release, nor behind the last event of the log."""
    if now >= OLDEST_NOW and (newest is None or newest <= now + CLOCK_SLACK):
        return Finding("clock", Grade.OK, now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return Finding(
        "clock",
        Grade.FAIL,
        words.text("the clock is behind: it shows {time}", time=now.strftime("%Y-%m-%dT%H:%M:%SZ")),
        words.text("times in letters and in the event log would be wrong"),
        words.text("Set it by NTP, for example with chrony."),
    )


def _approvers(db: Database, needed: int) -> Finding:
    with db.read() as connection:
        count = persons.approvers(connection)
    what = words.plural("{count} approver", "{count} approvers", count)
    if count >= needed:
        return Finding("approvers", Grade.OK, what)
    return Finding(
        "approvers",
        Grade.WARN,
        what,
        words.text(
            "a live campaign needs {count} people who approve; training mode needs one, of anybody", count=needed
        ),
        words.text("Run: tocsin person add NAME --role approver"),
    )


def _wishes(db: Database, now: datetime) -> Iterator[Finding]:
    """What contacts asked for stands in their letters, headers of an older rule too."""
    with db.read() as connection:
        asked = preferences.with_headers(connection, now)
    found = [mailbox for mailbox, headers in asked.items() if asked_headers.parted(headers)[1]]
    if found:
        yield Finding(
            "contacts",
            Grade.WARN,
            words.plural(
                "{count} contact asked for a header that its letters leave out",
                "{count} contacts asked for headers that their letters leave out",
                len(found),
            ),
            words.text("no letter may bear it any more; the rest of what was asked for holds"),
            words.text("Run: tocsin contact show {mailbox}", mailbox=found[0]),
        )


def disk(loaded: config.Loaded) -> Iterator[Finding]:
    """There is room where the database, or the settings, lie."""
    url = loaded.database_url
    folder = Path(url.removeprefix("sqlite:///")).parent if url.startswith("sqlite:///") else loaded.folder
    free = shutil.disk_usage(folder if folder.exists() else loaded.folder).free
    grade = Grade.FAIL if free < FULL_DISK else Grade.WARN if free < LOW_DISK else Grade.OK
    what = words.text("{size} GiB free in {folder}", size=words.decimal(free / (1 << 30)), folder=folder)
    yield Finding(
        "disk", grade, what, "", "" if grade is Grade.OK else words.text("Make room before a large feed is read.")
    )


def catalogues() -> Iterator[Finding]:
    """Every message is there in both languages."""
    if not words.catalogue("en"):
        what = words.text("the catalogue of messages is missing")
        yield Finding("languages", Grade.FAIL, what, str(words.file("en")), words.text("Install Tocsin again."))
        return
    missing = [msgid for msgid in words.catalogue("en") if not words.catalogue("fr").get(msgid)]
    if not missing:
        yield Finding("languages", Grade.OK, words.text("every message is there in English and in French"))
        return
    yield Finding(
        "languages",
        Grade.WARN,
        words.plural("{count} message is not translated", "{count} messages are not translated", len(missing)),
        words.text("it is shown in English: {example}", example=missing[0]),
    )


def signing() -> Iterator[Finding]:
    """Approvals by signature can be checked here."""
    found = shutil.which("ssh-keygen")
    if found:
        yield Finding("signatures", Grade.OK, found)
        return
    yield Finding(
        "signatures",
        Grade.WARN,
        words.text("ssh-keygen is not installed"),
        words.text("approvals by signature cannot be checked without it"),
        words.text("Install OpenSSH's client (Debian: openssh-client)."),
    )


def openpgp(loaded: config.Loaded) -> Iterator[Finding]:
    """A key for OpenPGP, if there is one, can sign today."""
    try:
        found = pgp_signer(loaded)
    except TocsinError as error:
        yield failed("OpenPGP", error)
        return
    if found is not None:
        yield Finding("OpenPGP", Grade.OK, words.text("letters can be signed with the key"))


def mail_relay(loaded: config.Loaded) -> Iterator[Finding]:
    """Each relay takes a connection, with the TLS and the log-in that sending would use, or is a place for letters."""
    for name in relays.names(loaded):
        yield _relay(name, relays.settings_of(loaded, name))


def _relay(name: str, relay: relays.AnySettings) -> Finding:
    if not isinstance(relay, RelaySettings):
        if trouble := relays.trouble(relay):
            what, do = words.text("{name} cannot be used", name=name), words.text("Correct mail.relays in config.toml.")
            return Finding("relay", Grade.FAIL, what, trouble, do)
        return Finding("relay", Grade.OK, name)
    try:
        tls = asyncio.run(smtp_session.greet(replace(relay, timeout=min(relay.timeout, MOST_PATIENCE))))
    except smtp_session.NotOpened as refused:
        return Finding(
            "relay",
            Grade.FAIL,
            words.text("{host}:{port} cannot be used ({stage})", host=relay.host, port=relay.port, stage=refused.stage),
            refused.reply.text,
            words.text("Correct mail.relay in config.toml, or start the relay."),
        )
    except TocsinError as error:
        return failed("relay", error)
    called = name if name == f"{relay.host}:{relay.port}" else f"{name} ({relay.host}:{relay.port})"
    return Finding("relay", Grade.OK, f"{called}, {tls or words.text('no TLS')}")
