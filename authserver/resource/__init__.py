"""For resource servers: verify authserver's tokens, understand `act` and `read_only`, report what was done.

It stands apart from the server: it runs in other processes, and imports nothing else of authserver.
"""

from authserver.resource.guard import current_token, not_while_impersonated, protect, report, require_token
from authserver.resource.proofs import PresentedProof
from authserver.resource.refusals import InvalidProofError, InvalidTokenError, UnavailableError
from authserver.resource.server import ResourceServer
from authserver.resource.tokens import Actor, Impersonation, VerifiedToken

__all__ = [
    "Actor",
    "Impersonation",
    "InvalidProofError",
    "InvalidTokenError",
    "PresentedProof",
    "ResourceServer",
    "UnavailableError",
    "VerifiedToken",
    "current_token",
    "not_while_impersonated",
    "protect",
    "report",
    "require_token",
]
