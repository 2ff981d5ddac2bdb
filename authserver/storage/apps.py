"""Apps that are managed through the API, with their settings as they were checked when they were stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session as DbSession

from authserver.storage.dialect import insert_ignoring
from authserver.storage.tables import App

_SELECT = select(App).execution_options(populate_existing=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredApp:
    """An app as read; frozen, so that it outlives its transaction. Instants are seconds."""

    name: str
    settings: Mapping[str, Any]
    enabled: bool
    created_at: int
    changed_at: int


def find(session: DbSession, name: str, *, hold: bool = False) -> StoredApp | None:
    """Return an app, enabled or not; `hold` keeps others from changing it until the commit."""
    query = _SELECT.where(App.name == name)
    row = session.scalars(query.with_for_update() if hold else query).one_or_none()
    return None if row is None else _stored(row)


def listing(session: DbSession) -> list[StoredApp]:
    """Return every app by name."""
    return [_stored(row) for row in session.scalars(_SELECT.order_by(App.name))]


def add(session: DbSession, app: StoredApp) -> bool:
    """Add an app; False where the name is taken."""
    values = {
        "name": app.name,
        "settings": dict(app.settings),
        "enabled": app.enabled,
        "created_at": app.created_at,
        "changed_at": app.changed_at,
    }
    return insert_ignoring(session, App, values)


def change(session: DbSession, app: StoredApp) -> None:
    """Write an app's settings, whether it is enabled, and when it was changed."""
    values = {"settings": dict(app.settings), "enabled": app.enabled, "changed_at": app.changed_at}
    session.execute(update(App).where(App.name == app.name).values(**values))


def _stored(row: App) -> StoredApp:
    return StoredApp(
        name=row.name,
        settings=row.settings,
        enabled=row.enabled,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
