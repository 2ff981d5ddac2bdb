"""An index of whom the trail's events name, and the events of an impersonation in their order."""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

_PEOPLE = ('actor', 'subject', 'by', 'approver', 'user_id', 'reader', 'ended_by', 'reported_by', 'target')
_KINDS = {**dict.fromkeys(_PEOPLE, 'person'), 'client_id': 'client'}
_BATCH = 1_000


def upgrade() -> None:
    """Make the table and fill it from the chain."""
    op.create_table('audit_mentions',
    sa.Column('chain_id', sa.String(length=32), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('value', sa.String(length=64), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('chain_id', 'kind', 'value', 'seq', name=op.f('pk_audit_mentions')),
    sqlite_with_rowid=False
    )
    _fill(op.get_bind())
    op.create_index('ix_audit_mentions_chain_id_seq', 'audit_mentions', ['chain_id', 'seq'], unique=False)
    op.drop_index('ix_audit_events_impersonation_id', table_name='audit_events')
    op.create_index('ix_audit_events_impersonation_id_seq', 'audit_events', ['impersonation_id', 'seq'], unique=False)


def downgrade() -> None:
    """Drop them again."""
    op.drop_index('ix_audit_events_impersonation_id_seq', table_name='audit_events')
    op.create_index('ix_audit_events_impersonation_id', 'audit_events', ['impersonation_id'], unique=False)
    op.drop_index('ix_audit_mentions_chain_id_seq', table_name='audit_mentions')
    op.drop_table('audit_mentions')


def _fill(bind: sa.Connection) -> None:
    """Go over each chain, a batch at a time."""
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in ('chain_id', 'seq', 'payload')]
    events = sa.table('audit_events', *columns)
    mentions = sa.table('audit_mentions', *[sa.column(name) for name in ('chain_id', 'kind', 'value', 'seq')])
    place = ('', 0)
    while True:
        behind = sa.tuple_(events.c.chain_id, events.c.seq) > place
        query = sa.select(*columns).where(behind).order_by(events.c.chain_id, events.c.seq).limit(_BATCH)
        rows = bind.execute(query).all()
        if not rows:
            return
        found = [
            {'chain_id': chain_id, 'kind': kind, 'value': value, 'seq': seq}
            for chain_id, seq, payload in rows
            for kind, value in sorted(set(_mentions(_read(payload))))
        ]
        if found:
            bind.execute(sa.insert(mentions), found)
        place = (rows[-1].chain_id, rows[-1].seq)


def _read(payload: str) -> object:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _mentions(found: object) -> Iterator[tuple[str, str]]:
    if isinstance(found, dict):
        for name, value in found.items():
            kind = _KINDS.get(name)
            if kind is not None and isinstance(value, str) and 0 < len(value) <= 64:
                yield kind, value
            elif isinstance(value, (dict, list)):
                yield from _mentions(value)
    elif isinstance(found, list):
        for value in found:
            yield from _mentions(value)
