"""`authserver clients`: registered by the command line, tried over HTTP."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import text

from authserver.protocol.names import CLIENT_ASSERTION_JWT, GRANT_CLIENT_CREDENTIALS, GRANT_DEVICE_CODE
from tests.devices import asked
from tests.world import API, ISSUER, World, error

Command = Callable[..., Result]
CREDENTIALS = {"grant_type": GRANT_CLIENT_CREDENTIALS}
EXCHANGING = (
    *("--grants", "client_credentials token_exchange", "--ways", "A,C"),
    *("--scopes", "accounts:read cards:write", "--default-resources", API),
)


def created(world: World, command: Command, client_id: str, *options: str) -> str:
    """Create a client and keep its secret for the world's calls."""
    result = command(world, "clients", "create", client_id, *options)
    assert result.exit_code == 0, result.stderr
    return keep(world, client_id, result)


def keep(world: World, client_id: str, result: Result) -> str:
    secret = result.stdout.strip()
    world.credentials["clients"][client_id] = {"client_id": client_id, "client_secret": secret}
    return str(secret)


def let_in(world: World, client_id: str, secret: str) -> bool:
    """Tell whether a secret authenticates, whatever the client may do then."""
    answer = world.post("/oauth/introspect", {"token": "x"}, client=None, headers=world.basic(client_id, secret))
    assert (answer.status_code, answer.json.get("error")) in {(200, None), (401, "invalid_client")}
    return answer.status_code == 200


def shown(world: World, command: Command, client_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command(world, "clients", "show", client_id).stdout)
    return found


def test_created_client_exchanges_with_the_secret_that_was_printed_once(world: World, command: Command) -> None:
    # The agent's token was issued to another client, whose tokens this one is allow-listed for (RFC 8693 section 5).
    secret = created(world, command, "crm", *EXCHANGING, "--accepts-tokens-of", "backend", "--name", "CRM")
    assert len(secret) == 43
    assert world.way_a(client="crm").json["scope"] == "accounts:read"
    assert error(world.way_b(client="crm")) == "unauthorized_client"
    assert secret not in command(world, "clients", "show", "crm").output
    with world.work() as work:
        stored = work.session.execute(text("SELECT secret_hash FROM client_secrets WHERE client_id='crm'")).all()
    assert len(stored) == 1
    assert secret not in str(stored)


def test_client_of_which_nothing_was_said_may_do_nothing(world: World, command: Command) -> None:
    secret = created(world, command, "idle")
    assert let_in(world, "idle", secret)
    assert error(world.post("/oauth/token", CREDENTIALS, client="idle")) == "unauthorized_client"
    assert error(world.way_a(client="idle")) == "unauthorized_client"


def test_a_television_is_registered_for_the_device_grant(world: World, command: Command) -> None:
    for number, grant in enumerate(("device_code", GRANT_DEVICE_CODE)):
        options = ("--auth-method", "none", "--grants", f"{grant} refresh_token", "--scopes", "openid accounts:read")
        result = command(world, "clients", "create", f"tv{number}", *options, "--default-resources", API)
        assert (result.exit_code, result.stdout) == (0, "")
        assert GRANT_DEVICE_CODE in shown(world, command, f"tv{number}")["grant_types"]
        assert asked(world, f"tv{number}")["user_code"]


def test_every_change_leaves_an_event_without_a_secret_in_it(world: World, command: Command) -> None:
    first = created(world, command, "crm", *EXCHANGING)
    second = keep(world, "crm", command(world, "clients", "rotate-secret", "crm", "--overlap", "60"))
    command(world, "clients", "set", "crm", "--scopes", "accounts:read")
    command(world, "clients", "disable", "crm")
    command(world, "clients", "enable", "crm")
    events = [event for event in world.events("client:changed") if event["client_id"] == "crm"]
    assert [event["action"] for event in events] == [
        *("created", "secret_created", "secret_created", "changed", "disabled", "enabled")
    ]
    assert {event["by"] for event in events} == {"cli"}
    assert events[3]["changes"] == {"fields": ["scopes"], "scopes": ["accounts:read"]}
    assert first not in str(events)
    assert second not in str(events)


@pytest.mark.parametrize("client_id", ["usr_1", "", "a b", "a/b", "ünï", "x" * 129, "a\n"])
def test_what_is_no_client_id_is_refused(world: World, command: Command, client_id: str) -> None:
    result = command(world, "clients", "create", "--", client_id)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is no client id" in result.stderr


@pytest.mark.parametrize("client_id", ["usr1", "A.b_c-9", "x" * 128])
def test_what_is_a_client_id_is_taken(world: World, command: Command, client_id: str) -> None:
    assert let_in(world, client_id, created(world, command, client_id))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--scopes", "accounts:read nothing:read"), "--scopes: nothing:read is not registered"),
        (("--default-resources", "https://nobody.example"), "https://nobody.example is not registered"),
        (("--accepts-tokens-of", "nobody"), "--accepts-tokens-of: nobody is not registered"),
        (("--ways", "A Z"), "'Z' is not one of A, B, C, D"),
        (("--grants", "password"), "'password' is not one of"),
        (("--auth-method", "private_key_jwt"), "--jwks is needed"),
    ],
)
def test_what_would_not_work_is_refused_and_nothing_is_written(
    world: World, command: Command, options: tuple[str, ...], words: str
) -> None:
    result = command(world, "clients", "create", "crm", *options)
    assert result.exit_code in {1, 2}
    assert words in result.stderr
    assert "no such client" in command(world, "clients", "show", "crm").stderr
    assert not [event for event in world.events("client:changed") if event["client_id"] == "crm"]


def test_algorithm_that_no_key_signs_is_refused_until_one_does(world: World, command: Command) -> None:
    result = command(world, "clients", "create", "app", "--id-token-alg", "PS256")
    assert (result.exit_code, "keys rotate --alg PS256" in result.stderr) == (1, True)
    created(world, command, "app", "--id-token-alg", "ES256")
    assert command(world, "clients", "set", "app", "--id-token-alg", "PS256").exit_code == 1
    assert command(world, "keys", "rotate", "--alg", "PS256").exit_code == 0
    assert command(world, "clients", "set", "app", "--id-token-alg", "PS256").exit_code == 0


def test_second_client_of_an_id_is_refused_and_the_first_keeps_its_secret(world: World, command: Command) -> None:
    secret = created(world, command, "crm")
    result = command(world, "clients", "create", "crm")
    assert result.exit_code == 1
    assert "there is such a client already" in result.stderr
    assert let_in(world, "crm", secret)


# --- private_key_jwt (RFC 7523 section 3)


def jwks_file(folder: Path, *keys: dict[str, Any]) -> str:
    file = folder / "jwks.json"
    file.write_text(json.dumps({"keys": keys}))
    return str(file)


def assertion(world: World, client_id: str, key: ECKey) -> dict[str, str]:
    claims = {"iss": client_id, "sub": client_id, "aud": ISSUER, "exp": world.clock.now() + 60, "jti": uuid.uuid4().hex}
    signed = jwt.encode({"alg": "ES256", "kid": "k1"}, claims, key)
    return {"client_assertion_type": CLIENT_ASSERTION_JWT, "client_assertion": signed}


def test_client_with_a_key_of_its_own_authenticates_by_it(world: World, command: Command, tmp_path: Path) -> None:
    key, other = (ECKey.generate_key("P-256", {"kid": "k1"}) for _ in range(2))
    options = ("--auth-method", "private_key_jwt", "--jwks", jwks_file(tmp_path, dict(key.as_dict(private=False))))
    result = command(world, "clients", "create", "crm", *EXCHANGING, *options)
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    answer = world.post("/oauth/token", {**CREDENTIALS, **assertion(world, "crm", key)}, client=None)
    assert answer.status_code == 200, answer.text
    refused = world.post("/oauth/token", {**CREDENTIALS, **assertion(world, "crm", other)}, client=None)
    assert error(refused) == "invalid_client"
    command(world, "clients", "set", "crm", "--jwks", jwks_file(tmp_path, dict(other.as_dict(private=False))))
    answer = world.post("/oauth/token", {**CREDENTIALS, **assertion(world, "crm", other)}, client=None)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda key: {"keys": [key.as_dict(private=True)]}, "holds a private key"),
        (lambda _: {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, "something else than EC, RSA and OKP keys"),
        (lambda _: {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA"}]}, "cannot be read"),
        (lambda _: {"keys": []}, "is no JWK Set"),
        (lambda key: key.as_dict(private=False), "is no JWK Set"),
        (lambda _: "nonsense", "is no JWK Set"),
    ],
)
def test_file_without_usable_public_keys_is_refused(
    world: World, command: Command, tmp_path: Path, content: Callable[[ECKey], Any], words: str
) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(content(ECKey.generate_key("P-256"))))
    options = ("--auth-method", "private_key_jwt", "--jwks", str(file))
    result = command(world, "clients", "create", "crm", *options)
    assert result.exit_code == 1
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    file.write_text("{")
    assert "is not JSON" in command(world, "clients", "create", "crm", *options).stderr


# --- change


def test_changed_client_is_bound_by_the_change_at_its_next_request(world: World, command: Command) -> None:
    assert world.way_a(scope="accounts:read").status_code == 200
    assert command(world, "clients", "set", "backend", "--scopes", "payments:read").exit_code == 0
    assert error(world.way_a(scope="accounts:read")) == "invalid_target"
    assert command(world, "clients", "set", "backend", "--scopes", "accounts:read", "--ways", "").exit_code == 0
    assert error(world.way_a(scope="accounts:read")) == "unauthorized_client"
    kept = shown(world, command, "backend")
    assert (kept["ways"], kept["scopes"], kept["presents_id_tokens"]) == ([], ["accounts:read"], True)


def test_flags_are_set_and_taken_away(world: World, command: Command) -> None:
    command(world, "clients", "set", "other-backend", "--receives-id-tokens", "--id-token-alg", "ES256")
    kept = shown(world, command, "other-backend")
    assert (kept["receives_id_tokens"], kept["presents_id_tokens"], kept["id_token_alg"]) == (True, False, "ES256")
    command(world, "clients", "set", "other-backend", "--no-receives-id-tokens")
    assert shown(world, command, "other-backend")["receives_id_tokens"] is False


def test_changing_nothing_is_an_error_of_usage(world: World, command: Command) -> None:
    result = command(world, "clients", "set", "backend")
    assert result.exit_code == 2
    assert "nothing to change was given" in result.stderr


def test_client_that_turns_to_a_key_loses_its_secrets_for_good(world: World, command: Command, tmp_path: Path) -> None:
    before = str(world.credentials["clients"]["backend"]["client_secret"])
    file = jwks_file(tmp_path, dict(ECKey.generate_key("P-256").as_dict(private=False)))
    result = command(world, "clients", "set", "backend", "--auth-method", "private_key_jwt", "--jwks", file)
    assert (result.exit_code, result.stdout) == (0, "")
    assert not let_in(world, "backend", before)
    assert "has no secret" in command(world, "clients", "rotate-secret", "backend").stderr
    back = command(world, "clients", "set", "backend", "--auth-method", "client_secret")
    assert let_in(world, "backend", back.stdout.strip())
    assert not let_in(world, "backend", before)
    assert shown(world, command, "backend")["jwks"] is None


def test_rotated_secret_leaves_the_old_one_alive_for_the_overlap_alone(world: World, command: Command) -> None:
    old = str(world.credentials["clients"]["backend"]["client_secret"])
    new = command(world, "clients", "rotate-secret", "backend", "--overlap", "600").stdout.strip()
    assert let_in(world, "backend", old)
    assert let_in(world, "backend", new)
    world.clock.pass_(600)
    assert not let_in(world, "backend", old)
    assert let_in(world, "backend", new)


def test_secret_rotated_without_overlap_is_dead_at_once(world: World, command: Command) -> None:
    old = str(world.credentials["clients"]["backend"]["client_secret"])
    new = command(world, "clients", "rotate-secret", "backend").stdout.strip()
    assert not let_in(world, "backend", old)
    assert let_in(world, "backend", new)


def test_old_secret_never_lives_longer_because_another_is_made(world: World, command: Command) -> None:
    old = str(world.credentials["clients"]["backend"]["client_secret"])
    command(world, "clients", "rotate-secret", "backend", "--overlap", "60")
    command(world, "clients", "rotate-secret", "backend", "--overlap", "6000")
    world.clock.pass_(60)
    assert not let_in(world, "backend", old)


# --- disable and enable


def test_disabled_client_is_out_at_once_with_everything_of_it(
    make_world: Callable[..., World], command: Command
) -> None:
    world = make_world()
    started = world.way_a()
    token, own = str(started.json["access_token"]), world.client_token()
    assert world.introspect(token)["active"]
    result = command(world, "clients", "disable", "backend")
    assert result.exit_code == 0
    assert "1 impersonation ended" in result.stderr
    for dead in (token, own, world.token("agent")):
        assert world.introspect(dead) == {"active": False}
    assert error(world.post("/oauth/token", CREDENTIALS)) == "invalid_client"
    (ended,) = world.events("impersonation:ended", str(started.json["impersonation_id"]))
    assert (ended["ended_by"], ended["end_reason"], ended["state"]) == ("cli", "client_disabled", "ended")


def test_enabled_client_comes_back_without_its_old_tokens(make_world: Callable[..., World], command: Command) -> None:
    world = make_world()
    own = world.client_token()
    command(world, "clients", "disable", "backend")
    assert command(world, "clients", "enable", "backend").exit_code == 0
    assert world.introspect(own) == {"active": False}
    assert world.introspect(world.client_token())["active"]


def test_disabling_twice_says_so_and_leaves_one_event(world: World, command: Command) -> None:
    command(world, "clients", "disable", "other-backend")
    again = command(world, "clients", "disable", "other-backend")
    assert again.exit_code == 0
    assert "was disabled already" in again.stderr
    assert len([event for event in world.events("client:changed") if event["action"] == "disabled"]) == 1


def test_list_has_every_client_and_whether_it_is_enabled(world: World, command: Command) -> None:
    command(world, "clients", "disable", "other-backend")
    lines = command(world, "clients", "list").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        *(["CLIENT", "ENABLED"], ["backend", "yes"], ["other-backend", "no"], ["resource-server", "yes"])
    ]


@pytest.mark.parametrize("what", [["show"], ["set", "--name", "x"], ["rotate-secret"], ["disable"], ["enable"]])
def test_unknown_client_is_an_error_that_says_so(world: World, command: Command, what: list[str]) -> None:
    result = command(world, "clients", what[0], "nobody", *what[1:])
    assert result.exit_code == 1
    assert result.stderr == "Error: nobody: no such client; see: authserver clients list\n"
