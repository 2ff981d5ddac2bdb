"""`/account`, and what holds for every page: form proof, fresh sign-in, a strict policy, no secret in the HTML."""

import re
from html.parser import HTMLParser

import pyotp
import pytest

from tests.conftest import MakeWorld
from tests.signing_in import BrowserOf, answer_of, hidden, new_app, new_client, stranger_reasons
from tests.world import Answer, World

CHANGES = ["/account/totp", "/account/totp/confirm", "/account/totp/remove", "/account/recovery-codes"]
PASSKEY = "/account/passkeys/remove"
SESSIONS = ["/account/sessions/end-others", "/account/sessions/ses_x/end"]


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """A browser in which an agent has just signed in."""
    browser = BrowserOf(world)
    browser.sign_in()
    return browser


def sessions(shown: Answer) -> list[str]:
    return re.findall(r'action="/account/sessions/(ses_\w+)/end"', shown.text)


def secret_of(shown: Answer) -> str:
    found = re.search(r"type this key: <code>([A-Z2-7 ]+)</code>", shown.text)
    assert found
    return found.group(1).replace(" ", "")


def test_who_is_not_signed_in_signs_in_first(world: World) -> None:
    browser = BrowserOf(world)
    answer = browser.get("/account")
    assert answer.headers["Location"] == "/login?return_to=/account"
    assert browser.follow(browser.log_in(browser.follow(answer))).status_code == 200


def test_an_authenticator_app_is_set_up_used_and_removed(world: World, browser: BrowserOf) -> None:
    shown = browser.submit(browser.get("/account"), "/account/totp")
    app = pyotp.TOTP(secret_of(shown))
    assert 'src="data:image/svg+xml' in shown.text
    wrong = browser.submit(shown, "/account/totp/confirm", code="000000")
    assert wrong.status_code == 400
    assert secret_of(wrong) == app.secret
    assert "Off" in browser.get("/account").text
    confirmed = browser.submit(wrong, "/account/totp/confirm", code=app.at(world.clock.now()))
    assert confirmed.headers["Location"] == "/account"
    assert "On" in browser.get("/account").text
    assert app.secret not in browser.get("/account").text
    assert browser.submit(browser.get("/account"), "/account/totp").status_code == 400
    assert BrowserOf(world).sign_in().headers["Location"] == "/login/factor"
    assert browser.submit(browser.get("/account"), "/account/totp/remove").status_code == 303
    assert BrowserOf(world).sign_in().headers["Location"] == "/account"
    changed = [(event["kind"], event["action"], event["by"]) for event in world.events("credential:changed")]
    assert changed[-2:] == [("totp", "added", world.id("agent")), ("totp", "removed", world.id("agent"))]


def test_nothing_is_confirmed_that_was_not_begun(browser: BrowserOf) -> None:
    answer = browser.submit(browser.get("/account"), "/account/totp/confirm", code="000000")
    assert (answer.status_code, "could not be added" in answer.text) == (400, True)


def test_recovery_codes_are_shown_once_and_new_ones_void_the_old(world: World, browser: BrowserOf) -> None:
    pages = [browser.submit(browser.get("/account"), "/account/recovery-codes") for _ in range(2)]
    old, new = (re.findall(r"<code>([0-9A-Z-]{14})</code>", shown.text) for shown in pages)
    assert len({*old, *new}) == 20
    assert "10 left" in browser.get("/account").text
    assert not any(code in browser.get("/account").text for code in new)
    new_app(world)
    for code, status in ((old[0], 400), (new[0], 303), (new[0], 400)):
        other = BrowserOf(world)
        assert other.submit(other.follow(other.sign_in()), "/login/factor", code=code).status_code == status
    assert "9 left" in browser.get("/account").text


def test_sessions_are_listed_and_ended_by_their_owner(world: World, browser: BrowserOf) -> None:
    other = BrowserOf(world)
    other.sign_in()
    token = other.tokens()["access_token"]
    shown = browser.get("/account")
    assert shown.text.count("This browser") == 1
    theirs = next(found for found in sessions(shown) if found in str(world.events("session:started")[-1]))
    assert browser.submit(shown, f"/account/sessions/{theirs}/end").headers["Location"] == "/account"
    assert other.get("/account").status_code == 303
    assert browser.get("/account").status_code == 200
    assert world.introspect(token, "backend") == {"active": False}
    assert world.events("session:ended")[-1]["session_id"] == theirs


def test_a_session_is_told_by_its_browser_and_its_time(world: World) -> None:
    hostile = "<script>alert(1)</script> Mozilla/5.0 (iPhone) Version/18.6 Safari/604.1"
    browser = BrowserOf(world)
    browser.http.environ_base["HTTP_USER_AGENT"] = hostile
    browser.sign_in()
    shown = browser.get("/account").text
    assert "<strong>Safari on iPhone</strong>" in shown
    assert 'datetime="2027-01-15T08:00:00Z" title="2027-01-15 08:00:00 UTC">15 January 2027, 08:00 UTC</time>' in shown
    assert "alert(1)" not in shown


def test_where_passkeys_cannot_be_had_the_page_says_why(make_sqlite_world: MakeWorld) -> None:
    """A relying party is never an address (WebAuthn §5.1.2)."""
    for issuer, offered in (("http://127.0.0.1:9000", False), ("https://login.example.com", True)):
        browser = BrowserOf(make_sqlite_world(server={"issuer": issuer}))
        browser.sign_in()
        shown = browser.get("/account").text
        assert ("Add a passkey" in shown) == offered
        assert ("Passkeys are not offered here" in shown) != offered


def test_one_signs_out_everywhere_else(world: World, browser: BrowserOf) -> None:
    others = [BrowserOf(world), BrowserOf(world)]
    for other in others:
        other.sign_in()
    browser.submit(browser.get("/account"), "/account/sessions/end-others")
    assert [other.get("/account").status_code for other in others] == [303, 303]
    assert len(sessions(browser.get("/account"))) == 1
    assert not world.introspect(world.token("agent"))["active"]


@pytest.mark.parametrize("whose", ["another person's", "nobody's", "an ended one"])
def test_what_is_not_ones_own_living_session_is_not_found(world: World, browser: BrowserOf, whose: str) -> None:
    """Design section 2: not one's own is 404, and looks like nothing at all."""
    other = BrowserOf(world)
    other.sign_in("customer")
    target = sessions(other.get("/account/sign-in"))[0]
    if whose == "nobody's":
        target = "ses_x"
    elif whose == "an ended one":
        ended = BrowserOf(world)
        ended.sign_in()
        target = world.events("session:started")[-1]["session_id"]
        ended.submit(ended.get("/logout"), "/logout")
    answer = browser.submit(browser.get("/account"), f"/account/sessions/{target}/end")
    assert (answer.status_code, "There is no such resource" in answer.text) == (404, True)
    assert other.get("/account").status_code == 200
    assert not set(sessions(browser.get("/account"))) & set(sessions(other.get("/account/sign-in")))
    refused = world.events("request:refused")[-1]
    assert (refused["actor"], refused["reason"]) == (world.id("agent"), "session.unknown")


@pytest.mark.parametrize("path", [*CHANGES, PASSKEY, *SESSIONS, "/logout"])
@pytest.mark.parametrize(
    ("csrf", "origin"), [("", None), ("wrong", None), ("login's", None), (None, "https://example.net"), (None, "null")]
)
def test_only_our_own_form_changes_anything(
    world: World, browser: BrowserOf, path: str, csrf: str | None, origin: str | None
) -> None:
    form = hidden(browser.get("/account"))
    if csrf is not None:
        form["csrf"] = hidden(browser.get("/login"))["csrf"] if csrf == "login's" else csrf
    answer = browser.post(path, origin, **form)
    assert answer.status_code == 403
    assert browser.get("/account").status_code == 200
    if csrf is not None:
        refused = world.events("request:refused")[-1]
        assert (refused["reason"], refused["actor"]) == ("csrf.token", world.id("agent"))
        assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", [*CHANGES, PASSKEY, *SESSIONS, "/logout", "/oauth/consent", "/oauth/logout/confirm"])
def test_without_a_session_nothing_changes(world: World, path: str) -> None:
    answer = BrowserOf(world).post(path, csrf="x")
    assert (answer.status_code, "not signed in" in answer.text) == (400, True)
    assert stranger_reasons(world) == {"session.none"}


@pytest.mark.parametrize("path", [*CHANGES, PASSKEY])
def test_what_changes_how_one_signs_in_wants_a_fresh_sign_in(world: World, browser: BrowserOf, path: str) -> None:
    world.clock.pass_(301)
    answer = browser.submit(browser.get("/account"), path)
    assert (answer.status_code, answer.headers.get("Location")) == (303, "/login?return_to=/account")
    assert world.events("credential:changed")[-1]["by"] == "demo"
    assert browser.submit(browser.get("/account"), "/account/sessions/end-others").headers["Location"] == "/account"


def test_a_token_is_no_way_in(world: World) -> None:
    """Only a browser's session is, and a token with `act` least of all (design section 2)."""
    for token in (world.token("customer"), world.way_a().json["access_token"]):
        assert world.api("GET", "/account", token=token).status_code == 403
        assert world.api("POST", "/account/totp", token=token).status_code == 403


class _Scan(HTMLParser):
    """Collects what a strict policy forbids in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self._in = tag if tag in {"script", "style"} else None
        if tag == "style" or "style" in named or any(name.startswith("on") for name in named):
            self.found.append(tag)
        links = [named.get(name) or "" for name in ("src", "href", "action")]
        self.found += [link for link in links if re.match(r"(?!data:)([a-z]+:|//)", link)]

    def handle_data(self, data: str) -> None:
        if self._in and data.strip():
            self.found.append(data)

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._in = None


def every_page(world: World) -> dict[str, Answer]:
    """Return each page that a person can come to."""
    new_client(world, "app")
    browser, stranger = BrowserOf(world), BrowserOf(world)
    shown = stranger.get("/login")
    pages = {
        "login": shown,
        "login refused": stranger.submit(shown, "/login", username="a", password="b"),
        "factor": stranger.get("/login/factor"),
        "form refused": stranger.post("/login", csrf="x"),
        "signed out": stranger.get("/oauth/logout"),
        "error": stranger.get("/oauth/authorize"),
        "interaction": stranger.get("/interactions/imp_x"),
    }
    browser.sign_in("customer")
    pages["account"] = browser.get("/account")
    return pages | {
        "consent": browser.authorize(client_id="app"),
        "sign out": browser.get("/logout"),
        "logout": browser.get("/oauth/logout"),
        "totp": browser.submit(pages["account"], "/account/totp"),
        "recovery codes": browser.submit(pages["account"], "/account/recovery-codes"),
        "not found": browser.submit(pages["account"], "/account/sessions/x/end"),
    }


def test_every_page_has_a_strict_policy_and_nothing_inline(world: World) -> None:
    for name, shown in every_page(world).items():
        assert shown.headers["Content-Type"] == "text/html; charset=utf-8", name
        policy = dict(part.strip().partition(" ")[::2] for part in shown.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'", name
        assert policy["style-src"] == "'self'", name
        assert policy.get("script-src", "'self'") == "'self'", name
        assert not re.search(r"unsafe|\*|nonce|https?:(?!//)", shown.headers["Content-Security-Policy"]), name
        assert shown.headers["Cache-Control"] == "no-store", name
        assert shown.headers["X-Frame-Options"] == "DENY", name
        assert shown.headers["X-Content-Type-Options"] == "nosniff", name
        assert shown.headers["Referrer-Policy"] == "same-origin", name
        scan = _Scan()
        scan.feed(shown.text)
        assert scan.found == [], name
        assert '<html lang="en">' in shown.text, name
        assert len(re.findall("<h1", shown.text)) == 1, name


def test_no_page_holds_a_token_a_code_a_password_or_a_cookie(world: World) -> None:
    secrets = {member[name] for member in world.credentials["users"].values() for name in ("password", "access_token")}
    secrets |= {client["client_secret"] for client in world.credentials["clients"].values()}
    for name, shown in every_page(world).items():
        assert "eyJ" not in shown.text, name
        assert not any(secret and secret in shown.text for secret in secrets), name
        assert "argon2" not in shown.text, name


def test_a_code_is_in_the_redirect_alone(browser: BrowserOf) -> None:
    answer = browser.authorize()
    assert answer_of(answer)["code"] not in answer.text
    for kind in ("session", "login"):
        assert str(browser.cookie(kind)) not in browser.get("/account").text
