"""Refusals before client authentication are counted: one event an address and minute (design section 5)."""

import threading
from typing import TYPE_CHECKING, Any

import pytest

from authserver.audit import strangers
from authserver.audit.events.refusals import StrangersRefused
from authserver.audit.strangers import Strangers

if TYPE_CHECKING:
    from tests.audit.conftest import House
else:
    House = Any

MINUTE = 28_333_334


class Clock:
    """A clock that is set by hand, at the beginning of `MINUTE`."""

    def __init__(self) -> None:
        self.seconds = MINUTE * 60

    def now(self) -> int:
        return self.seconds

    def now_ms(self) -> int:
        return self.seconds * 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counter(clock: Clock) -> Strangers:
    return Strangers(clock)


def test_minute_is_due_once_it_is_over(counter: Strangers, clock: Clock) -> None:
    counter.count("203.0.113.7", "client.unknown", "backend")
    clock.seconds += 59
    counter.count("203.0.113.7", "client.secret", "backend")
    counter.count("203.0.113.8", "client.secret", None)
    assert counter.due(clock.now()) == []
    clock.seconds += 1
    counter.count("203.0.113.7", "client.secret", None)
    assert counter.due(clock.now()) == [
        StrangersRefused(
            address="203.0.113.7",
            minute=MINUTE,
            count=2,
            reasons={"client.unknown": 1, "client.secret": 1},
            client_ids=("backend",),
        ),
        StrangersRefused(address="203.0.113.8", minute=MINUTE, count=1, reasons={"client.secret": 1}, client_ids=()),
    ]
    assert counter.due(clock.now()) == []


def test_everything_is_due_when_the_server_stops(counter: Strangers, clock: Clock) -> None:
    counter.count("203.0.113.7", "client.unknown", None)
    assert [event.count for event in counter.due(clock.now(), everything=True)] == [1]


def test_due_is_handed_over_in_portions(counter: Strangers, clock: Clock) -> None:
    for number in range(5):
        counter.count(f"203.0.113.{number}", "client.unknown", None)
    clock.seconds += 60
    counter.count("203.0.113.9", "client.unknown", None)
    clock.seconds += 60
    portions = [[event.address[-1] for event in counter.due(clock.now(), limit=4)] for _ in range(3)]
    assert portions == [["0", "1", "2", "3"], ["4", "9"], []]


def test_what_could_not_be_recorded_is_given_back(counter: Strangers, clock: Clock) -> None:
    counter.count("203.0.113.7", "client.unknown", "backend")
    counter.count("203.0.113.7", "client.secret", "backend")
    clock.seconds += 60
    due = counter.due(clock.now())
    counter.give_back(due)
    assert counter.due(clock.now()) == due


def test_client_ids_are_capped(counter: Strangers, clock: Clock) -> None:
    for client_id in ("a" * 65, "b\0\n\x7fé", "c", "c", "d", "e", "f"):
        counter.count("203.0.113.7", "client.unknown", client_id)
    (event,) = counter.due(clock.now(), everything=True)
    assert event.client_ids == ("a" * 64, "b????", "c", "d", "e")
    assert event.count == 7


def test_addresses_and_reasons_are_capped(counter: Strangers, clock: Clock) -> None:
    for number in range(100):
        counter.count("x" * 1000, f"reason.{number}", None)
    (event,) = counter.due(clock.now(), everything=True)
    assert event.address == "x" * 64
    assert len(event.reasons) == 33
    assert (event.reasons["other"], sum(event.reasons.values())) == (68, 100)


def test_addresses_beyond_the_limit_count_together(counter: Strangers, clock: Clock) -> None:
    for number in range(strangers.MAX_ADDRESSES + 7):
        counter.count(f"address-{number}", "client.unknown", None)
    counter.count("address-0", "client.unknown", None)
    events = {event.address: event.count for event in counter.due(clock.now(), everything=True)}
    assert len(events) == strangers.MAX_ADDRESSES + 1
    assert (events["other"], events["address-0"]) == (7, 2)


def test_memory_is_bounded_while_nothing_is_recorded(counter: Strangers, clock: Clock) -> None:
    for _ in range(7):
        clock.seconds += 60
        for number in range(strangers.MAX_ADDRESSES):
            counter.count(f"address-{number}", "client.unknown", None)
    events = counter.due(clock.now(), everything=True)
    assert len(events) <= 5 * strangers.MAX_ADDRESSES + 7
    assert sum(event.count for event in events) == 7 * strangers.MAX_ADDRESSES
    counter.count("203.0.113.7", "client.unknown", None)
    assert [event.address for event in counter.due(clock.now(), everything=True)] == ["203.0.113.7"]


def test_threads_lose_no_count(counter: Strangers, clock: Clock) -> None:
    counted: list[int] = []

    def count() -> None:
        for number in range(1_000):
            counter.count(f"203.0.113.{number % 7}", "client.unknown", str(number))

    def drain() -> None:
        for _ in range(200):
            counted.extend(event.count for event in counter.due(clock.now(), everything=True))

    threads = [threading.Thread(target=target) for target in (count, count, count, count, drain)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drain()
    assert sum(counted) == 4_000


def test_aggregate_is_chained_with_its_address_as_a_commitment(small_house: House) -> None:
    counter = Strangers(small_house.clock)
    counter.count("203.0.113.7", "client.unknown", "backend")
    small_house.record(*counter.due(small_house.clock.now(), everything=True))
    (row,) = small_house.events()
    assert row.name == "strangers:refused"
    assert "203.0.113.7" not in row.payload
    assert small_house.verify().ok
