"""Time and randomness: the only place in this package that takes them from the machine."""

import secrets
import time


def now() -> float:
    """Return seconds since the Unix epoch."""
    return time.time()


def identifier() -> str:
    """Return 128 random bits in lower-case hexadecimal."""
    return secrets.token_hex(16)
