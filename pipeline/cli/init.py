"""`tocsin init`: the settings file, the credential file and the database of a new installation.

Writes: config.toml (every setting with its default; the examples of feeds, zones and campaigns stand as comments),
credentials.toml (mode 0600, with a fresh master key), the database.  Safe to repeat: what exists is left as it is.
"""

import os
import re
import secrets
from pathlib import Path

import click

from pipeline import config, config_text
from pipeline.cli import show, words
from pipeline.cli.command import Command, argument
from pipeline.store import migrate
from pipeline.store.db import Database

CREDENTIALS = """\
# Secrets of this installation: keep a copy in a safe place, and never beside the database's backups.
# References, page tokens and Message-IDs are derived from master_key: whoever has it can forge them.
master_key = "{master_key}"
# The password for the mail relay, if it asks for one:
# mail_password = ""
# The private keys that sign letters, as docs/how-to/sign-letters.md says:
# dkim_rsa_key = '''
# -----BEGIN PRIVATE KEY-----
# ...
# -----END PRIVATE KEY-----
# '''
# dkim_ed25519_key, pgp_key and pgp_passphrase likewise.
# The name to ask under, for zones that hand out keys:
# zones = {{"dnsbl.example" = "KEY.dnsbl.example"}}
"""

EXAMPLE_TABLE = re.compile(r"\[(feeds|zones|campaigns)\.")


@click.command(cls=Command, examples=("tocsin init", "tocsin init /srv/tocsin"))
@argument("folder", metavar="FOLDER", default=".", type=click.Path(path_type=Path), help="Where; here if not said.")
def init(folder: Path) -> None:
    """Make the settings, the credential file and the database, where they do not exist.

    Nothing is ever overwritten. Afterwards, edit config.toml and run tocsin doctor.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "config.toml"
    done: list[tuple[Path | str, bool]] = [(settings, create(settings, starter(), 0o644))]
    loaded = config.load(settings)
    credentials = loaded.path(loaded.settings.credentials)
    done.append((credentials, create(credentials, CREDENTIALS.format(master_key=secrets.token_hex(32)), 0o600)))
    done.append(make_database(loaded))
    made = [str(name) for name, new in done if new]
    kept = [str(name) for name, new in done if not new]
    show.emit(
        {"made": made, "kept": kept},
        lambda: [
            *(words.text("made   {name}", name=name) for name in made),
            *(words.text("exists {name}, and was left as it is", name=name) for name in kept),
        ],
    )
    show.note(words.text("Next: edit {file}, then run: tocsin doctor", file=settings))


def starter() -> str:
    """Return config.example.toml with its examples of a feed, a zone and a campaign as comments."""
    lines, example = [], False
    for line in config_text.example().splitlines():
        if line.startswith("["):
            example = bool(EXAMPLE_TABLE.match(line))
        lines.append(f"# {line}" if example and line and not line.startswith("#") else line)
    return "\n".join(lines) + "\n"


def create(file: Path, text: str, mode: int) -> bool:
    """Write a new file; False, and nothing is touched, if it exists."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    return True


def make_database(loaded: config.Loaded) -> tuple[str, bool]:
    """Make the tables of a database that has none; returns its name, and whether it was made now."""
    db = Database(loaded.database_url, loaded.settings.database.wait)
    try:
        if db.file is not None:
            create(
                db.file, "", 0o600
            )  # a list of open relays is worth stealing; SQLite keeps the mode for its own files
        new = migrate.current(db) is None
        if new:
            migrate.upgrade(db, config.shipped("migrations"))
        return show.masked(loaded.database_url), new
    finally:
        db.close()
