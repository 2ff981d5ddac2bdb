"""Refusals at the edge: the answer in the standard's form, and the evidence that they leave (design section 5)."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Response, json, request
from werkzeug.exceptions import HTTPException

from authserver.audit.chain import Trail
from authserver.audit.events.refusals import RequestRefused
from authserver.audit.strangers import Strangers
from authserver.protocol.refusals import BoundToken, Busy, InvalidClient, InvalidRequest, InvalidToken, Refusal
from authserver.storage.database import Work, is_busy
from authserver.telemetry import Metrics
from authserver.tokens.dpop import DPOP_ALGS

_RETRY_SECONDS = 5
_STORAGE_BUSY = "storage.busy"
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@dataclass(slots=True)
class Trace:
    """What is known of a request so far; a refusal is recorded with as much as had been found out."""

    endpoint: str
    address: str
    client_id: str | None = None
    """An authenticated client, or the client of a verified token."""
    unproven: bool = False
    """The client is public: it said who it is, and anybody may say so."""
    tried_client_id: str | None = None
    actor: str | None = None
    way: str | None = None
    target: str | None = None
    impersonation_id: str | None = None


class Evidence:
    """Records refusals: each one of a known caller, and of strangers one aggregate an address and minute."""

    def __init__(self, trail: Trail, strangers: Strangers, metrics: Metrics) -> None:
        """Record in `trail`, directly or by way of `strangers`."""
        self._trail = trail
        self._strangers = strangers
        self._metrics = metrics

    def refuse(self, work: Work, trace: Trace, refusal: Refusal) -> None:
        """Leave a refusal's evidence in the present unit of work."""
        self._metrics.oauth_refusals.labels(refusal.error, refusal.reason).inc()
        if refusal.pending:
            return
        if trace.actor is None and (trace.client_id is None or trace.unproven):
            self._strangers.count(trace.address, refusal.reason, trace.tried_client_id)
            return
        event = RequestRefused(
            impersonation_id=trace.impersonation_id,
            endpoint=trace.endpoint,
            error=refusal.error,
            reason=refusal.reason,
            client_id=trace.client_id,
            actor=trace.actor,
            way=trace.way,
            target=trace.target,
            policies=getattr(refusal, "policies", ()),
            address=trace.address,
        )
        self._trail.record(work, event)

    def turn_away(self, address: str, error: str, reason: str) -> None:
        """Count what was refused before any endpoint: whoever asked is a stranger."""
        self._metrics.oauth_refusals.labels(error, reason).inc()
        self._strangers.count(address, reason, None)

    def http_error(self, error: HTTPException) -> Response:
        """Answer what Flask refuses; a path or method that is none, and a database that is busy, are counted."""
        if request.routing_exception is not None:
            self.turn_away(request.remote_addr or "", InvalidRequest.error, f"request.status_{error.code}")
        elif is_busy(getattr(error, "original_exception", None)):
            self._metrics.oauth_refusals.labels(Busy.error, _STORAGE_BUSY).inc()
        return _http_error(error)


def new_trace() -> Trace:
    """Return the trace of the present request."""
    return Trace(endpoint=request.endpoint or "", address=request.remote_addr or "")


def json_answer(body: Any, status: int = 200) -> Response:  # noqa: ANN401 - JSON
    """Answer with JSON that nobody may keep."""
    return Response(json.dumps(body), status, NO_STORE, content_type="application/json")


def oauth_error(refusal: Refusal) -> Response:
    """Answer a refusal in the form of RFC 6749 §5.2."""
    body = {"error": refusal.error, "error_description": refusal.public, **refusal.extra}
    response = json_answer(body, refusal.status)
    if refusal.status == HTTPStatus.UNAUTHORIZED and "Authorization" in request.headers:
        response.headers["WWW-Authenticate"] = 'Basic realm="authserver"'
    return _told_when(response, refusal)


def problem_details(refusal: Refusal) -> dict[str, Any]:
    """Return a refusal as problem details (RFC 9457 §3), also where the request is long answered."""
    status = refusal.status
    if refusal.error == "access_denied":
        status = HTTPStatus.FORBIDDEN
    if refusal.error == "insufficient_user_authentication":
        status = HTTPStatus.UNAUTHORIZED
    return _details(status, refusal.public, {"error": refusal.error, **refusal.extra})


def problem(refusal: Refusal) -> Response:
    """Answer a refusal as problem details (RFC 9457), and its challenge (RFC 6750 §3, RFC 9449 §7.1)."""
    body = problem_details(refusal)
    status = int(body["status"])
    response = _problem_answer(body)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        response.headers["WWW-Authenticate"] = _challenge(refusal)
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        response.headers["Retry-After"] = str(_RETRY_SECONDS)
    return _told_when(response, refusal)


def _told_when(response: Response, refusal: Refusal) -> Response:
    """Say when to come again, where a refusal knows it (RFC 9110 §10.2.3)."""
    if "retry_after" in refusal.extra:
        response.headers["Retry-After"] = str(refusal.extra["retry_after"])
    return response


def problem_answer(status: int, detail: str, members: dict[str, Any]) -> Response:
    """Answer with problem details (RFC 9457 §3)."""
    return _problem_answer(_details(status, detail, members))


def _problem_answer(body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), body["status"], NO_STORE, content_type="application/problem+json")


def _details(status: int, detail: str, members: dict[str, Any]) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": int(status), "detail": detail, **members}


def _challenge(refusal: Refusal) -> str:
    if isinstance(refusal, InvalidClient):
        return 'Basic realm="authserver"'
    if isinstance(refusal, InvalidToken) and refusal.reason == "token.missing":
        return 'Bearer realm="authserver"'
    by_key = isinstance(refusal, BoundToken) or request.headers.get("Authorization", "").lower().startswith("dpop ")
    challenge = f'{"DPoP" if by_key else "Bearer"} realm="authserver", error="{refusal.error}"'
    if by_key:
        challenge += f', algs="{" ".join(DPOP_ALGS)}"'
    for name in ("acr_values", "max_age"):
        if name in refusal.extra:
            challenge += f', {name}="{refusal.extra[name]}"'
    return challenge


def _http_error(error: HTTPException) -> Response:
    """Answer what Flask itself refuses (no such path, wrong method, …) in the form of the path's interface."""
    if is_busy(getattr(error, "original_exception", None)):
        return _try_again(Busy(_STORAGE_BUSY))
    status = error.code or 500
    words = HTTPStatus(status).phrase
    if _is_problem():
        response = problem_answer(status, words, {})
    else:
        name = "invalid_request" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"
        response = json_answer({"error": name, "error_description": words}, status)
    if (valid := getattr(error, "valid_methods", None)) is not None:
        response.headers["Allow"] = ", ".join(sorted(valid))
    return response


def _try_again(refusal: Refusal) -> Response:
    """Answer what passes on its own (RFC 9110 §10.2.3)."""
    form = problem if _is_problem() else oauth_error
    response = form(refusal)
    response.headers["Retry-After"] = str(_RETRY_SECONDS)
    return response


def _is_problem() -> bool:
    return request.path.startswith(("/api/", "/appetize/"))
