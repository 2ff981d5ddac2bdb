"""Alembic's environment: it runs online only, on the engine of the present app."""

from alembic import context
from flask import current_app
from sqlalchemy import text

from authserver.storage.tables import Base

_LOCK = 0x61757468  # any number that only our migrations use

migrate = current_app.extensions["migrate"]

with migrate.db.engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, **migrate.configure_args)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        context.run_migrations()
    connection.commit()
