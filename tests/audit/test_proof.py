"""Whatever was tampered with is found and named (design section 5)."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from authserver.audit import chain, proof
from authserver.audit.proof import Report

if TYPE_CHECKING:
    from tests.audit.conftest import House
else:
    House = Any

CUT_OFF = "were removed from the end, as is known from the chain's own row, a signed head, the anchor file"


def edit(statement: str) -> Callable[[House], None]:
    return lambda house: house.tamper(statement)


def exchange_rows(house: House) -> None:
    house.tamper(
        "UPDATE audit_events SET seq = 99 WHERE seq = 5",
        "UPDATE audit_events SET seq = 5 WHERE seq = 6",
        "UPDATE audit_events SET seq = 6 WHERE seq = 99",
    )


def exchange_contents(house: House) -> None:
    five, six = house.events()[4:6]
    for row, other in ((five, six), (six, five)):
        house.tamper("UPDATE audit_events SET payload = :payload WHERE seq = :seq", payload=other.payload, seq=row.seq)


def forge(house: House, seq: int, **changes: Any) -> None:
    """Alter an event and make its digest anew."""
    row = house.events()[seq - 1]._replace(**changes)
    digest = chain.digest(row)
    house.tamper(
        "UPDATE audit_events SET payload = :payload, prev = :prev, digest = :digest WHERE seq = :seq",
        seq=seq,
        payload=row.payload,
        prev=row.prev,
        digest=digest,
    )


def forge_the_rest(house: House) -> None:
    """Alter event 5 and make every digest after it anew, the chain's row included."""
    rows = house.events()
    forge(house, 5, payload=rows[4].payload.replace("usr_1", "usr_2"))
    for row in rows[5:]:
        forge(house, row.seq, prev=house.events()[row.seq - 2].digest)
    last = house.events()[-1]
    house.tamper("UPDATE audit_chains SET digest = :digest", digest=last.digest)


def cut_off_everywhere(house: House) -> None:
    """Cut the end off, in the events, the chain's row and the heads."""
    house.tamper(
        "DELETE FROM audit_events WHERE seq > 7",
        "DELETE FROM audit_heads WHERE seq > 7",
        "UPDATE audit_chains SET seq = 7, digest = (SELECT digest FROM audit_events WHERE seq = 7)",
    )


def add_behind_the_end(house: House) -> None:
    last = house.events()[-1]
    row = last._replace(seq=11, prev=last.digest)
    row = row._replace(digest=chain.digest(row))
    values = ", ".join(f":{field}" for field in row._fields)
    house.tamper(f"INSERT INTO audit_events ({', '.join(row._fields)}) VALUES ({values})", **row._asdict())  # noqa: S608


TAMPERINGS: dict[str, tuple[Callable[[House], None], tuple[str, ...]]] = {
    "payload": (
        edit("UPDATE audit_events SET payload = replace(payload, 'usr_1', 'usr_2') WHERE seq = 5"),
        ("event 5 (session:ended) was altered",),
    ),
    "payload's form alone": (
        edit("UPDATE audit_events SET payload = replace(payload, ':', ': ') WHERE seq = 5"),
        ("event 5 (session:ended) was altered",),
    ),
    "payload that is no JSON": (
        edit("UPDATE audit_events SET payload = '[1e400' WHERE seq = 5"),
        ("event 5 (session:ended) was altered",),
    ),
    "payload of another type": (
        edit("UPDATE audit_events SET payload = '5' WHERE seq = 5"),
        ("event 5 (session:ended) was altered",),
    ),
    "name": (edit("UPDATE audit_events SET name = 'x:y' WHERE seq = 5"), ("event 5 (x:y) was altered",)),
    "version": (edit("UPDATE audit_events SET version = 2 WHERE seq = 5"), ("event 5 (session:ended) was altered",)),
    "instant": (edit("UPDATE audit_events SET at_ms = 1 WHERE seq = 5"), ("event 5 (session:ended) was altered",)),
    "impossible instant": (
        edit("UPDATE audit_events SET at_ms = 9223372036854775807 WHERE seq = 5"),
        ("event 5 (session:ended) was altered",),
    ),
    "impersonation": (
        edit("UPDATE audit_events SET impersonation_id = 'imp_1' WHERE seq = 5"),
        ("event 5 (session:ended) was altered",),
    ),
    "link": (edit("UPDATE audit_events SET prev = digest WHERE seq = 5"), ("event 5 (session:ended) was altered",)),
    "payload and digest": (
        lambda house: forge(house, 5, payload='{"by":"system","session_id":"x","user_id":"usr_1"}'),
        (
            "event 5 (session:ended) was altered or replaced: event 6 (session:ended) follows another digest",
            "the signed head at event 5 contradicts the chain: one of the events 1 to 5 was altered or replaced",
            "anchor line 1 (event 5) contradicts the chain: one of the events 1 to 5 was altered or replaced",
        ),
    ),
    "first event's link": (
        lambda house: forge(house, 1, prev="f" * 64),
        (
            "event 1 (session:ended) was altered or replaced: it does not begin the chain",
            "event 1 (session:ended) was altered or replaced: event 2 (session:ended) follows another digest",
        ),
    ),
    "last event and its digest": (
        lambda house: forge(house, 10, payload="{}"),
        (
            "event 10 (session:ended) was altered or replaced: the chain ends otherwise",
            "the signed head at event 10 contradicts the chain: one of the events 6 to 10 was altered or replaced",
            "anchor line 2 (event 10) contradicts the chain: one of the events 6 to 10 was altered or replaced",
        ),
    ),
    "all digests made anew": (
        forge_the_rest,
        (
            "the signed head at event 5 contradicts the chain: one of the events 1 to 5 was altered or replaced",
            "the signed head at event 10 contradicts the chain: one of the events 1 to 10 was altered or replaced",
            "anchor line 1 (event 5) contradicts the chain: one of the events 1 to 5 was altered or replaced",
            "anchor line 2 (event 10) contradicts the chain: one of the events 1 to 10 was altered or replaced",
        ),
    ),
    "one removed": (edit("DELETE FROM audit_events WHERE seq = 4"), ("event 4 was removed",)),
    "several removed": (edit("DELETE FROM audit_events WHERE seq IN (3, 4)"), ("events 3 to 4 were removed",)),
    "beginning removed": (edit("DELETE FROM audit_events WHERE seq < 4"), ("events 1 to 3 were removed",)),
    "signed one removed": (
        edit("DELETE FROM audit_events WHERE seq = 5"),
        (
            "event 5 was removed",
            "the signed head at event 5 names an event that was removed",
            "anchor line 1 (event 5) names an event that was removed",
        ),
    ),
    "end removed": (
        edit("DELETE FROM audit_events WHERE seq > 7"),
        (f"events 8 to 10 {CUT_OFF}",),
    ),
    "end removed everywhere": (
        cut_off_everywhere,
        ("events 8 to 10 were removed from the end, as is known from the anchor file",),
    ),
    "everything removed": (
        edit("DELETE FROM audit_events"),
        (f"events 1 to 10 {CUT_OFF}",),
    ),
    "two rows exchanged": (
        exchange_rows,
        (
            "event 5 was reordered: event 6 (session:ended) stands in its place",
            "event 6 was reordered: event 5 (session:ended) stands in its place",
            "the signed head at event 5 contradicts the chain: one of the events 1 to 5 was altered or replaced",
            "anchor line 1 (event 5) contradicts the chain: one of the events 1 to 5 was altered or replaced",
        ),
    ),
    "two contents exchanged": (
        exchange_contents,
        (
            "event 5 was reordered: event 6 (session:ended) stands in its place",
            "event 6 was reordered: event 5 (session:ended) stands in its place",
        ),
    ),
    "one moved to the front": (
        edit("UPDATE audit_events SET seq = -1 WHERE seq = 4"),
        ("event -1 (session:ended) stands before the beginning of the chain", "event 4 was removed"),
    ),
    "one added": (
        add_behind_the_end,
        ("event 11 was added behind the end of the chain",),
    ),
    "chain's row removed": (edit("DELETE FROM audit_chains"), ("the chain's own row was removed",)),
    "chain's row altered": (
        edit("UPDATE audit_chains SET digest = 'x'"),
        ("event 10 (session:ended) was altered or replaced: the chain ends otherwise",),
    ),
    "head's digest": (
        edit("UPDATE audit_heads SET digest = 'x' WHERE seq = 5"),
        (
            "the signed head at event 5 was altered: its signature is over something else",
            "anchor line 1 (event 5) and the signed head at event 5 differ",
        ),
    ),
    "head's signature": (
        edit("UPDATE audit_heads SET signature = 'x' WHERE seq = 5"),
        (
            "the signed head at event 5 has a bad signature",
            "anchor line 1 (event 5) and the signed head at event 5 differ",
        ),
    ),
    "head's key": (
        edit("UPDATE audit_heads SET kid = 'x' WHERE seq = 5"),
        (
            "the signed head at event 5 is signed with the unknown key 'x'",
            "anchor line 1 (event 5) and the signed head at event 5 differ",
        ),
    ),
    "head's instant is impossible": (
        edit("UPDATE audit_heads SET at_ms = 9223372036854775807 WHERE seq = 5"),
        (
            "the signed head at event 5 was altered: its numbers are impossible",
            "anchor line 1 (event 5) and the signed head at event 5 differ",
        ),
    ),
    "heads removed": (
        edit("DELETE FROM audit_heads WHERE seq = 5"),
        ("the signed head at event 5 was removed; anchor line 1 (event 5) has it",),
    ),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_tampering_is_found_and_named(house: House, kind: str) -> None:
    tamper, findings = TAMPERINGS[kind]
    house.fill(5)
    house.sign()
    house.fill(5)
    house.sign()
    assert house.verify() == Report(ok=True, events=10, heads=2, anchors=2, findings=())
    tamper(house)
    report = house.verify()
    beside = [words for words in report.findings if not words.startswith("the index ")]  # test_index.py
    assert sorted(beside) == sorted(findings)
    assert not report.ok


PERSONAL: dict[str, tuple[str, tuple[str, ...]]] = {
    "value": (
        "UPDATE audit_personal SET value = 'x'",
        ("personal value 'address' of event 1 (request:refused) does not match its commitment",),
    ),
    "value alone erased": (
        "UPDATE audit_personal SET value = NULL",
        ("personal value 'address' of event 1 (request:refused) does not match its commitment",),
    ),
    "salt": (
        "UPDATE audit_personal SET salt = 'zz'",
        ("personal value 'address' of event 1 (request:refused) does not match its commitment",),
    ),
    "row removed": (
        "DELETE FROM audit_personal",
        ("personal value 'address' of event 1 (request:refused) was removed, not erased",),
    ),
    "row added": (
        "INSERT INTO audit_personal (chain_id, seq, field, salt, value) VALUES ('main', 1, 'actor', '00', 'x')",
        ("personal value 'actor' of event 1 (request:refused) was added afterwards",),
    ),
    "row of no event": (
        "INSERT INTO audit_personal (chain_id, seq, field, salt, value) VALUES ('main', 9, 'actor', '00', 'x')",
        ("personal value 'actor' of event 9 belongs to no event",),
    ),
}


@pytest.mark.parametrize("kind", PERSONAL)
def test_tampering_with_personal_values_is_found_and_named(house: House, kind: str) -> None:
    statement, findings = PERSONAL[kind]
    house.record(house.refused())
    house.tamper(statement)
    assert house.verify().findings == findings


def test_every_later_event_of_a_renumbered_chain_is_named(small_house: House) -> None:
    small_house.fill(30)
    small_house.tamper(
        "DELETE FROM audit_events WHERE seq = 3",
        "UPDATE audit_events SET seq = -seq WHERE seq > 3",
        "UPDATE audit_events SET seq = -seq - 1 WHERE seq < 0",
        "UPDATE audit_chains SET seq = 29",
    )
    findings = small_house.verify().findings
    assert findings[0] == "event 3 was reordered: event 4 (session:ended) stands in its place"
    assert len(findings) == 27


def test_findings_are_bounded(small_house: House) -> None:
    small_house.record(*[small_house.ended(str(number)) for number in range(1_100)])
    small_house.tamper("UPDATE audit_events SET payload = '{}'")
    report = small_house.verify()
    assert len(report.findings) == 1_001
    assert report.findings[-1] == "and 100 further findings"


def test_walk_crosses_batches_and_tells_its_progress(small_house: House) -> None:
    small_house.record(*[small_house.refused(str(number)) for number in range(1_100)])
    told: list[int] = []
    key = small_house.key
    report = proof.verify(small_house.session, key, key.public, progress=told.append)
    assert (report.ok, report.events, sum(told)) == (True, 1_100, 1_100)
    assert len(told) > 2


def test_verification_stands_while_the_chain_grows(house: House) -> None:
    house.fill(3)
    stop = threading.Event()

    def grow() -> None:
        with house.app.app_context():
            while not stop.is_set():
                house.record(house.ended("a"), house.refused())
                house.sign()

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(10):
            assert house.verify().findings == ()
    finally:
        stop.set()
        thread.join()
