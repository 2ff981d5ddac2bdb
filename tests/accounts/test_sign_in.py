from typing import Any

import pytest

from authserver.accounts.authentication import ACR_MFA, ACR_PASSWORD, ACR_PHISHING_RESISTANT, Method
from authserver.accounts.pending import Finished, SecondFactorNeeded
from authserver.accounts.refusals import LoginExpired, Throttled, WrongCredentials
from authserver.storage import people
from authserver.storage.database import Work, db, unit_of_work
from authserver.storage.tables import PendingLogin
from tests.accounts.authenticator import Authenticator
from tests.accounts.conftest import ADDRESS, PASSWORD, House, MakeHouse


def totp(house: House, cookie: str, code: str) -> Any:
    with unit_of_work() as work:
        return house.sign_in.with_totp(work, cookie, code=code, address=ADDRESS)


def recovery(house: House, cookie: str, code: str) -> Any:
    with unit_of_work() as work:
        return house.sign_in.with_recovery_code(work, cookie, code=code, address=ADDRESS)


def passkey(house: House, cookie: str, device: Authenticator) -> Any:
    with unit_of_work() as work:
        options = house.sign_in.passkey_options(work, cookie)
    with unit_of_work() as work:
        return house.sign_in.with_passkey(work, cookie, response=device.get(options.json), address=ADDRESS)


def test_a_password_signs_in_who_has_nothing_more(house: House) -> None:
    user_id = house.person("casey")
    step = house.password(house.begin("/oauth/authorize?x=1"))
    assert isinstance(step, Finished)
    assert (step.user_id, step.return_to) == (user_id, "/oauth/authorize?x=1")
    assert (step.authenticated.acr, step.authenticated.amr) == (ACR_PASSWORD, ("pwd",))
    assert house.session_of(step).session.user_id == user_id


def test_the_second_factor_is_asked_of_who_has_one(house: House) -> None:
    user_id = house.person("casey")
    secret = house.add_totp(user_id)
    house.clock.pass_(60)
    cookie = house.begin()
    step = house.password(cookie)
    assert isinstance(step, SecondFactorNeeded)
    assert (step.user_id, step.factors.totp, step.factors.passkeys) == (user_id, True, 0)
    with pytest.raises(WrongCredentials):
        totp(house, cookie, "000000")
    done = totp(house, cookie, house.code(secret))
    assert isinstance(done, Finished)
    assert (done.authenticated.acr, done.authenticated.amr) == (ACR_MFA, ("pwd", "otp", "mfa"))
    with pytest.raises(LoginExpired):
        totp(house, cookie, house.code(secret, 30))


def test_a_recovery_code_stands_in_for_the_second_factor(house: House) -> None:
    user_id = house.person("casey")
    house.add_totp(user_id)
    with unit_of_work() as work:
        codes = house.recovery.regenerate(work, user_id, by=user_id)
    cookie = house.begin()
    house.password(cookie)
    done = recovery(house, cookie, codes[0])
    assert isinstance(done, Finished)
    assert done.authenticated.amr == ("pwd", "rc", "mfa")
    again = house.begin()
    house.password(again)
    with pytest.raises(WrongCredentials):
        recovery(house, again, codes[0])


def test_a_passkey_signs_in_alone_and_after_a_password(house: House) -> None:
    user_id = house.person("casey")
    device = house.add_passkey(user_id)
    alone = passkey(house, house.begin(), device)
    assert isinstance(alone, Finished)
    assert (alone.user_id, alone.authenticated.acr) == (user_id, ACR_PHISHING_RESISTANT)
    assert alone.authenticated.amr == ("hwk", "user", "mfa")
    cookie = house.begin()
    assert isinstance(house.password(cookie), SecondFactorNeeded)
    after = passkey(house, cookie, device)
    assert isinstance(after, Finished)
    assert after.authenticated.amr == ("pwd", "hwk", "user", "mfa")


def test_proofs_of_two_people_never_add_up(house: House) -> None:
    casey, blake = house.person("casey"), house.person("blake")
    house.add_totp(casey)
    secret = house.add_totp(blake)
    house.clock.pass_(60)
    cookie = house.begin()
    house.password(cookie, "blake")
    step = house.password(cookie, "casey")
    assert isinstance(step, SecondFactorNeeded)
    assert step.user_id == casey
    with pytest.raises(WrongCredentials):
        totp(house, cookie, house.code(secret))
    with unit_of_work() as work:
        found = house.pending.find(work.session, cookie)
    assert found is not None
    assert (found.user_id, found.methods) == (casey, (Method.PASSWORD,))


def test_another_persons_passkey_after_a_password_signs_in_that_other_person(house: House) -> None:
    house.add_totp(house.person("casey"))
    device = house.add_passkey(house.person("blake"))
    cookie = house.begin()
    house.password(cookie, "casey")
    with unit_of_work() as work:
        options = house.passkeys.authentication_options(work.session, None)
        house.pending.set_challenge(work, cookie, options.challenge)
    with unit_of_work() as work:
        step = house.sign_in.with_passkey(work, cookie, response=device.get(options.json), address=ADDRESS)
    assert isinstance(step, Finished)
    assert (step.user_id, step.authenticated.amr) == ("usr_blake", ("hwk", "user", "mfa"))


def test_no_step_can_be_left_out(house: House) -> None:
    user_id = house.person("casey")
    secret = house.add_totp(user_id)
    house.clock.pass_(60)
    cookie = house.begin()
    with pytest.raises(LoginExpired):
        totp(house, cookie, house.code(secret))
    with pytest.raises(LoginExpired):
        recovery(house, cookie, "x")
    with pytest.raises(LoginExpired), unit_of_work() as work:
        house.sign_in.with_passkey(work, cookie, response="{}", address=ADDRESS)
    for unknown in ("", "x", cookie[:-1]):
        with pytest.raises(LoginExpired):
            house.password(unknown)


def test_who_is_unknown_disabled_or_has_no_password_gets_one_answer(house: House) -> None:
    house.person("casey")
    house.person("gone", enabled=False)
    house.person("federated", password=None)
    said, cookie = set(), house.begin()
    tries = [("casey", "wrong"), ("gone", PASSWORD), ("gone", "wrong"), ("federated", PASSWORD), ("nobody", PASSWORD)]
    for name, password in tries:
        with pytest.raises(WrongCredentials) as refused:
            house.password(cookie, name, password)
        said.add((refused.value.public, refused.value.error, refused.value.status, str(refused.value.extra)))
    assert len(said) == 1
    failed = house.events("sign-in:failed")
    assert [event["user_id"] for event in failed] == ["usr_casey", "usr_gone", "usr_gone", "usr_federated", None]
    assert failed[1]["reason"] == "account.disabled"
    assert all("commitment" in event["address"] for event in failed)


@pytest.mark.parametrize("username", ["", "\0", "a\0b", "\ud800", "x" * 100_000, "casey@example.com\n", "%"])
def test_hostile_user_names_are_unknown_ones(house: House, username: str) -> None:
    house.person("casey")
    cookie = house.begin()
    with pytest.raises(WrongCredentials), unit_of_work() as work:
        house.sign_in.with_password(work, cookie, username=username, password=PASSWORD, address=ADDRESS)


def test_guessing_is_slowed_down_and_a_right_password_does_not_jump_the_wait(house: House) -> None:
    house.person("casey")
    cookie = house.begin()
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            house.password(cookie, "casey", "wrong")
    with pytest.raises(Throttled) as throttled:
        house.password(cookie)
    assert (throttled.value.status, throttled.value.retry_after) == (429, 2)
    assert len(house.events("sign-in:failed")) == 5
    house.clock.pass_(2)
    house.password(cookie)
    again = house.begin()
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            house.password(again, "casey", "wrong")


def test_a_throttled_password_does_not_keep_its_owner_from_their_passkey(house: House) -> None:
    device = house.add_passkey(house.person("casey"))
    cookie = house.begin()
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            house.password(cookie, "casey", "wrong", address="198.51.100.9")
    assert isinstance(passkey(house, cookie, device), Finished)


def test_codes_are_throttled_even_for_who_knows_the_password(house: House) -> None:
    house.add_totp(house.person("casey"))
    house.clock.pass_(60)
    cookie = house.begin()
    house.password(cookie)
    for number in range(5):
        with pytest.raises(WrongCredentials):
            (totp if number % 2 else recovery)(house, cookie, "000000")
        house.password(cookie)
    with pytest.raises(Throttled):
        totp(house, cookie, "000000")
    with pytest.raises(Throttled):
        recovery(house, cookie, "AAAA-AAAA-AAAA")


def test_guesses_at_once_are_not_free(house: House) -> None:
    house.person("casey")
    cookie = house.begin()
    got = house.race(lambda: house.password(cookie, "casey", "wrong"))
    assert sorted(type(error).__name__ for error in got) == ["Throttled"] * 3 + ["WrongCredentials"] * 5


def test_finished_at_once_from_eight_sides_it_is_finished_once(house: House) -> None:
    house.person("casey")
    cookie = house.begin()
    got = house.race(lambda: house.password(cookie))
    assert sum(isinstance(step, Finished) for step in got) == 1
    assert all(isinstance(step, Finished | LoginExpired | Throttled) for step in got)


def test_a_sign_in_takes_ten_minutes_at_most(small_house: House) -> None:
    secret = small_house.add_totp(small_house.person("casey"))
    cookie = small_house.begin()
    small_house.clock.pass_(599)
    small_house.password(cookie)
    small_house.clock.pass_(1)
    with pytest.raises(LoginExpired):
        totp(small_house, cookie, small_house.code(secret))
    with unit_of_work() as work:
        assert small_house.pending.find(work.session, cookie) is None


def test_a_challenge_is_used_up_by_whatever_answers_it(house: House) -> None:
    device = house.add_passkey(house.person("casey"))
    cookie = house.begin()
    with unit_of_work() as work:
        options = house.sign_in.passkey_options(work, cookie)
    answer = device.get(options.json)
    with pytest.raises(WrongCredentials), unit_of_work() as work:
        house.sign_in.with_passkey(work, cookie, response="{}", address=ADDRESS)
    with pytest.raises(LoginExpired), unit_of_work() as work:
        house.sign_in.with_passkey(work, cookie, response=answer, address=ADDRESS)
    assert house.events("sign-in:failed")[-1]["reason"] == "passkey.malformed"


def test_of_eight_at_once_with_one_answer_to_one_challenge_one_gets_in(house: House) -> None:
    device = house.add_passkey(house.person("casey"), counts=False)
    cookie = house.begin()
    with unit_of_work() as work:
        options = house.sign_in.passkey_options(work, cookie)
    answer = device.get(options.json)

    def act() -> Any:
        with unit_of_work() as work:
            return house.sign_in.with_passkey(work, cookie, response=answer, address=ADDRESS)

    got = house.race(act)
    assert sorted(type(result).__name__ for result in got) == ["Finished"] + ["LoginExpired"] * 7


def test_who_is_disabled_meanwhile_gets_no_further(house: House) -> None:
    user_id = house.person("casey")
    secret = house.add_totp(user_id)
    device = house.add_passkey(user_id)
    house.clock.pass_(60)
    cookie = house.begin()
    house.password(cookie)
    with unit_of_work() as work:
        work.lock()
        people.set_enabled(work.session, user_id, enabled=False)
    with pytest.raises(WrongCredentials):
        totp(house, cookie, house.code(secret))
    with pytest.raises(WrongCredentials):
        passkey(house, cookie, device)
    assert house.events("sign-in:failed")[-1]["reason"] == "account.disabled"


def test_the_password_is_hashed_while_no_transaction_is_open(
    small_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_house.person("casey")
    cookie, seen = small_house.begin(), []
    real = small_house.passwords.verify

    with unit_of_work() as outer:
        work: Work = outer

        def verify(stored: str | None, password: str) -> Any:
            seen.append((work.locked, work.session.in_transaction()))
            return real(stored, password)

        monkeypatch.setattr(small_house.passwords, "verify", verify)
        small_house.sign_in.with_password(
            work, cookie, username="casey@example.com", password=PASSWORD, address=ADDRESS
        )
    assert seen == [(False, False)]


def test_cookies_of_sign_ins_are_stored_hashed_and_can_be_cancelled(make_small_house: MakeHouse) -> None:
    house = make_small_house()
    cookie = house.begin()
    (row,) = db.session.query(PendingLogin).all()
    assert cookie not in row.cookie_hash
    db.session.rollback()
    with unit_of_work() as work:
        house.pending.cancel(work, cookie)
        assert house.pending.find(work.session, cookie) is None
