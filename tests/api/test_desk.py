"""An agent's desk: who one is, what one may ask for, which customers there are, and what asking would come to."""

from typing import Any

import pytest
from sqlalchemy import update

from authserver.storage import people
from authserver.storage.tables import Session, User
from tests.api.conftest import MakePolicy
from tests.conftest import MakeWorld
from tests.world import API, PAYMENTS, Answer, World

CUSTOMERS = "/api/v1/customers"
OPTIONS = "/api/v1/impersonations/options"
NOBODY = "usr_00000000000000000000000000000000"
HOURS = "context.hour >= 0 && context.hour <= 23"


def change(world: World, name: str, **values: Any) -> None:
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id(name), **values)


def search(world: World, text: str, who: str = "agent") -> list[str]:
    answer = world.api("GET", CUSTOMERS, who, query_string={"q": text})
    assert answer.status_code == 200, answer.text
    assert answer.json["next"] is None
    return [item["name"] for item in answer.json["items"]]


def preview(world: World, name: str, who: str = "agent", **query: str) -> Answer:
    known = world.credentials["users"].get(name)
    return world.api("GET", f"{CUSTOMERS}/{known['id'] if known else name}", who, query_string=query)


def outcomes(answer: Answer) -> dict[str, dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return {each["mode"]: each for each in answer.json["outcomes"]}


# --- me


@pytest.mark.parametrize(
    ("who", "role", "population"),
    [("agent", "support", "staff"), ("auditor", "auditor", "staff"), ("customer", "customer", "customers")],
)
def test_everybody_may_read_who_they_are(world: World, who: str, role: str, population: str) -> None:
    me = world.api("GET", "/api/v1/me", who)
    assert me.status_code == 200
    shown = me.json
    assert (shown["id"], shown["username"], shown["roles"]) == (world.id(who), f"{who}@example.com", [role])
    assert (shown["email"], shown["population"]) == (f"{who}@example.com", population)
    assert (shown["acr"], shown["auth_time"]) == ("urn:authserver:acr:mfa", "2027-01-15T08:00:00.000Z")
    assert ("impersonate" in shown["scopes"]) is (who == "agent")


def test_scope_of_a_role_that_was_lost_is_not_shown_as_ones_own(world: World) -> None:
    change(world, "agent", roles=[])
    me = world.api("GET", "/api/v1/me", "agent").json
    assert (me["roles"], me["scopes"]) == ([], [])


# --- options


def test_options_say_what_a_start_may_say(world: World) -> None:
    shown = world.api("GET", OPTIONS, "agent").json
    assert shown["reason_codes"][0] == {"code": "customer_initiated_support", "label": "Customer initiated support"}
    assert (shown["ticket_required"], shown["ticket_pattern"]) == (True, "[A-Z]+-[0-9]+")
    assert (shown["reason_required"], shown["reason_code_required"], shown["break_glass"]) == (True, False, False)
    assert (shown["modes"], shown["default_mode"]) == (["read_only"], "read_only")
    assert shown["expires_in"] == {"default": 3600, "maximum": 3600}
    assert (shown["client_id"], shown["clients"]) == ("backend", [{"client_id": "backend", "name": "Support backend"}])
    assert [each["uri"] for each in shown["resources"]] == [API, PAYMENTS]
    accounts = shown["resources"][0]
    assert (accounts["name"], accounts["default"]) == ("Accounts", True)
    assert accounts["scopes"] == [
        {
            "name": "accounts:read",
            "access": "read",
            "description": "See your accounts, their balances and transactions",
        },
        {"name": "cards:write", "access": "write", "description": "Block and unblock your cards"},
    ]
    assert shown["apps"] == [{"name": "demo-bank", "label": "Demo bank", "platform": "android"}]
    assert shown["consent_ways"] == ["account", "mail"]
    assert shown["withholding_reason_codes"] == ["legal_request"]


def test_lead_is_offered_full_mode_and_break_glass(world: World) -> None:
    shown = world.api("GET", OPTIONS, "lead").json
    assert (shown["modes"], shown["break_glass"]) == (["read_only", "full"], True)


def test_options_hold_wherever_and_whenever_the_policy_would_refuse_the_ask_itself(make_policy: MakePolicy) -> None:
    world = make_policy({HOURS: "context.hour >= 20"})
    shown = world.api("GET", OPTIONS, "lead").json
    assert (shown["modes"], shown["ticket_required"]) == (["read_only", "full"], True)


def test_options_follow_a_policy_that_wants_no_ticket_but_a_reason_code(make_policy: MakePolicy) -> None:
    world = make_policy({"unless { context.hasTicket };": "unless { true };", "when { context.hasReasonCode }\n": ""})
    shown = world.api("GET", OPTIONS, "agent").json
    assert (shown["ticket_required"], shown["reason_code_required"]) == (False, True)


def test_options_follow_a_policy_that_wants_no_words(make_policy: MakePolicy) -> None:
    world = make_policy({"unless { context.hasReason };": "unless { true };"})
    assert world.api("GET", OPTIONS, "agent").json["reason_required"] is False


@pytest.mark.parametrize("client_id", ["resource-server", "nobody"])
def test_options_of_a_client_that_may_not_exchange_are_refused(world: World, client_id: str) -> None:
    refused = world.api("GET", OPTIONS, "agent", query_string={"client_id": client_id})
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")


def test_app_for_others_is_not_offered(make_sqlite_world: MakeWorld) -> None:
    app = {"build_id": "b", "platform": "ios", "groups": ["tier-2"]}
    world = make_sqlite_world(appetize={"apps": {"second": app}})
    assert [each["name"] for each in world.api("GET", OPTIONS, "agent").json["apps"]] == ["demo-bank"]
    change(world, "agent", groups=["tier-2"])
    assert "second" in [each["name"] for each in world.api("GET", OPTIONS, "agent").json["apps"]]


# --- search


def test_customers_are_found_by_name_user_name_address_and_id(world: World) -> None:
    assert search(world, "casey") == ["Casey Customer"]
    assert search(world, "customer cas") == ["Casey Customer"]
    assert search(world, "customer-ask@") == ["Charlie Customer"]
    assert search(world, world.id("vip")) == ["Vivian Customer"]
    assert search(world, "custom") == ["Casey Customer", "Charlie Customer", "Vivian Customer"]
    assert search(world, "xx") == search(world, "c") == search(world, "c u") == search(world, "c%_") == []


def test_one_letter_finds_who_is_called_exactly_so(world: World) -> None:
    change(world, "customer", username="c")
    assert search(world, "C") == ["Casey Customer"]


def test_letter_beyond_ascii_is_found_in_either_case(world: World) -> None:
    with world.work() as work:
        work.lock()
        work.session.execute(update(User).where(User.id == world.id("customer")).values(name="Åsa Öberg"))
    assert search(world, "åsa") == search(world, "Öb") == search(world, "ÅSA") == ["Åsa Öberg"]


@pytest.mark.parametrize("text", ["Avery", "lead@example.com", "Dana", "disabled@example.com"])
def test_staff_and_the_disabled_are_never_found(world: World, text: str) -> None:
    assert search(world, text) == []


def test_who_is_out_of_reach_is_not_found(world: World) -> None:
    change(world, "customer", conflicts=[world.id("agent")])
    assert search(world, "Casey") == []
    assert search(world, "Casey", "agent2") == ["Casey Customer"]
    change(world, "agent2", groups=["own-country-only"], country="DE")
    assert search(world, "Casey", "agent2") == []


def test_customer_is_shown_with_addresses_masked(world: World) -> None:
    found = world.api("GET", CUSTOMERS, "agent", query_string={"q": "vivian"})
    assert found.json["items"] == [
        {
            "id": world.id("vip"),
            "name": "Vivian Customer",
            "username": "v…@example.com",
            "email_hint": "v…@example.com",
            "tier": "vip",
            "country": "SE",
        }
    ]


def test_search_is_recorded_with_what_was_looked_for_apart(world: World) -> None:
    search(world, "casey")
    [event] = world.events("customers:searched")
    assert (event["actor"], event["count"], event["found"]) == (world.id("agent"), 1, [world.id("customer")])
    assert set(event["query"]) == {"commitment"}


def test_search_is_slowed_down_by_actor_and_minute(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(impersonation={"searches_per_minute": 3})
    for _ in range(3):
        search(world, "casey")
    refused = world.api("GET", CUSTOMERS, "agent", query_string={"q": "casey"})
    assert (refused.status_code, refused.json["error"]) == (429, "slow_down")
    assert int(refused.headers["Retry-After"]) > 0
    assert len(world.events("customers:searched")) == 3
    assert world.events("request:refused")[-1]["endpoint"] == "api.search_customers"
    assert search(world, "casey", "agent2") == ["Casey Customer"]
    world.clock.pass_(60)
    assert search(world, "casey") == ["Casey Customer"]


@pytest.mark.parametrize("query", [{}, {"q": ""}, {"q": "  "}, {"q": "a" * 129}, {"q": "casey", "limit": "9"}], ids=str)
def test_malformed_search_is_400(world: World, query: dict[str, str]) -> None:
    assert world.api("GET", CUSTOMERS, "agent", query_string=query).status_code == 400


def test_who_may_open_nobody_finds_nobody_and_is_told_why(make_policy: MakePolicy) -> None:
    world = make_policy({HOURS: "context.hour >= 20"})
    for path in (f"{CUSTOMERS}?q=casey", f"{CUSTOMERS}/{world.id('customer')}", f"{CUSTOMERS}/{NOBODY}"):
        refused = world.api("GET", path, "agent")
        assert (refused.status_code, refused.json["error"]) == (403, "access_denied")
        assert refused.json["says"] == ["It is outside the hours of work."]
        assert refused.json["detail"] == "You cannot open any customer now."


def test_who_signed_in_too_weakly_signs_in_again_before_they_search(world: World) -> None:
    weaken(world)
    refused = world.api("GET", CUSTOMERS, "agent", query_string={"q": "casey"})
    assert (refused.status_code, refused.json["error"]) == (401, "insufficient_user_authentication")


def weaken(world: World) -> None:
    with world.work() as work:
        work.lock()
        work.session.execute(update(Session).where(Session.user_id == world.id("agent")).values(acr="0"))


# --- preview


@pytest.mark.parametrize(
    ("target", "outcome", "needs", "says"),
    [
        ("customer", "allow", [], []),
        ("customer-ask", "needs_consent", ["needs_consent"], ["The customer is asked first."]),
        ("vip", "needs_approval", ["needs_approval"], ["Another person approves this first."]),
    ],
)
def test_preview_tells_what_a_start_would_come_to(
    world: World, target: str, outcome: str, needs: list[str], says: list[str]
) -> None:
    answer = preview(world, target)
    assert outcomes(answer) == {
        "read_only": {
            "mode": "read_only",
            "outcome": outcome,
            "needs": needs,
            "says": says,
            "acr_values": None,
            "max_age": None,
        }
    }
    assert answer.json["open"] is None
    assert answer.json["customer"]["id"] == world.id(target)
    assert world.api("GET", "/api/v1/impersonations", "agent").json["items"] == []
    [event] = world.events("customer:previewed")
    assert (event["actor"], event["subject"], event["outcomes"]) == (
        world.id("agent"),
        world.id(target),
        {"read_only": outcome},
    )


def test_preview_tells_an_agent_why_not_in_full_mode(world: World) -> None:
    shown = outcomes(preview(world, "customer", mode="full"))
    assert (shown["full"]["outcome"], shown["full"]["says"]) == ("deny", ["Full mode is for leads."])
    assert {mode: each["outcome"] for mode, each in outcomes(preview(world, "customer", "lead")).items()} == {
        "read_only": "allow",
        "full": "allow",
    }


def test_preview_tells_what_sign_in_is_lacking(world: World) -> None:
    weaken(world)
    shown = outcomes(preview(world, "customer-ask"))["read_only"]
    assert (shown["outcome"], shown["needs"]) == ("needs_step_up", ["needs_step_up", "needs_consent"])
    assert (shown["acr_values"], shown["max_age"]) == ("urn:authserver:acr:password urn:authserver:acr:mfa phr", 43200)
    assert shown["says"] == ["Sign in again: how you signed in is not known."]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"ticket_id": "bank 1042"}, ["The ticket is not a valid one."]),
        ({"reason_code": "curiosity"}, ["Choose one of the reasons on the list."]),
        ({"ticket_id": "BANK-1", "reason_code": "legal_request"}, []),
    ],
    ids=str,
)
def test_preview_takes_ticket_and_reason_code_into_account(
    world: World, query: dict[str, str], says: list[str]
) -> None:
    shown = outcomes(preview(world, "customer", **query))["read_only"]
    assert (shown["outcome"], shown["says"]) == ("deny" if says else "allow", says)


def test_who_cannot_be_opened_is_answered_alike_whoever_they_are(world: World) -> None:
    change(world, "vip", conflicts=[world.id("agent")])
    change(world, "customer-ask", roles=["customer", "support"])
    names = [NOBODY, "nonsense", "disabled", "lead", "agent", "agent2", "vip", "customer-ask"]
    answers = [preview(world, name) for name in names]
    assert {(answer.status_code, answer.text) for answer in answers} == {(403, answers[0].text)}
    assert {frozenset(answer.headers.keys()) for answer in answers} == {frozenset(answers[0].headers.keys())}
    assert answers[0].json["error"] == "access_denied"
    assert answers[0].json["detail"] == "This customer cannot be opened."
    assert "says" not in answers[0].json
    refused = world.events("request:refused")
    assert [event["endpoint"] for event in refused] == ["api.preview_customer"] * len(names)
    assert refused[0]["target"] == NOBODY
    assert refused[-1]["policies"] == ["target.staff"]
    assert world.events("customer:previewed") == []


def test_previews_count_against_the_quota_of_customers_as_exchanges_do(make_policy: MakePolicy) -> None:
    world = make_policy({"context.distinctCustomers > 200": "context.distinctCustomers > 3"})
    assert preview(world, "customer").status_code == preview(world, "customer").status_code == 200
    assert preview(world, NOBODY).status_code == 403
    assert world.way_a(target="customer-ask").json["error"] == "consent_required"
    refused = preview(world, "vip")
    assert refused.json["says"] == ["You have tried too many different customers in the last hour."]
    assert refused.text == preview(world, "disabled").text
    assert world.way_a(target="vip").json["error"] == "access_denied"
    assert preview(world, "vip", "agent2").status_code == 200


def test_preview_shows_what_the_caller_has_open_with_the_customer(world: World) -> None:
    started = world.start(target="customer-ask").json
    shown = preview(world, "customer-ask").json["open"]
    assert (shown["id"], shown["state"]) == (started["id"], "awaiting_consent")
    assert shown["consent_number"] == started["consent_number"]
    assert preview(world, "customer-ask", "agent2").json["open"] is None
    world.end(started["id"])
    assert preview(world, "customer-ask").json["open"] is None


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"mode": "god"}, "invalid_request"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
        ({"client_id": "resource-server"}, "invalid_request"),
        ({"expires_in": "0"}, "invalid_request"),
        ({"unknown": "1"}, "invalid_request"),
    ],
    ids=str,
)
def test_malformed_preview_is_400(world: World, query: dict[str, str], error: str) -> None:
    refused = preview(world, "customer", **query)
    assert (refused.status_code, refused.json["error"]) == (400, error)


def test_preview_is_of_the_resources_that_are_named(world: World) -> None:
    assert outcomes(preview(world, "customer", resource=f"{API} {PAYMENTS}"))["read_only"]["outcome"] == "allow"
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("customer"), roles=["holder"])
    shown = outcomes(preview(world, "customer", resource=API))["read_only"]
    assert (shown["outcome"], shown["says"]) == ("deny", ["Nothing of what is asked for can be opened so."])


def test_what_is_asked_for_has_names_beside_its_identifiers(world: World) -> None:
    started = world.start("agent").json
    assert started["resource"] == [API]
    assert started["resources"] == [
        {
            "uri": API,
            "name": "Accounts",
            "scopes": [{"name": "accounts:read", "description": "See your accounts, their balances and transactions"}],
        }
    ]


def test_the_trail_says_what_its_people_are_called(world: World) -> None:
    world.start("agent")
    shown = world.api("GET", "/api/v1/audit/events?name=impersonation:requested", "auditor").json
    assert shown["names"] == {world.id("agent"): "Avery Agent", world.id("customer"): "Casey Customer"}
