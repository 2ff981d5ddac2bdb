"""Proofs of possession at our own endpoints (DPoP, RFC 9449): of whoever redeems a code, and of a bound token's holder.

A proof that is good is used up, durably, before anything else is done with it; one that is not loses nothing.
"""

import hmac
from typing import Literal
from urllib.parse import quote

from flask import request

from authserver.protocol.refusals import InvalidDpopProof, InvalidTokenProof
from authserver.storage import dpop
from authserver.storage.database import Work
from authserver.tokens.dpop import ProofVerifier, UntrustworthyProofError, VerifiedProof
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

HEADER = "DPoP"
_REQUIRED = "A DPoP proof is required."
_PATH = "/-._~!$&'()*+,;=:@"
"""What stands in a path as it is (RFC 3986 §3.3)."""


class Possession:
    """Reads the proof of the present request."""

    def __init__(self, issuer: str, verifier: ProofVerifier, hasher: SecretHasher) -> None:
        """Take proofs that are made for the addresses of `issuer`, whatever Host or proxy they came by."""
        self._issuer = issuer
        self._verifier = verifier
        self._hasher = hasher

    def of_sender(self, work: Work, wanted: Literal["required", "optional", "off"]) -> str | None:
        """Return the thumbprint of the key that what is given is bound to, None for a bearer (§5).

        Raises InvalidDpopProof. Where it is off the header is not looked at, as by any server that knows no DPoP.
        """
        if wanted == "off" or (wanted == "optional" and HEADER not in request.headers):
            return None
        try:
            return self._use(work, self._verified()).jkt
        except UntrustworthyProofError as error:
            words = _REQUIRED if error.reason == "dpop.missing" else None
            raise InvalidDpopProof(error.reason, words) from error

    def of_holder(self, work: Work, access_token: str, jkt: str) -> None:
        """Demand a proof, by the key that a token is bound to, for this token and request (§7.1)."""
        try:
            proof = self._verified(access_token)
            _check_key(proof, jkt)
            self._use(work, proof)
        except UntrustworthyProofError as error:
            raise InvalidTokenProof(error.reason) from error

    def _verified(self, access_token: str | None = None) -> VerifiedProof:
        header = request.headers.get(HEADER)
        if header is None:
            raise UntrustworthyProofError("dpop.missing")
        if "," in header:  # how a server joins what was sent twice
            raise UntrustworthyProofError("dpop.several")
        url = self._issuer + quote(request.path, safe=_PATH)
        return self._verifier.verify(header.strip(), request.method, url, access_token=access_token)

    def _use(self, work: Work, proof: VerifiedProof) -> VerifiedProof:
        """Use a proof up, durably, before anything else is done with it (§11.1)."""
        work.lock()
        proof_hash = self._hasher.hash(SecretKind.DPOP_PROOF, f"{proof.jkt}\0{proof.jti}")
        fresh = dpop.use(work.session, proof_hash, expires_at=proof.expires_at)
        work.commit()
        if not fresh:
            raise UntrustworthyProofError("dpop.replayed")
        return proof


def _check_key(proof: VerifiedProof, jkt: str) -> None:
    if not hmac.compare_digest(proof.jkt.encode(), jkt.encode()):
        raise UntrustworthyProofError("dpop.other_key")
