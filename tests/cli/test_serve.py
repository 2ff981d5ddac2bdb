"""`authserver serve`, as a process: what it refuses before it listens, and that it serves and stops."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner
from sqlalchemy import text

from authserver.cli import cli
from authserver.settings import config_folder
from tests.conftest import Template
from tests.world import World

DEMO = str(config_folder() / "demo.toml")


def environ(folder: Path, **more: str) -> dict[str, str]:
    own = {
        "AUTHSERVER_DATABASE__URL": f"sqlite:///{folder / 'authserver.sqlite3'}",
        "AUTHSERVER_KEYS__FOLDER": str(folder / "keys"),
        "AUTHSERVER_AUDIT__ANCHOR_FILE": str(folder / "heads.jsonl"),
    }
    return {**os.environ, **own, **more}


def refused(folder: Path, *options: str, **more: str) -> str:
    """Return the one line of a start that was refused before anything listened."""
    result = CliRunner().invoke(cli, [*options, "serve", "--port", "0"], env=environ(folder, **more))
    assert (result.exit_code, result.stdout) == (2, "")
    return one_line(result.stderr)


def one_line(errors: str) -> str:
    assert errors.startswith("Error: ")
    assert errors.count("\n") == 1
    return errors


def test_demo_settings_are_refused_by_name(tmp_path: Path) -> None:
    assert refused(tmp_path, "--config", DEMO).startswith("Error: demo: must be false for authserver serve")
    assert refused(tmp_path, AUTHSERVER_DEMO="true").startswith("Error: demo: must be false")


def test_database_of_the_demo_is_refused_by_name(make_sqlite_world: Callable[..., World]) -> None:
    world = make_sqlite_world()
    folder = world.wired.settings.keys.folder.parent
    assert refused(folder).startswith("Error: database.url: this database was made by the demo")
    with world.work() as work:
        work.lock()
        work.session.execute(text("DELETE FROM marks"))
    assert refused(folder).startswith("Error: database.url: this database has a signing key that was made in demo mode")


def test_process_ends_with_the_refusal_alone(sqlite_template: Template) -> None:
    command = [sys.executable, "-m", "authserver.cli", "serve", "--port", "0"]
    done = subprocess.run(
        command, env=environ(sqlite_template.folder), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr).startswith("Error: database.url: this database was made by the demo")


def test_unknown_setting_is_refused_by_name(tmp_path: Path) -> None:
    assert refused(tmp_path, AUTHSERVER_SERVER__PORT="9") == "Error: server.port: unknown setting\n"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_server_answers_on_a_database_of_its_own_and_stops_cleanly(tmp_path: Path, workers: str) -> None:
    assert CliRunner().invoke(cli, ["db", "upgrade"], env=environ(tmp_path)).exit_code == 0
    command = [sys.executable, "-m", "authserver.cli", "serve", "--port", "0", "--workers", workers]
    own = environ(tmp_path, AUTHSERVER_LOG__LEVEL="warning")
    with subprocess.Popen(command, env=own, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            url = process.stderr.readline().removeprefix("authserver listens on ").strip()
            until = time.monotonic() + 30
            while not answers(f"{url}/readyz"):
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
            headers = {"Host": "127.0.0.1:9000"}
            keys = requests.get(f"{url}/oauth/jwks", headers=headers, timeout=5).json()["keys"]
            assert sorted(key["alg"] for key in keys) == ["ES256", "RS256"]
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False
