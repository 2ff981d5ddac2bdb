"""Verifying tokens as a resource server: by asking (RFC 7662), or by the published keys (RFC 9068 §4)."""

import base64
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from joserfc.jwk import ECKey, OctKey, RSAKey

from authserver.resource import InvalidTokenError, ResourceServer, UnavailableError, VerifiedToken, published
from tests.resource.issuer import ACT, API, INTROSPECT, ISSUER, KEYS, METADATA, NOW, Paper, acting, claims


def reason(paper: Paper, token: str | None = None, **more: Any) -> str:
    """Return why a token is refused."""
    with pytest.raises(InvalidTokenError) as caught:
        paper.server(**more).verify(token or paper.sign())
    return caught.value.reason


def unavailable(paper: Paper, **more: Any) -> str:
    """Return why nobody can say."""
    with pytest.raises(UnavailableError) as caught:
        paper.server(**more).verify(paper.sign())
    return caught.value.reason


# --- what a token says


def test_plain_token_is_nobodys_impersonation(paper: Paper) -> None:
    paper.says()
    token = paper.server().verify("opaque")
    assert (token.sub, token.client_id, token.expires_at) == ("usr_customer", "backend", NOW + 600)
    assert token.scopes == {"accounts:read", "cards:write"}
    assert token.audience == {ISSUER, API}
    assert (token.impersonated, token.read_only, token.actor, token.act) == (False, False, None, None)


def test_impersonation_tells_who_acts_and_how(paper: Paper) -> None:
    """RFC 8693 §4.1: the outermost is the current actor."""
    nested = {"sub": "backend", "iss": ISSUER, "act": ACT}
    paper.says(**acting("full", act=nested, override=None))
    token = paper.server().verify("opaque")
    assert token.actor == "backend"
    assert token.act is not None
    assert token.act.act is not None
    assert (token.act.act.sub, token.act.act.act) == ("usr_agent", None)
    assert token.impersonation is not None
    assert (token.impersonation.id, token.impersonation.ticket_id) == ("imp_1", "BANK-1042")
    assert (token.impersonated, token.read_only) == (True, False)


def test_mode_that_is_not_known_is_the_stricter_one() -> None:
    for mode, read_only in (("full", False), ("read_only", True), ("of tomorrow", True)):
        assert VerifiedToken.parse(claims(**acting(mode))).read_only is read_only


def deep(levels: int) -> dict[str, Any]:
    return ACT if levels == 1 else {**ACT, "act": deep(levels - 1)}


@pytest.mark.parametrize(
    "changes",
    [
        {"act": "usr_agent"},
        {"act": {"sub": "usr_agent"}},
        {"act": {"sub": 1, "iss": ISSUER}},
        {"act": {**ACT, "act": []}},
        {"act": deep(17)},
        {"act": None, "impersonation": {"id": "imp_1", "mode": "full"}},
        {"act": ACT, "impersonation": "imp_1"},
        {"act": ACT, "impersonation": {"mode": "full"}},
        {"act": ACT, "impersonation": {"id": "imp_1"}},
        {"sub": None},
        {"client_id": None},
        {"aud": [API, 1]},
        {"scope": ["accounts:read"]},
        {"exp": "tomorrow"},
        {"exp": True},
    ],
)
def test_claims_of_another_shape_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidTokenError):
        VerifiedToken.parse(claims(**changes))


# --- asking


def test_server_is_asked_each_time_and_in_the_form_of_the_standard(paper: Paper) -> None:
    paper.says()
    server = paper.server()
    server.verify("one")
    server.verify("one")
    assert (paper.asked(), paper.asked(METADATA)) == (2, 1)
    request = paper.mock.last_request
    assert request is not None
    assert request.text == "token=one&token_type_hint=access_token"
    encoded = request.headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(encoded) == b"the+bank:s%3Ae%2Bc"  # RFC 6749 §2.3.1


def test_token_that_ended_is_refused_at_the_next_request(paper: Paper) -> None:
    paper.says(**acting())
    server = paper.server(cache_seconds=60)
    assert server.verify("one").impersonated
    paper.says(active=False)
    with pytest.raises(InvalidTokenError):
        server.verify("one")


def test_yes_to_a_plain_token_is_kept_only_where_that_was_asked_for(paper: Paper) -> None:
    paper.says()
    server = paper.server(cache_seconds=10)
    assert server.verify("one") == server.verify("one")
    assert paper.asked() == 1
    server.verify("two")
    paper.now += 10
    server.verify("one")
    assert paper.asked() == 3
    paper.says(exp=int(paper.now) + 2)
    server.verify("three")
    paper.now += 2
    server.verify("three")
    assert paper.asked() == 5


def test_no_is_never_kept(paper: Paper) -> None:
    paper.says(active=False)
    server = paper.server(cache_seconds=60)
    with pytest.raises(InvalidTokenError):
        server.verify("one")
    paper.says()
    server.verify("one")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"active": False}, "token.inactive"),
        ({"iss": "https://evil.example.com"}, "token.issuer"),
        ({"iss": None}, "token.issuer"),
        ({"aud": "https://payments.example.com"}, "token.audience"),
        ({"aud": None}, "token.audience"),
        ({"exp": None}, "token.claims"),
    ],
)
def test_answer_that_is_not_about_a_token_for_us_is_a_no(paper: Paper, changes: dict[str, Any], why: str) -> None:
    paper.says(**changes)
    assert reason(paper, "opaque") == why


@pytest.mark.parametrize(
    "answer",
    [
        {"exc": requests.ConnectTimeout},
        {"exc": requests.exceptions.SSLError},
        {"status_code": 500, "json": {"active": True, **claims()}},
        {"status_code": 401, "json": {"error": "invalid_client"}},
        {"status_code": 307, "headers": {"Location": "https://evil.example.com/introspect"}},
        {"text": "<html>"},
        {"json": [True]},
        {"json": {}},
        {"json": {**claims(), "active": "true"}},
        {"json": {**claims(), "active": 1}},
        {"text": json.dumps({"active": True, **claims(more="x" * 300_000)})},
        {
            "content": gzip.compress(json.dumps({"active": True, **claims(more="x" * 3_000_000)}).encode()),
            "headers": {"Content-Encoding": "gzip"},
        },
        {"text": "[" * 100_000},
    ],
)
def test_server_that_cannot_be_asked_lets_nobody_in(paper: Paper, answer: dict[str, Any]) -> None:
    paper.mock.post(INTROSPECT, **answer)
    unavailable(paper)
    assert all(request.url.startswith(ISSUER) for request in paper.mock.request_history)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": ISSUER + "/"},
        {"issuer": None},
        {"introspection_endpoint": "https://evil.example.com/introspect"},
        {"introspection_endpoint": "http://login.example.com/introspect"},
        {"introspection_endpoint": "https://["},
        {"introspection_endpoint": None},
    ],
)
def test_metadata_of_somebody_else_are_refused(paper: Paper, metadata: dict[str, Any]) -> None:
    """RFC 8414 §3.3: equal to the byte; and a secret goes to the issuer's own origin alone."""
    paper.serve(**metadata)
    unavailable(paper)
    assert paper.asked() == 0


def test_issuer_with_a_path_is_asked_where_the_standard_says(paper: Paper) -> None:
    """RFC 8414 §3.1."""
    issuer = f"{ISSUER}/bank"
    known = {"issuer": issuer, "introspection_endpoint": INTROSPECT, "jwks_uri": KEYS}
    paper.mock.get(f"{METADATA}/bank", json=known)
    paper.says(iss=issuer)
    assert ResourceServer(issuer, API, "the bank", "secret").verify("opaque").sub == "usr_customer"


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example.com",
        "login.example.com",
        "https://",
        "https://a@b",
        "https://a?b",
        "https://a#b",
        "ftp://a",
    ],
)
def test_issuer_that_is_no_safe_address_is_refused_at_the_start(issuer: str) -> None:
    with pytest.raises(ValueError, match="the issuer must be"):
        ResourceServer(issuer, API, "the bank", "secret")


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "127.0.0.2", "localhost", "[::1]:9000"])
def test_issuer_of_this_machine_needs_no_encryption(host: str) -> None:
    assert ResourceServer(f"http://{host}", API, "the bank", "secret").issuer == f"http://{host}"


@pytest.mark.parametrize("token", ["", "é", "x" * 16_385])
def test_what_can_be_no_token_is_not_asked_about(paper: Paper, token: str) -> None:
    with pytest.raises(InvalidTokenError):
        paper.server().verify(token)
    assert not paper.mock.called


# --- by the published keys


def test_plain_token_is_verified_offline_and_nobody_is_asked(paper: Paper) -> None:
    server = paper.server(mode="offline")
    for header in ({}, {"typ": "application/at+jwt"}, {"typ": "AT+JWT"}):
        assert server.verify(paper.sign(header=header)).sub == "usr_customer"
    assert (paper.asked(), paper.asked(KEYS)) == (0, 1)


def test_token_with_act_is_asked_about_all_the_same(paper: Paper) -> None:
    server = paper.server(mode="offline")
    token = paper.sign(**acting())
    paper.says(**acting())
    assert server.verify(token).read_only
    paper.says(active=False)
    with pytest.raises(InvalidTokenError):
        server.verify(token)
    paper.mock.post(INTROSPECT, exc=requests.ConnectionError)
    with pytest.raises(UnavailableError):
        server.verify(token)


def forged(paper: Paper) -> dict[str, str]:
    """Return tokens that are wrong in one thing each."""
    own = paper.keys[0]
    stranger = ECKey.generate_key("P-256", {"kid": "one"})
    rsa = RSAKey.generate_key(2048, {"kid": "one"})
    secret = OctKey.import_key(json.dumps(own.as_dict(private=False)))
    good = paper.sign()
    unsigned = base64.urlsafe_b64encode(b'{"typ":"at+jwt","alg":"none","kid":"one"}').decode().rstrip("=")
    return {
        "another key": paper.sign(stranger),
        "unknown key": paper.sign(header={"kid": "two"}),
        "no key": paper.sign(header={"kid": None}),
        "another algorithm": paper.sign(rsa, {"alg": "RS256"}),
        "symmetric": paper.sign(secret, {"alg": "HS256", "kid": "one"}),
        "unsigned": f"{unsigned}.{good.split('.')[1]}.",
        "id token": paper.sign(header={"typ": "JWT"}),
        "untyped": paper.sign(header={"typ": None}),
        "truncated": good[:-2],
        "changed": good[:60] + ("A" if good[60] != "A" else "B") + good[61:],
        "no token": "a.b.c",
        "garbage": "garbage",
        "issuer": paper.sign(iss="https://evil.example.com"),
        "audience": paper.sign(aud=ISSUER),
        "part of the audience": paper.sign(aud=API + "/more"),
        "no audience": paper.sign(aud=None),
        "expired": paper.sign(exp=NOW - 30),
        "no expiry": paper.sign(exp=None),
        "expiry as text": paper.sign(exp="later"),
        "not yet": paper.sign(nbf=NOW + 31),
        "of the future": paper.sign(iat=NOW + 31),
        "no sub": paper.sign(sub=None),
        "no client": paper.sign(client_id=None),
        "no jti": paper.sign(jti=None),
    }


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_forged_tokens_are_refused(paper: Paper) -> None:
    for name, token in forged(paper).items():
        assert reason(paper, token, mode="offline"), name
    assert paper.asked() == 0


def test_leeway_is_half_a_minute(paper: Paper) -> None:
    server = paper.server(mode="offline")
    assert server.verify(paper.sign(exp=NOW - 29))
    assert server.verify(paper.sign(iat=NOW + 30, nbf=NOW + 30))


def test_key_of_another_algorithm_than_it_is_published_for_is_refused(paper: Paper) -> None:
    paper.publish(alg="ES512")
    assert reason(paper, mode="offline") == "token.key"


def test_key_for_encryption_or_with_its_private_part_is_not_used(paper: Paper) -> None:
    paper.publish(use="enc")
    assert reason(paper, mode="offline") == "token.key"


def test_new_key_is_fetched_when_it_is_first_met_and_not_again_and_again(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = paper.server(mode="offline")
    server.verify(paper.sign())
    paper.keys.append(ECKey.generate_key("P-256", {"kid": "two"}))
    paper.publish()
    with pytest.raises(InvalidTokenError):
        server.verify(paper.sign(paper.keys[1]))  # just fetched: a stranger's kid brings no storm of fetches
    monkeypatch.setattr(published, "_RETRY_SECONDS", 0)
    assert server.verify(paper.sign(paper.keys[1])).sub == "usr_customer"
    assert paper.asked(KEYS) == 2


def test_keys_that_are_known_serve_while_the_server_is_down(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    server = paper.server(mode="offline")
    server.verify(paper.sign())
    paper.mock.get(KEYS, exc=requests.ConnectionError)
    monkeypatch.setattr(published, "_RETRY_SECONDS", 0)
    monkeypatch.setattr(published, "_FRESH_SECONDS", 0)
    assert server.verify(paper.sign()).sub == "usr_customer"
    monkeypatch.setattr(published, "_STALE_SECONDS", 0)
    with pytest.raises(UnavailableError):
        server.verify(paper.sign())


def test_keys_that_were_never_had_let_nobody_in_and_are_not_asked_for_by_every_request(paper: Paper) -> None:
    paper.mock.get(KEYS, exc=requests.ConnectionError)
    server = paper.server(mode="offline")
    for _ in range(3):
        with pytest.raises(UnavailableError):
            server.verify(paper.sign())
    assert paper.asked(KEYS) == 1


def test_many_threads_fetch_the_keys_once(paper: Paper) -> None:
    server, token = paper.server(mode="offline"), paper.sign()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: server.verify(token).sub, range(32)))
    assert (set(found), paper.asked(KEYS)) == ({"usr_customer"}, 1)


def test_mode_that_is_none_is_refused_at_the_start(paper: Paper) -> None:
    with pytest.raises(ValueError, match="introspect or offline"):
        paper.server(mode="ofline")
