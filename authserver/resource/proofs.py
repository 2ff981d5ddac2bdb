"""Proofs that a token's sender holds the key that it is bound to (DPoP, RFC 9449 §4.3 and §7)."""

import base64
import hashlib
import hmac
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from authserver.resource.refusals import InvalidProofError, UnavailableError

ALGORITHMS = ("ES256", "PS256", "RS256", "EdDSA", "Ed25519")
_AGE_SECONDS = 60
_SKEW_SECONDS = 10
_MAX_PROOF = 8192
_MAX_JTI = 256
_MAX_URL = 2048
_MAX_KEPT = 65_536
_MEMBERS = ("kty", "crv", "x", "y", "n", "e")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_RSA_BYTES = range(256, 513)
_MAX_EXPONENT = 4
_PORTS = {"http": 80, "https": 443}
_UNRESERVED = "-._~"
_PATH = _UNRESERVED + "/!$&'()*+,;=:@"
_UNREADABLE = (JoseError, LookupError, TypeError, ValueError, RecursionError)

UseProof = Callable[[str, float], bool]
"""Uses a proof up by its name until an instant (seconds); False where it was used before."""


@dataclass(frozen=True, slots=True)
class PresentedProof:
    """What came beside a token: the header `DPoP` as it stood there, and the request's method and public URL."""

    header: str
    method: str
    url: str


class _Registry(jws.JWSRegistry):
    """Room for the largest key in the header."""

    max_header_length = _MAX_PROOF


class Proofs:
    """Verifies proofs, and lets each be used once."""

    def __init__(self, now: Callable[[], float], use: UseProof | None = None) -> None:
        """Remember used proofs by `use`, or in this process's bounded memory."""
        self._now = now
        self._use = use or UsedProofs(now)

    def check(self, shown: PresentedProof, unverified_token: str, jkt: str) -> None:
        """Check a proof for a token that is bound to `jkt`. Raises InvalidProofError, UnavailableError."""
        key, alg = _key(shown.header.strip())
        claims = _claims(shown.header.strip(), key, alg)
        if not hmac.compare_digest(key.thumbprint().encode(), jkt.encode()):
            raise InvalidProofError("proof.other_key")
        if claims.get("htm") != shown.method:
            raise InvalidProofError("proof.htm")
        url = _normal(claims.get("htu"))
        if url is None or url != _normal(shown.url):
            raise InvalidProofError("proof.htu")
        issued_at, now = claims.get("iat"), self._now()
        if type(issued_at) is not int or not now - _AGE_SECONDS <= issued_at <= now + _SKEW_SECONDS:
            raise InvalidProofError("proof.iat")
        if not _goes_with(claims.get("ath"), unverified_token):
            raise InvalidProofError("proof.ath")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= _MAX_JTI:
            raise InvalidProofError("proof.jti")
        name = hashlib.sha256(f"{jkt}\0{jti}".encode("utf-8", "surrogatepass")).hexdigest()
        if not self._use(name, issued_at + _AGE_SECONDS + 1):
            raise InvalidProofError("proof.replayed")


class UsedProofs:
    """The proofs that this process has seen; where there are too many to remember, nobody gets in by one more."""

    def __init__(self, now: Callable[[], float], most: int = _MAX_KEPT) -> None:
        """Remember at most so many at a time."""
        self._now = now
        self._most = most
        self._until: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, name: str, until: float) -> bool:
        """Use a proof up; False where it was used before. Raises UnavailableError where memory is full."""
        with self._lock:
            if name in self._until:
                return False
            if len(self._until) >= self._most:
                now = self._now()
                self._until = OrderedDict((name, end) for name, end in self._until.items() if end > now)
            if len(self._until) >= self._most:
                raise UnavailableError("proofs.too_many")
            self._until[name] = until
            return True


def public_url(base: str, path: str) -> str:
    """Return a request's public URL: the API's own, and the path as the application sees it."""
    return base.rstrip("/") + quote(path, safe=_PATH)


def _normal(url: object) -> str | None:
    """Return a URL without query and fragment in one form (RFC 3986 §6.2.2, §6.2.3); None for what is no such URL."""
    if not isinstance(url, str) or len(url) > _MAX_URL or not url.isascii() or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or {" ", "\\"} & set(url):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    host = host if port in {None, _PORTS[parts.scheme]} else f"{host}:{port}"
    return f"{parts.scheme}://{host}{_normal_path(parts.path)}"


def _normal_path(path: str) -> str:
    """Undo what need not be escaped, and write the rest alike; dots are never resolved, so they fit nothing."""
    first, *rest = path.split("%")
    found = [first]
    for part in rest:
        decoded = unquote(f"%{part[:2]}", "latin-1")
        found.append(quote(decoded, safe=_UNRESERVED, encoding="latin-1") + part[2:])
    return "".join(found) or "/"


def _key(unverified_proof: str) -> tuple[Key, str]:
    """Return the key that a proof brings along, and its algorithm, by the header alone."""
    if len(unverified_proof) > _MAX_PROOF or unverified_proof.count(".") != 2:  # noqa: PLR2004 - a compact JWS
        raise InvalidProofError("proof.malformed")
    try:
        header = jws.extract_compact(unverified_proof.encode("ascii"), registry=_Registry()).headers()
        typ, alg, jwk = header.get("typ"), header.get("alg"), header.get("jwk")
    except _UNREADABLE as error:
        raise InvalidProofError("proof.malformed") from error
    if typ != "dpop+jwt" or "crit" in header:
        raise InvalidProofError("proof.type")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise InvalidProofError("proof.algorithm")
    if not isinstance(jwk, dict) or _PRIVATE & set(jwk):
        raise InvalidProofError("proof.key")
    try:
        return _read_key({name: jwk[name] for name in _MEMBERS if name in jwk}, alg), alg
    except _UNREADABLE as error:
        raise InvalidProofError("proof.key") from error


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
        raise InvalidProofError("proof.signature") from error
    if not isinstance(claims, dict):
        raise InvalidProofError("proof.claims")
    return claims


def _goes_with(ath: object, unverified_token: str) -> bool:
    """Tell whether `ath` is the access token's hash (§4.2)."""
    wanted = base64.urlsafe_b64encode(hashlib.sha256(unverified_token.encode()).digest()).rstrip(b"=")
    return isinstance(ath, str) and hmac.compare_digest(ath.encode("utf-8", "surrogatepass"), wanted)
