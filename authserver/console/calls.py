"""One request of somebody who is signed in: their session, what they may, and the API in their name."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import Response, g, render_template, request
from werkzeug.datastructures import MultiDict

from authserver.console.answers import fragment, html
from authserver.console.api_client import ApiRefusedError, ApiUnavailableError
from authserver.console.navigation import Me, entries
from authserver.console.parts import ConsoleParts
from authserver.console.sessions import Session, SignedOutError

Json = Any
_TOO_WEAK = "insufficient_user_authentication"


class StepUpNeededError(Exception):
    """The API wants a stronger or fresher sign-in (RFC 9470); what was typed is kept meanwhile."""

    def __init__(self, refusal: ApiRefusedError) -> None:
        """Read what is wanted."""
        self.acr_values = str(refusal.members.get("acr_values") or "")
        self.max_age = refusal.members.get("max_age")
        super().__init__(refusal.words)


class NotOurFormError(Exception):
    """A form without its proof, or from another origin (CSRF); the reason is for the trail."""


@dataclass(slots=True)
class Call:
    """The present request. Its verbs call the API and return JSON; a refusal is ApiRefusedError."""

    parts: ConsoleParts
    session: Session
    _me: Me | None = field(default=None)

    @property
    def me(self) -> Me:
        """Who is signed in, as the API says at this moment."""
        if self._me is None:
            self._me = Me.of(self.get("/api/v1/me"))
        return self._me

    def get(self, path: str, **query: Json) -> Json:
        """GET; what is None or empty is left out of the query."""
        return self._call("GET", path, query=query)

    def post(self, path: str, body: Json = None, *, patience: float | None = None) -> Json:
        """POST JSON; `patience` is how many seconds the answer may take where that is longer than usual."""
        return self._call("POST", path, body={} if body is None else body, patience=patience)

    def put(self, path: str, body: Json, *, version: str | None = None) -> Json:
        """PUT JSON; with `version`, in the place of that one alone."""
        return self._call("PUT", path, body=body, version=version)

    def patch(self, path: str, body: Json, **query: Json) -> Json:
        """PATCH JSON."""
        return self._call("PATCH", path, body=body, query=query)

    def delete(self, path: str) -> Json:
        """DELETE."""
        return self._call("DELETE", path)

    def open(self, path: str, **query: Json) -> Any:  # noqa: ANN401 - an opened answer
        """Open an answer of any length: server-sent events, or a download."""
        return self._with_token(lambda token: self.parts.api.stream(path, token, query=query, address=_address()))

    def _call(self, method: str, path: str, **more: Json) -> Json:
        return self._with_token(
            lambda token: self.parts.api.call(method, path, token, address=_address(), **more),
        )

    def _with_token(self, ask: Callable[[str], Json]) -> Json:
        """Ask with the token, once more with another one where it was refused (RFC 6750 §3.1)."""
        token = self.session.access_token()
        try:
            return ask(token)
        except ApiRefusedError as refusal:
            if refusal.error == _TOO_WEAK:
                raise StepUpNeededError(refusal) from refusal
            if refusal.status != HTTPStatus.UNAUTHORIZED:
                raise
        try:
            return ask(self.session.access_token(refused=token))
        except ApiRefusedError as refusal:
            if refusal.error == _TOO_WEAK:
                raise StepUpNeededError(refusal) from refusal
            if refusal.status == HTTPStatus.UNAUTHORIZED:
                raise SignedOutError from refusal
            raise

    # --- forms

    def check_form(self) -> None:
        """Raise NotOurFormError unless the form was made for this session and comes from our own origin."""
        origin, proof = request.headers.get("Origin"), request.form.get("csrf", "")
        if origin is not None and origin != self.parts.issuer:
            raise NotOurFormError("console.csrf_origin")
        if not hmac.compare_digest(self.session.csrf.encode(), proof.encode("utf-8", "replace")):
            raise NotOurFormError("console.csrf_token")

    def tell(self, words: str, kind: str = "good") -> None:
        """Say something at the top of the next page: `good`, `warn` or `bad`."""
        told = [*self.session.content.get("told", []), {"words": words, "kind": kind}]
        self.session.put("told", told[-4:])

    def typed(self) -> MultiDict[str, str]:
        """Return what was typed into this page's form before its person had to sign in; it is given once."""
        kept = self.session.content.get("typed")
        if not isinstance(kept, dict) or kept.get("path") != request.path:
            return MultiDict()
        self.session.put("typed", None)
        return MultiDict(kept["form"])


def call() -> Call:
    """Return the present call."""
    found: Call = g.console_call
    return found


def present() -> Call | None:
    """Return the present call, or None where nobody is signed in."""
    found: Call | None = g.get("console_call")
    return found


def page(template: str, status: int = 200, **values: Json) -> Response:
    """Answer with a page of the console: `values`, and what every page shows."""
    here = call()
    told = here.session.pop("told") or []
    banner = open_impersonations(here)
    return html(
        render_template(
            f"console/{template}",
            me=here.me,
            nav=entries(here.me),
            csrf=here.session.csrf,
            told=told,
            open=banner,
            **values,
        ),
        status,
    )


def frame() -> dict[str, Json]:
    """Return what a page that tells of a failure shows around it: the places, if they can be had, or nothing."""
    here = present()
    try:
        return {} if here is None else {"me": here.me, "nav": entries(here.me), "csrf": here.session.csrf, "open": []}
    except (ApiRefusedError, ApiUnavailableError, SignedOutError, StepUpNeededError):
        return {}


def part(template: str, **values: Json) -> Response:
    """Answer with a part of a page, as scripts put it into one that is shown already."""
    here = call()
    return fragment(render_template(f"console/{template}", me=here.me, csrf=here.session.csrf, **values))


def open_impersonations(here: Call) -> list[Json]:
    """Return the caller's own active impersonations: the banner of every page."""
    if "impersonate" not in here.me.scopes:
        return []
    return own(here, state="active", limit=20)


def own(here: Call, **query: Json) -> list[Json]:
    """Return the caller's own impersonations, newest first."""
    found: list[Json] = here.get("/api/v1/impersonations", actor=here.me.id, **query)["items"]
    return found


def _address() -> str:
    return request.remote_addr or ""
