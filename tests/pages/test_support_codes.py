"""`/session/support-codes` and its part of the account page: made, listed and taken back by the customer alone."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from authserver.impersonation.words import PRESENT_SUPPORT_CODE, SUPPORT_CODE
from authserver.storage import clients, resources
from authserver.storage.tables import SupportCode
from authserver.tokens import typed_codes
from tests.conftest import MakeWorld
from tests.oauth.exchanging import change_user, mint
from tests.signing_in import BrowserOf, hidden
from tests.support_codes import PATH, make_code, state, way_f
from tests.world import API, ISSUER, PAYMENTS, Answer, World

CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}")
READS = ["accounts:read", "payments:read"]


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """A browser in which the customer who has no standing consent has just signed in."""
    browser = BrowserOf(world)
    browser.sign_in("customer-ask")
    return browser


def make(browser: BrowserOf, **form: Any) -> Answer:
    """Fill in the form of the account page, all boxes ticked unless `form` says otherwise."""
    fields = {**hidden(browser.get("/account/permissions")), "scopes": ["", *READS], "lifetime_minutes": "15", **form}
    headers = {"Origin": ISSUER}
    return Answer.of(browser.http.post(PATH, data=fields, headers=headers, base_url=ISSUER))


def shown_code(shown: Answer) -> str:
    found = re.search(r"big-code[^>]*>([^<]+)<", shown.text)
    assert found, shown.text
    return found.group(1)


def items(world: World, who: str = "customer-ask") -> list[dict[str, Any]]:
    answer = world.api("GET", PATH, who)
    assert answer.status_code == 200, answer.text
    return list(answer.json["items"])


# --- by the customer's own app


def test_the_customers_app_makes_a_code(world: World) -> None:
    answer = world.api("POST", PATH, "customer-ask", json={"lifetime": 300, "expires_in": 120})
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json
    assert set(made) == {"id", "support_code", "expires_in", "mode", "scopes", "lifetime"}
    assert CODE.fullmatch(made["support_code"])
    assert (made["mode"], made["scopes"], made["lifetime"], made["expires_in"]) == ("read_only", READS, 300, 120)
    (listed,) = items(world)
    assert made["support_code"] not in str(listed)
    assert (listed["id"], listed["state"], listed["impersonation_id"]) == (made["id"], "live", None)
    event = world.events("support-code:created")[-1]
    assert (event["subject"], event["client_id"], event["mode"]) == (world.id("customer-ask"), "backend", "read_only")


def test_without_a_word_the_defaults_hold(world: World) -> None:
    bodies: list[dict[str, str] | None] = [{}, None]
    for body in bodies:
        answer = world.api("POST", PATH, "customer-ask", json=body)
        made = answer.json
        assert (made["expires_in"], made["lifetime"], made["mode"]) == (600, 900, "read_only")


def test_limits_that_are_too_wide_are_shortened(world: World) -> None:
    made = make_code(world, lifetime=999_999, expires_in=999_999)
    assert (made["lifetime"], made["expires_in"]) == (3600, 1800)


def test_a_code_never_outlives_its_session(world: World) -> None:
    world.clock.pass_(12 * 3600 - 60)
    late = mint(world, "customer-ask", expires_at=world.clock.now() + 60)
    made = world.api("POST", PATH, token=late).json
    assert made["expires_in"] == 60


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"mode": "everything"}, 400, "invalid_request"),
        ({"lifetime": 0}, 400, "invalid_request"),
        ({"lifetime": "soon"}, 400, "invalid_request"),
        ({"lifetime": True}, 400, "invalid_request"),
        ({"lifetimes": 60}, 400, "invalid_request"),
        ({"scopes": []}, 400, "invalid_scope"),
        ({"scopes": ["unknown"]}, 400, "invalid_scope"),
        ({"scope": "payments:execute"}, 400, "invalid_scope"),
        ({"scope": "consent:grant"}, 400, "invalid_scope"),
        ({"scopes": ["cards:write"]}, 400, "invalid_scope"),
        ({"scopes": ["accounts:read"], "resource": PAYMENTS}, 400, "invalid_scope"),
        ({"resource": "https://unknown.example"}, 400, "invalid_target"),
        ({"resource": ISSUER}, 400, "invalid_target"),
        ({"words_version": "support-code/0"}, 400, "invalid_request"),
        ([], 400, "invalid_request"),
    ],
)
def test_limits_that_make_no_sense_are_refused(world: World, body: Any, status: int, error: str) -> None:
    answer = world.api("POST", PATH, "customer-ask", json=body)
    assert (answer.status_code, answer.json["error"]) == (status, error), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert world.events("request:refused")[-1]["endpoint"] == "pages.make_support_code"
    assert items(world) == []


def test_scopes_and_resources_are_chosen_from_what_the_customer_has(world: World) -> None:
    assert make_code(world, resource=[PAYMENTS])["scopes"] == ["payments:read"]
    full = make_code(world, mode="full", resource=API)
    assert full["scopes"] == ["accounts:read", "cards:write"], "what nobody can be given is not among them"
    assert make_code(world, scope="accounts:read cards:write")["scopes"] == ["accounts:read"]


def test_full_is_offered_only_where_the_policy_might_allow_it(make_sqlite_world: MakeWorld, tmp_path: Any) -> None:
    from authserver.settings import config_folder  # noqa: PLC0415 - this test alone

    folder = tmp_path / "policy"
    folder.mkdir()
    for file in (config_folder() / "policy").iterdir():
        (folder / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    never = '@id("never.full")\nforbid (principal, action == Action::"impersonate", resource)\n'
    (folder / "never.cedar").write_text(
        f'// Never.\n\n// Nobody.\n{never}when {{ context.mode == "full" }};\n', encoding="utf-8"
    )
    world = make_sqlite_world(policy={"folder": str(folder)})
    answer = world.api("POST", PATH, "customer-ask", json={"mode": "full"})
    assert (answer.status_code, answer.json["error"]) == (403, "access_denied")
    browser = BrowserOf(world)
    browser.sign_in("customer-ask")
    assert 'value="full"' not in browser.get("/account/permissions").text
    assert make(browser, mode="full").status_code == 400


def test_only_so_many_codes_live_at_once(world: World) -> None:
    made = [make_code(world) for _ in range(3)]
    refused = world.api("POST", PATH, "customer-ask", json={})
    assert (refused.status_code, refused.json["error"]) == (409, "conflict")
    assert world.api("POST", PATH, "vip", json={}).status_code == 201
    world.api("DELETE", f"{PATH}/{made[0]['id']}", "customer-ask")
    make_code(world)
    assert way_f(world, made[1]["support_code"]).status_code == 200
    make_code(world)
    world.clock.pass_(601)
    make_code(world)


def test_taking_a_code_back_twice_is_taking_it_back_once(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = make_code(world)
    for _ in range(2):
        answer = world.api("DELETE", f"{PATH}/{made['id']}", "customer-ask")
        assert (answer.status_code, answer.json["state"]) == (200, "revoked")
    assert len(world.events("support-code:revoked")) == 1
    assert way_f(world, made["support_code"]).json["error"] == "invalid_request"
    assert world.events("request:refused")[-1]["reason"] == "support_code.dead"


def test_anothers_code_is_not_found(world: World) -> None:
    made = make_code(world)
    for code_id in (made["id"], "sup_unknown"):
        assert world.api("DELETE", f"{PATH}/{code_id}", "vip").status_code == 404
    assert items(world, "vip") == []
    assert state(world, made["id"]) == "live"


def test_expired_codes_are_listed_as_such_and_forgotten_after_a_day(world: World) -> None:
    make_code(world)
    used = make_code(world)
    way_f(world, used["support_code"])
    world.clock.pass_(601)
    assert {item["state"] for item in items(world)} == {"active", "expired"}
    world.clock.pass_(90_000)
    with world.app.app_context():
        world.wired.jobs._forget(world.clock.now())
    with world.work() as work:
        rows = work.session.query(SupportCode).all()
        assert [row.id for row in rows] == [used["id"]]


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_a_token_with_act_is_refused_at_session(world: World, method: str) -> None:
    made = make_code(world, "customer")
    path = f"{PATH}/{made['id']}" if method == "DELETE" else PATH
    acting = world.way_a().json["access_token"]
    for token in (acting, world.way_d(acting).json["access_token"], world.way_d().json["access_token"]):
        answer = world.api(method, path, token=token, json={} if method == "POST" else None)
        assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
        form = world.api("POST", f"{PATH}/{made['id']}/revoke", token=token)
        assert form.status_code == 403
    assert state(world, made["id"], "customer") == "live"


def test_a_token_without_consent_grant_or_for_others_makes_none(world: World) -> None:
    without = mint(world, "customer-ask", scope=("impersonations:read",))
    elsewhere = mint(world, "customer-ask", audience=(API,))
    assert world.api("POST", PATH, token=without, json={}).status_code == 403
    assert world.api("POST", PATH, token=elsewhere, json={}).status_code == 401
    assert world.api("POST", PATH, token=world.client_token(resource=API), json={}).status_code == 401
    assert world.api("POST", PATH, "agent", json={}).status_code == 403
    assert world.api("GET", PATH).status_code == 401
    change_user(world, "customer-ask", enabled=False)
    assert world.api("POST", PATH, "customer-ask", json={}).status_code == 401


def test_a_disabled_app_makes_none(world: World) -> None:
    with world.work() as work:
        work.lock()
        clients.set_enabled(work.session, "backend", enabled=False)
    assert world.api("POST", PATH, "customer-ask", json={}).status_code == 401


# --- on the account page


def test_the_page_shows_a_new_code_once(world: World, browser: BrowserOf) -> None:
    assert PRESENT_SUPPORT_CODE.text in browser.get("/account/permissions").text
    shown = make(browser)
    assert shown.status_code == 200, shown.text
    code = shown_code(shown)
    assert CODE.fullmatch(code)
    account = browser.get("/account/permissions").text
    assert code not in account
    assert "A code that can be used" in account
    event = world.events("support-code:created")[-1]
    assert event["client_id"] is None
    assert (event["words_version"], event["words_language"], event["words_shown"]) == ("support-code/1", "en", True)
    assert event["words_hash"] == PRESENT_SUPPORT_CODE.hash
    assert (event["scopes"], event["lifetime"]) == (READS, 900)
    answer = way_f(world, code, resource=None)
    assert answer.status_code == 200
    assert "In use now" in browser.get("/account/permissions").text


def test_the_limits_of_the_page_are_those_of_the_code(world: World, browser: BrowserOf) -> None:
    make(browser, scopes=["", "payments:read"], lifetime_minutes="5", mode="full")
    event = world.events("support-code:created")[-1]
    assert (event["mode"], event["scopes"], event["lifetime"]) == ("full", ["payments:read"], 300)


def test_no_box_ticked_is_nothing_and_not_everything(world: World, browser: BrowserOf) -> None:
    answer = make(browser, scopes=[""])
    assert answer.status_code == 400
    assert not world.events("support-code:created")


def test_the_page_takes_a_code_back_and_ends_what_it_opened(world: World, browser: BrowserOf) -> None:
    first, second = shown_code(make(browser)), shown_code(make(browser))
    opened = way_f(world, second, resource=API).json
    paths = re.findall(rf'action="({PATH}/sup_\w+/revoke)"', browser.get("/account/permissions").text)
    assert len(paths) == 2
    for path in paths:
        assert (
            browser.submit(browser.get("/account/permissions"), path).headers["Location"]
            == "/account/permissions?done=taken-back"
        )
    assert not world.introspect(opened["access_token"])["active"]
    assert way_f(world, first, "agent2").json["error"] == "invalid_request"
    assert f"{PATH}/sup_" not in browser.get("/account/permissions").text


@pytest.mark.parametrize(("csrf", "origin"), [("", ISSUER), ("wrong", ISSUER), (None, "https://example.net")])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/sup_x/revoke"])
def test_only_our_own_form_does_anything(
    world: World, browser: BrowserOf, csrf: str | None, origin: str, path: str
) -> None:
    form = hidden(browser.get("/account/permissions"))
    answer = browser.post(path, origin, **{**form, "csrf": form["csrf"] if csrf is None else csrf})
    assert answer.status_code == 403
    assert not world.events("support-code:created")


def test_a_script_of_ours_lists_and_deletes_with_the_proof_in_a_header(world: World, browser: BrowserOf) -> None:
    make(browser)
    (listed,) = browser.get(PATH).json["items"]
    path, csrf = f"{PATH}/{listed['id']}", hidden(browser.get("/account/permissions"))["csrf"]
    for headers, status in (({}, 403), ({"X-CSRF-Token": csrf}, 200)):
        answer = browser.http.delete(path, headers={"Origin": ISSUER, **headers}, base_url=ISSUER)
        assert answer.status_code == status
    assert browser.get(PATH).json["items"][0]["state"] == "revoked"
    assert browser.get(PATH).json["words"]["text"] == PRESENT_SUPPORT_CODE.text
    assert world.events("support-code:revoked")


def test_staff_have_no_such_section_and_may_not(world: World) -> None:
    browser = BrowserOf(world)
    browser.sign_in("agent")
    shown = browser.get("/account/permissions")
    assert "support" not in re.findall(r'<h2 id="([a-z-]+)"', shown.text)
    assert PATH not in shown.text
    answer = browser.submit(shown, PATH)
    assert answer.status_code == 403
    assert browser.get(PATH).status_code == 403


def test_nobody_signed_in_gets_nothing(world: World) -> None:
    stranger = BrowserOf(world)
    assert stranger.post(PATH, csrf="x").status_code == 400
    assert stranger.get(PATH).status_code == 401


def test_scopes_are_named_in_words_where_there_are_words(world: World, browser: BrowserOf) -> None:
    with world.work() as work:
        work.lock()
        scope = resources.scopes_of(work.session)["accounts:read"]
        resources.put_scope(work.session, scope, roles=(), description="Your accounts & balances")
    assert "Your accounts &amp; balances" in browser.get("/account/permissions").text


# --- the words and the alphabet


def test_texts_that_were_shown_never_change() -> None:
    known = {"support-code/1": "60e7671f5ed5e37647272d52d2a051f192c5c8321f6c8206684398e95b74d7a7"}
    assert {words.version: words.hash for words in SUPPORT_CODE} == known


def test_codes_have_sixty_bits_and_no_ambiguous_letter(world: World) -> None:
    made = {typed_codes.new(world.wired.entropy) for _ in range(200)}
    assert len(made) == 200
    assert all(CODE.fullmatch(code) for code in made)
    assert len({char for code in made for char in code}) == 33
    assert typed_codes.read(" ab1o-il ") == "AB10" + "11"
