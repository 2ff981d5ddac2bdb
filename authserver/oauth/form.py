"""Reading a form once, strictly (RFC 6749 §3.2 and appendix B)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import parse_qsl

from flask import Request

from authserver.protocol.refusals import InvalidRequest

FORM_TYPE = "application/x-www-form-urlencoded"
_MAX_FIELDS = 100
_REPEATABLE = frozenset({"resource", "audience"})


@dataclass(frozen=True, slots=True)
class Form:
    """Single-valued parameters and the repeatable ones; a parameter without a value counts as omitted."""

    single: Mapping[str, str]
    several: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def read(cls, request: Request) -> "Form":
        """Read the body of a request; query parameters never count. Raises InvalidRequest."""
        if request.mimetype != FORM_TYPE:
            raise InvalidRequest("form.content_type", "The request body must be application/x-www-form-urlencoded.")
        return cls.parse(request.get_data(cache=True))

    @classmethod
    def parse(cls, body: bytes) -> "Form":
        """Parse a body. Raises InvalidRequest for what is no form, repeats a parameter or holds a NUL."""
        try:
            pairs = parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=bool(body),
                errors="strict",
                max_num_fields=_MAX_FIELDS,
            )
        except ValueError as error:
            raise InvalidRequest("form.malformed", "The request body is not a well-formed form.") from error
        if any("\0" in name or "\0" in value for name, value in pairs):
            raise InvalidRequest("form.nul", "A parameter contains a character that is not allowed.")
        single: dict[str, str] = {}
        several: dict[str, list[str]] = {}
        seen: set[str] = set()
        for name, value in pairs:
            if name in _REPEATABLE:
                several.setdefault(name, []).append(value)
                continue
            if name in seen:
                raise InvalidRequest("form.repeated", "A parameter is repeated.")
            seen.add(name)
            single[name] = value
        return cls(
            MappingProxyType({name: value for name, value in single.items() if value}),
            MappingProxyType({name: tuple(v for v in values if v) for name, values in several.items()}),
        )

    def get(self, name: str) -> str | None:
        """Return a single-valued parameter."""
        return self.single.get(name)

    def require(self, name: str) -> str:
        """Return a parameter that must be there. Raises InvalidRequest."""
        value = self.single.get(name)
        if value is None:
            raise InvalidRequest(f"form.missing:{name}", f"{name} is required.")
        return value

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a repeatable parameter."""
        return self.several.get(name, ())
