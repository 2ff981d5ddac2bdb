"""The Flask decorators: who gets in (RFC 6750 §3), what read_only and impersonation forbid, and fail-closed."""

from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from authserver.resource import current_token, not_while_impersonated, protect, report, require_token
from tests.resource.issuer import INTROSPECT, Paper, acting

BEARER = {"Authorization": "Bearer opaque"}


@pytest.fixture
def http(paper: Paper) -> FlaskClient:
    """A small API on the decorators; `/reached` tells whether a view ran."""
    app = Flask("guarded")
    app.testing = True
    protect(app, paper.server())

    @app.route("/read", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    @require_token("accounts:read")
    def read() -> dict[str, Any]:
        return {"sub": current_token().sub, "actor": current_token().actor}

    @app.post("/search")
    @require_token("accounts:read", writes=False)
    def search() -> dict[str, Any]:
        return {}

    @app.get("/touch")
    @require_token("accounts:read", writes=True)
    def touch() -> dict[str, Any]:
        return {}

    @app.get("/both")
    @require_token("accounts:read", "accounts:close")
    def both() -> dict[str, Any]:
        return {}

    @app.get("/own")
    @require_token("accounts:read")
    @not_while_impersonated
    def own() -> dict[str, Any]:
        return {}

    @app.get("/wrong-order")
    @not_while_impersonated
    @require_token("accounts:read")
    def wrong_order() -> dict[str, Any]:
        return {}

    return app.test_client()


def refused(answer: Any, status: int, error: str, challenge: str | None = None) -> None:
    assert (answer.status_code, answer.get_json()["error"]) == (status, error)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get("WWW-Authenticate") == challenge


def test_view_runs_with_the_verified_token(paper: Paper, http: FlaskClient) -> None:
    paper.says(**acting("full"))
    assert http.get("/read", headers=BEARER).get_json() == {"sub": "usr_customer", "actor": "usr_agent"}
    paper.says()
    lower = {"Authorization": "bearer opaque"}
    assert http.post("/read", headers=lower).get_json() == {"sub": "usr_customer", "actor": None}


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic b3BhcXVl", "opaque"])
def test_request_without_a_token_is_challenged_and_told_no_error(paper: Paper, http: FlaskClient, header: str) -> None:
    """RFC 6750 §3.1; and a token in the query or the form is none (§2)."""
    paper.says()
    answer = http.post("/read?access_token=opaque", data={"access_token": "opaque"}, headers={"Authorization": header})
    refused(answer, 401, "token_missing", "Bearer")
    assert not paper.mock.called


def test_token_that_is_no_good_is_401(paper: Paper, http: FlaskClient) -> None:
    paper.says(active=False)
    refused(http.get("/read", headers=BEARER), 401, "invalid_token", 'Bearer error="invalid_token"')


def test_scope_that_lacks_is_403_and_named(paper: Paper, http: FlaskClient) -> None:
    paper.says()
    challenge = 'Bearer error="insufficient_scope", scope="accounts:close accounts:read"'
    refused(http.get("/both", headers=BEARER), 403, "insufficient_scope", challenge)


def test_server_that_is_down_is_503_and_nobody_gets_in(paper: Paper, http: FlaskClient) -> None:
    paper.mock.post(INTROSPECT, exc=requests.ConnectionError)
    refused(http.get("/read", headers=BEARER), 503, "temporarily_unavailable")


def test_read_only_impersonation_may_read_and_change_nothing(paper: Paper, http: FlaskClient) -> None:
    paper.says(**acting("read_only"))
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        refused(http.open("/read", method=method, headers=BEARER), 403, "read_only")
    refused(http.get("/touch", headers=BEARER), 403, "read_only")
    assert http.get("/read", headers=BEARER).status_code == 200
    assert http.head("/read", headers=BEARER).status_code == 200
    assert http.post("/search", headers=BEARER).status_code == 200
    paper.says(**acting("full"))
    assert http.post("/read", headers=BEARER).status_code == 200
    assert http.get("/touch", headers=BEARER).status_code == 200


def test_what_is_the_customers_own_is_not_done_while_somebody_acts_for_them(paper: Paper, http: FlaskClient) -> None:
    for mode in ("read_only", "full"):
        paper.says(**acting(mode))
        refused(http.get("/own", headers=BEARER), 403, "not_while_impersonated")
    paper.says()
    assert http.get("/own", headers=BEARER).status_code == 200


def test_decorators_in_the_wrong_order_let_nobody_in(paper: Paper, http: FlaskClient) -> None:
    paper.says()
    with pytest.raises(RuntimeError, match="put require_token above"):
        http.get("/wrong-order", headers=BEARER)


def test_app_that_was_not_protected_lets_nobody_in() -> None:
    app = Flask("bare")
    app.testing = True
    app.add_url_rule("/", view_func=require_token("accounts:read")(dict))
    with pytest.raises(RuntimeError, match="call protect"):
        app.test_client().get("/", headers=BEARER)


def test_token_of_one_request_is_not_the_next_ones(paper: Paper) -> None:
    app = Flask("shared")
    app.testing = True
    protect(app, paper.server())
    paper.says()
    with app.test_request_context(headers=BEARER):
        assert require_token()(lambda: current_token().sub)() == "usr_customer"
        paper.says(active=False)
        require_token()(lambda: "reached")()
        with pytest.raises(RuntimeError):
            report("view.accounts")
