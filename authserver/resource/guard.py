"""Flask: who gets in, and with what (RFC 6750 §3, RFC 9449 §7). A view runs with a verified token, or not at all."""

import functools
import json
import logging
from collections.abc import Callable
from typing import ParamSpec

from flask import Flask, Response, current_app, g, request
from flask.typing import ResponseReturnValue

from authserver.resource.proofs import ALGORITHMS, PresentedProof, public_url
from authserver.resource.refusals import InvalidProofError, InvalidTokenError, UnavailableError
from authserver.resource.server import ResourceServer
from authserver.resource.tokens import VerifiedToken

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_EXTENSION = "authserver-resource"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
View = Callable[_P, ResponseReturnValue]


def protect(app: Flask, server: ResourceServer) -> None:
    """Let the decorators of this module verify for `app` by `server`."""
    app.extensions[_EXTENSION] = server


def current_token() -> VerifiedToken:
    """Return the token of the present request; only beneath `require_token`."""
    token = g.get("authserver_token")
    if not isinstance(token, VerifiedToken):
        raise RuntimeError("no token was verified: put require_token above")  # noqa: TRY004 - an order, not a type
    return token


def require_token(*scopes: str, writes: bool | None = None) -> Callable[[View[_P]], View[_P]]:
    """Let in whoever has a token with all these scopes; the token is at `current_token()`.

    While a read-only impersonation lasts, POST, PUT, PATCH and DELETE are refused; `writes=False` says that a view
    changes nothing all the same (a search by POST), `writes=True` that it does, whatever its method.
    """

    def decorate(view: View[_P]) -> View[_P]:
        @functools.wraps(view)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> ResponseReturnValue:
            refused = _enter(frozenset(scopes), writes=writes)
            return view(*args, **kwargs) if refused is None else refused

        return guarded

    return decorate


def not_while_impersonated(view: View[_P]) -> View[_P]:
    """Refuse whoever acts as somebody else, whatever the token may otherwise do; beneath `require_token`."""

    @functools.wraps(view)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> ResponseReturnValue:
        if current_token().impersonated:
            report("refused.impersonated")
            return _problem(403, "not_while_impersonated", "This cannot be done while somebody acts for the customer.")
        return view(*args, **kwargs)

    return guarded


def report(kind: str, **details: str | int | bool | None) -> None:
    """Queue a performed action of the present request, if somebody acts for somebody else. Never blocks.

    Give names and numbers of what was touched, never what somebody typed or saw.
    """
    _server().report(current_token(), kind, **details)


def _server() -> ResourceServer:
    server = current_app.extensions.get(_EXTENSION)
    if not isinstance(server, ResourceServer):
        raise RuntimeError("call protect(app, server) first")  # noqa: TRY004 - an order, not a type
    return server


def _enter(scopes: frozenset[str], *, writes: bool | None) -> Response | None:
    """Verify the token, with the proof of a bound one, and put it at `flask.g`, or return the refusal."""
    g.pop("authserver_token", None)
    scheme, _, unverified_token = request.headers.get("Authorization", "").partition(" ")
    scheme, unverified_token = scheme.lower(), unverified_token.strip()
    if scheme not in {"bearer", "dpop"} or not unverified_token:
        return _problem(401, "token_missing", "An access token is needed.", challenge="Bearer")
    try:
        token = _server().verify(unverified_token, _proof() if scheme == "dpop" else None)
    except InvalidTokenError as error:
        _log.info("a token was refused: %s", error.reason)
        return _not_let_in(error, by_key=scheme == "dpop" or error.reason == "token.bound")
    except UnavailableError as error:
        _log.error("no token can be verified: %s", error.reason)
        return _problem(503, "temporarily_unavailable", "The access token cannot be verified now; try again.")
    g.authserver_token = token
    if not scopes <= token.scopes:
        scheme = "Bearer" if token.jkt is None else "DPoP"
        challenge = f'{scheme} error="insufficient_scope", scope="{" ".join(sorted(scopes))}"'
        return _problem(403, "insufficient_scope", "The access token does not allow this.", challenge=challenge)
    changes = request.method not in _SAFE if writes is None else writes
    if token.read_only and changes:
        report("refused.read_only", method=request.method)
        return _problem(403, "read_only", "This impersonation may read, and change nothing.")
    return None


def _proof() -> PresentedProof:
    """Return what stands in the header `DPoP`; one that was sent twice is joined by a comma, and so is no proof."""
    url = public_url(_server().public_url, request.path)
    return PresentedProof(request.headers.get("DPoP", ""), request.method, url)


def _not_let_in(error: InvalidTokenError, *, by_key: bool) -> Response:
    """Refuse a token, or its proof, with the challenge of its scheme (RFC 6750 §3.1, RFC 9449 §7.1)."""
    name, words = "invalid_token", "The access token is expired, revoked, or not meant for this server."
    if isinstance(error, InvalidProofError):
        name, words = "invalid_dpop_proof", "The DPoP proof is missing or not acceptable."
    algs = f', algs="{" ".join(ALGORITHMS)}"' if by_key else ""
    return _problem(401, name, words, challenge=f'{"DPoP" if by_key else "Bearer"} error="{name}"{algs}')


def _problem(status: int, error: str, detail: str, *, challenge: str | None = None) -> Response:
    """Answer with problem details (RFC 9457 §3)."""
    titles = {401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}
    body = {"type": "about:blank", "title": titles[status], "status": status, "detail": detail, "error": error}
    response = Response(json.dumps(body), status, content_type="application/problem+json")
    response.headers["Cache-Control"] = "no-store"
    if challenge is not None:
        response.headers["WWW-Authenticate"] = challenge
    return response
