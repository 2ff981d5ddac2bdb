"""Hold an address, and serve the application on it with Granian."""

import contextlib
import http.client
import importlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from authserver.settings import SettingsError
from authserver.settings_governance import STREAM_THREADS

APPLICATION = "authserver.app:from_environment"
REQUEST_THREADS = 64
THREADS = REQUEST_THREADS + STREAM_THREADS
"""Blocking threads a worker: an open event stream holds one, and `/oauth/token` must never wait for it."""
STOP_SECONDS = 5
"""How long a worker may finish its requests before it is killed; an open stream never finishes by itself."""
_POLL_SECONDS = 0.01
_QUIET: dict[str, Any] = {"handlers": {}, "formatters": {}, "loggers": {"_granian": {"propagate": True}}}
"""Granian's own logging without its handlers: what it says goes where the application's log goes."""


class PortUnavailableError(click.ClickException):
    """The address cannot be listened on."""

    def __init__(self, host: str, port: int, why: str) -> None:
        """Say which host and port, and why."""
        super().__init__(f"cannot listen on {host} port {port}: {why}")


@dataclass(frozen=True, slots=True)
class Reservation:
    """An address that is ours while `reserve` is open: the host asked for, its numeric address, the real port."""

    host: str
    address: str
    port: int

    @property
    def url(self) -> str:
        """Return the base URL, without a slash at its end."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@contextlib.contextmanager
def reserve(host: str, port: int) -> Iterator[Reservation]:
    """Hold a TCP address; port 0 takes a free one, and one that another process has is refused.

    Granian binds with SO_REUSEPORT, so a second server on the same port would start without an error.
    The socket here is bound exclusively, and shared only afterwards. It never listens, so it gets no connection.
    """
    family, address = _resolve(host, port)
    with socket.socket(family, socket.SOCK_STREAM) as held:
        # SO_REUSEADDR lets a server come back at once; it must go before SO_REUSEPORT lets Granian in beside us.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((address, port))
        except OSError as error:
            raise PortUnavailableError(host, port, os.strerror(error.errno or 0).lower()) from None
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        yield Reservation(host=host, address=address, port=held.getsockname()[1])


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise PortUnavailableError(host, port, "unknown host") from None
    family, _, _, _, address = found[0]
    return family, str(address[0])


def run(
    reservation: Reservation,
    *,
    workers: int = 1,
    environ: Mapping[str, str],
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; must run in the main thread.

    `environ` is added to the environment that the workers build the application from. `on_ready` is called once, in a
    daemon thread of this process, when `/healthz` answers; it may run for as long as the server does. What it
    raises stops the server and is raised here.
    """
    os.environ.update(environ)
    _prepare_workers()
    server = Granian(
        APPLICATION,
        address=reservation.address,
        port=reservation.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=workers,
        blocking_threads=THREADS,
        workers_kill_timeout=STOP_SECONDS,
        log_access=False,  # the application logs requests itself, without their query strings
        log_level=LogLevels.error,
        log_dictconfig=_QUIET,
    )
    ready = _Ready(reservation, on_ready) if on_ready else None
    if ready:
        ready.start()
    try:
        server.serve(target_loader=load_application, wrap_loader=False)
    except SystemExit:
        raise click.ClickException("a worker ended unexpectedly; what it said stands above") from None
    finally:
        if ready:
            ready.stop()


def _prepare_workers() -> None:
    """Where fork is sound, import the application once and let each worker inherit it."""
    if sys.platform == "linux":
        # Python 3.14 would start a fresh interpreter, which doubles the time to the first answer.
        multiprocessing.set_start_method("fork", force=True)
        importlib.import_module(APPLICATION.partition(":")[0])


def load_application() -> Callable[..., Any]:
    """Build the application in a worker; a start that is refused leaves its message and no traceback."""
    module, _, factory = APPLICATION.partition(":")
    try:
        application: Callable[..., Any] = getattr(importlib.import_module(module), factory)()
    except SettingsError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(2) from None
    return application


class _Ready:
    """Call back when the server answers."""

    def __init__(self, reservation: Reservation, callback: Callable[[], None]) -> None:
        self._reservation = reservation
        self._callback = callback
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="ready", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Stop asking, and raise what the callback raised."""
        self._stopped.set()
        if self._error:
            raise self._error

    def _run(self) -> None:
        while not self._answers():
            if self._stopped.wait(_POLL_SECONDS):
                return
        try:
            self._callback()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._error = error
            os.kill(os.getpid(), signal.SIGTERM)

    def _answers(self) -> bool:
        if not multiprocessing.active_children():
            return False  # nothing may run here that could hold a lock while a worker is forked
        connection = http.client.HTTPConnection(self._reservation.address, self._reservation.port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
