"""Proofs of possession: everything of RFC 9449 §4.3 but the single use."""

from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from authserver.tokens.dpop import AGE_SECONDS, SKEW_SECONDS, ProofVerifier, UntrustworthyProofError, normal
from tests.proving import ALGS, Holder, ath, signed
from tests.world import START, HandClock

URL = "https://login.example.com/appetize/redeem"
HOLDERS = {alg: Holder.of(alg) for alg in ALGS}
ES256 = HOLDERS["ES256"]
VERIFIER = ProofVerifier(HandClock())


def reason(proof: str, **more: Any) -> str:
    with pytest.raises(UntrustworthyProofError) as refused:
        VERIFIER.verify(proof, "POST", URL, **more)
    return refused.value.reason


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("alg", ALGS)
def test_proof_says_which_key_its_sender_holds(alg: str) -> None:
    holder = HOLDERS[alg]
    proof = VERIFIER.verify(holder.proof(URL, START, jti="once"), "POST", URL)
    assert (proof.jkt, proof.jti, proof.expires_at) == (holder.jkt, "once", START + AGE_SECONDS + 1)


def test_thumbprint_is_that_of_rfc_7638() -> None:
    jwk: dict[str, str | list[str]] = {
        "kty": "EC",
        "crv": "P-256",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    }
    assert ECKey.import_key(jwk).thumbprint() == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"  # RFC 9449 §6.1


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"typ": None}, "dpop.type"),
        ({"typ": "JWT"}, "dpop.type"),
        ({"typ": "at+jwt"}, "dpop.type"),
        ({"typ": 7}, "dpop.type"),
        ({"crit": ["exp"], "exp": 1}, "dpop.type"),
        ({"alg": "none"}, "dpop.algorithm"),
        ({"alg": "HS256"}, "dpop.algorithm"),
        ({"alg": "ES384"}, "dpop.algorithm"),
        ({"alg": ["ES256"]}, "dpop.algorithm"),
        ({"alg": "RS256"}, "dpop.key"),
        ({"alg": "EdDSA"}, "dpop.key"),
        ({"jwk": None}, "dpop.key"),
        ({"jwk": "key"}, "dpop.key"),
        ({"jwk": {}}, "dpop.key"),
        ({"jwk": {**ES256.public, "x": "AA"}}, "dpop.key"),
        ({"jwk": {**ES256.public, "x": 7}}, "dpop.key"),
        ({"jwk": ES256.key.as_dict(private=True)}, "dpop.key"),
        ({"jwk": {**ES256.public, "k": "c2VjcmV0"}}, "dpop.key"),
        ({"jwk": ECKey.generate_key("P-384").as_dict(private=False)}, "dpop.key"),
        ({"jwk": OKPKey.generate_key("X25519").as_dict(private=False), "alg": "EdDSA"}, "dpop.key"),
        ({"jwk": Holder().public}, "dpop.signature"),
    ],
)
def test_header_that_is_not_a_proofs_is_refused(header: dict[str, Any], why: str) -> None:
    assert reason(ES256.proof(URL, START, header=header)) == why


def test_key_that_is_weak_or_takes_long_is_refused() -> None:
    public = HOLDERS["RS256"].public
    for jwk in (
        {**public, "n": public["n"][:170]},
        {**public, "n": public["n"] * 4},
        {**public, "e": public["n"]},
        {**public, "e": "AQABAQAB"},
    ):
        assert reason(HOLDERS["RS256"].proof(URL, START, header={"jwk": jwk})) == "dpop.key"


def test_secret_that_is_shared_signs_nothing() -> None:
    secret = OctKey.generate_key(256)
    header = {"typ": "dpop+jwt", "alg": "HS256", "jwk": secret.as_dict()}
    assert reason(signed(header, {}, secret, "HS256")) == "dpop.algorithm"


def test_signature_that_is_changed_or_left_out_is_refused() -> None:
    first, body, signature = ES256.proof(URL, START).split(".")
    _, other, _ = ES256.proof(URL, START).split(".")
    assert reason(f"{first}.{other}.{signature}") == "dpop.signature"
    assert reason(f"{first}.{body}.") == "dpop.signature"
    assert reason(f"{first}.{body}.{signature[:-8]}") == "dpop.signature"


@pytest.mark.parametrize(
    "proof", ["", ".", "..", "x.y.z", "ünknown", "a.b.c.d.e", "e30.e30.", "x" * 9000, "W10.e30.AA"]
)
def test_what_is_no_jws_is_refused(proof: str) -> None:
    assert reason(proof) in {"dpop.malformed", "dpop.type"}


@pytest.mark.parametrize("claims", [[], "text", 7, None])
def test_claims_that_are_no_object_are_refused(claims: Any) -> None:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": ES256.public}
    assert reason(signed(header, claims, ES256.key, "ES256")) == "dpop.claims"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"htm": None}, "dpop.htm"),
        ({"htm": "GET"}, "dpop.htm"),
        ({"htm": "post"}, "dpop.htm"),
        ({"htu": None}, "dpop.htu"),
        ({"htu": 7}, "dpop.htu"),
        ({"htu": "https://login.example.com/appetize/renew"}, "dpop.htu"),
        ({"htu": "https://login.example.com/appetize/redeem/"}, "dpop.htu"),
        ({"htu": "http://login.example.com/appetize/redeem"}, "dpop.htu"),
        ({"htu": "https://login.example.com:8443/appetize/redeem"}, "dpop.htu"),
        ({"htu": "https://login.example.com.evil.example/appetize/redeem"}, "dpop.htu"),
        ({"htu": "https://evil.example/appetize/redeem#https://login.example.com/appetize/redeem"}, "dpop.htu"),
        ({"htu": "https://user@login.example.com/appetize/redeem"}, "dpop.htu"),
        ({"htu": "https://login.example.com/x/../appetize/redeem"}, "dpop.htu"),
        ({"htu": "/appetize/redeem"}, "dpop.htu"),
        ({"htu": "https://login.example.com:port/appetize/redeem"}, "dpop.htu"),
        ({"iat": None}, "dpop.iat"),
        ({"iat": str(START)}, "dpop.iat"),
        ({"iat": True}, "dpop.iat"),
        ({"iat": float("inf")}, "dpop.iat"),
        ({"iat": START - AGE_SECONDS - 1}, "dpop.iat"),
        ({"iat": START + SKEW_SECONDS + 1}, "dpop.iat"),
        ({"iat": START * 1000}, "dpop.iat"),
        ({"jti": None}, "dpop.jti"),
        ({"jti": ""}, "dpop.jti"),
        ({"jti": 7}, "dpop.jti"),
        ({"jti": "x" * 257}, "dpop.jti"),
    ],
)
def test_proof_for_something_else_is_refused(said: dict[str, Any], why: str) -> None:
    assert reason(ES256.proof(URL, START, **said)) == why


@pytest.mark.parametrize("iat", [START - AGE_SECONDS, START + SKEW_SECONDS])
def test_clocks_may_differ_a_little(iat: int) -> None:
    assert VERIFIER.verify(ES256.proof(URL, iat), "POST", URL).jkt == ES256.jkt


@pytest.mark.parametrize("said", [None, "", 7, ath("another"), "ü", "\ud800"])
def test_proof_for_another_token_is_refused(said: Any) -> None:
    assert reason(ES256.proof(URL, START, ath=said), access_token="token") == "dpop.ath"


def test_proof_for_this_token_is_taken() -> None:
    assert VERIFIER.verify(ES256.proof(URL, START, token="token"), "POST", URL, access_token="token")


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("HTTPS://Login.Example.COM/a", "https://login.example.com/a"),
        ("https://login.example.com:443/a?query=1#part", "https://login.example.com/a"),
        ("http://login.example.com:80", "http://login.example.com/"),
        ("https://login.example.com/%7ea%2fb", "https://login.example.com/~a%2Fb"),
        ("http://[::1]:9000/a", "http://[::1]:9000/a"),
        ("https://login.example.com/%C3%a9", "https://login.example.com/%C3%A9"),
    ],
)
def test_url_is_compared_in_one_form(url: str, same: str) -> None:
    assert normal(url) == normal(same) == same


@pytest.mark.parametrize(
    "url", ["", "mailto:a@b", "https://", "https:/a", "https://a b/", "https://a\\@b/", "x" * 3000]
)
def test_what_is_no_address_fits_none(url: str) -> None:
    assert normal(url) is None


def test_rsa_key_may_be_large_and_no_larger() -> None:
    big = Holder("RS256", RSAKey.generate_key(4096))
    assert VERIFIER.verify(big.proof(URL, START), "POST", URL).jkt == big.jkt
