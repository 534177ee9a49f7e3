"""What contacts asked for: how `tocsin contact set MAILBOX` changes it.

Writes: contact_preferences (store/preferences.py), and the contact where no registry has named it yet.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from pipeline.cli import context, show, words
from pipeline.cli.contact_input import refused, value
from pipeline.cli.contact_show import PREFERENCES, preference_pairs
from pipeline.cli.states import said
from pipeline.resolve import contact_values as values
from pipeline.resolve.contact_values import Wrong
from pipeline.store import anew, contacts, preferences
from pipeline.store.preferences import Preference

MOST_KEY = 256 * 1024  # bytes of a key file


def set_wishes(
    mailbox: str, end: datetime | None, source: str, clear: tuple[str, ...], wishes: Mapping[str, Any]
) -> None:
    key, spelling = value(values.mailbox, mailbox, words.text("MAILBOX"))
    source = value(values.words, source, "--source")
    given = _given(wishes)
    with context.opened() as ground:
        by, now = ground.by(), context.clock()
        if end is not None and end <= now:
            raise click.BadParameter(f"{show.instant(end)} is past", param_hint="--until")
        with ground.db.write() as connection:
            known = contacts.of_mailbox(connection, key)
            contact_id = preferences.keep_contact(connection, key, spelling, now)
            before = preferences.of(connection, contact_id) or Preference()
            wanted = _wanted(before, given, end, clear, source)
            changed = preferences.put(connection, contact_id, wanted, now, by)
            told = len(anew.told_as(connection, contact_id))
    data = {"mailbox": key, "contact": contact_id, "new_contact": known is None, "changed": sorted(changed)}
    show.emit(
        {**data, "preferences": wanted, "cases": told},
        lambda: [
            words.text("{mailbox}: {changed}", mailbox=key, changed=", ".join(said("preference", c) for c in changed))
            if changed
            else words.text("{mailbox}: nothing has changed", mailbox=key),
            *show.pairs(("  " + name, value) for name, value in preference_pairs(wanted)),
            "  " + words.plural("{count} open case is told through it", "{count} open cases are told through it", told),
        ],
    )
    if known is None:
        show.note(words.text("No registry has named this mailbox yet: check its spelling."))


def _given(wishes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wishes that options gave, by their stored names."""
    found: dict[str, Any] = {}
    readers: tuple[tuple[str, str, str, Callable[[str], Any]], ...] = (
        ("language", "language", "--language", values.language),
        ("shape", "format", "--format", values.format_),
        ("cadence", "cadence_days", "--cadence", values.days),
        ("inhibit_until", "inhibited_until", "--inhibit-until", values.moment),
    )
    for name, stored, hint, read in readers:
        if wishes[name]:
            found[stored] = value(read, wishes[name], hint)
    if wishes["headers"]:
        found["headers"] = value(values.headers, "\n".join(_one_line(line) for line in wishes["headers"]), "--header")
    if wishes["pgp_key"]:
        found["pgp_key"] = _key(wishes["pgp_key"])
    return found


def _one_line(line: str) -> str:
    if "\n" in line or "\r" in line:
        raise click.BadParameter("a header stands on one line", param_hint="--header")
    return line


def _key(path: Path) -> str:
    with path.open("rb") as stream:
        text = stream.read(MOST_KEY).decode("ascii", errors="replace")
    try:
        return values.public_key(text)
    except Wrong as wrong:
        raise refused(path, wrong, "--pgp-key") from None


def _wanted(
    before: Preference, given: Mapping[str, Any], end: datetime | None, clear: tuple[str, ...], source: str
) -> Preference:
    empty = Preference()
    cleared = tuple(PREFERENCES) if "all" in clear else clear
    kept = replace(before, **{PREFERENCES[name]: getattr(empty, PREFERENCES[name]) for name in cleared})
    merged = dict(given)
    if "headers" in merged:
        merged["headers"] = _merged(kept.headers, merged["headers"])
    if end is not None:
        merged["until"] = end
    return replace(kept, **merged, source=source)


def _merged(before: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return headers with those given in the place of others of the same name."""
    replaced = {name.lower() for name in given}
    try:
        return values.enough({n: v for n, v in before.items() if n.lower() not in replaced} | dict(given))
    except Wrong as wrong:
        raise refused(next(iter(given)), wrong, "--header") from None
