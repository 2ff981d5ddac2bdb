"""Canonical JSON: one value, one sequence of bytes (RFC 8785, without fractions)."""

import json
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

MAX_TEXT = 2_048
"""How many characters of a string the trail keeps; what is cut ends with an ellipsis."""
_MAX_INTEGER = 2**53 - 1
_AS_IT_IS = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_IN_ORDER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_UNSAFE = re.compile("[\x00\ud800-\udfff]")


def canonical(value: object) -> bytes:
    """Write JSON with sorted keys and no white space, in UTF-8 (RFC 8785 §3.2).

    Raises TypeError for a fraction or what JSON does not have, ValueError for what RFC 7493 forbids.
    """
    return (_IN_ORDER.encode(value) if _usual(value) else _AS_IT_IS.encode(_ordered(value))).encode()


def _usual(value: object) -> bool:
    """Tell whether everything is of JSON's own types and every key ASCII, which any way of sorting orders alike."""
    if isinstance(value, str) or value is None:
        return True
    if isinstance(value, dict):
        named = all([isinstance(key, str) and key.isascii() for key in value])  # noqa: C419 - twice as fast as one by one
        return named and all(map(_usual, value.values()))
    if isinstance(value, list):
        return all(map(_usual, value))
    return isinstance(value, int) and abs(value) <= _MAX_INTEGER


def _ordered(value: object) -> object:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        if abs(value) > _MAX_INTEGER:
            raise ValueError("an integer beyond 2^53 - 1 is not the same for every reader (RFC 7493 §2.2)")
        return value
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a key is not a string")
        return {key: _ordered(value[key]) for key in sorted(value, key=_utf16)}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    raise TypeError(f"the trail has no {type(value).__name__}")


def _utf16(key: str) -> bytes:
    """Keys are ordered by their UTF-16 code units (RFC 8785 §3.2.3)."""
    return key.encode("utf-16-be")


def plain(value: object) -> Any:  # noqa: ANN401 - JSON, whatever its shape
    """Make a value fit for the trail: JSON types alone, text capped, nothing that a database refuses."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return int(value) if abs(value) <= _MAX_INTEGER else text(str(value))
    if isinstance(value, Mapping):
        return {text(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((plain(item) for item in value), key=canonical)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [plain(item) for item in value]
    raise TypeError(f"the trail has no {type(value).__name__}")


def text(value: str, limit: int = MAX_TEXT) -> str:
    """Cap hostile text; NUL, which PostgreSQL cannot hold, and lone surrogates become U+FFFD."""
    cut = value if len(value) <= limit else value[: limit - 1] + "…"
    return _UNSAFE.sub("\ufffd", cut)
