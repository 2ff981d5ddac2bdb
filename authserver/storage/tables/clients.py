"""OAuth clients, and the resource servers that tokens are for."""

from typing import Any

from sqlalchemy import ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column

from authserver.storage.tables.base import Base


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
