"""The first tables."""
from alembic import op
import sqlalchemy as sa


revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    op.create_table('audit_chains',
    sa.Column('chain_id', sa.String(length=32), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('chain_id', name=op.f('pk_audit_chains'))
    )
    op.create_table('audit_events',
    sa.Column('chain_id', sa.String(length=32), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('prev', sa.String(length=64), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('impersonation_id', sa.String(length=64), nullable=True),
    sa.Column('payload', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('chain_id', 'seq', name=op.f('pk_audit_events'))
    )
    with op.batch_alter_table('audit_events', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_audit_events_at_ms'), ['at_ms'], unique=False)
        batch_op.create_index(batch_op.f('ix_audit_events_impersonation_id'), ['impersonation_id'], unique=False)
        batch_op.create_index('ix_audit_events_name_seq', ['name', 'seq'], unique=False)

    op.create_table('audit_heads',
    sa.Column('chain_id', sa.String(length=32), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('kid', sa.String(length=64), nullable=False),
    sa.Column('signature', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('chain_id', 'seq', name=op.f('pk_audit_heads'))
    )
    op.create_table('audit_personal',
    sa.Column('chain_id', sa.String(length=32), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('field', sa.String(length=64), nullable=False),
    sa.Column('salt', sa.String(length=64), nullable=True),
    sa.Column('value', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('chain_id', 'seq', 'field', name=op.f('pk_audit_personal'))
    )
    op.create_table('client_assertions',
    sa.Column('client_id', sa.String(length=128), nullable=False),
    sa.Column('jti_hash', sa.String(length=64), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('client_id', 'jti_hash', name=op.f('pk_client_assertions'))
    )
    with op.batch_alter_table('client_assertions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_client_assertions_expires_at'), ['expires_at'], unique=False)

    op.create_table('clients',
    sa.Column('client_id', sa.String(length=128), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('auth_method', sa.String(length=32), nullable=False),
    sa.Column('jwks', sa.JSON(), nullable=True),
    sa.Column('grant_types', sa.JSON(), nullable=False),
    sa.Column('ways', sa.JSON(), nullable=False),
    sa.Column('scopes', sa.JSON(), nullable=False),
    sa.Column('default_resources', sa.JSON(), nullable=False),
    sa.Column('accepts_tokens_of', sa.JSON(), nullable=False),
    sa.Column('presents_id_tokens', sa.Boolean(), nullable=False),
    sa.Column('receives_id_tokens', sa.Boolean(), nullable=False),
    sa.Column('id_token_alg', sa.String(length=16), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('client_id', name=op.f('pk_clients'))
    )
    op.create_table('marks',
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('value', sa.String(length=255), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_marks'))
    )
    op.create_table('signing_keys',
    sa.Column('kid', sa.String(length=64), nullable=False),
    sa.Column('use', sa.String(length=8), nullable=False),
    sa.Column('alg', sa.String(length=16), nullable=False),
    sa.Column('public_jwk', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('signs_from', sa.BigInteger(), nullable=False),
    sa.Column('retires_at', sa.BigInteger(), nullable=True),
    sa.Column('revoked_at', sa.BigInteger(), nullable=True),
    sa.Column('demo', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('kid', name=op.f('pk_signing_keys'))
    )
    op.create_table('users',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('username', sa.String(length=255), nullable=False),
    sa.Column('email', sa.String(length=255), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('population', sa.String(length=16), nullable=False),
    sa.Column('tier', sa.String(length=32), nullable=False),
    sa.Column('country', sa.String(length=2), nullable=False),
    sa.Column('roles', sa.JSON(), nullable=False),
    sa.Column('groups', sa.JSON(), nullable=False),
    sa.Column('conflicts', sa.JSON(), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
    sa.UniqueConstraint('username', name=op.f('uq_users_username'))
    )
    op.create_table('client_secrets',
    sa.Column('secret_hash', sa.String(length=64), nullable=False),
    sa.Column('client_id', sa.String(length=128), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=True),
    sa.Column('revoked_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['client_id'], ['clients.client_id'], name=op.f('fk_client_secrets_client_id')),
    sa.PrimaryKeyConstraint('secret_hash', name=op.f('pk_client_secrets'))
    )
    with op.batch_alter_table('client_secrets', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_client_secrets_client_id'), ['client_id'], unique=False)

    op.create_table('resources',
    sa.Column('uri', sa.String(length=512), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('owner_client_id', sa.String(length=128), nullable=True),
    sa.Column('subject_identifier', sa.String(length=16), nullable=False),
    sa.Column('extra_claims', sa.JSON(), nullable=False),
    sa.Column('reason_visible', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['owner_client_id'], ['clients.client_id'], name=op.f('fk_resources_owner_client_id')),
    sa.PrimaryKeyConstraint('uri', name=op.f('pk_resources'))
    )
    with op.batch_alter_table('resources', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_resources_owner_client_id'), ['owner_client_id'], unique=False)

    op.create_table('sessions',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('user_id', sa.String(length=64), nullable=False),
    sa.Column('acr', sa.String(length=128), nullable=False),
    sa.Column('amr', sa.JSON(), nullable=False),
    sa.Column('auth_time', sa.BigInteger(), nullable=False),
    sa.Column('address', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('ended_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_sessions_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sessions'))
    )
    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sessions_user_id'), ['user_id'], unique=False)

    op.create_table('target_attempts',
    sa.Column('actor_id', sa.String(length=64), nullable=False),
    sa.Column('target_hash', sa.String(length=64), nullable=False),
    sa.Column('last_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['actor_id'], ['users.id'], name=op.f('fk_target_attempts_actor_id')),
    sa.PrimaryKeyConstraint('actor_id', 'target_hash', name=op.f('pk_target_attempts'))
    )
    with op.batch_alter_table('target_attempts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_target_attempts_last_at'), ['last_at'], unique=False)

    op.create_table('impersonations',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=32), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('actor_id', sa.String(length=64), nullable=False),
    sa.Column('actor_session_id', sa.String(length=64), nullable=False),
    sa.Column('subject_id', sa.String(length=64), nullable=False),
    sa.Column('client_id', sa.String(length=128), nullable=False),
    sa.Column('resources', sa.JSON(), nullable=False),
    sa.Column('scopes', sa.JSON(), nullable=False),
    sa.Column('asked_scopes', sa.JSON(), nullable=False),
    sa.Column('mode', sa.String(length=16), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('reason_code', sa.String(length=64), nullable=False),
    sa.Column('ticket_id', sa.String(length=128), nullable=False),
    sa.Column('lifetime', sa.BigInteger(), nullable=False),
    sa.Column('client_address', sa.String(length=64), nullable=False),
    sa.Column('policies', sa.JSON(), nullable=False),
    sa.Column('created_ms', sa.BigInteger(), nullable=False),
    sa.Column('pending_until', sa.BigInteger(), nullable=True),
    sa.Column('activated_at', sa.BigInteger(), nullable=True),
    sa.Column('expires_at', sa.BigInteger(), nullable=True),
    sa.Column('ended_at', sa.BigInteger(), nullable=True),
    sa.Column('ended_by', sa.String(length=128), nullable=True),
    sa.Column('end_reason', sa.String(length=64), nullable=True),
    sa.ForeignKeyConstraint(['actor_id'], ['users.id'], name=op.f('fk_impersonations_actor_id')),
    sa.ForeignKeyConstraint(['actor_session_id'], ['sessions.id'], name=op.f('fk_impersonations_actor_session_id')),
    sa.ForeignKeyConstraint(['client_id'], ['clients.client_id'], name=op.f('fk_impersonations_client_id')),
    sa.ForeignKeyConstraint(['subject_id'], ['users.id'], name=op.f('fk_impersonations_subject_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_impersonations'))
    )
    with op.batch_alter_table('impersonations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_impersonations_actor_id'), ['actor_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_impersonations_actor_session_id'), ['actor_session_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_impersonations_client_id'), ['client_id'], unique=False)
        batch_op.create_index('ix_impersonations_created', ['created_ms', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_impersonations_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_impersonations_pending_until'), ['pending_until'], unique=False)
        batch_op.create_index(batch_op.f('ix_impersonations_state'), ['state'], unique=False)
        batch_op.create_index(batch_op.f('ix_impersonations_subject_id'), ['subject_id'], unique=False)
        batch_op.create_index('uq_impersonations_open_digest', ['digest'], unique=True, sqlite_where=sa.text("state IN ('requested','awaiting_approval','awaiting_consent','active')"), postgresql_where=sa.text("state IN ('requested','awaiting_approval','awaiting_consent','active')"))

    op.create_table('scopes',
    sa.Column('name', sa.String(length=128), nullable=False),
    sa.Column('resource_uri', sa.String(length=512), nullable=False),
    sa.Column('access', sa.String(length=8), nullable=False),
    sa.Column('non_delegable', sa.Boolean(), nullable=False),
    sa.Column('description', sa.String(length=255), nullable=False),
    sa.ForeignKeyConstraint(['resource_uri'], ['resources.uri'], name=op.f('fk_scopes_resource_uri')),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_scopes'))
    )
    with op.batch_alter_table('scopes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_scopes_resource_uri'), ['resource_uri'], unique=False)

    op.create_table('approvals',
    sa.Column('impersonation_id', sa.String(length=64), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('decision', sa.String(length=16), nullable=False),
    sa.Column('approver_id', sa.String(length=64), nullable=False),
    sa.Column('session_id', sa.String(length=64), nullable=False),
    sa.Column('decided_at', sa.BigInteger(), nullable=False),
    sa.Column('withdrawn_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['approver_id'], ['users.id'], name=op.f('fk_approvals_approver_id')),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_approvals_impersonation_id')),
    sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], name=op.f('fk_approvals_session_id')),
    sa.PrimaryKeyConstraint('impersonation_id', name=op.f('pk_approvals'))
    )
    op.create_table('consents',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('subject_id', sa.String(length=64), nullable=False),
    sa.Column('impersonation_id', sa.String(length=64), nullable=True),
    sa.Column('digest', sa.String(length=64), nullable=True),
    sa.Column('decision', sa.String(length=16), nullable=False),
    sa.Column('session_id', sa.String(length=64), nullable=True),
    sa.Column('given_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=True),
    sa.Column('withdrawn_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_consents_impersonation_id')),
    sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], name=op.f('fk_consents_session_id')),
    sa.ForeignKeyConstraint(['subject_id'], ['users.id'], name=op.f('fk_consents_subject_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_consents')),
    sa.UniqueConstraint('impersonation_id', name=op.f('uq_consents_impersonation_id'))
    )
    with op.batch_alter_table('consents', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_consents_subject_id'), ['subject_id'], unique=False)

    op.create_table('handoffs',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('impersonation_id', sa.String(length=64), nullable=False),
    sa.Column('actor_id', sa.String(length=64), nullable=False),
    sa.Column('app', sa.String(length=64), nullable=False),
    sa.Column('build', sa.String(length=128), nullable=True),
    sa.Column('resources', sa.JSON(), nullable=False),
    sa.Column('secret_hash', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('consumed_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['actor_id'], ['users.id'], name=op.f('fk_handoffs_actor_id')),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_handoffs_impersonation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_handoffs'))
    )
    with op.batch_alter_table('handoffs', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_handoffs_impersonation_id'), ['impersonation_id'], unique=False)

    op.create_table('impersonation_handles',
    sa.Column('handle_hash', sa.String(length=64), nullable=False),
    sa.Column('impersonation_id', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('polled_ms', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_impersonation_handles_impersonation_id')),
    sa.PrimaryKeyConstraint('handle_hash', name=op.f('pk_impersonation_handles'))
    )
    with op.batch_alter_table('impersonation_handles', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_impersonation_handles_impersonation_id'), ['impersonation_id'], unique=False)

    op.create_table('role_scopes',
    sa.Column('role', sa.String(length=32), nullable=False),
    sa.Column('scope', sa.String(length=128), nullable=False),
    sa.ForeignKeyConstraint(['scope'], ['scopes.name'], name=op.f('fk_role_scopes_scope')),
    sa.PrimaryKeyConstraint('role', 'scope', name=op.f('pk_role_scopes'))
    )
    op.create_table('tokens',
    sa.Column('jti', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('kid', sa.String(length=64), nullable=False),
    sa.Column('client_id', sa.String(length=128), nullable=False),
    sa.Column('user_id', sa.String(length=64), nullable=True),
    sa.Column('session_id', sa.String(length=64), nullable=True),
    sa.Column('impersonation_id', sa.String(length=64), nullable=True),
    sa.Column('issued_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('revoked_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['client_id'], ['clients.client_id'], name=op.f('fk_tokens_client_id')),
    sa.ForeignKeyConstraint(['impersonation_id'], ['impersonations.id'], name=op.f('fk_tokens_impersonation_id')),
    sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], name=op.f('fk_tokens_session_id')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_tokens_user_id')),
    sa.PrimaryKeyConstraint('jti', name=op.f('pk_tokens'))
    )
    with op.batch_alter_table('tokens', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_tokens_client_id'), ['client_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_tokens_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_tokens_impersonation_id'), ['impersonation_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_tokens_kid'), ['kid'], unique=False)
        batch_op.create_index(batch_op.f('ix_tokens_session_id'), ['session_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_tokens_user_id'), ['user_id'], unique=False)



def downgrade() -> None:
    """Drop every table."""
    with op.batch_alter_table('tokens', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_tokens_user_id'))
        batch_op.drop_index(batch_op.f('ix_tokens_session_id'))
        batch_op.drop_index(batch_op.f('ix_tokens_kid'))
        batch_op.drop_index(batch_op.f('ix_tokens_impersonation_id'))
        batch_op.drop_index(batch_op.f('ix_tokens_expires_at'))
        batch_op.drop_index(batch_op.f('ix_tokens_client_id'))

    op.drop_table('tokens')
    op.drop_table('role_scopes')
    with op.batch_alter_table('impersonation_handles', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_impersonation_handles_impersonation_id'))

    op.drop_table('impersonation_handles')
    with op.batch_alter_table('handoffs', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_handoffs_impersonation_id'))

    op.drop_table('handoffs')
    with op.batch_alter_table('consents', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_consents_subject_id'))

    op.drop_table('consents')
    op.drop_table('approvals')
    with op.batch_alter_table('scopes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_scopes_resource_uri'))

    op.drop_table('scopes')
    with op.batch_alter_table('impersonations', schema=None) as batch_op:
        batch_op.drop_index('uq_impersonations_open_digest', sqlite_where=sa.text("state IN ('requested','awaiting_approval','awaiting_consent','active')"), postgresql_where=sa.text("state IN ('requested','awaiting_approval','awaiting_consent','active')"))
        batch_op.drop_index(batch_op.f('ix_impersonations_subject_id'))
        batch_op.drop_index(batch_op.f('ix_impersonations_state'))
        batch_op.drop_index(batch_op.f('ix_impersonations_pending_until'))
        batch_op.drop_index(batch_op.f('ix_impersonations_expires_at'))
        batch_op.drop_index('ix_impersonations_created')
        batch_op.drop_index(batch_op.f('ix_impersonations_client_id'))
        batch_op.drop_index(batch_op.f('ix_impersonations_actor_session_id'))
        batch_op.drop_index(batch_op.f('ix_impersonations_actor_id'))

    op.drop_table('impersonations')
    with op.batch_alter_table('target_attempts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_target_attempts_last_at'))

    op.drop_table('target_attempts')
    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_sessions_user_id'))

    op.drop_table('sessions')
    with op.batch_alter_table('resources', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_resources_owner_client_id'))

    op.drop_table('resources')
    with op.batch_alter_table('client_secrets', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_client_secrets_client_id'))

    op.drop_table('client_secrets')
    op.drop_table('users')
    op.drop_table('signing_keys')
    op.drop_table('marks')
    op.drop_table('clients')
    with op.batch_alter_table('client_assertions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_client_assertions_expires_at'))

    op.drop_table('client_assertions')
    op.drop_table('audit_personal')
    op.drop_table('audit_heads')
    with op.batch_alter_table('audit_events', schema=None) as batch_op:
        batch_op.drop_index('ix_audit_events_name_seq')
        batch_op.drop_index(batch_op.f('ix_audit_events_impersonation_id'))
        batch_op.drop_index(batch_op.f('ix_audit_events_at_ms'))

    op.drop_table('audit_events')
    op.drop_table('audit_chains')
