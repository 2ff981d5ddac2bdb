"""A changed policy is taken up by a running server; a broken one is refused, and the set before stays in force."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from authserver.settings import SettingsError
from authserver.storage.database import Work
from tests.conftest import MakeWorld
from tests.oauth.exchanging import refused
from tests.world import World, error, make_app

SHIPPED = Path(__file__).parents[2] / "config" / "policy"
NOBODY = '@id("own.nobody")\n@why("the bank is closed")\nforbid (principal, action == Action::"request", resource);\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "policy"))


@pytest.fixture
def world(make_sqlite_world: MakeWorld, folder: Path) -> World:
    made = make_sqlite_world(policy={"folder": str(folder), "reload_seconds": 5})
    made.wired.jobs.tick()
    return made


def look(world: World) -> None:
    """Let the time pass after which a server has looked twice and seen the same."""
    for _ in range(2):
        world.clock.pass_(5)
        world.wired.jobs.tick()


def test_changed_policy_is_taken_up_and_said_to_be(world: World, folder: Path) -> None:
    before = world.wired.judge.policy.digest
    (folder / "own.cedar").write_text(NOBODY)
    assert world.way_a().status_code == 200
    look(world)
    event = refused(world, world.way_a(), "access_denied", "policy.denied")
    assert event["policies"] == ["own.nobody"]
    [loaded] = world.events("policy:loaded")
    assert (loaded["before"], loaded["policy_set"]) == (before, world.wired.judge.policy.digest)


def test_policy_that_is_gone_stays_in_force_until_a_restart(world: World, folder: Path) -> None:
    """A folder that is being copied lacks files for a moment; what it lacks may be what stands in somebody's way."""
    before = world.wired.judge.policy.digest
    needs = (folder / "needs.cedar").read_text()
    (folder / "needs.cedar").unlink()
    look(world)
    assert error(world.way_a(target="customer-ask")) == "consent_required"
    [said] = world.events("policy:refused")
    assert said["reason"].startswith("it lacks needs.consent, ")
    (folder / "needs.cedar").write_text(needs)
    look(world)
    assert world.wired.judge.policy.digest == before


def test_folder_is_not_read_while_it_changes(world: World, folder: Path) -> None:
    (folder / "own.cedar").write_text(NOBODY)
    world.clock.pass_(5)
    world.wired.jobs.tick()
    assert world.way_a().status_code == 200
    world.clock.pass_(5)
    world.wired.jobs.tick()
    assert error(world.way_a()) == "access_denied"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (NOBODY.replace("action ==", "action !"), "own.cedar:3: "),
        (NOBODY.replace('@id("own.nobody")\n', ""), "own.cedar:1: the policy has no @id"),
        (NOBODY.replace("own.nobody", "authentication.age"), "own.cedar:1: the id authentication.age is taken"),
    ],
)
def test_broken_policy_is_refused_and_the_set_before_stays(  # noqa: PLR0917 - fixtures
    world: World,
    folder: Path,
    text: str,
    reason: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = world.wired.judge.policy.digest
    (folder / "own.cedar").write_text(text)
    look(world)
    look(world)
    assert world.way_a().status_code == 200
    [said] = world.events("policy:refused")
    assert said["kept"] == kept == world.wired.judge.policy.digest
    assert said["reason"].startswith(reason)
    assert reason in capsys.readouterr().out + caplog.text
    (folder / "own.cedar").write_text(NOBODY)
    look(world)
    assert error(world.way_a()) == "access_denied"


def test_folder_that_went_away_is_a_broken_one(world: World, folder: Path) -> None:
    shutil.rmtree(folder)
    look(world)
    assert world.way_a().status_code == 200
    [said] = world.events("policy:refused")
    assert "No such file" in said["reason"]


def test_nothing_is_said_where_nothing_changed(world: World, folder: Path) -> None:
    (folder / "cases.toml").write_text("")
    (folder / "who.cedar").write_text((folder / "who.cedar").read_text())
    look(world)
    assert world.events("policy:loaded") + world.events("policy:refused") == []


def test_what_changed_between_the_start_and_the_first_look_is_found(make_sqlite_world: MakeWorld, folder: Path) -> None:
    world = make_sqlite_world(policy={"folder": str(folder)})
    (folder / "own.cedar").write_text(NOBODY)
    look(world)
    assert error(world.way_a()) == "access_denied"


def test_server_that_does_not_look_keeps_what_it_has(make_sqlite_world: MakeWorld, folder: Path) -> None:
    world = make_sqlite_world(policy={"folder": str(folder), "reload_seconds": 0})
    (folder / "own.cedar").write_text(NOBODY)
    look(world)
    assert world.way_a().status_code == 200


def test_change_that_every_process_finds_is_recorded_once(make_sqlite_world: MakeWorld, folder: Path) -> None:
    world = make_sqlite_world(policy={"folder": str(folder), "reload_seconds": 5})
    other = replace(world, app=make_app(world.wired.settings, world.clock))
    for each in (world, other):
        each.wired.jobs.tick()

    def both_look() -> None:
        for _ in range(2):
            world.clock.pass_(5)
            world.wired.jobs.tick()
            other.wired.jobs.tick()

    before = world.wired.judge.policy.digest
    (folder / "own.cedar").write_text(NOBODY)
    both_look()
    digests = {each.wired.judge.policy.digest for each in (world, other)}
    assert len(digests) == 1
    assert digests != {before}
    assert len(world.events("policy:loaded")) == 1
    (folder / "own.cedar").write_text(NOBODY.replace("the bank is closed", "no"))
    both_look()
    (folder / "own.cedar").write_text(NOBODY)
    both_look()
    assert len(world.events("policy:loaded")) == 3, "there and back again are changes too"
    (folder / "own.cedar").write_text("forbid (")
    both_look()
    assert len(world.events("policy:refused")) == 1
    other.close()


def test_policy_that_could_not_be_recorded_is_not_in_force_and_is_tried_again(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "own.cedar").write_text(NOBODY)
    with monkeypatch.context() as patched:
        patched.setattr(Work, "commit", _fails)
        with pytest.raises(OSError, match="disk"):
            look(world)
    assert world.way_a().status_code == 200
    assert world.events("policy:loaded") == []
    look(world)
    assert error(world.way_a()) == "access_denied"
    assert len(world.events("policy:loaded")) == 1


def _fails(work: Work) -> None:
    work.rollback()
    raise OSError("the disk is full")


def test_broken_policy_stops_the_start(make_sqlite_world: Callable[..., World], folder: Path) -> None:
    (folder / "own.cedar").write_text("\n" + NOBODY.replace('@id("own.nobody")\n', ""))
    with pytest.raises(SettingsError, match=r"own\.cedar:2: the policy has no @id"):
        make_sqlite_world(policy={"folder": str(folder)})
