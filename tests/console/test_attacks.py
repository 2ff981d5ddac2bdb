"""Whoever would have the console do something else: by addresses, from other origins, by endless answers."""

import itertools

import pytest

from authserver.storage.tables import ConsoleSession
from authserver.web import console_sessions
from authserver.web.markers import Markers
from authserver.web.vouching import HEADER, Vouching
from tests.conftest import MakeWorld
from tests.console.staff import Staff, console_world, wire
from tests.world import ISSUER, World

ELSEWHERE = "203.0.113.7"


def refused_at(world: World) -> str:
    """Return the address that the trail has of the newest refusal."""
    found = world.api("GET", "/api/v1/audit/events?name=request:refused&limit=1", "auditor").json["items"]
    return str(found[0]["personal"]["address"])


@pytest.mark.parametrize(
    "name",
    ["..", "...", "%2e%2e", "..%252f..%252fusers", "x%3flimit=1", "x%23", "%20", "x%252fend", "x%5c..", "%00", "é"],
)
def test_no_address_of_a_page_leads_to_another_place_of_the_api(world: World, staff: Staff, name: str) -> None:
    staff.enter()
    sent = len(wire(world).sent)
    for tail in ("", "/now"):
        assert staff.get(f"/console/impersonations/{name}{tail}").status_code in {303, 400, 404}
    known = {"/api/v1/me", "/api/v1/impersonations"}
    assert {path for _, path in wire(world).sent[sent:]} <= known


@pytest.mark.parametrize(("name", "status"), [("stream", 502), ("options", 404)])
def test_what_is_no_impersonation_is_not_shown_as_one(world: World, staff: Staff, name: str, status: int) -> None:
    staff.enter()
    assert staff.get(f"/console/impersonations/{name}").status_code == status  # a stream would never end
    assert not world.app.extensions["authserver"].watch._watched
    assert staff.get("/console/mine").status_code == 200


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_no_other_page_has_a_part_of_the_console(world: World, staff: Staff, site: str) -> None:
    """A host beside ours, such as the one of the vendor's script, would have the cookie sent along."""
    staff.enter()
    searches = len(world.events("customers:searched"))

    def fetch(mode: str, dest: str, path: str = "/console/find?q=charl") -> int:
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        return staff.http.get(path, headers=headers, base_url=ISSUER).status_code

    for mode, dest in (("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("websocket", "websocket")):
        assert fetch(mode, dest) == 403
        assert fetch(mode, dest, "/console/live/impersonations") == 403
    assert len(world.events("customers:searched")) == searches
    assert fetch("navigate", "document", "/console/mine") == 200  # a link does lead here


def test_a_form_that_is_not_ours_leaves_its_evidence(world: World, staff: Staff) -> None:
    staff.enter()
    assert staff.post("/console/start", csrf="x" * 43, subject=world.id("customer")).status_code == 403
    refused = world.events("request:refused")[-1]
    assert (refused["reason"], refused["endpoint"]) == ("console.csrf_token", "console.ask")
    assert (refused["actor"], refused["client_id"]) == (world.id("agent"), "console")
    assert "xxxx" not in str(refused)


def test_policy_and_trail_have_the_address_of_the_person(world: World, staff: Staff) -> None:
    """The console calls from an address of the bank's own, wherever the person is."""
    staff.enter()
    staff.http.environ_base["REMOTE_ADDR"] = ELSEWHERE
    staff.get("/console/impersonations/imp_unknown")
    assert world.events("request:refused")[-1]["reason"] == "impersonation.unknown"
    assert refused_at(world) == ELSEWHERE


def test_nobody_else_says_where_they_are(world: World) -> None:
    wired = world.wired
    vouching = Vouching(Markers(wired.hasher, wired.clock))
    genuine = vouching.headers(ELSEWHERE)[HEADER]
    assert vouching.address(genuine) == ELSEWHERE
    forged = (ELSEWHERE, f"{ELSEWHERE} ", genuine.replace("203", "10", 1), genuine[:-1], f"{ELSEWHERE} address.1.00")
    for value in forged:
        assert vouching.address(value) is None
        world.api("GET", "/api/v1/impersonations/imp_unknown", "agent", headers={HEADER: value})
        assert refused_at(world) == "127.0.0.1"
    world.clock.pass_(3600)
    assert vouching.address(genuine) is None


def test_strangers_fill_no_table(make_sqlite_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_sessions, "_MOST", {"sign_in": 3})
    world = console_world(make_sqlite_world)
    staff = Staff(world)
    staff.enter()
    for _ in itertools.repeat(None, 8):
        world.clock.pass_(1)
        assert Staff(world).post("/console/start", reason="x" * 9000).status_code == 200
    with world.work() as work:
        kinds = [row.kind for row in work.session.query(ConsoleSession).all()]
    assert sorted(kinds) == ["session", "sign_in", "sign_in", "sign_in"]
    assert staff.get("/console/mine").status_code == 200
