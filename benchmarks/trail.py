# ruff: noqa: INP001 - a script beside the package
"""Measure the audit trail of a running server: appending to it, looking for events, and verifying it all.

`python benchmarks/trail.py`: see benchmarks/README.md.
"""

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from exchange import _process, _wait  # the script beside this one
from flask import Flask

from authserver.audit.chain import Trail
from authserver.audit.events.event import Event
from authserver.audit.events.impersonations import ImpersonationRequested
from authserver.audit.events.refusals import RequestRefused
from authserver.audit.events.tokens import TokenIssued
from authserver.clock import SystemClock
from authserver.entropy import SystemEntropy
from authserver.settings import Database
from authserver.storage import database
from authserver.storage.database import db, unit_of_work

EVENTS = "/api/v1/audit/events"
AT_ONCE = 300
AGENTS, CUSTOMERS, CLIENTS = 40, 5_000, 20


def made_up(number: int) -> Event:
    """Return an event as a busy server has them; `number` says which."""
    impersonation, actor = f"imp_{number // 20:022}", f"usr_{number // 20 % AGENTS:022}"
    subject, client = f"usr_{1000 + number // 20 % CUSTOMERS:022}", f"app-{number // 20 % CLIENTS}"
    if number % 20 == 0:
        return ImpersonationRequested(
            impersonation_id=impersonation,
            way="A",
            actor=actor,
            subject=subject,
            client_id=client,
            resources=("https://api.example.com",),
            scopes=("accounts:read", "payments:read"),
            mode="read",
            reason="a wrong balance",
            reason_code="customer_initiated_support",
            ticket_id=f"BANK-{number}",
            lifetime=900,
            digest="d" * 64,
            state="active",
            policies=("agents-may-read", "customers-may-be-read"),
            policy_set="p" * 64,
            consent_id=None,
            client_address="203.0.113.7",
            session_address="198.51.100.9",
        )
    if number % 20 == 1:
        return RequestRefused(
            endpoint="token",
            error="access_denied",
            reason="policy.denied",
            client_id=client,
            actor=actor,
            way="A",
            target=subject,
            policies=(),
            address="203.0.113.7",
        )
    return TokenIssued(
        impersonation_id=impersonation,
        jti=f"jti_{number}",
        kind="access_token",
        way="C",
        client_id=client,
        subject=subject,
        actor=actor,
        audience=("https://api.example.com",),
        scopes=("accounts:read", "payments:read"),
        kid="k" * 43,
        expires_at=1_800_000_000,
    )


def append(trail: Trail, first: int, count: int, at_once: int) -> None:
    """Append so many events, `at_once` in each transaction."""
    for begin in range(first, first + count, at_once):
        with unit_of_work() as work:
            for number in range(begin, min(begin + at_once, first + count)):
                trail.record(work, made_up(number))


def questions() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what is looked for, and its name."""
    yield "everything", {}
    yield "person: an agent", {"person": f"usr_{3:022}"}
    yield "person: a customer", {"person": f"usr_{1007:022}"}
    yield "person: the first customer of all", {"person": f"usr_{1000:022}"}
    yield "person: nobody", {"person": "usr_nobody"}
    yield "client", {"client_id": "app-7"}
    yield "client: none", {"client_id": "app-none"}
    yield "impersonation", {"impersonation_id": f"imp_{100:022}"}
    yield "name", {"name": "token:issued"}
    yield "name: a beginning that is rare", {"name": "user:"}
    yield "refusals", {"outcome": "refusals"}
    yield "person and name", {"person": f"usr_{3:022}", "name": "request:refused"}
    yield "person and text", {"person": f"usr_{1007:022}", "q": "BANK-"}
    yield "time: until the beginning", {"until": "2020-01-01T00:00:00Z"}
    yield "time: from now on", {"since": "2100-01-01T00:00:00Z"}
    yield "text: nowhere", {"q": "nowhere to be found"}


class Reader:
    """An auditor of the demo, over HTTP."""

    def __init__(self, credentials: dict[str, Any]) -> None:
        """Connect when first used."""
        parts = urlsplit(credentials["issuer"])
        self._http = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=600)
        self._headers = {"Authorization": f"Bearer {credentials['users']['auditor']['access_token']}"}

    def call(self, method: str, path: str) -> tuple[dict[str, Any], float]:
        """Return the answer, and how many seconds it took."""
        began = time.perf_counter()
        self._http.request(method, path, headers=self._headers)
        answer = self._http.getresponse()
        text = answer.read().decode()
        if answer.status != http.client.OK:
            msg = f"{path} answered {answer.status}: {text}"
            raise RuntimeError(msg)
        return dict(json.loads(text)), time.perf_counter() - began


def measure(reader: Reader, trail: Trail, events: int) -> None:
    """Fill the trail, and print what each thing took."""
    began = time.perf_counter()
    append(trail, 0, events, AT_ONCE)
    _say(f"append {events}, {AT_ONCE} at once", events / (time.perf_counter() - began), "events a second")
    began = time.perf_counter()
    append(trail, events, 1_500, 3)
    _say("append 1500, 3 at once", 1_500 / (time.perf_counter() - began), "events a second")
    for name, asked in questions():
        path = f"{EVENTS}?{urlencode({'limit': '40', **asked})}"
        took = statistics.median(reader.call("GET", path)[1] for _ in range(5))
        _say(name, took * 1000, "ms")
    shown, took = reader.call("POST", "/api/v1/audit/verify")
    _say(f"verify {shown['events']} (intact: {shown['intact']})", shown["events"] / took, "events a second")


def _say(name: str, value: float, unit: str) -> None:
    sys.stdout.write(f"{name:44}{value:>12.1f} {unit}\n")
    sys.stdout.flush()


def main() -> None:
    """Start a demo of its own, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=60_000, help="how many the trail has (default 60000)")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log, file = folder / "demo.log", folder / "credentials.json"
        demo = ("-m", "authserver.cli", "demo", "--port", "0", "--data", str(folder), "--credentials", str(file))
        process = stack.enter_context(_process(*demo, output=log))
        _wait(process, log, lambda: "there" if file.exists() else None)
        reader = Reader(json.loads(file.read_text(encoding="utf-8")))
        (found,) = folder.glob("*.sqlite3")
        app = Flask("trail")
        database.install(app, Database(url=f"sqlite:///{found}", pool_size=1))
        with app.app_context():
            measure(reader, Trail(SystemClock(), SystemEntropy()), options.events)
            db.session.remove()
            db.engine.dispose()


if __name__ == "__main__":
    main()
