"""Impersonations, the decisions on them, and what is owed and sent for them."""

from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from authserver.storage.tables.base import Base


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
    override: Mapped[str | None] = mapped_column(String(16))
    """`break_glass`, or None."""
    consent_way: Mapped[str] = mapped_column(String(16), default="account", server_default="account")
    """How the customer is asked, while their consent is awaited."""
    consent_id: Mapped[str | None] = mapped_column(String(64), index=True)
    """The consent that it rests on since it became active."""
    notice: Mapped[str | None] = mapped_column(String(16))
    """Where the notice that gates it stands: `awaited`, `accepted`, or None where nothing waits for it."""
    notice_withheld_until: Mapped[int | None]
    grace_until: Mapped[int | None] = mapped_column(index=True)
    """When it ends unless a device is opened again; None while one is open, or before the first."""
    extension_lifetime: Mapped[int | None]
    extension_digest: Mapped[str | None] = mapped_column(String(64))
    extension_until: Mapped[int | None]
    """An extension that waits for its decision: the lifetime asked for, its digest, and until when it waits."""


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
    lifetime: Mapped[int | None]
    """To how many seconds the approver shortened it; None where they did not."""
    remark: Mapped[str] = mapped_column(Text, default="", server_default="")
    kid: Mapped[str | None] = mapped_column(String(64))
    signature: Mapped[str | None] = mapped_column(Text)
    """The server's signature over who decided what, when, and on which digest."""


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
    way: Mapped[str] = mapped_column(String(16), default="", server_default="")
    """How it was given: account, app, mail, number_match, code or support_code."""
    basis: Mapped[str] = mapped_column(String(64), default="", server_default="")
    """The lawful basis that was stated, by its configured name."""
    words_version: Mapped[str] = mapped_column(String(32), default="", server_default="")
    words_language: Mapped[str] = mapped_column(String(16), default="", server_default="")
    words_hash: Mapped[str] = mapped_column(String(64), default="", server_default="")
    """Which words the customer was shown: their version, language, and SHA-256 (hex)."""


class ConsentCode(Base):
    """A code sent to the customer, who reads it to the agent; a few wrong tries kill it."""

    __tablename__ = "consent_codes"
    impersonation_id: Mapped[str] = mapped_column(ForeignKey("impersonations.id"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    tries: Mapped[int]
    created_at: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)
    used_at: Mapped[int | None]


class BreakGlassReport(Base):
    """The report that is owed for breaking the glass; the right is suspended until it is filed."""

    __tablename__ = "break_glass_reports"
    impersonation_id: Mapped[str] = mapped_column(ForeignKey("impersonations.id"), primary_key=True)
    actor_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    owed_at: Mapped[int]
    due_at: Mapped[int] = mapped_column(index=True)
    filed_at: Mapped[int | None]
    session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id"))
    report: Mapped[str] = mapped_column(Text, default="")


class PerformedAction(Base):
    """Something that was done while impersonating, as reported; `id` is the reporter's and counts once."""

    __tablename__ = "performed_actions"
    __table_args__ = (Index("ix_performed_actions_order", "impersonation_id", "received_ms", "id"),)
    impersonation_id: Mapped[str] = mapped_column(ForeignKey("impersonations.id"), primary_key=True)
    reported_by: Mapped[str] = mapped_column(String(128), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    details: Mapped[dict[str, Any]]
    at_ms: Mapped[int]
    received_ms: Mapped[int]


class OutboxMessage(Base):
    """A message to a person that is sent at least once, always under the same Message-ID."""

    __tablename__ = "outbox"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    impersonation_id: Mapped[str | None] = mapped_column(ForeignKey("impersonations.id"), index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    """Whom it is for; None for the contact named in `address`."""
    address: Mapped[str | None] = mapped_column(String(255))
    sealed: Mapped[str | None] = mapped_column(Text)
    """What only this message may say, such as a code, sealed; dropped once it was sent."""
    gates: Mapped[bool] = mapped_column(default=False)
    channel: Mapped[int]
    """Which of the configured channels is tried, counted from 0."""
    attempts: Mapped[int]
    created_at: Mapped[int]
    due_at: Mapped[int] = mapped_column(index=True)
    leased_until: Mapped[int | None]
    sent_at: Mapped[int | None]
    failed_at: Mapped[int | None]
    last_error: Mapped[str] = mapped_column(String(128), default="")


class TargetAttempt(Base):
    """The last time an actor tried a target; what was tried is kept as a keyed hash, for it may not exist."""

    __tablename__ = "target_attempts"
    actor_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    target_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_at: Mapped[int] = mapped_column(index=True)
