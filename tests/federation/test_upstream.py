"""Sign-in at a trusted issuer: what comes back is verified, and each failure has a reason of its own."""

import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import pytest
import requests
import requests_mock

from authserver.federation.step_up import UpstreamError
from authserver.federation.upstream import Begun, Finished
from authserver.protocol.names import TYPE_ID_TOKEN
from tests.federation.idp import AUTHORIZE, IDP, TOKEN, USERINFO, Idp, settings
from tests.real_idp import NAME
from tests.world import API, REASON, START, World, claims

MakeWorld = Callable[..., World]
CALLBACK = "http://127.0.0.1:9000/login/corp/callback"

OTHER = "https://other.example.com"


def begin(world: World, name: str = NAME, **asked: Any) -> tuple[Begun, dict[str, str]]:
    """Begin, and return what the browser was sent with."""
    with world.work() as work:
        begun = world.wired.federation.upstream.begin(work, name, redirect_uri=CALLBACK, return_to="/account", **asked)
    return begun, dict(parse_qsl(urlsplit(begun.url).query))


def finish(world: World, browser_secret: str | None, params: Mapping[str, str], name: str = NAME) -> Finished:
    with world.work() as work:
        return world.wired.federation.upstream.finish(
            work, name, redirect_uri=CALLBACK, browser_secret=browser_secret, params=params
        )


def refusal(world: World, browser_secret: str | None, params: Mapping[str, str], name: str = NAME) -> UpstreamError:
    with pytest.raises(UpstreamError) as refused:
        finish(world, browser_secret, params, name)
    return refused.value


@pytest.fixture
def idp(requests_mock: requests_mock.Mocker) -> Idp:
    idp = Idp()
    idp.serve(requests_mock)
    return idp


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    return make_sqlite_world(
        federation={
            "issuers": {
                NAME: settings(),
                "other": settings(issuer=OTHER),
                "evidence_only": settings(issuer="https://third.example.com", client_id=None),
            }
        }
    )


def answers(mock: requests_mock.Mocker, idp: Idp, nonce: str, **changes: Any) -> None:
    """Let the token endpoint answer with an ID token; `at` goes beside it as the access token."""
    access_token = changes.pop("at", None)
    body = {"id_token": idp.token(aud="authserver", **{"nonce": nonce, **changes}), "access_token": access_token}
    body = {name: value for name, value in body.items() if value is not None}
    mock.post(TOKEN, json=body, headers={"Content-Type": "application/json"})


def test_the_browser_is_sent_with_everything_that_binds_the_answer(world: World, idp: Idp) -> None:
    begun, sent = begin(
        world, max_age=300, acr_values=["urn:authserver:acr:mfa"], prompt="login", login_hint="agent@example.com"
    )
    assert begun.url.startswith(AUTHORIZE + "?")
    assert {name: sent[name] for name in ("response_type", "client_id", "redirect_uri", "scope")} == {
        "response_type": "code",
        "client_id": "authserver",
        "redirect_uri": CALLBACK,
        "scope": "openid profile email",
    }
    assert (sent["max_age"], sent["acr_values"], sent["prompt"]) == ("300", "mfa", "login")
    assert sent["code_challenge_method"] == "S256"
    assert len({sent["state"], sent["nonce"], sent["code_challenge"], begun.browser_secret}) == 4
    assert idp.issuer == IDP


def test_a_code_is_redeemed_with_basic_and_verifier(
    world: World, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    begun, sent = begin(world)
    answers(requests_mock, idp, sent["nonce"])
    done = finish(world, begun.browser_secret, {"state": sent["state"], "code": "c0de"})
    assert (done.token.sub, done.token.name, done.return_to) == ("sub-1", NAME, "/account")
    request = requests_mock.request_history[-2 if requests_mock.request_history[-1].url != TOKEN else -1]
    form = {name: values[0] for name, values in parse_qs(request.text).items()}
    assert (form["grant_type"], form["code"], form["redirect_uri"]) == ("authorization_code", "c0de", CALLBACK)
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == sent["code_challenge"]
    pair = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
    assert [unquote(part) for part in pair.split(":")] == ["authserver", "s3cret+/%"]
    assert "client_secret" not in form


def test_an_issuer_that_wants_the_secret_in_the_body_gets_it_there(
    world: World, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    idp.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    begun, sent = begin(world)
    answers(requests_mock, idp, sent["nonce"])
    finish(world, begun.browser_secret, {"state": sent["state"], "code": "c0de"})
    request = next(request for request in requests_mock.request_history if request.url == TOKEN)
    assert "Authorization" not in request.headers
    assert parse_qs(request.text)["client_secret"] == ["s3cret+/%"]


def test_state_serves_once_in_its_browser_and_in_time(
    make_world: MakeWorld, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    world = make_world(federation={"issuers": {NAME: settings()}})
    begun, sent = begin(world)
    answers(requests_mock, idp, sent["nonce"])
    params = {"state": sent["state"], "code": "c0de"}
    assert refusal(world, None, params).reason == "upstream.no_cookie"
    assert refusal(world, "another", params).reason == "upstream.state:another_browser"
    assert refusal(world, begun.browser_secret, {"code": "c"}).reason == "upstream.no_state"
    assert refusal(world, begun.browser_secret, {"state": "x", "code": "c"}).reason == "upstream.state:unknown"
    assert finish(world, begun.browser_secret, params).token.sub == "sub-1"
    assert refusal(world, begun.browser_secret, params).reason == "upstream.state:replayed"
    late, sent = begin(world)
    world.clock.pass_(600)
    assert refusal(world, late.browser_secret, {"state": sent["state"]}).reason == "upstream.state:expired"


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"iss": OTHER, "code": "c"}, "upstream.answer_of_another_issuer"),
        ({"error": "access_denied"}, "upstream.error:access_denied"),
        ({"error": "login_required"}, "upstream.error:login_required"),
        ({"error": "<script>"}, "upstream.error:other"),
        ({}, "upstream.no_code"),
        ({"code": "x" * 5000}, "upstream.no_code"),
    ],
)
def test_an_answer_without_a_code_for_us_is_refused(
    world: World, idp: Idp, params: dict[str, str], reason: str
) -> None:
    begun, sent = begin(world)
    failed = refusal(world, begun.browser_secret, {"state": sent["state"], **params})
    assert (failed.reason, failed.return_to) == (reason, "/account")
    assert idp.issuer == IDP


def test_another_issuers_answer_is_not_taken(world: World, idp: Idp) -> None:
    begun, sent = begin(world)
    failed = refusal(world, begun.browser_secret, {"state": sent["state"], "code": "c"}, "other")
    assert failed.reason == "upstream.answer_of_another_issuer"
    idp.metadata = {"authorization_response_iss_parameter_supported": True}
    world.clock.pass_(90_000)
    begun, sent = begin(world)
    failed = refusal(world, begun.browser_secret, {"state": sent["state"], "code": "c"})
    assert failed.reason == "upstream.answer_of_another_issuer", "it says that it names itself, and did not"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nonce": "old"}, "upstream.nonce"),
        ({"nonce": None}, "upstream.nonce"),
        ({"aud": "another"}, "upstream.audience"),
        ({"azp": "another"}, "upstream.audience"),
        ({"aud": ["authserver", "another"]}, "foreign.azp"),
        ({"iss": OTHER}, "foreign.issuer"),
        ({"exp": START}, "foreign.expired"),
        ({"act": {"sub": "boss"}}, "upstream.carries_act"),
        ({"auth_time": None}, "upstream.no_auth_time"),
        ({"auth_time": START - 361}, "upstream.authentication_too_old"),
        ({"at": "an-access-token", "at_hash": "wrong"}, "upstream.at_hash"),
    ],
)
def test_an_id_token_with_a_field_altered_signs_nobody_in(
    world: World, idp: Idp, requests_mock: requests_mock.Mocker, changes: dict[str, Any], reason: str
) -> None:
    begun, sent = begin(world, max_age=300)
    fields = {"nonce": sent["nonce"], "aud": "authserver", **changes}
    access_token = fields.pop("at", "x")
    body = {"id_token": idp.token(**fields), "access_token": access_token}
    requests_mock.post(TOKEN, json=body, headers={"Content-Type": "application/json"})
    assert refusal(world, begun.browser_secret, {"state": sent["state"], "code": "c"}).reason == reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"status_code": 400, "json": {"error": "invalid_grant"}}, "upstream.code_refused"),
        ({"status_code": 200, "json": {}}, "upstream.no_id_token"),
        ({"status_code": 200, "json": {"id_token": "x.y"}}, "foreign.malformed"),
        ({"status_code": 503, "json": {}}, "transport.status"),
        ({"exc": requests.ConnectionError}, "transport.unreachable"),
        ({"exc": requests.ReadTimeout}, "transport.timeout"),
    ],
)
def test_a_token_endpoint_that_fails_signs_nobody_in(
    world: World, idp: Idp, requests_mock: requests_mock.Mocker, answer: dict[str, Any], reason: str
) -> None:
    begun, sent = begin(world)
    if "json" in answer:
        answer = {**answer, "headers": {"Content-Type": "application/json"}}
    requests_mock.post(TOKEN, **answer)
    assert refusal(world, begun.browser_secret, {"state": sent["state"], "code": "c"}).reason == reason
    assert idp.issuer == IDP


def test_an_issuer_that_is_down_begins_nothing(world: World, requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(f"{IDP}/.well-known/openid-configuration", exc=requests.ConnectTimeout)
    with pytest.raises(UpstreamError, match=r"transport\.timeout"):
        begin(world)


def test_what_only_userinfo_tells_is_taken_from_there(
    world: World, idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    told = {"sub": "sub-1", "email": "agent@example.com", "email_verified": True, "acr": "phr"}
    for sub, reason in (("sub-1", None), ("sub-2", "upstream.userinfo_of_another")):
        requests_mock.get(USERINFO, json={**told, "sub": sub}, headers={"Content-Type": "application/json"})
        begun, sent = begin(world)
        answers(requests_mock, idp, sent["nonce"], at="at-1", email=None, email_verified=None)
        params = {"state": sent["state"], "code": "c"}
        if reason is not None:
            assert refusal(world, begun.browser_secret, params).reason == reason
            continue
        token = finish(world, begun.browser_secret, params).token
        assert (token.claims["email"], token.claims["acr"]) == ("agent@example.com", "mfa")
        assert requests_mock.last_request is not None
        assert requests_mock.last_request.headers["Authorization"] == "Bearer at-1"


def test_only_issuers_with_a_client_id_are_offered(world: World) -> None:
    assert [offer.name for offer in world.wired.federation.upstream.offers()] == [NAME, "other"]
    for name in ("evidence_only", "nobody"):
        with pytest.raises(UpstreamError, match="unknown_issuer"):
            begin(world, name)


def test_signing_out_goes_on_to_the_issuer_where_it_says_how(world: World, idp: Idp) -> None:
    upstream = world.wired.federation.upstream
    asked = {"sid": "sid-1", "id_token": "x", "return_to": "https://here", "state": "s"}
    assert upstream.sign_out_url("corp", **asked) is None
    idp.metadata = {"end_session_endpoint": f"{IDP}/logout?a=b"}
    world.clock.pass_(90_000)
    url = upstream.sign_out_url("corp", **asked)
    assert url is not None
    assert dict(parse_qsl(urlsplit(url).query)) == {
        "a": "b",
        "logout_hint": "sid-1",
        "client_id": "authserver",
        "post_logout_redirect_uri": "https://here",
        "state": "s",
    }


# --- a real IdP over real HTTP


def test_a_person_signs_in_at_a_real_idp_and_their_token_is_evidence(real_world: World) -> None:
    world = real_world
    begun, sent = begin(world)
    there = requests.post(begun.url, data={"sub": "42"}, allow_redirects=False, timeout=10)
    back = dict(parse_qsl(urlsplit(there.headers["Location"]).query))
    assert back["state"] == sent["state"]
    world.clock.seconds = time.time()
    done = finish(world, begun.browser_secret, back)
    assert done.token.sub == "42"
    with world.work() as work:
        user = world.wired.federation.people.resolve(work, done.token)
        assert user.id == world.id("agent")
    answer = world.exchange(
        subject_token=done.id_token,
        subject_token_type=TYPE_ID_TOKEN,
        requested_subject=world.id("customer"),
        resource=API,
        **REASON,
    )
    assert answer.status_code == 200, answer.text
    assert claims(answer.json["access_token"])["act"]["sub"] == world.id("agent")
