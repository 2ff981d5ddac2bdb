"""Sign-in at upstream issuers."""

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authserver.storage.tables.base import Base


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
