"""Words given by signature count at each claim only while the allowed-signers file bears each of them out."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from pipeline.cli import approvals
from pipeline.config import Loaded, load
from pipeline.domain import RefusedBySafety
from pipeline.store import golive, persons, waves
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.seed import wave_of_letters
from tests.send.conftest import Post
from tests.ssh import Signers

PEOPLE = ("alice", "bob")
OVER = ' valid-before="20250101"'  # how a key is taken out of use from a day on (man ssh-keygen, ALLOWED SIGNERS)


@pytest.fixture
def signers(tmp_path: Path) -> Signers:
    made = Signers(tmp_path)
    made.allow(*PEOPLE)
    return made


@pytest.fixture
def loaded(signers: Signers) -> Loaded:
    config = signers.folder / "config.toml"
    config.write_text('[mail]\nsender = "bounces@agency.example"\n', encoding="utf-8")
    return load(config)


def live(
    db: Database,
    loaded: Loaded,
    now: datetime,
    signers: Signers,
    *,
    letters: int = 3,
    sheets: bytes = b"",
    manifests: bytes = b"",
) -> int:
    """A released live wave and its campaign, both by the signatures of two people.

    What is given for `sheets` or `manifests` is what Bob has signed instead of the sheet, or of the wave's manifest.
    """
    made = wave_of_letters(db, now, letters, mode="live")
    with db.write() as connection:
        persons.add(connection, "dora", persons.Role.OFFICER, "", "", now, "test")
        ids = [
            persons.add(connection, name, persons.Role.APPROVER, "", f"{name}@agency.example", now, "test")
            for name in PEOPLE
        ]
        manifest = waves.manifest(connection, waves.by_id(connection, made))
        digest = hashlib.sha256(manifest).digest()
        connection.execute(update(t.waves).values(manifest_sha256=digest))
        campaign = connection.execute(select(t.campaigns.c.id)).scalar_one()
        connection.execute(update(t.campaigns).values(mode="training"))
        bound = approvals.bound(loaded, connection, campaign)
        sheet = b"Tocsin go-live sheet 1\n" + bound.hex().encode()
        kept = golive.keep_sheet(connection, campaign, sheet, bound, now)
        for name, person in zip(PEOPLE, ids, strict=True):
            signed = sheets if sheets and name == "bob" else sheet
            golive.give(connection, campaign, kept, person, "ssh", signers.sign(name, signed), now)
            signed = manifests if manifests and name == "bob" else manifest
            row = {"wave_id": made, "person_id": person, "by": f"person:{person}", "accepted": 1, "at": now}
            row |= {"method": "ssh", "manifest_sha256": digest, "signature": signers.sign(name, signed)}
            connection.execute(insert(t.approvals).values(**row))
        golive.go(connection, campaign, kept, now, f"person:{ids[0]}")
    return made


def sent(post: Callable[..., Any], db: Database, loaded: Loaded) -> int:
    with post() as p:
        p.guests = ()
        p.send(db, approved=approvals.Guard(loaded))
        return len(p.recipients())


def test_a_live_wave_leaves_by_the_signatures_of_two_people(
    db: Database, now: datetime, post: Callable[..., Any], loaded: Loaded, signers: Signers
) -> None:
    live(db, loaded, now, signers)
    assert sent(post, db, loaded) == 3


@pytest.mark.parametrize(
    ("others", "why"),
    [({"sheets": b"another sheet\n"}, "not gone live"), ({"manifests": b"another manifest\n"}, "not borne out")],
)
def test_a_signature_over_another_text_is_none(
    db: Database,
    now: datetime,
    post: Callable[..., Any],
    loaded: Loaded,
    signers: Signers,
    others: dict[str, bytes],
    why: str,
) -> None:
    live(db, loaded, now, signers, **others)
    with pytest.raises(RefusedBySafety, match="may not be sent") as caught:
        sent(post, db, loaded)
    assert why in caught.value.why


@pytest.mark.parametrize("change", ["taken out", "over", "another key"])
def test_no_letter_leaves_once_a_key_is_taken_out_of_use(
    db: Database, now: datetime, post: Callable[..., Any], loaded: Loaded, signers: Signers, change: str
) -> None:
    live(db, loaded, now, signers)
    if change == "taken out":
        signers.allow("alice")
    elif change == "over":
        signers.allow(*PEOPLE, bob=OVER)
    else:
        (
            signers.folder / "bob.key"
        ).unlink()  # a new key in Bob's name bears out nothing that he signed with the old one
        signers.allow(*PEOPLE)
    with pytest.raises(RefusedBySafety, match="may not be sent"):
        sent(post, db, loaded)


def test_a_key_taken_out_in_the_middle_of_a_wave_stops_the_letters_that_are_left(
    db: Database, now: datetime, post: Callable[..., Any], loaded: Loaded, signers: Signers
) -> None:
    live(db, loaded, now, signers, letters=60)
    guard = approvals.Guard(loaded)
    asked: list[str] = []

    def approved(connection: Any, wave: dict[str, Any]) -> str:
        """The guard; at the second claim Bob's key is gone."""
        if len(asked) == 1:
            signers.allow("alice")
        asked.append(guard(connection, wave))
        return asked[-1]

    with post() as p:
        p.guests, p.connections = (), 1
        with pytest.raises(RefusedBySafety):
            p.send(db, approved=approved)
        assert asked[0] == ""
        assert "not gone live" in asked[1]
        assert_left_are_untouched(db, p)


def assert_left_are_untouched(db: Database, post: Post) -> None:
    """Each letter is with the relay, or has no attempt that could have reached it."""
    with db.read() as connection:
        states = list(connection.execute(select(t.letters.c.state)).scalars())
        dots = connection.execute(select(t.attempts.c.id).where(t.attempts.c.dot_at.is_not(None))).all()
    handed = [state for state in states if state == "handed"]
    assert len(post.recipients()) == len(handed) == len(dots) < len(states)
    assert set(states) == {"handed", "approved"}
