"""What `authserver doctor` finds."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `mend` says what to do where it is not as it should be."""

    level: Literal["ok", "note", "WRONG"]
    what: str
    mend: str = ""


def ok(what: str) -> Finding:
    """Return what is as it should be."""
    return Finding("ok", what)


def note(what: str, mend: str = "") -> Finding:
    """Return what works, and may not be what is wanted."""
    return Finding("note", what, mend)


def wrong(what: str, mend: str) -> Finding:
    """Return what does not work, or is not safe."""
    return Finding("WRONG", what, mend)
