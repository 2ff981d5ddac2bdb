"""`authserver demo`, as a process: its contract (design section 9), a second start, and commands beside it."""

import html
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result

from authserver.cli import cli
from authserver.protocol.names import GRANT_CLIENT_CREDENTIALS, GRANT_TOKEN_EXCHANGE, TYPE_ACCESS_TOKEN, TYPE_USER_ID
from authserver.settings import load
from tests.conftest import Demo
from tests.world import API, REASON

TIMEOUT = 20
USERS = ("agent", "agent2", "lead", "auditor", "admin", "customer", "customer-ask", "vip", "disabled")


@dataclass(frozen=True)
class Running:
    """A demo that runs: its credentials, and what it has told."""

    folder: Path
    credentials: dict[str, Any]
    told: str = ""

    @property
    def issuer(self) -> str:
        return str(self.credentials["issuer"])

    def client(self, name: str = "backend") -> tuple[str, str]:
        known = self.credentials["clients"][name]
        return known["client_id"], known["client_secret"]

    def user(self, name: str, what: str) -> str:
        return str(self.credentials["users"][name][what])

    def post(self, path: str, client: tuple[str, str], **form: str) -> requests.Response:
        return requests.post(self.issuer + path, data=form, auth=client, timeout=TIMEOUT)

    def exchange(self, actor: str = "agent", **more: str) -> dict[str, Any]:
        answer = self.post(
            "/oauth/token",
            self.client(),
            grant_type=GRANT_TOKEN_EXCHANGE,
            subject_token=self.user("customer", "id"),
            subject_token_type=TYPE_USER_ID,
            actor_token=self.user(actor, "access_token"),
            actor_token_type=TYPE_ACCESS_TOKEN,
            resource=API,
            **{**REASON, **more},
        )
        return dict(answer.json())

    def active(self, token: str) -> bool:
        answer = self.post("/oauth/introspect", self.client("resource-server"), token=token)
        return bool(answer.json()["active"])

    def run(self, *arguments: str) -> Result:
        """Run another command on the demo's data, as its narration says."""
        return CliRunner().invoke(cli, ["--config", str(self.folder / "settings.toml"), *arguments])


@contextmanager
def started(folder: Path, port: int = 0, *more: str) -> Iterator[Running]:
    """Run a demo until the body ends; then it stops by Ctrl-C, without an error."""
    file = folder / "credentials.json"
    file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "authserver.cli", "demo", "--port", str(port), "--data", str(folder), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            until = time.monotonic() + 30
            while not file.exists():
                assert process.poll() is None, process.stdout.read()
                assert time.monotonic() < until
                time.sleep(0.02)
            told = ""
            while not told.endswith("Serving until Ctrl-C.\n"):
                line = process.stdout.readline()
                assert line, told
                told += line
            yield Running(folder, json.loads(file.read_text()), told)
        finally:
            process.send_signal(signal.SIGINT)
            output = process.communicate(timeout=TIMEOUT)[0]
    assert (process.returncode, output) == (0, "")


@pytest.fixture
def running(demo: Demo) -> Running:
    """The demo that all tests share: nothing here may harm its cast."""
    return Running(demo.folder, demo.credentials)


def test_credentials_file_has_the_shape_of_the_contract(running: Running) -> None:
    known = running.credentials
    named = {"issuer", "console", "account", "clients", "users", "resources", "appetize", "resource_server"}
    assert set(known) == named
    assert (known["console"], known["account"]) == (f"{known['issuer']}/console", f"{known['issuer']}/account")
    assert set(known["appetize"]) == {"app", "device_stand_in"}
    assert known["appetize"]["app"] == "demo-bank"
    script = requests.get(f"{known['appetize']['device_stand_in']}/embed.js", timeout=TIMEOUT)
    assert (script.status_code, "getClient" in script.text) == (200, True)
    assert known["resources"] == [API, "https://payments.example.com"]
    assert set(known["clients"]) == {"backend", "resource-server", "other-backend"}
    assert tuple(known["users"]) == USERS
    for name, user in known["users"].items():
        assert set(user) == {"id", "username", "password", "access_token", "id_token"}
        assert user["username"] == f"{name}@example.com"
        assert len(user["password"]) == 43
        assert (user["access_token"] is None, user["id_token"] is None) == (name == "disabled",) * 2
    file = running.folder / "credentials.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert requests.get(f"{running.issuer}/healthz", timeout=TIMEOUT).status_code == 200


def test_commands_see_the_demo_as_it_runs(running: Running) -> None:
    assert running.run("audit", "heads").exit_code == 0  # else the demo does it, within two seconds
    verified = running.run("audit", "verify")
    assert (verified.exit_code, verified.stderr) == (0, "")
    assert "The trail is intact" in verified.stdout
    assert "Avery Agent" in running.run("impersonations", "list").stdout
    explained = running.run("policy", "explain", "--actor", "agent@example.com", "--subject", "vip@example.com")
    assert "A second person must approve it first." in explained.stdout
    examined = running.run("doctor")
    assert (examined.exit_code, examined.stdout.count("WRONG")) == (0, 0), examined.stdout
    settings = load([running.folder / "settings.toml"], {})
    assert (settings.demo, settings.keys.publish_seconds) == (True, 0)
    assert {name: app.dpop for name, app in settings.appetize.apps.items()} == {
        "demo-bank": "off",
        "demo-bank-dpop": "required",
    }


def test_running_demo_sees_at_once_what_a_command_ends(running: Running) -> None:
    started = running.exchange("agent2", reason="ended beside")
    assert running.active(started["access_token"])
    ended = running.run("impersonations", "end", started["impersonation_id"])
    assert ended.exit_code == 0
    assert not running.active(started["access_token"])


def test_second_start_goes_on_with_keys_people_and_trail_and_has_new_secrets(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with started(folder) as first:
        keys = requests.get(f"{first.issuer}/oauth/jwks", timeout=TIMEOUT).json()
        assert first.exchange()["scope"] == "accounts:read"
        disabled = first.run("users", "disable", "agent@example.com")
        assert disabled.exit_code == 0
        assert not first.active(first.user("agent", "access_token"))
        assert first.exchange()["error"] == "invalid_request"
        events = int(first.run("audit", "verify").stdout.split(": ")[1].split()[0])
    port = int(first.issuer.rsplit(":", 1)[1])
    with started(folder, port) as second:
        for words in ("sub is now Casey", "active         true", "active         false", "impersonation:ended"):
            assert words in first.told
        assert "Avery, the agent of the first exchange, is disabled; the demo goes on without it." in second.told
        assert second.issuer == first.issuer
        assert requests.get(f"{second.issuer}/oauth/jwks", timeout=TIMEOUT).json() == keys
        ids = [{name: user["id"] for name, user in each.credentials["users"].items()} for each in (first, second)]
        assert ids[0] == ids[1]
        assert second.credentials["users"]["agent"]["access_token"] is None  # they were disabled, and are so still
        form = {"grant_type": GRANT_CLIENT_CREDENTIALS}
        assert second.post("/oauth/token", first.client(), **form).status_code == 401
        assert second.post("/oauth/token", second.client(), **form).status_code == 200
        verified = second.run("audit", "verify")
        assert verified.exit_code == 0
        assert int(verified.stdout.split(": ")[1].split()[0]) > events
    with started(folder) as third:
        assert third.post("/oauth/token", third.client(), **form).status_code == 200
        assert third.run("audit", "verify").exit_code == 0


def test_demo_that_is_stopped_while_it_tells_its_story_ends_without_an_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "authserver.cli", "demo", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("2. The backend exchanges it"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, errors) == (0, "")


# --- with an identity provider


def field_of(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return html.unescape(found[1])


def test_person_signs_in_at_the_demos_idp_with_a_role_by_rule_and_out_again(tmp_path: Path) -> None:
    with started(tmp_path / "demo", 0, "--with-idp") as running, requests.Session() as browser:
        issuer = running.issuer
        assert f"open {issuer}/account, press “Sign in with the demo's IdP”" in running.told
        shown = browser.get(f"{issuer}/account", timeout=TIMEOUT)
        form = {name: field_of(shown.text, name) for name in ("csrf", "return_to")}
        page = browser.post(f"{issuer}/login/at/demo", data=form, timeout=TIMEOUT)
        idp = html.unescape(re.findall(r'href="(http[^"]+)"', page.text)[-1])
        account = browser.post(idp, data={"sub": "lead@example.com"}, timeout=TIMEOUT)
        assert (account.url, "Your account" in account.text) == (f"{issuer}/account", True)
        linked = json.loads(running.run("audit", "export", "--name", "identity:linked").stdout.splitlines()[-1])
        assert running.user("lead", "id") in json.dumps(linked)
        sign_out = browser.get(f"{issuer}/logout", timeout=TIMEOUT)
        left = browser.post(f"{issuer}/logout", data={"csrf": field_of(sign_out.text, "csrf")}, timeout=TIMEOUT)
        there = html.unescape(re.findall(r'href="(http[^"]+)"', left.text)[-1])
        assert there.startswith(idp.partition("/oauth2/")[0])
        asked = browser.get(there, timeout=TIMEOUT)
        back = field_of(asked.text, "redirect_uri")
        assert "You are signed out" in browser.get(back, timeout=TIMEOUT).text
        settings = load([running.folder / "settings.toml"], {})
        assert settings.federation.issuers["demo"].population == "staff"
    with pytest.raises(requests.ConnectionError):
        requests.get(idp, timeout=TIMEOUT)


def test_without_the_idps_package_the_demo_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    errors = refused("--port", "0", "--data", str(tmp_path / "demo"), "--with-idp")
    assert "make demo ARGS=--with-idp" in errors


# --- what it refuses


def refused(*arguments: str, **environ: str) -> str:
    """Return the one line of a start that was refused."""
    result = CliRunner().invoke(cli, ["demo", *arguments], env=environ)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return str(result.stderr)


@pytest.fixture(autouse=True)
def _no_server_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a start that is not refused fail its test, and not serve for ever."""
    monkeypatch.setattr("authserver.cli.listener.run", None)


def test_port_in_use_is_an_error_that_says_so_and_harms_nobody(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials.json"
    credentials.write_text("of another demo")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        errors = refused("--port", str(port), "--data", str(tmp_path))
    assert errors == f"Error: cannot listen on 127.0.0.1 port {port}: address already in use\n"
    assert credentials.read_text() == "of another demo"


def test_second_demo_on_the_same_folder_is_refused_and_the_first_goes_on(running: Running) -> None:
    assert "another demo runs on this folder" in refused("--port", "0", "--data", str(running.folder))
    assert running.post("/oauth/token", running.client(), grant_type=GRANT_CLIENT_CREDENTIALS).status_code == 200
    assert json.loads((running.folder / "credentials.json").read_text())["issuer"] == running.issuer


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("0.0.0.0", "is not a loopback address"),
        ("192.0.2.1", "is not a loopback address"),
        ("::", "is not a loopback address"),
        ("no such host", "unknown host"),
        ("x" * 80 + ".example", "unknown host"),
    ],
)
def test_host_that_others_could_reach_is_refused(tmp_path: Path, host: str, words: str) -> None:
    assert words in refused("--host", host, "--data", str(tmp_path / "demo"))
    assert not (tmp_path / "demo").exists()


def test_variable_that_would_seed_another_database_is_refused(tmp_path: Path) -> None:
    precious = tmp_path / "precious.sqlite3"
    options = ("--port", "0", "--data", str(tmp_path / "demo"))
    errors = refused(*options, AUTHSERVER_DATABASE__URL=f"sqlite:///{precious}")
    assert errors == "Error: AUTHSERVER_DATABASE__URL is set, and the demo keeps its own database.url; unset it\n"
    assert not precious.exists()
    assert "AUTHSERVER_DEMO is set" in refused(*options, AUTHSERVER_DEMO="false")


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "demo"
    assert refused("--port", "0", "--data", str(folder)) == f"Error: {folder}: Not a directory\n"
