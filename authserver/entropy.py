"""The only source of randomness."""

import secrets
from typing import Protocol


class Entropy(Protocol):
    """What the server asks for random values."""

    def token(self) -> str:
        """Return 256 random bits, base64url without padding (43 characters)."""

    def identifier(self, prefix: str) -> str:
        """Return `prefix`, an underscore and 128 random bits in lower-case hexadecimal."""

    def salt(self) -> bytes:
        """Return 16 random bytes."""


class SystemEntropy:
    """The operating system's generator."""

    def token(self) -> str:
        """Return 256 random bits, base64url without padding."""
        return secrets.token_urlsafe(32)

    def identifier(self, prefix: str) -> str:
        """Return a prefixed 128-bit identifier."""
        return f"{prefix}_{secrets.token_hex(16)}"

    def salt(self) -> bytes:
        """Return 16 random bytes."""
        return secrets.token_bytes(16)
