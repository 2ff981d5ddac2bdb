"""`/oauth/authorize` (RFC 6749 §4.1, RFC 9700, RFC 9207, OIDC Core §3.1): who is answered, and what is refused."""

import json

import pytest

from authserver.storage import clients
from tests.signing_in import (
    CALLBACK,
    CHALLENGE,
    BrowserOf,
    answer_of,
    change_client,
    new_client,
    query_of,
    redeem,
    stranger_reasons,
)
from tests.world import ISSUER, Answer, World, claims

BAD_URIS = [
    "http://127.0.0.1:4711/callback/",
    "http://127.0.0.1:4711/Callback",
    "http://127.0.0.1:4711/callback?",
    "http://127.0.0.1:4711/callback?next=1",
    "http://127.0.0.1:4711/callback#",
    "http://127.0.0.1:4711/callback#code",
    "http://127.0.0.1:4711/call\nback",
    "http://127.0.0.1:4711/call\tback",
    "http://127.0.0.1:4711/callback\r\nSet-Cookie: a=b",
    " http://127.0.0.1:4711/callback",
    "HTTP://127.0.0.1:4711/callback",
    "https://127.0.0.1:4711/callback",
    "http://localhost:4711/callback",
    "http://127.0.0.2:4711/callback",
    "http://127.1:4711/callback",
    "http://[::1]:4711/callback",
    "http://127.0.0.1.example.net:4711/callback",
    "http://127.0.0.1:4711.example.net/callback",
    "http://127.0.0.1:4711@example.net/callback",
    "http://somebody@127.0.0.1:4711/callback",
    "http://@127.0.0.1:4711/callback",
    "http://127.0.0.1:x/callback",
    "http://127.0.0.1:999999/callback",
    "http://127.0.0.1:4711/x/../callback",
    "http://127.0.0.1:4711/callback%00",
    "//127.0.0.1:4711/callback",
    "/callback",
    "javascript:alert(1)",
    "https://example.net/callback",
    "",
]


def is_error_page(answer: Answer) -> bool:
    """Tell whether the person sees a page, and no application an answer (RFC 6749 §4.1.2.1)."""
    return (
        answer.status_code == 400
        and "Location" not in answer.headers
        and answer.headers["Content-Type"].startswith("text/html")
    )


def test_a_person_signs_in_and_the_application_gets_their_tokens(world: World) -> None:
    browser = BrowserOf(world)
    asked = browser.authorize()
    assert asked.headers["Location"].startswith("/login?")
    signed_in = browser.log_in(browser.follow(asked), "customer")
    answer = answer_of(browser.follow(signed_in))
    assert answer["state"] == "a state"
    assert answer["iss"] == ISSUER
    tokens = redeem(world, answer["code"])
    assert tokens.status_code == 200, tokens.text
    assert claims(tokens.json["access_token"])["sub"] == world.id("customer")
    identity = claims(tokens.json["id_token"])
    assert (identity["nonce"], identity["aud"], identity["sub"]) == ("a nonce", "backend", world.id("customer"))


@pytest.mark.parametrize("uri", BAD_URIS)
def test_a_redirect_uri_that_is_not_registered_exactly_gets_no_answer(world: World, uri: str) -> None:
    """RFC 9700 §2.1, §4.1."""
    browser = BrowserOf(world)
    browser.sign_in()
    assert is_error_page(browser.authorize(redirect_uri=uri))
    assert is_error_page(browser.authorize(redirect_uri=uri, response_type="token"))
    assert set(stranger_reasons(world)) <= {"authorize.redirect_uri", "authorize.client_or_uri_missing"}


@pytest.mark.parametrize(
    ("registered", "asked", "fits"),
    [
        ("http://127.0.0.1/callback", "http://127.0.0.1:1/callback", True),
        ("http://127.0.0.1:80/callback", "http://127.0.0.1:65535/callback", True),
        ("http://[::1]/callback", "http://[::1]:4711/callback", True),
        ("http://[::1]/callback", "http://127.0.0.1:4711/callback", False),
        ("http://localhost/callback", "http://localhost:4711/callback", False),
        ("https://127.0.0.1/callback", "https://127.0.0.1:4711/callback", False),
        ("https://app.example.com/callback", "https://app.example.com/callback", True),
        ("https://app.example.com/callback", "https://app.example.com:443/callback", False),
        ("https://app.example.com/callback", "https://app.example.com:8443/callback", False),
        ("https://app.example.com/callback?a=b", "https://app.example.com/callback?a=b", True),
        ("com.example.app:/callback", "com.example.app:/callback", True),
        ("com.example.app:/callback", "com.example.app:/callback2", False),
    ],
)
def test_only_the_port_of_a_loopback_address_may_vary(world: World, registered: str, asked: str, *, fits: bool) -> None:
    """RFC 8252 §7.3, §8.3; RFC 9700 §2.1."""
    change_client(world, redirect_uris=[registered])
    browser = BrowserOf(world)
    browser.sign_in()
    answer = browser.authorize(redirect_uri=asked)
    if not fits:
        assert is_error_page(answer)
        return
    joint = "&" if "?" in asked else "?"
    assert answer.headers["Location"].startswith(f"{asked}{joint}code=")


@pytest.mark.parametrize(
    "client_id", ["nobody", "", None, "backend\0", "BACKEND", "backend ", ["backend", "backend"], ["backend", "nobody"]]
)
def test_a_client_that_is_not_known_exactly_gets_no_answer(world: World, client_id: str | list[str] | None) -> None:
    assert is_error_page(BrowserOf(world).authorize(client_id=client_id))
    assert set(stranger_reasons(world)) <= {"authorize.client_unknown", "authorize.client_or_uri_missing"}


def test_a_disabled_client_gets_no_answer(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in()
    assert browser.code()
    with world.work() as work:
        work.lock()
        clients.set_enabled(work.session, "backend", enabled=False)
    assert is_error_page(browser.authorize())


@pytest.mark.parametrize("uri", [None, [CALLBACK, CALLBACK]])
def test_a_redirect_uri_is_always_given_and_once(world: World, uri: list[str] | None) -> None:
    assert is_error_page(BrowserOf(world).authorize(redirect_uri=uri))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_type": "none"}, "unsupported_response_type"),
        ({"response_type": "CODE"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "urn:example:1"}, "request_uri_not_supported"),
        ({"request_uri": "https://example.net/request"}, "request_uri_not_supported"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": CHALLENGE[:-1]}, "invalid_request"),
        ({"code_challenge": CHALLENGE + "="}, "invalid_request"),
        ({"code_challenge": CHALLENGE[:-1] + "+"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1.5"}, "invalid_request"),
        ({"max_age": "٣"}, "invalid_request"),
        ({"max_age": "9" * 20}, "invalid_request"),
        ({"nonce": "n" * 5000}, "invalid_request"),
        ({"login_hint": "a\0b"}, "invalid_request"),
        ({"scope": 'accounts:read "quoted"'}, "invalid_scope"),
        ({"scope": "accounts:read nothing:such"}, "invalid_scope"),
        ({"scope": "profile accounts:read"}, "invalid_scope"),
        *(({name: ["code", "code"]}, "invalid_request") for name in ("response_type", "unknown")),
        *(({name: ["a", "a"]}, "invalid_request") for name in ("scope", "nonce", "prompt", "max_age", "acr_values")),
        ({"code_challenge": [CHALLENGE, CHALLENGE]}, "invalid_request"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_a_wrong_request_is_refused_at_the_redirect_uri(world: World, changes: dict[str, str], error: str) -> None:
    """RFC 6749 §3.1, §4.1.2.1; RFC 7636 §4.4.1; OIDC Core §3.1.2.6. RFC 9207 §2: `iss` on errors too."""
    browser = BrowserOf(world)
    browser.sign_in()
    answer = answer_of(browser.authorize(**changes))
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "a state", ISSUER)
    assert "code" not in answer
    refused = world.events("request:refused")[-1]
    assert (refused["endpoint"], refused["error"], refused["client_id"]) == ("oauth.authorize", error, "backend")


def test_parameters_that_are_not_known_or_empty_are_ignored(world: World) -> None:
    """RFC 6749 §3.1: unrecognized parameters are ignored, and those without a value are as if omitted."""
    browser = BrowserOf(world)
    browser.sign_in()
    assert browser.code(
        display="popup", ui_locales="sv", claims="{}", unheard_of="x", prompt="", max_age="", request=""
    )
    assert browser.code(response_mode="query")


@pytest.mark.parametrize("state", ["a&b=c#d?e", "räksmörgås 🦐", "=", "x" * 4000, '"><script>', "%0d%0a", "a\r\nb"])
def test_state_comes_back_as_it_was(world: World, state: str) -> None:
    browser = BrowserOf(world)
    browser.sign_in()
    assert answer_of(browser.authorize(state=state))["state"] == state
    assert answer_of(browser.authorize(state=state, response_type="token"))["state"] == state


def test_without_a_state_there_is_none(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in()
    assert set(answer_of(browser.authorize(state=None))) == {"code", "iss"}
    assert set(answer_of(browser.authorize(state=["a", "b"]))) == {"error", "error_description", "iss"}


def test_a_request_that_is_posted_from_elsewhere_becomes_a_get(world: World) -> None:
    """OIDC Core §3.1.2.1; a cookie with SameSite=Lax comes only with the GET."""
    browser = BrowserOf(world)
    browser.sign_in()
    headers = {"Origin": "https://app.example.com", "Content-Type": "application/x-www-form-urlencoded"}
    stranger = world.app.test_client()
    posted = Answer.of(stranger.post("/oauth/authorize", data=query_of(), headers=headers, base_url=ISSUER))
    assert posted.headers["Location"] == f"/oauth/authorize?{query_of()}"
    assert answer_of(browser.follow(posted))["code"]


@pytest.mark.parametrize(
    "body",
    [b"a=b\r\nLocation: https://example.net", "scope=é".encode(), b"a=b c", b"a" * 9000, b"a=b#c"],
    ids=["newline", "not ascii", "space", "too long", "fragment"],
)
def test_a_posted_request_that_is_no_form_is_refused_on_a_page(world: World, body: bytes) -> None:
    headers = {"Origin": "https://app.example.com", "Content-Type": "application/x-www-form-urlencoded"}
    posted = world.http.post("/oauth/authorize", data=body, headers=headers, base_url=ISSUER)
    assert is_error_page(Answer.of(posted))
    assert stranger_reasons(world)


@pytest.mark.parametrize("query", ["client_id=%ff", "a=" + "b" * 9000, "&".join(f"a{n}=b" for n in range(60))])
def test_a_query_that_cannot_be_read_is_refused_on_a_page(world: World, query: str) -> None:
    assert is_error_page(BrowserOf(world).get(f"/oauth/authorize?{query}"))
    assert stranger_reasons(world)


def test_a_client_without_the_code_grant_gets_no_code(world: World) -> None:
    new_client(world, "app", grant_types=["refresh_token"])
    assert answer_of(BrowserOf(world).authorize(client_id="app"))["error"] == "unauthorized_client"


def test_the_metadata_is_true(world: World) -> None:
    """RFC 8414 §2, OIDC Discovery §3, RFC 9207 §3."""
    told = world.http.get("/.well-known/openid-configuration", base_url=ISSUER).get_json()
    assert told == world.http.get("/.well-known/oauth-authorization-server", base_url=ISSUER).get_json()
    assert told["issuer"] == ISSUER
    assert told["authorization_endpoint"] == f"{ISSUER}/oauth/authorize"
    assert told["userinfo_endpoint"] == f"{ISSUER}/oauth/userinfo"
    assert told["end_session_endpoint"] == f"{ISSUER}/oauth/logout"
    assert told["response_types_supported"] == ["code"]
    assert told["response_modes_supported"] == ["query"]
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["request_uri_parameter_supported"] is told["request_parameter_supported"] is False
    assert {"openid", "profile", "email", "offline_access", "accounts:read"} <= set(told["scopes_supported"])
    assert {"authorization_code", "refresh_token"} <= set(told["grant_types_supported"])
    assert not {"implicit", "password"} & set(told["grant_types_supported"])
    assert "none" in told["token_endpoint_auth_methods_supported"]
    assert "none" in told["revocation_endpoint_auth_methods_supported"]
    assert "none" not in told["introspection_endpoint_auth_methods_supported"]
    assert told["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]
    assert {"none", "login", "consent", "select_account"} == set(told["prompt_values_supported"])
