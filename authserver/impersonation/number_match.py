"""The number that the agent reads out, among those that the customer picks from.

Nothing is stored: both follow from the impersonation's id under the server's pepper.
"""

from authserver.storage.impersonations import Record
from authserver.tokens.secret_hashes import SecretHasher, SecretKind

_CHOICES = 3
_FIRST, _NUMBERS = 10, 90


def number(hasher: SecretHasher, record: Record) -> int:
    """Return the right number, of two digits; for the actor's eyes alone."""
    return _numbers(hasher, record)[0]


def choices(hasher: SecretHasher, record: Record) -> tuple[int, ...]:
    """Return the numbers to pick from, in ascending order."""
    return tuple(sorted(_numbers(hasher, record)))


def _numbers(hasher: SecretHasher, record: Record) -> list[int]:
    """Return distinct numbers of two digits, the right one first; a changed digest asks with other numbers."""
    stream = bytes.fromhex(hasher.hash(SecretKind.NUMBER_MATCH, f"{record.id}.{record.digest}"))
    found: list[int] = []
    for at in range(0, len(stream), 2):
        candidate = _FIRST + int.from_bytes(stream[at : at + 2]) % _NUMBERS
        if candidate not in found:
            found.append(candidate)
    return found[:_CHOICES]
