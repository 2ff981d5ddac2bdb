"""From what happens to the mail server's 250: what is owed, tried again, passed on, and given up by name."""

import threading
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from authserver.impersonation.notify.delivery import Delivery
from authserver.protocol.names import Role
from authserver.storage import impersonations, people
from authserver.storage.database import Work
from authserver.storage.impersonations import Record
from authserver.storage.tables import Impersonation
from tests.conftest import MakeWorld
from tests.journeys.at_once import add_person
from tests.notify.post_office import Hooked, PostOffice, free_port, post_office_process
from tests.notify.seeing import change_person, deliver, rows, text_of, webhook_settings
from tests.world import World

NOWHERE = {"host": "127.0.0.1", "port": 0, "security": "none", "timeout_seconds": 2.0}


def down() -> dict[str, Any]:
    """Return the settings of a mail server that does not run."""
    return {**NOWHERE, "port": free_port()}


def find(world: World, impersonation_id: str) -> Record:
    with world.work() as work:
        record = impersonations.find(work.session, impersonation_id)
    assert record is not None
    return record


def test_customer_is_told_at_start_and_at_end(make_world: MakeWorld, office: PostOffice) -> None:
    world = make_world(notification=office.settings())
    started = world.start().json["id"]
    assert deliver(world) == 1
    assert office.recipients == ["customer@example.com"]
    assert "sees your account as you see it" in text_of(office)
    assert "“a wrong balance”" in text_of(office)
    world.end(started)
    assert deliver(world) == 1
    assert office.mails[1]["Subject"] == "An employee has stopped acting in your account"
    assert deliver(world) == 0
    sent = world.events("notice:sent", started)
    assert [(event["kind"], event["channel"], event["attempts"]) for event in sent] == [
        ("impersonation_started", "mail", 1),
        ("impersonation_ended", "mail", 1),
    ]
    assert [event["message_id"] for event in sent] == [mail["Message-ID"] for mail in office.mails]
    assert set(sent[0]["recipient"]) == {"commitment"}


def test_nobody_is_told_of_what_never_began(world: World, make_sqlite_world: MakeWorld, office: PostOffice) -> None:
    world.start()
    assert (rows(world, "kind"), deliver(world)) == ([], 0)
    told = make_sqlite_world(notification=office.settings())
    told.end(told.start(target="customer-ask").json["id"])
    assert (deliver(told), office.mails) == (0, [])


def test_what_rolls_back_is_not_told(make_sqlite_world: MakeWorld, office: PostOffice) -> None:
    world = make_sqlite_world(notification=office.settings())
    started = world.start().json["id"]
    deliver(world)
    record = find(world, started)

    def crash(work: Work) -> None:
        assert world.wired.lifecycle.expire(work, record) is not None
        raise RuntimeError

    with pytest.raises(RuntimeError):
        notice(world, crash)
    assert deliver(world) == 0


def test_temporary_failure_is_tried_again_with_the_same_message_id(
    make_world: MakeWorld, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(notification=office.settings(retry_seconds=2))
    seen: list[str] = []
    keep = PostOffice.handle_DATA

    async def handle(self: PostOffice, server: Any, session: Any, envelope: Any) -> str:
        [line] = [line for line in envelope.content.splitlines() if line.startswith(b"Message-ID")]
        seen.append(line.decode())
        return await keep(self, server, session, envelope)

    monkeypatch.setattr(PostOffice, "handle_DATA", handle)
    office.answers = ["451 later", "421 busy"]
    started = world.start().json["id"]
    for wait, tried in [(0, 1), (1, 0), (1, 1), (3, 0), (1, 1), (60, 0)]:
        world.clock.pass_(wait)
        assert deliver(world) == tried
    assert len(office.mails) == 1
    assert (len(seen), len(set(seen))) == (3, 1)
    assert [event["attempts"] for event in world.events("notice:sent", started)] == [3]
    assert world.events("notice:failed") == []


def test_mail_waits_for_a_server_process_that_is_down_and_comes_again(
    make_sqlite_world: MakeWorld, tmp_path: Path
) -> None:
    smtp = down()
    world = make_sqlite_world(notification={"channels": ["mail"], "smtp": smtp})
    world.start()
    deliver(world)
    [(row_id, error)] = rows(world, "id", "last_error")
    assert error == "mail:unreachable"
    with post_office_process(smtp["port"], tmp_path / "maildir"):
        world.clock.pass_(2)
        assert deliver(world) == 1
    [file] = [*(tmp_path / "maildir" / "new").iterdir()]
    assert message_from_bytes(file.read_bytes())["Message-ID"] == f"<{row_id}@127.0.0.1>"
    assert [event["attempts"] for event in world.events("notice:sent")] == [2]


def test_channel_that_fails_falls_back_and_then_refuses_by_name(make_world: MakeWorld, hook: Hooked) -> None:
    settings = {"channels": ["mail", "webhook"], "smtp": down(), "webhook": webhook_settings(hook), "attempts": 2}
    world = make_world(notification=settings)
    first, second = world.start(ticket_id="BANK-1").json["id"], ""
    for wait in (0, 2, 0):
        world.clock.pass_(wait)
        deliver(world)
    [said] = hook.bodies()
    [sent] = world.events("notice:sent", first)
    assert (sent["channel"], sent["message_id"]) == ("webhook", said["data"]["message_id"])
    [failed] = world.events("notice:failed", first)
    assert (failed["channel"], failed["error"], failed["final"]) == ("mail", "unreachable", False)
    hook.statuses = [503, 410]
    second = world.start(ticket_id="BANK-2").json["id"]
    for wait in (0, 2, 0, 2, 100, 100):
        world.clock.pass_(wait)
        deliver(world)
    failures = [(event["channel"], event["error"], event["final"]) for event in world.events("notice:failed", second)]
    assert failures == [("mail", "unreachable", False), ("webhook", "status", True)]
    assert world.events("notice:sent", second) == []
    assert len(hook.calls) == 3
    assert ("webhook:status", True) in [(error, at is not None) for error, at in rows(world, "last_error", "failed_at")]
    assert world.api("GET", f"/api/v1/impersonations/{second}", "agent").json["state"] == "active"


def test_recipient_without_a_mail_address_is_told_by_the_next_channel_at_once(
    make_sqlite_world: MakeWorld, office: PostOffice, hook: Hooked
) -> None:
    webhook = webhook_settings(hook)
    world = make_sqlite_world(notification=office.settings(channels=["mail", "webhook"], webhook=webhook))
    for address in ("", "customer@example.com\r\nBcc: all@example.com"):
        change_person(world, "customer", email=address)
        world.start(ticket_id=f"BANK-{len(address)}")
        assert deliver(world) == 2
    assert office.mails == []
    assert [said["data"]["address"] for said in hook.bodies()] == [None, None]
    assert {event["error"] for event in world.events("notice:failed")} == {"no_address"}


def test_crash_between_handing_over_and_recording_sends_the_same_again(
    make_world: MakeWorld, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(notification=office.settings())
    world.start()

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crashing:
        crashing.setattr(Delivery, "_sent", crash)
        with pytest.raises(KeyboardInterrupt):
            deliver(world)
    assert world.events("notice:sent") == []
    assert deliver(world) == 0, "the lease is still held"
    world.clock.pass_(300)
    assert deliver(world) == 1
    assert len(office.mails) == 2
    assert office.mails[0]["Message-ID"] == office.mails[1]["Message-ID"]
    [event] = world.events("notice:sent")
    assert (event["message_id"], event["attempts"]) == (office.mails[0]["Message-ID"], 2)


def test_two_processes_deliver_each_message_once(make_world: MakeWorld, office: PostOffice) -> None:
    settings = office.settings()
    here, there = make_world(notification=settings), make_world(notification=settings)
    for number in range(6):
        here.start(ticket_id=f"BANK-{number}")
    barrier = threading.Barrier(2)

    def run(world: World) -> None:
        barrier.wait()
        deliver(world)

    threads = [threading.Thread(target=run, args=[world]) for world in (here, there)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    identifiers = [mail["Message-ID"] for mail in office.mails]
    assert (len(identifiers), len(set(identifiers))) == (6, 6)
    assert len(here.events("notice:sent")) == 6
    assert {attempts for (attempts,) in rows(here, "attempts")} == {1}


def test_message_that_cannot_be_made_does_not_hold_up_the_others(
    make_sqlite_world: MakeWorld, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_sqlite_world(notification=office.settings(attempts=1))
    for number in range(2):
        world.start(ticket_id=f"BANK-{number}")
    [channel] = world.wired.outbox._delivery._channels
    send, calls = channel.send, list[str]()

    def once(parcel: Any) -> None:
        calls.append(parcel.id)
        if len(calls) == 1:
            raise RuntimeError
        send(parcel)

    monkeypatch.setattr(channel, "send", once)
    assert deliver(world) == 2
    assert len(office.mails) == 1
    assert [event["error"] for event in world.events("notice:failed")] == ["unexpected"]


def test_loop_delivers_by_itself(
    make_sqlite_world: MakeWorld, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authserver.jobs.outbox._TICK_SECONDS", 0.01)
    arrived = threading.Event()
    keep = Delivery._sent

    def noticed(self: Delivery, *arguments: Any) -> None:
        keep(self, *arguments)
        arrived.set()

    monkeypatch.setattr(Delivery, "_sent", noticed)
    world = make_sqlite_world(notification=office.settings())
    world.start()
    world.wired.outbox.start()
    assert arrived.wait(20)
    world.wired.outbox.stop()
    assert len(office.mails) == 1


# --- approval: asked, reminded, escalated


def test_first_lead_is_asked_and_reminded_and_the_next_one_is_asked_too(
    make_world: MakeWorld, office: PostOffice
) -> None:
    world = make_world(notification=office.settings())
    add_person(world, "lead2", Role.LEAD)
    first, second = sorted(["lead", "lead2"], key=world.id)
    world.start(target="vip")
    for wait in (0, 29, 1, 29, 1, 100):
        world.clock.pass_(wait)
        deliver(world)
    subjects = [(mail["To"], mail["Subject"]) for mail in office.mails]
    wanted = "your approval is wanted"
    assert subjects == [
        (f"{first}@example.com", "Your approval is wanted"),
        (f"{first}@example.com", f"Reminder: {wanted}"),
        (f"{second}@example.com", "Your approval is wanted"),
    ]
    assert world.id("vip") in text_of(office)
    assert "vip@example.com" not in text_of(office)


def decide(world: World, waiting: str) -> None:
    assert world.decide(waiting, "approval", "lead").json["state"] == "active"


def withdraw(world: World, waiting: str) -> None:
    world.end(waiting)


def expire(world: World, _: str) -> None:
    world.clock.pass_(300)


def disable_lead(world: World, _: str) -> None:
    change_person(world, "lead", enabled=False)


@pytest.mark.parametrize("moot", [decide, withdraw, expire, disable_lead])
def test_nobody_is_reminded_of_what_is_decided(
    make_sqlite_world: MakeWorld, office: PostOffice, moot: Callable[[World, str], None]
) -> None:
    world = make_sqlite_world(notification=office.settings())
    waiting = world.start(target="vip").json["id"]
    deliver(world)
    moot(world, waiting)
    world.clock.pass_(60)
    deliver(world)
    told = [mail["Subject"] for mail in office.mails if "approval" in mail["Subject"]]
    assert told == ["Your approval is wanted"]


def test_lead_who_asks_is_not_asked(make_sqlite_world: MakeWorld, office: PostOffice) -> None:
    world = make_sqlite_world(notification=office.settings())
    world.start("lead", target="vip")
    world.clock.pass_(60)
    assert (deliver(world), office.mails) == (0, [])


# --- what others send through it


def waiting_for_consent(world: World, way: str) -> Record:
    """Let a request wait for the customer, who is asked in this way."""
    started = world.start(target="customer-ask").json["id"]
    with world.work() as work:
        work.lock()
        chosen = update(Impersonation).where(Impersonation.id == started).values(consent_way=way)
        work.session.execute(chosen)
    return find(world, started)


def notice(world: World, act: Callable[[Work], None]) -> None:
    with world.work() as work:
        work.lock()
        act(work)


def test_consent_is_asked_by_mail_with_a_link_to_a_page_that_wants_a_sign_in(
    make_sqlite_world: MakeWorld, office: PostOffice
) -> None:
    world = make_sqlite_world(notification=office.settings())
    record = waiting_for_consent(world, "mail")
    notice(world, lambda work: world.wired.notices.entered(work, record))
    deliver(world)
    assert f"/account/requests/{record.id}\n" in text_of(office)
    assert office.mails[0]["Subject"] == "May an employee see your account?"


def test_code_lies_sealed_and_is_dropped_once_sent(make_world: MakeWorld, office: PostOffice) -> None:
    world = make_world(notification=office.settings())
    change_person(world, "customer-ask", email_verified=True)
    record = waiting_for_consent(world, "code")
    notice(world, lambda work: world.wired.notices.enqueue_consent_code(work, record, "318204"))
    [(sealed,)] = rows(world, "sealed")
    assert "318204" not in sealed
    deliver(world)
    assert "Code: 318204\n" in text_of(office)
    assert rows(world, "sealed") == [(None,)]


def test_code_goes_to_no_address_that_was_not_proved(make_sqlite_world: MakeWorld, office: PostOffice) -> None:
    world = make_sqlite_world(notification=office.settings())
    change_person(world, "customer-ask", email_verified=False)
    record = waiting_for_consent(world, "code")
    notice(world, lambda work: world.wired.notices.enqueue_consent_code(work, record, "318204"))
    deliver(world)
    assert office.mails == []
    [failed] = world.events("notice:failed")
    assert (failed["error"], failed["final"]) == ("no_address", True)
    assert rows(world, "sealed") == [(None,)]


def test_every_security_contact_is_alerted(make_sqlite_world: MakeWorld, office: PostOffice) -> None:
    contacts = ["soc@example.com", "ciso@example.com"]
    world = make_sqlite_world(notification=office.settings(security_contacts=contacts))
    record = find(world, world.start().json["id"])
    notice(world, lambda work: world.wired.notices.enqueue_security_alert(work, record))
    assert deliver(world) == 3
    assert sorted(office.recipients) == ["ciso@example.com", "customer@example.com", "soc@example.com"]


def test_old_messages_are_forgotten(make_world: MakeWorld, office: PostOffice) -> None:
    world = make_world(notification=office.settings())
    world.end(world.start().json["id"])
    deliver(world)
    world.clock.pass_(2_592_000)
    world.wired.jobs.tick()
    assert len(rows(world, "id")) == 2
    world.clock.pass_(601)
    world.wired.jobs.tick()
    assert rows(world, "id") == []


def test_first_leads_come_in_a_stable_order_without_those_concerned(world: World) -> None:
    with world.work() as work:
        found = people.enabled_with_role(work.session, "lead", but={world.id("agent")}, limit=2)
        assert [person.id for person in found] == [world.id("lead")]
        assert people.enabled_with_role(work.session, "lead", but={world.id("lead")}, limit=2) == []
