"""The words that a customer is shown when they are asked; what was shown is recorded with its version and hash."""

import hashlib
from dataclasses import dataclass

from authserver.storage.impersonations import Record

VERSION = "request/1"
STANDING_VERSION = "standing/1"
LANGUAGE = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Sentences for a customer, and what they are called."""

    sentences: tuple[str, ...]
    version: str
    language: str = LANGUAGE

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over the sentences, a line each, in UTF-8."""
        return hashlib.sha256("\n".join(self.sentences).encode("utf-8", "surrogatepass")).hexdigest()


def of_request(record: Record, *, actor: str, client: str, scopes: tuple[str, ...], lifetime: int) -> Words:
    """Say who asks for what, why, and for how long; `actor`, `client` and `scopes` are names for people."""
    may = "look, and change nothing" if record.mode == "read_only" else "look, and act for you"
    ticket = f" The ticket is {record.ticket_id}." if record.ticket_id else ""
    sentences = [
        f"{actor} asks to see your account as you see it, through {client}.",
        f"The reason given is: {record.reason}.{ticket}",
        f"They may {may}, for at most {duration(lifetime)}.",
        f"This covers: {', '.join(scopes)}.",
        "They can never make payments, or change your password, limits, addresses or consents.",
        "You can end it at any moment on your account page, and everything they do is recorded for you there.",
    ]
    return Words(sentences=tuple(sentences), version=VERSION)


def of_standing(lifetime: int) -> Words:
    """Say what a standing consent is; it lasts `lifetime` seconds."""
    sentences = (
        "Support staff may see your account as you see it whenever they have a reason that our rules allow.",
        f"You will not be asked each time. This lasts for {duration(lifetime)}, unless you take it back earlier.",
        "They can never make payments, or change your password, limits, addresses or consents.",
        "Taking it back ends at once whatever goes on because of it.",
    )
    return Words(sentences=sentences, version=STANDING_VERSION)


def duration(seconds: int) -> str:
    """Say a length of time in words, rounded up."""
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            count = -(-seconds // size)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
