"""The scope algebra: what is granted is never wider than any bound (design section 3)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from authserver.protocol.scopes import Ceiling, Scope, cut, join_scope, parse_scope
from tests.world import World

NAMES = tuple("abcdef")
names = st.frozensets(st.sampled_from(NAMES))
scopes = st.builds(
    Scope,
    name=st.sampled_from(NAMES),
    resource=st.sampled_from(["https://one.example", "https://two.example"]),
    access=st.sampled_from(["read", "write"]),
    non_delegable=st.booleans(),
)
asked_lists = st.lists(scopes, unique_by=lambda scope: scope.name)
ceilings = st.builds(Ceiling, client=names, target=names, subject_token=st.none() | names, read_only=st.booleans())
scope_tokens = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1)


@given(asked_lists, ceilings)
def test_grant_is_never_wider_than_any_bound(asked: list[Scope], ceiling: Ceiling) -> None:
    granted = set(cut(asked, ceiling))
    assert granted <= {scope.name for scope in asked}
    assert granted <= ceiling.client
    assert granted <= ceiling.target
    assert ceiling.subject_token is None or granted <= ceiling.subject_token


@given(asked_lists, ceilings)
def test_non_delegable_scope_is_never_granted(asked: list[Scope], ceiling: Ceiling) -> None:
    granted = set(cut(asked, ceiling))
    assert not [scope for scope in asked if scope.non_delegable and scope.name in granted]


@given(asked_lists, ceilings)
def test_read_only_grants_no_write(asked: list[Scope], ceiling: Ceiling) -> None:
    granted = set(cut(asked, replace(ceiling, read_only=True)))
    assert all(scope.access == "read" for scope in asked if scope.name in granted)


@given(asked_lists, ceilings)
def test_nothing_is_cut_without_a_bound_that_cuts_it(asked: list[Scope], ceiling: Ceiling) -> None:
    granted = set(cut(asked, ceiling))
    for scope in asked:
        bounds = (
            scope.non_delegable,
            scope.name not in ceiling.client,
            scope.name not in ceiling.target,
            ceiling.subject_token is not None and scope.name not in ceiling.subject_token,
            ceiling.read_only and scope.access == "write",
        )
        assert (scope.name in granted) is not any(bounds)


@given(st.permutations(list(NAMES)), ceilings)
def test_order_asked_is_the_order_granted(order: list[str], ceiling: Ceiling) -> None:
    asked = [Scope(name, "https://one.example", "read") for name in order]
    granted = cut(asked, ceiling)
    assert list(granted) == [name for name in order if name in granted]


@given(asked_lists, ceilings, names, st.data())
def test_tighter_bound_never_grants_more(
    asked: list[Scope], ceiling: Ceiling, kept: frozenset[str], data: st.DataObject
) -> None:
    which = data.draw(st.sampled_from(["client", "target", "subject_token"]))
    before = getattr(ceiling, which)
    changes: dict[str, Any] = {which: kept if before is None else before & kept}
    tighter = replace(ceiling, **changes)
    assert set(cut(asked, tighter)) <= set(cut(asked, ceiling))
    assert set(cut(asked, replace(ceiling, read_only=True))) <= set(cut(asked, ceiling))


@given(asked_lists, ceilings)
def test_cutting_again_changes_nothing(asked: list[Scope], ceiling: Ceiling) -> None:
    """A delegated token delegated again under the same bounds keeps its scope, and its own scope is a bound."""
    once = cut(asked, ceiling)
    again = cut([scope for scope in asked if scope.name in once], replace(ceiling, subject_token=frozenset(once)))
    assert again == once


@given(st.lists(scope_tokens, max_size=8))
def test_scope_reads_back_as_it_was_written(tokens: list[str]) -> None:
    """RFC 6749 §3.3: distinct tokens, in their order."""
    assert parse_scope(join_scope(tokens)) == tuple(dict.fromkeys(tokens))


@given(st.text(max_size=30))
def test_any_text_is_a_scope_or_a_value_error(text: str) -> None:
    try:
        tokens = parse_scope(text)
    except ValueError:
        return
    assert set(" ".join(tokens)) <= {" ", *map(chr, range(0x21, 0x7F))} - {'"', "\\"}
    assert parse_scope(join_scope(tokens)) == tokens


@given(scope_tokens, st.sampled_from(['"', "\\", "\t", "\n", "\r", "\0", "\x7f", "é", "\u00a0", "\u2028", "\ud800"]))
def test_foreign_character_spoils_a_scope(token: str, foreign: str) -> None:
    assume(token)
    for text in (token + foreign, foreign + token, f"good {token}{foreign}"):
        with pytest.raises(ValueError, match="not a scope"):
            parse_scope(text)


ASKED = "payments:read drafts:write payments:execute accounts:read cards:write contacts:write"


@pytest.mark.parametrize(
    ("actor", "mode", "granted"),
    [
        ("agent", "read_only", "payments:read accounts:read"),
        ("lead", "read_only", "payments:read accounts:read"),
        ("lead", "full", "payments:read drafts:write accounts:read cards:write"),
    ],
)
def test_exchange_grants_what_the_algebra_says(world: World, actor: str, mode: str, granted: str) -> None:
    """The same through HTTP: order as asked, writes by the mode, `non_delegable` never."""
    resources = {"resource": "https://api.example.com", "audience": "https://payments.example.com"}
    answer = world.way_a(actor, mode=mode, scope=ASKED, **resources)
    assert answer.status_code == 200, answer.text
    assert answer.json["scope"] == granted
    alone = world.way_a(actor, mode=mode, scope="contacts:write")
    assert alone.json["error"] == "invalid_scope"
