"""oidc-provider-mock as a process of its own, and a seeded server that trusts it: the company's IdP in tests."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from authserver.cli import demo_cast
from authserver.cli.db import migrate
from tests.federation.idp import settings
from tests.world import ISSUER, HandClock, World, make_app, settings_for

NAME = "corp"


@contextmanager
def answering(command: list[str], url: str, log: Path) -> Iterator[None]:
    """Run an IdP until the body ends; it begins when its metadata can be had."""
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            until = time.monotonic() + 30
            while True:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                try:
                    requests.get(f"{url}/.well-known/openid-configuration", timeout=1)
                    break
                except requests.ConnectionError:
                    time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(timeout=10)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def real_idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """oidc-provider-mock in a process of its own."""
    pytest.importorskip("oidc_provider_mock", reason="oidc-provider-mock is not installed")
    port = free_port()
    user = '{"sub": "42", "email": "agent@example.com", "email_verified": true, "name": "Avery"}'
    command = [sys.executable, "-m", "oidc_provider_mock", "-p", str(port), "-n", "--user-claims", user]
    url = f"http://127.0.0.1:{port}"
    with answering(command, url, tmp_path_factory.mktemp("idp") / "log.txt"):
        yield url


@pytest.fixture(scope="module")
def strict_idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The strict provider in a process of its own; it knows our redirect URI."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tests.federation.strict_op", str(port)]
    with answering(command, url, tmp_path_factory.mktemp("strict-idp") / "log.txt"):
        told = {"redirect_uris": [f"{ISSUER}/login/at/{NAME}/callback"]}
        requests.post(f"{url}/control", json=told, timeout=5).raise_for_status()
        yield url


@pytest.fixture
def real_world(real_idp: str, tmp_path: Path) -> Iterator[World]:
    """A seeded world on the machine's own time, for an IdP that has no other."""
    issuer = settings(
        issuer=real_idp,
        allow_private_addresses=True,
        acr={"": "urn:authserver:acr:password"},
        presenters=[{"client": "backend", "upstream_clients": ["authserver"]}],
    )
    yield from _on_real_time(issuer, tmp_path)


@pytest.fixture
def strict_world(strict_idp: str, tmp_path: Path) -> Iterator[World]:
    """A seeded world on the machine's own time that trusts the strict provider, and passes sign-out on to it."""
    issuer = settings(
        issuer=strict_idp,
        label="Example Corp",
        allow_private_addresses=True,
        acr={"1": "urn:authserver:acr:password", "2": "urn:authserver:acr:mfa"},
        roles=[{"claim": "groups", "contains": "support", "role": "support"}],
        presenters=[],
        sign_out_there=True,
        refetch_seconds=1,
        read_timeout=1,
        total_timeout=2,
    )
    yield from _on_real_time(issuer, tmp_path)


def _on_real_time(issuer: dict[str, Any], folder: Path) -> Iterator[World]:
    own = settings_for(f"sqlite:///{folder / 'authserver.sqlite3'}", folder, federation={"issuers": {NAME: issuer}})
    migrate(own.database)
    clock = HandClock(time.time())
    app = make_app(own, clock)
    wired = app.extensions["authserver"]
    with app.app_context():
        demo_cast.seed(wired)
        secrets, passwords = demo_cast.new_secrets(wired), demo_cast.new_passwords(wired)
        credentials = demo_cast.credentials(wired, secrets, passwords)
    world = World(app, clock, credentials)
    yield world
    world.close()
