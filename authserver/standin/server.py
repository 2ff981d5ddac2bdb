"""The stand-in beside whatever else a process does, on a port that is known before it answers."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.serving import WSGIRequestHandler, make_server

from authserver.standin.app import Surroundings, create_standin

_HOST = "127.0.0.1"
_LAST_PORT = 65535


class _Quiet(WSGIRequestHandler):
    """Logs nothing: a request line says who looked at what."""

    def log_request(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def reserve(wanted: int = 0) -> Iterator[socket.socket]:
    """Hold a loopback port: the wanted one, or a free one where that is taken. What comes before `serving` waits."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((_HOST, wanted if wanted <= _LAST_PORT else 0))
        except OSError:
            held.bind((_HOST, 0))
        held.listen()
        yield held


def url(held: socket.socket) -> str:
    """Return the address that pages use."""
    return f"http://localhost:{held.getsockname()[1]}"


@contextmanager
def serving(around: Surroundings, held: socket.socket) -> Iterator[str]:
    """Serve on a held port until the body ends; give the address. For a demo and for tests only."""
    app = create_standin(around)
    http = make_server(_HOST, 0, app, threaded=True, request_handler=_Quiet, fd=held.fileno())
    thread = threading.Thread(target=http.serve_forever, name="standin", daemon=True)
    thread.start()
    try:
        yield url(held)
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
