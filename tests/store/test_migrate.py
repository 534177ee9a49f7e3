"""Migrations and tables.py build the same schema, and a database says clearly when it does not fit this release."""

import hashlib
import re
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError

from pipeline.domain import ConfigurationError
from pipeline.store import events, migrate
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.tables import metadata
from tests.databases import MIGRATIONS, administer, named
from tests.seed import wave_of_letters

POSTGRES_SCHEMA = """
SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' '
       || coalesce(column_default, '-') FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
       FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


def schema(db: Database) -> set[str]:
    """Every table, column, check, index, trigger and function of a database, as comparable text."""
    query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL" if db.dialect == "sqlite" else POSTGRES_SCHEMA
    with db.read() as connection:
        found = {re.sub(r"\s+", " ", row[0]) for row in connection.execute(text(query))}
    return {unordered(sql) for sql in found if "alembic_version" not in sql}


def unordered(sql: str) -> str:
    """A CREATE TABLE with its columns and constraints sorted: their order means nothing."""
    if not sql.startswith("CREATE TABLE"):
        return sql
    head, body = sql.split("(", 1)
    body, tail = body.rsplit(")", 1)
    parts, depth = [""], 0
    for char in body:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return f"{head}({'; '.join(sorted(part.strip() for part in parts))}){tail}"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_pair(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Two empty databases of one kind."""
    if request.param == "sqlite":
        pair = [Database(f"sqlite:///{tmp_path / name}") for name in ("one.db", "two.db")]
        yield pair
    else:
        server = request.getfixturevalue("postgres_server")
        names = [f"test_{uuid.uuid4().hex}" for _ in range(2)]
        for name in names:
            administer(server, f"CREATE DATABASE {name}")
        pair = [Database(named(server, name)) for name in names]
        yield pair
        for db, name in zip(pair, names, strict=True):
            db.close()
            administer(server, f"DROP DATABASE {name} WITH (FORCE)")
    for db in pair:
        db.close()


def test_migrations_from_every_revision_end_in_the_schema_of_tables(empty_pair: list[Database]) -> None:
    migrated, made = empty_pair
    for revision in migrate.revisions(MIGRATIONS):
        assert migrate.upgrade(migrated, MIGRATIONS, to=revision) == [revision]
    with made.write() as connection:
        metadata.create_all(connection)
    assert schema(migrated) == schema(made)
    assert any("trigger" in sql.lower() for sql in schema(made))


def test_reasons_given_in_clear_move_out_of_the_approvals_which_stay_append_only(empty_pair: list[Database]) -> None:
    db, now = empty_pair[0], datetime(2026, 3, 1, tzinfo=UTC)
    migrate.upgrade(db, MIGRATIONS, to="202611240842_registry_dumps")
    wave = wave_of_letters(db, now, 1)
    with db.write() as connection:
        known = events.keep_text(connection, "reason", "Ms A. telephoned", now)
        data = {"reason": known}
        entry = events.Entry("wave.rejected_by", "wave", wave, 1, "", data)
        events.write(connection, [entry], now, "person:2")
        word = {"wave_id": wave, "accepted": 0, "method": "password", "at": now}
        for by, reason in (("person:2", "Ms A. telephoned"), ("person:3", "Mr B. wrote"), ("person:4", "")):
            digest = hashlib.sha256(by.encode()).digest()
            connection.execute(insert(t.approvals).values(by=by, reason=reason, manifest_sha256=digest, **word))
    migrate.upgrade(db, MIGRATIONS)
    with db.read() as connection:
        found = connection.execute(select(t.approvals.c.reason).order_by(t.approvals.c.id)).scalars().all()
        assert found[0] == known
        assert [events.read_text(connection, one) for one in found[:2]] == ["Ms A. telephoned", "Mr B. wrote"]
        assert found[2] == ""
        salted = connection.execute(select(t.texts.c.sha256, t.texts.c.salt, t.texts.c.value)).all()
        assert all(hashlib.sha256(row.salt + row.value.encode()).digest() == row.sha256 for row in salted)
        assert len(salted) == 2
    with pytest.raises(DBAPIError, match="append-only"), db.write() as connection:
        connection.execute(update(t.approvals).values(reason="x"))
    with empty_pair[1].write() as connection:
        metadata.create_all(connection)
    assert schema(db) == schema(empty_pair[1])


def test_of_an_empty_database_all_is_made_or_nothing_and_of_one_that_is_there_each_step(
    empty_pair: list[Database], tmp_path: Path
) -> None:
    """A process that is stopped half way: here its last step is refused."""
    folder = Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))
    known = migrate.revisions(folder)
    last = folder / "versions" / f"{known[-1]}.py"
    last.write_text(f"{last.read_text(encoding='utf-8')}\n\ndef upgrade() -> None:\n    raise OSError('stopped')\n")
    fresh, older = empty_pair
    migrate.upgrade(older, MIGRATIONS, to=known[0])
    for db, left in ((fresh, None), (older, known[-2])):
        with pytest.raises(OSError, match="stopped"):
            migrate.upgrade(db, folder)
        assert migrate.current(db) == left
    assert schema(fresh) == set()
    assert migrate.upgrade(fresh, MIGRATIONS) == known


def test_upgrading_twice_changes_nothing(db: Database) -> None:
    before = schema(db)
    assert migrate.upgrade(db, MIGRATIONS) == []
    assert schema(db) == before


def test_migrations_have_one_head() -> None:
    names = migrate.revisions(MIGRATIONS)
    assert names == sorted(names)
    assert all(re.fullmatch(r"\d{12}_[a-z_]+", name) for name in names)


def test_a_database_of_a_newer_release_is_refused_with_the_way_out(db: Database) -> None:
    with db.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '299901010000_later'"))
    for act in (migrate.require_current, migrate.upgrade):
        with pytest.raises(ConfigurationError) as refused:
            act(db, MIGRATIONS)
        assert "newer release" in refused.value.what
        assert refused.value.next_step.startswith("Install the newer release")


def test_an_empty_database_says_how_to_make_its_tables(empty_pair: list[Database]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        migrate.require_current(empty_pair[0], MIGRATIONS)
    assert refused.value.next_step == "Run: tocsin db upgrade"
