"""Logout tokens (Back-Channel Logout 1.0): what is none ends nothing, and what is one works once."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
import requests_mock

from authserver.storage import federation
from tests.federation.idp import IDP, JWKS, Idp, ec_key, hmac_key, settings
from tests.journeys.at_once import at_once, statuses
from tests.real_idp import NAME
from tests.signing_in import stranger_reasons
from tests.world import START, Answer, World

MakeWorld = Callable[..., World]
EVENT = "http://schemas.openid.net/event/backchannel-logout"
PATH = "/federation/backchannel-logout"


@pytest.fixture
def idp(requests_mock: requests_mock.Mocker) -> Idp:
    idp = Idp()
    idp.serve(requests_mock)
    return idp


ISSUERS = {
    NAME: settings(),
    "other": settings(issuer="https://other.example.com", jwks_uri=JWKS, hosts=["idp.example.com"]),
    "evidence_only": settings(issuer="https://third.example.com", client_id=None),
}


@pytest.fixture
def world(make_sqlite_world: MakeWorld, idp: Idp) -> World:
    del idp
    return signed_in(make_sqlite_world(federation={"issuers": ISSUERS}))


def signed_in(world: World) -> World:
    """Give the agent a session of the issuer's `sid-1`, who is its `sub-1`."""
    with world.work() as work:
        work.lock()
        federation.add_link(work.session, IDP, "sub-1", world.id("agent"), now=START, seen_at=START)
        federation.add_session(
            work.session,
            {
                "id": "ses_1",
                "user_id": world.id("agent"),
                "acr": "",
                "amr": [],
                "auth_time": START,
                "address": "",
                "created_at": START,
                "expires_at": START + 600,
                "issuer": IDP,
                "upstream_sid": "sid-1",
            },
        )
    return world


def told(**changes: Any) -> dict[str, Any]:
    """Return a logout token's claims; None leaves one out."""
    claims = {
        "iss": IDP,
        "aud": "authserver",
        "iat": START,
        "exp": START + 120,
        "jti": "jti-1",
        "sid": "sid-1",
        "events": {EVENT: {}},
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def post(world: World, token: str) -> Answer:
    return world.post(PATH, {"logout_token": token}, client=None)


@pytest.mark.parametrize("typ", ["logout+jwt", "LOGOUT+JWT", "application/logout+jwt", "JWT", None])
@pytest.mark.parametrize("about", [{}, {"sid": None, "sub": "sub-1"}, {"sub": "sub-1"}])
def test_a_session_ends_by_the_issuers_name_for_it_or_by_its_subject(
    world: World, idp: Idp, typ: str | None, about: dict[str, Any]
) -> None:
    answer = post(world, idp.sign(told(**about), typ=typ))
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    ended = [event["session_id"] for event in world.events("session:ended")]
    assert "ses_1" in ended
    assert ended == ["ses_1"] or about == {"sid": None, "sub": "sub-1"}, "a subject is signed out everywhere"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://third.example.com"}, "logout.issuer"),
        ({"iss": "https://nobody.example.com"}, "logout.issuer"),
        ({"iss": None}, "logout.issuer"),
        ({"iss": [IDP]}, "logout.issuer"),
        ({"aud": "another"}, "logout.audience"),
        ({"aud": None}, "foreign.claim:aud"),
        ({"iat": None}, "foreign.claim:iat"),
        ({"iat": START + 100}, "foreign.not_yet"),
        ({"exp": None}, "foreign.claim:exp"),
        ({"exp": START, "iat": START - 9}, "foreign.expired"),
        ({"jti": None}, "foreign.claim:jti"),
        ({"jti": 1}, "foreign.claim:jti"),
        ({"events": None}, "logout.event"),
        ({"events": {}}, "logout.event"),
        ({"events": [EVENT]}, "logout.event"),
        ({"events": {EVENT: "x"}}, "logout.event"),
        ({"events": {"https://example.com/other": {}}}, "logout.event"),
        ({"nonce": "n"}, "logout.nonce"),
        ({"nonce": ""}, "logout.nonce"),
        ({"sid": None}, "logout.about_nobody"),
        ({"sid": 1}, "foreign.claim:sid"),
        ({"sid": "x" * 256}, "foreign.claim:sid"),
        ({"sub": ["sub-1"]}, "foreign.claim:sub"),
    ],
)
def test_what_is_no_logout_token_of_ours_ends_nothing_and_leaves_evidence(
    world: World, idp: Idp, changes: dict[str, Any], reason: str
) -> None:
    """§2.6."""
    refused(world, idp.sign(told(**changes), typ="logout+jwt"), reason)


def refused(world: World, token: str, reason: str) -> None:
    answer = post(world, token)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert answer.headers["Cache-Control"] == "no-store"
    assert stranger_reasons(world) == {reason}
    assert not world.events("session:ended")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"typ": "at+jwt"}, "logout.type"),
        ({"typ": "secevent+jwt"}, "logout.type"),
        ({"alg": "PS256"}, "foreign.signature"),
        ({"alg": "RS512"}, "foreign.algorithm"),
        ({"kid": "unknown"}, "foreign.key"),
    ],
)
def test_a_header_that_is_not_the_issuers_proves_nothing(
    world: World, idp: Idp, header: dict[str, Any], reason: str
) -> None:
    token = idp.sign(told(), **header)
    if header.get("alg") == "PS256":
        head, body, _ = token.split(".")
        token = ".".join((head, body, idp.sign(told()).split(".")[2]))
    refused(world, token, reason)


def test_a_token_of_another_key_proves_nothing(world: World, idp: Idp) -> None:
    refused(world, idp.sign(told(), ec_key(), alg="ES256"), "foreign.key")


def test_a_token_signed_with_a_shared_secret_proves_nothing(world: World, idp: Idp) -> None:
    refused(world, idp.sign(told(), hmac_key(), alg="HS256"), "foreign.algorithm")


def test_an_id_token_is_no_logout_token_and_a_logout_token_no_id_token(world: World, idp: Idp) -> None:
    refused(world, idp.token(aud="authserver", nonce="n"), "logout.event")


def test_another_issuer_ends_nobodys_sessions_but_its_own(world: World, idp: Idp) -> None:
    for about in ({"sid": "sid-1"}, {"sid": None, "sub": "sub-1"}):
        token = idp.sign(told(iss="https://other.example.com", jti=str(about), **about))
        assert post(world, token).status_code == 200
    assert not world.events("session:ended")
    assert [event["sessions"] for event in world.events("logout:received")] == [[], []]


@pytest.mark.parametrize("form", [[], [("logout_token", "a"), ("logout_token", "b")], [("logout_token", "")]])
def test_a_request_that_is_none_is_refused(world: World, form: list[tuple[str, str]]) -> None:
    answer = world.post(PATH, form, client=None)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_a_token_in_the_url_is_refused(world: World, idp: Idp) -> None:
    token = idp.sign(told())
    assert world.post(f"{PATH}?logout_token={token}", {"logout_token": token}, client=None).status_code == 400


def test_a_token_works_once(world: World, idp: Idp) -> None:
    token = idp.sign(told())
    assert post(world, token).status_code == 200
    assert post(world, token).status_code == 400
    assert stranger_reasons(world) == {"logout.replayed"}
    assert len(world.events("logout:received")) == 1


def test_keys_that_cannot_be_had_end_nothing(world: World, idp: Idp, requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(JWKS, exc=requests.ConnectionError)
    refused(world, idp.sign(told()), "transport.unreachable")


def test_what_is_remembered_of_a_token_is_forgotten_when_it_has_run_out(world: World, idp: Idp) -> None:
    token = idp.sign(told())
    assert post(world, token).status_code == 200
    world.clock.pass_(121)
    world.wired.jobs.tick()
    with world.work() as work:
        work.lock()
        assert federation.use_logout_token(work.session, IDP, "x", expires_at=1)
    refused_again = post(world, token)
    assert refused_again.status_code == 400


def test_of_several_at_once_one_ends_the_session(make_world: MakeWorld, idp: Idp) -> None:
    world = signed_in(make_world(federation={"issuers": ISSUERS}))
    token = idp.sign(told())
    answers = at_once(world, *[lambda one: post(one, token)] * 4)
    assert statuses(answers) == [200, 400, 400, 400]
    assert len(world.events("session:ended")) == 1
