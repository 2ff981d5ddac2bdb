"""`/device` (RFC 8628 §3.3): typing a code, seeing what it is about, deciding once; and what guessing comes to."""

from typing import Any

import pytest

from authserver.accounts.devices import read_user_code
from authserver.protocol.names import GRANT_DEVICE_CODE
from tests.devices import asked, decide, enter, poll
from tests.signing_in import BrowserOf, change_client, hidden, new_client, stranger_reasons
from tests.world import ISSUER, World, error

WRONG = "This code is not right, or it is not valid any more."
RIGHT = "Is this code what your device shows?"


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """A browser in which the customer is signed in."""
    browser = BrowserOf(world)
    browser.sign_in("customer")
    return browser


def reason(world: World) -> str:
    """Return why the last request was refused."""
    return str(world.events("request:refused")[-1]["reason"])


# --- arriving


def test_who_is_not_signed_in_signs_in_first_and_comes_back_with_the_code(world: World) -> None:
    given = asked(world)
    browser = BrowserOf(world)
    answer = browser.get(given["verification_uri_complete"].removeprefix(ISSUER))
    shown = browser.follow(browser.log_in(browser.follow(answer), "customer"))
    assert f'value="{given["user_code"]}"' in shown.text
    assert "signed in as customer@example.com" in shown.text
    assert BrowserOf(world).get("/device").headers["Location"] == "/login?return_to=%2Fdevice"
    posted = BrowserOf(world).post("/device", user_code=given["user_code"])
    assert posted.headers["Location"] == answer.headers["Location"]


def test_a_link_fills_in_the_code_and_changes_nothing(world: World, browser: BrowserOf) -> None:
    """RFC 8628 §3.3.1, §5.4: the person still confirms."""
    given, before = asked(world), len(world.events())
    for _ in range(10):  # no try is counted, for nothing is looked up
        assert browser.get("/device", user_code=given["user_code"]).status_code == 200
    shown = browser.get("/device", user_code=given["user_code"])
    assert f'value="{given["user_code"]}"' in shown.text
    assert RIGHT not in shown.text
    assert "Support backend" not in shown.text
    assert len(world.events()) == before
    assert error(poll(world, given)) == "authorization_pending"
    assert browser.get("/device/decision").status_code == 405
    assert RIGHT in browser.submit(shown, "/device", user_code=given["user_code"]).text
    assert error(poll(world, given)) == "slow_down"


@pytest.mark.parametrize("sent", ["<script>", "A" * 500, "BBBB-BBBB&x=1", "\x00", "ÄBBB-BBBB", ""])
def test_what_is_no_code_is_not_shown_again(world: World, sent: str) -> None:
    signed_in = BrowserOf(world)
    assert signed_in.get("/device", user_code=sent).headers["Location"].startswith("/login?return_to=%2Fdevice")
    signed_in.sign_in()
    assert 'value=""' in signed_in.get("/device", user_code=sent).text
    answer = signed_in.submit(signed_in.get("/device"), "/device", user_code=sent)
    assert answer.status_code == 400
    assert WRONG in answer.text
    assert "&lt;" not in answer.text
    assert "AAAA" not in answer.text


@pytest.mark.parametrize(
    "bad", ["/device?user_code=BBBB-BBBB&x=y", "/device/../x", "/device?user_code=//evil", "/deviceX"]
)
def test_a_sign_in_leads_to_the_page_of_devices_and_nothing_like_it(world: World, bad: str) -> None:
    assert BrowserOf(world).sign_in(return_to=bad).headers["Location"] == "/account"


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("bcdf-ghjk", "BCDF-GHJK"),
        (" BCDF GHJK ", "BCDF-GHJK"),
        ("b.c_d-f\u2013ghjk", "BCDF-GHJK"),
        ("BCDFGHJ", ""),
        ("BCDFGHJKL", ""),
        ("ACDFGHJK", ""),
        ("BCDF-GHJK" + " " * 60, ""),
        ("", ""),
    ],
)
def test_case_and_separators_do_not_count(typed: str, read: str) -> None:
    """RFC 8628 §6.1."""
    assert read_user_code(typed) == read


def test_a_code_typed_in_small_letters_is_the_code(world: World, browser: BrowserOf) -> None:
    assert RIGHT in enter(browser, asked(world)["user_code"].lower().replace("-", " ")).text


# --- what is shown


def test_a_person_sees_who_asks_from_where_for_what_and_is_warned(world: World, browser: BrowserOf) -> None:
    new_client(world, "tv", name="A <b>television</b>", grant_types=[GRANT_DEVICE_CODE])
    given = asked(world, "tv")
    world.clock.pass_(180)
    shown = enter(browser, given["user_code"]).text
    for words in (
        *(RIGHT, given["user_code"], "A &lt;b&gt;television&lt;/b&gt;", "127.0.0.1", "Chrome on a television"),
        *("3 minutes ago", "See your accounts", "customer@example.com", "If somebody sent you this code"),
    ):
        assert words in shown, words
    assert "not the address of this browser" not in shown
    assert "Web0S" not in shown  # what a program calls itself is never shown


def test_an_address_that_is_not_the_browsers_is_pointed_out(world: World, browser: BrowserOf) -> None:
    given = asked(world)
    shown = browser.get("/device")
    answer = browser.http.post(
        "/device",
        data={**hidden(shown), "user_code": given["user_code"]},
        base_url=ISSUER,
        environ_overrides={"REMOTE_ADDR": "198.51.100.7"},
    )
    assert "127.0.0.1, which is not the address of this browser" in answer.text


def test_the_pages_are_kept_by_nobody_and_framed_by_nobody(world: World, browser: BrowserOf) -> None:
    given = asked(world)
    for shown in (browser.get("/device"), enter(browser, given["user_code"]), browser.get("/device/allowed")):
        assert shown.headers["Cache-Control"] == "no-store"
        assert shown.headers["Referrer-Policy"] == "same-origin"
        policy = shown.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy
        assert given["device_code"] not in shown.text
    assert browser.get("/device/anything").status_code == 404


def test_a_person_allows_no_more_than_they_have(world: World) -> None:
    agent = BrowserOf(world)
    agent.sign_in("agent")
    shown = enter(agent, asked(world, scope="accounts:read")["user_code"])
    assert (shown.status_code, "has nothing of what this device asks for" in shown.text) == (400, True)
    given = asked(world, scope="openid accounts:read")
    shown = enter(agent, given["user_code"])
    assert "Know that it is you" in shown.text
    assert "See your accounts" not in shown.text
    agent.submit(shown, "/device/decision", decision="allow")
    assert world.events("device:approved")[-1]["scopes"] == ["openid"]
    assert poll(world, given).json["scope"] == "openid"


# --- deciding


def test_an_approval_leaves_evidence_and_says_so(world: World, browser: BrowserOf) -> None:
    given = asked(world)
    assert "Your device is connected" in browser.follow(decide(browser, given)).text
    event = world.events("device:approved")[-1]
    assert (event["user_id"], event["client_id"]) == (world.id("customer"), "backend")
    assert event["session_id"] == world.events("session:started")[-1]["session_id"]
    before = world.events("device:requested")[-1]
    assert (event["family_id"], before["seq"]) == (before["family_id"], event["seq"] - 1)
    assert (before["client_id"], before["scopes"]) == ("backend", ["openid", "accounts:read"])
    assert before["requested_at"] == world.clock.now()
    assert not world.events("application:allowed")
    given = asked(world)
    assert "Nothing was allowed" in browser.follow(decide(browser, given, "deny")).text


@pytest.mark.parametrize(("first", "then"), [("allow", "deny"), ("deny", "allow"), ("allow", "allow")])
def test_a_second_decision_changes_nothing(world: World, browser: BrowserOf, first: str, then: str) -> None:
    given = asked(world)
    shown = enter(browser, given["user_code"])
    browser.submit(shown, "/device/decision", decision=first)
    again = browser.submit(shown, "/device/decision", decision=then)
    assert (again.status_code, WRONG in again.text) == (400, True)
    assert reason(world) == "user_code.decided"
    decided = [event["name"] for event in world.events() if event["name"] in {"device:approved", "device:denied"}]
    assert decided == [{"allow": "device:approved", "deny": "device:denied"}[first]]
    assert poll(world, given).status_code == (200 if first == "allow" else 400)


@pytest.mark.parametrize(
    "form", [{"csrf": "x"}, {"csrf": ""}, {"decision": "perhaps"}, {"decision": ""}, {"proof": "x"}]
)
def test_a_decision_wants_our_own_form(world: World, browser: BrowserOf, form: dict[str, str]) -> None:
    given = asked(world)
    shown = enter(browser, given["user_code"])
    answer = browser.submit(shown, "/device/decision", **{"decision": "allow", **form})
    assert answer.status_code in {400, 403}
    assert error(poll(world, given)) == "authorization_pending"


def test_forms_from_elsewhere_decide_nothing(world: World, browser: BrowserOf) -> None:
    given = asked(world)
    shown = hidden(enter(browser, given["user_code"]))
    for origin in ("https://evil.example", "null"):
        answer = browser.post("/device/decision", origin, **shown, decision="allow")
        assert answer.status_code == 403
        assert browser.post("/device", origin, **shown).status_code == 403
    assert browser.post("/device", csrf="x", user_code=given["user_code"]).status_code == 403
    assert BrowserOf(world).post("/device/decision", **shown, decision="allow").status_code == 400
    assert error(poll(world, given)) == "authorization_pending"


def test_nobody_decides_what_they_were_not_shown(world: World, browser: BrowserOf) -> None:
    """A guessed code is worth nothing at the decision, nor is another person's proof, nor that of another request."""
    given, other = asked(world), asked(world)
    shown, others = hidden(enter(browser, given["user_code"])), hidden(enter(browser, other["user_code"]))
    agent = BrowserOf(world)
    agent.sign_in("agent")
    theirs = hidden(agent.get("/device"))
    tries = [
        (agent, {**shown, **theirs}),
        (browser, {**shown, "proof": others["proof"]}),
        (browser, {**shown, "user_code": other["user_code"]}),
        (browser, {**shown, "family_id": others["family_id"]}),
        (browser, {**shown, "scopes": "openid"}),
    ]
    for who, form in tries:
        assert who.post("/device/decision", **form, decision="allow").status_code == 400
        assert reason(world) == "device.not_shown"
    assert error(poll(world, given)) == error(poll(world, other)) == "authorization_pending"


def test_a_decision_without_proof_tells_nothing_of_a_code_and_is_counted(world: World, browser: BrowserOf) -> None:
    """RFC 8628 §5.1: who guesses at the decision learns no more than at the form, and no faster."""
    waits, denied = asked(world), asked(world)
    decide(browser, denied, "deny")
    nothing = asked(world, scope="accounts:read")
    guesser = BrowserOf(world)
    guesser.sign_in("agent")  # who has nothing of accounts:read
    own = hidden(guesser.get("/device"))
    codes = (waits["user_code"], denied["user_code"], nothing["user_code"], "BBBB-BBBB", "nonsense")
    answers = [guesser.post("/device/decision", **own, user_code=c, proof="x", decision="allow") for c in codes]
    assert {(answer.status_code, answer.text) for answer in answers} == {(400, answers[0].text)}
    assert {event["reason"] for event in world.events("request:refused")} == {"device.not_shown"}
    slowed = guesser.post("/device/decision", **own, user_code=waits["user_code"], proof="x", decision="allow")
    assert (slowed.status_code, reason(world)) == (429, "throttle.account")
    assert int(slowed.headers["Retry-After"]) >= 1
    assert enter(guesser, "BBBB-BBBB").status_code == 429  # one count for both
    assert error(poll(world, waits)) == "authorization_pending"


def test_every_failed_decision_looks_the_same(world: World, browser: BrowserOf) -> None:
    """Also where the person was shown what has changed since."""
    expired, cut, gone = asked(world), asked(world), asked(world, scope="accounts:read")
    shown = [hidden(enter(browser, given["user_code"])) for given in (expired, cut, gone)]
    failed = [browser.post("/device/decision", **{**shown[0], "proof": "x"}, decision="deny")]
    change_client(world, scopes=["openid"])
    failed += [browser.post("/device/decision", **form, decision="allow") for form in shown[1:]]
    world.clock.pass_(600)
    failed += [browser.post("/device/decision", **shown[0], decision="allow")]
    assert {(answer.status_code, answer.text) for answer in failed} == {(400, failed[0].text)}
    reasons = [event["reason"] for event in world.events("request:refused")]
    assert reasons == ["device.not_shown", "device.changed", "scope.nothing_left", "user_code.expired"]
    assert not world.events("device:approved")
    assert tries(browser, "BBBB-BBBB", 2) == [400, 429]  # each of the four was counted


def test_who_is_not_who_they_were_decides_nothing(world: World, browser: BrowserOf) -> None:
    given = asked(world)
    shown = enter(browser, given["user_code"])
    browser.submit(browser.get("/logout"), "/logout")
    assert browser.submit(shown, "/device/decision", decision="allow").status_code == 400
    assert "session.none" in stranger_reasons(world)
    assert error(poll(world, given)) == "authorization_pending"


# --- guessing


def test_unknown_expired_decided_and_used_codes_look_the_same(world: World, browser: BrowserOf) -> None:
    """RFC 8628 §5.1: an answer tells a guesser nothing."""
    expired = asked(world)
    world.clock.pass_(600)
    denied, used = asked(world), asked(world)
    decide(browser, denied, "deny")
    decide(browser, used)
    poll(world, used)
    seen = {}
    for name, code in (
        ("expired", expired["user_code"]),
        ("denied", denied["user_code"]),
        ("used", used["user_code"]),
        ("unknown", "BBBB-BBBB"),
    ):
        answer = enter(browser, code)
        seen[name] = (answer.status_code, answer.text.replace(code, "CODE"))
        assert WRONG in answer.text
    assert len(set(seen.values())) == 1
    reasons = [event["reason"] for event in world.events("request:refused")]
    assert reasons == ["user_code.expired", "user_code.decided", "user_code.decided", "user_code.unknown"]


def tries(browser: BrowserOf, code: str, number: int) -> list[int]:
    return [enter(browser, code).status_code for _ in range(number)]


def test_guessing_has_to_wait_by_account_and_a_right_code_forgives_nothing(world: World, browser: BrowserOf) -> None:
    own = asked(world)
    assert tries(browser, "BBBB-BBBB", 3) == [400] * 3
    assert RIGHT in enter(browser, own["user_code"]).text
    assert tries(browser, "BBBB-BBBB", 3) == [400, 400, 429]
    refused = enter(browser, own["user_code"])
    assert (refused.status_code, "too many attempts" in refused.text) == (429, True)
    assert int(refused.headers["Retry-After"]) >= 1
    assert reason(world) == "throttle.account"
    agent = BrowserOf(world)
    agent.sign_in("agent")
    assert RIGHT in enter(agent, own["user_code"]).text
    assert BrowserOf(world).sign_in("customer").status_code == 303  # tries of codes do not lock anybody out
    world.clock.pass_(60)
    assert RIGHT in enter(browser, own["user_code"]).text


def test_guessing_has_to_wait_by_address_too(make_sqlite_world: Any) -> None:
    world: World = make_sqlite_world(accounts={"address_free_failures": 3})
    statuses = []
    for who in ("agent", "customer"):
        browser = BrowserOf(world)
        browser.sign_in(who)
        statuses += tries(browser, "BBBB-BBBB", 2)
    assert statuses == [400, 400, 400, 429]
    assert reason(world) == "throttle.address"


# --- programs in words
