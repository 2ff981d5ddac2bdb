import json
from dataclasses import replace
from typing import Any

import pytest

from authserver.accounts.authentication import Method
from authserver.accounts.passkeys import PasskeyProof, Passkeys
from authserver.accounts.refusals import CredentialRefused, WrongCredentials
from authserver.storage import accounts
from authserver.storage.database import db, unit_of_work
from tests.accounts.authenticator import Authenticator
from tests.accounts.conftest import ISSUER, House


def prove(house: House, device: Authenticator, user_id: str | None = None) -> PasskeyProof:
    with unit_of_work() as work:
        options = house.passkeys.authentication_options(work.session, user_id)
        return house.passkeys.verify(work, challenge=options.challenge, response=device.get(options.json))


def use(house: House, proof: PasskeyProof) -> bool:
    with unit_of_work() as work:
        return house.passkeys.use(work, proof)


def test_a_registered_passkey_proves_its_owner(house: House) -> None:
    user_id = house.person("casey")
    device = house.add_passkey(user_id)
    proof = prove(house, device)
    assert (proof.user_id, proof.method, proof.sign_count) == (user_id, Method.DEVICE_PASSKEY, 1)
    assert use(house, proof)
    assert house.events("credential:changed")[-1]["kind"] == "passkey"
    with unit_of_work() as work:
        (stored,) = accounts.passkeys_of(work.session, user_id)
    assert (stored.name, stored.sign_count, stored.used_at) == ("Phone", 1, house.clock.now())


def test_a_passkey_that_may_be_copied_is_called_software(house: House) -> None:
    device = house.add_passkey(house.person("casey"), synced=True)
    assert prove(house, device).method is Method.SYNCED_PASSKEY


def test_options_ask_for_a_verified_user_and_name_only_whose_passkeys_may_be_named(small_house: House) -> None:
    user_id = small_house.person("casey")
    small_house.add_passkey(user_id)
    with unit_of_work() as work:
        creation = json.loads(small_house.passkeys.registration_options(work.session, user_id).json)
        named = json.loads(small_house.passkeys.authentication_options(work.session, user_id).json)
        nameless = small_house.passkeys.authentication_options(work.session, None)
    assert creation["rp"]["id"] == "login.example.com"
    assert creation["authenticatorSelection"]["userVerification"] == "required"
    assert creation["attestation"] == "none"
    assert [known["id"] for known in creation["excludeCredentials"]] == [named["allowCredentials"][0]["id"]]
    assert json.loads(nameless.json)["allowCredentials"] == []
    assert json.loads(nameless.json)["userVerification"] == "required"
    assert json.loads(nameless.json)["challenge"] == nameless.challenge


WRONG: dict[str, dict[str, Any]] = {
    "another site's origin": {"origin": "https://evil.example"},
    "a sub-domain's origin": {"origin": "https://x.login.example.com"},
    "another relying party": {"rp_id": "evil.example"},
    "the user not verified": {"verified": False},
    "another person's handle": {"user_handle": b"usr_blake"},
    "an unknown credential": {"credential_id": b"unknown"},
    "a counter that does not rise": {"sign_count": -1},
}


@pytest.mark.parametrize("what", WRONG)
def test_what_a_phisher_or_a_clone_can_give_proves_nothing(small_house: House, what: str) -> None:
    device = small_house.add_passkey(small_house.person("casey"))
    assert use(small_house, prove(small_house, device))
    changes = {**WRONG[what]}
    if "sign_count" in changes:
        changes["sign_count"] += device.sign_count
    with pytest.raises(WrongCredentials):
        prove(small_house, replace(device, **changes))


def test_an_answer_to_another_challenge_or_of_another_key_proves_nothing(small_house: House) -> None:
    device = small_house.add_passkey(small_house.person("casey"))
    with unit_of_work() as work:
        first = small_house.passkeys.authentication_options(work.session, None)
        second = small_house.passkeys.authentication_options(work.session, None)
        response = device.get(first.json)
        with pytest.raises(WrongCredentials):
            small_house.passkeys.verify(work, challenge=second.challenge, response=response)
    stranger = Authenticator("login.example.com", ISSUER, credential_id=device.credential_id, sign_count=7)
    with pytest.raises(WrongCredentials):
        prove(small_house, stranger)


@pytest.mark.parametrize("response", ["", "{}", "[]", "null", "1", '{"id": 1}', "[" * 50_000, '{"id":"é","rawId":"!"}'])
def test_what_is_no_answer_at_all_is_refused(small_house: House, response: str) -> None:
    user_id = small_house.person("casey")
    with unit_of_work() as work, pytest.raises(WrongCredentials):
        small_house.passkeys.verify(work, challenge="AAAA", response=response)
    with unit_of_work() as work, pytest.raises(CredentialRefused):
        small_house.passkeys.register(work, user_id, challenge="AAAA", response=response, name="", by=user_id)


def test_a_passkey_belongs_to_one_person_and_is_registered_once(house: House) -> None:
    casey, blake = house.person("casey"), house.person("blake")
    device = house.add_passkey(casey)
    for user_id in (casey, blake):
        with unit_of_work() as work:
            options = house.passkeys.registration_options(work.session, user_id)
            answer = device.create(options.json)
            with pytest.raises(CredentialRefused):
                house.passkeys.register(
                    work, user_id, challenge=options.challenge, response=answer, name="", by=user_id
                )
    assert prove(house, device).user_id == casey


@pytest.mark.parametrize("change", [{"origin": "https://evil.example"}, {"rp_id": "evil.example"}, {"verified": False}])
def test_a_registration_from_elsewhere_is_refused(small_house: House, change: dict[str, Any]) -> None:
    user_id = small_house.person("casey")
    with pytest.raises(CredentialRefused):
        _register(small_house, user_id, change)


def _register(house: House, user_id: str, change: dict[str, Any]) -> None:
    device = replace(Authenticator("login.example.com", ISSUER), **change)
    with unit_of_work() as work:
        options = house.passkeys.registration_options(work.session, user_id)
        answer = device.create(options.json)
        house.passkeys.register(work, user_id, challenge=options.challenge, response=answer, name="", by=user_id)


def test_of_eight_at_once_with_one_answer_one_gets_in(house: House) -> None:
    device = house.add_passkey(house.person("casey"))
    proof = prove(house, device)
    assert sorted(house.race(lambda: use(house, proof))) == [False] * 7 + [True]


def test_a_passkey_that_never_counts_is_good_again_and_again(house: House) -> None:
    device = house.add_passkey(house.person("casey"), counts=False)
    for _ in range(2):
        assert use(house, prove(house, device))


def test_a_removed_passkey_is_gone_even_while_it_is_being_used(house: House) -> None:
    casey, blake = house.person("casey"), house.person("blake")
    device = house.add_passkey(casey)
    proof = prove(house, device)
    with unit_of_work() as work:
        assert not house.passkeys.remove(work, blake, proof.credential_id, by=blake)
        assert house.passkeys.remove(work, casey, proof.credential_id, by=casey)
    assert not use(house, proof)
    with pytest.raises(WrongCredentials):
        prove(house, device)
    db.session.rollback()


@pytest.mark.parametrize(
    ("issuer", "available"),
    [("https://login.example.com", True), ("http://localhost:9000", True), ("http://127.0.0.1:9000", False)],
)
def test_browsers_offer_passkeys_only_where_the_issuer_has_a_name(
    small_house: House, issuer: str, *, available: bool
) -> None:
    passkeys = Passkeys(issuer, small_house.trail, small_house.clock, small_house.entropy)
    assert passkeys.available is available
