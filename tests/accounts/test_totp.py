from urllib.parse import parse_qs, urlsplit

import pytest

from authserver.accounts.refusals import CredentialRefused
from authserver.storage import accounts
from authserver.storage.database import db, unit_of_work
from authserver.tokens.sealing import Sealer, UnsealError
from tests.accounts.conftest import House


def verify(house: House, user_id: str, code: str) -> bool:
    with unit_of_work() as work:
        return house.totp.verify(work, user_id, code)


def test_an_enrolment_counts_once_it_is_confirmed(house: House) -> None:
    user_id = house.person("casey")
    with unit_of_work() as work:
        enrolment = house.totp.enrol(work, user_id, "casey@example.com")
    parts = urlsplit(enrolment.uri)
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/login.example.com:casey%40example.com")
    assert parse_qs(parts.query) == {"secret": [enrolment.secret], "issuer": ["login.example.com"]}
    assert len(enrolment.secret) == 32
    assert not verify(house, user_id, house.code(enrolment.secret))
    with unit_of_work() as work:
        assert house.totp.pending(work, user_id, "casey@example.com") == enrolment
        assert not house.totp.confirm(work, user_id, "000000", by=user_id)
    with unit_of_work() as work:
        assert house.totp.confirm(work, user_id, house.code(enrolment.secret), by=user_id)
        assert house.totp.pending(work, user_id, "casey@example.com") is None
    assert house.events("credential:changed")[-1]["action"] == "added"


def test_the_code_that_confirmed_signs_nobody_in(house: House) -> None:
    user_id = house.person("casey")
    secret = house.add_totp(user_id)
    assert not verify(house, user_id, house.code(secret))
    house.clock.pass_(30)
    assert verify(house, user_id, house.code(secret))


def test_a_confirmed_app_is_not_replaced_but_removed(house: House) -> None:
    user_id = house.person("casey")
    secret = house.add_totp(user_id)
    with pytest.raises(CredentialRefused), unit_of_work() as work:
        house.totp.enrol(work, user_id, "casey")
    house.clock.pass_(30)
    assert verify(house, user_id, house.code(secret))
    with unit_of_work() as work:
        assert house.totp.remove(work, user_id, by=user_id)
        assert not house.totp.remove(work, user_id, by=user_id)
    house.clock.pass_(30)
    assert not verify(house, user_id, house.code(secret))


@pytest.mark.parametrize(("after", "right"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_one_step_either_way_is_allowed(small_house: House, after: float, *, right: bool) -> None:
    user_id = small_house.person("casey")
    secret = small_house.add_totp(user_id)
    small_house.clock.pass_(300)
    assert verify(small_house, user_id, small_house.code(secret, after)) is right


def test_no_step_serves_twice_and_none_before_a_used_one(house: House) -> None:
    user_id = house.person("casey")
    secret = house.add_totp(user_id)
    house.clock.pass_(300)
    ahead, present = house.code(secret, 30), house.code(secret)
    assert verify(house, user_id, ahead)
    assert not verify(house, user_id, ahead)
    assert not verify(house, user_id, present)


def test_of_eight_at_once_with_one_code_one_gets_in(house: House) -> None:
    user_id = house.person("casey")
    secret = house.add_totp(user_id)
    house.clock.pass_(300)
    code = house.code(secret)
    assert sorted(house.race(lambda: verify(house, user_id, code))) == [False] * 7 + [True]


def test_codes_may_be_written_with_spaces_and_nothing_else(small_house: House) -> None:
    user_id = small_house.person("casey")
    secret = small_house.add_totp(user_id)
    small_house.clock.pass_(300)
    code = small_house.code(secret)
    for other in ("", "12345", code + "0", "abcdef", "-00001", "٣" * 7, "0" * 100_000, code[:-1]):
        assert not verify(small_house, user_id, other)
    assert verify(small_house, user_id, f" {code[:3]} {code[3:]} ")


def test_the_secret_is_sealed_to_its_owner(small_house: House) -> None:
    casey, blake = small_house.person("casey"), small_house.person("blake")
    secret = small_house.add_totp(casey)
    small_house.clock.pass_(300)
    with unit_of_work() as work:
        stored = accounts.totp(work.session, casey)
        assert stored is not None
        assert secret not in stored.sealed_secret
        work.lock()
        accounts.put_totp(work.session, blake, stored.sealed_secret, now=0)
        accounts.confirm_totp(work.session, blake, stored.sealed_secret, step=0, now=0)
    with pytest.raises(UnsealError):
        verify(small_house, blake, small_house.code(secret))
    db.session.rollback()
    sealer = Sealer(b"p" * 32, small_house.entropy)
    assert sealer.unseal("totp-secret", casey, stored.sealed_secret)
    for purpose, owner, pepper in [("other", casey, b"p"), ("totp-secret", blake, b"p"), ("totp-secret", casey, b"q")]:
        with pytest.raises(UnsealError):
            Sealer(pepper * 32, small_house.entropy).unseal(purpose, owner, stored.sealed_secret)
    for altered in ("", "1.", "1.AAAA", stored.sealed_secret[:-4], "é"):
        with pytest.raises(UnsealError):
            sealer.unseal("totp-secret", casey, altered)
