"""Why a change of what is registered is refused: fixed words for each field, the same on the command line and the API.

Every one of them is raised before the first write: a refusal's evidence is committed.
"""

from dataclasses import dataclass

from authserver.protocol.refusals import Conflict, InvalidRequest, NotFound


@dataclass(frozen=True, slots=True)
class Wrong:
    """One field and what is wrong with it. `value` is what was given: for who typed it at a terminal, never sent."""

    field: str
    words: str
    value: str = ""


class Unfit(InvalidRequest):
    """Fields that cannot be taken; `extra["errors"]` names each with its words."""

    words = "What was given does not fit: see errors."

    def __init__(self, reason: str, *wrongs: Wrong) -> None:
        """Refuse because of `wrongs`."""
        super().__init__(reason, extra={"errors": named(wrongs)})
        self.wrongs = wrongs


class Taken(Conflict):
    """There is one of that name already, or the field cannot be changed as things stand."""

    words = "This is taken already: see errors."

    def __init__(self, reason: str, wrong: Wrong) -> None:
        """Refuse because of `wrong`."""
        super().__init__(reason, extra={"errors": named([wrong])})
        self.wrongs = (wrong,)


class OfOneself(Conflict):
    """An admin's own rights, and what they are working with, are changed by another admin."""

    words = "Nobody changes this about themselves: another admin does."


class Unknown(NotFound):
    """Nothing of that name is registered."""


def named(wrongs: "tuple[Wrong, ...] | list[Wrong]") -> list[dict[str, str]]:
    """Return what may be told of them."""
    return [{"field": wrong.field, "problem": wrong.words} for wrong in wrongs]
