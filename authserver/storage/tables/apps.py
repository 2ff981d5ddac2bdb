"""Mobile apps that Appetize streams, as they are managed through the API."""

from typing import Any

from sqlalchemy import String, true
from sqlalchemy.orm import Mapped, mapped_column

from authserver.storage.tables.base import Base


class App(Base):
    """An app and its settings, of the shape that `config/` has; one of the same name in `config/` goes before it."""

    __tablename__ = "apps"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    settings: Mapped[dict[str, Any]]
    enabled: Mapped[bool] = mapped_column(default=True, server_default=true())
    created_at: Mapped[int]
    changed_at: Mapped[int]
