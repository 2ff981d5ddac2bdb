"""Devices, support codes, and what an upstream session is called there."""

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and columns."""
    op.create_table('logout_tokens',
    sa.Column('issuer', sa.String(length=512), nullable=False),
    sa.Column('jti_hash', sa.String(length=64), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('issuer', 'jti_hash', name=op.f('pk_logout_tokens'))
    )
    with op.batch_alter_table('logout_tokens', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_logout_tokens_expires_at'), ['expires_at'], unique=False)

    op.create_table('device_codes',
    sa.Column('device_code_hash', sa.String(length=64), nullable=False),
    sa.Column('user_code_hash', sa.String(length=64), nullable=False),
    sa.Column('client_id', sa.String(length=128), nullable=False),
    sa.Column('scopes', sa.JSON(), nullable=False),
    sa.Column('resources', sa.JSON(), nullable=False),
    sa.Column('address', sa.String(length=64), nullable=False),
    sa.Column('user_agent', sa.String(length=255), nullable=False),
    sa.Column('interval', sa.BigInteger(), nullable=False),
    sa.Column('polled_ms', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('decision', sa.String(length=16), nullable=True),
    sa.Column('decided_at', sa.BigInteger(), nullable=True),
    sa.Column('user_id', sa.String(length=64), nullable=True),
    sa.Column('session_id', sa.String(length=64), nullable=True),
    sa.Column('family_id', sa.String(length=64), nullable=False),
    sa.Column('used_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['client_id'], ['clients.client_id'], name=op.f('fk_device_codes_client_id')),
    sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], name=op.f('fk_device_codes_session_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_device_codes_user_id')),
    sa.PrimaryKeyConstraint('device_code_hash', name=op.f('pk_device_codes')),
    sa.UniqueConstraint('user_code_hash', name=op.f('uq_device_codes_user_code_hash'))
    )
    with op.batch_alter_table('device_codes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_device_codes_client_id'), ['client_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_device_codes_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_device_codes_family_id'), ['family_id'], unique=False)

    op.create_table('support_codes',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('user_id', sa.String(length=64), nullable=False),
    sa.Column('session_id', sa.String(length=64), nullable=False),
    sa.Column('client_id', sa.String(length=128), nullable=True),
    sa.Column('mode', sa.String(length=16), nullable=False),
    sa.Column('scopes', sa.JSON(), nullable=False),
    sa.Column('lifetime', sa.BigInteger(), nullable=False),
    sa.Column('words_version', sa.String(length=32), nullable=False),
    sa.Column('words_language', sa.String(length=16), nullable=False),
    sa.Column('words_hash', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('used_at', sa.BigInteger(), nullable=True),
    sa.Column('revoked_at', sa.BigInteger(), nullable=True),
    sa.Column('impersonation_id', sa.String(length=64), nullable=True),
    sa.ForeignKeyConstraint(['client_id'], ['clients.client_id'], name=op.f('fk_support_codes_client_id')),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_support_codes_impersonation_id')),
    sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], name=op.f('fk_support_codes_session_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_support_codes_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_support_codes')),
    sa.UniqueConstraint('code_hash', name=op.f('uq_support_codes_code_hash'))
    )
    with op.batch_alter_table('support_codes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_support_codes_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_support_codes_session_id'), ['session_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_support_codes_user_id'), ['user_id'], unique=False)

    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.add_column(sa.Column('upstream_sid', sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column('sealed_id_token', sa.Text(), nullable=True))
        batch_op.create_index(batch_op.f('ix_sessions_upstream_sid'), ['upstream_sid'], unique=False)



def downgrade() -> None:
    """Drop them again."""
    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_sessions_upstream_sid'))
        batch_op.drop_column('sealed_id_token')
        batch_op.drop_column('upstream_sid')

    with op.batch_alter_table('support_codes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_support_codes_user_id'))
        batch_op.drop_index(batch_op.f('ix_support_codes_session_id'))
        batch_op.drop_index(batch_op.f('ix_support_codes_expires_at'))

    op.drop_table('support_codes')
    with op.batch_alter_table('device_codes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_device_codes_family_id'))
        batch_op.drop_index(batch_op.f('ix_device_codes_expires_at'))
        batch_op.drop_index(batch_op.f('ix_device_codes_client_id'))

    op.drop_table('device_codes')
    with op.batch_alter_table('logout_tokens', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_logout_tokens_expires_at'))

    op.drop_table('logout_tokens')
