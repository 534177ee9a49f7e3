"""A letter keeps the hash of its body as DKIM reads it, so that it is made once and not at every attempt.

Revision: 202611241624_letter_body_hash   Follows: 202611241621_letter_form

Letters of an older release, and those that it still writes, have none: theirs is made when they are signed.
"""

import sqlalchemy as sa
from alembic import op

revision = "202611241624_letter_body_hash"
down_revision = "202611241621_letter_form"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("letters", sa.Column("body_hash", sa.LargeBinary(length=32), nullable=True))
