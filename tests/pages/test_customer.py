"""The customer's own pages: what they show, to whom alone, and what never gets onto them."""

import itertools
import re
from typing import Any

import pytest

from tests.conftest import MakeWorld
from tests.consenting import ask_each_time, asking, browser_of, consent, number, read
from tests.signing_in import BrowserOf, hidden, new_client
from tests.support_codes import make_code, way_f
from tests.world import API, ISSUER, Answer, World

PAGES = ["/account/history", "/account/permissions", "/account/sign-in"]
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>\u202e'


def run(world: World, **body: Any) -> str:
    """Let an impersonation of the customer who is asked each time begin; return its id."""
    waiting: str = asking(world, **body)["id"]
    consent(world, waiting)
    return waiting


def one(impersonation_id: str) -> str:
    return f"/account/impersonations/{impersonation_id}"


def report(world: World, impersonation_id: str, *kinds: str, first: int = 0) -> None:
    """Have the resource server tell what was done."""
    done = [
        {"id": f"a{first + at}", "kind": kind, "at": "2027-01-15T08:00:00Z", "details": {}}
        for at, kind in enumerate(kinds)
    ]
    path = f"/api/v1/impersonations/{impersonation_id}/actions"
    answer = world.http.post(path, json={"actions": done}, headers=world.basic("resource-server"), base_url=ISSUER)
    assert answer.status_code == 200, answer.text


def version(browser: BrowserOf) -> str:
    answer = browser.get("/account/live")
    assert answer.status_code == 200, answer.text
    return str(answer.json["version"])


# --- what is shown


def test_a_customer_reads_who_acted_when_why_and_what_they_did(world: World) -> None:
    browser, running = browser_of(world), run(world)
    report(world, running, "view.accounts", "change.nickname", "refused.read_only", "device.tap", "device.tap")
    shown = browser.get(one(running)).text
    for words in (
        "<title>Avery Agent can see your account",
        "a wrong balance",
        "BANK-1042",
        "Looked at: accounts",
        "Changed: nickname",
        "It was refused: they may only look.",
        "Tapped the screen, 2 times",
    ):
        assert words in shown
    ended = browser.submit(browser.get(one(running)), f"{one(running)}/end")
    assert ended.headers["Location"] == f"{one(running)}?done=ended"
    assert "They cannot see your account any more" in browser.follow(ended).text
    assert read(world, running)["state"] == "ended"
    assert one(running) in browser.get("/account/history").text


def test_nobody_so_far_is_said_and_explained(world: World) -> None:
    browser = browser_of(world)
    assert "Nobody can see your account now" in browser.get("/account").text
    assert "Nobody so far" in browser.get("/account/history").text
    assert "You have not been asked so far" in browser.get("/account/permissions").text


def test_how_it_came_about_is_said(world: World) -> None:
    waiting = asking(world)["id"]
    browser = browser_of(world)
    path = f"/account/requests/{waiting}"
    browser.submit(browser.get(path), path, number=str(number(world, waiting)))
    assert "You picked the number" in browser.get(one(waiting)).text
    standing = world.start(target="customer").json["id"]
    assert "without being asked each time" in browser_of(world, "customer").get(one(standing)).text
    opened = way_f(world, make_code(world, "customer-ask")["support_code"], "agent2", resource=API).json
    assert "You gave them your support code" in browser.get(one(opened["impersonation_id"])).text


def test_many_actions_come_in_pages_the_latest_first(world: World) -> None:
    browser, running = browser_of(world), run(world)
    kinds = [f"view.thing-{at}" for at in range(60)]
    report(world, running, *kinds)
    first, second = browser.get(one(running)).text, browser.get(one(running), page=2).text
    assert "Page 1 of 2" in first
    assert len(re.findall("thing ", first)) + len(re.findall("thing ", second)) == 60
    for strange in ("0", "-1", "x", "99999", "٢", "9" * 400):
        assert browser.get(one(running), page=strange).status_code == 200


def test_history_comes_in_pages_and_goes_on_where_it_stopped(world: World) -> None:
    browser = browser_of(world)
    ids = []
    for _ in range(22):
        world.clock.pass_(1)
        ids.append(run(world))
        world.api("POST", f"/api/v1/impersonations/{ids[-1]}/end", "agent")
    shown = browser.get("/account/history").text
    older = re.search(r'href="(/account/history\?before=imp_\w+)"', shown)
    assert older is not None
    rest = browser.get(older.group(1)).text
    found = re.findall(r'href="/account/impersonations/(imp_\w+)"', shown + rest)
    assert found == ids[::-1]


def test_a_no_stands_in_the_history_and_what_nobody_asked_them_does_not(world: World) -> None:
    browser = browser_of(world)
    refused = asking(world)["id"]
    consent(world, refused, decision="deny")
    dropped = asking(world, ticket_id="BANK-2")["id"]
    assert world.api("POST", f"/api/v1/impersonations/{dropped}/end", "agent").status_code == 200
    shown = browser.get("/account/history").text
    assert (refused in shown, dropped in shown) == (True, False)
    assert "You said no" in browser.get(one(refused)).text


def test_answers_are_listed_and_taken_back(world: World) -> None:
    browser, running = browser_of(world), run(world)
    shown = browser.get("/account/permissions")
    assert "Yes to Avery Agent" in shown.text
    taken = browser.submit(shown, f"/account/requests/{running}", decision="deny")
    assert "It is over" in browser.follow(taken).text
    assert read(world, running)["state"] == "revoked"
    assert f'action="/account/requests/{running}"' not in browser.get("/account/permissions").text


def test_the_form_for_a_code_keeps_what_was_chosen(world: World) -> None:
    browser = browser_of(world)
    answer = browser.submit(
        browser.get("/account/permissions"),
        "/session/support-codes",
        scopes="",
        lifetime_minutes="30",
        mode="full",
    )
    assert (answer.status_code, answer.text.count("<h1")) == (400, 1)
    assert "Tick at least one thing" in answer.text
    assert '<option value="30" selected>' in answer.text
    assert 'value="full" checked' in answer.text
    assert not re.search(r'name="scopes" id="[^"]+" value="[^"]+" checked', answer.text)


# --- who is shown what


@pytest.mark.parametrize("path", [*PAGES, "/account/impersonations/imp_1", "/account/live"])
def test_who_is_not_signed_in_is_shown_nothing(world: World, path: str) -> None:
    answer = BrowserOf(world).get(path)
    if path == "/account/live":
        assert answer.status_code == 401
        return
    assert answer.status_code == 303
    browser = BrowserOf(world)
    shown = browser.follow(answer)
    assert browser.log_in(shown, "customer").headers["Location"] == path


def test_another_customers_are_as_unknown(world: World) -> None:
    running, other = run(world), browser_of(world, "customer")
    unknown = other.get(one("imp_unknown"))
    for path, query in ((one(running), {}), ("/account/history", {"before": running})):
        answer = other.get(path, **query)
        assert (answer.status_code, answer.text) == (404, unknown.text)
    assert world.events("request:refused")[-1]["reason"] == "impersonation.not_ones_own"
    form = hidden(other.get("/account/sign-in"))
    assert other.post(f"{one(running)}/end", **form).status_code == 404
    assert running not in other.get("/account").text + other.get("/account/history").text
    assert read(world, running)["state"] == "active"


def test_staff_see_what_concerns_them_and_nothing_of_customers(world: World) -> None:
    running, staff = run(world), browser_of(world, "agent")
    shown = staff.get("/account").text
    assert "How you sign in" in shown
    assert "/account/history" not in shown
    assert "/account/live" not in shown
    for path in ("/account/history", "/account/permissions", one(running), "/account/live"):
        assert staff.get(path).status_code == 403, path
        assert world.events("request:refused")[-1]["reason"] == "access.table"
    assert staff.get("/account/sign-in").status_code == 200


def test_what_is_withheld_is_nowhere_until_it_may_be_told(world: World) -> None:
    ask_each_time(world, "vip")
    browser = browser_of(world, "vip")
    before = version(browser)
    legal = {"reason_code": "legal_request", "reason": "a court's order"}
    waiting = world.start("lead", target="vip", **legal).json
    pages = ["/account", "/account/history", "/account/permissions"]
    assert waiting["state"] == "awaiting_approval", waiting
    for path in pages:
        assert waiting["id"] not in browser.get(path).text
    for path in (one(waiting["id"]), f"/account/requests/{waiting['id']}"):
        assert browser.get(path).status_code == 404
    assert "This is about your account" not in browser.get(f"/interactions/{waiting['id']}").text
    assert version(browser) == before, "nor does the version give it away"


@pytest.mark.parametrize("path", [*PAGES, "/account/live", "/account/impersonations/imp_1"])
def test_a_token_is_no_way_in_least_of_all_one_that_acts(world: World, path: str) -> None:
    for token in (world.token("customer"), world.way_a().json["access_token"]):
        assert world.api("GET", path, token=token).status_code == 403


@pytest.mark.parametrize(("csrf", "origin"), [("", None), ("x" * 64, None), (None, "https://evil.example")])
def test_only_our_own_form_ends_what_runs(world: World, csrf: str | None, origin: str | None) -> None:
    running, browser = run(world), browser_of(world)
    form = hidden(browser.get("/account"))
    form["csrf"] = form["csrf"] if csrf is None else csrf
    assert browser.post(f"{one(running)}/end", origin, **form).status_code == 403
    assert read(world, running)["state"] == "active"


def test_every_page_is_framed_by_nobody_and_kept_by_nobody(world: World) -> None:
    running, browser = run(world), browser_of(world)
    for path in ("/account", *PAGES, one(running), f"/account/requests/{running}", f"/interactions/{running}"):
        answer = browser.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy, path
        assert "script-src 'self'" in policy, path
        assert (answer.headers["X-Frame-Options"], answer.headers["Cache-Control"]) == ("DENY", "no-store"), path


# --- what people and clients fill in


def test_what_others_typed_stays_text(world: World) -> None:
    running = run(world, reason=f"{HOSTILE} a reason")
    new_client(world, "app", name=HOSTILE)
    browser = BrowserOf(world)
    browser.http.environ_base["HTTP_USER_AGENT"] = HOSTILE
    browser.sign_in("customer-ask")
    shown = browser.authorize(client_id="app")
    browser.submit(shown, "/oauth/consent", decision="allow")
    pages = ["/account", *PAGES, one(running), f"/account/requests/{running}"]
    for path in pages:
        text = browser.get(path).text
        assert "<img src=x" not in text, path
        assert "<script>alert" not in text, path
        assert "\u202e" not in text, path


def test_an_approvers_remark_is_not_for_the_customer(world: World) -> None:
    waiting = world.start("lead", target="vip", resource=[API]).json["id"]
    world.api(
        "POST", f"/api/v1/impersonations/{waiting}/approval", "lead", json={"decision": "approve", "remark": "a remark"}
    )
    browser = browser_of(world, "vip")
    for path in ("/account", "/account/history"):
        assert "a remark" not in browser.get(path).text


@pytest.mark.parametrize("done", ["<script>", "nothing", "https://evil.example", "ended "])
def test_an_address_puts_no_words_onto_a_page(world: World, done: str) -> None:
    shown: Answer = browser_of(world).get("/account/history", done=done)
    assert 'class="notice' not in shown.text
    assert done not in shown.text


# --- what open pages ask


def test_the_version_changes_with_whatever_is_shown(world: World) -> None:
    browser = browser_of(world)
    seen = [version(browser)]
    waiting = asking(world)["id"]
    seen.append(version(browser))
    consent(world, waiting)
    seen.append(version(browser))
    report(world, waiting, "view.accounts")
    seen.append(version(browser))
    world.clock.pass_(7200)
    other = browser_of(world)
    seen.append(version(other))
    assert all(before != after for before, after in itertools.pairwise(seen))
    assert version(other) == seen[-1]
    assert f'data-live-version="{seen[-1]}"' in other.get("/account").text


def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(accounts={"session_idle_seconds": 600})
    browser = browser_of(world)
    for _ in range(9):
        world.clock.pass_(61)
        browser.get("/account/live")
    world.clock.pass_(61)
    assert browser.get("/account/live").status_code == 401
    assert browser.get("/account").status_code == 303


def test_pages_that_ask_too_often_are_told_when_to_come_again(world: World) -> None:
    browser = browser_of(world)
    events = len(world.events())
    answers = [browser.get("/account/live") for _ in range(181)]
    assert [answer.status_code for answer in answers] == [200] * 180 + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert len(world.events()) == events
    assert browser_of(world, "customer").get("/account/live").status_code == 200, "a cap of each person's own"
    world.clock.pass_(60)
    assert browser.get("/account/live").status_code == 200


# --- the status page of who asked


def test_who_asked_reads_where_it_stands_and_what_to_read_out(world: World) -> None:
    waiting = asking(world)["id"]
    path = f"/interactions/{waiting}"
    mine = browser_of(world, "agent").get(path).text
    assert "Waiting for the customer" in mine
    assert f">{number(world, waiting)}<" in mine
    consent(world, waiting)
    assert "It runs" in browser_of(world, "agent").get(path).text


def test_the_status_page_tells_others_nothing(world: World) -> None:
    waiting = asking(world)["id"]
    read_out = f">{number(world, waiting)}<"
    for who in ("agent2", "auditor", "customer"):
        browser = browser_of(world, who)
        shown = browser.get(f"/interactions/{waiting}").text
        assert shown == browser.get("/interactions/imp_unknown").text, who
    strangers = [BrowserOf(world).get(f"/interactions/{found}").text for found in (waiting, "imp_unknown")]
    assert strangers[0].replace(waiting, "imp_unknown") == strangers[1]
    lead, subject = browser_of(world, "lead").get(f"/interactions/{waiting}").text, browser_of(world)
    assert read_out not in lead
    shown = subject.get(f"/interactions/{waiting}").text
    assert read_out not in shown
    assert f"/account/requests/{waiting}" in shown
