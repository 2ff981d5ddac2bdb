"""Holding an address, and serving on it."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest

from authserver.cli import listener

LOOPBACK = "127.0.0.1"
SOURCES = Path(listener.__file__).parents[2]


def reserve_fails(host: str, port: int) -> str:
    with pytest.raises(listener.PortUnavailableError) as caught, listener.reserve(host, port):
        pass
    return caught.value.message


def test_port_0_becomes_a_free_port_that_the_server_can_bind_beside() -> None:
    with listener.reserve(LOOPBACK, 0) as reservation, socket.socket() as server:
        assert reservation.port > 0
        assert reservation.url == f"http://127.0.0.1:{reservation.port}"
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind((reservation.address, reservation.port))
        server.listen()
        for _ in range(20):  # the held socket takes none of the connections
            with socket.create_connection((reservation.address, reservation.port), timeout=2):
                server.accept()[0].close()


def test_a_port_that_another_server_listens_on_is_refused_by_host_and_port() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        assert reserve_fails(LOOPBACK, port) == f"cannot listen on 127.0.0.1 port {port}: address already in use"


def test_a_port_that_another_process_has_reserved_is_refused() -> None:
    with listener.reserve(LOOPBACK, 0) as reservation:
        assert "already in use" in reserve_fails(LOOPBACK, reservation.port)


def test_a_port_is_free_again_at_once_after_connections_were_closed_by_the_server() -> None:
    with listener.reserve(LOOPBACK, 0) as reservation, socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((reservation.address, reservation.port))
        server.listen()
        with socket.create_connection((reservation.address, reservation.port), timeout=2) as client:
            server.accept()[0].close()
            assert client.recv(1) == b""
    with listener.reserve(LOOPBACK, reservation.port) as again:
        assert again.port == reservation.port


def test_an_unknown_host_is_refused() -> None:
    assert reserve_fails("no such host", 0) == "cannot listen on no such host port 0: unknown host"


APPLICATION = """
    import os
    def make():
        if os.environ.get("REFUSE"):
            from authserver.settings import SettingsError
            raise SettingsError("server.port: must be a number")
        def app(environ, start_response):
            start_response("200 OK", [])
            return [os.environ["ANSWER"].encode()]
        return app
"""
SERVER = """
    import sys, urllib.request
    from authserver.cli import listener
    listener.APPLICATION = "application:make"
    def ready():
        print(urllib.request.urlopen(reservation.url + "/x", timeout=5).read().decode(), flush=True)
        print(reservation.port, flush=True)
        if "crash" in sys.argv:
            raise ValueError("the callback failed")
    with listener.reserve("127.0.0.1", 0) as reservation:
        listener.run(reservation, environ={"ANSWER": "from the worker"}, on_ready=ready)
"""


def start(folder: Path, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    (folder / "application.py").write_text(textwrap.dedent(APPLICATION))
    (folder / "server.py").write_text(textwrap.dedent(SERVER))
    return subprocess.Popen(
        [sys.executable, folder / "server.py", *arguments],
        env={**os.environ, **environ, "PYTHONPATH": os.pathsep.join([str(folder), str(SOURCES)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_server_answers_calls_back_and_stops_cleanly(tmp_path: Path, stop: signal.Signals) -> None:
    with start(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "from the worker\n"
        port = int(process.stdout.readline())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as response:
            assert response.status == 200
        process.send_signal(stop)
        _, errors = process.communicate(timeout=15)
        assert process.returncode == 0
        assert errors == ""


def test_what_the_callback_raises_stops_the_server_and_is_raised(tmp_path: Path) -> None:
    with start(tmp_path, "crash") as process:
        _, errors = process.communicate(timeout=15)
        assert process.returncode == 1
        assert errors.endswith("ValueError: the callback failed\n")


def test_a_worker_that_cannot_start_ends_the_server_with_its_words(tmp_path: Path) -> None:
    with start(tmp_path, REFUSE="1") as process:
        _, errors = process.communicate(timeout=15)
        assert process.returncode == 1
        assert "Error: server.port: must be a number\n" in errors
