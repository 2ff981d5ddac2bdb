"""The consent to a third-party client (OIDC Core §3.1.2.4): shown once, for what is asked, and the person's alone."""

import pytest

from authserver.storage import authorizations, clients
from tests.conftest import MakeWorld
from tests.signing_in import CALLBACK, BrowserOf, answer_of, hidden, new_client
from tests.world import ISSUER, Answer, World, claims

APP = {"client_id": "app"}


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """The customer's browser, in a world with a third-party client `app`."""
    new_client(world, "app", name="<b>Budget</b> app", redirect_uris=["http://127.0.0.1/callback"])
    browser = BrowserOf(world)
    browser.sign_in("customer")
    return browser


def is_asked(answer: Answer) -> bool:
    return answer.status_code == 200 and 'value="allow"' in answer.text


def decide(browser: BrowserOf, shown: Answer, decision: str = "allow", **changes: str) -> Answer:
    assert is_asked(shown), shown.text
    answer = browser.submit(shown, "/oauth/consent", decision=decision, **changes)
    return browser.follow(answer) if answer.headers.get("Location", "").startswith("/") else answer


def test_a_person_is_asked_once_and_sees_who_asks_for_what(world: World, browser: BrowserOf) -> None:
    shown = browser.authorize(**APP)
    assert "&lt;b&gt;Budget&lt;/b&gt; app" in shown.text
    assert "Know that it is you" in shown.text
    assert "See your accounts, their balances and transactions" in shown.text
    assert '<span class="quiet">at Accounts</span>' in shown.text
    seen = shown.text.split('type="hidden"')[0]
    assert not any(raw in seen for raw in ("<code>", "accounts:read", "https://api.example.com")), "words, and no names"
    answer = answer_of(decide(browser, shown))
    assert (answer["state"], answer["iss"]) == ("a state", ISSUER)
    assert claims(browser.tokens("app")["id_token"])["aud"] == "app"
    assert not is_asked(browser.authorize(**APP, scope="openid"))
    assert answer_of(browser.authorize(**APP, prompt="none"))["code"]
    assert world.credentials["clients"]["app"]["client_secret"] not in shown.text


def test_the_consent_is_kept_on_each_database(make_world: MakeWorld) -> None:
    world = make_world()
    new_client(world, "app")
    browser = BrowserOf(world)
    browser.sign_in("customer")
    decide(browser, browser.authorize(**APP, scope="openid"))
    decide(browser, browser.authorize(**APP, scope="accounts:read"))
    with world.work() as work:
        assert authorizations.granted(work.session, world.id("customer"), "app") == {"openid", "accounts:read"}


def test_who_says_no_sends_access_denied(world: World, browser: BrowserOf) -> None:
    """RFC 6749 §4.1.2.1."""
    answer = answer_of(decide(browser, browser.authorize(**APP), "deny"))
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", "a state", ISSUER)
    assert "code" not in answer
    assert is_asked(browser.authorize(**APP))
    refused = world.events("request:refused")[-1]
    assert (refused["actor"], refused["client_id"]) == (world.id("customer"), "app")
    assert (refused["error"], refused["reason"]) == ("access_denied", "consent.denied")


@pytest.mark.parametrize("decision", ["", "ALLOW", "yes", "deny"])
def test_anything_but_allow_is_a_no(browser: BrowserOf, decision: str) -> None:
    assert answer_of(decide(browser, browser.authorize(**APP), decision))["error"] == "access_denied"


def test_more_scopes_are_asked_for_again(browser: BrowserOf) -> None:
    decide(browser, browser.authorize(**APP, scope="openid"))
    shown = browser.authorize(**APP, scope="openid cards:write")
    assert "Block and unblock your cards" in shown.text
    assert answer_of(decide(browser, shown))["code"]
    assert not is_asked(browser.authorize(**APP, scope="openid cards:write"))
    assert is_asked(browser.authorize(**APP, scope="openid accounts:read cards:write"))


@pytest.mark.parametrize("client", ["app", "backend"])
def test_a_client_can_have_the_person_asked_again(browser: BrowserOf, client: str) -> None:
    """OIDC Core §3.1.2.1, `prompt=consent`: also where it would not be needed."""
    if client == "app":
        decide(browser, browser.authorize(**APP))
    asked = {"client_id": client, "prompt": "consent"}
    assert answer_of(decide(browser, browser.authorize(**asked)))["code"]
    assert answer_of(decide(browser, browser.authorize(**asked), "deny"))["error"] == "access_denied"
    assert is_asked(browser.authorize(**asked))


def test_login_and_consent_are_asked_one_after_the_other(world: World, browser: BrowserOf) -> None:
    world.clock.pass_(1)
    asked = browser.authorize(**APP, prompt="login consent")
    shown = browser.follow(browser.log_in(browser.follow(asked), "customer"))
    assert answer_of(decide(browser, shown))["code"]


def test_the_proof_of_a_consent_is_for_its_session_alone(world: World, browser: BrowserOf) -> None:
    decide(browser, browser.authorize(**APP))
    decided = browser.submit(browser.authorize(**APP, prompt="consent"), "/oauth/consent", decision="allow")
    other = BrowserOf(world)
    other.sign_in("customer")
    assert is_asked(other.follow(decided))
    assert answer_of(browser.follow(decided))["code"]


def test_one_persons_consent_is_not_anothers(world: World, browser: BrowserOf) -> None:
    decide(browser, browser.authorize(**APP))
    other = BrowserOf(world)
    other.sign_in("vip")
    assert is_asked(other.authorize(**APP))


def test_what_a_person_does_not_have_is_not_asked(world: World, browser: BrowserOf) -> None:
    del browser
    agent = BrowserOf(world)
    agent.sign_in()
    shown = agent.authorize(**APP)
    assert is_asked(shown)
    assert "See your accounts" not in shown.text
    assert "accounts:read" not in shown.text.split('type="hidden"')[0]


@pytest.mark.parametrize(
    ("csrf", "origin"), [("", ISSUER), ("wrong", ISSUER), ("another's", ISSUER), (None, "https://example.net")]
)
def test_nobody_else_can_consent(world: World, browser: BrowserOf, csrf: str | None, origin: str) -> None:
    form = hidden(browser.authorize(**APP)) | {"decision": "allow"}
    if csrf == "another's":
        attacker = BrowserOf(world)
        attacker.sign_in("vip")
        csrf = hidden(attacker.authorize(**APP))["csrf"]
    changed = {} if csrf is None else {"csrf": csrf}
    answer = browser.post("/oauth/consent", origin, **{**form, **changed})
    assert answer.status_code == 403
    assert "Location" not in answer.headers
    assert is_asked(browser.authorize(**APP))


def test_a_consent_without_a_session_is_refused_on_a_page(world: World, browser: BrowserOf) -> None:
    form = hidden(browser.authorize(**APP)) | {"decision": "allow"}
    answer = BrowserOf(world).post("/oauth/consent", **form)
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


@pytest.mark.parametrize(
    "query", ["", "client_id=app", "client_id=app&redirect_uri=https://example.net/", "client_id=nobody&redirect_uri=x"]
)
def test_a_consent_to_an_altered_request_leads_nowhere(browser: BrowserOf, query: str) -> None:
    shown = browser.authorize(**APP)
    answer = browser.submit(shown, "/oauth/consent", decision="allow", query=query)
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_a_client_that_was_disabled_meanwhile_gets_no_consent(world: World, browser: BrowserOf) -> None:
    shown = browser.authorize(**APP)
    with world.work() as work:
        work.lock()
        clients.set_enabled(work.session, "app", enabled=False)
    assert browser.submit(shown, "/oauth/consent", decision="allow").status_code == 400


@pytest.mark.parametrize(
    ("uri", "leads_to"),
    [
        (CALLBACK, "http://127.0.0.1:4711"),
        ("https://app.example.com/callback?a=b", "https://app.example.com"),
        ("com.example.app:/callback", "com.example.app:"),
    ],
)
def test_the_form_may_lead_to_the_application_and_nowhere_else(
    world: World, browser: BrowserOf, uri: str, leads_to: str
) -> None:
    """CSP level 3 §6.4.1: browsers hold `form-action` against the redirects of a form's answer too."""
    new_client(world, "app3", redirect_uris=["http://127.0.0.1/callback", uri])
    shown = browser.authorize(client_id="app3", redirect_uri=uri)
    assert f"form-action 'self' {leads_to};" in shown.headers["Content-Security-Policy"]


def test_a_consent_that_is_taken_back_kills_what_it_gave(world: World, browser: BrowserOf) -> None:
    decide(browser, browser.authorize(**APP))
    token = browser.tokens("app")["access_token"]
    assert world.introspect(token)["active"]
    account = browser.get("/account/permissions")
    taken = browser.submit(account, "/account/applications/app/withdraw")
    assert (taken.status_code, taken.headers["Location"]) == (303, "/account/permissions?done=withdrawn")
    assert world.introspect(token) == {"active": False}
    assert is_asked(browser.authorize(client_id="app"))
    assert browser.submit(account, "/account/applications/app/withdraw").status_code == 404
