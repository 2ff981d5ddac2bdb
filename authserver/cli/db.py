"""`authserver db`: the schema of the database."""

import sys
import tempfile
from pathlib import Path

import click
from flask import Flask
from flask_migrate import Migrate, upgrade
from flask_migrate import check as compare

from authserver import settings
from authserver.cli import Options
from authserver.cli.wiring import in_plain_words
from authserver.settings import Database
from authserver.storage.database import MIGRATIONS, db, install


def migrate(database: Database) -> None:
    """Bring a database to the newest schema; one that is there already is left as it is."""
    app = application(database)
    with app.app_context():
        try:
            upgrade()
        finally:
            db.engine.dispose()


def application(database: Database) -> Flask:
    """Return an application that has nothing but its database."""
    app = Flask("authserver")
    install(app, database)
    Migrate(app, db, directory=str(MIGRATIONS), render_as_batch=True)
    return app


@click.group(name="db")
def command() -> None:
    """Create and migrate the database."""


@command.command(name="upgrade")
@click.pass_obj
def upgrade_(options: Options) -> None:
    """Create the tables, or bring them to the newest schema. Safe to repeat."""
    with in_plain_words():
        migrate(settings.load(options.config).database)
    click.echo("the database is up to date")


@command.command()
def check() -> None:
    """Check, on a scratch database, that the migrations make what the models say; exit 1 where they do not."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(url=f"sqlite:///{Path(folder) / 'check.sqlite3'}", pool_size=1)
        app = application(database)
        with app.app_context():
            upgrade()
            try:
                compare()
            except SystemExit:
                click.echo("the migrations do not make what the models say", err=True)
                sys.exit(1)
            finally:
                db.engine.dispose()
    click.echo("migrations match models")
