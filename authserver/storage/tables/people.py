"""People, their sessions, and what they prove themselves by."""

from sqlalchemy import ForeignKey, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from authserver.storage.tables.base import Base


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
    email_verified: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the address was proved to be theirs; a code of consent goes to no other."""
    locale: Mapped[str] = mapped_column(String(35), default="", server_default="")
    """Their language as a BCP 47 tag (OIDC Core §5.1), or empty."""
    time_zone: Mapped[str] = mapped_column(String(64), default="", server_default="")
    """Their time zone by its IANA name, or empty."""
    appearance: Mapped[str] = mapped_column(String(8), default="", server_default="")
    """`light`, `dark` or empty: how their device looks."""
    app_version: Mapped[str] = mapped_column(String(64), default="", server_default="")
    """The version of the mobile app that they have, or empty."""


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
