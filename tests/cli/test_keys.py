"""`authserver keys`: what the JWKS and a running server make of it."""

from collections.abc import Callable

import pytest
from click.testing import Result

from tests.world import World, header

Command = Callable[..., Result]


def listed(world: World, command: Command) -> dict[str, tuple[str, str]]:
    """Return algorithm and state by kid."""
    lines = command(world, "keys", "list").stdout.splitlines()
    assert lines[0].split() == ["KID", "USE", "ALG", "STATE", "SIGNS", "FROM", "RETIRES"]
    return {line.split()[0]: (line.split()[2], line.split()[3]) for line in lines[1:]}


def published(world: World) -> set[str]:
    return {key["kid"] for key in world.http.get("/oauth/jwks", base_url="http://127.0.0.1:9000").get_json()["keys"]}


def signing(world: World) -> str:
    return str(header(world.client_token())["kid"])


def test_rotated_key_is_published_before_it_signs_and_the_old_one_outlives_its_tokens(
    make_sqlite_world: Callable[..., World], command: Command
) -> None:
    world = make_sqlite_world(keys={"publish_seconds": 600})
    old, token = signing(world), world.client_token()
    result = command(world, "keys", "rotate")
    assert result.exit_code == 0
    new = result.stdout.split()[3].rstrip(".")
    assert {old, new} <= published(world)
    assert signing(world) == old
    assert listed(world, command)[new] == ("ES256", "published")
    world.clock.pass_(600)
    assert signing(world) == new
    assert world.introspect(token)["active"]
    world.clock.pass_(3600 + 60)
    assert old not in published(world)
    assert listed(world, command)[old] == ("ES256", "retired")
    actions = [(event["kid"], event["action"], event["by"]) for event in world.events("key:changed")[-2:]]
    assert actions == [(new, "published", "cli"), (old, "retired", "cli")]


def test_second_rotation_waits_for_the_first(make_sqlite_world: Callable[..., World], command: Command) -> None:
    world = make_sqlite_world(keys={"publish_seconds": 600})
    command(world, "keys", "rotate")
    before = listed(world, command)
    result = command(world, "keys", "rotate")
    assert result.exit_code == 1
    assert "is published already and signs in 600 s" in result.stderr
    assert listed(world, command) == before


def test_revoked_key_kills_what_it_signed_and_another_signs_at_once(
    make_world: Callable[..., World], command: Command
) -> None:
    world = make_world()
    old, token = signing(world), world.way_a().json["access_token"]
    assert world.introspect(token)["active"]
    result = command(world, "keys", "revoke", old)
    assert result.exit_code == 0
    assert "every token that it signed is dead" in result.stdout
    assert world.introspect(token) == {"active": False}
    assert old not in published(world)
    assert signing(world) in published(world)
    folder = world.wired.settings.keys.folder
    assert old not in {path.stem for path in folder.glob("*.pem")}
    assert [event["action"] for event in world.events("key:changed") if event["by"] == "cli"] == [
        *("revoked", "published")
    ]
    again = command(world, "keys", "revoke", old)
    assert (again.exit_code, again.stderr) == (1, f"Error: {old}: revoked already\n")


def test_other_algorithms_and_the_audit_key_have_rotations_of_their_own(world: World, command: Command) -> None:
    before = listed(world, command)
    assert command(world, "keys", "rotate", "--alg", "PS256").stdout.endswith("It is the first PS256 key.\n")
    assert "signs no more" in command(world, "keys", "rotate", "--audit").stdout
    after = listed(world, command)
    assert sorted(alg for alg, _ in (after[kid] for kid in after.keys() - before.keys())) == ["Ed25519", "PS256"]
    world.way_a()
    assert command(world, "audit", "heads").exit_code == 0
    assert command(world, "audit", "verify").exit_code == 0
    assert command(world, "keys", "rotate", "--audit", "--alg", "ES256").exit_code == 2


def test_unknown_key_cannot_be_revoked(world: World, command: Command) -> None:
    result = command(world, "keys", "revoke", "nothing")
    assert (result.exit_code, result.stderr) == (1, "Error: nothing: no such key\n")


@pytest.mark.parametrize("harm", ["gone", "open"])
def test_key_that_cannot_be_used_is_named_and_makes_the_list_fail(world: World, command: Command, harm: str) -> None:
    file = world.wired.settings.keys.folder / f"{signing(world)}.pem"
    if harm == "gone":
        file.unlink()
    else:
        file.chmod(0o640)
    result = command(world, "keys", "list")
    assert result.exit_code == 1
    assert str(file) in result.stderr
    assert file.stem in result.stdout


def test_private_keys_are_files_of_mode_0600_and_encrypted_where_a_passphrase_is_set(
    make_sqlite_world: Callable[..., World], command: Command
) -> None:
    world = make_sqlite_world(keys={"passphrase": "correct horse"})
    assert command(world, "keys", "rotate").exit_code == 0
    files = list(world.wired.settings.keys.folder.glob("*.pem"))
    newest = max(files, key=lambda path: path.stat().st_mtime_ns)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert b"ENCRYPTED" in newest.read_bytes()
    assert header(world.client_token())["kid"] == newest.stem
