"""The console in a test."""

import pytest

from tests.conftest import MakeWorld
from tests.console.staff import Staff, console_world
from tests.world import World


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    """The seeded server, with its console."""
    return console_world(make_sqlite_world)


@pytest.fixture
def staff(world: World) -> Staff:
    return Staff(world)


@pytest.fixture
def admin(staff: Staff) -> Staff:
    """An admin who is signed in."""
    staff.enter("admin", "/console/health")
    return staff
