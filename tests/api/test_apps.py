"""Apps through the API: checked by the rules of the settings, changed by admins, and used by every process at once."""

import re
import threading
from functools import partial
from typing import Any

import pytest

from authserver import settings as settings_module
from authserver.api import apps as operations
from authserver.api.call import Call
from authserver.appetize.apps import AppRefused, Apps
from authserver.storage import DbSession, people
from authserver.storage import apps as stored
from authserver.storage.apps import StoredApp
from tests.appetize.handing_off import (
    SECTIONS,
    at_page,
    configured,
    fresh_code,
    hand_off,
    new_code,
    redeem,
    renew,
)
from tests.conftest import MakeWorld
from tests.journeys.at_once import at_once, statuses
from tests.world import ISSUER, Answer, World

APPS = "/api/v1/appetize/apps"
PLAIN: dict[str, Any] = {"build_id": "b_1", "platform": "android"}
PAGE = "https://support.example.com"


def create(world: World, name: str = "bank", **settings: Any) -> None:
    created = world.api("POST", APPS, "admin", json={"name": name, "settings": {**PLAIN, **settings}})
    assert created.status_code == 201, created.text


def change(world: World, name: str = "bank", **settings: Any) -> None:
    body = {"settings": {**PLAIN, **settings}}
    changed = world.api("PUT", f"{APPS}/{name}", "admin", json=body)
    assert changed.status_code == 200, changed.text


def names(world: World) -> list[str]:
    return [item["name"] for item in world.api("GET", APPS, "admin").json["items"]]


# --- as they are managed


def test_app_is_created_read_changed_and_disabled_with_an_event_of_each(world: World) -> None:
    create(world, groups=["tier-2"])
    shown = world.api("GET", f"{APPS}/bank", "admin").json
    assert re.fullmatch(r"[0-9a-f]{32}", shown.pop("version"))
    assert shown == {
        "name": "bank",
        "label": "Bank",
        "source": "api",
        "read_only": False,
        "enabled": True,
        "in_force": True,
        "settings": {**PLAIN, "groups": ["tier-2"]},
        "problems": [],
        "created_at": "2027-01-15T08:00:00.000Z",
        "changed_at": "2027-01-15T08:00:00.000Z",
    }
    world.clock.pass_(60)
    change(world, language="de")
    disabled = world.api("DELETE", f"{APPS}/bank", "admin").json
    assert (disabled["enabled"], disabled["in_force"]) == (False, False)
    assert disabled["settings"] == {**PLAIN, "language": "de"}
    assert disabled["changed_at"] == "2027-01-15T08:01:00.000Z"
    again = world.api("PUT", f"{APPS}/bank", "admin", json={"settings": PLAIN, "enabled": True}).json
    assert (again["enabled"], again["settings"]) == (True, PLAIN)
    events = world.events("app:changed")
    assert [event["action"] for event in events] == ["created", "changed", "disabled", "changed"]
    assert {(event["app"], event["by"]) for event in events} == {("bank", world.id("admin"))}
    assert events[1]["settings"] == {**PLAIN, "language": "de"}


def test_position_is_kept_as_numbers_and_told_as_text(world: World) -> None:
    """The trail has no fractions."""
    create(world, location=[59.33, -18])
    assert world.api("GET", f"{APPS}/bank", "admin").json["settings"]["location"] == [59.33, -18.0]
    assert world.events("app:changed")[-1]["settings"]["location"] == "[59.33, -18.0]"


def test_changing_nothing_leaves_no_event(world: World) -> None:
    create(world)
    change(world)
    world.api("DELETE", f"{APPS}/bank", "admin")
    world.api("DELETE", f"{APPS}/bank", "admin")
    assert [event["action"] for event in world.events("app:changed")] == ["created", "disabled"]


@pytest.mark.parametrize(
    ("settings", "field", "problem"),
    [
        ({"colour": "red"}, "colour", "unknown setting"),
        ({"params": {"token": "x"}}, "params", "unknown setting"),
        ({"<script>": 1}, "(unknown)", "unknown setting"),
        ({"deep_link": "appetize://impersonation"}, "deep_link", "{value}"),
        ({"how": "deep_link", "passes": "token"}, "passes", "2048 characters"),
        ({"how": "email"}, "how", "'launch_params' or 'deep_link'"),
        ({"build_id": None}, "build_id", "valid string"),
        ({"builds": {"5.4": "../x"}}, "builds.5.4", "match pattern"),
        ({"platform": "ios", "timezone": "Europe/Berlin"}, "timezone", "android alone"),
        ({"timezone": "Mars/Olympus"}, "timezone", "time zone"),
        ({"allowed_origins": [PAGE, "nonsense"]}, "allowed_origins.1", "origin"),
        ({"sdk_url": "js.appetize.io"}, "sdk_url", "address of a script"),
        ({"sdk_url": "https://js.appetize.io 'unsafe-inline' */embed.js"}, "sdk_url", "address of a script"),
        ({"sdk_url": "https://js.appetize.io; frame-ancestors */embed.js"}, "sdk_url", "address of a script"),
        ({"sdk_url": "https://*/embed.js"}, "sdk_url", "address of a script"),
        ({"sdk_url": "https://js.appetize.io@evil.example/embed.js"}, "sdk_url", "address of a script"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_settings_that_cannot_work_are_refused_by_name(
    world: World, settings: dict[str, Any], field: str, problem: str
) -> None:
    create(world)
    body = {"settings": {**PLAIN, **settings}}
    for refused in (
        world.api("POST", APPS, "admin", json={"name": "other", **body}),
        world.api("PUT", f"{APPS}/bank", "admin", json=body),
    ):
        assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")
        assert refused.json["invalid"] == [field]
        assert problem in refused.json["problems"][0]["problem"]
        assert world.events("request:refused")[-1]["reason"] == "app.settings"
    assert names(world) == ["bank", "demo-bank"]
    assert world.api("GET", f"{APPS}/bank", "admin").json["settings"] == PLAIN


def test_refusal_repeats_no_value(world: World) -> None:
    secret = "aGVsbG8tdGhpcy1pcy1hLXNlY3JldA"
    settings = {**PLAIN, "how": secret, "scale": secret, "timezone": secret, "deep_link": secret, "builds": {"1": "/"}}
    refused = world.api("POST", APPS, "admin", json={"name": "bank", "settings": settings})
    assert set(refused.json["invalid"]) == {"how", "scale", "timezone", "deep_link", "builds.1"}
    assert secret not in refused.text


def test_addresses_that_are_not_https_are_refused_outside_the_demo() -> None:
    local = {"base_url": "http://localhost:9300", "sdk_url": "http://localhost:9300/embed.js"}
    with pytest.raises(AppRefused) as refused:
        Apps(settings_module.load((), {})).parse({**PLAIN, **local})
    assert refused.value.extra["invalid"] == ["sdk_url", "base_url"]


ALLOWED = ("appetize.io", "js.appetize.io", ".bank.example", "localhost:9300", "[::1]:9300")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://js.appetize.io", True),
        ("https://sdk.bank.example", True),
        ("https://a.b.bank.example", True),
        ("http://localhost:9300", True),
        ("http://[::1]:9300", True),
        ("https://bank.example", False),
        ("https://evilbank.example", False),
        ("https://bank.example.evil.example", False),
        ("https://sdk.bank.example:8443", False),
        ("https://evil.appetize.io", False),
        ("https://js.appetize.io.evil.example", False),
        ("https://js.appetize.io.", False),
        ("https://js.appetize.io:8443", False),
        ("http://localhost", False),
        ("http://localhost:9301", False),
        ("http://[::1]", False),
    ],
)
def test_script_and_frame_come_from_allowed_hosts_alone(
    make_sqlite_world: MakeWorld,
    origin: str,
    allowed: bool,  # noqa: FBT001 - one case a row
) -> None:
    world = make_sqlite_world(appetize={"allowed_hosts": ALLOWED})
    for name, value in (("sdk_url", f"{origin}/embed.js"), ("base_url", origin)):
        settings = {**PLAIN, name: value}
        answer = world.api("POST", APPS, "admin", json={"name": name, "settings": settings})
        assert answer.status_code == (201 if allowed else 400), answer.text
        if not allowed:
            [problem] = answer.json["problems"]
            assert (answer.json["error"], problem["field"]) == ("invalid_request", name)
            assert "appetize.allowed_hosts" in problem["problem"]
            assert world.events("request:refused")[-1]["reason"] == "app.settings"


def test_stored_app_whose_host_is_allowed_no_more_is_used_no_more(make_sqlite_world: MakeWorld) -> None:
    create(make_sqlite_world(appetize={"allowed_hosts": ALLOWED}), sdk_url="https://sdk.bank.example/embed.js")
    world = make_sqlite_world()
    shown = world.api("GET", f"{APPS}/bank", "admin").json
    assert (shown["in_force"], [each["field"] for each in shown["problems"]]) == (False, ["sdk_url"])
    body = {"impersonation": world.start().json["id"], "app": "bank"}
    assert world.api("POST", "/appetize/handoffs", "agent", json=body).status_code == 400


@pytest.mark.parametrize("name", ["", "a b", "-a", "ü", "a" * 65, "a/b"])
def test_name_that_is_none_is_refused(world: World, name: str) -> None:
    refused = world.api("POST", APPS, "admin", json={"name": name, "settings": PLAIN})
    assert (refused.status_code, refused.json["invalid"]) == (400, ["name"])


def test_taken_name_is_a_conflict_and_an_unknown_one_is_not_found(world: World) -> None:
    create(world)
    again = world.api("POST", APPS, "admin", json={"name": "bank", "settings": PLAIN})
    assert (again.status_code, again.json["error"]) == (409, "conflict")
    for method, body in (("GET", None), ("PUT", {"settings": PLAIN}), ("DELETE", None)):
        unknown = world.api(method, f"{APPS}/none", "admin", json=body)
        assert (unknown.status_code, unknown.json["error"]) == (404, "not_found")


def test_app_of_the_settings_is_read_only_and_goes_before_a_stored_one(make_sqlite_world: MakeWorld) -> None:
    create(make_sqlite_world())
    world = make_sqlite_world(**{"appetize.apps.bank": {"build_id": "configured", "platform": "ios"}})
    for method, path, body in (
        ("PUT", f"{APPS}/bank", {"settings": PLAIN}),
        ("DELETE", f"{APPS}/bank", None),
        ("POST", APPS, {"name": "bank", "settings": PLAIN}),
    ):
        refused = world.api(method, path, "admin", json=body)
        assert (refused.status_code, refused.json["error"]) == (409, "conflict")
    shown = world.api("GET", f"{APPS}/bank", "admin").json
    assert (shown["source"], shown["read_only"], shown["settings"]["build_id"]) == ("config", True, "configured")
    listed = [item for item in world.api("GET", APPS, "admin").json["items"] if item["name"] == "bank"]
    assert [(item["source"], item["in_force"]) for item in listed] == [("config", True), ("api", False)]
    assert configured(world, hand_off(world, "bank"))["buildId"] == "configured"


def test_one_of_two_that_take_a_name_at_once_gets_it(make_world: MakeWorld) -> None:
    world = make_world()
    start, statuses = threading.Barrier(2), list[int]()

    def take() -> None:
        start.wait()
        headers = {"Authorization": f"Bearer {world.token('admin')}"}
        body = {"name": "bank", "settings": PLAIN}
        client = world.app.test_client()
        statuses.append(client.post(APPS, json=body, headers=headers, base_url=ISSUER).status_code)

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 409]
    assert len(world.events("app:changed")) == 1


def put(world: World, match: str | None, **settings: Any) -> Answer:
    headers = {} if match is None else {"If-Match": match}
    return world.api("PUT", f"{APPS}/bank", "admin", json={"settings": {**PLAIN, **settings}}, headers=headers)


def test_change_is_made_only_to_what_was_seen(world: World) -> None:
    create(world)
    read = world.api("GET", f"{APPS}/bank", "admin")
    tag = read.headers["ETag"]
    assert tag == f'"{read.json["version"]}"'
    mine = put(world, tag, language="de")
    assert (mine.status_code, mine.headers["ETag"] != tag) == (200, True)
    lost = put(world, tag, language="sv")
    assert (lost.status_code, lost.json["error"]) == (412, "precondition_failed")
    assert lost.headers["Content-Type"] == "application/problem+json"
    gone = world.api("DELETE", f"{APPS}/bank", "admin", headers={"If-Match": tag})
    assert gone.status_code == 412
    shown = world.api("GET", f"{APPS}/bank", "admin").json
    assert (shown["enabled"], shown["settings"]["language"]) == (True, "de")
    assert world.events("request:refused")[-1]["reason"] == "app.changed_meanwhile"
    tag = mine.headers["ETag"]
    assert world.api("DELETE", f"{APPS}/bank", "admin", headers={"If-Match": tag}).json["enabled"] is False
    assert put(world, tag).status_code == 412


@pytest.mark.parametrize(
    ("match", "status"),
    [(None, 200), ("*", 200), ('"other", {tag}', 200), ("W/{tag}", 412), ('"other"', 412), ("x y", 412)],
)
def test_if_match_is_read_as_http_has_it(world: World, match: str | None, status: int) -> None:
    create(world)
    tag = world.api("GET", f"{APPS}/bank", "admin").headers["ETag"]
    assert put(world, match and match.format(tag=tag), language="de").status_code == status


def test_one_of_two_that_change_what_they_saw_at_once_does(make_world: MakeWorld) -> None:
    world = make_world()
    create(world)
    tag = world.api("GET", f"{APPS}/bank", "admin").headers["ETag"]
    answers = at_once(world, *(partial(put, match=tag, language=each) for each in ("de", "sv")))
    assert statuses(answers) == [200, 412]
    assert [event["action"] for event in world.events("app:changed")] == ["created", "changed"]


@pytest.mark.parametrize("taken", [{"enabled": False}, {"roles": ["auditor"]}], ids=["disabled", "demoted"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", APPS, {"name": "other", "settings": PLAIN}),
        ("PUT", f"{APPS}/bank", {"settings": {**PLAIN, "language": "de"}}),
        ("DELETE", f"{APPS}/bank", None),
    ],
)
def test_admin_whom_another_one_stops_meanwhile_changes_nothing(  # noqa: PLR0917 - one case a row
    world: World, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any, taken: dict[str, Any]
) -> None:
    create(world)
    allowed = operations._allowed

    def stopped() -> Call:
        present = allowed()

        def stop() -> None:
            with world.work() as work:
                work.lock()
                people.change(work.session, world.id("admin"), **taken)

        other = threading.Thread(target=stop)
        other.start()
        other.join()
        return present

    monkeypatch.setattr(operations, "_allowed", stopped)
    refused = world.api(method, path, "admin", json=body)
    assert (refused.status_code, refused.json["error"]) == (403, "insufficient_scope")
    assert world.events("request:refused")[-1]["reason"] == "registry.no_admin_any_more"
    with world.work() as work:
        assert [(row.name, row.enabled, dict(row.settings)) for row in stored.listing(work.session)] == [
            ("bank", True, PLAIN)
        ]


# --- as they are used


def test_what_one_process_changes_the_other_uses_at_once(make_world: MakeWorld) -> None:
    here, there = make_world(), make_world()
    body = {"impersonation": there.start().json["id"], "app": "bank"}
    assert there.api("POST", "/appetize/handoffs", "agent", json=body).status_code == 400
    create(here)
    assert configured(there, there.api("POST", "/appetize/handoffs", "agent", json=body).json)["buildId"] == "b_1"
    change(here, build_id="b_2", device="pixel7")
    shown = configured(there, hand_off(there, "bank"))
    assert (shown["buildId"], shown["device"]) == ("b_2", "pixel7")
    here.api("DELETE", f"{APPS}/bank", "admin")
    assert there.api("POST", "/appetize/handoffs", "agent", json=body).status_code == 400


def test_agents_of_other_groups_may_not_use_it_from_the_change_on(world: World) -> None:
    create(world)
    handoff = hand_off(world, "bank")
    change(world, groups=["tier-2"])
    body = {"impersonation": handoff["impersonation_id"], "app": "bank"}
    assert world.api("POST", "/appetize/handoffs", "agent", json=body).status_code == 403
    config = world.api("POST", f"/appetize/handoffs/{handoff['id']}/config", "agent", json={})
    assert (config.status_code, config.json["error"]) == (403, "access_denied")


def test_code_of_a_disabled_app_is_redeemed_no_more(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world(**SECTIONS)
    create(world, passes="code")
    code, handoff = new_code(world, app="bank")
    world.api("DELETE", f"{APPS}/bank", "admin")
    refused = redeem(world, code)
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_grant")
    assert fresh_code(world, handoff).status_code == 404
    world.api("PUT", f"{APPS}/bank", "admin", json={"settings": {**PLAIN, "passes": "code"}, "enabled": True})
    assert redeem(world, code).status_code == 200


def test_token_is_renewed_only_while_an_app_that_it_went_to_may_be_used(world: World) -> None:
    create(world)
    handoff = hand_off(world, "bank")
    token = configured(world, handoff)["params"]["impersonatedUserToken"]
    assert renew(world, token).status_code == 200
    change(world, roles=["lead"])
    refused = renew(world, token)
    assert (refused.status_code, refused.json["error"]) == (403, "access_denied")
    assert world.events("request:refused")[-1]["reason"] == "renewal.app"
    change(world)
    assert renew(world, token).status_code == 200
    world.api("DELETE", f"{APPS}/bank", "admin")
    assert renew(world, token).status_code == 403


def test_pages_of_allowed_origins_are_let_in_from_the_change_on(make_world: MakeWorld) -> None:
    here, there = make_world(), make_world()
    create(here)
    handoff = hand_off(there, "bank")

    def ask(origin: str = PAGE) -> Any:
        body = {"config_secret": handoff["config_secret"]}
        path = f"/appetize/handoffs/{handoff['id']}/config"
        return there.api("POST", path, json=body, headers={"Origin": origin})

    assert ask().status_code == 403
    change(here, allowed_origins=[PAGE])
    asked = there.api("OPTIONS", f"/appetize/handoffs/{handoff['id']}/config", headers={"Origin": PAGE})
    assert asked.headers["Access-Control-Allow-Origin"] == PAGE
    module = there.api("GET", "/appetize/handoff.js", headers={"Origin": PAGE})
    assert module.headers["Access-Control-Allow-Origin"] == PAGE
    assert ask("https://elsewhere.example.com").status_code == 403
    allowed = ask()
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    here.api("DELETE", f"{APPS}/bank", "admin")
    module = there.api("GET", "/appetize/handoff.js", headers={"Origin": PAGE})
    assert "Access-Control-Allow-Origin" not in module.headers
    assert ask().status_code == 403


def test_origin_is_looked_up_for_the_configuration_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    create(world, allowed_origins=[PAGE])
    read: list[str] = []
    listing = stored.listing

    def counted(session: DbSession) -> list[StoredApp]:
        read.append("apps")
        return listing(session)

    monkeypatch.setattr(stored, "listing", counted)
    token = world.token("agent")
    for path in ("/api/v1/impersonations", "/oauth/token", "/appetize/redeem", "/appetize/handoffs", "/session/token"):
        assert world.api("POST", path, token=token, headers={"Origin": PAGE}).status_code == 403
    world.api("POST", "/appetize/handoffs/x/config", token=token, headers={"Origin": ISSUER}, json={})
    assert read == ["apps"]  # for the answer's own header, which a page of the issuer's origin gets, too
    world.api("POST", "/appetize/handoffs/x/config", headers={"Origin": "https://elsewhere.example.com"}, json={})
    assert read == ["apps", "apps"]


def test_embed_page_lets_in_the_hosts_of_a_stored_app(make_sqlite_world: MakeWorld) -> None:
    hosts = ["appetize.io", "js.appetize.io", "bank.appetize.io", "sdk.example.com"]
    world = make_sqlite_world(**{**SECTIONS, "appetize": {**SECTIONS["appetize"], "allowed_hosts": hosts}})
    create(world, base_url="https://bank.appetize.io", sdk_url="https://sdk.example.com/embed.js")
    page = at_page(world, "bank")
    policy = page.show().headers["Content-Security-Policy"]
    assert "https://sdk.example.com; worker-src" in policy
    assert "frame-src https://bank.appetize.io;" in policy
    world.api("DELETE", f"{APPS}/bank", "admin")
    assert page.call("state").json["app_off"] is True


def test_stored_app_that_cannot_work_any_more_is_not_used_and_shown_with_its_problems(
    make_sqlite_world: MakeWorld,
) -> None:
    tight = make_sqlite_world(server={"max_token_bytes": 1500})
    create(tight, how="deep_link", passes="token")
    world = make_sqlite_world()
    shown = world.api("GET", f"{APPS}/bank", "admin").json
    assert (shown["enabled"], shown["in_force"]) == (True, False)
    assert [problem["field"] for problem in shown["problems"]] == ["passes"]
    body = {"impersonation": world.start().json["id"], "app": "bank"}
    assert world.api("POST", "/appetize/handoffs", "agent", json=body).status_code == 400
