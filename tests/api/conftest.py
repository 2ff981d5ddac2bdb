"""What several tests of the API arrange."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from authserver import settings
from tests.conftest import MakeWorld
from tests.world import World

MakePolicy = Callable[[dict[str, str]], World]


@pytest.fixture
def make_policy(make_sqlite_world: MakeWorld, tmp_path: Path) -> MakePolicy:
    """Make a world with the shipped policy, some of its text put otherwise."""

    def make(changes: dict[str, str]) -> World:
        folder = tmp_path / "policy"
        shutil.copytree(settings.config_folder() / "policy", folder)
        for before, after in changes.items():
            [file] = [file for file in folder.glob("*.cedar") if before in file.read_text()]
            file.write_text(file.read_text().replace(before, after))
        return make_sqlite_world(policy={"folder": str(folder)})

    return make
