"""The `act` and `may_act` claims (RFC 8693 §4.1, §4.4)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authserver.protocol.actors import Actor, MalformedClaimError, MayAct

actors = st.recursive(
    st.builds(Actor, st.text(), st.text()),
    lambda before: st.builds(Actor, st.text(), st.text(), before),
    max_leaves=6,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(["sub", "iss", "act", "exp", "aud", "x"]), children, max_size=4)
    ),
    max_leaves=12,
)


@given(actors)
def test_chain_reads_back_as_it_was_written(actor: Actor) -> None:
    assert Actor.parse(actor.claim()) == actor
    assert Actor.parse(actor.claim()).depth() == actor.depth()


@given(actors)
def test_claim_holds_sub_and_iss_and_the_actor_before_at_every_depth(actor: Actor) -> None:
    """RFC 8693 §4.1: claims such as `exp`, `nbf` and `aud` have no meaning in `act`."""
    claim: Any = actor.claim()
    depth = 0
    while claim is not None:
        assert {"sub", "iss"} <= claim.keys() <= {"sub", "iss", "act"}
        depth += 1
        claim = claim.get("act")
    assert depth == actor.depth()


@given(actors, st.text(), st.text())
def test_new_actor_stands_outermost(before: Actor, sub: str, iss: str) -> None:
    actor = Actor(sub, iss, before)
    assert actor.claim() == {"sub": sub, "iss": iss, "act": before.claim()}
    assert actor.depth() == before.depth() + 1


@given(json_values)
def test_any_value_is_a_chain_or_malformed(value: object) -> None:
    try:
        actor = Actor.parse(value)
    except MalformedClaimError:
        return
    assert isinstance(value, dict)
    assert actor.claim() == {name: each for name, each in value.items() if each is not None}


@given(json_values, st.text(max_size=3), st.text(max_size=3))
def test_may_act_names_its_actor_alone_or_is_malformed(value: object, sub: str, iss: str) -> None:
    try:
        may_act = MayAct.parse(value)
    except MalformedClaimError:
        return
    assert isinstance(value, dict)
    assert may_act.names(Actor(value["sub"], value["iss"]))
    assert may_act.names(Actor(sub, iss)) is ((sub, iss) == (value["sub"], value["iss"]))


@pytest.mark.parametrize(
    "claim",
    [
        None,
        "usr_1",
        ["usr_1"],
        {},
        {"sub": "usr_1"},
        {"iss": "https://a.example"},
        {"sub": 1, "iss": "https://a.example"},
        {"sub": "usr_1", "iss": None},
        {"sub": ["usr_1"], "iss": "https://a.example"},
    ],
)
def test_bare_string_and_half_an_object_are_malformed(claim: object) -> None:
    for kind in (Actor, MayAct):
        with pytest.raises(MalformedClaimError):
            kind.parse(claim)


@pytest.mark.parametrize("extra", [{"exp": 1}, {"aud": "x"}, {"act": "usr_2"}, {"act": {"sub": "usr_2"}}, {"act": []}])
def test_act_with_more_or_a_broken_chain_is_malformed(extra: dict[str, Any]) -> None:
    good = {"sub": "usr_1", "iss": "https://a.example"}
    assert Actor.parse(good) == Actor("usr_1", "https://a.example")
    with pytest.raises(MalformedClaimError):
        Actor.parse({**good, **extra})


def test_same_sub_at_another_issuer_is_another_actor() -> None:
    may_act = MayAct("backend", "https://a.example")
    assert may_act.names(Actor("backend", "https://a.example"))
    assert not may_act.names(Actor("backend", "https://b.example"))
    assert not may_act.names(Actor("other", "https://a.example", Actor("backend", "https://a.example")))
