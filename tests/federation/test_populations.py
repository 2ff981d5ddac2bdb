"""Who is linked or created at sign-in: only where allowed, only by a verified address, and never across populations."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests_mock

from authserver.storage import people
from tests.federation.idp import TOKEN, Idp, settings
from tests.journeys.at_once import at_once, statuses
from tests.real_idp import NAME
from tests.signing_in import BrowserOf, handed_over
from tests.world import Answer, World

MakeWorld = Callable[..., World]
STAFF: dict[str, Any] = {"roles": [{"claim": "groups", "contains": "support", "role": "support"}]}
CUSTOMERS: dict[str, Any] = {"population": "customers"}


@pytest.fixture
def idp(requests_mock: requests_mock.Mocker) -> Idp:
    idp = Idp()
    idp.serve(requests_mock)
    return idp


def world_with(make: MakeWorld, **changes: Any) -> World:
    return make(federation={"issuers": {NAME: settings(presenters=[], **changes)}})


def sign_in(world: World, idp: Idp, mock: requests_mock.Mocker, **claims: Any) -> Answer:
    """Come back from the issuer with an ID token that says this."""
    browser = BrowserOf(world)
    sent = dict(parse_qsl(urlsplit(handed_over(browser.submit(browser.get("/login"), f"/login/at/{NAME}"))).query))
    said = {"aud": "authserver", "nonce": sent["nonce"], "groups": ["support"], **claims}
    mock.post(TOKEN, json={"id_token": idp.token(**said)}, headers={"Content-Type": "application/json"})
    return browser.get(f"/login/at/{NAME}/callback", state=sent["state"], code="c")


@pytest.mark.parametrize(
    ("changes", "claims", "reason"),
    [
        ({**STAFF, "provision": "create"}, {"email": "customer@example.com"}, "person.username_taken"),
        ({**STAFF, "provision": "link_verified_email"}, {"email": "customer@example.com"}, "person.not_linked"),
        ({**STAFF, "provision": "create"}, {"email": "new@example.com", "groups": []}, "person.no_role"),
        ({**CUSTOMERS, "provision": "create"}, {"email": "agent@example.com"}, "person.username_taken"),
        ({**CUSTOMERS, "provision": "link_verified_email"}, {"email": "AGENT@example.com"}, "person.not_linked"),
        ({"provision": "never"}, {}, "person.not_linked"),
        ({"provision": "link_verified_email"}, {"email_verified": False}, "person.email_not_verified"),
        ({"provision": "link_verified_email"}, {"email_verified": None}, "person.email_not_verified"),
        ({"provision": "link_verified_email"}, {"email_verified": 1.0}, "person.email_not_verified"),
        ({"provision": "link_verified_email"}, {"email": "nobody@example.com"}, "person.not_linked"),
        ({**CUSTOMERS, "provision": "link_verified_email"}, {"email": "disabled@example.com"}, "person.disabled"),
    ],
)
def test_who_is_nobody_here_is_neither_linked_nor_created(  # noqa: PLR0917 - a table's columns
    make_sqlite_world: MakeWorld,
    idp: Idp,
    requests_mock: requests_mock.Mocker,
    changes: dict[str, Any],
    claims: dict[str, Any],
    reason: str,
) -> None:
    world = world_with(make_sqlite_world, **changes)
    before = len(world.events("user:changed"))
    shown = sign_in(world, idp, requests_mock, **claims)
    assert (shown.status_code, "did not work" in shown.text) == (400, True)
    assert [event["reason"] for event in world.events("sign-in:failed")] == [reason]
    assert not world.events("identity:linked")
    assert not world.events("session:started")
    assert len(world.events("user:changed")) == before


def test_a_user_name_of_the_other_population_is_not_taken_over(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    """An issuer of customers says somebody is called as a member of staff is, with an address of their own."""
    names = {"username": "preferred_username"}
    world = world_with(make_sqlite_world, **CUSTOMERS, provision="create", claims=names)
    shown = sign_in(world, idp, requests_mock, email="own@example.net", preferred_username="admin@example.com")
    assert shown.status_code == 400
    assert world.events("sign-in:failed")[-1]["reason"] == "person.username_taken"


def test_who_changed_population_is_not_signed_in_any_more(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    world = world_with(make_sqlite_world, provision="link_verified_email")
    assert sign_in(world, idp, requests_mock).status_code == 303
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id("agent"), population="customers")
    assert sign_in(world, idp, requests_mock).status_code == 400
    assert world.events("sign-in:failed")[-1]["reason"] == "person.population"


def test_another_subject_does_not_take_a_link_by_the_same_address(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    world = world_with(make_sqlite_world, provision="link_verified_email")
    assert sign_in(world, idp, requests_mock).status_code == 303
    assert sign_in(world, idp, requests_mock, sub="sub-2").status_code == 400
    assert world.events("sign-in:failed")[-1]["reason"] == "person.linked_to_another_subject"


def test_one_person_at_several_browsers_at_once_is_created_once(
    make_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    world = world_with(make_world, **CUSTOMERS, provision="create")
    browsers = [BrowserOf(world) for _ in range(3)]
    pages = [browser.submit(browser.get("/login"), f"/login/at/{NAME}") for browser in browsers]
    sent = [dict(parse_qsl(urlsplit(handed_over(page)).query)) for page in pages]
    by_verifier = {one["code_challenge"]: one["nonce"] for one in sent}

    def answer(request: Any, _context: Any) -> dict[str, str]:
        nonce = by_verifier[dict(parse_qsl(request.text))["code"]]
        return {"id_token": idp.token(aud="authserver", nonce=nonce, email="new@example.com")}

    requests_mock.post(TOKEN, json=answer, headers={"Content-Type": "application/json"})

    def come_back(index: int) -> Callable[[World], Answer]:
        query = {"state": sent[index]["state"], "code": sent[index]["code_challenge"]}
        return lambda _world: browsers[index].get(f"/login/at/{NAME}/callback", **query)

    assert statuses(at_once(world, *map(come_back, range(3)))) == [303, 303, 303]
    assert [event["how"] for event in world.events("identity:linked")] == ["created"]
    assert len({event["user_id"] for event in world.events("session:started")}) == 1


@pytest.mark.parametrize(
    ("provision", "email"), [("create", "new@example.com"), ("link_verified_email", "agent@example.com")]
)
def test_address_that_the_issuer_verified_is_verified_here(
    make_sqlite_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker, provision: str, email: str
) -> None:
    world = world_with(make_sqlite_world, **STAFF, provision=provision)
    assert sign_in(world, idp, requests_mock, email=email).status_code == 303
    with world.work() as work:
        user = people.by_username(work.session, email)
        assert user is not None
        assert user.email_verified
