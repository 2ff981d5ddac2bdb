"""The authorization code grant at `/oauth/token` (RFC 6749 §4.1.3, RFC 7636 §4.5 and §4.6, RFC 8707 §2.2)."""

import base64
import hashlib
import threading
from collections import Counter
from typing import Any

import pytest

from authserver.protocol.names import GRANT_REFRESH_TOKEN
from authserver.storage import authorizations, people
from tests.conftest import MakeWorld
from tests.signing_in import (
    CALLBACK,
    CHALLENGE,
    VERIFIER,
    BrowserOf,
    answer_of,
    change_client,
    new_client,
    redeem,
    refresh,
    token,
)
from tests.world import API, ISSUER, PAYMENTS, Answer, World, claims, error

THREADS = 8


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """A browser in which the customer is signed in."""
    browser = BrowserOf(world)
    browser.sign_in("customer")
    return browser


def test_a_token_response_has_everything_and_is_kept_by_nobody(world: World, browser: BrowserOf) -> None:
    """RFC 6749 §5.1, OIDC Core §3.1.3.3."""
    answer = redeem(world, browser.code())
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token"}
    assert (answer.json["token_type"], answer.json["scope"]) == ("Bearer", "openid accounts:read")
    shown = claims(answer.json["access_token"])
    assert shown["exp"] - shown["iat"] == answer.json["expires_in"]
    assert (shown["client_id"], shown["scope"]) == ("backend", "openid accounts:read")
    assert set(shown["aud"]) == {API, ISSUER}


def test_without_openid_there_is_no_id_token(world: World, browser: BrowserOf) -> None:
    answer = redeem(world, browser.code(scope="accounts:read"))
    assert "id_token" not in answer.json
    assert claims(answer.json["access_token"])["aud"] == API


def test_a_client_without_the_refresh_grant_gets_no_refresh_token(world: World, browser: BrowserOf) -> None:
    change_client(world, grant_types=["authorization_code"])
    code = browser.code()
    assert "refresh_token" not in redeem(world, code).json
    assert error(token(world, {"grant_type": GRANT_REFRESH_TOKEN, "refresh_token": code}, "backend")) == (
        "unauthorized_client"
    )


def test_a_code_serves_once_and_a_replay_kills_what_it_gave(make_world: MakeWorld) -> None:
    """RFC 6749 §4.1.2, RFC 9700 §4.5: refresh tokens, and what came of them, too."""
    world = make_world()
    browser = BrowserOf(world)
    browser.sign_in("customer")
    code = browser.code()
    first = redeem(world, code).json
    second = refresh(world, first["refresh_token"]).json
    assert world.introspect(second["access_token"])["active"]
    assert error(redeem(world, code)) == "invalid_grant"
    assert not world.introspect(first["access_token"])["active"]
    assert not world.introspect(second["access_token"])["active"]
    assert error(refresh(world, second["refresh_token"])) == "invalid_grant"
    assert {event["reason"] for event in world.events("request:refused")} >= {"code.replayed"}


def test_of_eight_at_once_one_gets_the_tokens_and_the_others_are_a_replay(make_world: MakeWorld) -> None:
    world = make_world()
    browser = BrowserOf(world)
    browser.sign_in("customer")
    code, answers, start = browser.code(), list[Answer](), threading.Barrier(THREADS)

    def run() -> None:
        with world.app.app_context():
            start.wait()
            answers.append(redeem(world, code))

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: THREADS - 1}
    won = next(answer.json for answer in answers if answer.status_code == 200)
    assert not world.introspect(won["access_token"])["active"]
    assert error(refresh(world, won["refresh_token"])) == "invalid_grant"


def test_a_code_is_for_its_client_alone(world: World, browser: BrowserOf) -> None:
    new_client(world, "app", first_party=True)
    code = browser.code()
    assert error(redeem(world, code, "app")) == "invalid_grant"
    assert redeem(world, code).status_code == 200


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"redirect_uri": "http://127.0.0.1:4712/callback"}, "invalid_grant"),
        ({"redirect_uri": CALLBACK + "/"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"code_verifier": "b" * 43}, "invalid_grant"),
        ({"code_verifier": CHALLENGE}, "invalid_grant"),
        ({"code_verifier": "a" * 42}, "invalid_request"),
        ({"code_verifier": "a" * 129}, "invalid_request"),
        ({"code_verifier": "a" * 42 + "+"}, "invalid_request"),
        ({"code_verifier": "a" * 43 + "\n"}, "invalid_request"),
        ({"code_verifier": "å" * 43}, "invalid_request"),
        ({"code": None}, "invalid_request"),
        ({"code": "nothing"}, "invalid_grant"),
        ({"code": "x" * 5000}, "invalid_grant"),
        ({"resource": "https://unknown.example.com"}, "invalid_target"),
        ({"resource": PAYMENTS}, "invalid_target"),
        ({"resource": "accounts"}, "invalid_target"),
        ({"audience": PAYMENTS}, "invalid_target"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_request_is_refused_and_the_code_is_still_good(
    world: World, browser: BrowserOf, changes: dict[str, str | None], refused: str
) -> None:
    """RFC 6749 §4.1.3, RFC 7636 §4.1 and §4.6."""
    code = browser.code()
    assert error(redeem(world, code, **changes)) == refused
    assert world.events("request:refused")[-1]["client_id"] == "backend"
    assert redeem(world, code).status_code == 200


@pytest.mark.parametrize("repeated", ["code", "code_verifier", "redirect_uri", "grant_type"])
def test_a_repeated_parameter_is_refused(world: World, browser: BrowserOf, repeated: str) -> None:
    form = {"grant_type": "authorization_code", "code": browser.code()}
    form |= {"redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    assert error(world.post("/oauth/token", [*form.items(), (repeated, form[repeated])])) == "invalid_request"


def test_parameters_in_the_query_do_not_count(world: World, browser: BrowserOf) -> None:
    code = browser.code()
    query = f"?code={code}&code_verifier={VERIFIER}&redirect_uri={CALLBACK}"
    answer = world.post(f"/oauth/token{query}", {"grant_type": "authorization_code"})
    assert error(answer) == "invalid_request"


@pytest.mark.parametrize("verifier", ["-._~" + "a" * 39, "z" * 128])
def test_a_verifier_has_43_to_128_unreserved_characters(world: World, browser: BrowserOf, verifier: str) -> None:
    digest = hashlib.sha256(verifier.encode()).digest()
    code = browser.code(code_challenge=base64.urlsafe_b64encode(digest).rstrip(b"=").decode())
    assert redeem(world, code, code_verifier=verifier).status_code == 200


def test_a_code_lives_for_a_minute(world: World, browser: BrowserOf) -> None:
    """RFC 6749 §4.1.2 allows ten at the most."""
    codes = [browser.code(), browser.code()]
    world.clock.pass_(59)
    assert redeem(world, codes[0]).status_code == 200
    world.clock.pass_(1)
    assert error(redeem(world, codes[1])) == "invalid_grant"


def test_a_code_is_not_stored_as_it_is(world: World, browser: BrowserOf) -> None:
    code = browser.code()
    with world.work() as work:
        assert authorizations.find_code(work.session, code) is None


@pytest.mark.parametrize("gone", ["session", "user"])
def test_a_code_dies_with_the_session_and_the_person(world: World, browser: BrowserOf, gone: str) -> None:
    code = browser.code()
    with world.work() as work:
        work.lock()
        if gone == "user":
            people.set_enabled(work.session, world.id("customer"), enabled=False)
        else:
            world.wired.sessions.end_all(work, world.id("customer"), by=world.id("customer"))
    assert error(redeem(world, code)) == "invalid_grant"


def test_the_scopes_are_cut_by_what_the_person_has_and_the_answer_says_so(world: World) -> None:
    """RFC 6749 §3.3, §5.1."""
    browser = BrowserOf(world)
    browser.sign_in("agent")
    answer = redeem(world, browser.code(scope="openid accounts:read"))
    assert answer.json["scope"] == claims(answer.json["access_token"])["scope"] == "openid"
    assert answer_of(browser.authorize(scope="accounts:read"))["error"] == "invalid_scope"


@pytest.mark.parametrize(("who", "scope"), [("agent", "openid impersonate"), ("customer", "openid")])
def test_impersonate_is_only_for_those_whose_role_has_it(world: World, who: str, scope: str) -> None:
    """Design section 1, S2."""
    browser = BrowserOf(world)
    browser.sign_in(who)
    answer = redeem(world, browser.code(scope="openid impersonate", resource=ISSUER))
    assert answer.json["scope"] == scope
    assert claims(answer.json["access_token"])["aud"] == ISSUER


@pytest.mark.parametrize(
    ("asked", "audience", "granted"),
    [
        ({"scope": "accounts:read"}, API, "accounts:read"),
        ({"resource": API, "scope": "accounts:read"}, API, "accounts:read"),
        ({"resource": [API, API], "scope": "accounts:read"}, API, "accounts:read"),
        ({"resource": [API, PAYMENTS], "scope": "cards:write payments:read"}, [API, PAYMENTS], None),
        ({"resource": PAYMENTS, "scope": "openid payments:read"}, [PAYMENTS, ISSUER], None),
        ({"resource": ISSUER, "scope": "openid email"}, ISSUER, None),
        ({"resource": API, "scope": None}, API, "accounts:read cards:write contacts:write"),
    ],
    ids=str,
)
def test_tokens_are_for_the_resources_that_were_named(
    world: World, browser: BrowserOf, asked: dict[str, Any], audience: str | list[str], granted: str | None
) -> None:
    """RFC 8707 §2."""
    answer = redeem(world, browser.code(**asked))
    assert claims(answer.json["access_token"])["aud"] == audience
    assert answer.json["scope"] == (granted or asked["scope"])


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"resource": "https://unknown.example.com"}, "invalid_target"),
        ({"resource": [API, "https://unknown.example.com"]}, "invalid_target"),
        ({"resource": "/relative"}, "invalid_target"),
        ({"resource": API + "#fragment"}, "invalid_target"),
        ({"resource": API + "/"}, "invalid_target"),
        ({"scope": "payments:read"}, "invalid_scope"),
        ({"resource": PAYMENTS, "scope": "accounts:read"}, "invalid_scope"),
    ],
)
def test_a_resource_that_is_not_registered_exactly_is_refused(
    browser: BrowserOf, changes: dict[str, str], refused: str
) -> None:
    assert answer_of(browser.authorize(**changes))["error"] == refused


def test_a_resource_that_is_not_the_clients_is_refused(world: World, browser: BrowserOf) -> None:
    new_client(world, "app")
    assert answer_of(browser.authorize(client_id="app", resource=PAYMENTS, scope=None))["error"] == "invalid_target"


def test_the_first_access_token_may_be_for_fewer_resources(world: World, browser: BrowserOf) -> None:
    """RFC 8707 §2.2: the refresh token keeps all that was granted."""
    code = browser.code(resource=[API, PAYMENTS], scope="accounts:read payments:read")
    first = redeem(world, code, resource=PAYMENTS).json
    assert claims(first["access_token"])["aud"] == PAYMENTS
    assert first["scope"] == "payments:read"
    assert claims(refresh(world, first["refresh_token"]).json["access_token"])["aud"] == [API, PAYMENTS]


def test_a_nonce_that_cannot_be_kept_is_refused_before_it_is_tried(make_world: MakeWorld) -> None:
    world = make_world()
    browser = BrowserOf(world)
    browser.sign_in("customer")
    nonce = "n" * 512
    assert claims(browser.tokens(nonce=nonce)["id_token"])["nonce"] == nonce
    assert answer_of(browser.authorize(nonce=nonce + "n"))["error"] == "invalid_request"
