"""The index of whom events name: written with them, held against them, and never of what can be erased."""

import pytest
from sqlalchemy import text

from authserver.audit.events.governance import ConsentCodeTried
from authserver.audit.events.readings import TrailRead
from authserver.audit.events.sign_in import IdentityLinked
from authserver.cli.db import application
from authserver.settings import Database
from authserver.storage import mentions, trail
from authserver.storage.database import db
from authserver.storage.mentions import Mention
from tests.audit.conftest import House

SECRET = "erased-later"


def index(house: House) -> set[tuple[int, str, str]]:
    found = house.session.execute(text("SELECT seq, kind, value FROM audit_mentions")).all()
    house.session.rollback()
    return {(row[0], row[1], row[2]) for row in found}


def test_everybody_whom_an_event_names_is_in_it_and_nothing_else(house: House) -> None:
    house.record(
        house.refused(),
        TrailRead(reader="usr_2", how="api", query={"person": "usr_9", "client_id": "app"}),
        ConsentCodeTried(actor="x" * 65, correct=True, left=1),
    )
    assert index(house) == {
        (1, "person", "usr_1"),
        (1, "client", "backend"),
        (2, "person", "usr_2"),
        (2, "client", "app"),
    }


def test_nothing_personal_is_ever_in_it(small_house: House) -> None:
    """What is erased beside the chain survives nowhere."""
    small_house.record(
        small_house.refused(SECRET),
        IdentityLinked(user_id="usr_1", issuer="https://idp.example", sub=SECRET, how="linked"),
        TrailRead(reader="usr_1", how="api", looked_for=SECRET),
    )
    for seq, field in ((1, "address"), (2, "sub"), (3, "looked_for")):
        assert trail.erase_personal(small_house.session, "main", seq, field)
    small_house.session.commit()
    assert not any(SECRET in value for _, _, value in index(small_house))
    assert small_house.verify().ok


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (
            "DELETE FROM audit_mentions WHERE seq = 2 AND kind = 'person'",
            "the index lacks what event 2 (session:ended) names, and a search misses it: person system, person usr_1",
        ),
        (
            "INSERT INTO audit_mentions (chain_id, kind, value, seq) VALUES ('main', 'client', 'app', 2)",
            "the index says more than event 2 (session:ended) names",
        ),
    ],
    ids=["lacking", "too much"],
)
def test_index_that_is_not_what_the_chain_says_is_named(house: House, statement: str, finding: str) -> None:
    house.fill(3)
    assert house.verify().ok
    house.tamper(statement)
    assert house.verify().findings == (finding,)


def test_migration_makes_it_from_the_chain(small_house: House) -> None:
    small_house.record(small_house.refused(), small_house.ended("ses_1"))
    small_house.tamper("UPDATE audit_events SET payload = 'no JSON' WHERE seq = 2")
    db.session.remove()
    before = index(small_house)
    app = application(Database(url=small_house.url, pool_size=1))
    from flask_migrate import downgrade, stamp, upgrade  # noqa: PLC0415

    with app.app_context():
        stamp(revision="0008")
        downgrade(revision="0006")
        upgrade(revision="0008")
        db.engine.dispose()
    assert index(small_house) == {entry for entry in before if entry[0] == 1}


def test_what_an_event_names_stands_at_whatever_depth() -> None:
    payload = {"a": [{"by": "usr_1"}, {"b": {"client_id": "app"}}], "actor": None, "subject": "", "by": 1}
    assert mentions.mentioned(payload) == {Mention("person", "usr_1"), Mention("client", "app")}
