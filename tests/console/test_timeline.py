"""One impersonation as a timeline, to each who may see it."""

import re
from html import unescape

import pytest

from authserver.audit.events.governance import NoticeSent
from tests.console.staff import Staff, text
from tests.world import Answer, World


def story(world: World) -> str:
    """Tell one: asked, approved, used, refused something, and ended."""
    started = world.start(target="vip", expires_in=600).json
    body = {"decision": "approve", "remark": "seen the ticket"}
    world.api("POST", f"/api/v1/impersonations/{started['id']}/approval", "lead", json=body)
    token = world.way_c(started["handle"]).json["access_token"]
    world.clock.pass_(10)
    action = {"id": "1", "kind": "view.accounts", "at": "2027-01-15T08:00:05Z", "details": {"screen": "accounts"}}
    world.api("POST", f"/api/v1/impersonations/{started['id']}/actions", token=token, json={"actions": [action]})
    world.api("POST", f"/api/v1/impersonations/{started['id']}/extend", token=token, json={"expires_in": 60})
    world.end(started["id"])
    return str(started["id"])


def steps(shown: Answer) -> list[str]:
    return re.findall(r'<div class="step"><strong><bdi>([^<]+)</bdi>', shown.text)


WHOLE = [
    "Requested",
    "Approved",
    "Became active",
    "A token was issued",
    "view.accounts",
    "Performed actions were reported",
    "A call was refused",
    "Ended",
]


@pytest.mark.parametrize("who", ["auditor", "admin", "lead"])
def test_who_sees_all_sees_every_step(world: World, staff: Staff, who: str) -> None:
    told = story(world)
    shown = staff.enter(who, f"/console/impersonations/{told}")
    assert steps(shown) == WHOLE
    assert "Remark: seen the ticket" in text(shown)
    assert "Screen: accounts" in text(shown)
    assert "by Avery Agent" in text(shown)
    assert ("/console/trail/" in shown.text) is (who != "lead")
    assert ("Client address" in text(shown)) is (who != "lead")


def test_its_actor_sees_less(world: World, staff: Staff) -> None:
    told = story(world)
    shown = staff.enter("agent", f"/console/impersonations/{told}")
    assert steps(shown) == [step for step in WHOLE if step != "A call was refused"]
    assert "/console/trail/" not in shown.text
    assert steps(staff.get(f"/console/impersonations/{told}/timeline")) == steps(shown)


def test_another_agent_sees_nothing(world: World, staff: Staff) -> None:
    told = story(world)
    staff.enter("agent2", "/console/")
    for path in ("", "/timeline"):
        assert staff.get(f"/console/impersonations/{told}{path}").status_code == 404


def test_one_that_only_waits_has_its_beginning(world: World, staff: Staff) -> None:
    waiting = world.start(target="vip").json["id"]
    assert steps(staff.enter("auditor", f"/console/impersonations/{waiting}")) == ["Requested"]


def much(world: World, count: int) -> str:
    """Have so much happen in one that it ends with its step `count`."""
    started = str(world.start().json["id"])
    with world.work() as work:
        work.lock()
        for number in range(count - 3):
            sent = NoticeSent(
                impersonation_id=started,
                message_id=f"<{number}>",
                kind="impersonation_started",
                channel="mail",
                recipient="x@y",
                attempts=1,
            )
            world.wired.trail.record(work, sent)
    world.end(started)
    return started


def show_more(shown: Answer) -> str:
    [address] = re.findall(r'<a [^>]*id="show-more"[^>]* href="([^"]+)">Show more</a>', shown.text)
    return unescape(address)


def test_the_rest_is_a_link_away(world: World, staff: Staff) -> None:
    told = much(world, 450)
    first = staff.enter("auditor", f"/console/impersonations/{told}")
    assert len(steps(first)) == 200
    assert "200 steps are shown, and there are more." in text(first)
    address, _, last = show_more(first).partition("#")
    assert re.findall(r'<li id="([^"]+)"', first.text)[-1] == last
    second = staff.get(address)
    assert steps(second)[:200] == steps(first)
    assert f'<li id="{last}"' in second.text
    assert "400 steps are shown, and there are more." in text(second)
    third = staff.get(show_more(second).partition("#")[0])
    assert (len(steps(third)), steps(third)[-1]) == (450, "Ended")
    assert "All 450 steps are shown." in text(third)
    assert "Show more" not in third.text


def test_after_a_thousand_steps_the_next_begin_on_their_own(world: World, staff: Staff) -> None:
    """No address has the console read without end."""
    told = much(world, 1_010)
    page = f"/console/impersonations/{told}"
    full = staff.enter("auditor", f"{page}?pages=5")
    assert len(steps(full)) == 1_000
    assert "1000 steps are shown, and there are more." in text(full)
    last = staff.get(show_more(full).partition("#")[0])
    assert (len(steps(last)), steps(last)[-1]) == (10, "Ended")
    assert "What came before is not shown here." in text(last)
    assert f'<a href="{page}#timeline">From the beginning</a>' in last.text
    assert len(steps(staff.get(f"{page}?pages=9"))) == 1_000
    for pages in ("0", "x", "-1", "1" * 5_000, "\u0665"):
        assert len(steps(staff.get(page, query_string={"pages": pages}))) == 200


def test_live_part_has_as_much_as_its_page_and_names_what_can_be_opened(world: World, staff: Staff) -> None:
    """By those names the page's script finds again what was open."""
    told = much(world, 250)
    shown = staff.enter("agent", f"/console/impersonations/{told}?pages=2")
    [address] = re.findall(r' data-told="([^"]+)"', shown.text)
    part = staff.get(unescape(address))
    assert steps(part) == steps(shown)
    names = re.findall(r'<details id="([^"]+)"', part.text)
    assert names == re.findall(r'<details id="(details-[^"]+)"', shown.text)
    assert len(set(names)) == len(names) == part.text.count("<details") == len(steps(part))


def test_actions_have_names_that_stay_when_more_come(world: World, staff: Staff) -> None:
    told = story(world)
    shown = staff.enter("agent", f"/console/impersonations/{told}")
    assert f'<details id="details-{world.id("agent")}-1">' in shown.text
    assert shown.text.count("<details id=") == len(steps(shown))


def test_bad_cursor_in_an_address_is_said(world: World, staff: Staff) -> None:
    told = story(world)
    refused = staff.enter("auditor", f"/console/impersonations/{told}?cursor=x")
    assert refused.status_code == 400
    assert "cursor is not one that was given out." in text(refused)
