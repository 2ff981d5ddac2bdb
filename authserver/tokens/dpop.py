"""Proofs that a request's sender holds a key (DPoP, RFC 9449 §4): read, verified, and named for a single use."""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from authserver.clock import Clock

DPOP_ALGS = ("ES256", "PS256", "RS256", "EdDSA", "Ed25519")
"""What a proof may be signed with: never `none`, and nothing symmetric (§4.3)."""
AGE_SECONDS = 60
"""How old a proof may be."""
SKEW_SECONDS = 10
"""How far ahead of ours its clock may be."""

_TYP = "dpop+jwt"
_MAX_PROOF = 8192
_MAX_JTI = 256
_MAX_URL = 2048
_MEMBERS = ("kty", "crv", "x", "y", "n", "e")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_RSA_BYTES = range(256, 513)
_MAX_EXPONENT = 4
_PORTS = {"http": 80, "https": 443}
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_UNREADABLE = (JoseError, LookupError, TypeError, ValueError, RecursionError)


class _Registry(jws.JWSRegistry):
    """Room for the largest key in the header."""

    max_header_length = _MAX_PROOF


class UntrustworthyProofError(Exception):
    """A proof that proves nothing here; `reason` is for log and trail only."""

    def __init__(self, reason: str) -> None:
        """Refuse a proof for a private reason."""
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """A proof that is genuine, of now, and for this very request; whether it was used before is not said."""

    jkt: str
    """The key's SHA-256 thumbprint (RFC 7638), as `cnf` has it."""
    jti: str
    expires_at: int
    """From when it is too old by itself."""


class ProofVerifier:
    """Verifies proofs against the server's own clock."""

    def __init__(self, clock: Clock) -> None:
        """Know the time."""
        self._clock = clock

    def verify(self, unverified_proof: str, method: str, url: str, *, access_token: str | None = None) -> VerifiedProof:
        """Check everything of §4.3 but the single use. Raises UntrustworthyProofError.

        `url` is the request's as the server publishes it; `access_token` is what the proof goes with, if anything.
        """
        key, alg = _key(unverified_proof)
        claims = _claims(unverified_proof, key, alg)
        if claims.get("htm") != method:
            raise UntrustworthyProofError("dpop.htm")
        shown, wanted = normal(claims.get("htu")), normal(url)
        if shown is None or shown != wanted:
            raise UntrustworthyProofError("dpop.htu")
        issued_at, now = claims.get("iat"), self._clock.now()
        if type(issued_at) is not int or not now - AGE_SECONDS <= issued_at <= now + SKEW_SECONDS:
            raise UntrustworthyProofError("dpop.iat")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= _MAX_JTI:
            raise UntrustworthyProofError("dpop.jti")
        if access_token is not None and not _goes_with(claims.get("ath"), access_token):
            raise UntrustworthyProofError("dpop.ath")
        return VerifiedProof(key.thumbprint(), jti, issued_at + AGE_SECONDS + 1)


def normal(url: object) -> str | None:
    """Return a URL without query and fragment in one form (RFC 3986 §6.2.2, §6.2.3); None for what is no such URL."""
    if not isinstance(url, str) or len(url) > _MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or "\\" in url:
        return None
    return f"{parts.scheme}://{_host(parts, port)}{_path(parts.path)}"


def _host(parts: SplitResult, port: int | None) -> str:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if port in {None, _PORTS[parts.scheme]} else f"{host}:{port}"


def _path(path: str) -> str:
    """Undo what need not be escaped, and write the rest alike; dots are never resolved, so they fit nothing."""
    return _ESCAPED.sub(lambda found: quote(unquote(found[0], "latin-1"), safe="", encoding="latin-1"), path) or "/"


def _key(unverified_proof: str) -> tuple[Key, str]:
    """Return the key that a proof brings along, and its algorithm, by the header alone."""
    if len(unverified_proof) > _MAX_PROOF or unverified_proof.count(".") != 2:  # noqa: PLR2004 - a compact JWS
        raise UntrustworthyProofError("dpop.malformed")
    try:
        header = jws.extract_compact(unverified_proof.encode("ascii"), registry=_Registry()).headers()
        typ, alg, jwk = header.get("typ"), header.get("alg"), header.get("jwk")
    except _UNREADABLE as error:
        raise UntrustworthyProofError("dpop.malformed") from error
    if typ != _TYP or "crit" in header:
        raise UntrustworthyProofError("dpop.type")
    if not isinstance(alg, str) or alg not in DPOP_ALGS:
        raise UntrustworthyProofError("dpop.algorithm")
    if not isinstance(jwk, dict) or _PRIVATE & set(jwk):
        raise UntrustworthyProofError("dpop.key")
    try:
        return _read_key({name: jwk[name] for name in _MEMBERS if name in jwk}, alg), alg
    except _UNREADABLE as error:
        raise UntrustworthyProofError("dpop.key") from error


def _read_key(jwk: dict[str, Any], alg: str) -> Key:
    """Read a public key of the algorithm's kind, and of a size that neither is weak nor takes long to verify by."""
    kty, crv = jwk.get("kty"), jwk.get("crv")
    if alg == "ES256" and (kty, crv) == ("EC", "P-256"):
        return ECKey.import_key(jwk)
    if alg in {"EdDSA", "Ed25519"} and (kty, crv) == ("OKP", "Ed25519"):
        return OKPKey.import_key(jwk)
    if alg in {"PS256", "RS256"} and kty == "RSA":
        modulus, exponent = (base64.urlsafe_b64decode(f"{jwk[name]}==").lstrip(b"\0") for name in ("n", "e"))
        if len(modulus) in _RSA_BYTES and len(exponent) <= _MAX_EXPONENT:
            return RSAKey.import_key(jwk)
    raise ValueError("not a key for this algorithm")


def _claims(unverified_proof: str, key: Key, alg: str) -> dict[str, Any]:
    try:
        verified = jws.deserialize_compact(unverified_proof.encode("ascii"), key, registry=_Registry(algorithms=[alg]))
        claims = json.loads(verified.payload)
    except _UNREADABLE as error:
        raise UntrustworthyProofError("dpop.signature") from error
    if not isinstance(claims, dict):
        raise UntrustworthyProofError("dpop.claims")
    return claims


def _goes_with(ath: object, access_token: str) -> bool:
    """Tell whether `ath` is the access token's hash (§4.2)."""
    digest = hashlib.sha256(access_token.encode("ascii", "replace")).digest()
    wanted = base64.urlsafe_b64encode(digest).rstrip(b"=")
    return isinstance(ath, str) and hmac.compare_digest(ath.encode("utf-8", "surrogatepass"), wanted)
