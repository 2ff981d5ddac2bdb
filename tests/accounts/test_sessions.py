import pytest

from authserver.accounts.authentication import ACR_MFA, ACR_PASSWORD, Authenticated
from authserver.accounts.refusals import WrongCredentials
from authserver.accounts.sessions import Place, Started, Upstream
from authserver.storage import people
from authserver.storage.database import db, unit_of_work
from authserver.storage.tables import Session
from tests.accounts.conftest import ADDRESS, PLACE, House, MakeHouse


def sign_in(
    house: House, user_id: str, old_cookie: str = "", acr: str = ACR_PASSWORD, issuer: str | None = None
) -> Started:
    done = Authenticated(acr, ("pwd",), house.clock.now())
    upstream = None if issuer is None else Upstream(issuer)
    with unit_of_work() as work:
        return house.sessions.sign_in(work, user_id, done, PLACE, old_cookie=old_cookie, upstream=upstream)


def found(house: House, cookie: str) -> str | None:
    with unit_of_work() as work:
        session = house.sessions.find(work, cookie)
        return None if session is None else session.id


def test_a_session_is_found_by_its_cookie_which_is_stored_hashed(house: House) -> None:
    user_id = house.person("casey")
    started = sign_in(house, user_id)
    assert len(started.cookie) == 43
    assert started.cookie not in repr(started)
    assert found(house, started.cookie) == started.session.id
    for other in ("", "x", started.cookie[:-1], started.session.id):
        assert found(house, other) is None
    row = db.session.get_one(Session, started.session.id)
    assert (row.user_id, row.acr, row.amr, row.address, row.user_agent) == (
        user_id, ACR_PASSWORD, ["pwd"], ADDRESS, "A browser"
    )  # fmt: skip
    assert row.cookie_hash is not None
    assert started.cookie not in row.cookie_hash
    db.session.rollback()
    (event,) = house.events("session:started")
    assert (event["session_id"], event["user_id"], event["acr"]) == (started.session.id, user_id, ACR_PASSWORD)
    assert "commitment" in event["address"]


def test_a_session_ends_when_idle_and_when_it_is_old(make_small_house: MakeHouse) -> None:
    house = make_small_house(session_seconds=1000, session_idle_seconds=300)
    user_id = house.person("casey")
    idle = sign_in(house, user_id)
    house.clock.pass_(300)
    assert found(house, idle.cookie) is None
    busy = sign_in(house, user_id)
    for _ in range(4):
        house.clock.pass_(249)
        assert found(house, busy.cookie)
    house.clock.pass_(4)
    assert found(house, busy.cookie) is None
    assert house.sessions.listing(db.session(), user_id) == []


def test_a_visit_is_noted_at_most_once_a_minute(small_house: House) -> None:
    started = sign_in(small_house, small_house.person("casey"))
    begun = small_house.clock.now()
    noted = []
    for seconds in (0, 59, 1, 59, 1):
        small_house.clock.pass_(seconds)
        assert found(small_house, started.cookie)
        noted.append(db.session.get_one(Session, started.session.id, populate_existing=True).seen_at)
        db.session.rollback()
    assert noted == [begun, begun, begun + 60, begun + 60, begun + 120]


def test_signing_in_again_renews_the_session_under_a_new_cookie(house: House) -> None:
    user_id = house.person("casey")
    first = sign_in(house, user_id)
    house.clock.pass_(100)
    second = sign_in(house, user_id, first.cookie, ACR_MFA)
    assert second.session.id == first.session.id
    assert second.cookie != first.cookie
    assert found(house, first.cookie) is None
    with unit_of_work() as work:
        now = house.sessions.find(work, second.cookie)
    assert now is not None
    assert (now.acr, now.auth_time, now.expires_at) == (ACR_MFA, house.clock.now(), first.session.expires_at)
    assert len(house.events("session:reauthenticated")) == 1
    assert house.ended == []


def test_a_weaker_authentication_is_not_passed_off_as_the_stronger_one_before(small_house: House) -> None:
    user_id = small_house.person("casey")
    strong = sign_in(small_house, user_id, acr=ACR_MFA)
    assert sign_in(small_house, user_id, strong.cookie).session.acr == ACR_PASSWORD


def test_another_persons_session_in_the_browser_ends(house: House) -> None:
    casey, blake = house.person("casey"), house.person("blake")
    first = sign_in(house, casey)
    second = sign_in(house, blake, first.cookie)
    assert second.session.id != first.session.id
    assert found(house, first.cookie) is None
    assert house.ended == [((first.session.id,), casey)]
    assert house.events("session:ended")[-1]["session_id"] == first.session.id


def test_a_session_of_another_issuer_is_not_taken_over(small_house: House) -> None:
    user_id = small_house.person("casey")
    upstream = sign_in(small_house, user_id, issuer="https://idp.example.com")
    local = sign_in(small_house, user_id, upstream.cookie)
    assert (upstream.session.issuer, local.session.issuer) == ("https://idp.example.com", None)
    assert local.session.id != upstream.session.id
    assert found(small_house, upstream.cookie) is None


def test_a_cookie_that_was_planted_or_has_ended_starts_nothing_old(small_house: House) -> None:
    user_id = small_house.person("casey")
    planted = sign_in(small_house, user_id, "planted-by-somebody")
    assert planted.cookie != "planted-by-somebody"
    assert found(small_house, "planted-by-somebody") is None
    with unit_of_work() as work:
        small_house.sessions.end(work, planted.session.id, user_id=user_id, by=user_id)
    assert sign_in(small_house, user_id, planted.cookie).session.id != planted.session.id


def test_ending_takes_everything_along_once_and_only_ones_own(house: House) -> None:
    casey, blake = house.person("casey"), house.person("blake")
    started = sign_in(house, casey)

    def end(user_id: str) -> bool:
        with unit_of_work() as work:
            return house.sessions.end(work, started.session.id, user_id=user_id, by=user_id)

    assert not end(blake)
    assert found(house, started.cookie)
    assert sorted(house.race(lambda: end(casey))) == [False] * 7 + [True]
    assert house.ended == [((started.session.id,), casey)]
    assert len(house.events("session:ended")) == 1
    assert found(house, started.cookie) is None


def test_all_sessions_of_a_person_are_listed_and_ended_but_the_one_in_use(house: House) -> None:
    casey, blake = house.person("casey"), house.person("blake")
    mine = [sign_in(house, casey) for _ in range(3)]
    other = sign_in(house, blake)
    listed = {session.id for session in house.sessions.listing(db.session(), casey)}
    db.session.rollback()
    assert listed == {started.session.id for started in mine}
    with unit_of_work() as work:
        ended = house.sessions.end_all(work, casey, by="admin", but=mine[0].session.id)
    assert set(ended) == {started.session.id for started in mine[1:]}
    assert house.ended == [(tuple(ended), "admin")]
    assert found(house, mine[0].cookie)
    assert found(house, other.cookie)
    with unit_of_work() as work:
        assert house.sessions.end_all(work, casey, by="admin") == [mine[0].session.id]
        assert house.sessions.end_all(work, casey, by="admin") == []


def test_who_is_disabled_has_no_session_and_gets_none(house: House) -> None:
    user_id = house.person("casey")
    started = sign_in(house, user_id)
    with unit_of_work() as work:
        work.lock()
        people.set_enabled(work.session, user_id, enabled=False)
    assert found(house, started.cookie) is None
    with pytest.raises(WrongCredentials):
        sign_in(house, user_id)


def test_renewed_eight_times_at_once_one_cookie_of_the_session_works(house: House) -> None:
    user_id = house.person("casey")
    first = sign_in(house, user_id)
    renewed = house.race(lambda: sign_in(house, user_id, first.cookie))
    assert all(isinstance(started, Started) for started in renewed)
    same = [started for started in renewed if started.session.id == first.session.id]
    assert len(same) == 1
    assert found(house, first.cookie) is None


def test_what_a_browser_calls_itself_is_cut(small_house: House) -> None:
    user_id = small_house.person("casey")
    done = Authenticated(ACR_PASSWORD, ("pwd",), small_house.clock.now())
    with unit_of_work() as work:
        place = Place(ADDRESS, "x" * 10_000)
        assert len(small_house.sessions.sign_in(work, user_id, done, place).session.user_agent) == 255
