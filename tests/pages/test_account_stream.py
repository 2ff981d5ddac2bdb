"""The stream that a customer's open pages listen to: that it tells of changes, what never, to whom, and how many."""

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from werkzeug.test import TestResponse

from authserver.pages.live import VersionStream
from authserver.storage import people
from authserver.storage.database import db
from tests.conftest import MakeWorld
from tests.consenting import approve, asking, browser_of, consent
from tests.signing_in import BrowserOf, hidden
from tests.streams import Heard, blocks, heard
from tests.world import ISSUER, World

STREAM = "/account/stream"
OFTEN = {"check_seconds": 1, "account_per_person": 2, "account_in_all": 3, "per_person": 1, "in_all": 1}
WHO = "customer-ask"


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    """A world whose streams are checked every second, two a customer and three in all."""
    return make_sqlite_world(streams=OFTEN)


@contextmanager
def opened(browser: BrowserOf, *, method: str = "GET", **headers: str) -> Iterator[TestResponse]:
    response = browser.http.open(STREAM, method=method, headers=headers, base_url=ISSUER)
    try:
        yield response
    finally:
        response.close()


@contextmanager
def listening(browser: BrowserOf) -> Iterator[Iterator[Heard]]:
    with opened(browser) as response:
        assert response.status_code == 200, response.text
        yield heard(response.iter_encoded())


def version(browser: BrowserOf) -> str:
    return str(browser.get("/account/live").json["version"])


def report(world: World, impersonation_id: str) -> None:
    body = {"actions": [{"id": "a1", "kind": "view.accounts", "at": "2027-01-15T08:00:00Z", "details": {}}]}
    path = f"/api/v1/impersonations/{impersonation_id}/actions"
    answer = world.http.post(path, json=body, headers=world.basic("resource-server"), base_url=ISSUER)
    assert answer.status_code == 200, answer.text


# --- what it tells


def test_every_change_is_told_as_a_new_version_and_nothing_else(make_world: MakeWorld) -> None:
    """Neither who, nor why, nor even that somebody asks stands in it."""
    world = make_world(streams={**OFTEN, "check_seconds": 10})
    browser = browser_of(world)
    with listening(browser) as events:
        told = [next(events)]
        waiting = asking(world)["id"]
        told.append(next(events))
        consent(world, waiting)
        told.append(next(events))
        report(world, waiting)
        told.append(next(events))
        began = time.monotonic()
        assert world.api("POST", f"/api/v1/impersonations/{waiting}/end", "agent").status_code == 200
        told.append(next(events))
    assert time.monotonic() - began < 5, "not at the next check, but at once"
    assert [each.event for each in told] == ["version"] * 5
    assert all(set(each.data) == {"version"} for each in told)
    assert len({each.data["version"] for each in told}) == 5
    assert told[-1].data["version"] == version(browser)
    assert [each.id for each in told] == sorted({each.id for each in told})


def test_stream_begins_with_the_version_of_now_and_nobody_may_keep_it(world: World) -> None:
    browser = browser_of(world)
    with opened(browser) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert "Set-Cookie" not in response.headers
        found = blocks(response.iter_encoded())
        first = [next(found) for _ in range(3)]
    assert first[0] == "retry: 1000"
    assert f'data: {{"version": "{version(browser)}"}}' in first[1]
    assert first[2] == "event: alive\ndata: 1", "a page hears events alone, and wants to know that it hears"


def test_what_happens_to_others_wakes_nobody(world: World) -> None:
    with opened(browser_of(world)) as response:
        found = blocks(response.iter_encoded())
        next(found), next(found)
        world.start(target="customer")
        assert [next(found).partition("\n")[0] for _ in range(2)] == ["event: alive"] * 2


def test_what_is_withheld_changes_no_version(world: World) -> None:
    legal = {"reason_code": "legal_request", "reason": "a court's order"}
    browser = browser_of(world, "vip")
    with listening(browser) as events:
        before = next(events).data["version"]
        assert world.start("lead", target="vip", **legal).json["state"] == "awaiting_approval"
        assert version(browser) == before
        other = world.start(target="vip", ticket_id="BANK-2").json["id"]
        assert approve(world, other).status_code == 200
        assert next(events).data["version"] != before


# --- to whom


def test_who_is_not_signed_in_hears_nothing(world: World) -> None:
    answer = BrowserOf(world).get(STREAM)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


def test_staff_have_no_such_stream(world: World) -> None:
    for who in ("agent", "admin"):
        assert browser_of(world, who).get(STREAM).status_code == 403
        assert world.events("request:refused")[-1]["reason"] == "access.table"


def test_token_is_no_way_in_least_of_all_one_that_acts(world: World) -> None:
    for token in (world.token("customer"), world.way_a().json["access_token"]):
        assert world.api("GET", STREAM, token=token).status_code == 403


@pytest.mark.parametrize("path", [STREAM, "/account/live"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=lambda headers: "-".join(f"{name}={value}" for name, value in headers.items()),
)
def test_pages_of_others_do_not_listen_with_a_customers_cookie(
    world: World, path: str, headers: dict[str, str]
) -> None:
    browser = browser_of(world)
    answer = browser.http.get(path, headers=headers, base_url=ISSUER)
    assert answer.status_code == 403
    assert "version" not in answer.text


def test_our_own_page_listens(world: World) -> None:
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": ISSUER}):
        with opened(browser_of(world), **headers) as response:
            assert response.status_code == 200


def sign_out(_: World, browser: BrowserOf) -> None:
    form = hidden(browser.get("/logout"))
    browser.post("/logout", **form)


def change(world: World, **values: Any) -> None:
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id(WHO), **values)


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (sign_out, "session.none"),
        (lambda world, _: world.clock.pass_(100_000), "session.none"),
        (lambda world, _: change(world, enabled=False), "session.none"),
        (lambda world, _: change(world, roles=["support"]), "access.table"),
    ],
    ids=["signed out", "expired", "disabled", "role lost"],
)
def test_stream_ends_when_its_customer_may_hear_no_more(world: World, happens: Any, reason: str) -> None:
    browser = browser_of(world)
    with listening(browser) as events:
        next(events)
        happens(world, browser)
        told = list(events)
    assert [(each.event, each.data) for each in told] == [("over", {})]
    event = world.events("request:refused")[-1]
    assert (event["endpoint"], event["reason"]) == ("pages.account_stream", reason)
    assert event["actor"] == world.id(WHO)


def test_a_page_that_listens_keeps_nobody_signed_in(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(streams=OFTEN, accounts={"session_idle_seconds": 600})
    browser = browser_of(world)
    with listening(browser) as events:
        next(events)
        for _ in range(9):
            world.clock.pass_(61)
            asking(world, ticket_id=f"BANK-{world.clock.now()}")
            next(events)
        world.clock.pass_(61)
        assert [each.event for each in events] == ["over"]


# --- how many


def test_streams_of_customers_are_capped_per_person_and_in_all(world: World) -> None:
    browser, other = browser_of(world), browser_of(world, "customer")
    events = len(world.events())
    with opened(browser), opened(browser):
        refused = browser.get(STREAM)
        assert (refused.status_code, refused.json["error"]) == (429, "slow_down")
        assert int(refused.headers["Retry-After"]) > 0
        with opened(other) as third:
            assert third.status_code == 200
            full = other.get(STREAM)
            assert (full.status_code, full.json["error"]) == (503, "temporarily_unavailable")
            assert int(full.headers["Retry-After"]) > 0
    assert len(world.events()) == events, "counted, and not recorded one by one"
    with opened(browser) as again:
        assert again.status_code == 200


def test_customers_and_the_api_take_no_stream_from_each_other(world: World) -> None:
    browser = browser_of(world)
    started = world.start().json["id"]
    path = f"/api/v1/impersonations/{started}/stream"
    headers = {"Authorization": f"Bearer {world.token('agent')}"}
    with opened(browser), opened(browser), opened(browser_of(world, "customer")) as full:
        assert full.status_code == 200
        theirs = world.app.test_client().get(path, headers=headers, base_url=ISSUER)
        assert theirs.status_code == 200
        assert world.api("GET", path, "agent").status_code == 429
        theirs.close()


def test_a_share_of_nothing_refuses_at_once_and_pages_ask(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(streams={"account_in_all": 0})
    browser = browser_of(world)
    began = time.monotonic()
    assert browser.get(STREAM).status_code == 503
    assert time.monotonic() - began < 0.5
    assert browser.get("/account/live").status_code == 200


def test_few_wait_for_a_slot_at_once_and_the_others_are_refused_at_once(world: World) -> None:
    """Whoever waits holds a thread of the server."""
    browsers = [browser_of(world, "customer") for _ in range(8)]
    took: list[float] = []

    def come(browser: BrowserOf) -> None:
        began = time.monotonic()
        assert browser.get(STREAM).status_code in {429, 503}
        took.append(time.monotonic() - began)

    mine = browser_of(world)
    with opened(mine), opened(mine), opened(browser_of(world, "vip")):
        threads = [threading.Thread(target=come, args=(browser,)) for browser in browsers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(took) == 8
    assert sum(each >= 0.9 for each in took) == 4, took


def test_opening_counts_as_a_look(world: World) -> None:
    browser = browser_of(world)
    for _ in range(180):
        browser.get("/account/live")
    answer = browser.get(STREAM)
    assert (answer.status_code, answer.json["error"]) == (429, "slow_down")


# --- nothing stays


def test_streams_hold_no_connection_and_give_everything_back(make_world: MakeWorld) -> None:
    world = make_world(streams=OFTEN)
    browser = browser_of(world)
    with listening(browser) as events, world.app.app_context():
        next(events)
        until = time.monotonic() + 5
        while db.engine.pool.checkedout() and time.monotonic() < until:  # type: ignore[attr-defined]
            time.sleep(0.02)
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    with opened(browser, method="HEAD") as head:
        assert head.status_code == 200
    with opened(browser), opened(browser) as both:
        assert both.status_code == 200


def test_process_that_stops_ends_the_streams_and_takes_no_more(world: World) -> None:
    browser = browser_of(world)
    with listening(browser) as events:
        next(events)
        world.wired.watch.stop()
        assert list(events) == []
    assert browser.get(STREAM).status_code == 503
    gc.collect()
    assert not any(isinstance(each, VersionStream) and each._leave.alive for each in gc.get_objects())
