"""The members of a small request, as JSON or as a form, parsed once: what is unknown or repeated is refused."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

from flask import Request

from authserver.protocol.refusals import InvalidRequest

_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_MAX_CHARS = 2048
_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Fields:
    """Values by name; an empty one counts as left out, but for a list, which is then an empty list."""

    values: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, request: Request, *, single: Collection[str], lists: Collection[str] = ()) -> Self:
        """Read the body. Raises InvalidRequest; `single` and `lists` are all that it may hold."""
        if request.mimetype == _FORM:
            given = {name: tuple(values) for name, values in request.form.lists()}
        elif request.mimetype == _JSON:
            given = _of_json(request)
        else:
            raise InvalidRequest("fields.content_type", "The request body must be JSON or a form.")
        for name, values in given.items():
            if name not in single and name not in lists:
                raise InvalidRequest("fields.unknown", "The request has a member that is not known here.")
            if name in single and len(values) != 1:
                raise InvalidRequest("fields.repeated", "A member is repeated.")
            if any(len(value) > _MAX_CHARS or "\0" in value for value in values):
                raise InvalidRequest("fields.value", "A member is too long, or holds what is not allowed.")
        return cls({name: tuple(value for value in values if value) for name, values in given.items()})

    def get(self, name: str) -> str | None:
        """Return a single value."""
        values = self.values.get(name, ())
        return values[0] if values else None

    def all(self, name: str) -> tuple[str, ...] | None:
        """Return the values of a list; None when it was left out."""
        return self.values.get(name)

    def seconds(self, name: str) -> int | None:
        """Return a positive number of seconds. Raises InvalidRequest."""
        text = self.get(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text) > 0):
            raise InvalidRequest(f"fields.{name}", "A number of seconds is not one.")
        return int(text)


def _of_json(request: Request) -> dict[str, tuple[str, ...]]:
    try:
        body = request.get_json(silent=True)
    except RecursionError as error:
        raise InvalidRequest("fields.nested") from error
    if not isinstance(body, dict):
        raise InvalidRequest("fields.malformed", "The request body is not a JSON object.")
    return {str(name): _texts(value) for name, value in body.items() if value is not None}


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, bool) or not isinstance(item, str | int) for item in items):
        raise InvalidRequest("fields.value", "A member is too long, or holds what is not allowed.")
    return tuple(str(item) for item in items)
