"""The auditor at the console: the trail, one event of it, its proof, and a download."""

import csv
import io
import json
import re
from typing import Any

import pytest
import requests
from sqlalchemy import text as sql

from authserver.api.prover import Prover
from authserver.audit import heads
from authserver.audit.events.event import Event
from authserver.audit.proof import Report
from authserver.console import event_words
from authserver.storage import DbSession
from tests.console.staff import Staff, parts_of, text
from tests.world import World

TRAIL, VERIFY, EXPORT, REPORTS = (f"/console/{page}" for page in ("trail", "trail/verify", "trail/export", "reports"))
HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}\u202e"


@pytest.fixture
def auditor(staff: Staff) -> Staff:
    staff.enter("auditor", "/console/impersonations")
    return staff


def refuse(world: World) -> None:
    """Have the agent refused something."""
    assert world.api("GET", "/api/v1/audit/events", "agent").status_code == 403


def names_of(shown: Any) -> list[str]:
    return re.findall(r'class="event-name[^"]*">([^<]+)<', shown.text)


def rows(shown: Any) -> list[int]:
    return [int(seq) for seq in re.findall(r'<details name="event" id="e(\d+)"', shown.text)]


# --- the trail


def test_the_trail_is_in_plain_words_and_opens_to_the_whole_event(world: World, auditor: Staff) -> None:
    started = world.start().json["id"]
    shown = auditor.get(TRAIL)
    assert shown.status_code == 200
    assert "Impersonation asked for" in names_of(shown)
    assert rows(shown) == sorted(rows(shown), reverse=True)
    assert started in shown.text
    assert "Avery Agent" in text(shown)
    seq = next(event["seq"] for event in world.events("impersonation:requested"))
    alone = auditor.get(f"{TRAIL}/{seq}")
    assert "<h1>Impersonation asked for</h1>" in alone.text
    assert f"/console/impersonations/{started}#timeline" in alone.text
    assert "personal" in text(alone)


@pytest.mark.parametrize("seq", ["999999", "999999999999999999999999", "0"])
def test_an_event_that_is_not_there_is_404(auditor: Staff, seq: str) -> None:
    assert auditor.get(f"{TRAIL}/{seq}").status_code == 404


def test_filters_find_what_they_say(world: World, auditor: Staff) -> None:
    started = world.start().json["id"]
    world.clock.pass_(60)
    refuse(world)
    assert set(names_of(auditor.get(TRAIL, outcome="refusals"))) == {"Call refused"}
    assert set(names_of(auditor.get(TRAIL, name="impersonation:"))) == {
        "Impersonation asked for",
        "Impersonation became active",
    }
    assert names_of(auditor.get(TRAIL, name="impersonation:requested")) == ["Impersonation asked for"]
    assert "Call refused" not in names_of(auditor.get(TRAIL, impersonation_id=started))
    by_name, by_id = (
        auditor.get(TRAIL, person=who, name="request:refused") for who in ("avery agent", world.id("agent"))
    )
    assert names_of(by_name) == names_of(by_id) == ["Call refused"]
    assert not names_of(auditor.get(TRAIL, person=world.id("agent2"), name="request:refused"))
    assert names_of(auditor.get(TRAIL, q="api.list_audit_events", outcome="refusals")) == ["Call refused"]
    assert "Token issued" in names_of(auditor.get(TRAIL, client_id="console"))
    assert not names_of(auditor.get(TRAIL, client_id="nobody"))
    late = auditor.get(TRAIL, since="2027-01-15T08:01", outcome="refusals")
    early = auditor.get(TRAIL, until="2027-01-15T08:01:00Z", outcome="refusals")
    assert (names_of(late), names_of(early)) == (["Call refused"], [])


def test_what_was_searched_for_stays_in_the_form_and_in_the_export(auditor: Staff) -> None:
    shown = auditor.get(TRAIL, outcome="refusals", since="2027-01-01T00:00:00Z", name="request:refused", q="nobody")
    assert 'value="2027-01-01T00:00"' in shown.text
    assert 'data-instant="2027-01-01T00:00:00Z"' in shown.text
    assert 'value="request:refused" selected' in shown.text
    assert 'value="refusals" checked' in shown.text
    query = "name=request%3Arefused&amp;since=2027-01-01T00%3A00%3A00Z&amp;outcome=refusals&amp;q=nobody"
    for form in ("csv", "jsonl"):
        assert f"/console/trail/export?{query}&amp;format={form}" in shown.text
    assert "Nothing fits" in shown.text


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("q", "ab", "3 to 64 characters"),
        ("since", "yesterday", "From is no date"),
        ("until", "2027-02-31T10:00", "none that there is"),
        ("person", "Nobody Known", "Nobody is called that"),
        ("client_id", "a b", "no client"),
        ("impersonation_id", "<i>", "no impersonation"),
        ("name", "Robert'); --", "no such event"),
    ],
)
def test_a_filter_that_is_none_is_said_and_kept(auditor: Staff, field: str, value: str, words: str) -> None:
    shown = auditor.get(TRAIL, **{field: value})
    assert (shown.status_code, words in shown.text) == (400, True)
    assert "<title>Error: " in shown.text


def test_a_page_follows_another_and_keeps_the_filters(world: World, auditor: Staff) -> None:
    for _ in range(45):
        refuse(world)
    first = auditor.get(TRAIL, outcome="refusals")
    found = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert found is not None
    second = auditor.get(found[1].replace("&amp;", "&"))
    assert (len(rows(first)), len(rows(second))) == (40, 5)
    assert max(rows(second)) < min(rows(first))
    assert set(names_of(second)) == {"Call refused"}


def test_an_empty_part_of_a_long_trail_goes_on(auditor: Staff, monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    call = parts_of(world).api.call

    def nothing_here(method: str, path: str, *args: Any, **more: Any) -> Any:
        if path.endswith("/audit/events"):
            return {"items": [], "names": {}, "next_cursor": "7"}
        return call(method, path, *args, **more)

    monkeypatch.setattr(type(parts_of(world).api), "call", lambda _self, *args, **more: nothing_here(*args, **more))
    shown = auditor.get(TRAIL, q="seldom")
    assert "Nothing in this part of the trail" in shown.text
    assert 'href="/console/trail?q=seldom&amp;cursor=7">Go on' in shown.text


def test_every_event_has_words() -> None:
    names = {each.name for each in Event.__subclasses__() if each.__module__.startswith("authserver.")}
    assert len(names) > 50
    assert names <= set(event_words.WORDS)
    groups = [group for group, _ in event_words.choices()]
    assert len(groups) == len(set(groups))


# --- the proof


def test_the_trail_is_verified_with_one_click(world: World, auditor: Staff) -> None:
    world.start()
    with world.work() as work:
        heads.sign_head(
            work,
            world.wired.clock,
            world.wired.keyring.head_signer(work.session),
            world.wired.settings.audit.anchor_file,
        )
    done = auditor.send(VERIFY, auditor.get(TRAIL))
    assert done.status_code == 303
    shown = auditor.follow(done)
    assert "The trail is intact" in shown.text
    [said] = world.events("trail:verified")
    assert f"All {said['events']} events follow each other" in text(shown)
    assert "Signed head event" in text(shown)
    assert said["by"] == world.id("auditor")


def test_what_does_not_fit_is_named(world: World, auditor: Staff) -> None:
    world.start()
    with world.work() as work:
        work.lock()
        work.session.execute(sql("UPDATE audit_events SET payload = :it WHERE seq = 2"), {"it": json.dumps(HOSTILE)})
    shown = auditor.follow(auditor.send(VERIFY, auditor.get(TRAIL)))
    assert "The trail is not intact" in shown.text
    assert "event 2 " in text(shown)
    assert "<img src=x" not in auditor.get(f"{TRAIL}/2").text


def test_that_another_verification_runs_is_said(world: World, auditor: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    prove, runs = Prover.prove, iter([True, False])

    def busy(prover: Prover, session: DbSession) -> Report:
        if next(runs):
            with prover._running:
                return prove(prover, session)
        return prove(prover, session)

    monkeypatch.setattr(Prover, "prove", busy)
    shown = auditor.send(VERIFY, auditor.get(TRAIL))
    assert (shown.status_code, "A verification is running already" in shown.text) == (409, True)
    assert not world.events("trail:verified")
    assert auditor.send(VERIFY, auditor.get(TRAIL)).status_code == 303


def test_nothing_is_verified_without_the_proof_of_the_form(world: World, auditor: Staff) -> None:
    assert auditor.post(VERIFY).status_code == 403
    assert not world.events("trail:verified")


# --- the download


def test_the_export_has_the_filters_in_force(world: World, auditor: Staff) -> None:
    refuse(world)
    lines = auditor.get(EXPORT, outcome="refusals", format="jsonl")
    assert (lines.status_code, lines.headers["Content-Type"]) == (200, "application/jsonl")
    assert lines.headers["Content-Disposition"] == 'attachment; filename="audit.jsonl"'
    assert [json.loads(line)["name"] for line in lines.text.splitlines()] == ["request:refused"]
    table = auditor.get(EXPORT, outcome="refusals", format="csv")
    assert table.headers["Content-Type"].startswith("text/csv")
    assert [row["name"] for row in csv.DictReader(io.StringIO(table.text))] == ["request:refused"]
    assert world.events("trail:read")[-1]["how"] == "export"


def test_an_export_of_what_fits_nothing_is_refused(auditor: Staff) -> None:
    assert auditor.get(EXPORT, q="ab").status_code == 400


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_export_that_breaks_off_says_so(auditor: Staff, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    whole = requests.Response.iter_content

    def broken(self: requests.Response, *args: Any) -> Any:
        if self.headers.get("Content-Disposition"):
            yield next(iter(whole(self, *args)))
            raise requests.exceptions.ChunkedEncodingError
        yield from whole(self, *args)

    monkeypatch.setattr(requests.Response, "iter_content", broken)
    shown = auditor.get(EXPORT, format=form)
    if form == "csv":
        last = list(csv.DictReader(io.StringIO(shown.text)))[-1]
        said = (last["name"], json.loads(last["payload"]))
    else:
        record = json.loads(shown.text.splitlines()[-1])
        said = (record["name"], record["payload"])
    assert said == ("export:stopped", {"error": "connection_lost"})


# --- who may not


@pytest.mark.parametrize("who", ["agent", "lead", "customer"])
def test_who_reads_no_trail_is_refused_by_the_api(world: World, staff: Staff, who: str) -> None:
    shown = staff.enter(who, "/console/")
    before = len(world.events("request:refused"))
    paths = (TRAIL, f"{TRAIL}?person=No+One", f"{TRAIL}/1", VERIFY, EXPORT)
    for path in paths:
        assert staff.get(path).status_code == 403, path
    assert staff.send(VERIFY, shown).status_code == 403
    refused = world.events("request:refused")[before:]
    assert len(refused) == len(paths) + 1
    assert {event["actor"] for event in refused} == {world.id(who)}
    assert not world.events("trail:verified")


@pytest.mark.parametrize("who", ["auditor", "admin"])
def test_who_reads_the_trail_finds_it(staff: Staff, who: str) -> None:
    staff.enter(who, "/console/impersonations")
    for path in (TRAIL, f"{TRAIL}/1", VERIFY, EXPORT, REPORTS):
        assert staff.get(path).status_code == 200, path


# --- what strangers wrote


def test_hostile_words_stay_words_wherever_the_trail_shows_them(world: World, auditor: Staff) -> None:
    started = world.start(reason=HOSTILE).json["id"]
    waiting = world.start("agent2", target="vip", reason=HOSTILE).json["id"]
    denied = {"decision": "deny", "remark": HOSTILE}
    assert world.api("POST", f"/api/v1/impersonations/{waiting}/approval", "lead", json=denied).status_code < 300
    world.post(
        "/oauth/token", {"grant_type": "client_credentials", "client_id": HOSTILE, "scope": HOSTILE}, client=None
    )
    world.api("GET", "/api/v1/audit/events", "agent", headers={"User-Agent": HOSTILE})
    with world.work() as work:
        work.lock()
        work.session.execute(sql("UPDATE users SET name = :it WHERE username LIKE 'a%'"), {"it": HOSTILE})
        work.session.execute(sql("UPDATE clients SET name = :it"), {"it": HOSTILE})
    with world.app.app_context():
        world.wired.jobs._record_strangers(everything=True)
    paths = [TRAIL, REPORTS, *(f"/console/impersonations/{each}" for each in (started, waiting))]
    paths += [f"/console/impersonations/{started}/timeline", f"{TRAIL}?name=strangers:refused"]
    paths += [f"{TRAIL}/{event['seq']}" for event in world.events("impersonation:requested")]
    for path in paths:
        shown = auditor.get(path)
        assert shown.status_code == 200, path
        assert "<img src=x" not in shown.text, path
        assert "{{7*7}}" in shown.text or "49" not in shown.text, path
    assert "&lt;img src=x" in auditor.get(paths[2]).text


@pytest.mark.parametrize(
    "field", ["q", "name", "person", "client_id", "impersonation_id", "since", "outcome", "cursor"]
)
def test_hostile_filters_stay_words(auditor: Staff, field: str) -> None:
    shown = auditor.get(TRAIL, **{field: HOSTILE})
    assert shown.status_code == (200 if field == "q" else 400)
    assert "<img src=x" not in shown.text
