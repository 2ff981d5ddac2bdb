"""What an admin looks at: trusted issuers, keys, the policy, health; and the one thing to change here: the keys."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from authserver import settings as settings_module
from authserver.audit.heads import sign_head
from authserver.federation.cache import Cached, Times
from authserver.federation.refusals import UnavailableError
from authserver.storage.tables import OutboxMessage
from tests.conftest import MakeWorld
from tests.world import HandClock, World, header

SHIPPED = settings_module.config_folder() / "policy"
CORP: dict[str, Any] = {
    "issuer": "https://login.corp.example",
    "population": "staff",
    "client_id": "authserver",
    "client_secret": "s3cret-of-ours",
    "presenters": [{"client": "backend", "types": ["id_token"]}],
}


def get(world: World, path: str) -> dict[str, Any]:
    answer = world.api("GET", f"/api/v1/{path}", "admin")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store"), answer.text
    return answer.json


# --- issuers


def test_issuers_are_listed_with_what_is_cached_and_without_a_secret(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(**{"federation.issuers.corp": CORP})
    answer = world.api("GET", "/api/v1/issuers", "admin")
    nothing = {"state": "none", "fetched_at": None, "tried_at": None, "failure": None}
    assert answer.json["items"] == [
        {
            "name": "corp",
            "issuer": CORP["issuer"],
            "label": "",
            "population": "staff",
            "provision": "never",
            "sign_in": True,
            "algorithms": ["RS256", "ES256", "PS256"],
            "audiences": [],
            "presenters": [{"client_id": "backend", "types": ["id_token"]}],
            "discovery": nothing,
            "jwks": nothing,
            "keys": [],
        }
    ]
    assert CORP["client_secret"] not in answer.text


def test_failed_fetch_is_shown_with_the_issuer_and_in_health(make_sqlite_world: MakeWorld) -> None:
    unreachable = {**CORP, "issuer": "http://127.0.0.1:1", "allow_private_addresses": True, "connect_timeout": 1}
    world = make_sqlite_world(**{"federation.issuers.corp": unreachable})
    [known] = world.wired.federation.trusted.all()
    with pytest.raises(UnavailableError):
        known.metadata.get()
    [shown] = get(world, "issuers")["items"]
    assert (shown["discovery"]["state"], shown["discovery"]["tried_at"]) == ("none", "2027-01-15T08:00:00.000Z")
    assert shown["discovery"]["failure"].startswith("transport.")
    assert check(world, "issuers") == ("warn", "The last fetch failed for corp.")


def test_what_is_kept_ages_and_says_how_the_last_fetch_went() -> None:
    clock, answers = HandClock(), ["keys"]

    def fetch() -> str:
        if not answers:
            raise UnavailableError("transport.refused")
        return answers.pop()

    cached = Cached(fetch, Times(10, 20, 1), clock, background=lambda task: task())
    assert (cached.peek(), cached.kept().state) == (None, "none")
    began = clock.now()
    cached.get()
    assert (cached.peek(), cached.kept().state, cached.kept().failure) == ("keys", "fresh", None)
    clock.pass_(10)
    assert cached.get() == "keys"
    kept = cached.kept()
    assert (kept.state, kept.fetched_at, kept.tried_at) == ("stale", began, began + 10)
    assert kept.failure == "transport.refused"
    clock.pass_(20)
    assert (cached.peek(), cached.kept().state) == ("keys", "expired")


# --- keys


def test_keys_are_listed_without_their_private_parts(world: World) -> None:
    items = get(world, "keys")["items"]
    assert {(item["use"], item["alg"], item["state"]) for item in items} == {
        ("sig", "ES256", "signing"),
        ("sig", "RS256", "signing"),
        ("audit", "Ed25519", "signing"),
    }
    assert not [item for item in items if item["problem"] or item.keys() & {"d", "public_jwk"}]


def test_rotated_key_signs_once_validators_had_time(make_world: MakeWorld) -> None:
    world = make_world(keys={"publish_seconds": 600})
    before = header(world.way_a().json["access_token"])["kid"]
    rotated = world.api("POST", "/api/v1/keys/rotate", "admin", json={})
    assert rotated.status_code == 201, rotated.text
    key, old = rotated.json["key"], rotated.json["predecessor"]
    assert (key["use"], key["alg"], key["state"]) == ("sig", "ES256", "published")
    assert (key["signs_from"], old["kid"], old["state"]) == ("2027-01-15T08:10:00.000Z", before, "signing")
    assert header(world.way_a().json["access_token"])["kid"] == before
    again = world.api("POST", "/api/v1/keys/rotate", "admin", json={"use": "sig", "alg": "ES256"})
    assert (again.status_code, again.json["error"]) == (409, "conflict")
    world.clock.pass_(600)
    assert header(world.way_a().json["access_token"])["kid"] == key["kid"]
    published, retired = world.events("key:changed")[-2:]
    assert (published["kid"], published["action"], published["by"]) == (key["kid"], "published", world.id("admin"))
    assert (retired["kid"], retired["action"]) == (before, "retired")


def test_audit_key_and_another_algorithm_are_rotated_by_name(world: World) -> None:
    audit = world.api("POST", "/api/v1/keys/rotate", "admin", json={"use": "audit"}).json
    assert (audit["key"]["alg"], audit["key"]["state"]) == ("Ed25519", "signing")
    assert audit["predecessor"]["state"] == "retired"
    first = world.api("POST", "/api/v1/keys/rotate", "admin", json={"alg": "EdDSA"}).json
    assert (first["key"]["alg"], first["predecessor"]) == ("EdDSA", None)


def test_key_that_is_young_is_rotated_by_force_alone_and_a_remark(make_world: MakeWorld) -> None:
    world = make_world(keys={"rotation_seconds": 600})

    def rotate(**body: Any) -> Any:
        return world.api("POST", "/api/v1/keys/rotate", "admin", json=body)

    world.clock.pass_(600)
    for body in ({"use": "audit"}, {}):
        assert rotate(**body).status_code == 201
        refused = rotate(**body)
        assert (refused.status_code, refused.json["error"]) == (409, "conflict")
        assert world.events("request:refused")[-1]["reason"] == "keys.rotated_lately"
        assert rotate(**body, force=True).status_code == 400
        assert rotate(**body, remark="stolen").status_code == 400
        assert rotate(**body, force=True, remark=" ").status_code == 400
        assert rotate(**body, force=True, remark="the disk of the server was stolen").status_code == 409
        world.clock.pass_(60)
        forced = rotate(**body, force=True, remark="the disk of the server was stolen")
        assert forced.status_code == 201, forced.text
    events = world.events("key:changed")
    published = [event for event in events if event["by"] == world.id("admin") and event["action"] == "published"]
    assert [event["details"]["forced"] for event in published] == [False, True, False, True]
    assert set(published[1]["remark"]) == {"commitment"}
    world.clock.pass_(600)
    assert rotate(use="audit").status_code == 201


@pytest.mark.parametrize("body", [{"use": "enc"}, {"alg": "none"}, {"use": "audit", "alg": "ES256"}, {"kid": "x"}])
def test_rotation_of_what_is_no_key_is_400(world: World, body: dict[str, str]) -> None:
    refused = world.api("POST", "/api/v1/keys/rotate", "admin", json=body)
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")
    assert not [event for event in world.events("key:changed") if event["by"] == world.id("admin")]


def test_key_that_cannot_be_written_is_a_conflict_and_changes_nothing(world: World) -> None:
    before = get(world, "keys")
    folder = world.wired.settings.keys.folder
    away = folder.rename(folder.with_name("away"))
    folder.write_text("in the way")
    refused = world.api("POST", "/api/v1/keys/rotate", "admin", json={})
    folder.unlink()
    away.rename(folder)
    assert (refused.status_code, refused.json["error"]) == (409, "conflict")
    assert get(world, "keys") == before


def test_one_of_two_rotations_at_once_is_refused(make_world: MakeWorld) -> None:
    world = make_world(keys={"publish_seconds": 600})
    start, statuses = threading.Barrier(2), list[int]()

    def rotate() -> None:
        start.wait()
        client = world.app.test_client()
        headers = {"Authorization": f"Bearer {world.token('admin')}"}
        answer = client.post("/api/v1/keys/rotate", json={}, headers=headers, base_url="http://127.0.0.1:9000")
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=rotate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 409]
    assert [item["state"] for item in get(world, "keys")["items"] if item["alg"] == "ES256"] == ["signing", "published"]


# --- the policy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A policy folder of one's own."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "policy"))


def test_policy_is_shown_as_it_is_in_force_with_texts_and_annotations(world: World) -> None:
    shown = get(world, "policy")
    assert (shown["digest"], shown["on_disk"]) == (world.wired.judge.policy.digest, {"state": "same", "problem": None})
    assert shown["loaded_at"] == "2027-01-15T08:00:00.000Z"
    files = {file["name"]: file for file in shown["files"]}
    assert set(files) == {path.name for path in SHIPPED.glob("*.cedar*")}
    assert files["target.cedar"]["text"] == (SHIPPED / "target.cedar").read_text()
    rules = {rule["id"]: rule for rule in shown["policies"]}
    assert {name for file in files.values() for name in file["policies"]} == set(rules)
    staff = rules["target.staff"]
    assert (staff["effect"], staff["outcome"], staff["file"]) == ("forbid", None, "target.cedar")
    assert staff["annotations"]["id"] == "target.staff"
    assert staff["annotations"]["why"] in staff["text"]
    lines = files["target.cedar"]["text"].splitlines()
    assert lines[staff["line"] - 1].startswith("@id")
    assert rules["needs.consent"]["outcome"] == "needs_consent"


def test_policy_on_disk_that_is_not_in_force_is_told(make_sqlite_world: MakeWorld, folder: Path) -> None:
    world = make_sqlite_world(policy={"folder": str(folder)})
    quota, digest = folder / "quota.cedar", get(world, "policy")["digest"]
    text = quota.read_text()
    quota.write_text(text.replace("distinctCustomers > 200", "distinctCustomers > 20"))
    assert get(world, "policy")["on_disk"]["state"] == "changed"
    assert check(world, "policy")[0] == "warn"
    quota.write_text("nonsense")
    shown = get(world, "policy")
    assert (shown["digest"], shown["on_disk"]["state"]) == (digest, "broken")
    assert shown["on_disk"]["problem"].startswith("quota.cedar:1: ")
    assert check(world, "policy")[0] == "fail"
    quota.write_text(text)
    assert check(world, "policy")[0] == "ok"


def test_taken_up_policy_says_since_when(make_sqlite_world: MakeWorld, folder: Path) -> None:
    world = make_sqlite_world(policy={"folder": str(folder)})
    before = get(world, "policy")["digest"]
    quota = folder / "quota.cedar"
    quota.write_text(quota.read_text().replace("distinctCustomers > 200", "distinctCustomers > 20"))
    for _ in range(3):
        world.clock.pass_(10)
        world.wired.jobs.tick()
    shown = get(world, "policy")
    assert shown["digest"] != before
    assert (shown["on_disk"]["state"], shown["loaded_at"]) == ("same", "2027-01-15T08:00:20.000Z")


@pytest.mark.parametrize(
    ("case", "outcome", "policy"),
    [
        ({}, "allow", "target.customers"),
        ({"target": {"population": "staff"}}, "deny", "target.staff"),
        ({"facts": {"mode": "full"}}, "deny", "who.full-mode-is-for-leads"),
        ({"facts": {"reason": ""}}, "invalid_request", "reason.required"),
        ({"facts": {"consent": "none"}}, "needs_consent", "needs.consent"),
        ({"target": {"tier": "vip"}}, "needs_approval", "needs.vip-approval"),
        ({"facts": {"client_address": "not an address"}}, "deny", "policy.error"),
    ],
    ids=str,
)
def test_case_is_decided_as_the_table_of_cases_would(
    world: World, case: dict[str, Any], outcome: str, policy: str
) -> None:
    events = len(world.events())
    tried = world.api("POST", "/api/v1/policy/try", "admin", json=case)
    assert (tried.status_code, tried.json["outcome"], tried.json["met"]) == (200, outcome, None), tried.text
    assert policy in tried.json["policies"]
    assert tried.json["in_words"][-1] == f"Decided by {', '.join(tried.json['policies'])}."
    assert len(world.events()) == events


def test_case_that_expects_something_is_told_whether_it_is_met(world: World) -> None:
    case: dict[str, Any] = {"name": "staff", "expect": "deny", "target": {"population": "staff"}}
    assert world.api("POST", "/api/v1/policy/try", "admin", json=case).json["met"] is True
    case["policies"] = ["who.staff-only"]
    assert world.api("POST", "/api/v1/policy/try", "admin", json=case).json["met"] is False
    case["expect"] = "maybe"
    assert world.api("POST", "/api/v1/policy/try", "admin", json=case).status_code == 400


def test_need_says_what_would_meet_it(world: World) -> None:
    case = {"actor": {"roles": ["lead"]}, "facts": {"break_glass": True, "auth_age": 301, "consent": "none"}}
    tried = world.api("POST", "/api/v1/policy/try", "admin", json=case).json
    assert set(tried) >= {"acr_values", "max_age", "also", "why", "says", "policy_set"}


@pytest.mark.parametrize(
    "case",
    [
        {"facts": {"hour": "10"}},
        {"facts": {"colour": "red"}},
        {"facts": {"consent": "maybe"}},
        {"actor": {"roles": "support"}},
        {"target": {"enabled": 1}},
        {"base": {}},
        {"facts": {"reason": "\0"}},
        {"actor": {"roles": ["support"] * 101}},
    ],
    ids=str,
)
def test_what_is_no_case_is_400(world: World, case: dict[str, Any]) -> None:
    refused = world.api("POST", "/api/v1/policy/try", "admin", json=case)
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")


# --- health


def check(world: World, name: str) -> tuple[str, str]:
    """Return the status and the words of one thing that was looked at."""
    [found] = [item for item in get(world, "health")["checks"] if item["name"] == name]
    return found["status"], found["words"]


def sealed(world: World) -> World:
    """Sign the trail's head as the jobs do."""
    with world.work() as work:
        signer = world.wired.keyring.head_signer(work.session)
        sign_head(work, world.clock, signer, world.wired.settings.audit.anchor_file)
    return world


def test_health_is_the_worst_of_its_checks_each_with_words(make_sqlite_world: MakeWorld) -> None:
    world = sealed(make_sqlite_world(notification={"channels": ["folder"]}))
    shown = get(world, "health")
    assert (shown["status"], shown["at"]) == ("warn", "2027-01-15T08:00:00.000Z")
    assert {item["name"]: item["status"] for item in shown["checks"]} == {
        "database": "ok",
        "jobs": "warn",
        "outbox": "ok",
        "keys": "ok",
        "policy": "ok",
        "heads": "ok",
        "disk": "ok",
        "issuers": "ok",
    }
    assert all(item["words"].endswith(".") for item in shown["checks"])
    world.wired.jobs.tick()
    assert get(world, "health")["status"] == "ok"


def _late_message(world: World) -> None:
    with world.work() as work:
        work.lock()
        row = OutboxMessage(
            id="msg_1", kind="notice", user_id=world.id("customer"), channel=0, attempts=0,
            created_at=world.clock.now() - 700, due_at=world.clock.now() - 601,
        )  # fmt: skip
        work.session.add(row)


def _stopped_jobs(world: World) -> None:
    world.wired.jobs.tick()
    world.clock.pass_(31)


def _unsigned(world: World) -> None:
    world.start()
    world.clock.pass_(21)


def _lost_key(world: World) -> None:
    min(world.wired.settings.keys.folder.glob("*.pem")).unlink()


@pytest.mark.parametrize(
    ("break_", "name", "words"),
    [
        (_late_message, "outbox", "Messages wait, the first for 601 s"),
        (_stopped_jobs, "jobs", "did its jobs 31 s ago"),
        (_unsigned, "heads", "Events of 21 s have no signed head"),
        (_lost_key, "keys", "1 keys cannot be used on this machine"),
    ],
)
def test_what_is_broken_fails_by_name(
    make_sqlite_world: MakeWorld, break_: Callable[[World], None], name: str, words: str
) -> None:
    world = sealed(make_sqlite_world(notification={"channels": ["folder"]}))
    break_(world)
    status, said = check(world, name)
    assert (status, words in said) == ("fail", True), said
    assert get(world, "health")["status"] == "fail"


def test_old_keys_missing_channels_and_a_missing_anchor_are_warned_of(world: World) -> None:
    assert check(world, "outbox") == ("warn", "No channel is configured, so nobody is told anything.")
    assert check(sealed(world), "heads")[0] == "ok"
    world.wired.settings.audit.anchor_file.unlink()
    assert check(world, "heads")[0] == "warn"
