"""`/oauth/authorize` (RFC 6749 §3.1, RFC 9700, OIDC Core §3.1.2): code and PKCE only.

A request is checked, then the person signs in where that is needed, then consents where that is needed, and each time
comes back here with the same parameters, until a code can be sent. What they did is proved by the session and by
signed markers, never by the URL alone.
"""

from urllib.parse import parse_qs, urlencode

from flask import Response, render_template, request

from authserver.audit.events.sign_in import ApplicationAllowed
from authserver.oauth.asked import Asked
from authserver.oauth.authorization_request import AuthorizationRequest
from authserver.oauth.parts import OAuthParts
from authserver.oauth.posted import MAX_QUERY, as_get
from authserver.oauth.steps import Consent, Done, SignIn, consented, next_step
from authserver.protocol.names import GRANT_AUTHORIZATION_CODE
from authserver.protocol.redirects import redirect_uri_fits
from authserver.protocol.refusals import InvalidRequest, InvalidScope, Refusal, UnauthorizedClient
from authserver.protocol.scopes import Scope
from authserver.storage import authorizations, clients, resources
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work, unit_of_work
from authserver.storage.tables import AuthorizationCode
from authserver.tokens import targets
from authserver.tokens.secret_hashes import SecretKind
from authserver.tokens.targets import available
from authserver.web.browser import SignedIn
from authserver.web.pages import error_page, go_from_form, go_to, leads_to, page
from authserver.web.refusals import Trace, new_trace

_CODE_SECONDS = 60

Parameters = dict[str, list[str]]


class BadRedirect(InvalidRequest):
    """A client or redirect URI that is not to be trusted with an answer: the person sees a page (RFC 6749 §4.1.2.1)."""


class ConsentDenied(Refusal):
    """`access_denied` (RFC 6749 §4.1.2.1)."""

    error = "access_denied"
    words = "The user did not allow it."


def authorize(parts: OAuthParts) -> Response:
    """Answer an authorization request."""
    trace = new_trace()
    with unit_of_work() as work:
        try:
            if request.method == "POST":
                return as_get("/oauth/authorize")
            parameters = _parameters(request.query_string)
            client, redirect_uri = _client_and_uri(work, parameters, trace)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)
        try:
            return _respond(parts, work, trace, client, redirect_uri, parameters)
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return _back(parts, redirect_uri, parameters, {"error": refusal.error, "error_description": refusal.public})


def _parameters(query: bytes) -> Parameters:
    if len(query) > MAX_QUERY:
        raise BadRedirect("authorize.too_long")
    try:
        return parse_qs(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError as error:
        raise BadRedirect("authorize.malformed") from error


def _client_and_uri(work: Work, parameters: Parameters, trace: Trace) -> tuple[RegisteredClient, str]:
    client_ids, uris = parameters.get("client_id", []), parameters.get("redirect_uri", [])
    if len(client_ids) != 1 or len(uris) != 1:
        raise BadRedirect("authorize.client_or_uri_missing")
    trace.tried_client_id = client_ids[0]
    client = None if "\0" in client_ids[0] else clients.find(work.session, client_ids[0])
    if client is None or not client.enabled:
        raise BadRedirect("authorize.client_unknown")
    if not redirect_uri_fits(uris[0], client.redirect_uris):
        raise BadRedirect("authorize.redirect_uri")
    return client, uris[0]


def _respond(  # noqa: PLR0913, PLR0917 - what was found out so far
    parts: OAuthParts,
    work: Work,
    trace: Trace,
    client: RegisteredClient,
    redirect_uri: str,
    parameters: Parameters,
) -> Response:
    trace.client_id = client.client_id
    markers = parameters.pop("interaction", [])
    asked = _asked(parts, work, client, redirect_uri, parameters)
    signed_in = parts.browser.signed_in(work)
    trace.actor = None if signed_in is None else signed_in.user_id
    match next_step(parts, work, asked, signed_in, markers):
        case SignIn(marker=marker):
            back = f"/oauth/authorize?{asked.query}&{urlencode([('interaction', m) for m in (*markers, marker)])}"
            hint = asked.request.login_hint
            login = {"return_to": back, **({"login_hint": hint} if hint else {})}
            if asked.request.acr_values:
                login["acr_values"] = " ".join(asked.request.acr_values)
            return go_to(f"/login?{urlencode(login)}")
        case Consent(scopes=scopes):
            return _consent_page(parts, work, asked, scopes, markers)
        case Done(signed_in=signed_in):
            return _send_code(parts, work, asked, signed_in, parameters)


def _asked(parts: OAuthParts, work: Work, client: RegisteredClient, redirect_uri: str, parameters: Parameters) -> Asked:
    parsed = AuthorizationRequest.parse(parameters)
    if GRANT_AUTHORIZATION_CODE not in client.grant_types:
        raise UnauthorizedClient("grant.not_the_clients")
    issuer = parts.settings.issuer
    target = targets.resolve_sign_in(work.session, client, parsed.resources, parsed.scope, issuer)
    pairs = [(name, value) for name, values in parameters.items() for value in values]
    return Asked(client, redirect_uri, parsed, target, urlencode(pairs))


def _consent_page(
    parts: OAuthParts, work: Work, asked: Asked, scopes: tuple[Scope, ...], markers: list[str]
) -> Response:
    signed_in = parts.browser.cookie()
    return page(
        render_template(
            "consent.html",
            client=asked.client,
            scopes=[(scope.name, scope.resource) for scope in scopes],
            described=resources.descriptions(work.session),
            places=resources.names(work.session),
            issuer=parts.settings.issuer,
            query=asked.query,
            markers=markers,
            csrf=parts.browser.csrf(signed_in),
        ),
        form_action=leads_to(asked.redirect_uri),
    )


def decide_consent(parts: OAuthParts) -> Response:
    """Take a person's decision about a third-party client, and go back to the request (OIDC Core §3.1.2.4)."""
    trace = new_trace()
    with unit_of_work() as work:
        try:
            signed_in = parts.browser.require(work, request.form.get("csrf"), trace)
            parameters = _parameters(request.form.get("query", "").encode("ascii", "replace"))
            client, redirect_uri = _client_and_uri(work, parameters, trace)
            trace.client_id = client.client_id
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            return error_page(refusal)
        try:
            asked = _asked(parts, work, client, redirect_uri, parameters)
            if request.form.get("decision") != "allow":
                raise ConsentDenied("consent.denied")
        except Refusal as refusal:
            parts.refusals.refuse(work, trace, refusal)
            told = {"error": refusal.error, "error_description": refusal.public}
            return go_from_form(_answer(parts, redirect_uri, parameters, told), redirect_uri)
        work.lock()
        names = [scope.name for scope in available(work.session, signed_in.user_id, asked.target)]
        authorizations.grant(work.session, signed_in.user_id, client.client_id, names, now=parts.clock.now())
        parts.trail.record(work, _allowed(signed_in, client, names))
        marker = parts.markers.make("consent", consented(asked, signed_in))
        markers = [*request.form.getlist("interaction")[:4], marker]
        onwards = f"/oauth/authorize?{asked.query}&{urlencode([('interaction', m) for m in markers])}"
        return go_from_form(onwards, redirect_uri)


def _allowed(signed_in: SignedIn, client: RegisteredClient, names: list[str]) -> ApplicationAllowed:
    return ApplicationAllowed(
        user_id=signed_in.user_id, session_id=signed_in.session_id, client_id=client.client_id, scopes=tuple(names)
    )


def _send_code(parts: OAuthParts, work: Work, asked: Asked, signed_in: SignedIn, parameters: Parameters) -> Response:
    scopes = available(work.session, signed_in.user_id, asked.target)
    if not scopes:
        raise InvalidScope("scope.nothing_left")
    code, now = parts.entropy.token(), parts.clock.now()
    work.lock()
    row = AuthorizationCode(
        code_hash=parts.hasher.hash(SecretKind.CODE, code),
        family_id=parts.entropy.identifier("fam"),
        client_id=asked.client.client_id,
        user_id=signed_in.user_id,
        session_id=signed_in.session_id,
        redirect_uri=asked.redirect_uri,
        code_challenge=asked.request.code_challenge,
        nonce=asked.request.nonce,
        scopes=[scope.name for scope in scopes],
        resources=list(asked.target.resources),
        created_at=now,
        expires_at=now + _CODE_SECONDS,
    )
    authorizations.add_code(work.session, row)
    return _back(parts, asked.redirect_uri, parameters, {"code": code})


def _back(parts: OAuthParts, redirect_uri: str, parameters: Parameters, answer: dict[str, str]) -> Response:
    """Send an answer to the client, by 303 and without a referrer."""
    return go_to(_answer(parts, redirect_uri, parameters, answer))


def _answer(parts: OAuthParts, redirect_uri: str, parameters: Parameters, answer: dict[str, str]) -> str:
    """Return the client's URI with an answer, `state` and `iss` (RFC 9207)."""
    state = parameters.get("state", [])
    answer = {**answer, **({"state": state[0]} if len(state) == 1 and state[0] else {}), "iss": parts.settings.issuer}
    joint = "&" if "?" in redirect_uri else "?"
    return f"{redirect_uri}{joint}{urlencode(answer)}"
