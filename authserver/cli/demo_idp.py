"""The demo's identity provider: oidc-provider-mock as a process of its own, trusted for the demo's staff."""

import http.client
import importlib.util
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from authserver.protocol.names import Role

NAME = "demo"
_HOST = "127.0.0.1"
_BESIDE = 400
"""How far its port is from the server's: 9400 beside 9000."""
_START_SECONDS = 20
_STOP_SECONDS = 5
_STAFF = (("agent", "Avery Agent", Role.SUPPORT), ("lead", "Lee Lead", Role.LEAD))
_MISSING = (
    "--with-idp needs oidc-provider-mock, which is installed with what the tests need: "
    "make demo ARGS=--with-idp, or pip install --require-hashes -r requirements/dev.txt"
)


@dataclass(frozen=True, slots=True)
class DemoIdp:
    """A provider that answers: its issuer, and who may be chosen there."""

    issuer: str
    people: tuple[str, ...]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by which the demo trusts it: staff, linked by address, with a role by a rule."""
        return {
            "issuer": self.issuer,
            "label": "the demo's IdP",
            "population": "staff",
            "allow_private_addresses": True,
            "client_id": "authserver-demo",
            "client_secret": "any will do",
            "provision": "link_verified_email",
            "roles": [{"claim": "groups", "contains": role, "role": role} for _, _, role in _STAFF],
            "acr": {"": "urn:authserver:acr:password"},
            "local_methods": True,  # the demo's passwords go on working
            "sign_out_there": True,
        }


@contextmanager
def running(data: Path, beside: int) -> Iterator[DemoIdp]:
    """Run the provider until the body ends, on the port that belongs to `beside`; its output goes to a file."""
    if importlib.util.find_spec("oidc_provider_mock") is None:
        raise click.ClickException(_MISSING)
    port = _port(beside)
    people = [
        {
            "sub": f"{key}@example.com",
            "email": f"{key}@example.com",
            "email_verified": True,
            "name": name,
            "groups": [role],
        }
        for key, name, role in _STAFF
    ]
    command = [sys.executable, "-m", "oidc_provider_mock", "--host", _HOST, "--port", str(port), "--require-nonce"]
    command += [part for person in people for part in ("--user-claims", json.dumps(person))]
    with (
        (data / "idp.log").open("w", encoding="utf-8") as log,
        subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True) as process,  # noqa: S603 - our own
    ):
        try:
            _wait(process, port, data / "idp.log")
            yield DemoIdp(f"http://{_HOST}:{port}", tuple(str(person["sub"]) for person in people))
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _claims(email: str, name: str, role: Role) -> dict[str, Any]:
    return {"sub": email, "email": email, "email_verified": True, "name": name, "groups": [role]}


def _port(beside: int) -> int:
    """Return a port that is free now: the one that belongs to the server's, or any where that would be none."""
    wanted = beside + _BESIDE
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, wanted if wanted <= 65535 else 0))  # noqa: PLR2004 - the last port
        except OSError:
            probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > until:
            msg = f"the demo's IdP did not start; what it said is in {log}"
            raise click.ClickException(msg)
        time.sleep(0.05)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(_HOST, port, timeout=1)
    try:
        connection.request("GET", "/.well-known/openid-configuration")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
