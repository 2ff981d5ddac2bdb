"""The trail as a download: as much as was asked for, no formula in it, and the reading recorded (design section 5)."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from authserver.audit.events.sign_in import SessionEnded
from authserver.storage import people, search, trail
from tests.conftest import MakeWorld
from tests.world import ISSUER, Answer, World

EXPORT = "/api/v1/audit/export"


def export(world: World, who: str = "auditor", **query: Any) -> Answer:
    return world.api("GET", EXPORT, who, query_string=query)


def lines(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


def cells(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


def test_json_lines_hold_the_whole_trail_up_to_the_call(make_world: MakeWorld) -> None:
    world = make_world()
    world.start()
    before = [event["seq"] for event in world.events()]
    answer = export(world)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/jsonl")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.jsonl"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert [record["seq"] for record in lines(answer)] == before
    [requested] = [record for record in lines(answer) if record["name"] == "impersonation:requested"]
    assert requested["personal"]["client_address"] == "127.0.0.1"
    shown = [(event["reader"], event["how"], event["query"]) for event in world.events("trail:read")]
    assert shown == [(world.id("auditor"), "export", {"format": "jsonl"})]


def test_csv_has_a_header_and_no_formula(world: World) -> None:
    world.start(reason='=cmd|"/c calc"!A1')
    world.api("GET", "/api/v1/audit/events", "admin", query_string={"q": "=1+1"})
    answer = export(world, "admin", format="csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    records = cells(answer)
    assert len(records) == len(world.events()) - 1
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for record in records for cell in record.values())


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"name": "impersonation:"}, {"impersonation:requested", "impersonation:activated", "impersonation:ended"}),
        ({"name": "impersonation:ended"}, {"impersonation:ended"}),
        ({"outcome": "refusals"}, {"request:refused"}),
        ({"until": "2027-01-15T07:59:59Z"}, set()),
        ({"q": "BANK-1042"}, {"impersonation:requested"}),
    ],
    ids=["family", "name", "outcome", "until", "text"],
)
def test_export_is_narrowed_as_a_listing_is(world: World, query: dict[str, str], names: set[str]) -> None:
    world.end(world.start().json["id"])
    world.api("GET", EXPORT, "agent")
    found = lines(export(world, **query))
    assert {record["name"] for record in found} == names
    listed = world.api("GET", "/api/v1/audit/events", "auditor", query_string={"limit": 200, **query}).json["items"]
    assert [record["seq"] for record in found] == [item["seq"] for item in listed if item["name"] != "trail:read"][::-1]


def test_erased_value_is_in_no_export_and_in_no_listing(make_world: MakeWorld) -> None:
    world = make_world()
    secret = "a wrong balance of Carla"
    world.start(reason=secret)
    assert secret in export(world).text
    [requested] = world.events("impersonation:requested")
    with world.work() as work:
        work.lock()
        assert trail.erase_personal(work.session, "main", requested["seq"], "reason")
    for form in ("jsonl", "csv"):
        assert secret not in export(world, format=form).text
    assert secret not in world.api("GET", "/api/v1/audit/events", "auditor").text
    assert world.api("POST", "/api/v1/audit/verify", "auditor").json["intact"] is True


def test_more_than_a_batch_is_streamed(world: World) -> None:
    with world.work() as work:
        for number in range(1_100):
            world.wired.trail.record(work, _event(number))
    answer = export(world, name="session:ended")
    assert [record["payload"]["session_id"] for record in lines(answer)] == [f"ses_{n}" for n in range(1_100)]
    assert [r["payload"]["session_id"] for r in lines(export(world, person="usr_x"))] == [
        f"ses_{n}" for n in range(1_100)
    ]


def _event(number: int) -> SessionEnded:
    return SessionEnded(session_id=f"ses_{number}", user_id="usr_x", by="system")


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_whoever_loses_their_role_meanwhile_reads_no_more_and_is_told(world: World, form: str) -> None:
    """The last line says so, for nobody may take what there is for the whole."""
    with world.work() as work:
        for number in range(1_100):
            world.wired.trail.record(work, _event(number))
    answer, parts = begun(world, form)
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("auditor"), roles=[])
    assert stop_of(form, parts + [_text(part) for part in answer]) == {"error": "insufficient_scope"}
    assert world.events("request:refused")[-1]["endpoint"] == "api.export_audit_events"


def test_export_that_fails_says_that_it_is_not_the_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.work() as work:
        for number in range(1_100):
            world.wired.trail.record(work, _event(number))
    answer, parts = begun(world, "csv")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError

    monkeypatch.setattr(search, "next_batch", fail)
    assert stop_of("csv", parts + [_text(part) for part in answer]) == {"error": "server_error"}
    monkeypatch.undo()
    assert export(world).status_code == 200


def begun(world: World, form: str) -> tuple[Iterator[bytes | str], list[str]]:
    """Begin to read: the header, where there is one, and the first batch."""
    headers = {"Authorization": f"Bearer {world.token('auditor')}"}
    answer: Any = world.http.open(f"{EXPORT}?format={form}", method="GET", headers=headers, base_url=ISSUER)
    parts = iter(answer.response)
    return parts, [_text(next(parts)) for _ in range(2 if form == "csv" else 1)]


def _text(part: bytes | str) -> str:
    return part.decode() if isinstance(part, bytes) else part


def stop_of(form: str, parts: list[str]) -> Any:
    """Return what the last record of an export that was stopped says."""
    text = "".join(parts)
    if form == "jsonl":
        last = json.loads(text.splitlines()[-1])
        assert (last["name"], last["seq"]) == ("export:stopped", None)
        return last["payload"]
    record = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))[-1]
    assert (record["name"], record["seq"]) == ("export:stopped", "")
    return json.loads(record["payload"])


def test_downloads_count_as_streams_and_give_their_slot_back(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(streams={"per_person": 1})
    headers = {"Authorization": f"Bearer {world.token('auditor')}"}
    held = world.http.open(EXPORT, method="GET", headers=headers, base_url=ISSUER)
    refused = export(world)
    assert (refused.status_code, refused.json["error"]) == (429, "slow_down")
    held.close()
    assert export(world).status_code == 200
    assert export(world).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"format": "xlsx"},
        {"since": "yesterday"},
        {"since": "2027-02-30T00:00:00Z"},
        {"person": "usr_\0"},
        {"outcome": "all"},
        {"q": "ab"},
        {"name": "Impersonation"},
        {"limit": 5},
    ],
    ids=repr,
)
def test_malformed_question_is_400_and_no_reading(world: World, query: dict[str, Any]) -> None:
    refused = export(world, **query)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/problem+json")
    assert world.events("trail:read") == []


@pytest.mark.parametrize("who", ["agent", "lead", "customer"])
def test_nobody_else_downloads(world: World, who: str) -> None:
    assert export(world, who).status_code == 403
    assert world.events("trail:read") == []
    assert world.events("request:refused")[-1]["actor"] == world.id(who)
