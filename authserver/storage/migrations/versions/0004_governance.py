"""Governance: consent, approval, notification, break-glass, performed actions."""

import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and columns."""
    op.create_table('break_glass_reports',
    sa.Column('impersonation_id', sa.String(length=64), nullable=False),
    sa.Column('actor_id', sa.String(length=64), nullable=False),
    sa.Column('owed_at', sa.BigInteger(), nullable=False),
    sa.Column('due_at', sa.BigInteger(), nullable=False),
    sa.Column('filed_at', sa.BigInteger(), nullable=True),
    sa.Column('session_id', sa.String(length=64), nullable=True),
    sa.Column('report', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['actor_id'], ['users.id'], name=op.f('fk_break_glass_reports_actor_id')),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_break_glass_reports_impersonation_id')),
    sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], name=op.f('fk_break_glass_reports_session_id')),
    sa.PrimaryKeyConstraint('impersonation_id', name=op.f('pk_break_glass_reports'))
    )
    with op.batch_alter_table('break_glass_reports', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_break_glass_reports_actor_id'), ['actor_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_break_glass_reports_due_at'), ['due_at'], unique=False)

    op.create_table('consent_codes',
    sa.Column('impersonation_id', sa.String(length=64), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('tries', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('used_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_consent_codes_impersonation_id')),
    sa.PrimaryKeyConstraint('impersonation_id', name=op.f('pk_consent_codes'))
    )
    with op.batch_alter_table('consent_codes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_consent_codes_expires_at'), ['expires_at'], unique=False)

    op.create_table('outbox',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('impersonation_id', sa.String(length=64), nullable=True),
    sa.Column('user_id', sa.String(length=64), nullable=True),
    sa.Column('address', sa.String(length=255), nullable=True),
    sa.Column('sealed', sa.Text(), nullable=True),
    sa.Column('gates', sa.Boolean(), nullable=False),
    sa.Column('channel', sa.BigInteger(), nullable=False),
    sa.Column('attempts', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('due_at', sa.BigInteger(), nullable=False),
    sa.Column('leased_until', sa.BigInteger(), nullable=True),
    sa.Column('sent_at', sa.BigInteger(), nullable=True),
    sa.Column('failed_at', sa.BigInteger(), nullable=True),
    sa.Column('last_error', sa.String(length=128), nullable=False),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_outbox_impersonation_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_outbox_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox'))
    )
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_outbox_due_at'), ['due_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_outbox_impersonation_id'), ['impersonation_id'], unique=False)

    op.create_table('performed_actions',
    sa.Column('impersonation_id', sa.String(length=64), nullable=False),
    sa.Column('reported_by', sa.String(length=128), nullable=False),
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('details', sa.JSON(), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('received_ms', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_performed_actions_impersonation_id')),
    sa.PrimaryKeyConstraint('impersonation_id', 'reported_by', 'id', name=op.f('pk_performed_actions'))
    )
    with op.batch_alter_table('performed_actions', schema=None) as batch_op:
        batch_op.create_index('ix_performed_actions_order', ['impersonation_id', 'received_ms', 'id'], unique=False)

    with op.batch_alter_table('approvals', schema=None) as batch_op:
        batch_op.add_column(sa.Column('lifetime', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('remark', sa.Text(), server_default='', nullable=False))
        batch_op.add_column(sa.Column('kid', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('signature', sa.Text(), nullable=True))

    with op.batch_alter_table('consents', schema=None) as batch_op:
        batch_op.add_column(sa.Column('way', sa.String(length=16), server_default='', nullable=False))
        batch_op.add_column(sa.Column('basis', sa.String(length=64), server_default='', nullable=False))
        batch_op.add_column(sa.Column('words_version', sa.String(length=32), server_default='', nullable=False))
        batch_op.add_column(sa.Column('words_language', sa.String(length=16), server_default='', nullable=False))
        batch_op.add_column(sa.Column('words_hash', sa.String(length=64), server_default='', nullable=False))

    with op.batch_alter_table('impersonations', schema=None) as batch_op:
        batch_op.add_column(sa.Column('override', sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column('consent_way', sa.String(length=16), server_default='account', nullable=False))
        batch_op.add_column(sa.Column('consent_id', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('notice', sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column('notice_withheld_until', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('grace_until', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('extension_lifetime', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('extension_digest', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('extension_until', sa.BigInteger(), nullable=True))
        batch_op.create_index(batch_op.f('ix_impersonations_consent_id'), ['consent_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_impersonations_grace_until'), ['grace_until'], unique=False)

    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.add_column(sa.Column('email_verified', sa.Boolean(), server_default=sa.false(), nullable=False))



def downgrade() -> None:
    """Drop them again."""
    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.drop_column('email_verified')

    with op.batch_alter_table('impersonations', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_impersonations_grace_until'))
        batch_op.drop_index(batch_op.f('ix_impersonations_consent_id'))
        batch_op.drop_column('extension_until')
        batch_op.drop_column('extension_digest')
        batch_op.drop_column('extension_lifetime')
        batch_op.drop_column('grace_until')
        batch_op.drop_column('notice_withheld_until')
        batch_op.drop_column('notice')
        batch_op.drop_column('consent_id')
        batch_op.drop_column('consent_way')
        batch_op.drop_column('override')

    with op.batch_alter_table('consents', schema=None) as batch_op:
        batch_op.drop_column('words_hash')
        batch_op.drop_column('words_language')
        batch_op.drop_column('words_version')
        batch_op.drop_column('basis')
        batch_op.drop_column('way')

    with op.batch_alter_table('approvals', schema=None) as batch_op:
        batch_op.drop_column('signature')
        batch_op.drop_column('kid')
        batch_op.drop_column('remark')
        batch_op.drop_column('lifetime')

    with op.batch_alter_table('performed_actions', schema=None) as batch_op:
        batch_op.drop_index('ix_performed_actions_order')

    op.drop_table('performed_actions')
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_outbox_impersonation_id'))
        batch_op.drop_index(batch_op.f('ix_outbox_due_at'))

    op.drop_table('outbox')
    with op.batch_alter_table('consent_codes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_consent_codes_expires_at'))

    op.drop_table('consent_codes')
    with op.batch_alter_table('break_glass_reports', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_break_glass_reports_due_at'))
        batch_op.drop_index(batch_op.f('ix_break_glass_reports_actor_id'))

    op.drop_table('break_glass_reports')
