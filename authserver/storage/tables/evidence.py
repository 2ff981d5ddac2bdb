"""Keys, the chain of audit events, and what this database is."""

from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authserver.storage.tables.base import Base


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
    __table_args__ = (
        Index("ix_audit_events_name_seq", "name", "seq"),
        Index("ix_audit_events_impersonation_id_seq", "impersonation_id", "seq"),
    )
    chain_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    prev: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    at_ms: Mapped[int] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    impersonation_id: Mapped[str | None] = mapped_column(String(64))
    payload: Mapped[str] = mapped_column(Text)


class AuditMention(Base):
    """An id that an event names: an index, made of the payload alone; each id's events lie together."""

    __tablename__ = "audit_mentions"
    __table_args__ = (Index("ix_audit_mentions_chain_id_seq", "chain_id", "seq"), {"sqlite_with_rowid": False})
    chain_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    value: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)


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


class Mark(Base):
    """What this database is: `demo` marks one that no real server may serve."""

    __tablename__ = "marks"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(String(255))
