"""Redeeming a trusted issuer's code, and what else comes with its ID token (OIDC Core §3.1.3, §5.3)."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from authserver.federation.discovery import Metadata, token_auth_method
from authserver.federation.foreign import ForeignToken
from authserver.federation.refusals import UnavailableError, UntrustworthyError
from authserver.federation.trusted import KnownIssuer


def redeem(known: KnownIssuer, metadata: Metadata, redirect_uri: str, code: str, verifier: str) -> Mapping[str, Any]:
    """Exchange the code (RFC 6749 §4.1.3), authenticated as the issuer wants it."""
    if metadata.token_endpoint is None:
        raise UnavailableError("upstream.no_token_endpoint")
    settings = known.settings
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    headers = {}
    client_id = settings.client_id or ""
    if settings.client_secret and token_auth_method(settings, metadata) == "client_secret_basic":
        pair = f"{quote(client_id, safe='')}:{quote(settings.client_secret, safe='')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        form["client_id"] = client_id
        if settings.client_secret:
            form["client_secret"] = settings.client_secret
    answer = known.transport.post(metadata.token_endpoint, form, headers)
    if answer.status != HTTPStatus.OK:
        raise UntrustworthyError("upstream.code_refused")
    if not isinstance(answer.body.get("id_token"), str):
        raise UntrustworthyError("upstream.no_id_token")
    return answer.body


def check_at_hash(alg: str, token: ForeignToken, access_token: str) -> None:
    """Hold the access token against `at_hash`, where there is one (OIDC Core §3.1.3.8)."""
    expected = token.claims.get("at_hash")
    if expected is None or not alg[2:].isdigit():
        return
    digest = hashlib.new(f"sha{alg[2:]}", access_token.encode("utf-8", "surrogatepass")).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if half != expected:
        raise UntrustworthyError("upstream.at_hash")


def with_userinfo(known: KnownIssuer, metadata: Metadata, token: ForeignToken, access_token: str) -> ForeignToken:
    """Add what only the userinfo endpoint tells, when the ID token has no e-mail address (OIDC Core §5.3.2)."""
    names = known.settings.claims
    if metadata.userinfo_endpoint is None or token.claim(names.email) is not None:
        return token
    told = known.transport.get(metadata.userinfo_endpoint, bearer=access_token)
    if told.get("sub") != token.sub:
        raise UntrustworthyError("upstream.userinfo_of_another")
    return replace(token, claims={**told, **token.claims})
