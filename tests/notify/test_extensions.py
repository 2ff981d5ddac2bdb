"""What an extension has people told: the decision that it waits for is asked by message too (design section 4)."""

from pathlib import Path

import pytest

from tests.conftest import MakeWorld
from tests.consenting import EVERY_WAY, approve, enter, extend, read
from tests.notify.post_office import PostOffice
from tests.notify.seeing import deliver, text_of
from tests.world import World


def world_with(make: MakeWorld, office: PostOffice, folder: Path) -> World:
    smtp = {"host": "127.0.0.1", "port": office.port, "security": "none"}
    mail = {"channels": ["mail"], "smtp": smtp, "folder": str(folder)}
    return make(notification=mail, consent=EVERY_WAY)


def code_in(text: str) -> str:
    return next(word for word in text.split() if len(word) == 6 and word.isdigit())


def test_extension_by_code_sends_a_code_with_the_longer_life(
    make_sqlite_world: MakeWorld, office: PostOffice, tmp_path: Path
) -> None:
    world = world_with(make_sqlite_world, office, tmp_path)
    started = world.start(target="customer-ask", expires_in=600, consent_way="code").json["id"]
    deliver(world)
    first = text_of(office)
    assert "10 minutes" in first
    assert "Avery Agent" in first
    assert enter(world, started, code_in(first)).json["state"] == "active"
    deliver(world)
    extend(world, started, expires_in=1200)
    deliver(world)
    second = text_of(office)
    assert "20 minutes" in second
    assert enter(world, started, code_in(second)).json["expires_in"] == 1200


@pytest.mark.parametrize("target", ["customer-ask", "vip"])
def test_extension_asks_whoever_has_to_say_yes(
    make_sqlite_world: MakeWorld, office: PostOffice, tmp_path: Path, target: str
) -> None:
    world = world_with(make_sqlite_world, office, tmp_path)
    started = world.start(target=target, expires_in=600, consent_way="mail").json["id"]
    if target == "vip":
        approve(world, started)
    else:
        world.decide(started, "consent", target)
    assert read(world, started)["state"] == "active"
    deliver(world)
    before = len(office.mails)
    extend(world, started, expires_in=1200)
    deliver(world)
    assert len(office.mails) == before + 1
    asked = {"vip": "Your approval is wanted", "customer-ask": "May an employee see your account?"}[target]
    assert office.mails[-1]["Subject"] == asked
    world.decide(started, "approval" if target == "vip" else "consent", "lead" if target == "vip" else target, "deny")
    world.clock.pass_(60)
    deliver(world)
    assert len(office.mails) == before + 1
