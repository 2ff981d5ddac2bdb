"""Which schema a database has, and which one this release needs."""

from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.orm import Session as DbSession

from authserver.storage.database import MIGRATIONS

_VERSIONS = "alembic_version"


def needed() -> str:
    """Return the newest schema that there is a migration to."""
    return str(ScriptDirectory(str(MIGRATIONS)).get_current_head())


def present(session: DbSession) -> str | None:
    """Return the schema of a database; None for one that was never migrated."""
    if not inspect(session.connection()).has_table(_VERSIONS):
        return None
    version: str | None = session.scalar(text(f"SELECT version_num FROM {_VERSIONS}"))  # noqa: S608 - a constant
    return version
