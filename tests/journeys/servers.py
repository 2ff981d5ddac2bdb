"""Servers that really run, several on one database, and the command line beside them."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import requests
from click.testing import CliRunner

from authserver import settings as settings_module
from authserver.app import create_app, prepare
from authserver.cli import cli, demo_cast
from authserver.cli.db import migrate
from authserver.storage.database import db, unit_of_work
from tests.world import ISSUER, HandClock, World

if TYPE_CHECKING:
    from flask_openapi.openapi import OpenAPI

SECONDS_TO_START = 30


class Remote:
    """Speaks HTTP to a server as its proxy does; takes the place of an application and of its test client."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()

    def test_client(self) -> "Remote":
        return Remote(self._url)

    def post(self, path: str, *, content_type: str, headers: dict[str, str], **more: Any) -> Any:
        return self.open(path, "POST", headers={"Content-Type": content_type, **headers}, **more)

    def open(self, path: str, method: str, *, headers: dict[str, str], base_url: str, **more: Any) -> Any:
        shown = {"Host": base_url.partition("//")[2], **headers}
        return Received(self._session.request(method, self._url + path, headers=shown, timeout=20, **more))


class Received:
    """An answer as Flask's test client would give it."""

    def __init__(self, response: requests.Response) -> None:
        self.status_code, self.headers, self.text = response.status_code, response.headers, response.text
        self._response = response

    def get_json(self, *, silent: bool) -> Any:
        assert silent
        return self._response.json() if "json" in self.headers.get("Content-Type", "") else None


@dataclass
class House:
    """One database with the cast, which is not marked as the demo's; `here` works on it without a server."""

    settings: Path
    here: World

    @classmethod
    def build(cls, folder: Path, url: str) -> "House":
        file = folder / "settings.toml"
        sections = (
            f'[server]\nissuer = "{ISSUER}"',
            f'[database]\nurl = "{url}"\npool_size = 12',
            f'[keys]\nfolder = "{folder / "keys"}"\npublish_seconds = 0',
            f'[audit]\nanchor_file = "{folder / "heads.jsonl"}"\nhead_seconds = 1',
        )
        file.write_text("\n".join(sections) + "\n", encoding="utf-8")
        loaded = settings_module.load([file], {})
        migrate(loaded.database)
        app = create_app(loaded)
        wired = app.extensions["authserver"]
        with app.app_context():
            prepare(wired)
            with unit_of_work() as work:
                work.lock()
                demo_cast._seed_clients(wired, work)
                demo_cast._seed_resources(wired, work)
                for member in demo_cast.CAST:
                    demo_cast._seed_member(wired, work, member)
        return cls(file, World(app, HandClock(time.time()), {}))

    def sign_in(self) -> dict[str, Any]:
        """Give every client a new secret and everybody new tokens."""
        with self.here.app.app_context():
            wired = self.here.wired
            self.here.credentials = demo_cast.credentials(
                wired, demo_cast.new_secrets(wired), demo_cast.new_passwords(wired)
            )
            db.session.remove()
        return self.here.credentials

    def command(self, *words: str) -> str:
        """Run the command line beside the servers; return what it says."""
        result = CliRunner().invoke(cli, ["--config", str(self.settings), *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    @contextmanager
    def server(self, name: str) -> Iterator["Server"]:
        """Run `authserver serve` on a free port, in a process group of its own."""
        log = self.settings.with_name(f"{name}.log")
        command = [sys.executable, "-m", "authserver.cli", "--config", str(self.settings), "serve", "--port", "0"]
        with (
            log.open("w") as output,
            subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True) as process,
        ):
            try:
                yield Server(process, log)
            finally:
                process.terminate()
                process.wait(timeout=20)


@dataclass
class Server:
    """A process that serves, or is about to."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def world(self, credentials: dict[str, Any]) -> World:
        """Wait until it answers; return the world as it is seen through it."""
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until and self.process.poll() is None:
            url = self.log.read_text().partition("listens on ")[2].partition("\n")[0]
            try:
                if url and requests.get(url + "/healthz", timeout=1).ok:
                    return World(cast("OpenAPI", Remote(url)), HandClock(), credentials)
            except requests.ConnectionError:
                pass
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())
