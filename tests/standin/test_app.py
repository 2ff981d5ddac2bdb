"""The device stand-in's server: who may embed, ask and order, and what it passes on."""

from typing import Any

import pytest
import requests_mock
from flask.testing import FlaskClient

from authserver.standin import Surroundings, create_standin

ISSUER, BANK = "http://127.0.0.1:9000", "http://127.0.0.1:9001"
NAMES = {"usr_1": "Casey Customer", "usr_2": "Avery Agent"}
BEARER = {"Authorization": "Bearer secret-token"}
FOREIGN = (
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
)


def standin(**changes: Any) -> FlaskClient:
    return create_standin(Surroundings(ISSUER, BANK, NAMES, **changes)).test_client()


@pytest.fixture
def http() -> FlaskClient:
    return standin()


def test_phone_may_be_embedded_by_whom_it_is_told_and_runs_no_foreign_code() -> None:
    answer = standin(embedders=("https://support.example.com",)).get("/embed/demo-bank-standin")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.endswith("frame-ancestors https://support.example.com")
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy
    assert "Device stand-in, not Appetize" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_pages_of_this_machine_may_embed_unless_said_otherwise(http: FlaskClient) -> None:
    policy = http.get("/embed/demo-bank-standin").headers["Content-Security-Policy"]
    assert policy.endswith("frame-ancestors http://localhost:* http://127.0.0.1:*")


@pytest.mark.parametrize("embedder", ["*", "https://a.example; script-src *", "a.example", "https://a.example/path"])
def test_embedder_that_is_no_origin_is_refused(embedder: str) -> None:
    with pytest.raises(ValueError, match="an embedder is an origin"):
        standin(embedders=(embedder,))


@pytest.mark.parametrize("build", ["a b", "x" * 65, '"><script>'])
def test_build_that_is_no_identifier_is_not_found(http: FlaskClient, build: str) -> None:
    assert http.get(f"/embed/{build}").status_code == 404


@pytest.mark.parametrize("path", ["/embed.js", "/embed/demo-bank-standin", "/sessions", "/control"])
def test_it_answers_to_names_of_this_machine_only(http: FlaskClient, path: str) -> None:
    assert http.open(path, method="POST", headers={"Host": "rebound.example"}, json={}).status_code == 400


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/control"),
        ("POST", "/sessions"),
        ("POST", "/app/redeem"),
        ("GET", "/app/me"),
        ("POST", "/app/transfers"),
    ],
)
def test_pages_of_other_origins_ask_for_nothing(
    http: FlaskClient, method: str, path: str, headers: dict[str, str]
) -> None:
    assert http.open(path, method=method, json={"next": "queue"}, headers=headers).status_code == 403
    assert http.post("/sessions", json={}).json == {"fate": None, "inactivity_seconds": 120}


@pytest.mark.parametrize("path", ["/control", "/sessions", "/app/redeem"])
def test_what_a_plain_form_could_send_is_refused(http: FlaskClient, path: str) -> None:
    assert http.post(path, data='{"next": "queue"}', content_type="text/plain").status_code == 415


def test_control_takes_orders_from_this_machine_only(http: FlaskClient) -> None:
    order = {"next": "queue"}
    assert http.post("/control", json=order, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403
    assert http.post("/control", json=order).status_code == 204


def test_each_order_is_for_one_session_in_the_order_in_which_they_came(http: FlaskClient) -> None:
    http.post("/control", json={"next": "queue", "positions": 3, "type": "concurrent", "name": "standard"})
    http.post("/control", json={"next": "die", "inactivity_seconds": 7})
    first, second, third = (http.post("/sessions", json={}).get_json() for _ in range(3))
    assert first["fate"] == {"next": "queue", "seconds": 1, "positions": 3, "type": "concurrent", "name": "standard"}
    assert second["fate"]["next"] == "die"
    assert (third["fate"], third["inactivity_seconds"]) == (None, 7)


@pytest.mark.parametrize(
    "order",
    [
        {},
        [],
        {"next": "explode"},
        {"next": "queue", "positions": 0},
        {"next": "queue", "type": "other"},
        {"next": "slow", "seconds": -1},
        {"next": "slow", "seconds": True},
        {"inactivity_seconds": "long"},
        {"next": "queue", "unknown": 1},
    ],
)
def test_order_that_it_does_not_know_is_refused(http: FlaskClient, order: object) -> None:
    answer = http.post("/control", json=order)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    assert http.post("/sessions", json={}).get_json()["fate"] is None


def test_code_is_redeemed_at_the_issuer(http: FlaskClient) -> None:
    with requests_mock.Mocker() as mock:
        mock.post(f"{ISSUER}/appetize/redeem", json={"access_token": "t", "token_type": "Bearer", "expires_in": 60})
        answer = http.post("/app/redeem", json={"code": "one-time"})
        assert mock.last_request is not None
        assert mock.last_request.json() == {"code": "one-time"}
        mock.post(f"{ISSUER}/appetize/redeem", json={"error": "invalid_grant"}, status_code=400)
        refused = http.post("/app/redeem", json={"code": "one-time"})
    assert (answer.status_code, answer.get_json()["access_token"]) == (200, "t")
    assert (refused.status_code, refused.get_json()) == (400, {"error": "invalid_grant"})
    assert http.post("/app/redeem", json={"code": 1}).status_code == 400


def test_proofs_of_the_app_go_where_they_are_for(http: FlaskClient) -> None:
    with requests_mock.Mocker() as mock:
        mock.post(f"{ISSUER}/appetize/redeem", json={"access_token": "t", "token_type": "DPoP", "expires_in": 60})
        mock.get(f"{BANK}/accounts", json={"items": []})
        http.post("/app/redeem", json={"code": "one-time"}, headers={"DPoP": "first"})
        http.get("/app/accounts", headers={"Authorization": "DPoP t", "DPoP": "second"})
        http.get("/app/accounts", headers=BEARER)
        sent = [(each.headers.get("Authorization"), each.headers.get("DPoP")) for each in mock.request_history]
    assert sent == [(None, "first"), ("DPoP t", "second"), (BEARER["Authorization"], None)]


def test_app_sees_who_is_meant_by_name_and_what_the_bank_refuses(http: FlaskClient) -> None:
    with requests_mock.Mocker() as mock:
        mock.get(f"{BANK}/me", json={"owner": "usr_1", "seen_by": "usr_2", "read_only": True})
        seen = http.get("/app/me", headers=BEARER).get_json()
        assert mock.last_request is not None
        assert mock.last_request.headers["Authorization"] == BEARER["Authorization"]
        mock.put(f"{BANK}/nickname", json={"error": "read_only"}, status_code=403)
        refused = http.put("/app/nickname", json={"nickname": "n"}, headers=BEARER)
    assert seen["names"] == {"owner": "Casey Customer", "seen_by": "Avery Agent"}
    assert (refused.status_code, refused.get_json()) == (403, {"error": "read_only"})


@pytest.mark.parametrize(("method", "path"), [("GET", "/app/unknown"), ("POST", "/app/accounts"), ("GET", "/app/..")])
def test_app_calls_nothing_else(http: FlaskClient, method: str, path: str) -> None:
    with requests_mock.Mocker() as mock:
        assert http.open(path, method=method, json={}).status_code == 404
    assert not mock.called


def test_bank_that_does_not_answer_is_told_as_such(http: FlaskClient) -> None:
    with requests_mock.Mocker() as mock:
        mock.get(f"{BANK}/accounts", text="<html>")
        answer = http.get("/app/accounts", headers=BEARER)
    assert (answer.status_code, answer.get_json()) == (503, {"error": "unreachable"})
