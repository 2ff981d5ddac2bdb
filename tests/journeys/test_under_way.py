"""What is decided while something that it rests on is being changed waits for the change, and is decided on it."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import update

from authserver.audit.events.changes import UserChanged
from authserver.protocol.names import Role, State
from authserver.settings import config_folder
from authserver.storage import clients, impersonations, listings, people
from authserver.storage.database import Work
from authserver.storage.tables import Consent
from tests.conftest import MakeWorld
from tests.journeys.at_once import add_person, at_once, prove, statuses
from tests.world import Answer, World, error

THREADS = 8
SECONDS_TO_BE_DECIDED_TOO_EARLY = 0.15


@pytest.fixture
def world(make_world: MakeWorld) -> Iterator[World]:
    made = make_world()
    yield made
    assert prove(made).ok


def _withdraw(world: World, work: Work, name: str = "customer") -> None:
    standing = Consent.subject_id == world.id(name), Consent.kind == "standing"
    work.session.execute(update(Consent).where(*standing).values(withdrawn_at=world.clock.now()))
    world.wired.trail.record(work, UserChanged(user_id=world.id(name), action="withdrew", by="test"))


def _disable_target(world: World, work: Work) -> None:
    people.set_enabled(work.session, world.id("customer"), enabled=False)


def _disable_actor(world: World, work: Work) -> None:
    people.set_enabled(work.session, world.id("agent"), enabled=False)


def _disable_client(_world: World, work: Work) -> None:
    clients.set_enabled(work.session, "backend", enabled=False)


def _sign_out(world: World, work: Work) -> None:
    people.end_sessions(work.session, world.id("agent"), now=world.clock.now())


def _end(world: World, work: Work) -> None:
    world.wired.lifecycle.end_all(work, by="test", reason="test")


def meanwhile(world: World, change: Callable[[World, Work], None], call: Callable[[World], Answer]) -> Answer:
    """Make a call while a change is written but not committed, and commit the change."""
    with ThreadPoolExecutor(1) as pool:
        with world.work() as work:
            work.lock()
            change(world, work)
            answer = pool.submit(call, replace(world))
            done, _ = wait([answer], SECONDS_TO_BE_DECIDED_TOO_EARLY)
            assert not done, answer.result().text
        return answer.result()


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (_withdraw, "consent_required"),
        (_disable_target, "access_denied"),
        (_disable_actor, "access_denied"),
        (_disable_client, "access_denied"),
        (_sign_out, "access_denied"),
    ],
)
def test_start_waits_for_a_change_and_is_decided_on_it(
    world: World, change: Callable[[World, Work], None], refusal: str
) -> None:
    assert error(meanwhile(world, change, World.way_a)) == refusal
    assert not world.events("impersonation:activated")


@pytest.mark.parametrize("change", [_withdraw, _disable_target, _disable_actor, _disable_client, _sign_out, _end])
def test_minting_again_waits_for_a_change_and_is_decided_on_it(
    world: World, change: Callable[[World, Work], None]
) -> None:
    started = world.way_a().json
    answer = meanwhile(world, change, partial(World.way_c, handle=started["impersonation"]))
    assert error(answer) == "access_denied"
    assert len(world.events("token:issued", started["impersonation_id"])) == 1


def test_approval_waits_for_a_withdrawn_consent_and_is_decided_on_it(world: World) -> None:
    asked = world.way_a(target="vip").json["impersonation_id"]
    approve = partial(World.decide, impersonation_id=asked, what="approval", who="lead")
    answer = meanwhile(world, partial(_withdraw, name="vip"), approve)
    assert (answer.status_code, answer.json["state"]) == (200, State.AWAITING_CONSENT)


def test_nothing_starts_behind_a_consent_withdrawn_at_once(world: World) -> None:
    answers: list[Answer] = []

    def withdraw(own: World) -> None:
        with own.work() as work:
            work.lock()
            _withdraw(own, work)

    def start(own: World, number: int) -> None:
        answers.append(own.way_a(ticket_id=f"BANK-{number}"))

    at_once(world, withdraw, *[partial(start, number=number) for number in range(THREADS - 1)])
    assert {error(answer) for answer in answers if answer.status_code != 200} <= {"consent_required"}
    (withdrawn,) = [event["seq"] for event in world.events("user:changed") if event["action"] == "withdrew"]
    assert all(event["seq"] < withdrawn for event in world.events("impersonation:activated"))
    later = world.way_a(ticket_id="LATER-1")
    assert error(later) == "consent_required"


@pytest.fixture
def policy_folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(config_folder() / "policy", tmp_path / "policy"))


def _rewrite(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_one_place_left_under_the_quota_is_given_to_one(make_world: MakeWorld, policy_folder: Path) -> None:
    _rewrite(policy_folder / "quota.cedar", "distinctCustomers > 200", "distinctCustomers > 3")
    world = make_world(policy={"folder": str(policy_folder)})
    names = [add_person(world, f"customer-{number}", Role.CUSTOMER) for number in range(THREADS)]
    assert [world.way_a(target=name).status_code for name in ("customer", "customer-ask")] == [200, 400]
    answers = at_once(world, *[partial(World.way_a, target=name) for name in names])
    assert statuses(answers) == [200] + [400] * (THREADS - 1)
    assert {error(answer) for answer in answers if answer.status_code == 400} == {"access_denied"}


def test_two_people_who_ask_for_each_other_at_once_are_both_answered(
    make_world: MakeWorld, policy_folder: Path
) -> None:
    """A company's own policy may let colleagues act for each other: their locks must not cross."""
    _rewrite(policy_folder / "target.cedar", 'resource.population == "staff" ||', "false &&")
    _rewrite(policy_folder / "who.cedar", 'principal.population == "staff"', "true")
    world = make_world(policy={"folder": str(policy_folder)})
    for name in ("one", "two"):
        add_person(world, name, Role.CUSTOMER, roles=[Role.SUPPORT, Role.CUSTOMER])
    asks = [
        partial(World.way_a, actor=actor, target=target, ticket_id=f"BANK-{number}")
        for number in range(THREADS)
        for actor, target in (("one", "two"), ("two", "one"))
    ]
    assert statuses(at_once(world, *asks)) == [200] * len(asks)


def test_verbs_that_find_what_is_to_end_give_the_order_of_the_locks(world: World) -> None:
    """Two calls that end the same impersonations must lock them in the same order."""
    found = [world.way_a(ticket_id=f"BANK-{number}").json["impersonation_id"] for number in range(THREADS)]
    with world.work() as work:
        work.lock()
        for impersonation_id in sorted(found)[:3]:  # moves the rows to the end of PostgreSQL's heap
            impersonations.move(work.session, impersonation_id, sources=[State.ACTIVE], to=State.ACTIVE)
    with world.work() as work:
        every = impersonations.open_of(work.session, person=world.id("agent"))
        late = listings.overdue(work.session, now=world.clock.now() + 7200, limit=100)
    assert [record.id for record in every] == [record.id for record in late] == sorted(found)
