"""`/login`: sign-in by password and second factor, its cookies, and what does not work against it."""

import re
from typing import Any

import pytest
from werkzeug.http import parse_cookie

from authserver.storage import people, sign_ins
from tests.conftest import MakeWorld
from tests.signing_in import (
    CALLBACK,
    BrowserOf,
    answer_of,
    change_client,
    handed_over,
    hidden,
    new_app,
    query_of,
    stranger_reasons,
)
from tests.world import Answer, World

TRICKS = [
    "https://example.net/",
    "//example.net/",
    "///example.net/",
    "/\\example.net/",
    "\\\\example.net",
    "/%09/example.net",
    "/\t/example.net",
    "http:example.net",
    "http:/example.net",
    "javascript:alert(1)",
    "data:text/html,x",
    "/account@example.net",
    "/account/../../example.net",
    "/account\n",
    "/account\r\nSet-Cookie: a=b",
    "/account?next=//example.net",
    "/accountant",
    "account",
    "@example.net",
    "/oauth/authorize",
    "/oauth/authorize@example.net",
    "/oauth/authorize?a=b\r\nSet-Cookie: a=b",
    "/oauth/authorize?a=b c",
    "/oauth/authorize/../../logout?",
    "/oauth/logout?",
    "/logout",
    "http://127.0.0.1:9000/account",
    "http://127.0.0.1:9000@example.net/",
    "/oauth/authorize?" + "a" * 20000,
    "",
]


def cookies_set(answer: Answer) -> dict[str, str]:
    """Return the Set-Cookie headers by the cookie's name."""
    return {next(iter(parse_cookie(text))): text for text in answer.headers.getlist("Set-Cookie")}


def words(answer: Answer) -> str:
    """Return a page without what differs from one request to the next."""
    return re.sub(r'(value|data-csrf)="[^"]*"', "", answer.text)


def user(world: World, who: str = "agent") -> dict[str, str]:
    known = world.credentials["users"][who]
    return {"username": known["username"], "password": known["password"]}


def test_a_person_signs_in_and_comes_to_their_account(world: World) -> None:
    browser = BrowserOf(world)
    answer = browser.sign_in()
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    assert "Avery Agent" in browser.follow(answer).text
    started = world.events("session:started")[-1]
    assert (started["user_id"], started["amr"]) == (world.id("agent"), ["pwd"])


@pytest.mark.parametrize(
    ("issuer", "prefix", "secure"),
    [("http://127.0.0.1:9000", "", False), ("https://login.example.com", "__Host-", True)],
)
def test_cookies_are_for_this_host_and_not_for_scripts(
    make_sqlite_world: MakeWorld, issuer: str, prefix: str, *, secure: bool
) -> None:
    """RFC 6265bis §4.1.3.2 for `__Host-`: Secure, Path=/ and no Domain."""
    browser = BrowserOf(make_sqlite_world(server={"issuer": issuer}))
    shown = browser.get("/login")
    signed_in = browser.log_in(shown)
    out = browser.submit(browser.get("/logout"), "/logout")
    assert set(cookies_set(shown)) == {f"{prefix}authserver-login"}
    assert set(cookies_set(signed_in)) == {f"{prefix}authserver-session", f"{prefix}authserver-login"}
    for answer in (shown, signed_in, out):
        for cookie in cookies_set(answer).values():
            assert ("Secure" in cookie) == secure
            assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
            assert "Domain" not in cookie
    assert "Max-Age" not in cookies_set(signed_in)[f"{prefix}authserver-session"]
    assert browser.cookie() is None
    assert ("Strict-Transport-Security" in shown.headers) == secure


def test_the_cookie_is_new_at_every_sign_in_and_the_old_one_is_worth_nothing(world: World) -> None:
    """Against fixation."""
    browser, planted = BrowserOf(world), "p" * 43
    browser.http.set_cookie("authserver-session", planted, domain="127.0.0.1")
    browser.sign_in()
    first = browser.cookie()
    browser.sign_in()
    second = browser.cookie()
    assert len({planted, first, second}) == 3
    attacker = BrowserOf(world)
    for value in (planted, str(first)):
        attacker.http.set_cookie("authserver-session", value, domain="127.0.0.1")
        assert attacker.get("/account").headers["Location"].startswith("/login")
    assert browser.get("/account").status_code == 200


def test_a_planted_sign_in_does_not_sign_its_planter_in(world: World) -> None:
    """The cookie of the sign-in under way is used up by it, and a session's cookie is never one that was sent."""
    attacker, victim = BrowserOf(world), BrowserOf(world)
    shown = attacker.get("/login")
    victim.http.set_cookie("authserver-login", str(attacker.cookie("login")), domain="127.0.0.1")
    victim.log_in(shown)
    assert attacker.get("/account").headers["Location"].startswith("/login")
    assert attacker.get("/login/factor").status_code == 200
    assert attacker.submit(shown, "/login/factor", code="123456").status_code == 400


def test_another_person_ends_the_first_persons_session(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in("customer")
    token = browser.tokens()["access_token"]
    browser.sign_in("agent")
    assert not world.introspect(token)["active"]
    ended = world.events("session:ended")[-1]
    assert (ended["user_id"], ended["by"]) == (world.id("customer"), world.id("customer"))


def test_a_session_ends_when_nobody_comes_by_and_in_the_end_anyway(world: World) -> None:
    idle, absolute = world.wired.settings.accounts.session_idle_seconds, world.wired.settings.accounts.session_seconds
    browser, other = BrowserOf(world), BrowserOf(world)
    browser.sign_in()
    other.sign_in()
    until = world.clock.now() + absolute
    world.clock.pass_(idle - 1)
    assert browser.get("/account").status_code == 200
    world.clock.pass_(1)
    assert other.get("/account").status_code == 303
    assert browser.get("/account").status_code == 200
    while world.clock.now() + idle - 61 < until:
        world.clock.pass_(idle - 61)
        assert browser.get("/account").status_code == 200
    world.clock.pass_(until - world.clock.now())
    assert browser.get("/account").status_code == 303


@pytest.mark.parametrize("return_to", TRICKS, ids=lambda text: repr(text)[:40])
def test_a_sign_in_never_leads_elsewhere(world: World, return_to: str) -> None:
    """RFC 9700 §4.11: no open redirector."""
    browser = BrowserOf(world)
    answer = browser.sign_in(return_to=return_to)
    assert answer.headers["Location"] == "/account"
    assert set(cookies_set(answer)) == {"authserver-session", "authserver-login"}


def test_a_sign_in_leads_back_to_the_request(world: World) -> None:
    browser = BrowserOf(world)
    answer = browser.sign_in(return_to=f"/oauth/authorize?{query_of()}")
    assert answer_of(browser.follow(answer))["code"]


def test_nobody_learns_who_has_an_account(world: World) -> None:
    """The same status, words and headers for whoever is unknown, disabled, or gave a wrong password."""
    disabled, known = user(world, "disabled"), user(world)
    tried = [
        {**known, "password": "wrong"},
        {"username": "nobody@example.com", "password": "wrong"},
        disabled,
        {**disabled, "password": "wrong"},
        {"username": "a\0b", "password": "wrong"},
        {"username": "x" * 5000, "password": "wrong"},
    ]
    answers = []
    for form in tried:
        browser = BrowserOf(world)
        answers.append(browser.submit(browser.get("/login"), "/login", **form))
    assert len({words(answer) for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {400}
    assert len({tuple(sorted(set(answer.headers.keys()) - {"X-Request-Id"})) for answer in answers}) == 1
    assert "is not right" in answers[0].text
    reasons = [event["reason"] for event in world.events("sign-in:failed")]
    assert reasons[:3] == ["password.wrong", "password.unknown", "account.disabled"]


def test_the_password_is_never_shown_again(world: World) -> None:
    browser = BrowserOf(world)
    answer = browser.submit(browser.get("/login"), "/login", username='"><script>', password="a secret word")
    assert "a secret word" not in answer.text
    assert 'value="&#34;&gt;&lt;script&gt;"' in answer.text


@pytest.mark.parametrize("username", ["agent@example.com", "nobody@example.com"])
def test_guessing_is_slowed_down_whether_there_is_such_an_account_or_not(world: World, username: str) -> None:
    """RFC 6585 §4."""
    browser, free = BrowserOf(world), world.wired.settings.accounts.account_free_failures
    shown = browser.get("/login")
    for _ in range(free):
        assert browser.submit(shown, "/login", username=username, password="wrong").status_code == 400
    answer = browser.submit(shown, "/login", username=username, password=user(world)["password"])
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert "too many attempts" in answer.text
    assert stranger_reasons(world) == {"throttle.account"}
    world.clock.pass_(2)
    answer = browser.submit(shown, "/login", username=username, password=user(world)["password"])
    assert answer.status_code == (303 if username == user(world)["username"] else 400)


@pytest.mark.parametrize(
    ("csrf", "origin"),
    [("", None), ("wrong", None), (None, "https://example.net"), (None, "null"), ("another's", None)],
)
def test_only_our_own_form_signs_a_person_in(world: World, csrf: str | None, origin: str | None) -> None:
    """Login CSRF: nobody is signed in to an attacker's account."""
    browser = BrowserOf(world)
    form = {**hidden(browser.get("/login")), **user(world)}
    if csrf is not None:
        form["csrf"] = hidden(BrowserOf(world).get("/login"))["csrf"] if csrf == "another's" else csrf
    answer = browser.post("/login", origin, **form)
    assert answer.status_code == 403
    assert browser.cookie() is None
    if csrf is not None:
        assert stranger_reasons(world) == {"csrf.token"}


def test_a_form_of_ours_comes_with_our_origin_or_with_none(world: World) -> None:
    for origin in (world.wired.settings.issuer, None):
        browser = BrowserOf(world)
        form = {**hidden(browser.get("/login")), **user(world)}
        assert browser.post("/login", origin, **form).status_code == 303


def test_without_a_sign_in_under_way_there_is_nothing_to_post_to(world: World) -> None:
    browser = BrowserOf(world)
    assert browser.post("/login", **user(world), csrf="").status_code == 403
    assert browser.post("/login/factor", code="000000", csrf="").status_code == 403


def test_a_sign_in_may_not_take_forever(world: World) -> None:
    app, browser = new_app(world), BrowserOf(world)
    shown = browser.follow(browser.sign_in())
    world.clock.pass_(world.wired.settings.accounts.login_seconds)
    answer = browser.submit(shown, "/login/factor", code=app.at(world.clock.now()))
    assert (answer.status_code, browser.cookie()) == (400, None)
    assert "has expired" in answer.text


def test_looking_at_the_sign_in_page_stores_nothing(world: World) -> None:
    """Anybody can look, as often as they like: a row, and the writer's lock, cost a guess that is slowed down."""
    browser = BrowserOf(world)
    for _ in range(3):
        browser.get("/login", return_to=f"/oauth/authorize?{query_of()}")
    with world.work() as work:
        assert sign_ins.count_logins(work.session, now=world.clock.now()) == 0
        shown = BrowserOf(world).get("/login")
    asking = BrowserOf(world)
    asking.submit(asking.get("/login"), "/login", username="nobody", password="wrong")
    with world.work() as work:
        assert sign_ins.count_logins(work.session, now=world.clock.now()) == 1
    assert shown.status_code == 200


def test_who_was_disabled_is_out_at_once(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in()
    with world.work() as work:
        work.lock()
        people.set_enabled(work.session, world.id("agent"), enabled=False)
    assert browser.get("/account").headers["Location"].startswith("/login")


@pytest.mark.parametrize(
    ("uri", "leads_to"),
    [
        ("http://127.0.0.1:4711/callback", "http://127.0.0.1:4711"),
        ("http://[::1]:4711/callback", None),
        ("com.example.app:/callback", "com.example.app:"),
        ("https://a;script-src */callback", None),
        ("https:", None),
        ("JavaScript:alert(1)", None),
        ("data:text/html,x", None),
        ("x;y", None),
    ],
)
def test_the_form_may_lead_on_to_the_application_and_nowhere_else(world: World, uri: str, leads_to: str | None) -> None:
    change_client(world, redirect_uris=[uri])
    browser = BrowserOf(world)
    shown = browser.get("/login", return_to=f"/oauth/authorize?{query_of(redirect_uri=uri)}")
    wrong = browser.submit(shown, "/login", username="agent", password="wrong")
    policies = {answer.headers["Content-Security-Policy"] for answer in (shown, wrong, browser.get("/login/factor"))}
    wanted = "'self'" if leads_to is None else f"'self' {leads_to}"
    assert all(f"form-action {wanted};" in policy for policy in policies)


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "https://evil.example.com/callback"},
        {"redirect_uri": "com.example.evil:/callback"},
        {"redirect_uri": "https://[::1]/"},
        {"redirect_uri": [CALLBACK, "https://evil.example.com/"]},
        {"client_id": "nobody"},
        {"client_id": "\0"},
        {"client_id": None},
    ],
)
def test_the_form_leads_to_nowhere_that_no_client_has_registered(world: World, changes: dict[str, Any]) -> None:
    browser = BrowserOf(world)
    shown = browser.get("/login", return_to=f"/oauth/authorize?{query_of(**changes)}")
    assert "form-action 'self';" in shown.headers["Content-Security-Policy"]


def test_where_csp_has_no_words_for_the_application_a_page_leads_on_to_it(world: World) -> None:
    """An IPv6 address is no source expression (CSP level 3 §2.3.1), and a redirect after the form would be stopped."""
    uri = "http://[::1]:4711/callback"
    change_client(world, redirect_uris=["http://[::1]/callback"])
    browser = BrowserOf(world)
    there = handed_over(browser.sign_in(return_to=f"/oauth/authorize?{query_of(redirect_uri=uri)}"))
    assert "code" in answer_of(browser.get(there), uri)
