"""`/oauth/logout` (OpenID Connect RP-Initiated Logout 1.0)."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from authserver.protocol.names import TYPE_ID_TOKEN
from tests.signing_in import BrowserOf, change_client, hidden, new_client, refresh, stranger_reasons
from tests.world import ISSUER, Answer, World, claims, error

AFTER = "http://127.0.0.1/signed-out"


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """A browser in which an agent is signed in."""
    browser = BrowserOf(world)
    browser.sign_in()
    return browser


def is_out(browser: BrowserOf) -> bool:
    return browser.get("/account").headers.get("Location", "").startswith("/login")


def test_a_hint_of_this_session_ends_it_and_the_person_goes_where_the_client_registered(
    world: World, browser: BrowserOf
) -> None:
    """§2, §3."""
    tokens = browser.tokens()
    answer = browser.get(
        "/oauth/logout", id_token_hint=tokens["id_token"], post_logout_redirect_uri=AFTER, state="a&b=c"
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{AFTER}?{urlencode({'state': 'a&b=c'})}")
    assert browser.cookie() is None
    assert is_out(browser)
    ended = world.events("session:ended")[-1]
    assert (ended["session_id"], ended["by"]) == (claims(tokens["id_token"])["sid"], world.id("agent"))


def test_everything_of_the_session_is_dead_at_once(world: World, browser: BrowserOf) -> None:
    """Design section 4: the actor's logout ends what they impersonate."""
    tokens = browser.tokens(scope="openid impersonate", resource=ISSUER)
    impersonating = world.way_a(actor_token=tokens["access_token"]).json
    assert world.introspect(impersonating["access_token"])["active"]
    assert world.introspect(tokens["access_token"], "backend")["active"]
    browser.get("/oauth/logout", id_token_hint=tokens["id_token"])
    assert world.introspect(impersonating["access_token"]) == {"active": False}
    assert world.introspect(tokens["access_token"], "backend") == {"active": False}
    assert error(refresh(world, tokens["refresh_token"])) == "invalid_grant"
    assert error(world.way_c(impersonating["impersonation"])) == "access_denied"
    ended = world.events("impersonation:ended", impersonating["impersonation_id"])[-1]
    assert (ended["end_reason"], ended["ended_by"]) == ("signed_out", world.id("agent"))


def test_another_sessions_tokens_go_on(world: World, browser: BrowserOf) -> None:
    other = BrowserOf(world)
    other.sign_in()
    kept = other.tokens(scope="openid impersonate", resource=ISSUER)
    browser.get("/oauth/logout", id_token_hint=browser.tokens()["id_token"])
    assert is_out(browser)
    assert not is_out(other)
    assert world.introspect(kept["access_token"], "backend")["active"]


def test_an_expired_hint_is_a_hint(world: World, browser: BrowserOf) -> None:
    """§2: the ID token may have expired."""
    hint = browser.tokens()["id_token"]
    world.clock.pass_(3000)
    browser.get("/account")
    world.clock.pass_(1000)
    assert browser.get("/oauth/logout", id_token_hint=hint, post_logout_redirect_uri=AFTER).headers["Location"] == AFTER
    assert is_out(browser)


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.net/",
        AFTER + "/",
        AFTER + "?a=b",
        AFTER + "#a",
        "http://127.0.0.1:4711/signed-out",
        "HTTP://127.0.0.1/signed-out",
        "javascript:alert(1)",
        "//example.net",
        "",
    ],
)
def test_a_uri_that_is_not_registered_exactly_is_not_followed(browser: BrowserOf, uri: str) -> None:
    """§3: the session ends all the same."""
    answer = browser.get(
        "/oauth/logout", id_token_hint=browser.tokens()["id_token"], post_logout_redirect_uri=uri, state="a"
    )
    assert answer.status_code == 200
    assert "You are signed out" in answer.text
    assert "example.net" not in answer.text
    assert is_out(browser)


def test_another_clients_uri_is_not_followed(world: World, browser: BrowserOf) -> None:
    new_client(world, "app", post_logout_redirect_uris=["https://app.example.com/"])
    hint = browser.tokens()["id_token"]
    answer = browser.get("/oauth/logout", id_token_hint=hint, post_logout_redirect_uri="https://app.example.com/")
    assert "You are signed out" in answer.text


def test_a_registered_uri_with_a_query_keeps_it(world: World, browser: BrowserOf) -> None:
    change_client(world, post_logout_redirect_uris=["https://app.example.com/?a=b"])
    answer = browser.get(
        "/oauth/logout",
        id_token_hint=browser.tokens()["id_token"],
        post_logout_redirect_uri="https://app.example.com/?a=b",
        state="c",
    )
    assert answer.headers["Location"] == "https://app.example.com/?a=b&state=c"


def asked(browser: BrowserOf, **query: Any) -> Answer:
    """Return the page that asks the person, who is still signed in."""
    answer = browser.get("/oauth/logout", **query)
    assert answer.status_code == 200
    assert "Sign out?" in answer.text
    assert not is_out(browser)
    return answer


def test_without_a_hint_the_person_is_asked(world: World, browser: BrowserOf) -> None:
    """§2: otherwise anybody's link could sign people out."""
    shown = asked(browser, post_logout_redirect_uri=AFTER, client_id="backend")
    answer = browser.submit(shown, "/oauth/logout/confirm")
    assert "You are signed out" in answer.text
    assert is_out(browser)
    assert world.events("session:ended")


@pytest.mark.parametrize("which", ["another session's", "another person's", "another client named", "act", "garbage"])
def test_with_a_hint_that_does_not_fit_the_person_is_asked(world: World, browser: BrowserOf, which: str) -> None:
    query = {"id_token_hint": world.id_token("agent")}
    if which == "another person's":
        query = {"id_token_hint": world.id_token("customer")}
    elif which == "another client named":
        query = {"id_token_hint": browser.tokens()["id_token"], "client_id": "other-backend"}
    elif which == "garbage":
        query = {"id_token_hint": "x.y.z"}
    elif which == "act":
        asked_for: dict[str, Any] = {"requested_token_type": TYPE_ID_TOKEN, "resource": None}
        query = {"id_token_hint": world.way_a(**asked_for).json["access_token"]}
    asked(browser, post_logout_redirect_uri=AFTER, **query)


def test_the_person_who_confirms_goes_where_the_client_registered(world: World, browser: BrowserOf) -> None:
    shown = asked(browser, id_token_hint=world.id_token("agent"), post_logout_redirect_uri=AFTER, state="s")
    answer = browser.submit(shown, "/oauth/logout/confirm")
    assert answer.headers["Location"] == f"{AFTER}?state=s"
    assert is_out(browser)


def test_a_target_that_is_not_ours_is_not_followed(world: World, browser: BrowserOf) -> None:
    shown = asked(browser, id_token_hint=world.id_token("agent"), post_logout_redirect_uri=AFTER)
    assert hidden(shown)["proof"]
    answer = browser.submit(shown, "/oauth/logout/confirm", target="https://example.net/")
    assert answer.status_code == 200
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("csrf", "origin"), [("", ISSUER), ("x", ISSUER), (None, "https://example.net"), (None, "null")]
)
def test_only_our_own_form_signs_a_person_out(world: World, browser: BrowserOf, csrf: str | None, origin: str) -> None:
    shown = asked(browser)
    form = {**hidden(shown), **({} if csrf is None else {"csrf": csrf})}
    assert browser.post("/oauth/logout/confirm", origin, **form).status_code == 403
    assert not is_out(browser)
    assert stranger_reasons(world) == ({"csrf.token"} if origin == ISSUER else {"request.origin"})


def test_who_is_not_signed_in_is_signed_out(world: World) -> None:
    stranger = BrowserOf(world)
    assert "You are signed out" in stranger.get("/oauth/logout").text
    query = {"id_token_hint": world.id_token("agent"), "post_logout_redirect_uri": AFTER}
    assert stranger.get("/oauth/logout", **query).headers["Location"] == AFTER
    assert world.introspect(world.token("agent"))["active"]


def test_a_logout_is_also_posted_from_the_clients_page(browser: BrowserOf) -> None:
    """§2: GET and POST; a cookie with SameSite=Lax does not come with a POST from elsewhere, so it becomes a GET."""
    form = {"id_token_hint": browser.tokens()["id_token"], "post_logout_redirect_uri": AFTER, "state": "s"}
    posted = browser.post("/oauth/logout", "https://app.example.com", **form)
    path, _, query = posted.headers["Location"].partition("?")
    assert (posted.status_code, path, dict(parse_qsl(query))) == (303, "/oauth/logout", form)
    assert browser.follow(posted).headers["Location"] == f"{AFTER}?state=s"
    assert is_out(browser)


def test_the_page_of_a_logout_cannot_be_framed_and_its_form_may_lead_to_the_target(
    world: World, browser: BrowserOf
) -> None:
    shown = asked(browser, id_token_hint=world.id_token("agent"), post_logout_redirect_uri=AFTER)
    policy = shown.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://127.0.0.1;" in policy
