"""Withheld only for a configured legal reason, by a second person, until a date, and then owed (design section 4)."""

import pytest
from sqlalchemy import update

from authserver.protocol.refusals import Refusal
from authserver.storage import impersonations
from authserver.storage.impersonations import Record
from authserver.storage.tables import Consent
from tests.conftest import MakeWorld
from tests.consenting import approve, ask_each_time, extend
from tests.notify.post_office import PostOffice
from tests.notify.seeing import deliver, told_first
from tests.world import World, error

DAY = 86400
LEGAL = {"reason_code": "legal_request"}


def withhold(world: World, impersonation_id: str, by: str = "lead", seconds: int = 30 * DAY) -> Record:
    """Withhold as the one who approves does, in the same transaction or just before."""
    with world.work() as work:
        record = impersonations.find(work.session, impersonation_id)
        assert record is not None
        until = world.clock.now() + seconds
        return world.wired.notices.withhold(work, record, by=world.id(by), until=until)


def test_withheld_notices_are_owed_at_their_date(make_world: MakeWorld, office: PostOffice) -> None:
    world = make_world(notification=office.settings())
    started = world.start(target="vip", **LEGAL).json["id"]
    until = withhold(world, started).notice_withheld_until
    assert world.decide(started, "approval", "lead").json["state"] == "active"
    world.end(started)
    world.clock.pass_(30 * DAY - 1)
    deliver(world)
    assert "vip@example.com" not in office.recipients
    world.clock.pass_(1)
    assert deliver(world) == 2
    assert office.recipients[-2:] == ["vip@example.com"] * 2
    [event] = world.events("notice:withheld", started)
    assert (event["by"], event["reason_code"], event["until"]) == (world.id("lead"), "legal_request", until)


@pytest.mark.parametrize(
    ("ask", "by", "days"),
    [
        ({}, "lead", 30),
        (LEGAL, "agent", 30),
        (LEGAL, "vip", 30),
        (LEGAL, "lead", 0),
        (LEGAL, "lead", 91),
    ],
)
def test_notice_is_not_withheld_otherwise(
    make_sqlite_world: MakeWorld, ask: dict[str, str], by: str, days: int
) -> None:
    world = make_sqlite_world()
    started = world.start(target="vip", **ask).json["id"]
    with pytest.raises(Refusal) as caught:
        withhold(world, started, by, days * DAY)
    assert caught.value.error == "invalid_request"
    assert world.events("notice:withheld") == []


def test_what_has_begun_or_was_withheld_before_is_not_withheld(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world()
    active, waiting = world.start(**LEGAL).json["id"], world.start(target="vip", **LEGAL).json["id"]
    withhold(world, waiting)
    for each in (active, waiting):
        with pytest.raises(Refusal) as caught:
            withhold(world, each)
        assert caught.value.error == "conflict"
    assert len(world.events("notice:withheld")) == 1


def test_withheld_notice_gates_nothing(make_sqlite_world: MakeWorld, office: PostOffice) -> None:
    world = make_sqlite_world(notification=office.settings())
    told_first(world, "vip")
    asked = world.start(target="vip", **LEGAL).json
    withhold(world, asked["id"], seconds=60)
    assert world.decide(asked["id"], "approval", "lead").json["state"] == "active"
    deliver(world)
    assert "vip@example.com" not in office.recipients
    world.clock.pass_(60)
    deliver(world)
    assert office.recipients[-1] == "vip@example.com"
    assert world.way_c(asked["handle"]).status_code == 200, "what began goes on when the notice is no longer withheld"


def test_withheld_request_that_its_subject_would_have_to_consent_to_is_denied_at_once(
    make_world: MakeWorld, office: PostOffice
) -> None:
    world = make_world(notification=office.settings())
    ask_each_time(world, "vip")
    asked = world.start(target="vip", **LEGAL).json
    decided = approve(world, asked["id"], withhold_notice_until=DAY).json
    assert (decided["state"], decided["end_reason"]) == ("denied", "notice.withheld_from_who_consents")
    assert error(world.way_c(asked["handle"])) == "access_denied"
    deliver(world)
    assert "vip@example.com" not in office.recipients
    assert world.start(target="vip", ticket_id="BANK-2", **LEGAL).json["state"] == "awaiting_approval"


def test_extension_of_what_is_withheld_is_dropped_at_once_where_its_subject_would_be_asked(
    make_sqlite_world: MakeWorld, office: PostOffice
) -> None:
    world = make_sqlite_world(notification=office.settings())
    started = world.start(target="vip", expires_in=600, **LEGAL).json
    assert approve(world, started["id"], withhold_notice_until=DAY).json["state"] == "active"
    with world.work() as work:
        work.lock()
        work.session.execute(update(Consent).values(expires_at=world.clock.now()))
    assert extend(world, started["id"], expires_in=1200).json["extension"] is not None, "the lead is asked first"
    approved = approve(world, started["id"]).json
    assert (approved["state"], approved["extension"], approved["expires_in"]) == ("active", None, 600)
