"""Who signs in at an issuer signs in there alone, unless its settings let them have methods of their own here."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests_mock

from authserver.federation import upstream as upstream_module
from authserver.storage.tables import UpstreamLogin
from tests.federation.idp import IDP, TOKEN, Idp, settings
from tests.federation.test_logout import post, told
from tests.real_idp import NAME
from tests.signing_in import BrowserOf, handed_over, hidden, new_app
from tests.world import REASON, START, Answer, World, claims

MakeWorld = Callable[..., World]
ADDS = ["/account/totp", "/account/totp/confirm", "/account/recovery-codes"]
SENTENCE = "You sign in at your organisation. What you sign in with is set up there"


@pytest.fixture
def idp(requests_mock: requests_mock.Mocker) -> Idp:
    idp = Idp(metadata={"end_session_endpoint": f"{IDP}/logout"})
    idp.serve(requests_mock)
    return idp


def made(make_world: MakeWorld, **changes: Any) -> World:
    issuer = settings(sign_out_there=True, **changes)
    return make_world(federation={"issuers": {NAME: issuer}})


def sent_with(answer: Answer) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(handed_over(answer)).query))


def begin(browser: BrowserOf, **query: Any) -> Answer:
    return browser.submit(browser.get("/login", **query), f"/login/at/{NAME}")


def sign_in_there(world: World, idp: Idp, mock: requests_mock.Mocker) -> BrowserOf:
    """Sign the agent in at the issuer; return their browser."""
    browser = BrowserOf(world)
    sent = sent_with(begin(browser))
    token = idp.token(aud="authserver", nonce=sent["nonce"], sid="sid-1")
    mock.post(TOKEN, json={"id_token": token}, headers={"Content-Type": "application/json"})
    back = browser.get(f"/login/at/{NAME}/callback", state=sent["state"], code="c0de")
    assert back.status_code == 303, back.text
    return browser


def ask_for_passkey(browser: BrowserOf, csrf: str) -> Answer:
    headers = {"Origin": browser.issuer, "X-CSRF-Token": csrf}
    return Answer.of(browser.http.post("/account/passkeys/options", headers=headers, base_url=browser.issuer))


# --- methods of their own


def test_who_came_from_the_issuer_adds_no_method_here_and_is_told_why(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    world = made(make_sqlite_world)
    before = world.events("credential:changed")
    browser = sign_in_there(world, idp, requests_mock)
    account = browser.get("/account")
    assert SENTENCE in account.text
    assert not [path for path in (*ADDS, "Add a passkey", "passkey.js") if path in account.text]
    for path in ADDS:
        refused = browser.submit(account, path, code="000000")
        assert (refused.status_code, SENTENCE in refused.text) == (403, True)
    csrf = hidden(account)["csrf"]
    assert ask_for_passkey(browser, csrf).status_code == 403
    headers = {"Origin": browser.issuer, "X-CSRF-Token": csrf}
    assert browser.http.post("/account/passkeys", headers=headers, base_url=browser.issuer).status_code == 403
    assert world.events("credential:changed") == before
    assert {event["reason"] for event in world.events("request:refused")} == {"account.signs_in_elsewhere"}


def test_a_session_that_began_here_adds_none_either_once_its_person_is_the_issuers(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    world = made(make_sqlite_world)
    before = BrowserOf(world)
    before.sign_in()
    assert SENTENCE not in before.get("/account").text
    sign_in_there(world, idp, requests_mock)
    assert before.submit(before.get("/account"), "/account/recovery-codes").status_code == 403


def test_what_was_added_before_can_still_be_removed(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    world = made(make_sqlite_world)
    new_app(world)
    browser = sign_in_there(world, idp, requests_mock)
    assert browser.submit(browser.get("/account"), "/account/totp/remove").status_code == 303
    assert "/account/totp/remove" not in browser.get("/account").text


@pytest.mark.parametrize("allowed", [False, True])
def test_whose_person_somebody_is_decides_whether_their_password_counts(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker, *, allowed: bool
) -> None:
    world = made(make_sqlite_world, local_methods=allowed)
    assert BrowserOf(world).sign_in().status_code == 303, "nobody's person signs in here"
    browser = sign_in_there(world, idp, requests_mock)
    local = BrowserOf(world).sign_in()
    assert local.status_code == (303 if allowed else 400)
    assert BrowserOf(world).sign_in("lead").status_code == 303
    if allowed:
        assert browser.submit(browser.get("/account"), "/account/recovery-codes").status_code == 200
        return
    wrong = BrowserOf(world)
    told_wrong = wrong.submit(wrong.get("/login"), "/login", username="agent@example.com", password="no")
    assert ("is not right" in local.text, local.status_code) == ("is not right" in told_wrong.text, 400)
    assert world.events("sign-in:failed")[0]["reason"] == "account.signs_in_elsewhere"


def test_an_issuer_that_nobody_signs_in_at_keeps_nobody_from_signing_in_here(
    make_sqlite_world: MakeWorld, idp: Idp
) -> None:
    world = make_sqlite_world(federation={"issuers": {NAME: settings(client_id=None)}})
    answer = world.exchange(
        subject_token=idp.token(),
        subject_token_type="urn:ietf:params:oauth:token-type:id_token",
        requested_subject=world.id("customer"),
        **REASON,
    )
    assert claims(answer.json["access_token"])["act"]["sub"] == world.id("agent")
    assert BrowserOf(world).sign_in().status_code == 303


# --- its sessions


def test_a_subject_that_signed_out_there_is_signed_out_of_sessions_that_began_here_too(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    world = made(make_sqlite_world, local_methods=True)
    upstream, local, other = sign_in_there(world, idp, requests_mock), BrowserOf(world), BrowserOf(world)
    local.sign_in()
    other.sign_in("lead")
    assert post(world, idp.sign(told(jti="a"))).status_code == 200
    assert upstream.get("/account").status_code == 303
    assert local.get("/account").status_code == 200, "its own session alone, by its name"
    assert post(world, idp.sign(told(jti="b", sid=None, sub="sub-1"))).status_code == 200
    assert local.get("/account").status_code == 303
    assert other.get("/account").status_code == 200
    assert len(world.events("logout:received")[-1]["sessions"]) == 2, "and the one that the agent's tokens came of"


@pytest.mark.parametrize(("pause", "lives"), [(3599, True), (3600, False)])
def test_a_session_of_the_issuer_ends_when_it_is_idle(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker, pause: int, *, lives: bool
) -> None:
    browser = sign_in_there(made(make_sqlite_world), idp, requests_mock)
    browser.world.clock.pass_(pause)
    assert (browser.get("/account").status_code == 200) is lives


def test_a_session_of_the_issuer_ends_at_its_age_however_much_it_is_used(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    browser = sign_in_there(made(make_sqlite_world), idp, requests_mock)
    for _ in range(13):
        assert browser.get("/account").status_code == 200
        browser.world.clock.pass_(3323)
    assert browser.world.clock.now() - START < 43200
    browser.world.clock.pass_(1)
    assert browser.get("/account").status_code == 303


# --- signing out there


@pytest.mark.parametrize("by", ["client_id", "id_token_hint"])
def test_the_id_token_is_in_the_url_only_where_it_is_configured(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker, by: str
) -> None:
    world = made(make_sqlite_world, **({} if by == "client_id" else {"logout_by": by}))
    browser = sign_in_there(world, idp, requests_mock)
    sent = sent_with(browser.submit(browser.get("/logout"), "/logout"))
    assert (sent["client_id"], sent["post_logout_redirect_uri"]) == ("authserver", f"{browser.issuer}/logout/callback")
    assert ("id_token_hint" in sent) is (by == "id_token_hint")
    assert sent.get("logout_hint") == ("sid-1" if by == "client_id" else None)


# --- sign-ins under way


def rows(world: World) -> list[str]:
    with world.work() as work:
        return [row.return_to for row in work.session.query(UpstreamLogin)]


def test_a_browser_has_one_sign_in_under_way(make_sqlite_world: MakeWorld, idp: Idp) -> None:
    world = made(make_sqlite_world)
    browser, other = BrowserOf(world), BrowserOf(world)
    first = sent_with(begin(browser))
    begin(other)
    for _ in range(3):
        begin(browser)
    assert len(rows(world)) == 2
    late = browser.get(f"/login/at/{NAME}/callback", state=first["state"], code="c")
    assert late.status_code == 400
    assert idp.issuer == IDP


def test_more_sign_ins_than_a_server_needs_are_not_begun_and_nothing_is_stored(
    make_sqlite_world: MakeWorld, idp: Idp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_module, "_MAX_UNDER_WAY", 2)
    world = made(make_sqlite_world)
    browser = BrowserOf(world)
    for one in (browser, BrowserOf(world)):
        assert begin(one).status_code == 200
    busy = begin(BrowserOf(world))
    assert (busy.status_code, len(rows(world))) == (503, 2)
    assert begin(browser).status_code == 200, "who has one gets another in its place"
    world.clock.pass_(600)
    assert begin(BrowserOf(world)).status_code == 200
    assert idp.issuer == IDP


def test_what_a_stranger_stores_is_no_longer_than_an_authorization_request(
    make_sqlite_world: MakeWorld, idp: Idp
) -> None:
    world = made(make_sqlite_world)
    for chars, kept in ((8192, True), (9300, False)):
        onwards = "/oauth/authorize?" + "x" * chars
        browser = BrowserOf(world)
        shown = browser.get("/login")
        browser.submit(shown, f"/login/at/{NAME}", return_to=onwards)
        assert rows(world)[-1] in ({onwards} if kept else {"/account"})
        world.clock.pass_(601)
        world.wired.jobs.tick()
    assert idp.issuer == IDP


# --- how often


def test_address_that_begins_again_and_again_has_to_wait(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    world = make_sqlite_world(
        federation={"issuers": {NAME: settings()}}, accounts={"address_free_failures": 3, "backoff_seconds": 60}
    )
    for _ in range(4):
        sign_in_there(world, idp, requests_mock)  # who arrives is not counted
    assert [begin(BrowserOf(world)).status_code for _ in range(3)] == [200] * 3
    late = begin(BrowserOf(world))
    assert (late.status_code, late.headers["Retry-After"]) == (429, "60")
    assert "too many attempts" in late.text
    world.clock.pass_(60)
    assert begin(BrowserOf(world)).status_code == 200


def test_sign_in_whose_session_the_issuer_has_ended_meanwhile_is_none(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    world = made(make_sqlite_world)
    browser = BrowserOf(world)
    sent = sent_with(begin(browser))
    token = idp.token(aud="authserver", nonce=sent["nonce"], sid="sid-1")
    requests_mock.post(TOKEN, json={"id_token": token}, headers={"Content-Type": "application/json"})
    assert post(world, idp.sign(told())).status_code == 200
    back = browser.get(f"/login/at/{NAME}/callback", state=sent["state"], code="c0de")
    assert back.status_code == 400
    assert world.events("sign-in:failed")[-1]["reason"] == "session.ended_upstream"
