"""Codes that people read out and type: 60 random bits, in groups, in an alphabet without letters taken for digits."""

import base64

from authserver.entropy import Entropy

_CHARS, _GROUP = 12, 4
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: 5 bits a character, without I, L, O and U."""
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})


def new(entropy: Entropy) -> str:
    """Return a new code, such as `7K2M-9QXT-0B4D`."""
    bits = int.from_bytes(base64.urlsafe_b64decode(entropy.token() + "="))
    chars = "".join(_ALPHABET[bits >> 5 * place & 31] for place in range(_CHARS))
    return "-".join(chars[start : start + _GROUP] for start in range(0, _CHARS, _GROUP))


def read(text: str) -> str:
    """Return a code as it is hashed: case, spaces, dashes, and letters written for digits do not matter."""
    return "".join(char for char in text.upper() if char.isalnum()).translate(_READ_AS)
