"""The refresh token grant (RFC 6749 §6, RFC 9700 §4.14, OIDC Core §12)."""

import threading
import time
from collections import Counter
from typing import Any

import pytest

from authserver.storage import authorizations, clients, people, resources
from authserver.storage.tables import RefreshToken
from authserver.tokens.secret_hashes import SecretKind
from tests.conftest import MakeWorld
from tests.signing_in import BrowserOf, new_client, refresh
from tests.world import API, ISSUER, PAYMENTS, Answer, World, claims, error

THREADS = 8
BOTH: dict[str, Any] = {"resource": [API, PAYMENTS], "scope": "openid accounts:read cards:write payments:read"}


def granted(world: World, who: str = "customer", **changes: Any) -> dict[str, Any]:
    """Return the tokens that a person who has just signed in gave the application."""
    browser = BrowserOf(world)
    browser.sign_in(who)
    return browser.tokens(**changes)


def test_each_use_replaces_the_token(make_world: MakeWorld) -> None:
    world = make_world()
    first = granted(world)
    world.clock.pass_(1)
    second = refresh(world, first["refresh_token"])
    assert second.status_code == 200
    assert second.headers["Cache-Control"] == "no-store"
    assert second.json["refresh_token"] != first["refresh_token"]
    assert second.json["scope"] == first["scope"]
    third = refresh(world, second.json["refresh_token"]).json
    assert all(world.introspect(each["access_token"])["active"] for each in (first, second.json, third))


def test_a_reuse_kills_the_family(make_world: MakeWorld) -> None:
    world = make_world()
    first, other = granted(world), granted(world)
    second = refresh(world, first["refresh_token"]).json
    assert error(refresh(world, first["refresh_token"])) == "invalid_grant"
    assert error(refresh(world, second["refresh_token"])) == "invalid_grant"
    assert not any(world.introspect(each["access_token"])["active"] for each in (first, second))
    assert world.introspect(other["access_token"])["active"]
    assert refresh(world, other["refresh_token"]).status_code == 200
    assert world.events("request:refused")[0]["reason"] == "refresh.reused"


def test_of_eight_at_once_one_wins_and_the_family_dies(make_world: MakeWorld) -> None:
    world = make_world()
    first, answers, start = granted(world), list[Answer](), threading.Barrier(THREADS)

    def run() -> None:
        with world.app.app_context():
            start.wait()
            answers.append(refresh(world, first["refresh_token"]))

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: THREADS - 1}
    won = next(answer.json for answer in answers if answer.status_code == 200)
    assert not world.introspect(won["access_token"])["active"]
    assert error(refresh(world, won["refresh_token"])) == "invalid_grant"


def test_a_reuse_kills_also_what_is_being_issued_at_that_moment(make_world: MakeWorld) -> None:
    """The newest token is used, and not yet committed, while an old one of the family is reused."""
    world = make_world()
    hasher, answers = world.wired.hasher, list[Answer]()
    first = granted(world)["refresh_token"]
    second = refresh(world, first).json["refresh_token"]

    def reuse() -> None:
        with world.app.app_context():
            answers.append(refresh(world, first))

    thread = threading.Thread(target=reuse)
    with world.work() as work:
        work.lock()
        used = hasher.hash(SecretKind.REFRESH, second)
        row = authorizations.find_refresh_token(work.session, used)
        assert row is not None
        kept = {name: getattr(row, name) for name in ("family_id", "client_id", "user_id", "session_id", "scopes")}
        assert authorizations.use_refresh_token(work.session, used, now=world.clock.now())
        thread.start()
        time.sleep(0.3)
        third = RefreshToken(
            token_hash=hasher.hash(SecretKind.REFRESH, "third"),
            resources=[API, ISSUER],
            created_at=world.clock.now(),
            expires_at=world.clock.now() + 60,
            **kept,
        )
        authorizations.add_refresh_token(work.session, third)
    thread.join()
    assert error(answers[0]) == "invalid_grant"
    assert error(refresh(world, "third")) == "invalid_grant"


@pytest.mark.parametrize(
    ("asked", "audience", "scope"),
    [
        ({}, [API, PAYMENTS, ISSUER], "openid accounts:read cards:write payments:read"),
        ({"scope": "cards:write accounts:read"}, [API, PAYMENTS, ISSUER], "cards:write accounts:read"),
        ({"resource": API}, API, "accounts:read cards:write"),
        ({"resource": PAYMENTS, "scope": "payments:read"}, PAYMENTS, "payments:read"),
        ({"audience": PAYMENTS}, PAYMENTS, "payments:read"),
        ({"resource": ISSUER}, ISSUER, "openid"),
    ],
    ids=str,
)
def test_an_access_token_may_be_narrowed_and_the_refresh_token_keeps_all(
    world: World, asked: dict[str, str], audience: str | list[str], scope: str
) -> None:
    """RFC 6749 §6, RFC 8707 §2.2."""
    narrowed = refresh(world, granted(world, **BOTH)["refresh_token"], **asked).json
    shown = claims(narrowed["access_token"])
    assert (shown["aud"], shown["scope"], narrowed["scope"]) == (audience, scope, scope)
    assert ("id_token" in narrowed) == ("openid" in scope.split())
    whole = refresh(world, narrowed["refresh_token"]).json
    assert whole["scope"] == "openid accounts:read cards:write payments:read"


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ({"scope": "accounts:read payments:read"}, "invalid_scope"),
        ({"scope": "openid email"}, "invalid_scope"),
        ({"scope": "impersonate"}, "invalid_scope"),
        ({"scope": "nothing:such"}, "invalid_scope"),
        ({"scope": 'accounts:read "'}, "invalid_scope"),
        ({"scope": " "}, "invalid_scope"),
        ({"resource": PAYMENTS}, "invalid_target"),
        ({"resource": "https://unknown.example.com"}, "invalid_target"),
        ({"audience": PAYMENTS}, "invalid_target"),
        ({"resource": ISSUER, "scope": "accounts:read"}, "invalid_scope"),
        ({"refresh_token": None}, "invalid_request"),
        ({"refresh_token": "nothing"}, "invalid_grant"),
    ],
    ids=str,
)
def test_nothing_is_widened_and_a_refusal_uses_nothing_up(
    world: World, asked: dict[str, str | None], refused: str
) -> None:
    first = granted(world)["refresh_token"]
    assert error(refresh(world, first, **asked)) == refused
    assert refresh(world, first).status_code == 200


def test_other_tokens_are_no_refresh_tokens(world: World) -> None:
    tokens = granted(world)
    for name in ("access_token", "id_token"):
        assert error(refresh(world, tokens[name])) == "invalid_grant"


def test_a_refresh_token_is_for_its_client_alone(world: World) -> None:
    new_client(world, "app", first_party=True)
    first = granted(world)["refresh_token"]
    assert error(refresh(world, first, "app")) == "invalid_grant"
    assert refresh(world, first).status_code == 200


@pytest.mark.parametrize("gone", ["session", "user", "client"])
def test_everybody_is_checked_again(world: World, gone: str) -> None:
    first = granted(world)
    with world.work() as work:
        work.lock()
        if gone == "session":
            world.wired.sessions.end_all(work, world.id("customer"), by=world.id("customer"))
        elif gone == "user":
            people.set_enabled(work.session, world.id("customer"), enabled=False)
        else:
            clients.set_enabled(work.session, "backend", enabled=False)
    answer = refresh(world, first["refresh_token"])
    assert error(answer) == ("invalid_client" if gone == "client" else "invalid_grant")
    assert not world.introspect(first["access_token"])["active"]


def test_a_role_that_was_lost_is_in_no_new_token(world: World) -> None:
    first = granted(world, "agent", scope="openid impersonate", resource=ISSUER)
    assert first["scope"] == "openid impersonate"
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("agent"), roles=["auditor"])
    assert refresh(world, first["refresh_token"]).json["scope"] == "openid"


def test_a_scope_that_moved_to_another_resource_is_not_given_for_the_old_one(world: World) -> None:
    first = granted(world, **BOTH)["refresh_token"]
    with world.work() as work:
        work.lock()
        moved = resources.scopes_of(work.session)["cards:write"]
        resources.put_scope(work.session, type(moved)("cards:write", PAYMENTS, "write"), roles=["customer"])
    assert error(refresh(world, first, resource=API, scope="cards:write")) == "invalid_scope"


def test_tokens_end_with_the_session_at_the_latest(world: World) -> None:
    first = granted(world)
    signed_in_until = world.clock.now() + world.wired.settings.accounts.session_seconds
    world.clock.pass_(world.wired.settings.accounts.session_seconds - 60)
    second = refresh(world, first["refresh_token"]).json
    assert second["expires_in"] == 60
    assert claims(second["id_token"])["exp"] == claims(second["access_token"])["exp"] == signed_in_until
    world.clock.pass_(60)
    assert error(refresh(world, second["refresh_token"])) == "invalid_grant"


def test_a_refreshed_id_token_says_the_same_of_the_sign_in(world: World) -> None:
    """OIDC Core §12.2."""
    first = granted(world)
    world.clock.pass_(100)
    second = refresh(world, first["refresh_token"]).json
    old, new = claims(first["id_token"]), claims(second["id_token"])
    for name in ("iss", "sub", "aud", "azp", "auth_time", "acr", "amr", "sid"):
        assert new[name] == old[name]
    assert new["iat"] == old["iat"] + 100
    assert new["at_hash"] != old["at_hash"]
    assert "nonce" not in new
