"""What the console keeps on the server's side."""

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authserver.storage.tables.base import Base


class ConsoleSession(Base):
    """A browser's session at the console, or a sign-in under way: sealed, and found by the hash of its cookie."""

    __tablename__ = "console_sessions"
    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """`session` or `sign_in`."""
    sealed: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    """Counts the changes, so that two at once cannot both be right."""
    created_at: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)
