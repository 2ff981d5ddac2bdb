"""`/oauth/userinfo` (OIDC Core §5.3, RFC 6750)."""

from typing import Any

import pytest

from authserver.storage import people
from tests.signing_in import BrowserOf
from tests.world import API, ISSUER, Answer, World, claims


def ask(world: World, token: str | None, method: str = "GET", **more: Any) -> Answer:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return Answer.of(world.http.open("/oauth/userinfo", method=method, headers=headers, base_url=ISSUER, **more))


def access(world: World, scope: str = "openid", who: str = "customer", **changes: Any) -> str:
    browser = BrowserOf(world)
    browser.sign_in(who)
    return str(browser.tokens(scope=scope, **changes)["access_token"])


PROFILE = {"sub", "name", "preferred_username", "locale", "zoneinfo"}


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("openid", {"sub"}),
        ("openid profile", PROFILE),
        ("openid email", {"sub", "email", "email_verified"}),
        ("openid profile email accounts:read", PROFILE | {"email", "email_verified"}),
    ],
)
def test_the_claims_are_those_of_the_scopes(world: World, scope: str, names: set[str]) -> None:
    """OIDC Core §5.4."""
    answer = ask(world, access(world, scope))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.json) == names
    assert answer.json["sub"] == world.id("customer")
    assert answer.json.get("email", "customer@example.com") == "customer@example.com"


def test_language_and_time_zone_are_told_where_they_are_known(world: World) -> None:
    """OIDC Core §5.1: `locale` and `zoneinfo`; what is not known is left out."""
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("customer"), locale="", time_zone="Europe/Oslo")
    told = ask(world, access(world, "openid profile email")).json
    assert (told["zoneinfo"], "locale" in told) == ("Europe/Oslo", False)
    assert told["email_verified"] is True


def test_the_subject_is_the_id_tokens(world: World) -> None:
    """OIDC Core §5.3.2: the two have to match exactly."""
    browser = BrowserOf(world)
    browser.sign_in("customer")
    tokens = browser.tokens()
    assert ask(world, tokens["access_token"]).json["sub"] == claims(tokens["id_token"])["sub"]


def test_it_is_asked_by_get_and_by_post(world: World) -> None:
    """OIDC Core §5.3.1."""
    token = access(world)
    assert ask(world, token).json == ask(world, token, "POST").json


def test_a_token_is_taken_from_the_header_alone(world: World) -> None:
    """RFC 9700 §4.3.2: no token in a query string."""
    token = access(world)
    assert ask(world, None, query_string={"access_token": token}).status_code == 401
    assert ask(world, None, "POST", data={"access_token": token}).status_code == 401


@pytest.mark.parametrize("which", ["none", "id token", "garbage", "a client's", "for an API", "refresh token"])
def test_what_is_no_living_access_token_of_a_person_for_us_is_refused(world: World, which: str) -> None:
    """RFC 6750 §3.1."""
    browser = BrowserOf(world)
    browser.sign_in("customer")
    tokens = browser.tokens()
    token = {
        "none": None,
        "id token": tokens["id_token"],
        "garbage": "x.y.z",
        "a client's": world.client_token(),
        "for an API": browser.tokens(scope="accounts:read", resource=API)["access_token"],
        "refresh token": tokens["refresh_token"],
    }[which]
    answer = ask(world, token)
    assert answer.status_code in {401, 403}
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert "sub" not in answer.json


def test_a_token_without_openid_is_not_enough(world: World) -> None:
    token = access(world, "impersonate", "agent", resource=ISSUER)
    answer = ask(world, token)
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    refused = world.events("request:refused")[-1]
    assert (refused["actor"], refused["reason"]) == (world.id("agent"), "userinfo.without_openid")


def test_an_impersonators_token_learns_nothing_of_the_customer(world: World) -> None:
    """Design section 2: a token with `act` is refused."""
    answer = ask(world, world.way_a().json["access_token"])
    assert answer.status_code == 403
    assert world.events("request:refused")[-1]["actor"] == world.id("agent")


@pytest.mark.parametrize("gone", ["token", "session", "user", "time"])
def test_a_dead_token_tells_nothing(world: World, gone: str) -> None:
    token = access(world)
    assert ask(world, token).status_code == 200
    if gone == "token":
        world.post("/oauth/revoke", {"token": token})
    elif gone == "time":
        world.clock.pass_(3600)
    else:
        with world.work() as work:
            work.lock()
            if gone == "user":
                people.set_enabled(work.session, world.id("customer"), enabled=False)
            else:
                world.wired.sessions.end_all(work, world.id("customer"), by="test")
    answer = ask(world, token)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
