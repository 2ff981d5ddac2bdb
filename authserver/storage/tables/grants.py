"""Tokens, and the one-time values and permissions that they come from."""

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authserver.storage.tables.base import Base


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
