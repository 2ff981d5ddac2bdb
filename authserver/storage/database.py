"""The engine, and the unit of work: read first, then lock, write and commit once."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy import exc as sqlalchemy_exc
from sqlalchemy.orm import Session as DbSession

from authserver.settings import Database
from authserver.storage.tables import Base

db = SQLAlchemy(metadata=Base.metadata)
MIGRATIONS = Path(__file__).with_name("migrations")

_IMMEDIATE = "authserver_immediate"
"""The option of a connection that begins to write: for how many milliseconds it waits for other processes."""
_BUSY_SECONDS = 10
_PRIMARY = 0xFF  # the part of a result code of SQLite that is not its details
_sqlite_writer = threading.Lock()

UniqueViolation = sqlalchemy_exc.IntegrityError
"""Raised by a verb whose constraint another writer met first."""
StorageError = sqlalchemy_exc.SQLAlchemyError
"""Raised for a database that cannot be reached or used."""


class StorageBusy(StorageError):  # noqa: N818 - a state that passes, not a fault
    """Raised where the writers before one take longer than one waits; nothing was written."""


def install(app: Flask, settings: Database) -> None:
    """Bind `app` to its database."""
    app.config["SQLALCHEMY_DATABASE_URI"] = _absolute(settings.url)
    options: dict[str, Any] = {"pool_pre_ping": True, "hide_parameters": True}
    if ":memory:" not in settings.url:
        options |= {"pool_size": settings.pool_size, "max_overflow": 0, "pool_timeout": 10}
    if settings.url.startswith("sqlite"):
        options["connect_args"] = {"timeout": _BUSY_SECONDS}
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    db.init_app(app)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            _keep_private(db.engine)
            _tune_sqlite(db.engine)


def _absolute(text: str) -> URL | str:
    """Take a relative file from where the server is started: the extension would put it beside the package."""
    url = make_url(text)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:" or url.query:
        return text
    return url.set(database=str(Path(url.database).resolve()))


def _keep_private(engine: Engine) -> None:
    """Make a new file for the server's own user alone; SQLite gives its log the same mode."""
    file = engine.url.database
    if file and file != ":memory:" and not engine.url.query and Path(file).parent.is_dir():
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def _tune_sqlite(engine: Engine) -> None:
    """Take transactions out of the driver's hands: its defaults fork a hash chain."""
    usual = f"PRAGMA busy_timeout={int(_BUSY_SECONDS * 1000)}"

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(usual)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        waits = connection.get_execution_options().get(_IMMEDIATE)
        if waits is None:
            connection.exec_driver_sql("BEGIN")
            return
        connection.exec_driver_sql(f"PRAGMA busy_timeout={waits}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            connection.exec_driver_sql(usual)


class Work:
    """One request's reads and writes. Reads see a snapshot until `lock`; one commit ends it.

    A refusal commits what was written, for its evidence must stay; a crash rolls back.
    """

    def __init__(self, session: DbSession) -> None:
        """Begin with nothing read and nothing written."""
        self.session = session
        self.locked = False
        self._patience = float(_BUSY_SECONDS)
        self._before_commit: list[Callable[[], None]] = []

    def lock(self) -> None:
        """End the reading; from here on rows are read anew and written (one writer at a time on SQLite).

        Where other writers do not let go, what it raises `is_busy`: one unit of work waits for so long in all, be it
        for writers of this process, for those of others, or more than once.
        """
        if self.locked:
            return
        self.session.rollback()
        began = time.monotonic()
        if self._is_sqlite() and not _sqlite_writer.acquire(timeout=max(0.0, self._patience)):
            self._patience = 0.0
            raise StorageBusy("other writers are before this one")
        self.locked = True
        left = self._patience - (time.monotonic() - began)
        try:
            self.session.connection(execution_options={_IMMEDIATE: max(0, int(left * 1000))})
        finally:
            self._patience -= time.monotonic() - began

    def before_commit(self, action: Callable[[], None]) -> None:
        """Run `action` last inside the transaction; asking for it makes the work a writing one."""
        self._before_commit.append(action)

    def commit(self) -> None:
        """Make everything durable; without a write nothing happens."""
        if self._before_commit:
            self.lock()
            for action in self._before_commit:
                action()
            self._before_commit.clear()
        if self.locked:
            self.session.commit()
        self._release()

    def rollback(self) -> None:
        """Forget everything."""
        self._before_commit.clear()
        self._release()

    def _release(self) -> None:
        try:
            self.session.rollback()
        finally:
            if self.locked:
                self.locked = False
                if self._is_sqlite():
                    _sqlite_writer.release()

    def _is_sqlite(self) -> bool:
        return db.engine.dialect.name == "sqlite"


def is_busy(error: BaseException | None) -> bool:
    """Tell whether this passes on its own: others write for too long, or hold every connection of the pool."""
    if isinstance(error, StorageBusy | sqlalchemy_exc.TimeoutError):
        return True
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def new_work() -> Work:
    """Give a unit of work of the present app; who asks for it commits it or rolls it back."""
    return Work(cast("DbSession", db.session()))


@contextmanager
def unit_of_work() -> Iterator[Work]:
    """Give one unit of work of the present app; commit at the end, roll back on a crash."""
    work = new_work()
    try:
        yield work
        work.commit()
    except BaseException:
        work.rollback()
        raise
