"""The tables. Instants are whole seconds since the epoch unless a name says `_ms`; secrets are stored hashed."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, MetaData, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """What every table is built on."""

    registry = registry(
        metadata=MetaData(naming_convention=_NAMES),
        type_annotation_map={int: BigInteger, list[str]: JSON, dict[str, Any]: JSON},
    )


class User(Base):
    """A person of either population."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    username: Mapped[str] = mapped_column(String(255), unique=True)
    email: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))
    population: Mapped[str] = mapped_column(String(16))
    tier: Mapped[str] = mapped_column(String(32), default="")
    country: Mapped[str] = mapped_column(String(2), default="")
    roles: Mapped[list[str]]
    groups: Mapped[list[str]]
    conflicts: Mapped[list[str]]
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[int]


class Session(Base):
    """A person's signed-in session: what stands behind every token of theirs."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    acr: Mapped[str] = mapped_column(String(128))
    amr: Mapped[list[str]]
    auth_time: Mapped[int]
    address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[int]
    expires_at: Mapped[int]
    ended_at: Mapped[int | None]
    cookie_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    """The browser's cookie, as a keyed hash; None for a session that no browser holds."""
    seen_at: Mapped[int | None]
    user_agent: Mapped[str] = mapped_column(String(255), default="", server_default="")
    issuer: Mapped[str | None] = mapped_column(String(512))
    """The upstream issuer that the person signed in at; None for a local account."""
    upstream_sid: Mapped[str | None] = mapped_column(String(255), index=True)
    """The session's name at that issuer (`sid`, OIDC Back-Channel Logout §2.1)."""
    sealed_id_token: Mapped[str | None] = mapped_column(Text)
    """That issuer's ID token, sealed: the hint with which its own session is ended."""


class Client(Base):
    """A registered OAuth client and what it may do."""

    __tablename__ = "clients"
    client_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    auth_method: Mapped[str] = mapped_column(String(32))
    jwks: Mapped[dict[str, Any] | None]
    grant_types: Mapped[list[str]]
    ways: Mapped[list[str]]
    scopes: Mapped[list[str]]
    default_resources: Mapped[list[str]]
    accepts_tokens_of: Mapped[list[str]]
    presents_id_tokens: Mapped[bool] = mapped_column(default=False)
    receives_id_tokens: Mapped[bool] = mapped_column(default=False)
    id_token_alg: Mapped[str] = mapped_column(String(16), default="RS256")
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[int]
    redirect_uris: Mapped[list[str]] = mapped_column(server_default="[]")
    post_logout_redirect_uris: Mapped[list[str]] = mapped_column(server_default="[]")
    first_party: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether its users are spared the consent screen."""


class ClientSecret(Base):
    """A client's secret, as a keyed hash; several may live while one is being replaced."""

    __tablename__ = "client_secrets"
    secret_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.client_id"), index=True)
    created_at: Mapped[int]
    expires_at: Mapped[int | None]
    revoked_at: Mapped[int | None]


class ClientAssertion(Base):
    """A `jti` of a client assertion that has been used (RFC 7523 §3)."""

    __tablename__ = "client_assertions"
    client_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    jti_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[int] = mapped_column(index=True)


class Resource(Base):
    """A resource server's identifier and token profile (RFC 8707)."""

    __tablename__ = "resources"
    uri: Mapped[str] = mapped_column(String(512), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    owner_client_id: Mapped[str | None] = mapped_column(ForeignKey("clients.client_id"), index=True)
    subject_identifier: Mapped[str] = mapped_column(String(16), default="id")
    extra_claims: Mapped[list[str]]
    reason_visible: Mapped[bool] = mapped_column(default=False)


class ScopeRow(Base):
    """A scope: it belongs to one resource."""

    __tablename__ = "scopes"
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    resource_uri: Mapped[str] = mapped_column(ForeignKey("resources.uri"), index=True)
    access: Mapped[str] = mapped_column(String(8))
    non_delegable: Mapped[bool] = mapped_column(default=False)
    description: Mapped[str] = mapped_column(String(255), default="")


class RoleScope(Base):
    """Which role has which scope of a resource server."""

    __tablename__ = "role_scopes"
    role: Mapped[str] = mapped_column(String(32), primary_key=True)
    scope: Mapped[str] = mapped_column(ForeignKey("scopes.name"), primary_key=True)


class Token(Base):
    """A token that was issued: the row that makes it alive or dead."""

    __tablename__ = "tokens"
    jti: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    kid: Mapped[str] = mapped_column(String(64), index=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.client_id"), index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id"), index=True)
    impersonation_id: Mapped[str | None] = mapped_column(ForeignKey("impersonations.id"), index=True)
    issued_at: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)
    revoked_at: Mapped[int | None]
    family_id: Mapped[str | None] = mapped_column(String(64), index=True)
    """What came of one authorization: code, refresh tokens and access tokens die together."""


class Impersonation(Base):
    """One impersonation, whoever started it (design section 4)."""

    __tablename__ = "impersonations"
    __table_args__ = (
        Index(
            "uq_impersonations_open_digest",
            "digest",
            unique=True,
            sqlite_where=text("state IN ('requested','awaiting_approval','awaiting_consent','active')"),
            postgresql_where=text("state IN ('requested','awaiting_approval','awaiting_consent','active')"),
        ),
        Index("ix_impersonations_created", "created_ms", "id"),
    )
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(32), index=True)
    digest: Mapped[str] = mapped_column(String(64))
    actor_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    actor_session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"), index=True)
    subject_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.client_id"), index=True)
    resources: Mapped[list[str]]
    scopes: Mapped[list[str]]
    asked_scopes: Mapped[list[str]]
    mode: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    reason_code: Mapped[str] = mapped_column(String(64))
    ticket_id: Mapped[str] = mapped_column(String(128))
    lifetime: Mapped[int]
    client_address: Mapped[str] = mapped_column(String(64))
    policies: Mapped[list[str]]
    created_ms: Mapped[int]
    pending_until: Mapped[int | None] = mapped_column(index=True)
    activated_at: Mapped[int | None]
    expires_at: Mapped[int | None] = mapped_column(index=True)
    ended_at: Mapped[int | None]
    ended_by: Mapped[str | None] = mapped_column(String(128))
    end_reason: Mapped[str | None] = mapped_column(String(64))


class Handle(Base):
    """A handle of an impersonation, hashed; several may live."""

    __tablename__ = "impersonation_handles"
    handle_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    impersonation_id: Mapped[str] = mapped_column(ForeignKey("impersonations.id"), index=True)
    created_at: Mapped[int]
    polled_ms: Mapped[int | None]


class Approval(Base):
    """A second person's decision on one digest."""

    __tablename__ = "approvals"
    impersonation_id: Mapped[str] = mapped_column(ForeignKey("impersonations.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    decision: Mapped[str] = mapped_column(String(16))
    approver_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"))
    decided_at: Mapped[int]
    withdrawn_at: Mapped[int | None]


class Consent(Base):
    """A customer's consent: standing, or to one digest."""

    __tablename__ = "consents"
    __table_args__ = (UniqueConstraint("impersonation_id"),)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    subject_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    impersonation_id: Mapped[str | None] = mapped_column(ForeignKey("impersonations.id"))
    digest: Mapped[str | None] = mapped_column(String(64))
    decision: Mapped[str] = mapped_column(String(16))
    session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id"))
    given_at: Mapped[int]
    expires_at: Mapped[int | None]
    withdrawn_at: Mapped[int | None]


class TargetAttempt(Base):
    """The last time an actor tried a target; what was tried is kept as a keyed hash, for it may not exist."""

    __tablename__ = "target_attempts"
    actor_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    target_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_at: Mapped[int] = mapped_column(index=True)


class SigningKey(Base):
    """A key pair's public part and its life; the private part is a file."""

    __tablename__ = "signing_keys"
    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    use: Mapped[str] = mapped_column(String(8))
    alg: Mapped[str] = mapped_column(String(16))
    public_jwk: Mapped[dict[str, Any]]
    created_at: Mapped[int]
    signs_from: Mapped[int]
    retires_at: Mapped[int | None]
    revoked_at: Mapped[int | None]
    demo: Mapped[bool] = mapped_column(default=False)


class AuditChain(Base):
    """The head of a chain: the row that an append locks."""

    __tablename__ = "audit_chains"
    chain_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seq: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))


class AuditEvent(Base):
    """One event of the trail; rows are only ever added."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_name_seq", "name", "seq"),)
    chain_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    prev: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    at_ms: Mapped[int] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    impersonation_id: Mapped[str | None] = mapped_column(String(64), index=True)
    payload: Mapped[str] = mapped_column(Text)


class AuditPersonal(Base):
    """A personal value that an event commits to; erasing value and salt leaves the chain whole."""

    __tablename__ = "audit_personal"
    chain_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(String(64), primary_key=True)
    salt: Mapped[str | None] = mapped_column(String(64))
    value: Mapped[str | None] = mapped_column(Text)


class AuditHead(Base):
    """A signed statement that the chain stood so."""

    __tablename__ = "audit_heads"
    chain_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    at_ms: Mapped[int]
    kid: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(Text)


class Handoff(Base):
    """A handoff to a device: its configuration comes once."""

    __tablename__ = "handoffs"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    impersonation_id: Mapped[str] = mapped_column(ForeignKey("impersonations.id"), index=True)
    actor_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    app: Mapped[str] = mapped_column(String(64))
    build: Mapped[str | None] = mapped_column(String(128))
    resources: Mapped[list[str]]
    secret_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[int]
    consumed_at: Mapped[int | None]


class Mark(Base):
    """What this database is: `demo` marks one that no real server may serve."""

    __tablename__ = "marks"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(String(255))


class Password(Base):
    """A local account's password, as Argon2id."""

    __tablename__ = "passwords"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    hash: Mapped[str] = mapped_column(String(255))
    changed_at: Mapped[int]


class Totp(Base):
    """A person's authenticator app; the secret is sealed, and no time step serves twice (RFC 6238 §5.2)."""

    __tablename__ = "totps"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    sealed_secret: Mapped[str] = mapped_column(String(255))
    last_step: Mapped[int]
    created_at: Mapped[int]
    confirmed_at: Mapped[int | None]


class Passkey(Base):
    """A WebAuthn credential of a person."""

    __tablename__ = "passkeys"
    credential_id: Mapped[str] = mapped_column(String(512), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    public_key: Mapped[str] = mapped_column(Text)
    sign_count: Mapped[int]
    name: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[int]
    used_at: Mapped[int | None]


class RecoveryCode(Base):
    """A one-time code for who has lost the second factor."""

    __tablename__ = "recovery_codes"
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[int]
    used_at: Mapped[int | None]


class Throttle(Base):
    """Failures of one kind by one account or address, and until when it has to wait."""

    __tablename__ = "throttles"
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[int] = mapped_column(index=True)
    wait_until: Mapped[int]


class PendingLogin(Base):
    """A sign-in under way: what has been proved so far, bound to one browser."""

    __tablename__ = "pending_logins"
    cookie_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    amr: Mapped[list[str]]
    return_to: Mapped[str] = mapped_column(Text)
    challenge: Mapped[str | None] = mapped_column(String(128))
    created_at: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)


class AuthorizationCode(Base):
    """An authorization code, hashed; used once, and a replay kills its family (RFC 9700 §4.5)."""

    __tablename__ = "authorization_codes"
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    family_id: Mapped[str] = mapped_column(String(64), index=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.client_id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"))
    redirect_uri: Mapped[str] = mapped_column(Text)
    code_challenge: Mapped[str] = mapped_column(String(128))
    nonce: Mapped[str | None] = mapped_column(String(512))
    scopes: Mapped[list[str]]
    resources: Mapped[list[str]]
    created_at: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)
    used_at: Mapped[int | None]


class RefreshToken(Base):
    """A refresh token, hashed; each use replaces it, and a reuse kills the family (RFC 9700 §4.14)."""

    __tablename__ = "refresh_tokens"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    family_id: Mapped[str] = mapped_column(String(64), index=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.client_id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"), index=True)
    scopes: Mapped[list[str]]
    resources: Mapped[list[str]]
    created_at: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)
    used_at: Mapped[int | None]
    revoked_at: Mapped[int | None]


class ClientGrant(Base):
    """What a person has allowed a third-party client (OIDC Core §3.1.2.4)."""

    __tablename__ = "client_grants"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.client_id"), primary_key=True)
    scopes: Mapped[list[str]]
    granted_at: Mapped[int]


class UpstreamLogin(Base):
    """A sign-in at the company's IdP under way, bound to one browser (OIDC Core §3.1.2)."""

    __tablename__ = "upstream_logins"
    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    browser_hash: Mapped[str] = mapped_column(String(64))
    issuer: Mapped[str] = mapped_column(String(512))
    nonce: Mapped[str] = mapped_column(String(64))
    code_verifier: Mapped[str] = mapped_column(String(128))
    return_to: Mapped[str] = mapped_column(Text)
    max_age: Mapped[int | None]
    acr_values: Mapped[str] = mapped_column(String(512))
    expires_at: Mapped[int] = mapped_column(index=True)
    used_at: Mapped[int | None]


class LinkedIdentity(Base):
    """Who a subject of an upstream issuer is here."""

    __tablename__ = "linked_identities"
    issuer: Mapped[str] = mapped_column(String(512), primary_key=True)
    sub: Mapped[str] = mapped_column(String(255), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[int]
    seen_at: Mapped[int]


class LogoutToken(Base):
    """A logout token of an upstream issuer that has been used (OIDC Back-Channel Logout §2.6)."""

    __tablename__ = "logout_tokens"
    issuer: Mapped[str] = mapped_column(String(512), primary_key=True)
    jti_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[int] = mapped_column(index=True)


class DeviceCode(Base):
    """A device authorization: a code for the device, one for its person, both hashed (RFC 8628)."""

    __tablename__ = "device_codes"
    device_code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.client_id"), index=True)
    scopes: Mapped[list[str]]
    resources: Mapped[list[str]]
    address: Mapped[str] = mapped_column(String(64))
    """Where the device asked from: its person is shown it."""
    user_agent: Mapped[str] = mapped_column(String(255), default="")
    interval: Mapped[int]
    polled_ms: Mapped[int | None]
    created_at: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)
    decision: Mapped[str | None] = mapped_column(String(16))
    decided_at: Mapped[int | None]
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id"))
    family_id: Mapped[str] = mapped_column(String(64), index=True)
    used_at: Mapped[int | None]


class SupportCode(Base):
    """A customer's one-time code: subject and consent in one, within the limits that they chose (design section 3)."""

    __tablename__ = "support_codes"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"), index=True)
    """The session it was made in: it dies with it."""
    client_id: Mapped[str | None] = mapped_column(ForeignKey("clients.client_id"))
    """The app that made it with the customer's token; None for the account page."""
    mode: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[list[str]]
    lifetime: Mapped[int]
    """How long what it opens may last at most, in seconds."""
    words_version: Mapped[str] = mapped_column(String(32))
    words_language: Mapped[str] = mapped_column(String(16))
    words_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)
    used_at: Mapped[int | None]
    revoked_at: Mapped[int | None]
    impersonation_id: Mapped[str | None] = mapped_column(ForeignKey("impersonations.id"))
