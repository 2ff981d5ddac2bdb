"""Links from elsewhere to a customer: a page that merely leads an agent here spends nothing of their quota."""

from typing import Any

import pytest

from authserver.storage import attempts
from tests.conftest import MakeWorld
from tests.console.staff import Staff, console_world, text
from tests.world import Answer, World

CRM = "https://crm.example.com"
CROSS = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    return console_world(make_sqlite_world, console={"link_origins": [CRM]})


@pytest.fixture
def staff(world: World) -> Staff:
    staff = Staff(world)
    staff.enter()
    return staff


def go(staff: Staff, path: str, query: dict[str, Any], **headers: str) -> Answer:
    return Answer.of(staff.http.get(path, query_string=query, headers=headers, base_url=staff.issuer))


def follow(staff: Staff, world: World, **headers: str) -> Answer:
    """Go to a customer as a browser does that another page leads there."""
    query = {
        "subject": world.id("customer"),
        "ticket": "BANK-1042",
        "reason": '"><b>x',
        "override": "break_glass",
    }
    return go(staff, "/console/start", query, **headers)


def searches(world: World) -> list[str]:
    return [event["name"] for event in world.events("customers:searched")]


def looked_up(world: World) -> int:
    return len(world.events("customer:previewed"))


@pytest.mark.parametrize(
    "headers",
    [
        CROSS,
        {**CROSS, "Sec-Fetch-Site": "same-site"},
        {**CROSS, "Referer": "https://evil.example/"},
        {**CROSS, "Referer": f"{CRM}.evil.example/"},
        {**CROSS, "Referer": f"https://evil.example/{CRM}/"},
        {**CROSS, "Referer": "http://[/"},
        {"Referer": "https://evil.example/"},
    ],
    ids=str,
)
def test_page_elsewhere_has_the_agent_asked_first(world: World, staff: Staff, headers: dict[str, str]) -> None:
    asked = follow(staff, world, **headers)
    assert asked.status_code == 200
    assert "Look up this customer?" in text(asked)
    assert "<b>x" not in asked.text
    assert looked_up(world) == 0
    address = asked.text.partition('id="look-up" href="')[2].partition('"')[0].replace("&amp;", "&")
    shown = staff.get(address)
    assert "Casey Customer" in text(shown)
    assert 'value="BANK-1042"' in shown.text
    assert "<b>x" not in shown.text
    assert 'name="reason" value=""' in shown.text
    assert looked_up(world) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {**CROSS, "Referer": f"{CRM}/"},
        {**CROSS, "Referer": f"{CRM}/case/7?x=y"},
        {**CROSS, "Sec-Fetch-Site": "none"},
        {**CROSS, "Sec-Fetch-Site": "same-origin"},
        {"Referer": f"{CRM}/"},
        {},
    ],
    ids=str,
)
def test_known_crm_and_the_agents_own_step_open_a_customer_at_once(
    world: World, staff: Staff, headers: dict[str, str]
) -> None:
    shown = follow(staff, world, **headers)
    assert "Casey Customer" in text(shown)
    assert 'name="reason" value="&#34;&gt;&lt;b&gt;x"' in shown.text
    assert 'value="break_glass" checked' not in shown.text
    assert looked_up(world) == 1


def test_page_elsewhere_has_the_agent_asked_first_after_a_sign_in_too(world: World) -> None:
    staff = Staff(world)
    begun = follow(staff, world, **CROSS)
    assert begun.status_code == 303
    asked = staff.enter(path=staff.local(begun.headers["Location"]))
    assert "Look up this customer?" in text(asked)
    assert looked_up(world) == 0


def test_page_elsewhere_cannot_say_where_a_sign_in_leads(world: World) -> None:
    for headers, words in ((CROSS, "Find a customer"), ({}, "Look up")):
        staff = Staff(world)
        wanted = {"return_to": f"/console/start?subject={world.id('customer')}&ask=first"}
        begun = go(staff, "/console/sign-in", wanted, **headers)
        assert words in text(staff.enter(path=staff.local(begun.headers["Location"])))


def test_page_elsewhere_searches_nothing(world: World, staff: Staff) -> None:
    shown = go(staff, "/console/", {"q": "casey"}, **CROSS)
    assert "Another page led you here" in text(shown)
    assert "Casey Customer" not in text(shown)
    assert 'value="casey"' in shown.text
    refused = go(staff, "/console/find", {"q": "casey"}, **CROSS)
    assert refused.status_code == 403
    assert world.events("request:refused")[-1]["reason"] == "console.found_elsewhere"
    assert searches(world) == []
    assert "Casey Customer" in text(
        go(staff, "/console/", {"q": "casey"}, **{**CROSS, "Sec-Fetch-Site": "same-origin"})
    )
    assert searches(world) != []


def test_page_elsewhere_searches_nothing_after_a_sign_in_either(world: World) -> None:
    staff = Staff(world)
    begun = go(staff, "/console/", {"q": "casey"}, **CROSS)
    assert "Another page led you here" in text(staff.enter(path=staff.local(begun.headers["Location"])))
    assert searches(world) == []


def test_same_customer_within_the_hour_is_one_that_was_tried(make_sqlite_world: MakeWorld) -> None:
    world = console_world(make_sqlite_world)
    staff = Staff(world)
    staff.enter()
    for _ in range(3):
        follow(staff, world)
    with world.work() as work:
        assert attempts.count(work.session, world.id("agent"), but="", since=0) == 1
