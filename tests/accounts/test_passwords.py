import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from authserver.accounts.passwords import MAX_CHARS, normalised
from authserver.accounts.refusals import Busy, LoginExpired, WeakPassword
from authserver.storage import accounts
from authserver.storage.database import db, unit_of_work
from tests.accounts.conftest import PASSWORD, House, MakeHouse


def test_passwords_are_kept_as_argon2id_and_verify(small_house: House) -> None:
    stored = small_house.passwords.hash(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert small_house.passwords.verify(stored, PASSWORD).right
    assert not small_house.passwords.verify(stored, PASSWORD + " ").right
    assert small_house.passwords.hash(PASSWORD) != stored


def test_the_form_in_which_a_keyboard_sends_a_password_does_not_matter(small_house: House) -> None:
    stored = small_house.passwords.hash("pässword straße ①")
    assert small_house.passwords.verify(stored, "pa\u0308ssword straße 1").right
    assert normalised("pa\u0308ss") == "päss"


def test_nobodys_password_is_verified_like_anybodys_and_is_wrong(
    small_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    hasher = small_house.passwords._argon2
    real = type(hasher).verify

    def spy(self: Any, stored: str, password: str) -> bool:
        seen.append(stored)
        return real(self, stored, password)

    monkeypatch.setattr(type(hasher), "verify", spy)
    for stored, password in [(None, PASSWORD), (None, ""), (None, "x" * 10_000), (small_house.passwords.hash("a"), "")]:
        assert not small_house.passwords.verify(stored, password).right
    assert not small_house.passwords.verify(small_house.passwords.hash("a"), "a" * (MAX_CHARS + 1)).right
    assert len(seen) == 5
    assert {stored.rsplit("$", 2)[0] for stored in seen} == {"$argon2id$v=19$m=8,t=1,p=1"}


def test_a_broken_hash_is_wrong_and_no_crash(small_house: House) -> None:
    for stored in ("", "plain", "$argon2id$v=19$m=8,t=1,p=1$!!$!!"):
        assert not small_house.passwords.verify(stored, PASSWORD).right


def test_hashes_follow_changed_parameters(make_small_house: MakeHouse) -> None:
    before = make_small_house()
    user_id = before.person("casey")
    after = make_small_house(argon2_time_cost=2)
    with unit_of_work() as work:
        old = accounts.password_hash(work.session, user_id)
    verification = after.passwords.verify(old, PASSWORD)
    assert verification.right
    assert verification.rehashed is not None
    assert "t=2" in verification.rehashed
    after.password(after.begin())
    with unit_of_work() as work:
        stored = accounts.password_hash(work.session, user_id)
    assert stored is not None
    assert "t=2" in stored
    assert after.passwords.verify(stored, PASSWORD) == type(verification)(right=True)


@pytest.mark.parametrize(
    "password",
    ["", "short1!", "password123", "casey1990", "Casey@Example.com", "qwertyuiop", "aaaaaaaaaaaaaaaa", "x" * 129],
)
def test_what_is_easily_guessed_is_refused_with_advice(small_house: House, password: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        small_house.passwords.check_strength(password, ("Casey Customer", "casey@example.com"))
    assert refused.value.extra["advice"]
    assert password == "" or password not in str(refused.value.extra)


def test_ones_own_words_make_a_password_weak(make_small_house: MakeHouse) -> None:
    passwords = make_small_house().passwords
    passwords.check_strength("Zyxomma Tarnished", ())
    with pytest.raises(WeakPassword):
        passwords.check_strength("Zyxomma Tarnished", ("Zyxomma Tarnished",))


@pytest.mark.parametrize(
    "password", [PASSWORD, "пароль как поезд жёлтый", "🦑" * 3 + "ünïcode train", "k" + "Vx9!" * 31]
)
def test_strong_passwords_of_any_script_and_up_to_128_characters_are_taken(small_house: House, password: str) -> None:
    small_house.passwords.check_strength(password, ())


def test_no_more_are_hashed_at_once_than_allowed_and_the_rest_is_told_so(make_small_house: MakeHouse) -> None:
    house = make_small_house(password_concurrency=1, password_waiting=1, password_wait_seconds=0.2)
    stored = house.passwords.hash(PASSWORD)
    inside, leave = threading.Event(), threading.Event()

    def occupy() -> None:
        with house.passwords._turn():
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=occupy)
    thread.start()
    inside.wait(5)
    with pytest.raises(Busy) as waited:
        house.passwords.verify(stored, PASSWORD)
    results = [error.reason for error in house.race(lambda: house.passwords.verify(stored, PASSWORD))]
    leave.set()
    thread.join()
    assert waited.value.reason == "password.wait"
    assert waited.value.status == 503
    assert set(results) <= {"password.wait", "password.queue"}
    assert "password.queue" in results
    assert house.passwords.verify(stored, PASSWORD).right


def test_an_attempt_that_was_told_busy_is_no_failure(make_small_house: MakeHouse) -> None:
    house = make_small_house(account_free_failures=1, password_concurrency=1, password_waiting=0)
    house.person("casey")
    cookie = house.begin()
    with house.passwords._turn(), pytest.raises(Busy):
        house.password(cookie)
    house.password(cookie)


def test_changing_a_password_leaves_evidence_and_voids_what_it_had_proved(small_house: House) -> None:
    user_id = small_house.person("casey")
    small_house.add_totp(user_id)
    cookie = small_house.begin()
    small_house.password(cookie)
    with unit_of_work() as work:
        small_house.passwords.change(work, user_id, "another horse, another staple", by=user_id)
    changed = small_house.events("credential:changed")[-1]
    assert (changed["user_id"], changed["kind"], changed["action"]) == (user_id, "password", "set")
    with pytest.raises(LoginExpired), unit_of_work() as work:
        small_house.sign_in.with_totp(work, cookie, code="000000", address="")
    db.session.rollback()
    with unit_of_work() as work, pytest.raises(WeakPassword):
        small_house.passwords.change(work, user_id, "casey@example.com", by=user_id)


def test_a_password_that_is_slow_to_score_is_scored_fast(small_house: House) -> None:
    started = time.process_time()
    small_house.passwords.check_strength("4@8({[<369&#!1/|0$5+7%2" * 5, ())
    assert time.process_time() - started < 1


def test_scoring_is_not_mixed_up_between_threads(small_house: House) -> None:
    def check() -> bool:
        with pytest.raises(WeakPassword):
            small_house.passwords.check_strength("Zyxomma Tarnished", ("Zyxomma Tarnished",))
        small_house.passwords.check_strength("Zyxomma Tarnished", ())
        return True

    assert small_house.race(check) == [True] * 8


def test_what_is_heavy_is_loaded_only_when_it_is_needed() -> None:
    program = "import sys, authserver.accounts.sign_in; print({'zxcvbn', 'webauthn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
