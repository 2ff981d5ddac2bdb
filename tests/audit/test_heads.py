"""Signed heads, in the database and outside it (design section 5)."""

import json
import stat
import threading
from typing import TYPE_CHECKING, Any

from authserver.audit import chain, heads
from authserver.audit.canonical import canonical
from authserver.storage import trail
from authserver.storage.trail import SignedHead

if TYPE_CHECKING:
    from tests.audit.conftest import House
else:
    House = Any

THREADS = 8


def test_head_is_signed_once_for_where_the_chain_stands(house: House) -> None:
    assert house.sign() is None
    house.fill(2)
    signed = house.sign()
    assert signed is not None
    assert (signed.seq, signed.digest) == (2, house.events()[1].digest)
    assert house.sign() is None
    assert house.key.signed == [
        canonical({"chain_id": "main", "seq": 2, "digest": signed.digest, "at_ms": house.clock.ms})
    ]
    (line,) = house.anchor.read_text().splitlines()
    assert json.loads(line) == signed._asdict()
    assert stat.S_IMODE(house.anchor.stat().st_mode) == 0o600


def test_head_may_be_signed_by_many_at_once(house: House) -> None:
    house.fill(3)
    barrier = threading.Barrier(THREADS)
    signed: list[bool] = []

    def sign() -> None:
        with house.app.app_context():
            barrier.wait()
            signed.append(house.sign() is not None)

    threads = [threading.Thread(target=sign) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(signed) == [False] * (THREADS - 1) + [True]
    assert len(house.anchor.read_text().splitlines()) == 1
    assert house.verify().ok


def test_anchor_file_gets_what_a_crash_kept_from_it(house: House) -> None:
    house.fill(1)
    house.sign()
    house.fill(1)
    house.sign()
    whole = house.anchor.read_text()
    house.anchor.write_text(whole[:-20])
    assert house.verify().findings == ("anchor line 2 cannot be read",)
    assert house.sign() is None
    assert house.anchor.read_text() == whole[:-20] + "\n" + whole.splitlines()[1] + "\n"
    assert house.verify().ok
    house.anchor.unlink()
    house.sign()
    assert house.anchor.read_text() == whole


def test_foreign_line_of_an_anchor_file_is_named(house: House) -> None:
    house.fill(1)
    house.sign()
    with house.anchor.open("a") as file:
        file.write('{"seq": 1e400}\nnonsense\n[]\n')
    assert house.verify().findings == tuple(f"anchor line {number} cannot be read" for number in (2, 3, 4))


def test_anchor_line_by_an_unknown_key_is_named(house: House) -> None:
    house.fill(1)
    house.sign()
    stranger = type(house.key)(kid="audit-2", secret=b"other")
    findings = house.verify(key=stranger).findings
    assert findings == (
        "anchor line 1 (event 1) is signed with the unknown key 'audit-1'",
        "the signed head at event 1 is signed with the unknown key 'audit-1'",
    )


def test_replaced_key_in_the_database_is_noticed_with_pinned_keys(house: House) -> None:
    house.fill(1)
    house.sign()
    house.tamper(
        "INSERT INTO signing_keys (kid, use, alg, public_jwk, created_at, signs_from, demo)"
        " VALUES ('audit-1', 'audit', 'Ed25519', '{\"kty\": \"OKP\", \"x\": \"beef\"}', 0, 0, false)"
    )
    assert trail.audit_keys(house.session) == {"audit-1": {"kty": "OKP", "x": "beef"}}
    findings = house.verify().findings
    assert findings == ("the audit key audit-1 in the database is not the trusted one: it was replaced",)


def test_heads_signed_anew_with_another_key_contradict_the_anchor_file(house: House) -> None:
    house.fill(1)
    house.sign()
    altered = house.events()[0]._replace(payload="{}")
    house.tamper(
        "UPDATE audit_events SET payload = '{}', digest = :digest",
        "UPDATE audit_chains SET digest = :digest",
        digest=chain.digest(altered),
    )
    thief = type(house.key)(secret=b"thief")
    last = house.events()[-1]
    forged = SignedHead("main", 1, last.digest, house.clock.ms, "", "")
    kid, signature = thief.sign(heads.statement(forged))
    house.tamper(
        "UPDATE audit_heads SET digest = :digest, signature = :signature", digest=last.digest, signature=signature
    )
    assert kid == "audit-1"
    assert house.verify(key=thief).findings == (
        "anchor line 1 (event 1) and the signed head at event 1 differ",
        "anchor line 1 (event 1) has a bad signature",
        "the index says more than event 1 (session:ended) names",
    )
