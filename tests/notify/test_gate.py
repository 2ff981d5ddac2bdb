"""A notice as a gate: it waits, begins once a channel took the notice over, or is refused by name."""

import pytest

from tests.conftest import MakeWorld
from tests.notify.post_office import Hooked, PostOffice, free_port
from tests.notify.seeing import change_person, deliver, rows, text_of, told_first, webhook_settings
from tests.world import World, error


def gated(make: MakeWorld, **notification: object) -> World:
    world = make(notification=notification)
    told_first(world)
    return world


def shown(world: World, impersonation_id: str) -> tuple[str, str | None]:
    found = world.api("GET", f"/api/v1/impersonations/{impersonation_id}", "admin").json
    return found["state"], found["end_reason"]


def test_gate_waits_and_opens_once_the_mail_server_accepted(make_world: MakeWorld, office: PostOffice) -> None:
    world = gated(make_world, **office.settings())
    office.answers = ["451 later"]
    asked = world.way_a()
    assert error(asked) == "authorization_pending"
    assert (asked.status_code, asked.json["interval"]) == (400, 1)
    handle, started = asked.json["impersonation"], asked.json["impersonation_id"]
    assert shown(world, started) == ("requested", None)
    assert error(world.way_c(handle)) == "authorization_pending"
    assert error(world.way_c(handle)) == "slow_down"
    deliver(world)
    world.clock.pass_(1)
    assert error(world.way_c(handle)) == "authorization_pending"
    assert world.introspect(handle) == {"active": False}
    world.clock.pass_(1)
    deliver(world)
    token = world.way_c(handle)
    assert token.status_code == 200, token.text
    assert world.introspect(token.json["access_token"])["active"]
    assert "is about to see your account" in text_of(office)
    assert (deliver(world), len(office.mails)) == (0, 1), "it is not told twice"
    names = [event["name"] for event in world.events(impersonation_id=started)]
    assert names == ["impersonation:requested", "notice:sent", "impersonation:activated", "token:issued"]
    assert world.way_a().json["impersonation_id"] == started
    world.end(started)
    deliver(world)
    assert len(office.mails) == 2


def test_asking_again_while_it_waits_sends_nothing_new(make_sqlite_world: MakeWorld, office: PostOffice) -> None:
    world = gated(make_sqlite_world, **office.settings())
    first, again = world.way_a(), world.way_a()
    assert error(again) == "authorization_pending"
    assert first.json["impersonation_id"] == again.json["impersonation_id"]
    assert len(rows(world, "id")) == 1
    deliver(world)
    assert len(office.mails) == 1
    for answer in (first, again):
        assert world.way_c(answer.json["impersonation"]).status_code == 200


def test_api_starts_what_waits_for_its_notice(make_sqlite_world: MakeWorld, office: PostOffice) -> None:
    world = gated(make_sqlite_world, **office.settings())
    started = world.start()
    assert (started.status_code, started.json["state"]) == (201, "requested")
    deliver(world)
    assert shown(world, started.json["id"]) == ("active", None)


def test_every_channel_that_fails_is_tried_and_the_last_one_is_named(make_world: MakeWorld, hook: Hooked) -> None:
    smtp = {"host": "127.0.0.1", "port": free_port(), "security": "none"}
    channels = {"channels": ["mail", "webhook"], "smtp": smtp, "webhook": webhook_settings(hook)}
    world = gated(make_world, **channels, gate_seconds=20)
    hook.statuses = [500] * 20
    asked = world.way_a().json
    for _ in range(20):
        deliver(world)
        world.clock.pass_(1)
    assert shown(world, asked["impersonation_id"]) == ("denied", "notice_failed:webhook")
    assert error(world.way_c(asked["impersonation"])) == "access_denied"
    failures = world.events("notice:failed", asked["impersonation_id"])
    assert [(event["channel"], event["final"]) for event in failures] == [("mail", False), ("webhook", True)]
    assert hook.calls


def test_refused_recipient_is_denied_at_once(make_sqlite_world: MakeWorld, office: PostOffice) -> None:
    world = gated(make_sqlite_world, **office.settings())
    office.answers = ["554 never"]
    asked = world.way_a().json
    deliver(world)
    assert shown(world, asked["impersonation_id"]) == ("denied", "notice_failed:mail")
    assert error(world.way_c(asked["impersonation"])) == "access_denied"


def test_gate_that_nobody_serves_expires(make_world: MakeWorld, office: PostOffice) -> None:
    world = gated(make_world, **office.settings())
    asked = world.way_a().json
    world.clock.pass_(119)
    assert error(world.way_c(asked["impersonation"])) == "authorization_pending"
    world.clock.pass_(1)
    assert error(world.way_c(asked["impersonation"])) == "expired_token"
    assert (deliver(world), office.mails) == (0, [])
    assert shown(world, asked["impersonation_id"])[0] == "expired"


def test_gate_without_a_channel_refuses_at_once(world: World) -> None:
    told_first(world)
    asked = world.way_a()
    assert error(asked) == "access_denied"
    assert "impersonation" not in asked.json
    [refused] = world.events("request:refused")
    assert (refused["reason"], refused["policies"]) == ("notice.no_channel", ["needs.notice"])


@pytest.mark.parametrize("change", ["enabled", "groups"])
def test_policy_is_asked_again_when_the_notice_was_accepted(
    make_sqlite_world: MakeWorld, office: PostOffice, change: str
) -> None:
    world = gated(make_sqlite_world, **office.settings())
    asked = world.way_a().json
    if change == "enabled":
        change_person(world, "customer", enabled=False)
    else:
        change_person(world, "agent", roles=[])
    deliver(world)
    assert shown(world, asked["impersonation_id"])[0] == "denied"


def test_what_ends_while_it_waits_is_not_told(make_sqlite_world: MakeWorld, office: PostOffice) -> None:
    world = gated(make_sqlite_world, **office.settings())
    world.end(world.start().json["id"])
    assert (deliver(world), office.mails) == (0, [])


def test_consent_comes_before_the_notice(make_world: MakeWorld, office: PostOffice) -> None:
    world = make_world(notification=office.settings())
    told_first(world, "customer-ask")
    asked = world.way_a(target="customer-ask")
    assert error(asked) == "consent_required"
    started = asked.json["impersonation_id"]
    assert world.decide(started, "consent", "customer-ask").json["state"] == "requested"
    deliver(world)
    assert shown(world, started) == ("active", None)
    assert world.way_c(asked.json["impersonation"]).status_code == 200


def test_consent_withdrawn_while_the_notice_is_awaited_denies(make_sqlite_world: MakeWorld, office: PostOffice) -> None:
    world = make_sqlite_world(notification=office.settings())
    told_first(world, "customer-ask")
    started = world.start(target="customer-ask").json["id"]
    world.decide(started, "consent", "customer-ask")
    assert world.decide(started, "consent", "customer-ask", "deny").json["state"] == "denied"
    assert (deliver(world), office.mails) == (0, [])
