"""Why somebody rejected a wave moves out of the approvals, which are only ever added, into the texts that can be emptied.

Revision: 202611241213_approval_reasons   Follows: 202611240842_registry_dumps

Reads and writes: approvals.reason, which from here on holds the digest that the wave's event carries; texts, where a reason
has none yet.  Safe to repeat: what is a digest already stays.
"""

import hashlib
import json
import secrets

import sqlalchemy as sa
from alembic import op

revision = "202611241213_approval_reasons"
down_revision = "202611240842_registry_dumps"
branch_labels = None
depends_on = None

SQLITE_TRIGGER = (
    "CREATE TRIGGER approvals_no_update BEFORE UPDATE ON approvals\n"
    "BEGIN SELECT RAISE(ABORT, 'approvals is append-only'); END"
)


def upgrade() -> None:
    connection = op.get_bind()
    given = sa.text("SELECT id, wave_id, \"by\", at, reason FROM approvals WHERE reason <> '' ORDER BY id")
    found = connection.execute(given).mappings().all()
    if not found:
        return
    sqlite = connection.dialect.name == "sqlite"
    op.execute(
        "DROP TRIGGER approvals_no_update" if sqlite else "ALTER TABLE approvals DISABLE TRIGGER approvals_no_change"
    )
    for row in found:
        digest = _of_event(connection, row) or _kept(connection, row)
        change = sa.text("UPDATE approvals SET reason = :digest WHERE id = :id")
        connection.execute(change, {"digest": digest, "id": row["id"]})
    op.execute(SQLITE_TRIGGER if sqlite else "ALTER TABLE approvals ENABLE TRIGGER approvals_no_change")


def _of_event(connection: sa.Connection, row: sa.RowMapping) -> str:
    """Return the digest in the event of this very word, if it stands for this reason, purged or not."""
    told = sa.text(
        "SELECT data FROM events WHERE subject = 'wave' AND subject_id = :wave_id AND \"by\" = :by AND at = :at"
        " AND what IN ('wave.accepted_by', 'wave.rejected_by')"
    )
    for (data,) in connection.execute(told, {name: row[name] for name in ("wave_id", "by", "at")}).all():
        digest = json.loads(data).get("reason", "")
        if digest == row["reason"] or _stands_for(connection, digest, row["reason"]):
            return str(digest)
    return ""


def _stands_for(connection: sa.Connection, digest: str, reason: str) -> bool:
    kept = sa.text("SELECT salt, value FROM texts WHERE sha256 = :sha256")
    found = connection.execute(kept, {"sha256": bytes.fromhex(digest)}).one_or_none() if digest else None
    return found is not None and found.value in (reason, None)


def _kept(connection: sa.Connection, row: sa.RowMapping) -> str:
    salt = secrets.token_bytes(16)
    digest = hashlib.sha256(salt + row["reason"].encode()).digest()
    keep = sa.text("INSERT INTO texts (sha256, salt, kind, value, at) VALUES (:sha256, :salt, 'reason', :value, :at)")
    connection.execute(keep, {"sha256": digest, "salt": salt, "value": row["reason"], "at": row["at"]})
    return digest.hex()
