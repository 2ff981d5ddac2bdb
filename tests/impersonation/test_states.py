"""The state machine and the digest, in themselves (design section 4)."""

from dataclasses import replace
from typing import Any

import pytest

from authserver.impersonation.digest import digest
from authserver.impersonation.states import SOURCES
from authserver.protocol.names import OPEN_STATES, PENDING_STATES, State
from authserver.storage.impersonations import Record

RECORD = Record(
    id="imp_1",
    state=State.AWAITING_CONSENT,
    digest="",
    actor_id="usr_1",
    actor_session_id="ses_1",
    subject_id="usr_2",
    client_id="backend",
    resources=("https://a.example", "https://b.example"),
    scopes=("a:read", "b:read"),
    asked_scopes=("a:read", "b:read"),
    mode="read_only",
    reason="a wrong balance",
    reason_code="customer_initiated_support",
    ticket_id="BANK-1",
    lifetime=3600,
    client_address="127.0.0.1",
    policies=(),
    created_ms=0,
    pending_until=300,
    activated_at=None,
    expires_at=None,
    ended_at=None,
    ended_by=None,
    end_reason=None,
)


def test_what_is_over_stays_over() -> None:
    over = set(State) - OPEN_STATES
    assert over == {State.ENDED, State.DENIED, State.EXPIRED, State.REVOKED}
    assert all(not sources & over for sources in SOURCES.values())


def test_only_what_waits_for_a_decision_comes_to_wait_for_its_notice() -> None:
    assert SOURCES[State.REQUESTED] == {State.AWAITING_APPROVAL, State.AWAITING_CONSENT}
    assert all(state not in sources for state, sources in SOURCES.items() if state is not State.ENDED)


def test_only_what_waits_becomes_active_or_is_denied_or_expires() -> None:
    assert SOURCES[State.ACTIVE] == SOURCES[State.DENIED] == SOURCES[State.EXPIRED] == PENDING_STATES
    assert SOURCES[State.REVOKED] == {State.ACTIVE}
    assert SOURCES[State.ENDED] == OPEN_STATES


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_reached(state: State) -> None:
    assert SOURCES[state]


@pytest.mark.parametrize(
    "change",
    [
        {"actor_id": "usr_3"},
        {"subject_id": "usr_3"},
        {"client_id": "other-backend"},
        {"resources": ("https://a.example",)},
        {"scopes": ("a:read",)},
        {"scopes": ("a:read b:read",)},
        {"mode": "full"},
        {"reason": "a wrong balance "},
        {"reason_code": "legal_request"},
        {"ticket_id": "BANK-2"},
        {"lifetime": 3599},
        {"reason": "customer_initiated_support", "reason_code": "a wrong balance"},
    ],
    ids=str,
)
def test_digest_is_another_when_anything_that_is_asked_changes(change: dict[str, Any]) -> None:
    assert digest(replace(RECORD, **change)) != digest(RECORD)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "imp_2"},
        {"state": State.ACTIVE},
        {"resources": ("https://b.example", "https://a.example")},
        {"scopes": ("b:read", "a:read")},
        {"activated_at": 5, "expires_at": 3605, "pending_until": None},
        {"policies": ("needs.consent",)},
    ],
    ids=str,
)
def test_digest_is_the_same_however_it_came_about(change: dict[str, Any]) -> None:
    assert digest(replace(RECORD, **change)) == digest(RECORD)
    assert len(digest(RECORD)) == 64


@pytest.mark.parametrize(
    ("change", "now", "overdue"),
    [
        ({}, 299, False),
        ({}, 300, True),
        ({"state": State.ACTIVE, "expires_at": 10}, 9, False),
        ({"state": State.ACTIVE, "expires_at": 10}, 10, True),
        ({"state": State.ENDED, "expires_at": 10}, 10, False),
        ({"state": State.DENIED}, 300, False),
    ],
    ids=str,
)
def test_clock_counts_only_for_what_is_open(change: dict[str, Any], now: int, overdue: bool) -> None:  # noqa: FBT001 - a table
    assert replace(RECORD, **change).overdue(now) is overdue
