import base64
import dataclasses
import hashlib
import json
import threading
from pathlib import Path
from typing import Any, Protocol

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet

from authserver.storage.database import db, unit_of_work
from authserver.storage.keys import StoredKey, signer
from authserver.storage.tables import Client, SigningKey, Token
from authserver.tokens.key_files import KeyFileError
from authserver.tokens.keyring import AUDIT_ALG, Keyring, KeyringError, Revocation, Rotation

PUBLISH = 600
LIFE = 3600
ALGS = ("ES256", "RS256", "PS256", "EdDSA")
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

allows_eddsa = pytest.mark.filterwarnings(f"ignore:EdDSA is deprecated:{SecurityWarning.__module__}.SecurityWarning")


class Clock(Protocol):
    at: int

    def now(self) -> int: ...

    def now_ms(self) -> int: ...


def ensure(keyring: Keyring) -> list[StoredKey]:
    with unit_of_work() as work:
        return keyring.ensure(work)


def rotate(keyring: Keyring, alg: str = "ES256", publish: int = PUBLISH) -> Rotation:
    with unit_of_work() as work:
        return keyring.rotate(work, alg, publish)


def revoke(keyring: Keyring, kid: str) -> Revocation:
    with unit_of_work() as work:
        return keyring.revoke(work, kid)


def signing(keyring: Keyring, alg: str = "ES256") -> str:
    with unit_of_work() as work:
        return keyring.signing_key(work.session, alg).kid


def published(keyring: Keyring) -> dict[str, Any]:
    with unit_of_work() as work:
        return dict(keyring.jwks(work.session))


def kids(keyring: Keyring) -> set[str]:
    return {key["kid"] for key in published(keyring)["keys"]}


def phases(keyring: Keyring) -> dict[str, str]:
    with unit_of_work() as work:
        return {status.key.kid: status.phase for status in keyring.status(work.session)}


def alive(keyring: Keyring, kid: object) -> bool:
    with unit_of_work() as work:
        return keyring.verification_key(work.session, kid) is not None


def sign(keyring: Keyring, alg: str = "ES256") -> str:
    with unit_of_work() as work:
        key = keyring.signing_key(work.session, alg)
    return jwt.encode({"alg": key.alg, "kid": key.kid}, {"sub": "someone"}, key.key, algorithms=[alg])


def accepts(jwks: Any, token: str, alg: str = "ES256") -> bool:
    """Validate as a resource server does that knows nothing but a JWKS it fetched."""
    try:
        jwt.decode(token, KeySet.import_key_set(jwks), algorithms=[alg])
    except (JoseError, ValueError):
        return False
    return True


def test_the_first_start_creates_every_key_once(keyring: Keyring) -> None:
    created = ensure(keyring)
    assert [(key.use, key.alg) for key in created] == [("sig", "ES256"), ("sig", "RS256"), ("audit", AUDIT_ALG)]
    assert ensure(keyring) == []
    assert len(published(keyring)["keys"]) == 2


def test_a_key_is_added_for_an_algorithm_that_is_chosen_later(keyring: Keyring) -> None:
    ensure(keyring)
    assert [key.alg for key in ensure(dataclasses.replace(keyring, algs=("PS256",)))] == ["PS256"]


def test_keys_created_at_once_by_two_threads_are_created_once(app: Flask, keyring: Keyring) -> None:
    start = threading.Barrier(2, timeout=30)
    created: list[StoredKey] = []

    def run() -> None:
        with app.app_context():
            start.wait()
            created.extend(ensure(keyring))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(created) == 3


@allows_eddsa
@pytest.mark.parametrize("alg", ALGS)
def test_jwks_has_public_members_alone_and_verifies_what_is_signed(keyring: Keyring, alg: str) -> None:
    keyring = dataclasses.replace(keyring, algs=(alg,))
    ensure(keyring)
    rotate(keyring, alg)
    jwks = published(keyring)
    for key in jwks["keys"]:
        assert not PRIVATE_MEMBERS & set(key)
        assert key["use"] == "sig"
    assert [key["alg"] for key in jwks["keys"]].count(alg) == 2
    assert accepts(jwks, sign(keyring, alg), alg)


@pytest.mark.parametrize("alg", ALGS)
def test_a_private_member_in_a_row_is_not_published(keyring: Keyring, alg: str) -> None:
    keyring = dataclasses.replace(keyring, algs=(alg,))
    ensure(keyring)
    with unit_of_work() as work:
        work.lock()
        for row in work.session.query(SigningKey):
            row.public_jwk = {**row.public_jwk, "d": "c2VjcmV0", "p": "c2VjcmV0"}
    assert not any(PRIVATE_MEMBERS & set(key) for key in published(keyring)["keys"])


def test_kid_is_the_thumbprint(keyring: Keyring) -> None:
    """RFC 7638 §3: SHA-256 over the required members in their order, without spaces."""
    required = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}
    ensure(keyring)
    for key in published(keyring)["keys"]:
        canonical = json.dumps({name: key[name] for name in required[key["kty"]]}, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode()).digest()
        assert key["kid"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_rotation_publishes_then_signs_then_retires(keyring: Keyring, clock: Clock) -> None:
    ensure(keyring)
    start, old = clock.at, signing(keyring)
    new = rotate(keyring).key.kid
    assert signing(keyring) == old
    assert {old, new} <= kids(keyring)
    assert (phases(keyring)[old], phases(keyring)[new]) == ("signing", "published")

    clock.at = start + PUBLISH - 1
    assert signing(keyring) == old
    clock.at = start + PUBLISH
    assert signing(keyring) == new
    assert (phases(keyring)[old], phases(keyring)[new]) == ("retiring", "signing")

    clock.at = start + PUBLISH + LIFE
    assert old in kids(keyring)
    assert alive(keyring, old)
    clock.at += 120
    assert old not in kids(keyring)
    assert not alive(keyring, old)
    assert phases(keyring)[old] == "retired"


def test_a_key_outlives_a_token_that_was_made_when_tokens_lived_longer(keyring: Keyring, clock: Clock) -> None:
    ensure(keyring)
    old, expires_at = signing(keyring), clock.at + 10 * LIFE
    with unit_of_work() as work:
        work.lock()
        work.session.add(_client())
        work.session.flush()
        work.session.add(
            Token(jti="t", kind="access", kid=old, client_id="c", issued_at=clock.at, expires_at=expires_at)
        )
    assert rotate(keyring).predecessor == dataclasses.replace(_row(old), retires_at=expires_at)


def _client() -> Client:
    lists = ("grant_types", "ways", "scopes", "default_resources", "accepts_tokens_of")
    return Client(client_id="c", name="c", auth_method="none", created_at=0, **{name: [] for name in lists})


def _row(kid: str) -> StoredKey:
    row = db.session.get_one(SigningKey, kid)
    return StoredKey(**{field.name: getattr(row, field.name) for field in dataclasses.fields(StoredKey)})


def test_a_second_rotation_while_one_waits_is_refused_by_name(keyring: Keyring, clock: Clock) -> None:
    ensure(keyring)
    waiting = rotate(keyring).key.kid
    with pytest.raises(KeyringError, match=f"ES256: {waiting} is published already and signs in {PUBLISH} s"):
        rotate(keyring)
    rotate(keyring, "RS256")
    clock.at += PUBLISH
    assert rotate(keyring).predecessor is not None


def test_a_rotation_without_a_publishing_time_takes_over_at_once(keyring: Keyring) -> None:
    ensure(keyring)
    made = [rotate(keyring, publish=0).key.kid for _ in range(3)]
    assert signing(keyring) == made[-1]
    last = rotate(keyring).key.kid
    assert signing(keyring) == made[-1]
    assert {*made, last} <= kids(keyring)


def test_another_process_sees_a_rotation_at_its_next_call(keyring: Keyring, clock: Clock) -> None:
    ensure(keyring)
    other = dataclasses.replace(keyring)
    old = signing(other)
    new = rotate(keyring).key.kid
    assert new in kids(other)
    clock.at += PUBLISH
    assert signing(other) == new
    assert signing(other) != old


STEPS = st.lists(
    st.one_of(st.just("rotate"), st.integers(1, PUBLISH // 2), st.integers(PUBLISH, 2 * LIFE)), min_size=1, max_size=12
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_a_validator_that_refreshes_in_time_never_fails(keyring: Keyring, clock: Clock, steps: list[str | int]) -> None:
    """Whatever JWKS is younger than the publishing time has the signing key, and keeps it while a token lives."""
    with unit_of_work() as work:
        work.lock()
        work.session.query(SigningKey).delete()
    ensure(keyring)
    fetched: list[tuple[int, set[str]]] = []
    signed: list[tuple[int, str]] = []
    for step in ["look", *steps, "look"]:
        if step == "rotate":
            with unit_of_work() as work:
                try:
                    keyring.rotate(work, "ES256", PUBLISH)
                except KeyringError:
                    continue
        elif isinstance(step, int):
            clock.at += step
        now, jwks, kid = clock.at, kids(keyring), signing(keyring)
        fetched.append((now, jwks))
        signed.append((now, kid))
        assert all(kid in jwks for at, jwks in fetched if now - at < PUBLISH)
        assert all(kid in jwks for at, kid in signed if now <= at + LIFE)


def test_revocation_withdraws_at_once_and_a_new_key_signs(keyring: Keyring, folder: Path) -> None:
    ensure(keyring)
    old = signing(keyring)
    token = sign(keyring)
    revocation = revoke(keyring, old)
    assert not alive(keyring, old)
    assert old not in kids(keyring)
    assert not accepts(published(keyring), token)
    assert revocation.created
    assert revocation.successor is not None
    assert signing(keyring) == revocation.successor.kid
    assert accepts(published(keyring), sign(keyring))
    assert phases(keyring)[old] == "revoked"
    assert (folder / f"{old}.pem").exists()
    revocation.delete_file()
    assert not (folder / f"{old}.pem").exists()
    assert ensure(keyring) == []


def test_revoking_the_signer_lets_the_waiting_key_sign_at_once(keyring: Keyring) -> None:
    ensure(keyring)
    old, waiting = signing(keyring), rotate(keyring).key.kid
    revocation = revoke(keyring, old)
    assert not revocation.created
    assert signing(keyring) == waiting


def test_revoking_the_waiting_key_lets_the_signer_stay(keyring: Keyring, clock: Clock) -> None:
    ensure(keyring)
    old, waiting = signing(keyring), rotate(keyring).key.kid
    revocation = revoke(keyring, waiting)
    assert revocation.successor is not None
    assert (revocation.successor.kid, revocation.successor.retires_at, revocation.created) == (old, None, False)
    clock.at += 10 * LIFE
    assert signing(keyring) == old
    assert rotate(keyring).predecessor is not None


def test_revoking_a_retiring_key_changes_nothing_for_the_signer(keyring: Keyring, clock: Clock) -> None:
    ensure(keyring)
    old, new = signing(keyring), rotate(keyring).key.kid
    clock.at += PUBLISH
    revocation = revoke(keyring, old)
    assert (revocation.successor, signing(keyring)) == (None, new)
    assert not alive(keyring, old)


def test_what_cannot_be_revoked_is_refused_by_name(keyring: Keyring) -> None:
    ensure(keyring)
    old = signing(keyring)
    revoke(keyring, old)
    with pytest.raises(KeyringError, match=f"{old}: revoked already"):
        revoke(keyring, old)
    with pytest.raises(KeyringError, match="nothing: no such key"):
        revoke(keyring, "nothing")


def test_a_refused_change_leaves_no_trace(keyring: Keyring) -> None:
    ensure(keyring)
    rotate(keyring)
    before = phases(keyring)
    with pytest.raises(KeyringError):
        rotate(keyring)
    assert phases(keyring) == before


@pytest.mark.parametrize(
    "kid", [None, 7, [], {}, "", "x", "\0" * 43, "\ud800" * 43, "A" * 43, "A" * 100_000, "../" * 14]
)
def test_a_kid_that_is_none_of_ours_verifies_nothing(keyring: Keyring, kid: object) -> None:
    ensure(keyring)
    assert not alive(keyring, kid)


def test_a_row_whose_public_key_was_swapped_verifies_nothing(keyring: Keyring) -> None:
    ensure(keyring)
    kid, other = signing(keyring), rotate(keyring).key
    with unit_of_work() as work:
        work.lock()
        work.session.get_one(SigningKey, kid).public_jwk = dict(other.public_jwk)
    assert not alive(keyring, kid)


def test_the_audit_key_is_apart_and_proves_the_past_for_ever(keyring: Keyring, clock: Clock) -> None:
    ensure(keyring)
    with unit_of_work() as work:
        kid, head = keyring.head_signer(work.session).sign(b"head 1")
    assert kid not in kids(keyring)
    assert not alive(keyring, kid)
    with unit_of_work() as work:
        keyring.rotate(work, AUDIT_ALG, 0, use="audit")
    clock.at += 10 * LIFE
    with unit_of_work() as work:
        second, head_2 = keyring.head_signer(work.session).sign(b"head 2")
    revoke(keyring, second).delete_file()
    with unit_of_work() as work:
        third, _ = keyring.head_signer(work.session).sign(b"head 3")
        verifier = keyring.head_verifier(work.session)
    assert len({kid, second, third}) == 3
    assert phases(keyring)[second] == "revoked"
    assert (verifier.verify(kid, head), verifier.verify(second, head_2)) == (b"head 1", b"head 2")


@pytest.mark.parametrize("signature", ["", "a", "..", "a.b.c", "e30.e30.e30", "\0", "é.é.é", "bnVsbA.bnVsbA.bnVsbA"])
def test_a_head_that_no_audit_key_signed_is_none(keyring: Keyring, signature: str) -> None:
    ensure(keyring)
    with unit_of_work() as work:
        kid, good = keyring.head_signer(work.session).sign(b"head")
        verifier = keyring.head_verifier(work.session)
    assert verifier.verify(kid, signature) is None
    assert verifier.verify(kid, good[:-4] + "AAAA") is None
    assert verifier.verify("unknown", good) is None


def test_a_missing_private_file_is_named(keyring: Keyring, folder: Path) -> None:
    ensure(keyring)
    kid = signing(keyring)
    (folder / f"{kid}.pem").unlink()
    with pytest.raises(KeyFileError, match=rf"{kid}\.pem: is missing on this machine"):
        signing(Keyring(folder, "", keyring.clock, LIFE))
    with unit_of_work() as work:
        problems = {status.key.kid: status.problem for status in keyring.status(work.session)}
    assert [kid for kid, problem in problems.items() if problem] == [kid]


def test_an_algorithm_without_a_key_says_how_to_get_one(keyring: Keyring) -> None:
    ensure(keyring)
    with pytest.raises(KeyringError, match="PS256: no key signs; run: authserver keys rotate --alg PS256"):
        signing(keyring, "PS256")
    assert rotate(keyring, "PS256").predecessor is None
    assert signing(keyring, "PS256")


def test_a_clock_that_runs_behind_still_finds_a_key(keyring: Keyring, clock: Clock) -> None:
    ensure(keyring)
    kid = signing(keyring)
    clock.at -= 5
    assert signing(keyring) == kid
    assert signer([], clock.at) is None


def test_a_demo_key_is_told_apart(keyring: Keyring) -> None:
    ensure(keyring)
    with unit_of_work() as work:
        assert not keyring.has_demo_key(work.session)
    rotate(dataclasses.replace(keyring, demo=True))
    with unit_of_work() as work:
        assert keyring.has_demo_key(work.session)


def test_the_passphrase_is_in_no_representation(keyring: Keyring) -> None:
    assert "correct horse" not in repr(dataclasses.replace(keyring, passphrase="correct horse"))
