"""`authserver audit`: on a trail that the server itself has written."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import text

from tests.world import REASON, World

Command = Callable[..., Result]


def told(world: World, command: Command) -> Path:
    """Let something happen, sign it, and return the anchor file."""
    world.way_a()
    world.way_a(target="lead")
    assert command(world, "audit", "heads").exit_code == 0
    return world.wired.settings.audit.anchor_file


def alter(world: World, statement: str) -> None:
    with world.work() as work:
        work.lock()
        work.session.execute(text(statement))


def test_trail_of_a_server_verifies(make_world: Callable[..., World], command: Command) -> None:
    world = make_world()
    told(world, command)
    result = command(world, "audit", "verify")
    assert result.exit_code == 0
    assert result.stdout == (f"The trail is intact: {len(world.events())} events, 1 signed head, 1 anchor line.\n")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("UPDATE audit_events SET payload = '{}' WHERE seq = 5", "event 5"),
        ("DELETE FROM audit_events WHERE seq = 5", "event 5"),
        ("UPDATE audit_events SET seq = CASE seq WHEN 5 THEN -6 ELSE -5 END WHERE seq IN (5, 6)", "event 5"),
    ],
    ids=["altered", "removed", "reordered"],
)
def test_event_that_was_touched_is_named(
    make_world: Callable[..., World], command: Command, harm: str, words: str
) -> None:
    world = make_world()
    told(world, command)
    alter(world, harm)
    if "-6" in harm:
        alter(world, "UPDATE audit_events SET seq = -seq WHERE seq < 0")
    result = command(world, "audit", "verify")
    assert result.exit_code == 1
    assert words in result.stdout.lower()
    assert "The trail is BROKEN" in result.stdout


def test_end_that_was_cut_off_is_found_by_the_anchor_file_alone(world: World, command: Command) -> None:
    anchor = told(world, command)
    last = len(world.events())
    with world.work() as work:
        work.lock()
        for statement in (
            "DELETE FROM audit_heads",
            "DELETE FROM audit_personal WHERE seq = :last",
            "DELETE FROM audit_events WHERE seq = :last",
            "UPDATE audit_chains SET seq = :last - 1, digest = (SELECT digest FROM audit_events WHERE seq = :last - 1)",
        ):
            work.session.execute(text(statement), {"last": last})
    assert command(world, "audit", "verify").exit_code == 1
    anchor.unlink()
    blind = command(world, "audit", "verify")
    assert blind.exit_code == 0
    assert f"There is no anchor file {anchor}" in blind.stderr


def test_pinned_public_keys_are_trusted_instead_of_those_in_the_database(
    world: World, command: Command, tmp_path: Path
) -> None:
    told(world, command)
    pinned = tmp_path / "pinned.json"
    pinned.write_text(command(world, "audit", "keys").stdout)
    keys = json.loads(pinned.read_text())["keys"]
    assert [sorted(key) for key in keys] == [["crv", "kid", "kty", "x"]]
    assert command(world, "audit", "verify", "--public-keys", str(pinned)).exit_code == 0
    pinned.write_text('{"keys": []}')
    assert command(world, "audit", "verify", "--public-keys", str(pinned)).exit_code == 1
    pinned.write_text("nonsense")
    assert "is not a JWK Set" in command(world, "audit", "verify", "--public-keys", str(pinned)).stderr


def test_signing_twice_adds_nothing(world: World, command: Command) -> None:
    anchor = told(world, command)
    assert "Nothing to sign" in command(world, "audit", "heads").stdout
    assert len(anchor.read_text().splitlines()) == 1


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_export_has_the_events_and_is_one_itself(world: World, command: Command, form: str, tmp_path: Path) -> None:
    told(world, command)
    file = tmp_path / "export"
    options = ("--format", form, "--name", "impersonation:requested", "--output", str(file))
    assert command(world, "audit", "export", *options).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    content = file.read_text()
    rows = (
        list(csv.DictReader(io.StringIO(content)))
        if form == "csv"
        else [json.loads(line) for line in content.splitlines()]
    )
    assert [row["name"] for row in rows] == ["impersonation:requested"]
    assert REASON["reason"] in content
    (read,) = world.events("trail:read")
    assert (read["reader"], read["how"], read["query"]["format"]) == ("cli", "export", form)


def test_anchor_file_that_cannot_be_written_is_named(
    make_sqlite_world: Callable[..., World], command: Command, tmp_path: Path
) -> None:
    world = make_sqlite_world(audit={"anchor_file": str(tmp_path / "nowhere" / "heads.jsonl")})
    result = command(world, "audit", "heads")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path / 'nowhere' / 'heads.jsonl'}: No such file or directory\n"
