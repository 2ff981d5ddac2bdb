"""The console as an OAuth client: what it asks for, what it accepts, and what it keeps from browsers."""

import base64
import json
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from authserver.console.sessions import Session
from authserver.console.sign_in import UntrustworthySignInError, _subject
from authserver.storage.tables import Client
from tests.console.staff import Staff, parts_of, text, wire
from tests.signing_in import hidden
from tests.world import ISSUER, REASON, World

QUEUE = "/console/mine?state=active"


def query_of(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def content(world: World, staff: Staff) -> dict[str, Any]:
    """Return what the console keeps of a browser's session."""
    with world.app.app_context():
        session = Session.find(parts_of(world), staff.held())
    assert session is not None
    return session.content


def test_a_stranger_is_sent_to_sign_in_and_comes_back_to_the_page(staff: Staff) -> None:
    begun = staff.get(QUEUE)
    asked = query_of(begun.headers["Location"])
    assert begun.headers["Location"].startswith(f"{ISSUER}/oauth/authorize?")
    assert (asked["code_challenge_method"], asked["response_type"], asked["client_id"]) == ("S256", "code", "console")
    assert all(len(asked[name]) == 43 for name in ("state", "nonce", "code_challenge"))
    shown = staff.enter(path=QUEUE)
    assert (shown.status_code, "My impersonations" in shown.text) == (200, True)
    assert '<option value="active" selected>' in shown.text


def test_no_token_reaches_the_browser(world: World, staff: Staff) -> None:
    pages = [staff.enter(), staff.get("/console/mine")]
    kept = content(world, staff)
    for page in pages:
        sent = page.text + str(page.headers)
        assert not any(kept[name] in sent for name in ("access_token", "refresh_token"))
    assert staff.held() not in json.dumps(kept)


def test_the_cookie_is_for_the_console_alone_and_no_script(staff: Staff) -> None:
    staff.enter()
    found = staff.http.get_cookie("console", path="/console", domain="127.0.0.1")
    assert found is not None
    assert (found.http_only, found.same_site, found.path) == (True, "Lax", "/console")


def test_a_session_of_before_is_never_taken_over(world: World, staff: Staff) -> None:
    """Session fixation: a new sign-in has a cookie of its own, and the one before is dead."""
    staff.http.set_cookie("console", "planted", domain="127.0.0.1", path="/console")
    staff.enter()
    first = staff.held()
    assert first != "planted"
    staff.go("/console/sign-in")
    assert staff.held() not in {"", first}
    with world.app.app_context():
        assert Session.find(parts_of(world), first) is None


@pytest.mark.parametrize(
    "change",
    [{"state": "a" * 43}, {"state": ""}, {"iss": "https://evil.example"}, {"iss": None}, {"code": "b" * 43}],
    ids=str,
)
def test_an_answer_that_was_not_asked_for_signs_nobody_in(staff: Staff, change: dict[str, str | None]) -> None:
    answer = staff.sign_in()
    assert answer.status_code == 303
    back = staff.get(staff.local(staff.get("/console/").headers["Location"]))
    given = {**query_of(back.headers["Location"]), **change}
    answer = staff.get("/console/callback", **{name: value for name, value in given.items() if value is not None})
    assert (answer.status_code, staff.held()) == (400, "")
    assert "You could not be signed in" in answer.text


def test_an_answer_is_good_once_and_in_the_browser_that_asked(world: World, staff: Staff) -> None:
    staff.sign_in()
    back = staff.local(staff.get(staff.local(staff.get("/console/").headers["Location"])).headers["Location"])
    assert Staff(world).get(back).status_code == 400  # whoever is sent the link is not signed in as its sender
    assert staff.get(back).status_code == 303
    held = staff.held()
    assert staff.get(back).status_code == 400
    assert staff.held() == held


def test_a_code_that_was_made_for_another_sign_in_has_another_nonce(world: World, staff: Staff) -> None:
    staff.sign_in()
    first, second = (staff.get("/console/").headers["Location"] for _ in range(2))
    codes = [query_of(staff.get(staff.local(each)).headers["Location"]) for each in (first, second)]
    mixed = {**codes[0], "code": codes[1]["code"]}
    assert staff.get("/console/callback", **mixed).status_code == 400  # the verifier is another one, too
    assert not staff.held()
    del world


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"aud": "backend"},
        {"aud": ["console", "backend"]},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"act": {"sub": "usr_1"}},
        {"sub": None},
    ],
    ids=str,
)
def test_an_id_token_is_for_this_sign_in_or_none(world: World, change: dict[str, Any]) -> None:
    """OIDC Core §3.1.3.7."""
    good = {"iss": ISSUER, "aud": "console", "nonce": "n", "exp": world.clock.now() + 9, "sub": "usr_1"}
    assert _subject(parts_of(world), {"id_token": token_of(good)}, "n") == "usr_1"
    claims = {name: value for name, value in {**good, **change}.items() if value is not None}
    with pytest.raises(UntrustworthySignInError):
        _subject(parts_of(world), {"id_token": token_of(claims)}, "n")


def token_of(claims: dict[str, Any]) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.AA"


def test_what_the_server_refuses_is_said(staff: Staff) -> None:
    location = staff.get("/console/").headers["Location"]
    state = query_of(location)["state"]
    shown = staff.get("/console/callback", state=state, iss=ISSUER, error="unmet_authentication_requirements")
    assert (shown.status_code, "stronger sign-in" in shown.text) == (403, True)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/console/../oauth/logout",
        "/console//evil.example",
        "/consoles",
        "/oauth/logout",
        "javascript:alert(1)",
        "/console/\r\nSet-Cookie: a=b",
        "/console@evil.example",
        "/console/" + "a" * 3000,
    ],
)
def test_a_sign_in_leads_nowhere_but_to_the_console(staff: Staff, elsewhere: str) -> None:
    staff.sign_in()
    authorize = staff.get("/console/sign-in", return_to=elsewhere).headers["Location"]
    back = staff.get(staff.local(staff.get(staff.local(authorize)).headers["Location"]))
    assert back.headers["Location"] == "/console/"


def test_a_form_needs_its_proof_and_our_own_origin(world: World, staff: Staff) -> None:
    shown = staff.enter()
    proof = hidden(shown)["csrf"]
    started = world.start("agent").json["id"]
    path = f"/console/impersonations/{started}/end"
    for form in ({}, {"csrf": "x"}, {"csrf": proof[:-1]}):
        assert staff.post(path, **form).status_code == 403
    assert staff.post(path, _origin="https://evil.example", csrf=proof).status_code == 403
    assert staff.post(path, _origin="null", csrf=proof).status_code == 403
    assert Staff(world).enter("agent2").status_code == 200
    assert world.api("GET", f"/api/v1/impersonations/{started}", "agent").json["state"] == "active"
    assert staff.post(path, csrf=proof).status_code == 303
    assert world.api("GET", f"/api/v1/impersonations/{started}", "agent").json["state"] == "ended"


def test_signing_out_ends_the_session_and_its_tokens(world: World, staff: Staff) -> None:
    shown = staff.enter()
    kept = content(world, staff)
    left = staff.send("/console/sign-out", shown)
    assert f"{ISSUER}/oauth/logout?client_id=console" in left.text
    assert kept["access_token"] not in left.text
    assert not staff.held()
    assert world.api("GET", "/api/v1/me", token=kept["access_token"]).status_code == 401
    assert staff.get("/console/mine").status_code == 303


# --- tokens


def test_a_token_is_renewed_before_it_runs_out(world: World, staff: Staff) -> None:
    staff.enter()
    before = content(world, staff)
    world.clock.pass_(3590)
    assert staff.get("/console/mine").status_code == 200
    after = content(world, staff)
    assert before["access_token"] != after["access_token"]
    assert before["refresh_token"] != after["refresh_token"]
    assert before["csrf"] == after["csrf"]  # a form that is open stays good


def test_many_requests_at_once_renew_a_token_once(world: World, staff: Staff) -> None:
    """RFC 9700 §4.14: a refresh token that is used twice kills everything that came of it."""
    staff.enter()
    world.clock.pass_(3590)
    wire(world).sent.clear()
    answers: list[int] = []
    cookie = staff.held()

    def look() -> None:
        client = world.app.test_client()
        client.set_cookie("console", cookie, domain="127.0.0.1", path="/console")
        answers.append(client.get("/console/mine", base_url=ISSUER).status_code)

    threads = [threading.Thread(target=look) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 5
    assert wire(world).sent.count(("POST", "/oauth/token")) == 1


def test_a_session_that_ended_at_the_server_is_over_here(world: World, staff: Staff) -> None:
    staff.enter()
    token = content(world, staff)["access_token"]
    with world.work() as work:
        work.lock()
        session_id = world.events("session:started")[-1]["session_id"]
        world.wired.sessions.end(work, session_id, user_id=world.id("agent"), by="test")
    assert world.api("GET", "/api/v1/me", token=token).status_code == 401
    assert staff.get("/console/mine").headers["Location"].startswith(f"{ISSUER}/oauth/authorize")
    assert not staff.held()


def test_a_script_is_told_that_the_session_is_over(staff: Staff) -> None:
    answer = staff.http.get("/console/banner", headers={"Sec-Fetch-Mode": "cors"}, base_url=ISSUER)
    assert answer.status_code == 401


# --- what goes wrong


def test_a_server_that_does_not_answer_is_said(world: World, staff: Staff) -> None:
    staff.enter()
    wire(world).down = 9
    shown = staff.get("/console/mine")
    assert (shown.status_code, "does not answer" in shown.text) == (502, True)
    wire(world).down = 0
    assert staff.get("/console/mine").status_code == 200


def test_what_was_sent_to_a_silent_server_is_kept_for_its_page(world: World, staff: Staff) -> None:
    """It may have been done: that is said, and nothing has to be typed again."""
    shown = staff.enter()
    page = f"/console/start?subject={world.id('customer')}"
    wire(world).down = 9
    sent = staff.send(
        "/console/start", shown, page=page, subject=world.id("customer"), **{**REASON, "reason": "so long"}
    )
    assert sent.status_code == 502
    assert "it is not known whether this was done" in text(sent)
    assert f'href="{page}"' in sent.text
    wire(world).down = 0
    assert 'value="so long"' in staff.get(page).text
    assert 'value="so long"' not in staff.get(page).text


def test_what_a_small_form_was_sent_is_not_put_into_the_large_one(world: World, staff: Staff) -> None:
    shown = staff.enter("admin", "/console/clients/console")
    wire(world).down = 9
    sent = staff.send("/console/clients/backend/secrets", shown, page="/console/clients/backend", overlap_seconds="0")
    wire(world).down = 0
    assert (sent.status_code, "stands there still" in sent.text) == (502, False)
    assert 'value="Support backend"' in staff.get("/console/clients/backend").text


@pytest.mark.parametrize(
    ("who", "path", "whom"),
    [
        ("agent", "/console/trail", "auditors and administrators"),
        ("agent", "/console/users", "administrators"),
        ("agent", "/console/active", "leads and administrators"),
        ("customer", "/console/queue", "leads"),
        ("auditor", "/console/keys", "administrators"),
    ],
)
def test_a_page_of_others_says_whose_it_is(staff: Staff, who: str, path: str, whom: str) -> None:
    refused = staff.enter(who, path)
    assert refused.status_code == 403
    assert f"This page is for {whom}. You are signed in as" in text(refused)
    assert "insufficient_scope" not in refused.text


def test_a_console_without_a_scope_says_which(world: World, staff: Staff) -> None:
    with world.work() as work:
        work.lock()
        row = work.session.get(Client, "console")
        assert row is not None
        row.scopes = [each for each in row.scopes if each != "directory:read"]
    assert "its client lacks the scope directory:read" in text(staff.enter("admin", "/console/users"))


@pytest.mark.parametrize("path", ["/console/nowhere", "/console/impersonations/imp_unknown", "/console/static/none.js"])
def test_what_is_not_there_is_404(staff: Staff, path: str) -> None:
    staff.enter()
    assert staff.get(path).status_code == 404


def test_every_page_has_the_strict_policy(staff: Staff) -> None:
    staff.enter()
    for path in ("/console/", "/console/mine", "/console/start", "/console/nowhere"):
        headers = staff.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self';" in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"


def test_nothing_answers_a_stranger(world: World) -> None:
    """Every endpoint of the console but those of signing in itself."""
    stranger = Staff(world)
    rules = [rule for rule in world.app.url_map.iter_rules() if rule.endpoint.startswith("console.")]
    for rule in rules:
        if rule.endpoint in {"console.sign_in", "console.callback", "console.static"}:
            continue
        built = rule.build(dict.fromkeys(rule.arguments, "x"), append_unknown=False)
        assert built is not None
        for method in (rule.methods or set()) & {"GET", "POST"}:
            answer = stranger.get(built[1]) if method == "GET" else stranger.post(built[1], csrf="x")
            assert answer.status_code in {200, 303}, rule.endpoint
            assert "/oauth/authorize" in (answer.headers.get("Location") or answer.text), rule.endpoint


def test_a_customer_finds_nothing_here(staff: Staff) -> None:
    assert "There is nothing for you here" in text(staff.enter("customer"))
