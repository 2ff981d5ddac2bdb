"""The words that a customer is shown when they are asked; what was shown is recorded with its version and hash."""

from collections.abc import Sequence

from authserver.impersonation import reasons
from authserver.impersonation.words import Words
from authserver.storage.impersonations import Record

VERSION = "request/1"
WORDLESS_VERSION = "request/2"
"""Where who asks wrote no words of their own."""
STANDING_VERSION = "standing/1"
LANGUAGE = "en"


def _words(version: str, sentences: Sequence[str]) -> Words:
    return Words(version, LANGUAGE, "\n".join(one_line(sentence) for sentence in sentences))


def one_line(text: str) -> str:
    """Keep what people typed from making lines of its own, or from writing backwards."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _quoted(text: str) -> str:
    """Keep what somebody typed within its quotation marks."""
    return "".join("'" if char in '“”„‟«»"' else char for char in text)


def of_request(record: Record, *, actor: str, client: str, scopes: tuple[str, ...], lifetime: int) -> Words:
    """Say who asks for what, why, and for how long; `actor`, `client` and `scopes` are names for people."""
    may = "look, and change nothing" if record.mode == "read_only" else "look, and act for you"
    ticket = f" The ticket is {record.ticket_id}." if record.ticket_id else ""
    written = one_line(record.reason)
    given = f"“{_quoted(record.reason)}”" if written else reasons.chosen(record.reason_code)
    sentences = [
        f"{actor} asks to see your account as you see it, through {client}.",
        f"The reason given is: {given}.{ticket}",
        f"They may {may}, for at most {duration(lifetime)}.",
        f"This covers: {', '.join(scopes)}.",
        "They can never make payments, or change your password, limits, addresses or consents.",
        "You can end it at any moment on your account page, and everything they do is recorded for you there.",
    ]
    return _words(VERSION if written else WORDLESS_VERSION, sentences)


def of_standing() -> Words:
    """Say what a standing consent is."""
    sentences = (
        "Support staff may see your account as you see it whenever they have a reason that our rules allow.",
        "You will not be asked each time. This lasts for as long as you say here, unless you take it back earlier.",
        "They can never make payments, or change your password, limits, addresses or consents.",
        "Taking it back ends at once whatever goes on because of it.",
    )
    return _words(STANDING_VERSION, sentences)


def duration(seconds: int) -> str:
    """Say a length of time in words, rounded up."""
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            count = -(-seconds // size)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
