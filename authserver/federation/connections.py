"""Connections that go only where they were allowed to: resolved once, checked, and cut at a deadline."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

if TYPE_CHECKING:
    from collections.abc import Mapping

Addresses = Callable[[str, int, bool], list[str]]
"""Returns the addresses that a host may be reached at, given its port and whether the connection is encrypted."""


def resolve(host: str, port: int) -> list[str]:
    """Return every address of a host, as the system resolves it."""
    return list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


class Watchdog:
    """Shuts a connection down when its time is over, whatever the other side is sending by then."""

    def __init__(self, seconds: float) -> None:
        """Give a connection so many seconds from `guard` on."""
        self.barked = False
        self._seconds = seconds
        self._timer: threading.Timer | None = None
        self._copy: socket.socket | None = None

    def guard(self, connected: socket.socket) -> None:
        """Watch a connection; a copy of its descriptor outlives the wrapping in TLS."""
        self._copy = connected.dup()
        self._timer = threading.Timer(self._seconds, self._bark)
        self._timer.daemon = True
        self._timer.start()

    def _bark(self) -> None:
        self.barked = True
        if self._copy is not None:
            with contextlib.suppress(OSError):
                self._copy.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        if self._copy is not None:
            self._copy.close()


class CheckedAdapter(HTTPAdapter):
    """An adapter for one request, whose connection goes to checked addresses and is watched."""

    def __init__(self, addresses: Addresses, watchdog: Watchdog) -> None:
        """Connect to what `addresses` returns."""
        self._addresses = addresses
        self._watchdog = watchdog
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the parent has them
        """Make pools whose connections are checked."""
        super().init_poolmanager(*args, **kwargs)
        plain, encrypted = _connection_classes(self._addresses, self._watchdog)
        pools: Mapping[str, Any] = {
            "http": type("PlainPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("EncryptedPool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": encrypted}),
        }
        self.poolmanager.pool_classes_by_scheme = dict(pools)


def _connection_classes(addresses: Addresses, watchdog: Watchdog) -> tuple[type[HTTPConnection], type[HTTPSConnection]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, addresses(self.host, self.port or 80, False), watchdog)  # noqa: FBT003 - plain

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, addresses(self.host, self.port or 443, True), watchdog)  # noqa: FBT003 - encrypted

    return Plain, Encrypted


def _connect(connection: HTTPConnection, addresses: list[str], watchdog: Watchdog) -> socket.socket:
    """Connect to the first address that answers; none is looked up again."""
    timeout = connection.timeout if isinstance(connection.timeout, int | float) else None
    failure: OSError | None = None
    for address in addresses:
        try:
            connected = socket.create_connection((address, connection.port or 0), timeout)
        except OSError as error:
            failure = error
            continue
        watchdog.guard(connected)
        return connected
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(connection, "no address answered in time") from failure
    raise NewConnectionError(connection, "no address answered") from failure
