import math
import re

from authserver.storage import accounts
from authserver.storage.database import db, unit_of_work
from authserver.storage.tables import RecoveryCode
from tests.accounts.conftest import House


def regenerate(house: House, user_id: str) -> list[str]:
    with unit_of_work() as work:
        return house.recovery.regenerate(work, user_id, by=user_id)


def verify(house: House, user_id: str, code: str) -> bool:
    with unit_of_work() as work:
        return house.recovery.verify(work, user_id, code)


def left(user_id: str) -> int:
    with unit_of_work() as work:
        return accounts.recovery_codes_left(work.session, user_id)


def test_ten_codes_of_sixty_bits_are_made_and_kept_hashed(house: House) -> None:
    user_id = house.person("casey")
    codes = regenerate(house, user_id)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"(?:[0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}", code) for code in codes)
    assert math.log2(32**12) >= 50
    hashes = {row.code_hash for row in db.session.query(RecoveryCode)}
    db.session.rollback()
    assert len(hashes) == 10
    assert not hashes & set(codes)


def test_each_serves_once_and_only_its_owner(house: House) -> None:
    casey, blake = house.person("casey"), house.person("blake")
    codes = regenerate(house, casey)
    regenerate(house, blake)
    assert not verify(house, blake, codes[0])
    assert verify(house, casey, codes[0])
    assert not verify(house, casey, codes[0])
    assert left(casey) == 9
    assert house.events("credential:changed")[-1]["action"] == "used"


def test_how_a_code_is_written_does_not_matter(small_house: House) -> None:
    user_id = small_house.person("casey")
    first, second, third, *_ = regenerate(small_house, user_id)
    assert verify(small_house, user_id, first.lower().replace("-", ""))
    assert verify(small_house, user_id, f"  {second.replace('-', ' ')} ")
    assert verify(small_house, user_id, third.replace("0", "o").replace("1", "l"))
    for other in ("", "-", first[:-1], "\0", "\ud800", "x" * 10_000):
        assert not verify(small_house, user_id, other)


def test_new_codes_void_the_old_ones(house: House) -> None:
    user_id = house.person("casey")
    old = regenerate(house, user_id)
    verify(house, user_id, old[0])
    new = regenerate(house, user_id)
    assert left(user_id) == 10
    assert not any(verify(house, user_id, code) for code in old)
    assert verify(house, user_id, new[0])
    with unit_of_work() as work:
        house.recovery.remove(work, user_id, by="admin")
    assert left(user_id) == 0


def test_of_eight_at_once_with_one_code_one_gets_in(house: House) -> None:
    user_id = house.person("casey")
    code = regenerate(house, user_id)[0]
    assert sorted(house.race(lambda: verify(house, user_id, code))) == [False] * 7 + [True]


def test_made_anew_eight_times_at_once_ten_are_left(house: House) -> None:
    user_id = house.person("casey")
    made = house.race(lambda: regenerate(house, user_id))
    assert all(len(codes) == 10 for codes in made)
    assert left(user_id) == 10
