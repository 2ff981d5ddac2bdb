"""What a trusted issuer says of itself (OIDC Discovery §3 and §4, RFC 8414 §3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authserver.federation.refusals import UnavailableError
from authserver.federation.transport import Transport
from authserver.settings_federation import TrustedIssuer

_WELL_KNOWN = "/.well-known/openid-configuration"
_BASIC, _POST = "client_secret_basic", "client_secret_post"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The endpoints of an issuer, each at a configured host; None for one that it does not name."""

    jwks_uri: str | None
    authorization_endpoint: str | None
    token_endpoint: str | None
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    sends_iss: bool
    """Whether it names itself in its authorization responses (RFC 9207 §3)."""
    token_auth_methods: tuple[str, ...]


def fetch_metadata(issuer: TrustedIssuer, transport: Transport) -> Metadata:
    """Fetch an issuer's metadata; it must name the issuer to the byte. Raises UnavailableError."""
    document = transport.get(issuer.discovery_url or issuer.issuer.rstrip("/") + _WELL_KNOWN)
    if document.get("issuer") != issuer.issuer:
        raise UnavailableError("discovery.another_issuer")
    methods = document.get("token_endpoint_auth_methods_supported", [_BASIC])
    return Metadata(
        jwks_uri=_endpoint(document, "jwks_uri", transport),
        authorization_endpoint=_endpoint(document, "authorization_endpoint", transport),
        token_endpoint=_endpoint(document, "token_endpoint", transport),
        userinfo_endpoint=_endpoint(document, "userinfo_endpoint", transport),
        end_session_endpoint=_endpoint(document, "end_session_endpoint", transport),
        sends_iss=document.get("authorization_response_iss_parameter_supported") is True,
        token_auth_methods=tuple(m for m in methods if isinstance(m, str)) if isinstance(methods, list) else (),
    )


def token_auth_method(issuer: TrustedIssuer, metadata: Metadata) -> str:
    """Return how this server authenticates at the token endpoint: as configured, else Basic unless only POST is."""
    if issuer.token_auth_method is not None:
        return issuer.token_auth_method
    methods = metadata.token_auth_methods
    return _POST if _POST in methods and _BASIC not in methods else _BASIC


def _endpoint(document: Mapping[str, Any], name: str, transport: Transport) -> str | None:
    """Return an endpoint, or refuse the document: one that is elsewhere is never asked, nor a browser sent there."""
    url = document.get(name)
    if url is None:
        return None
    if not transport.allows(url):
        raise UnavailableError(f"discovery.host:{name}")
    return str(url)
