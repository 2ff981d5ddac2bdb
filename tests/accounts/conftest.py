"""A database with a few people in it, and everything that signs them in; hashing is cheap here."""

import json
import threading
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask

from authserver.accounts.authentication import Method
from authserver.accounts.local_methods import LocalMethods
from authserver.accounts.passkeys import Passkeys
from authserver.accounts.passwords import Passwords
from authserver.accounts.pending import Finished, PendingLogins, SecondFactorNeeded
from authserver.accounts.recovery import RecoveryCodes
from authserver.accounts.sessions import Place, Sessions, Started
from authserver.accounts.sign_in import SignIn
from authserver.accounts.throttle import Throttle
from authserver.accounts.totp import TotpApps
from authserver.audit.chain import Trail
from authserver.entropy import SystemEntropy
from authserver.settings import Accounts, Database, config_folder
from authserver.settings_federation import Federation
from authserver.storage import accounts, database, trail
from authserver.storage.database import Work, db, unit_of_work
from authserver.storage.tables import User
from authserver.tokens.sealing import Sealer
from authserver.tokens.secret_hashes import SecretHasher
from tests.accounts.authenticator import Authenticator
from tests.world import HandClock

ISSUER = "https://login.example.com"
THREADS = 8
ADDRESS = "203.0.113.7"
PLACE = Place(ADDRESS, "A browser")
PASSWORD = "correct horse battery staple"


def account_settings(**changes: Any) -> Accounts:
    shipped = tomllib.loads((config_folder() / "default.toml").read_text(encoding="utf-8"))["accounts"]
    cheap = {"argon2_time_cost": 1, "argon2_memory_kib": 8, "argon2_parallelism": 1}
    return Accounts.model_validate({**shipped, **cheap, **changes})


@dataclass
class House:
    """Everything, wired; the test's thread has an application context."""

    app: Flask
    clock: HandClock
    settings: Accounts
    ended: list[tuple[tuple[str, ...], str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.entropy = SystemEntropy()
        self.hasher = SecretHasher(b"p" * 32)
        self.trail = Trail(self.clock, self.entropy)
        shared = self.trail, self.clock, self.entropy
        self.passwords = Passwords(self.settings, *shared)
        self.totp = TotpApps(ISSUER, Sealer(b"p" * 32, self.entropy), *shared)
        self.recovery = RecoveryCodes(self.hasher, *shared)
        self.passkeys = Passkeys(ISSUER, *shared)
        self.throttle = Throttle(self.settings, self.hasher, self.clock)
        self.pending = PendingLogins(self.settings, self.hasher, self.clock, self.entropy)
        self.sessions = Sessions(self.settings, self.hasher, *shared, self._on_ended)
        self.sign_in = SignIn(
            passwords=self.passwords,
            totp=self.totp,
            recovery=self.recovery,
            passkeys=self.passkeys,
            throttle=self.throttle,
            pending=self.pending,
            local_methods=LocalMethods(Federation()),
            trail=self.trail,
        )

    def _on_ended(self, _work: Work, session_ids: Sequence[str], by: str) -> None:
        self.ended.append((tuple(session_ids), by))

    def person(self, name: str, password: str | None = PASSWORD, *, enabled: bool = True) -> str:
        user_id = f"usr_{name}"
        with unit_of_work() as work:
            work.lock()
            work.session.add(
                User(
                    id=user_id,
                    username=f"{name}@example.com",
                    email=f"{name}@example.com",
                    name=name.title(),
                    population="staff",
                    roles=[],
                    groups=[],
                    conflicts=[],
                    enabled=enabled,
                    created_at=0,
                )
            )
            work.session.flush()
            if password is not None:
                hashed = self.passwords.hash(password)
                accounts.put_password(work.session, user_id, hashed, now=self.clock.now())
        return user_id

    def begin(self, return_to: str = "/account") -> str:
        with unit_of_work() as work:
            return self.pending.begin(work, return_to)

    def password(self, cookie: str, name: str = "casey", password: str = PASSWORD, address: str = ADDRESS) -> Any:
        with unit_of_work() as work:
            return self.sign_in.with_password(
                work, cookie, username=f"{name}@example.com", password=password, address=address
            )

    def session_of(self, step: Finished | SecondFactorNeeded, old_cookie: str = "") -> Started:
        assert isinstance(step, Finished)
        with unit_of_work() as work:
            return self.sessions.sign_in(work, step.user_id, step.authenticated, PLACE, old_cookie=old_cookie)

    def add_totp(self, user_id: str) -> str:
        """Enrol and confirm an app; return its secret. Its next code comes 30 seconds later."""
        with unit_of_work() as work:
            secret = self.totp.enrol(work, user_id, "casey@example.com").secret
        with unit_of_work() as work:
            assert self.totp.confirm(work, user_id, self.code(secret), by=user_id)
        return secret

    def code(self, secret: str, after: float = 0) -> str:
        import pyotp  # noqa: PLC0415

        return str(pyotp.TOTP(secret).at(int(self.clock.seconds + after)))

    def add_passkey(self, user_id: str, **parts: Any) -> Authenticator:
        device = Authenticator("login.example.com", ISSUER, **parts)
        with unit_of_work() as work:
            options = self.passkeys.registration_options(work.session, user_id)
            self.passkeys.register(
                work,
                user_id,
                challenge=options.challenge,
                response=device.create(options.json),
                name="Phone",
                by=user_id,
            )
        return device

    def events(self, name: str) -> list[dict[str, Any]]:
        rows = trail.events(db.session(), "main", trail.Selection(name=name), limit=10_000)
        found = [json.loads(row.payload) for row in rows]
        db.session.rollback()
        return found

    def race(self, act: Callable[[], Any]) -> list[Any]:
        """Do it in eight threads at once; return what each got, an exception where it raised."""
        barrier, results = threading.Barrier(THREADS), []

        def run() -> None:
            with self.app.app_context():
                barrier.wait()
                try:
                    results.append(act())
                except Exception as error:  # noqa: BLE001 - told by the test
                    results.append(error)
                finally:
                    db.session.remove()

        threads = [threading.Thread(target=run) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results


MakeHouse = Callable[..., House]


def _build(url: str) -> Iterator[MakeHouse]:
    app = Flask("accounts")
    database.install(app, Database(url=url, pool_size=12))
    clock = HandClock()
    with app.app_context():
        yield lambda **changes: House(app, clock, account_settings(**changes))
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def make_house(new_database: str) -> Iterator[MakeHouse]:
    """Make a house on each database: for what is consumed."""
    yield from _build(new_database)


@pytest.fixture
def house(make_house: MakeHouse) -> House:
    return make_house()


@pytest.fixture
def make_small_house(new_sqlite: str) -> Iterator[MakeHouse]:
    """Make a house on SQLite: for what does not depend on the database."""
    yield from _build(new_sqlite)


@pytest.fixture
def small_house(make_small_house: MakeHouse) -> House:
    return make_small_house()


__all__ = ["ADDRESS", "ISSUER", "PASSWORD", "PLACE", "THREADS", "House", "MakeHouse", "Method", "account_settings"]
