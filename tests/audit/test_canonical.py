"""Canonical JSON: one value, one sequence of bytes (RFC 8785)."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authserver.audit import canonical as canonical_json
from authserver.audit.canonical import canonical, plain

if TYPE_CHECKING:
    from tests.audit.conftest import House
else:
    House = Any

INTEGERS = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_canonical_json_keeps_the_value(value: Any) -> None:
    assert json.loads(canonical(value)) == value


@given(st.dictionaries(st.text(), JSON))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@given(JSON)
def test_canonical_json_is_its_own_canonical_form(value: Any) -> None:
    assert canonical(json.loads(canonical(value))) == canonical(value)


@given(JSON, JSON)
def test_different_values_have_different_canonical_json(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (canonical(one) == canonical(other)) == same


def test_canonical_json_sorts_keys_as_rfc_8785_does() -> None:
    keys = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}
    assert list(json.loads(canonical(keys))) == ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.parametrize("value", [1.0, {"a": [0.5]}, {1: "a"}, b"a", ("a",), object()])
def test_canonical_json_refuses_what_is_not_its_own(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), "\ud800"])
def test_canonical_json_refuses_what_readers_would_read_differently(value: object) -> None:
    with pytest.raises(ValueError, match=r"integer|surrogates"):
        canonical(value)


@given(st.recursive(st.none() | st.integers() | st.text(st.characters(categories=None)), st.lists))
def test_everything_plain_is_canonical(value: Any) -> None:
    assert b"\\u0000" not in canonical(plain(value))


def test_text_of_the_trail_may_be_as_long_as_a_reason() -> None:
    assert canonical_json.text("x" * 2_048) == "x" * 2_048
    assert canonical_json.text("x" * 2_049) == "x" * 2_047 + "…"
