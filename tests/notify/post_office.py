"""Real servers for what is sent: an SMTP server and an HTTP server on this machine, each told how to answer."""

import json
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

_START_SECONDS = 30


@dataclass
class PostOffice:
    """A mail server; `answers` are given to the next messages in turn, and 250 when none is left."""

    answers: list[str] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    port: int = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.raw.append(envelope.content)
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
            self.recipients += envelope.rcpt_tos
        return answer

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return the section that sends mail here."""
        smtp = {"host": "127.0.0.1", "port": self.port, "security": "none", "timeout_seconds": 5.0}
        return {"channels": ["mail"], "smtp": smtp, **changes}


@contextmanager
def post_office(**controller: Any) -> Iterator[PostOffice]:
    """Run a mail server; keyword arguments are those of aiosmtpd's SMTP."""
    office = PostOffice(port=free_port())
    running = Controller(office, hostname="127.0.0.1", port=office.port, ready_timeout=30, **controller)
    running.start()
    try:
        yield office
    finally:
        running.stop()


@contextmanager
def post_office_process(port: int, mailbox: Path) -> Iterator[None]:
    """Run a mail server in a process of its own, which keeps what it accepts in a Maildir."""
    words = ["-n", "-l", f"127.0.0.1:{port}", "-c", "aiosmtpd.handlers.Mailbox", str(mailbox)]
    with subprocess.Popen([sys.executable, "-m", "aiosmtpd", *words]) as process:
        try:
            until = time.monotonic() + _START_SECONDS
            while not _answers(port):
                assert process.poll() is None
                assert time.monotonic() < until, "the mail server did not start"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(timeout=20)


def _answers(port: int) -> bool:
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=5):
            return True
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Hooked:
    """A server that takes webhooks; `statuses` are answered in turn, and 204 when none is left."""

    statuses: list[int] = field(default_factory=list)
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.calls]


@contextmanager
def hooked() -> Iterator[Hooked]:
    """Run a server for webhooks."""
    hook = Hooked()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status = hook.statuses.pop(0) if hook.statuses else 204
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", hook.url + "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()
