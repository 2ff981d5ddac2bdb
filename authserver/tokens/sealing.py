"""Secrets that have to be read again: AES-256-GCM (NIST SP 800-38D) under keys derived from the pepper (RFC 5869)."""

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from authserver.entropy import Entropy

_VERSION = "1."
_KEY_BYTES = 32
_NONCE_BYTES = 12


class UnsealError(Exception):
    """What is stored was sealed under another pepper, for another owner, or altered; the text holds no secret."""


class Sealer:
    """Seals secrets, each purpose under a key of its own and each secret bound to its owner."""

    def __init__(self, pepper: bytes, entropy: Entropy) -> None:
        """Derive keys from `pepper`, 32 random bytes that never stand in the database."""
        self._pepper = pepper
        self._entropy = entropy

    def seal(self, purpose: str, owner: str, secret: bytes) -> str:
        """Return what may be stored: printable ASCII."""
        nonce = self._entropy.salt()[:_NONCE_BYTES]
        sealed = nonce + AESGCM(self._key(purpose)).encrypt(nonce, secret, owner.encode())
        return _VERSION + base64.urlsafe_b64encode(sealed).decode()

    def unseal(self, purpose: str, owner: str, sealed: str) -> bytes:
        """Return the secret; raise UnsealError unless it is just as it was sealed."""
        try:
            data = base64.b64decode(sealed.removeprefix(_VERSION), altchars=b"-_", validate=True)
            return AESGCM(self._key(purpose)).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], owner.encode())
        except (InvalidTag, ValueError, binascii.Error) as error:
            msg = f"a sealed {purpose} cannot be opened: is the pepper another one?"
            raise UnsealError(msg) from error

    def _key(self, purpose: str) -> bytes:
        derivation = HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"authserver sealing 1 {purpose}".encode())
        return derivation.derive(self._pepper)
