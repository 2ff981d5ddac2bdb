"""The handoff's page, its device's stages, and one-time codes."""

import sqlalchemy as sa
from alembic import op


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

_TEXTS = {'ticket_hash': 64, 'ticket_session_id': 64, 'page_hash': 64, 'page_session_id': 64, 'device_session': 128}
_INSTANTS = (
    'ticket_until', 'opened_at', 'seen_ms', 'coded_ms', 'requested_ms', 'started_ms', 'first_frame_ms',
    'app_launched_ms', 'ended_ms',
)


def upgrade() -> None:
    """Make the table and columns."""
    with op.batch_alter_table('handoffs', schema=None) as batch_op:
        for name, length in _TEXTS.items():
            batch_op.add_column(sa.Column(name, sa.String(length=length), nullable=True))
        for name in _INSTANTS:
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=True))
        batch_op.create_foreign_key(batch_op.f('fk_handoffs_ticket_session_id'), 'sessions', ['ticket_session_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_handoffs_page_session_id'), 'sessions', ['page_session_id'], ['id'])
        batch_op.create_index(batch_op.f('ix_handoffs_seen_ms'), ['seen_ms'], unique=False)

    op.create_table('handoff_codes',
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('handoff_id', sa.String(length=64), nullable=False),
    sa.Column('impersonation_id', sa.String(length=64), nullable=False),
    sa.Column('family_id', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('used_at', sa.BigInteger(), nullable=True),
    sa.Column('revoked_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['handoff_id'], ['handoffs.id'], name=op.f('fk_handoff_codes_handoff_id')),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_handoff_codes_impersonation_id')),
    sa.PrimaryKeyConstraint('code_hash', name=op.f('pk_handoff_codes')),
    sa.UniqueConstraint('family_id', name=op.f('uq_handoff_codes_family_id'))
    )
    with op.batch_alter_table('handoff_codes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_handoff_codes_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_handoff_codes_handoff_id'), ['handoff_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_handoff_codes_impersonation_id'), ['impersonation_id'], unique=False)



def downgrade() -> None:
    """Drop them again."""
    with op.batch_alter_table('handoff_codes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_handoff_codes_impersonation_id'))
        batch_op.drop_index(batch_op.f('ix_handoff_codes_handoff_id'))
        batch_op.drop_index(batch_op.f('ix_handoff_codes_expires_at'))

    op.drop_table('handoff_codes')
    with op.batch_alter_table('handoffs', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_handoffs_seen_ms'))
        batch_op.drop_constraint(batch_op.f('fk_handoffs_page_session_id'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_handoffs_ticket_session_id'), type_='foreignkey')
        for name in reversed((*_TEXTS, *_INSTANTS)):
            batch_op.drop_column(name)
