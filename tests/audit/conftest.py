import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from authserver.audit import heads, proof
from authserver.audit.chain import Trail
from authserver.audit.events.event import Event
from authserver.audit.events.refusals import RequestRefused
from authserver.audit.events.sign_in import SessionEnded
from authserver.audit.proof import Report
from authserver.entropy import SystemEntropy
from authserver.settings import Database
from authserver.storage import database, trail
from authserver.storage.database import db, unit_of_work
from authserver.storage.trail import EventRow, SignedHead


class StoppedClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now(self) -> int:
        return self.ms // 1000

    def now_ms(self) -> int:
        return self.ms


@dataclass
class TestKey:
    """Signs and verifies heads: an HMAC stands in for the audit key."""

    __test__ = False
    kid: str = "audit-1"
    secret: bytes = b"secret"
    signed: list[bytes] = field(default_factory=list)

    @property
    def public(self) -> dict[str, dict[str, Any]]:
        return {self.kid: {"kty": "OKP", "x": self.secret.hex()}}

    def _mac(self, payload: bytes) -> str:
        return hmac.new(self.secret, payload, hashlib.sha256).hexdigest()

    def sign(self, payload: bytes) -> tuple[str, str]:
        self.signed.append(payload)
        return self.kid, f"{payload.hex()}.{self._mac(payload)}"

    def verify(self, kid: str, signature: str) -> bytes | None:
        payload, _, mac = signature.partition(".")
        try:
            found = bytes.fromhex(payload)
        except ValueError:
            return None
        return found if kid == self.kid and mac == self._mac(found) else None


@dataclass
class House:
    """A database with a trail in it."""

    app: Flask
    clock: StoppedClock
    trail: Trail
    key: TestKey
    anchor: Path
    url: str

    def record(self, *events: Event) -> None:
        with unit_of_work() as work:
            for event in events:
                self.trail.record(work, event)

    @staticmethod
    def ended(session_id: str) -> SessionEnded:
        """An event without personal values."""
        return SessionEnded(session_id=session_id, user_id="usr_1", by="system")

    @staticmethod
    def refused(address: str = "203.0.113.7") -> RequestRefused:
        """An event whose address is personal."""
        return RequestRefused(
            endpoint="token",
            error="access_denied",
            reason="policy",
            client_id="backend",
            actor="usr_1",
            way="A",
            target=None,
            policies=(),
            address=address,
        )

    def fill(self, count: int) -> None:
        for number in range(count):
            self.record(self.ended(f"ses_{number}"))

    def sign(self) -> SignedHead | None:
        with unit_of_work() as work:
            return heads.sign_head(work, self.clock, self.key, self.anchor)

    def verify(self, *, key: TestKey | None = None, keys: Any = None) -> Report:
        trusted = key or self.key
        lines = self.anchor.read_text().splitlines(keepends=True) if self.anchor.exists() else []
        report = proof.verify(self.session, trusted, trusted.public if keys is None else keys, anchor_lines=lines)
        self.session.rollback()
        return report

    @property
    def session(self) -> Session:
        return cast("Session", db.session())

    def tamper(self, *statements: str, **values: object) -> None:
        """Do what somebody with the database's password can."""
        for statement in statements:
            self.session.execute(text(statement), values)
        self.session.commit()

    def events(self) -> list[EventRow]:
        found = trail.events(self.session, "main", limit=10_000)
        self.session.rollback()
        return found


@pytest.fixture
def house(new_database: str, tmp_path: Path) -> Iterator[House]:
    yield from build(new_database, tmp_path)


@pytest.fixture
def small_house(new_sqlite: str, tmp_path: Path) -> Iterator[House]:
    """A house on SQLite, for what does not depend on the database."""
    yield from build(new_sqlite, tmp_path)


def build(url: str, tmp_path: Path) -> Iterator[House]:
    app = Flask("trail")
    database.install(app, Database(url=url, pool_size=16))
    clock, key = StoppedClock(), TestKey()
    with app.app_context():
        yield House(app, clock, Trail(clock, SystemEntropy()), key, tmp_path / "heads.jsonl", url)
        db.session.remove()
        db.engine.dispose()
