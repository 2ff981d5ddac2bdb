from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from authserver.settings import Database
from authserver.storage import database
from authserver.storage.database import db
from authserver.tokens.keyring import Keyring

LIFE = 3600


class FakeClock:
    def __init__(self, now: int = 1_800_000_000) -> None:
        self.at = now

    def now(self) -> int:
        return self.at

    def now_ms(self) -> int:
        return self.at * 1000


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def app(new_sqlite: str) -> Iterator[Flask]:
    app = Flask("authserver")
    database.install(app, Database(url=new_sqlite, pool_size=4))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def keyring(app: Flask, folder: Path, clock: FakeClock) -> Keyring:
    del app
    return Keyring(folder, "", clock, max_token_seconds=LIFE)
