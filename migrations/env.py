"""Alembic's environment: it gets its connection from pipeline/store/migrate.py and nothing from a file.

A new revision is written with column types of SQLAlchemy alone, so that it stays true when
pipeline/store/types.py changes.
"""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

TYPES = {
    "Address": 'sa.LargeBinary(16).with_variant(postgresql.INET(), "postgresql")',
    "Instant": 'sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")',
    "BigInteger": 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")',
}


def render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Return the source text of a column type, or False to let Alembic write it."""
    name = type(item).__name__
    if kind != "type" or name not in TYPES:
        return False
    autogen.imports.add("from sqlalchemy.dialects import postgresql")
    return TYPES[name]


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    render_item=render,
    transactional_ddl=True,  # SQLite can, too
    transaction_per_migration=not context.config.attributes.get("at_once", False),
)
with context.begin_transaction():
    context.run_migrations()
