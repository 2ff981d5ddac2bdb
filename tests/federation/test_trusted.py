"""Trusted issuers' tokens: documents and keys that rotate, fail and storm; and each field of a token altered."""

import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests_mock

from authserver.federation.discovery import fetch_metadata
from authserver.federation.foreign import ForeignToken
from authserver.federation.jwks import PublishedKeys
from authserver.federation.refusals import FederationError
from authserver.federation.transport import Transport
from authserver.federation.trusted import TrustedIssuers
from authserver.protocol.names import TYPE_ACCESS_TOKEN, TYPE_ID_TOKEN, TYPE_JWT, Population
from authserver.settings import SettingsError
from authserver.settings_federation import Federation, TrustedIssuer
from tests.federation.idp import DISCOVERY, IDP, JWKS, Idp, ec_key, hmac_key, settings
from tests.world import ISSUER, START, HandClock

if TYPE_CHECKING:
    from collections.abc import Callable


class Trust:
    """Trusted issuers on a clock set by hand, whose background work is done when a test says so."""

    def __init__(self, **changes: Any) -> None:
        self.clock = HandClock()
        self.later: list[Callable[[], None]] = []
        issuers = Federation.model_validate({"issuers": {"corp": settings(**changes)}})
        self.trusted = TrustedIssuers(
            issuers, ISSUER, max_token_bytes=16_384, clock=self.clock, background=self.later.append
        )

    def verify(self, token: str, declared: str = TYPE_ID_TOKEN, client: str = "backend") -> ForeignToken:
        return self.trusted.verify(token, declared, client)

    def refusal(self, token: str, declared: str = TYPE_ID_TOKEN, client: str = "backend") -> str:
        with pytest.raises(FederationError) as refused:
            self.verify(token, declared, client)
        return refused.value.reason


@pytest.fixture
def idp(requests_mock: requests_mock.Mocker) -> Idp:
    idp = Idp()
    idp.serve(requests_mock)
    return idp


def asked(mock: requests_mock.Mocker, url: str) -> int:
    return sum(1 for request in mock.request_history if request.url == url)


def test_a_genuine_id_token_says_who_how_and_when(idp: Idp) -> None:
    token = Trust().verify(idp.token(sid="s1", azp="backend"))
    assert (token.issuer, token.name, token.population, token.sub) == (IDP, "corp", Population.STAFF, "sub-1")
    assert (token.auth_time, token.acr, token.amr) == (START - 5, "urn:authserver:acr:mfa", ("otp", "pwd"))
    assert (token.audience, token.issued_to, token.jti) == (frozenset({"backend"}), frozenset({"backend"}), "jti-1")
    assert not token.carries_act
    assert token.may_act is None


ALTERED: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "https://other.example.com"}, "foreign.issuer"),
    "issuer with a slash": ({"iss": IDP + "/"}, "foreign.issuer"),
    "no issuer": ({"iss": None}, "foreign.issuer"),
    "issuer no text": ({"iss": [IDP]}, "foreign.issuer"),
    "another audience": ({"aud": "another"}, "foreign.audience"),
    "no audience": ({"aud": None}, "foreign.claim:aud"),
    "audience of nothing": ({"aud": []}, "foreign.claim:aud"),
    "audience no text": ({"aud": [1]}, "foreign.claim:aud"),
    "several audiences without azp": ({"aud": ["backend", "another"]}, "foreign.azp"),
    "issued to another": ({"azp": "another"}, "foreign.issued_to_another"),
    "issued to another by client_id": ({"azp": "backend", "client_id": "another"}, "foreign.issued_to_another"),
    "expired": ({"exp": START}, "foreign.expired"),
    "no exp": ({"exp": None}, "foreign.claim:exp"),
    "exp no number": ({"exp": str(START + 60)}, "foreign.claim:exp"),
    "exp true": ({"exp": True}, "foreign.claim:exp"),
    "exp infinite": ({"exp": float("inf")}, "foreign.claim:exp"),
    "issued later": ({"iat": START + 61}, "foreign.not_yet"),
    "no iat": ({"iat": None}, "foreign.claim:iat"),
    "expired before issued": ({"iat": START + 50, "exp": START + 40}, "foreign.not_yet"),
    "not before later": ({"nbf": START + 61}, "foreign.not_yet"),
    "authenticated later": ({"auth_time": START + 61}, "foreign.auth_time"),
    "no sub": ({"sub": None}, "foreign.claim:sub"),
    "empty sub": ({"sub": ""}, "foreign.claim:sub"),
    "sub no text": ({"sub": 1}, "foreign.claim:sub"),
    "long sub": ({"sub": "x" * 256}, "foreign.claim:sub"),
    "may_act malformed": ({"may_act": "backend"}, "foreign.claim:may_act"),
    "a logout token": ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, "foreign.events"),
    "sender-constrained": ({"cnf": {"jkt": "x"}}, "foreign.sender_constrained"),
    "an access token of the payload's word": ({"typ": "Bearer"}, "foreign.type"),
    "a refresh token": ({"typ": "Refresh"}, "foreign.type"),
    "an access token by its use": ({"token_use": "access"}, "foreign.type"),
    "an access token by its scope": ({"scope": "openid"}, "foreign.type"),
}


@pytest.mark.parametrize("name", ALTERED)
def test_a_token_with_a_field_altered_is_refused(idp: Idp, name: str) -> None:
    changes, reason = ALTERED[name]
    assert Trust().refusal(idp.token(**changes)) == reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"typ": "at+jwt"}, "foreign.type"),
        ({"typ": "logout+jwt"}, "foreign.type"),
        ({"typ": "secevent+jwt"}, "foreign.type"),
        ({"alg": "RS384"}, "foreign.algorithm"),
        ({"kid": "unknown"}, "foreign.key"),
        ({"alg": "PS256"}, None),
        ({"typ": None}, None),
        ({"kid": None}, None),
    ],
)
def test_a_header_altered_is_refused_or_means_the_same(idp: Idp, header: dict[str, Any], reason: str | None) -> None:
    trust, token = Trust(), idp.sign(idp.claims(), **header)
    if reason is None:
        assert trust.verify(token).sub == "sub-1"
    else:
        assert trust.refusal(token) == reason


def test_symmetric_and_unsigned_tokens_are_refused(idp: Idp) -> None:
    trust = Trust()
    secret = hmac_key()
    assert trust.refusal(idp.sign(idp.claims(), secret, alg="HS256")) == "foreign.algorithm"
    head, payload, _ = idp.token().split(".")
    assert trust.refusal(f"eyJhbGciOiJub25lIn0.{payload}.") == "foreign.algorithm"
    assert trust.refusal(f"{head}.{payload}.") == "foreign.signature"
    assert trust.refusal(f"{head}.{payload}") == "foreign.malformed"
    assert trust.refusal("x" * 16_385) == "foreign.oversized"
    with pytest.raises(ValueError, match="algorithms"):
        TrustedIssuer.model_validate(settings(algorithms=["HS256"]))


def test_another_key_under_the_same_kid_proves_nothing(idp: Idp) -> None:
    stranger = Idp()
    stranger.rotate("k1")
    assert idp.keys.keys() == stranger.keys.keys()
    assert Trust().refusal(stranger.token()) == "foreign.signature"


def test_symmetric_private_weak_and_encryption_keys_are_left_out() -> None:
    own = ec_key()
    public = own.as_dict(private=False)
    keys = PublishedKeys.parse(
        {
            "keys": [
                hmac_key().as_dict(),
                own.as_dict(private=True),
                {**public, "use": "enc"},
                {**public, "key_ops": ["encrypt"]},
                {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
                {"kty": "new"},
                "key",
                {**public, "kid": "good", "alg": "ES256"},
            ]
        }
    )
    assert [key.kid for key in keys.keys] == ["good"]
    assert keys.select("good", "ES384") is None
    assert keys.select(None, "ES256") is keys.keys[0]


def test_a_token_without_kid_wants_exactly_one_fitting_key(idp: Idp) -> None:
    trust, token = Trust(), idp.sign(idp.claims(), kid=None)
    idp.keys["ec"] = ec_key()
    assert trust.verify(token).sub == "sub-1"
    idp.keys["k2"] = _other_rsa()
    assert Trust().refusal(token) == "foreign.key"


def _other_rsa() -> Any:
    other = Idp()
    other.rotate()
    return other.keys["k2"]


def test_keys_rotate_without_a_failed_validation(idp: Idp) -> None:
    trust = Trust()
    assert trust.verify(idp.token()).sub == "sub-1"
    idp.rotate()
    trust.clock.pass_(30)
    assert trust.verify(idp.token()).sub == "sub-1"


def test_keys_without_kid_rotate_too(idp: Idp) -> None:
    idp.rotate(None)
    trust = Trust()
    assert trust.verify(idp.sign(idp.claims(), kid=None)).sub == "sub-1"
    idp.keys = {None: Idp().keys["k1"]}
    trust.clock.pass_(30)
    assert trust.verify(idp.sign(idp.claims(), kid=None)).sub == "sub-1"


def test_unknown_kids_do_not_storm_the_issuer(idp: Idp, requests_mock: requests_mock.Mocker) -> None:
    trust = Trust()
    trust.verify(idp.token())
    trust.clock.pass_(30)
    for number in range(20):
        assert trust.refusal(idp.sign(idp.claims(), kid=f"unknown-{number}")) == "foreign.key"
    assert asked(requests_mock, JWKS) == 2
    assert asked(requests_mock, DISCOVERY) == 1


def test_many_first_requests_fetch_once(idp: Idp, requests_mock: requests_mock.Mocker) -> None:
    trust, token = Trust(), idp.token()
    threads = [threading.Thread(target=trust.verify, args=(token,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (asked(requests_mock, JWKS), asked(requests_mock, DISCOVERY)) == (1, 1)


def test_a_failure_is_remembered_for_a_while(idp: Idp, requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(JWKS, status_code=500)
    trust = Trust()
    for _ in range(5):
        assert trust.refusal(idp.token()) == "transport.status"
    assert asked(requests_mock, JWKS) == 1
    idp.serve(requests_mock)
    trust.clock.pass_(30)
    assert trust.verify(idp.token()).sub == "sub-1"


def test_stale_keys_serve_while_they_are_fetched_anew_and_while_the_issuer_is_down(
    idp: Idp, requests_mock: requests_mock.Mocker
) -> None:
    trust, idp.now = Trust(), lambda: int(trust.clock.seconds)
    trust.verify(idp.token())
    requests_mock.get(JWKS, status_code=503)
    trust.clock.pass_(601)
    assert trust.verify(idp.token()).sub == "sub-1"
    assert asked(requests_mock, JWKS) == 1
    while trust.later:
        trust.later.pop()()
    assert trust.verify(idp.token()).sub == "sub-1"
    assert not trust.later, "a failed refresh is not repeated at once"
    assert asked(requests_mock, JWKS) == 2
    trust.clock.pass_(86_400)
    assert trust.refusal(idp.token()) == "transport.status"


def test_metadata_of_another_issuer_or_host_is_refused(idp: Idp) -> None:
    idp.metadata = {"issuer": IDP + "/"}
    assert Trust().refusal(idp.token()) == "discovery.another_issuer"
    for name in ("jwks_uri", "token_endpoint", "authorization_endpoint"):
        idp.metadata = {name: "https://evil.example.com/x"}
        assert Trust().refusal(idp.token()) == f"discovery.host:{name}"
    idp.metadata = {"jwks_uri": None}
    assert Trust().refusal(idp.token()) == "discovery.no_jwks_uri"


def test_a_configured_jwks_uri_needs_no_discovery(idp: Idp, requests_mock: requests_mock.Mocker) -> None:
    assert Trust(jwks_uri=JWKS).verify(idp.token()).sub == "sub-1"
    assert asked(requests_mock, DISCOVERY) == 0


def test_who_may_present_what(idp: Idp) -> None:
    token = idp.token()
    assert Trust().refusal(token, client="other-backend") == "foreign.presenter"
    assert Trust(presenters=[]).refusal(token) == "foreign.presenter"
    only_access = Trust(presenters=[{"client": "backend", "types": ["access_token"]}])
    assert only_access.refusal(token) == "foreign.presenter"
    assert only_access.refusal(token, TYPE_ACCESS_TOKEN) == "foreign.type"
    assert only_access.refusal(token, TYPE_JWT) == "foreign.presenter"
    assert Trust().verify(token, TYPE_JWT).sub == "sub-1"
    other_name = Trust(presenters=[{"client": "backend", "upstream_clients": ["support-desk"]}])
    assert other_name.refusal(token) == "foreign.audience"
    assert other_name.verify(idp.token(aud="support-desk")).sub == "sub-1"


def test_access_tokens_are_for_this_server_and_say_so(idp: Idp) -> None:
    claims = idp.claims(aud=[ISSUER, "https://other"], client_id="backend", scope="x")
    assert Trust().verify(idp.sign(claims, typ="at+jwt"), TYPE_ACCESS_TOKEN).issued_to == {"backend"}
    assert Trust().refusal(idp.sign(claims), TYPE_ACCESS_TOKEN) == "foreign.type"
    plain = Trust(access_token_types=["at+jwt", "jwt"])
    assert plain.verify(idp.sign(claims), TYPE_ACCESS_TOKEN).sub == "sub-1"
    elsewhere = idp.claims(aud="https://other", client_id="backend")
    assert Trust().refusal(idp.sign(elsewhere, typ="at+jwt"), TYPE_ACCESS_TOKEN) == "foreign.audience"
    assert Trust(audiences=["https://other"]).verify(idp.sign(elsewhere, typ="at+jwt"), TYPE_ACCESS_TOKEN)


def test_may_act_names_the_client_in_either_ones_words(idp: Idp) -> None:
    trust = Trust()
    for iss in (ISSUER, IDP):
        assert trust.trusted.lets_act(trust.verify(idp.token(may_act={"sub": "backend", "iss": iss})), "backend")
    for other in ({"sub": "other", "iss": ISSUER}, {"sub": "backend", "iss": "https://other"}):
        assert not trust.trusted.lets_act(trust.verify(idp.token(may_act=other)), "backend")


def test_acr_that_is_not_mapped_counts_for_nothing(idp: Idp) -> None:
    assert Trust().verify(idp.token(acr="phr")).acr == ""
    assert Trust(acr={}).verify(idp.token(acr="phr")).acr == "phr"
    assert (
        Trust(acr={"": "urn:authserver:acr:password"}).verify(idp.token(acr=None)).acr == "urn:authserver:acr:password"
    )
    assert Trust().verify(idp.token(auth_time=None)).auth_time == 0
    assert Trust(auth_time_from_iat=True).verify(idp.token(auth_time=None)).auth_time == START


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": "red"}, "colour"),
        ({"population": "customers", "roles": [{"claim": "g", "contains": "a", "role": "support"}]}, "roles"),
        ({"provision": "create"}, "roles"),
        ({"roles": [{"claim": "g", "role": "support"}]}, "equals or contains"),
        ({"roles": [{"claim": "g", "equals": "a", "role": "customer"}]}, "role"),
        ({"presenters": [{"client": "backend"}, {"client": "backend"}]}, "once"),
        ({"scopes": ["profile"]}, "openid"),
    ],
)
def test_settings_that_contradict_themselves_stop_the_start(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TrustedIssuer.model_validate(settings(**changes))


def test_an_issuer_is_bound_to_one_population_and_is_not_this_server() -> None:
    both = {"a": settings(), "b": settings(population="customers")}
    with pytest.raises(ValueError, match="once"):
        Federation.model_validate({"issuers": both})
    own = Federation.model_validate({"issuers": {"own": settings(issuer=ISSUER, allow_private_addresses=True)}})
    with pytest.raises(SettingsError):
        TrustedIssuers(own, ISSUER, max_token_bytes=100, clock=HandClock())


def test_discovery_names_only_what_it_may(idp: Idp) -> None:
    issuer = TrustedIssuer.model_validate(settings())
    idp.metadata = {"authorization_response_iss_parameter_supported": True, "userinfo_endpoint": None}
    metadata = fetch_metadata(issuer, Transport(issuer))
    assert metadata.sends_iss
    assert metadata.userinfo_endpoint is None
    assert metadata.token_auth_methods == ("client_secret_basic",)
