"""Client authentication (RFC 6749 §2.3, RFC 7523 §3): one method a request, the registered one."""

import base64
import binascii
from typing import Any
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from flask import Request

from authserver.clock import Clock
from authserver.oauth.form import Form
from authserver.protocol.names import CLIENT_ASSERTION_JWT
from authserver.protocol.refusals import InvalidClient, InvalidRequest
from authserver.storage import DbSession, clients
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import Work
from authserver.tokens.client_keys import UntrustworthyAssertionError, signed_claims
from authserver.tokens.secret_hashes import SecretHasher, SecretKind
from authserver.web.refusals import Trace

PUBLIC = "none"
METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")
_MAX_ASSERTION_SECONDS = 3600
_LEEWAY_SECONDS = 30


class ClientAuthentication:
    """Authenticates the client of a request, or refuses it with `invalid_client`."""

    def __init__(self, issuer: str, hasher: SecretHasher, clock: Clock) -> None:
        """Authenticate at `issuer`."""
        self._issuer = issuer
        self._hasher = hasher
        self._clock = clock

    def identify(self, work: Work, request: Request, form: Form, trace: Trace) -> RegisteredClient:
        """Return the client, authenticated; a public one, which cannot be, by its `client_id` alone (§2.1)."""
        silent = request.headers.get("Authorization") is None and not {"client_secret", "client_assertion"} & {
            *form.single
        }
        client_id = form.get("client_id")
        if silent and client_id is not None:
            client = clients.find(work.session, client_id)
            if client is not None and client.enabled and client.auth_method == PUBLIC:
                trace.tried_client_id = client_id
                trace.client_id, trace.unproven = client_id, True
                return client
        return self.authenticate(work, request, form, trace)

    def authenticate(self, work: Work, request: Request, form: Form, trace: Trace) -> RegisteredClient:
        """Return the client. Two methods at once, or another `client_id` beside, are `invalid_request`."""
        header = request.headers.get("Authorization")
        assertion = form.get("client_assertion")
        used = [header is not None, form.get("client_secret") is not None, assertion is not None]
        trace.tried_client_id = form.get("client_id")
        if sum(used) > 1:
            raise InvalidRequest("client.two_methods", "More than one client authentication method is used.")
        if header is not None:
            client = self._by_basic(work.session, header, form, trace)
        elif assertion is not None:
            client = self._by_assertion(work, assertion, form, trace)
        else:
            client = self._by_secret(work.session, form.get("client_id"), form.get("client_secret"))
        trace.client_id = client.client_id
        return client

    def _by_basic(self, session: DbSession, header: str, form: Form, trace: Trace) -> RegisteredClient:
        client_id, secret = _basic(header)
        trace.tried_client_id = client_id
        if form.get("client_id") not in {None, client_id}:
            raise InvalidRequest("client.two_ids", "client_id is not the authenticated client.")
        return self._by_secret(session, client_id, secret)

    def _by_secret(self, session: DbSession, client_id: str | None, secret: str | None) -> RegisteredClient:
        if client_id is None or secret is None:
            raise InvalidClient("client.no_credentials")
        client = _enabled(session, client_id)
        secret_hash = self._hasher.hash(SecretKind.CLIENT_SECRET, secret)
        if client.auth_method != "client_secret" or not clients.secret_lives(
            session, client_id, secret_hash, now=self._clock.now()
        ):
            raise InvalidClient("client.secret")
        return client

    def _by_assertion(self, work: Work, assertion: str, form: Form, trace: Trace) -> RegisteredClient:
        if form.get("client_assertion_type") != CLIENT_ASSERTION_JWT:
            raise InvalidRequest("client.assertion_type", "client_assertion_type is not supported.")
        check = _Assertion(work.session, self._issuer, self._clock)
        try:
            client = check.authenticate(assertion)
        except (InvalidClientError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise InvalidClient("client.assertion") from error
        trace.tried_client_id = client.client_id
        if form.get("client_id") not in {None, client.client_id}:
            raise InvalidRequest("client.two_ids", "client_id is not the authenticated client.")
        self._consume(work, client, str(check.claims["jti"]), int(check.claims["exp"]))
        return client

    def _consume(self, work: Work, client: RegisteredClient, jti: str, expires_at: int) -> None:
        """Use the assertion's `jti` up, durably, before anything else is done with it."""
        work.lock()
        jti_hash = self._hasher.hash(SecretKind.ASSERTION, jti)
        fresh = clients.use_assertion(work.session, client.client_id, jti_hash, expires_at=expires_at + _LEEWAY_SECONDS)
        work.commit()
        if not fresh:
            raise InvalidClient("client.assertion_replayed")


class _Assertion(JWTBearerClientAssertion):
    """Authlib's reading of an assertion, with our own checks.

    Theirs of the signature knows fewer algorithms than we advertise, theirs of the claims takes an `aud` that merely
    contains us.
    """

    def __init__(self, session: DbSession, issuer: str, clock: Clock) -> None:
        super().__init__()
        self._session = session
        self._issuer = issuer
        self._clock = clock
        self.claims: dict[str, Any] = {}

    def authenticate(self, assertion: str) -> RegisteredClient:
        """Return the client that signed `assertion`, with its claims in `claims`."""
        _, unverified = self.extract_assertion(assertion)
        client_id = unverified.get("sub")
        if not isinstance(client_id, str) or "\0" in client_id:
            raise InvalidClientError
        client = _enabled(self._session, client_id)
        if client.auth_method != "private_key_jwt" or client.jwks is None:
            raise InvalidClientError
        self.claims = self.process_assertion_claims(assertion, client.jwks)
        return client

    def process_assertion_claims(self, assertion: str, resolve_key: dict[str, Any]) -> dict[str, Any]:
        """Return the claims of an assertion that a key of this JWK Set signed."""
        try:
            claims = signed_claims(assertion, resolve_key)
        except UntrustworthyAssertionError as error:
            raise InvalidClientError from error
        self.verify_claims(claims)
        return claims

    def verify_claims(self, claims: dict[str, Any]) -> None:
        """Check `iss`, `sub`, `aud`, `exp`, `iat`, `nbf` and `jti` (RFC 7523 §3): `aud` is the issuer, nothing else."""
        now, exp = self._clock.now(), claims.get("exp")
        times = [claims.get(name, now) for name in ("iat", "nbf")]
        if (
            claims.get("iss") != claims.get("sub")
            or claims.get("aud") not in (self._issuer, [self._issuer])
            or type(exp) is not int
            or not now - _LEEWAY_SECONDS < exp <= now + _MAX_ASSERTION_SECONDS + _LEEWAY_SECONDS
            or any(type(time) is not int or time > now + _LEEWAY_SECONDS for time in times)
            or not isinstance(claims.get("jti"), str)
            or not claims["jti"]
        ):
            raise InvalidClientError


def _enabled(session: DbSession, client_id: str) -> RegisteredClient:
    client = clients.find(session, client_id)
    if client is None or not client.enabled:
        raise InvalidClient("client.unknown_or_disabled")
    return client


def _basic(header: str) -> tuple[str, str]:
    """Read HTTP Basic credentials, each part form-encoded (RFC 6749 §2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient("client.authorization_scheme")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        client_id, colon, secret = text.partition(":")
        client_id, secret = (unquote_plus(part, errors="strict") for part in (client_id, secret))
    except (binascii.Error, ValueError) as error:
        raise InvalidClient("client.authorization_malformed") from error
    if not colon or not client_id or not secret or "\0" in text + client_id + secret:
        raise InvalidClient("client.authorization_malformed")
    return client_id, secret
