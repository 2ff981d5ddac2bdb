"""`authserver db`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from authserver.cli import cli


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'db.sqlite3'}"
    return str(request.getfixturevalue("postgres").make())


def test_upgrade_makes_a_database_that_commands_work_on_and_can_be_repeated(url: str, tmp_path: Path) -> None:
    environ = {"AUTHSERVER_DATABASE__URL": url, "AUTHSERVER_KEYS__FOLDER": str(tmp_path / "keys")}
    for _ in range(2):
        result = CliRunner().invoke(cli, ["db", "upgrade"], env=environ, catch_exceptions=False)
        assert (result.exit_code, result.stdout) == (0, "the database is up to date\n")
    assert CliRunner().invoke(cli, ["clients", "list"], env=environ, catch_exceptions=False).exit_code == 0


def test_check_finds_that_the_migrations_make_what_the_models_say() -> None:
    result = CliRunner().invoke(cli, ["db", "check"], catch_exceptions=False)
    assert (result.exit_code, result.stdout) == (0, "migrations match models\n")
