"""oidc-provider-mock as a process of its own, and a seeded server that trusts it: the company's IdP in tests."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from authserver.cli import demo_cast
from authserver.cli.db import migrate
from tests.federation.idp import settings
from tests.world import HandClock, World, make_app, settings_for

NAME = "corp"


@pytest.fixture(scope="module")
def real_idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """oidc-provider-mock in a process of its own."""
    pytest.importorskip("oidc_provider_mock", reason="oidc-provider-mock is not installed")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    user = '{"sub": "42", "email": "agent@example.com", "email_verified": true, "name": "Avery"}'
    command = [sys.executable, "-m", "oidc_provider_mock", "-p", str(port), "-n", "--user-claims", user]
    log = tmp_path_factory.mktemp("idp") / "log.txt"
    url = f"http://127.0.0.1:{port}"
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
                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=10)


@pytest.fixture
def real_world(real_idp: str, tmp_path: Path) -> Iterator[World]:
    """A seeded world on the machine's own time, for an IdP that has no other."""
    issuer = settings(
        issuer=real_idp,
        allow_private_addresses=True,
        acr={"": "urn:authserver:acr:password"},
        presenters=[{"client": "backend", "upstream_clients": ["authserver"]}],
    )
    own = settings_for(f"sqlite:///{tmp_path / 'authserver.sqlite3'}", tmp_path, federation={"issuers": {NAME: issuer}})
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
