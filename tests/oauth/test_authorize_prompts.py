"""What a client can ask of the sign-in: `prompt`, `max_age`, `acr_values`, hints (OIDC Core §3.1.2.1, RFC 9470 §4)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.signing_in import BrowserOf, answer_of, new_app, new_client
from tests.world import API, ISSUER, Answer, World, claims

MFA, PASSWORD = "urn:authserver:acr:mfa", "urn:authserver:acr:password"


def asks_to_sign_in(answer: Answer) -> bool:
    return answer.status_code == 303 and answer.headers["Location"].startswith("/login?return_to=")


def go_through(browser: BrowserOf, asked: Answer, who: str = "agent") -> Answer:
    """Sign in as asked, and go back to the request."""
    assert asks_to_sign_in(asked), asked.headers.get("Location")
    return browser.follow(browser.log_in(browser.follow(asked), who))


def identity(browser: BrowserOf, **changes: str) -> dict[str, object]:
    return claims(str(browser.tokens(**changes)["id_token"]))


def test_without_a_page_a_stranger_is_told_to_sign_in(world: World) -> None:
    answer = answer_of(BrowserOf(world).authorize(prompt="none"))
    assert (answer["error"], answer["state"], answer["iss"]) == ("login_required", "a state", ISSUER)


def test_without_a_page_who_is_signed_in_gets_a_code(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in()
    assert "code" in answer_of(browser.authorize(prompt="none"))


def test_without_a_page_who_has_not_consented_is_told_to(world: World) -> None:
    new_client(world, "app")
    browser = BrowserOf(world)
    browser.sign_in("customer")
    assert answer_of(browser.authorize(client_id="app", prompt="none"))["error"] == "consent_required"


@pytest.mark.parametrize("prompt", ["login", "select_account", "login select_account"])
def test_who_is_signed_in_signs_in_again_where_that_is_asked(world: World, prompt: str) -> None:
    browser = BrowserOf(world)
    browser.sign_in()
    world.clock.pass_(60)
    before, cookie = world.clock.now(), browser.cookie()
    asked = browser.authorize(prompt=prompt)
    assert "Confirm it is you" in browser.follow(asked).text
    assert answer_of(go_through(browser, asked))["code"]
    assert browser.cookie() != cookie
    assert identity(browser)["auth_time"] == before
    assert asks_to_sign_in(browser.authorize(prompt=prompt))


def test_coming_back_without_having_signed_in_again_changes_nothing(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in()
    world.clock.pass_(1)
    asked = browser.authorize(prompt="login")
    back = parse_qs(urlsplit(asked.headers["Location"]).query)["return_to"][0]
    assert asks_to_sign_in(browser.get(back))


def test_the_proof_of_having_been_asked_is_for_that_request_alone_and_not_for_long(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in()
    world.clock.pass_(1)
    asked = browser.authorize(prompt="login", state="one")
    marker = parse_qs(parse_qs(urlsplit(asked.headers["Location"]).query)["return_to"][0])["interaction"][-1]
    done = go_through(browser, asked)
    assert answer_of(done)["code"]
    assert asks_to_sign_in(browser.authorize(prompt="login", state="another", interaction=marker))
    kind, at, signature = marker.split(".")
    assert asks_to_sign_in(
        browser.authorize(prompt="login", state="one", interaction=f"{kind}.{int(at) - 1}.{signature}")
    )
    assert asks_to_sign_in(browser.authorize(prompt="login", state="one", interaction=f"{kind}.0.x"))
    assert answer_of(browser.authorize(prompt="login", state="one", interaction=marker))["code"]
    world.clock.pass_(901)
    assert asks_to_sign_in(browser.authorize(prompt="login", state="one", interaction=marker))


def test_an_old_sign_in_is_renewed_for_max_age_and_auth_time_says_when(world: World) -> None:
    """OIDC Core §3.1.2.1, §2: with max_age the ID token carries auth_time."""
    browser = BrowserOf(world)
    browser.sign_in()
    started = world.clock.now()
    world.clock.pass_(100)
    assert identity(browser, max_age="100")["auth_time"] == started
    world.clock.pass_(1)
    assert answer_of(browser.authorize(max_age="100", prompt="none"))["error"] == "login_required"
    assert answer_of(go_through(browser, browser.authorize(max_age="100")))["code"]
    assert identity(browser, max_age="100")["auth_time"] == world.clock.now()


def test_max_age_of_zero_asks_for_a_sign_in_and_is_content_with_it(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in()
    world.clock.pass_(5)
    asked = browser.authorize(max_age="0")
    shown = browser.follow(asked)
    world.clock.pass_(5)
    assert answer_of(browser.follow(browser.log_in(shown)))["code"]


def test_a_person_steps_up_with_their_second_factor(world: World) -> None:
    """RFC 9470 §4."""
    browser = BrowserOf(world)
    browser.sign_in()
    assert identity(browser)["acr"] == PASSWORD
    app = new_app(world)
    assert answer_of(browser.authorize(acr_values=MFA, prompt="none"))["error"] == "login_required"
    asked = browser.authorize(acr_values=MFA)
    second = browser.log_in(browser.follow(asked))
    assert second.headers["Location"] == "/login/factor"
    proved = browser.submit(browser.follow(second), "/login/factor", code=app.at(world.clock.now()))
    assert answer_of(browser.follow(proved))["code"]
    shown = identity(browser, acr_values=MFA, prompt="none")
    assert (shown["acr"], shown["amr"]) == (MFA, ["pwd", "otp", "mfa"])


def test_what_a_person_cannot_do_is_not_asked_again_and_again(world: World) -> None:
    """`unmet_authentication_requirements`, OpenID Connect Core Error Code 1.0."""
    browser = BrowserOf(world)
    for _ in range(2):
        world.clock.pass_(1)
        answer = answer_of(go_through(browser, browser.authorize(acr_values="phr")))
        assert (answer["error"], answer["state"]) == ("unmet_authentication_requirements", "a state")
    assert world.events("request:refused")[-1]["actor"] == world.id("agent")


@pytest.mark.parametrize("acr_values", [PASSWORD, f"{MFA} {PASSWORD}", f"urn:example:unknown {PASSWORD}"])
def test_one_of_the_acr_values_is_enough(world: World, acr_values: str) -> None:
    browser = BrowserOf(world)
    browser.sign_in()
    assert answer_of(browser.authorize(acr_values=acr_values, prompt="none"))["code"]


def test_the_login_hint_is_filled_in(world: World) -> None:
    browser = BrowserOf(world)
    shown = browser.follow(browser.authorize(login_hint='somebody"><b>@example.com'))
    assert 'value="somebody&#34;&gt;&lt;b&gt;@example.com"' in shown.text


def test_a_hint_about_who_is_signed_in_asks_for_nothing(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in()
    hint = browser.tokens()["id_token"]
    assert answer_of(browser.authorize(id_token_hint=hint, prompt="none"))["code"]
    world.clock.pass_(3601)
    browser.get("/account")
    assert answer_of(go_through(browser, browser.authorize(id_token_hint=hint)))["code"]
    assert answer_of(browser.authorize(id_token_hint=hint, prompt="none"))["code"]


def hints(world: World, browser: BrowserOf) -> dict[str, str]:
    """Return hints that are no hints about the agent to `backend`; the browser is the agent's."""
    own = str(browser.tokens()["id_token"])
    s3: dict[str, Any] = {"requested_token_type": "urn:ietf:params:oauth:token-type:id_token", "resource": None}
    new_client(world, "app", first_party=True)
    return {
        "another person's": world.id_token("customer"),
        "another client's": str(browser.tokens("app")["id_token"]),
        "an access token": world.token("agent"),
        "with act": str(world.way_a(**s3).json["access_token"]),
        "altered": own[:-8] + "AAAAAAAA",
        "garbage": "x.y.z",
    }


@pytest.mark.parametrize(
    "which", ["another person's", "another client's", "an access token", "with act", "altered", "garbage"]
)
def test_a_hint_that_does_not_fit_asks_for_a_sign_in_once_and_then_fails(world: World, which: str) -> None:
    """OIDC Core §3.1.2.1: only the person of the hint gets a positive answer."""
    browser = BrowserOf(world)
    browser.sign_in()
    hint = hints(world, browser)[which]
    assert answer_of(browser.authorize(id_token_hint=hint, prompt="none"))["error"] == "login_required"
    world.clock.pass_(1)
    asked = browser.authorize(id_token_hint=hint)
    assert answer_of(go_through(browser, asked))["error"] == "login_required"


def test_another_person_signs_in_for_the_hint_and_the_first_is_out(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in()
    hint = world.id_token("customer")
    world.clock.pass_(1)
    done = go_through(browser, browser.authorize(id_token_hint=hint), "customer")
    assert answer_of(done)["code"]
    assert world.events("session:ended")[-1]["user_id"] == world.id("agent")


def test_a_hint_of_an_impersonation_never_names_its_customer(world: World) -> None:
    """Design section 3: an ID token with `act` is never a hint; not even the customer fits it."""
    browser = BrowserOf(world)
    browser.sign_in("customer")
    hint = world.way_a(resource=None, requested_token_type="urn:ietf:params:oauth:token-type:id_token").json
    assert claims(hint["access_token"])["sub"] == world.id("customer")
    answer = answer_of(browser.authorize(id_token_hint=hint["access_token"], prompt="none"))
    assert answer["error"] == "login_required"


def test_signing_in_goes_on_where_the_request_was(world: World) -> None:
    """Every parameter survives the way through the sign-in page."""
    browser = BrowserOf(world)
    uris = [API, ISSUER]
    done = go_through(browser, browser.authorize(resource=uris, state="å&b", max_age="60"), "customer")
    assert answer_of(done)["state"] == "å&b"
