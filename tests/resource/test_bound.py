"""Tokens that are bound to a key at a resource server (RFC 9449 §7): the holder gets in, and nobody else."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from authserver.resource import InvalidTokenError, UnavailableError, current_token, protect, require_token
from authserver.resource.proofs import UsedProofs
from tests.proving import ALGS, Holder
from tests.resource.issuer import API, NOW, Paper, acting

PHONE = Holder()
BOUND = acting("full", cnf={"jkt": PHONE.jkt})
ALGS_TOLD = 'algs="ES256 PS256 RS256 EdDSA Ed25519"'


def api(paper: Paper, **more: Any) -> FlaskClient:
    app = Flask("bound")
    app.testing = True
    protect(app, paper.server(**more))

    @app.route("/read/<name>", methods=["GET", "POST"])
    @require_token("accounts:read")
    def read(name: str) -> dict[str, Any]:
        return {"name": name, "jkt": current_token().jkt}

    @app.get("/close")
    @require_token("accounts:close")
    def close() -> dict[str, Any]:
        return {}

    return app.test_client()


@pytest.fixture
def http(paper: Paper) -> FlaskClient:
    paper.says(**BOUND)
    return api(paper)


def sent(proof: str | None, scheme: str = "DPoP", token: str = "opaque") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}", **({} if proof is None else {"DPoP": proof})}


def proof(url: str = f"{API}/read/a", holder: Holder = PHONE, **more: Any) -> str:
    return holder.proof(url, more.pop("now", NOW), **{"method": "GET", "token": "opaque", **more})


def refused(answer: Any, error: str, scheme: str = "DPoP") -> None:
    assert (answer.status_code, answer.get_json()["error"]) == (401, error)
    told = f", {ALGS_TOLD}" if scheme == "DPoP" else ""
    assert answer.headers["WWW-Authenticate"] == f'{scheme} error="{error}"{told}'


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("alg", ALGS)
def test_holder_gets_in(paper: Paper, alg: str) -> None:
    holder = Holder.of(alg)
    paper.says(**acting("full", cnf={"jkt": holder.jkt}))
    answer = api(paper).get("/read/a?query=1", headers=sent(proof(holder=holder), "dpop"))
    assert (answer.status_code, answer.get_json()) == (200, {"name": "a", "jkt": holder.jkt})


def test_bound_token_is_no_bearer_token(http: FlaskClient) -> None:
    refused(http.get("/read/a", headers=sent(None, "Bearer")), "invalid_token")
    refused(http.get("/read/a", headers=sent(proof(), "Bearer")), "invalid_token")


def test_bearer_token_is_no_bound_one(paper: Paper) -> None:
    paper.says()
    refused(api(paper).get("/read/a", headers=sent(proof())), "invalid_token")


@pytest.mark.parametrize("cnf", [{"x5t#S256": "hash"}, {"jkt": PHONE.jkt, "x5t#S256": "hash"}, {"jkt": 7}, {}, "jkt"])
@pytest.mark.parametrize("scheme", ["Bearer", "DPoP"])
def test_token_that_is_bound_otherwise_is_refused(paper: Paper, cnf: Any, scheme: str) -> None:
    paper.says(**acting("full", cnf=cnf))
    refused(api(paper).get("/read/a", headers=sent(proof(), scheme)), "invalid_token", scheme)


BAD = {
    "missing": None,
    "empty": "",
    "no proof": "whatever",
    "two": f"{proof()}, {proof()}",
    "another key": proof(holder=Holder()),
    "a key that did not sign": proof(header={"jwk": Holder().public}),
    "a private key": proof(header={"jwk": PHONE.key.as_dict(private=True)}),
    "another type": proof(header={"typ": "JWT"}),
    "no algorithm": proof(header={"alg": "none"}),
    "a critical header": proof(header={"crit": ["b64"], "b64": False}),
    "another token": proof(token="another"),
    "no token": proof(ath=None),
    "another method": proof(method="POST"),
    "another path": proof(f"{API}/read/b"),
    "another host": proof("https://evil.example/read/a"),
    "where it came in": proof("http://localhost/read/a"),
    "too old": proof(iat=NOW - 61),
    "not yet": proof(iat=NOW + 11),
    "no time": proof(iat=None),
    "no name": proof(jti=None),
    "a long name": proof(jti="x" * 257),
}


@pytest.mark.parametrize("why", BAD)
def test_bad_proof_is_refused(http: FlaskClient, why: str) -> None:
    refused(http.get("/read/a", headers=sent(BAD[why])), "invalid_dpop_proof")


def test_proof_is_good_once_while_it_is_young_enough_and_too_old_after(paper: Paper, http: FlaskClient) -> None:
    once = proof()
    assert http.get("/read/a", headers=sent(once)).status_code == 200
    refused(http.get("/read/a", headers=sent(once)), "invalid_dpop_proof")
    paper.now += 60
    refused(http.get("/read/a", headers=sent(once)), "invalid_dpop_proof")
    assert http.get("/read/a", headers=sent(proof(now=paper.now))).status_code == 200


def test_url_is_the_public_one_behind_a_proxy(paper: Paper) -> None:
    paper.says(**BOUND)
    http = api(paper, public_url="https://gateway.example.com/bank/")
    inside = {**sent(proof("https://gateway.example.com/bank/read/%C3%A5")), "Host": "10.0.0.7:8080"}
    assert http.get("/read/å", headers=inside).status_code == 200
    refused(http.get("/read/a", headers=sent(proof())), "invalid_dpop_proof")


def test_used_proofs_can_be_shared_by_processes(paper: Paper) -> None:
    paper.says(**BOUND)
    used: dict[str, float] = {}

    def use(name: str, until: float) -> bool:
        return used.setdefault(name, until) == until and len(used) == 1

    http = api(paper, use_proof=use)
    assert http.get("/read/a", headers=sent(proof(jti="first"))).status_code == 200
    refused(http.get("/read/a", headers=sent(proof(jti="second"))), "invalid_dpop_proof")
    assert set(used.values()) == {NOW + 61}


def test_memory_is_bounded_and_full_lets_nobody_in() -> None:
    now = [NOW]
    used = UsedProofs(lambda: now[0], most=2)
    assert [used("a", NOW + 10), used("b", NOW + 20), used("a", NOW + 10)] == [True, True, False]
    with pytest.raises(UnavailableError):
        used("c", NOW + 20)
    now[0] += 10
    assert used("c", NOW + 20)


def test_bound_token_without_the_scope_is_told_so(http: FlaskClient) -> None:
    answer = http.get("/close", headers=sent(proof(f"{API}/close")))
    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"] == 'DPoP error="insufficient_scope", scope="accounts:close"'


def test_who_verifies_without_flask_lets_no_bound_token_in_unproved(paper: Paper) -> None:
    paper.says(**BOUND)
    with pytest.raises(InvalidTokenError, match=r"token\.bound"):
        paper.server().verify("opaque")


def test_bound_token_is_verified_offline_likewise(paper: Paper) -> None:
    token = paper.sign(cnf={"jkt": PHONE.jkt})
    http = api(paper, mode="offline")
    refused(http.get("/read/a", headers=sent(None, "Bearer", token)), "invalid_token")
    assert http.get("/read/a", headers=sent(proof(token=token), token=token)).status_code == 200
