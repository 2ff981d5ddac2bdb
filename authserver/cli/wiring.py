"""Open the wired server for one command; what is wrong ends the command with one line and changes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authserver import settings
from authserver.settings import Database, SettingsError
from authserver.storage import schema
from authserver.storage.database import StorageError, Work, db, unit_of_work
from authserver.tokens.key_files import KeyFileError
from authserver.tokens.keyring import KeyringError

if TYPE_CHECKING:
    from authserver.app import Wired
    from authserver.cli import Options


class WrongSettingsError(click.ClickException):
    """Settings that the server does not start with."""

    exit_code = 2


@contextmanager
def opened(options: "Options") -> Iterator["Wired"]:
    """Wire the server on a database of the right schema, and enter its application context."""
    from authserver.app import create_app

    with in_plain_words():
        loaded = settings.load(options.config)
        refuse_missing(loaded.database)
        app = create_app(loaded)
        with app.app_context():
            try:
                check_schema()
                yield app.extensions["authserver"]
            finally:
                db.session.remove()
                db.engine.dispose()


@contextmanager
def working(options: "Options") -> Iterator[tuple["Wired", Work]]:
    """Give the wired server and one unit of work: it is committed at the end, and rolled back where one is raised."""
    with opened(options) as server, unit_of_work() as work:
        yield server, work


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Turn what settings, keys, files and the database can have wrong into an error of the command line."""
    try:
        yield
    except SettingsError as error:
        raise WrongSettingsError(str(error)) from None
    except (KeyringError, KeyFileError) as error:
        raise click.ClickException(str(error)) from None
    except StorageError as error:
        raise click.ClickException(f"database.url: the database cannot be used: {first_line(error)}") from None
    except OSError as error:
        if error.filename is None:
            raise
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None


def missing_file(database: Database) -> Path | None:
    """Return the file of a database on SQLite that is not there; opening it would make an empty one."""
    url = database.url
    if not url.startswith("sqlite:///") or ":memory:" in url or "?" in url:
        return None
    file = Path(url.removeprefix("sqlite:///"))
    return None if file.exists() else file


def refuse_missing(database: Database) -> None:
    """Refuse a database that is not there, before anything is made in its place."""
    file = missing_file(database)
    if file is not None:
        msg = f"database.url: there is no {file}; name your settings with --config, or run: authserver db upgrade"
        raise click.ClickException(msg)


def check_schema() -> None:
    """Refuse a database that has not been migrated to what this release needs."""
    with unit_of_work() as work:
        present, needed = schema.present(work.session), schema.needed()
    if present != needed:
        stands = "has no tables" if present is None else f"has schema {present}, and {needed} is needed"
        raise click.ClickException(f"database.url: the database {stands}; run: authserver db upgrade")


def first_line(error: StorageError) -> str:
    """Return what the database's driver said, without the statement and its values."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__
