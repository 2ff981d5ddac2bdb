"""The command line on a seeded world: the same settings, database and clock, wired anew as another process would."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from authserver.cli import cli
from authserver.settings import config_folder
from tests.world import World

Command = Callable[..., Result]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `authserver` on a world's settings; what a command raises that is no exit fails the test."""

    def run(world: World, *arguments: str, answer: str | None = None) -> Result:
        for name in ("authserver.app.SystemClock", "authserver.cli.doctor_database.SystemClock"):
            monkeypatch.setattr(name, lambda: world.clock)
        folder = world.wired.settings.keys.folder.parent
        files = ["--config", str(config_folder() / "demo.toml"), "--config", str(folder / "settings.toml")]
        return CliRunner().invoke(cli, [*files, *arguments], input=answer, catch_exceptions=False)

    return run
