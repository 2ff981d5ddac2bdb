"""Handoffs to a device, and the one-time codes that are passed there."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from authserver.storage.tables.base import Base


class Handoff(Base):
    """A handoff to a device: its page is opened once, and its configuration comes once."""

    __tablename__ = "handoffs"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    impersonation_id: Mapped[str] = mapped_column(ForeignKey("impersonations.id"), index=True)
    actor_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    app: Mapped[str] = mapped_column(String(64))
    build: Mapped[str | None] = mapped_column(String(128))
    """The build that was asked for, by version or by id."""
    resources: Mapped[list[str]]
    secret_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[int]
    consumed_at: Mapped[int | None]
    ticket_hash: Mapped[str | None] = mapped_column(String(64))
    ticket_session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id"))
    ticket_until: Mapped[int | None]
    """The newest ticket to the embed page: its hash, the browser session that it was given to, and its end."""
    opened_at: Mapped[int | None]
    page_hash: Mapped[str | None] = mapped_column(String(64))
    page_session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id"))
    """The embed page's cookie, hashed, and the browser session that it dies with."""
    seen_ms: Mapped[int | None] = mapped_column(index=True)
    """When the embed page was last heard of; None where there is none, or its device is closed."""
    coded_ms: Mapped[int | None]
    """When a fresh code was last asked for."""
    device_session: Mapped[str | None] = mapped_column(String(128))
    """What the vendor calls the device's session."""
    requested_ms: Mapped[int | None]
    started_ms: Mapped[int | None]
    first_frame_ms: Mapped[int | None]
    app_launched_ms: Mapped[int | None]
    ended_ms: Mapped[int | None]


class HandoffCode(Base):
    """A one-time code that is passed to a device instead of a token, hashed; a replay kills its family."""

    __tablename__ = "handoff_codes"
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    handoff_id: Mapped[str] = mapped_column(ForeignKey("handoffs.id"), index=True)
    impersonation_id: Mapped[str] = mapped_column(ForeignKey("impersonations.id"), index=True)
    family_id: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)
    used_at: Mapped[int | None]
    revoked_at: Mapped[int | None]
    """When what it gave was revoked, because it was presented again."""
