"""The sample resource server that the demo runs: real processes, real HTTP."""

import time
from typing import Any

import requests

from authserver.protocol.names import GRANT_TOKEN_EXCHANGE, TYPE_ACCESS_TOKEN, TYPE_USER_ID
from tests.conftest import Demo
from tests.world import API, REASON

TIMEOUT = 20


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def impersonate(demo: Demo, actor: str, **more: str) -> dict[str, Any]:
    known = demo.credentials
    form = {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": known["users"]["customer"]["id"],
        "subject_token_type": TYPE_USER_ID,
        "actor_token": known["users"][actor]["access_token"],
        "actor_token_type": TYPE_ACCESS_TOKEN,
        "resource": API,
        **REASON,
        **more,
    }
    client = tuple(known["clients"]["backend"].values())
    answer = requests.post(f"{demo.issuer}/oauth/token", data=form, auth=(client[0], client[1]), timeout=TIMEOUT)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def call(demo: Demo, method: str, path: str, token: str, **body: Any) -> requests.Response:
    url = demo.credentials["resource_server"] + path
    return requests.request(method, url, headers=bearer(token), json=body or None, timeout=TIMEOUT)


def actions(demo: Demo, impersonation_id: str, who: str, kinds: set[str]) -> list[dict[str, Any]]:
    """Return the actions of an impersonation once these kinds were reported."""
    url = f"{demo.issuer}/api/v1/impersonations/{impersonation_id}/actions"
    until = time.monotonic() + TIMEOUT
    while True:
        token = demo.credentials["users"][who]["access_token"]
        items: list[dict[str, Any]] = requests.get(url, headers=bearer(token), timeout=TIMEOUT).json()["items"]
        if kinds <= {item["kind"] for item in items} or time.monotonic() > until:
            return items
        time.sleep(0.1)


def test_killed_impersonation_is_refused_at_the_next_request(demo: Demo) -> None:
    given = impersonate(demo, "agent", reason="killed under way")
    token, known = given["access_token"], demo.credentials["users"]
    seen = call(demo, "GET", "/accounts", token)
    assert (seen.status_code, seen.json()["seen_by"]) == (200, known["agent"]["id"])
    assert seen.json()["owner"] == known["customer"]["id"]
    end = f"{demo.issuer}/api/v1/impersonations/{given['impersonation_id']}/end"
    assert requests.post(end, headers=bearer(known["lead"]["access_token"]), timeout=TIMEOUT).status_code == 200
    refused = call(demo, "GET", "/accounts", token)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    (reported,) = actions(demo, given["impersonation_id"], "customer", {"view.accounts"})
    assert (reported["kind"], reported["reported_by"]) == ("view.accounts", "resource-server")


def test_what_somebody_typed_is_not_in_the_report(demo: Demo) -> None:
    given = impersonate(demo, "lead", mode="full", reason="a new nickname")
    token = given["access_token"]
    assert call(demo, "PUT", "/nickname", token, nickname="Rainy day").json() == {"nickname": "Rainy day"}
    assert call(demo, "GET", "/transactions", token).status_code == 200
    found = actions(demo, given["impersonation_id"], "lead", {"change.nickname", "view.transactions"})
    assert {item["kind"] for item in found} == {"change.nickname", "view.transactions"}
    assert "Rainy day" not in str(found)


def test_money_moves_only_by_the_customers_own_hand(demo: Demo) -> None:
    agents, own = impersonate(demo, "agent2"), demo.credentials["users"]["customer"]["access_token"]
    assert call(demo, "POST", "/transfers", agents["access_token"], amount="1").status_code == 403
    assert call(demo, "PUT", "/nickname", agents["access_token"], nickname="x").status_code == 403
    assert call(demo, "POST", "/transfers", own, amount="1").status_code == 201
    assert call(demo, "PUT", "/nickname", own, nickname="x" * 41).status_code == 400


def test_token_for_another_audience_is_refused(demo: Demo) -> None:
    client = tuple(demo.credentials["clients"]["backend"].values())
    form = {"grant_type": "client_credentials", "resource": "https://payments.example.com"}
    answer = requests.post(f"{demo.issuer}/oauth/token", data=form, auth=(client[0], client[1]), timeout=TIMEOUT)
    assert call(demo, "GET", "/accounts", answer.json()["access_token"]).status_code == 401
    url = demo.credentials["resource_server"] + "/accounts"
    assert requests.get(url, timeout=TIMEOUT).headers["WWW-Authenticate"] == "Bearer"
