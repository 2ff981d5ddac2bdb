import pytest

from authserver.accounts.refusals import Throttled
from authserver.accounts.throttle import Guess
from authserver.storage.database import db, unit_of_work
from tests.accounts.conftest import ADDRESS, House, MakeHouse

PASSWORD = Guess.PASSWORD


def wait(house: House, account: str | None = "casey", address: str = ADDRESS, guess: Guess = PASSWORD) -> int:
    """Claim an attempt that then fails; return how long it has to wait, 0 when it may be made."""
    try:
        with unit_of_work() as work:
            house.throttle.claim(work, guess, account, address)
    except Throttled as refusal:
        return int(refusal.extra["retry_after"])
    return 0


def succeed(house: House, account: str | None = "casey", address: str = ADDRESS) -> None:
    with unit_of_work() as work:
        house.throttle.succeeded(work, PASSWORD, account, address)


def test_each_failure_past_the_free_ones_doubles_the_wait_up_to_the_longest(make_house: MakeHouse) -> None:
    house = make_house(account_free_failures=3, backoff_seconds=2, backoff_max_seconds=10)
    assert [wait(house) for _ in range(3)] == [0, 0, 0]
    for seconds in (2, 4, 8, 10, 10):
        assert wait(house) == seconds
        house.clock.pass_(seconds - 1)
        assert wait(house) == 1
        house.clock.pass_(1)
        assert wait(house) == 0


def test_known_and_unknown_accounts_throttle_alike_however_the_name_is_written(house: House) -> None:
    house.person("casey")
    known = [wait(house, "casey@example.com") for _ in range(7)]
    unknown = [wait(house, name) for name in ["no@x", "NO@x", " no@X", "no@x ", "no@x", "no@x", "No@x"]]
    assert known == unknown
    assert known[-1] > 0


def test_success_clears_the_account_and_not_the_address(make_house: MakeHouse) -> None:
    house = make_house(account_free_failures=3, address_free_failures=4)
    assert [wait(house), wait(house)] == [0, 0]
    assert wait(house) == 0
    succeed(house)
    assert wait(house) == 0
    assert wait(house, "blake") == 0
    assert wait(house, "casey", "198.51.100.1") == 0
    assert wait(house, "drew") > 0


def test_a_second_factors_failures_outlive_the_password(house: House) -> None:
    for _ in range(5):
        assert wait(house, guess=Guess.SECOND_FACTOR) == 0
    assert wait(house) == 0
    succeed(house)
    assert wait(house, guess=Guess.SECOND_FACTOR) > 0


@pytest.mark.parametrize(
    ("address", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("", "nonsense", True),
    ],
)
def test_an_address_is_what_one_guesser_has(
    make_small_house: MakeHouse, address: str, other: str, *, same: bool
) -> None:
    house = make_small_house(address_free_failures=1)
    assert wait(house, None, address) == 0
    assert (wait(house, None, other) > 0) is same


def test_a_throttled_address_costs_the_account_nothing(make_house: MakeHouse) -> None:
    house = make_house(account_free_failures=2, address_free_failures=1, backoff_seconds=900)
    assert wait(house, "blake") == 0
    assert all(wait(house, "casey") for _ in range(5))
    assert wait(house, "casey", "198.51.100.1") == 0


def test_failures_are_forgotten_after_a_while(make_house: MakeHouse) -> None:
    house = make_house(account_free_failures=2, backoff_seconds=10, backoff_forget_seconds=100)
    for _ in range(2):
        wait(house)
    assert wait(house) == 10
    house.clock.pass_(100)
    assert [wait(house), wait(house)] == [0, 0]
    assert wait(house) == 10


def test_guesses_at_once_are_counted_like_guesses_one_after_another(make_house: MakeHouse) -> None:
    house = make_house(account_free_failures=3)
    assert house.race(lambda: wait(house)).count(0) == 3
    db.session.rollback()
    assert wait(house) > 0
