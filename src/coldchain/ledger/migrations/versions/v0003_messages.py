"""Messages that wait to be sent, and what people were told last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "messages",
        sa.Column("id", _NUMBER, primary_key=True),
        *(_text(name) for name in ("channel", "way", "message_id", "job", "subject", "content", "done", "said")),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("created_us", "next_us", "claimed_us")),
        _text("claimed_by"),
        sa.UniqueConstraint("channel", "way", "message_id", name="messages_once"),
    )
    op.create_index("messages_by_state", "messages", ["state"])
    op.create_table(
        "told",
        _text("channel"),
        _text("topic"),
        _text("state"),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("channel", "topic", name="told_once"),
    )
