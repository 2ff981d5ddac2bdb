"""`authserver doctor`: each thing that is wrong, beside the same thing as it should be."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from authserver.app import DEMO_MARK
from authserver.audit.heads import sign_head
from authserver.cli import cli
from authserver.storage import clients, resources
from authserver.storage.tables import Mark, Resource
from tests.federation.idp import settings as issuer
from tests.world import API, ISSUER, World

Command = Callable[..., Result]
MakeWorld = Callable[..., World]


def sound(make: MakeWorld, **sections: dict[str, Any]) -> World:
    """Make a world that has nothing wrong but what `sections` say."""
    world = make(**{"database": {"pool_size": 64}, **sections})
    with world.work() as work:
        signer = world.wired.keyring.head_signer(work.session)
        sign_head(work, world.clock, signer, world.wired.settings.audit.anchor_file)
    return world


def wrong(result: Result) -> list[str]:
    """Return what is wrong, each with how to mend it; the exit status says the same."""
    lines = result.stdout.splitlines()
    found = [f"{line[7:]} | {lines[at + 1].strip()}" for at, line in enumerate(lines) if line.startswith("WRONG")]
    assert lines[-1].startswith(f"{len(found)} wrong, ")
    assert result.exit_code == (1 if found else 0)
    return found


def notes(result: Result) -> str:
    return "\n".join(line for line in result.stdout.splitlines() if line.startswith("note"))


@pytest.mark.parametrize("make", ["make_sqlite_world", "make_postgres_world"])
def test_demo_has_nothing_wrong(request: pytest.FixtureRequest, make: str, command: Command) -> None:
    result = command(sound(request.getfixturevalue(make)), "doctor")
    assert wrong(result) == []
    for word in ("clients:", "resources:", "payments.example.com", "resource-server"):
        assert word not in notes(result), "what the demo itself made is as it is meant to be"
    assert "ok     appetize.apps: demo-bank" in result.stdout


def test_what_the_demo_made_is_meant_so_in_the_demo_alone(make_sqlite_world: MakeWorld, command: Command) -> None:
    world = sound(make_sqlite_world)
    with world.work() as work:
        work.lock()
        mark = work.session.get(Mark, DEMO_MARK)
        work.session.delete(mark)
    found = notes(command(world, "doctor"))
    assert "https://payments.example.com has no owner" in found
    assert "resource-server may have tokens, and has no scope" in found


def test_what_somebody_adds_to_the_demo_is_looked_at(make_sqlite_world: MakeWorld, command: Command) -> None:
    world = sound(make_sqlite_world)
    with world.work() as work:
        work.lock()
        cards = Resource(uri="https://cards.example.com", name="Cards", extra_claims=[], subject_identifier="id")
        resources.put(work.session, cards)
    assert "https://cards.example.com has no scopes" in notes(command(world, "doctor"))


def test_looking_changes_nothing(make_sqlite_world: MakeWorld, command: Command) -> None:
    world = sound(make_sqlite_world)
    folder = world.wired.settings.keys.folder.parent
    before = {path: path.stat().st_mode for path in folder.rglob("*") if "sqlite" not in path.name}
    events = world.events()
    command(world, "doctor")
    assert {path: path.stat().st_mode for path in folder.rglob("*") if "sqlite" not in path.name} == before
    assert world.events() == events


def test_nothing_is_made_where_there_is_nothing_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["doctor"], catch_exceptions=False)
    found = wrong(result)
    assert found == [
        "database.url: there is no sqlite:///authserver.sqlite3 | run: authserver db upgrade; or correct the path"
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SERVER__ISSUER", "http://login.example.com", "is not https: secrets and tokens would travel"),
        ("DATABASE__POOL_SIZE", "12", "12 connections are fewer than the 64 threads that a worker has for requests"),
        ("POLICY__FOLDER", "/nowhere", "policy.folder: /nowhere/schema.cedarschema:1"),
        ("SERVER__ISUER", "x", "server.isuer: unknown setting | correct it in the file"),
        ("LOG__LEVEL", "loud", "log.level: Input should be 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_setting_that_is_wrong_is_named_with_how_to_mend_it(
    *,
    make_sqlite_world: MakeWorld,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    words: str,
) -> None:
    world = sound(make_sqlite_world)
    assert wrong(command(world, "doctor")) == []
    monkeypatch.setenv(f"AUTHSERVER_{variable}", value)
    (found,) = wrong(command(world, "doctor"))
    assert words in found


def test_demo_data_is_wrong_without_the_demo(
    make_sqlite_world: MakeWorld, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTHSERVER_DEMO", "false")
    monkeypatch.setenv("AUTHSERVER_SERVER__ISSUER", "https://login.example.com")
    result = command(sound(make_sqlite_world), "doctor")
    found = wrong(result)
    assert found[0].startswith("database.url: this database was made by the demo")
    assert len([line for line in found if "was made in demo mode" in line]) == 3
    assert "the shipped policies let nobody exchange but from this machine" in notes(result)
    assert "private keys are not encrypted on disk" in notes(result)


def test_files_that_others_may_use_are_named_with_the_command_that_mends_them(
    make_sqlite_world: MakeWorld, command: Command
) -> None:
    world = sound(make_sqlite_world)
    settings = world.wired.settings
    pem = min(settings.keys.folder.glob("*.pem"))
    for path, mode in ((pem, 0o644), (settings.keys.folder, 0o755), (settings.audit.anchor_file, 0o666)):
        path.chmod(mode)
    found = "\n".join(wrong(command(world, "doctor")))
    assert f"others may use {pem} (mode 0644) | run: chmod 600 {pem}" in found
    assert f"others may use {settings.keys.folder} (mode 0755) | run: chmod 700" in found
    assert f"others may change {settings.audit.anchor_file} | run: chmod go-w" in found


@pytest.mark.parametrize("name", ["*.pem", "secret-hash.key"])
def test_key_file_that_is_gone_is_named(make_sqlite_world: MakeWorld, command: Command, name: str) -> None:
    world = sound(make_sqlite_world)
    file = min(world.wired.settings.keys.folder.glob(name))
    file.unlink()
    (found,) = wrong(command(world, "doctor"))
    assert str(file) in found
    assert not file.exists()


def test_pepper_that_was_cut_is_named(make_sqlite_world: MakeWorld, command: Command) -> None:
    world = sound(make_sqlite_world)
    (world.wired.settings.keys.folder / "secret-hash.key").write_bytes(b"short")
    (found,) = wrong(command(world, "doctor"))
    assert "must hold 32 bytes and holds 5" in found


def test_anchor_file_that_is_gone_is_wrong_and_one_that_never_was_is_not(
    make_sqlite_world: MakeWorld, command: Command
) -> None:
    world = make_sqlite_world(database={"pool_size": 64})
    result = command(world, "doctor")
    assert wrong(result) == []
    assert "is not there yet" in notes(result)
    command(world, "audit", "heads")
    world.wired.settings.audit.anchor_file.unlink()
    (found,) = wrong(command(world, "doctor"))
    assert "is gone, and heads were signed" in found


def test_clock_that_is_behind_the_trail_is_found(make_sqlite_world: MakeWorld, command: Command) -> None:
    world = sound(make_sqlite_world)
    world.clock.pass_(-3600)
    (found,) = wrong(command(world, "doctor"))
    assert "this machine is 3600 s behind the newest event of the trail | synchronise it (NTP)" in found


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scopes": []}, "may exchange tokens, and has no scope to ask for | run: authserver clients set backend --sc"),
        ({"ways": []}, "may exchange tokens, but in no way | run: authserver clients set backend --ways"),
        ({"scopes": ["payments:read"]}, f"asks for {API} by default, and has none of its scopes"),
        ({"scopes": ["accounts:read", "gone:read"]}, "has the scope gone:read, which is not registered"),
        ({"accepts_tokens_of": ["gone"]}, "accepts tokens of gone, which is no client"),
        ({"auth_method": "private_key_jwt"}, "authenticates by its own key, and none is registered"),
    ],
)
def test_client_that_cannot_work_is_named_unless_it_is_disabled(
    make_sqlite_world: MakeWorld, command: Command, values: dict[str, Any], words: str
) -> None:
    world = sound(make_sqlite_world)
    with world.work() as work:
        work.lock()
        clients.change(work.session, "backend", **values)
    (found,) = wrong(command(world, "doctor"))
    assert words in found
    command(world, "clients", "disable", "backend")
    assert wrong(command(world, "doctor")) == []


def test_client_whose_secrets_have_all_run_out_is_named(make_sqlite_world: MakeWorld, command: Command) -> None:
    world = sound(make_sqlite_world)
    with world.work() as work:
        work.lock()
        clients.expire_secrets(work.session, "backend", at=world.clock.now(), but="")
    (found,) = wrong(command(world, "doctor"))
    assert found == "clients: backend has no secret that lives | run: authserver clients rotate-secret backend"
    command(world, "clients", "rotate-secret", "backend")
    assert wrong(command(world, "doctor")) == []


def test_resource_that_nobody_can_introspect_for_is_noted(make_sqlite_world: MakeWorld, command: Command) -> None:
    world = sound(make_sqlite_world)
    assert f"{API} has no owner" not in notes(command(world, "doctor"))
    command(world, "resources", "set", API, "--owner", "")
    assert f"{API} has no owner: nobody can introspect tokens for it" in notes(command(world, "doctor"))


def test_database_that_does_not_answer_is_named(make_sqlite_world: MakeWorld, command: Command) -> None:
    world = sound(make_sqlite_world)
    file = world.wired.settings.keys.folder.parent / "settings.toml"
    file.write_text(file.read_text().replace("sqlite:///", "postgresql+psycopg://nobody@127.0.0.1:1/"))
    (found,) = wrong(command(world, "doctor"))
    assert found.startswith("database.url: it cannot be used: ")


def test_channels_of_notification_are_looked_at(make_sqlite_world: MakeWorld, command: Command) -> None:
    assert "notification.channels: none is configured" in notes(command(sound(make_sqlite_world), "doctor"))
    smtp = {"host": "mail.example.com", "security": "none"}
    result = command(sound(make_sqlite_world, notification={"channels": ["mail"], "smtp": smtp}), "doctor")
    [only] = wrong(result)
    assert only.startswith("notification.smtp.security: mail to mail.example.com would travel in the clear")
    result = command(sound(make_sqlite_world, notification={"channels": ["mail"], "smtp": {"host": "mail"}}), "doctor")
    assert wrong(result) == []
    assert "ok     notification.channels: mail" in result.stdout


def test_ticket_system_is_asked_by_https_or_on_this_machine(make_sqlite_world: MakeWorld, command: Command) -> None:
    hook = {"secret": "s" * 32}
    for url, fine in (("http://tickets.bank.example/", False), ("https://tickets.bank.example/", True)):
        found = wrong(command(sound(make_sqlite_world, ticket_hook={**hook, "url": url}), "doctor"))
        assert found == [] if fine else "ticket_hook.url" in found[0]
    assert wrong(command(sound(make_sqlite_world, ticket_hook={**hook, "url": "http://127.0.0.1:1/"}), "doctor")) == []


PLAIN = {"build_id": "b_1", "platform": "android"}


@pytest.mark.parametrize(
    ("issuer", "embed", "level", "words"),
    [
        ("https://login.example.com", "", "note", "not set, so there is no page that shows a device"),
        ("https://login.example.com", "https://device.example.net", "ok", "https://device.example.net"),
        ("https://login.example.com", "https://device.login.example.com", "note", "cookies may cross"),
        ("https://login.example.com", "https://example.com", "note", "cookies may cross"),
        ("https://login.example.com", "https://localhost:9443", "WRONG", "names each agent's own machine"),
        ("https://login.example.com", "http://device.example.net", "WRONG", "must be https, as the issuer is"),
        ("https://login.example.com", "https://login.example.com:8443", "note", "shares its host with the issuer"),
        ("https://login.example.com", "https://login.example.com", "WRONG", "shares its host with the issuer"),
        ("http://127.0.0.1:9000", "http://device.example.net", "WRONG", "is not https"),
        ("http://127.0.0.1:9000", "http://localhost:9000", "ok", "http://localhost:9000"),
    ],
)
def test_embed_origin_is_looked_at(  # noqa: PLR0917 - one case a row
    make_sqlite_world: MakeWorld,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    issuer: str,
    embed: str,
    level: str,
    words: str,
) -> None:
    world = sound(make_sqlite_world)
    monkeypatch.setenv("AUTHSERVER_SERVER__ISSUER", issuer)
    monkeypatch.setenv("AUTHSERVER_APPETIZE__EMBED_ORIGIN", embed)
    found = [line for line in command(world, "doctor").stdout.splitlines() if "appetize.embed_origin" in line]
    assert [(line[:5].strip(), words in line) for line in found] == [(level, True)]


def test_apps_that_are_stored_are_looked_at(make_sqlite_world: MakeWorld, command: Command) -> None:
    loose = sound(make_sqlite_world, server={"max_token_bytes": 1500})
    for name, settings in (("good", PLAIN), ("long", {**PLAIN, "how": "deep_link", "passes": "token"})):
        body = {"name": name, "settings": settings}
        assert loose.api("POST", "/api/v1/appetize/apps", "admin", json=body).status_code == 201
    result = command(sound(make_sqlite_world, **{"appetize.apps.good": PLAIN}), "doctor")
    [only] = wrong(result)
    assert only.startswith("apps: long is not used: passes: a token by deep link can exceed 2048 characters")
    assert "apps: good is stored and in the settings, which go before it" in notes(result)
    assert "ok     apps: 2 managed through the API" in result.stdout


@pytest.mark.parametrize("at", ["session_token", "presenters"])
def test_settings_that_name_a_client_who_is_none_are_wrong(
    make_sqlite_world: MakeWorld, command: Command, at: str
) -> None:
    """A misspelt name lets nobody do anything, and nothing else would say so."""
    for name, fine in (("bakend", False), ("backend", True)):
        if at == "session_token":
            where, sections = "session_token.clients", {at: {"clients": {name: {"allowed_origins": [ISSUER]}}}}
        else:
            where, sections = (
                "federation.issuers.corp.presenters",
                {"federation": {"issuers": {"corp": issuer(presenters=[{"client": name}])}}},
            )
        found = wrong(command(sound(make_sqlite_world, **sections), "doctor"))
        line = f"{where}: {name} is no client | correct the name, or run: authserver clients create"
        assert (line in found) is not fine
        assert not [other for other in found if "is no client" in other and other != line]


def test_client_with_the_issuers_scopes_is_sound_before_the_first_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments, catch_exceptions=False)

    assert run("db", "upgrade").exit_code == 0
    scopes = "openid profile impersonate impersonations:read impersonations:end"
    made = run("clients", "create", "crm", "--name", "CRM", "--grants", "client_credentials", "--scopes", scopes)
    assert made.exit_code == 0, made.output
    assert wrong(run("doctor")) == []
    assert run("clients", "set", "crm", "--scopes", f"{scopes} gone:read").exit_code != 0
