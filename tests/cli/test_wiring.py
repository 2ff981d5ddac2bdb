"""What ends a command with one line: settings, keys, files and the database, each naming what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from authserver.cli import cli
from authserver.cli.db import migrate
from authserver.settings import Database, SettingsError, load
from authserver.storage import schema
from tests.world import World

Command = Callable[..., Result]
COMMANDS = (
    *(["keys", "list"], ["audit", "verify"], ["clients", "list"], ["users", "list"], ["resources", "list"]),
    *(["impersonations", "list"], ["serve", "--port", "0"]),
    ["policy", "explain", "--actor", "a", "--subject", "b"],
)


def run(folder: Path, arguments: list[str], **sections: dict[str, Any]) -> Result:
    """Run a command on settings of its own, as somebody would who has just installed the server."""
    sections.setdefault("database", {}).setdefault("url", f"sqlite:///{folder / 'db.sqlite3'}")
    sections.setdefault("keys", {}).setdefault("folder", str(folder / "keys"))
    sections.setdefault("audit", {}).setdefault("anchor_file", str(folder / "heads.jsonl"))
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
    file = folder / "own.toml"
    file.write_text("\n".join(lines) + "\n")
    return CliRunner().invoke(cli, ["--config", str(file), *arguments])


def one_line(result: Result, code: int = 1) -> str:
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return str(result.stderr)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_database_without_tables_is_an_error_that_says_how_to_make_them(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "db.sqlite3").touch()
    words = one_line(run(tmp_path, arguments))
    assert words == "Error: database.url: the database has no tables; run: authserver db upgrade\n"


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_database_that_is_not_there_is_an_error_and_nothing_is_made_in_its_place(
    tmp_path: Path, arguments: list[str]
) -> None:
    words = one_line(run(tmp_path, arguments))
    assert f"database.url: there is no {tmp_path / 'db.sqlite3'}; " in words
    assert words.endswith("run: authserver db upgrade\n")
    assert [path.name for path in tmp_path.iterdir()] == ["own.toml"]


def test_explanation_without_settings_makes_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["policy", "explain", "--actor", "a", "--subject", "b"])
    assert "there is no authserver.sqlite3; name your settings with --config" in one_line(result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["clients", "list"], ["db", "upgrade"]], ids=" ".join)
def test_database_that_does_not_answer_is_an_error_that_says_so(tmp_path: Path, arguments: list[str]) -> None:
    unreachable = {"url": "postgresql+psycopg://nobody:hunter2@127.0.0.1:1/none"}
    words = one_line(run(tmp_path, arguments, database=unreachable))
    assert "database.url: the database cannot be used: " in words
    assert "hunter2" not in words
    no_folder = {"url": f"sqlite:///{tmp_path / 'nowhere' / 'db.sqlite3'}"}
    said = "there is no" if arguments[0] == "clients" else "unable to open database file"
    assert said in one_line(run(tmp_path, arguments, database=no_folder))


def test_database_of_another_schema_is_an_error_that_names_both(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    migrate(Database(url=url, pool_size=1))
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    engine.dispose()
    assert f"has schema 0000, and {schema.needed()}" in one_line(run(tmp_path, ["clients", "list"]))


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"keys": {"folders": "x"}}, "keys.folders: unknown setting"),
        ({"server": {"issuer": "nonsense"}}, "server.issuer: Value error, must be an origin"),
        ({"database": {"url": "postgresql://x/y"}}, "database.url: Value error, must be sqlite:///FILE or postgresql"),
        ({"policy": {"folder": "/nowhere"}}, "policy: /nowhere/schema.cedarschema:1: No such file or directory"),
    ],
)
def test_wrong_setting_ends_a_command_with_status_2_and_its_name(
    tmp_path: Path, sections: dict[str, Any], words: str
) -> None:
    (tmp_path / "db.sqlite3").touch()
    assert words in one_line(run(tmp_path, ["clients", "list"], **sections), 2)


def test_key_file_that_others_may_read_ends_a_command_and_says_how_to_mend_it(tmp_path: Path) -> None:
    migrate(Database(url=f"sqlite:///{tmp_path / 'db.sqlite3'}", pool_size=1))
    assert run(tmp_path, ["clients", "list"]).exit_code == 0
    file = tmp_path / "keys" / "secret-hash.key"
    file.chmod(0o644)
    assert f"others may use it (mode 0644); run: chmod 600 {file}" in one_line(run(tmp_path, ["clients", "list"]))


def test_relative_database_is_made_where_the_command_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = {"database": {"url": "sqlite:///own.sqlite3"}, "keys": {"folder": "own-keys"}}
    assert run(tmp_path, ["db", "upgrade"], **own).exit_code == 0
    assert run(tmp_path, ["clients", "list"], **own).exit_code == 0
    assert {"own.sqlite3", "own-keys"} <= {path.name for path in tmp_path.iterdir()}


def test_settings_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes(b"demo = \xff")
    with pytest.raises(SettingsError, match=f"{file}: not TOML"):
        load([file], {})


def test_refused_command_leaves_nothing_half_done(world: World, command: Command) -> None:
    before = world.events()
    assert command(world, "users", "set", "agent@example.com", "--conflicts", "agent2@example.com x").exit_code == 1
    assert world.events() == before
