# ruff: noqa: INP001 - a script beside the package
"""Measure exchanges a second and their latency, beside a plain Authlib server measured in the same run.

`python benchmarks/exchange.py`: see benchmarks/README.md.
"""

import argparse
import base64
import http.client
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
USER_ID = "urn:authserver:params:oauth:token-type:user-id"
IMPERSONATION = "urn:authserver:params:oauth:token-type:impersonation"
REASON = {"reason": "a wrong balance", "reason_code": "customer_initiated_support"}
PEER_CLIENT = ("peer", "a-secret-of-the-peer")
PEER_CASE = "peer: client_credentials"
START_SECONDS = 60

Call = Callable[["Connection"], object]


# --- the peer: the smallest server that Authlib makes, tokens in memory, on the same Granian


def peer() -> Any:  # noqa: ANN401 - a WSGI application
    """Return an application that knows one client and one grant, and stores its opaque tokens in a list."""
    from authlib.integrations.flask_oauth2 import AuthorizationServer  # noqa: PLC0415 - the client does not need it
    from authlib.oauth2.rfc6749 import ClientMixin  # noqa: PLC0415
    from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant  # noqa: PLC0415
    from flask import Flask, Response  # noqa: PLC0415

    class Client(ClientMixin):
        client_id, secret = PEER_CLIENT

        def get_allowed_scope(self, scope: Collection[str] | str) -> str:
            return "read" if scope else ""

        def check_client_secret(self, client_secret: str) -> bool:
            return client_secret == self.secret

        def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
            return (method, endpoint) == ("client_secret_basic", "token")

        def check_redirect_uri(self, redirect_uri: str) -> bool:
            return redirect_uri == ""

        def check_grant_type(self, grant_type: str) -> bool:
            return grant_type == ClientCredentialsGrant.GRANT_TYPE

    app, client, tokens = Flask("peer"), Client(), []
    server = AuthorizationServer(
        app,
        query_client=lambda client_id: client if client_id == client.client_id else None,
        save_token=lambda token, _request: tokens.append(token),
    )
    server.register_grant(ClientCredentialsGrant)

    @app.post("/oauth/token")
    def token() -> Response:
        return cast("Response", server.create_token_response())

    @app.get("/healthz")
    def healthz() -> str:
        return "ok\n"

    return app


def serve_peer() -> None:
    """Serve the peer as `authserver` serves itself: one worker, 64 blocking threads."""
    from granian import Granian  # noqa: PLC0415 - the client does not need it
    from granian.constants import HTTPModes, Interfaces  # noqa: PLC0415

    from authserver.cli import listener  # noqa: PLC0415

    with listener.reserve("127.0.0.1", 0) as reservation:
        sys.stdout.write(reservation.url + "\n")
        sys.stdout.flush()
        Granian(
            "peer",
            address=reservation.address,
            port=reservation.port,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            websockets=False,
            workers=1,
            blocking_threads=listener.THREADS,
            log_enabled=False,
        ).serve(target_loader=lambda *_: peer(), wrap_loader=False)


# --- the client


class Connection:
    """A kept-alive connection that posts forms."""

    def __init__(self, url: str) -> None:
        """Connect to a server when it is first used."""
        parts = urlsplit(url)
        self._http = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)

    def post(self, path: str, headers: Mapping[str, str], form: Mapping[str, str]) -> dict[str, Any]:
        """Post a form and return the JSON of the answer; anything but 200 ends the run."""
        shown = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        self._http.request("POST", path, body=urlencode(form), headers=shown)
        answer = self._http.getresponse()
        text = answer.read().decode()
        if answer.status != http.client.OK:
            msg = f"{path} answered {answer.status}: {text}"
            raise RuntimeError(msg)
        return dict(json.loads(text))

    def close(self) -> None:
        """Close it."""
        self._http.close()


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return the header of RFC 6749 §2.3.1."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def cases(credentials: dict[str, Any]) -> dict[str, Call]:
    """Return what is measured, by name; each call is one request."""
    users, clients = credentials["users"], credentials["clients"]
    backend = basic("backend", clients["backend"]["client_secret"])
    resource_server = basic("resource-server", clients["resource-server"]["client_secret"])
    actor = {"actor_token": users["agent"]["access_token"], "actor_token_type": ACCESS_TOKEN}
    target = {"grant_type": EXCHANGE, "subject_token": users["customer"]["id"], "subject_token_type": USER_ID}
    numbers = itertools.count(1)

    def start(connection: Connection, ticket: str | None = None) -> dict[str, Any]:
        form = {**target, **actor, **REASON, "ticket_id": ticket or f"NEW-{next(numbers)}"}
        return connection.post("/oauth/token", backend, form)

    first = Connection(credentials["issuer"])
    started = start(first, "BENCH-1")
    first.close()

    def post(path: str, headers: dict[str, str], **form: str) -> Call:
        return lambda connection: connection.post(path, headers, form)

    own = {"subject_token": users["customer"]["access_token"], "subject_token_type": ACCESS_TOKEN}
    again = {"subject_token": started["impersonation"], "subject_token_type": IMPERSONATION}
    return {
        "client_credentials": post("/oauth/token", backend, grant_type="client_credentials"),
        "A: start": start,
        "C: mint again": post("/oauth/token", backend, grant_type=EXCHANGE, **again, **actor),
        "D: on behalf of": post("/oauth/token", backend, grant_type=EXCHANGE, **own),
        "introspection": post("/oauth/introspect", resource_server, token=started["access_token"]),
    }


@dataclass(frozen=True)
class Measured:
    """What one case did with one number of threads. Latencies are milliseconds."""

    case: str
    threads: int
    per_second: float
    p50: float
    p95: float


def measure(case: str, url: str, call: Call, threads: int, seconds: float) -> Measured:
    """Call from so many threads for so long."""
    latencies: list[float] = []
    failures: list[BaseException] = []
    barrier = threading.Barrier(threads + 1)
    stop = threading.Event()

    def run() -> None:
        connection = Connection(url)
        try:
            call(connection)  # warm: the connection, and the first statement of the server's thread
            barrier.wait()
            while not stop.is_set():
                began = time.perf_counter()
                call(connection)
                latencies.append((time.perf_counter() - began) * 1000)
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            failures.append(error)
            barrier.abort()
        finally:
            connection.close()

    runners = [threading.Thread(target=run) for _ in range(threads)]
    for runner in runners:
        runner.start()
    try:
        barrier.wait()
        began = time.perf_counter()
        stop.wait(seconds)
    except threading.BrokenBarrierError:
        began = time.perf_counter()
    stop.set()
    for runner in runners:
        runner.join()
    if failures:
        raise failures[0]
    took = time.perf_counter() - began
    cuts = statistics.quantiles(latencies, n=100)
    return Measured(case, threads, len(latencies) / took, cuts[49], cuts[94])


# --- the run


@contextmanager
def _process(*command: str, output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with (
        output.open("w") as stream,
        subprocess.Popen([sys.executable, *command], stdout=stream, stderr=stream) as process,  # noqa: S603 - ourselves
    ):
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait(process: "subprocess.Popen[bytes]", output: Path, there: Callable[[], str | None]) -> str:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if found := there():
            return found
        time.sleep(0.05)
    raise SystemExit(output.read_text())


def _healthy(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def main() -> None:
    """Start what is not running, measure everything, and print a table and, if asked, JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--credentials", type=Path, help="of a demo that runs already; by default one is started")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each measurement (default 3)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 8], help="client threads (default 1 8)")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        serve_peer()
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peer_log, demo_log, file = folder / "peer.log", folder / "demo.log", folder / "credentials.json"
        peer_process = stack.enter_context(_process(str(Path(__file__).resolve()), "--peer", output=peer_log))
        if options.credentials is None:
            demo = ("-m", "authserver.cli", "demo", "--port", "0", "--data", str(folder), "--credentials", str(file))
            demo_process = stack.enter_context(_process(*demo, output=demo_log))
            _wait(demo_process, demo_log, lambda: "there" if file.exists() else None)
        peer_url = _wait(peer_process, peer_log, lambda: (re.findall(r"http://\S+", peer_log.read_text()) or [None])[0])
        _wait(peer_process, peer_log, lambda: peer_url if _healthy(peer_url) else None)
        credentials = json.loads((options.credentials or file).read_text(encoding="utf-8"))
        found = _measure_all(credentials, peer_url, options.threads, options.seconds)
    if options.json:
        options.json.write_text(json.dumps([vars(one) for one in found], indent=2) + "\n", encoding="utf-8")


def _measure_all(
    credentials: dict[str, Any], peer_url: str, thread_counts: list[int], seconds: float
) -> list[Measured]:
    """Measure every case with every number of threads, the peer first each time."""
    headers, form, issuer = (
        basic(*PEER_CLIENT),
        {"grant_type": "client_credentials", "scope": "read"},
        credentials["issuer"],
    )

    def peer_call(connection: Connection) -> object:
        return connection.post("/oauth/token", headers, form)

    plan = [(PEER_CASE, peer_url, peer_call), *((name, issuer, call) for name, call in cases(credentials).items())]
    sys.stdout.write(f"{os.cpu_count()} cores; {seconds} s each; the client runs on the same machine\n")
    sys.stdout.write(f"{'':28}{'threads':>8}{'per second':>12}{'p50 ms':>9}{'p95 ms':>9}{'of the peer':>13}\n")
    found: list[Measured] = []
    for threads in thread_counts:
        for name, url, call in plan:
            one = measure(name, url, call, threads, seconds)
            found.append(one)
            base = next(other for other in found if (other.case, other.threads) == (PEER_CASE, threads))
            share = f"{one.per_second / base.per_second:.1%}"
            row = f"{name:28}{threads:>8}{one.per_second:>12.1f}{one.p50:>9.1f}{one.p95:>9.1f}{share:>13}\n"
            sys.stdout.write(row)
            sys.stdout.flush()
    return found


if __name__ == "__main__":
    main()
