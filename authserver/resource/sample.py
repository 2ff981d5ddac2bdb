"""A small bank behind authserver, as the demo runs it: read it as the way to use this package.

`python -m authserver.resource.sample` runs it alone, from `AUTHSERVER_ISSUER`, `RESOURCE`, `CLIENT_ID` and
`CLIENT_SECRET`. The data are made up, and everybody has the same.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.serving import WSGIRequestHandler, make_server

from authserver.resource import ResourceServer, current_token, not_while_impersonated, protect, report, require_token

_ACCOUNTS = (
    {"id": "acc_1", "name": "Everyday", "currency": "SEK", "balance": "1204.50"},
    {"id": "acc_2", "name": "Savings", "currency": "SEK", "balance": "88000.00"},
)
_TRANSACTIONS = (
    {"id": "trx_1", "account": "acc_1", "text": "Groceries", "amount": "-412.00"},
    {"id": "trx_2", "account": "acc_1", "text": "Salary", "amount": "31500.00"},
)
_MAX_NICKNAME = 40


def create_sample(server: ResourceServer) -> Flask:
    """Return the bank's API. Scopes are the demo's: one to read, one to write, one that is never delegated."""
    app = Flask("bank")
    app.config["MAX_CONTENT_LENGTH"] = 16_384
    protect(app, server)
    nicknames: dict[str, str] = {}

    @app.get("/me")
    @require_token("accounts:read")
    def me() -> ResponseReturnValue:
        token = current_token()  # nothing of the account is shown, so nothing is reported: an app may ask often
        return jsonify(owner=token.sub, seen_by=token.actor, read_only=token.read_only)

    @app.get("/accounts")
    @require_token("accounts:read")
    def accounts() -> ResponseReturnValue:
        token = current_token()
        report("view.accounts", count=len(_ACCOUNTS))
        return jsonify(owner=token.sub, seen_by=token.actor, nickname=nicknames.get(token.sub), items=_ACCOUNTS)

    @app.get("/transactions")
    @require_token("accounts:read")
    def transactions() -> ResponseReturnValue:
        report("view.transactions", count=len(_TRANSACTIONS))
        return jsonify(items=_TRANSACTIONS)

    @app.put("/nickname")
    @require_token("cards:write")
    def nickname() -> ResponseReturnValue:
        body: Any = request.get_json(silent=True)
        wanted = body.get("nickname") if isinstance(body, dict) else None
        if not isinstance(wanted, str) or not 0 < len(wanted) <= _MAX_NICKNAME:
            return jsonify(error="invalid_request"), 400
        nicknames[current_token().sub] = wanted
        report("change.nickname")  # that it was changed, not what somebody typed
        return jsonify(nickname=wanted)

    @app.post("/transfers")
    @require_token("contacts:write")  # who pays somebody makes them a contact
    @not_while_impersonated
    def transfers() -> ResponseReturnValue:
        return jsonify(state="accepted"), 201

    @app.after_request
    def private(response: Response) -> Response:
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return app


class _Quiet(WSGIRequestHandler):
    """Logs nothing: a request line says who looked at what."""

    def log_request(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(server: ResourceServer, host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Serve the bank beside whatever else this process does; give its port. For a demo and for tests only."""
    http = make_server(host, port, create_sample(server), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=http.serve_forever, name="bank", daemon=True)
    thread.start()
    try:
        yield http.port
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
        server.reports.close()


def main() -> None:
    """Serve until Ctrl-C."""
    names = ("AUTHSERVER_ISSUER", "RESOURCE", "CLIENT_ID", "CLIENT_SECRET")
    issuer, resource, client_id, client_secret = (os.environ[name] for name in names)
    server = ResourceServer(issuer, resource, client_id, client_secret)
    with serving(server, port=int(os.environ.get("PORT", "0"))) as port:
        print(f"the bank answers at http://127.0.0.1:{port}", flush=True)  # noqa: T201 - it is a program
        threading.Event().wait()


if __name__ == "__main__":
    main()
