"""The exchange's parser under arbitrary input: a request that means one thing, or `invalid_request`, nothing else."""

import contextlib
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authserver.oauth.exchange_request import ExchangeRequest
from authserver.oauth.form import Form
from authserver.protocol.names import (
    TYPE_ACCESS_TOKEN,
    TYPE_ID_TOKEN,
    TYPE_IMPERSONATION,
    TYPE_JWT,
    TYPE_SUPPORT_CODE,
    TYPE_USER_ID,
    Mode,
    Way,
)
from authserver.protocol.refusals import InvalidRequest

MAX_REASON = 40
ALIASES = {"urn:example:user": TYPE_USER_ID, "urn:example:token": TYPE_ACCESS_TOKEN, TYPE_JWT: TYPE_ACCESS_TOKEN}
NAMING = {
    Way.USER_ID: TYPE_USER_ID,
    Way.IMPERSONATION: TYPE_IMPERSONATION,
    Way.SUPPORT_CODE: TYPE_SUPPORT_CODE,
}
TYPES = (TYPE_ACCESS_TOKEN, TYPE_ID_TOKEN, TYPE_JWT, *NAMING.values())
TOKENS = frozenset({TYPE_ACCESS_TOKEN, TYPE_ID_TOKEN, TYPE_JWT})

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
types = st.sampled_from([*TYPES, *ALIASES]) | text
numbers = st.integers(-(10**20), 10**20).map(str) | st.sampled_from(["٣", "1e3", "+5", "0x10", "5.0", " 5", "0", "²"])
parameters = st.fixed_dictionaries(
    {},
    optional={
        "subject_token": text,
        "subject_token_type": types,
        "actor_token": text,
        "actor_token_type": types,
        "requested_token_type": types,
        "requested_subject": text,
        "reason": text,
        "reason_code": text,
        "ticket_id": text,
        "mode": st.sampled_from([*Mode]) | text,
        "requested_expires_in": numbers | text,
        "override": st.just("break_glass") | text,
        "scope": text,
    },
)


def parse(form: Mapping[str, str], aliases: Mapping[str, str] = ALIASES) -> ExchangeRequest:
    return ExchangeRequest.parse(Form.parse(urlencode(form).encode()), aliases, MAX_REASON)


def outcome(form: Mapping[str, str], aliases: Mapping[str, str] = ALIASES) -> ExchangeRequest | InvalidRequest:
    try:
        return parse(form, aliases)
    except InvalidRequest as refusal:
        return refusal


@given(st.binary(max_size=300))
@example(b"subject_token=a&subject_token_type=%00")
def test_arbitrary_bytes_only_ever_raise_invalid_request(body: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        ExchangeRequest.parse(Form.parse(body), ALIASES, MAX_REASON)


@given(parameters)
def test_what_is_parsed_means_one_thing(form: dict[str, str]) -> None:
    """RFC 8693 §2.1 and design section 3: whatever comes out has one way, and nothing that contradicts it."""
    exchange = outcome(form)
    if isinstance(exchange, InvalidRequest):
        assert exchange.public.isascii()
        assert not any(value in exchange.public for value in form.values() if len(value) > 20)
        return
    subject_type = ALIASES.get(form["subject_token_type"], form["subject_token_type"])
    assert exchange.subject_token_type == subject_type
    assert exchange.unverified_subject_token == form["subject_token"] != ""
    assert (exchange.unverified_actor_token is None) == (exchange.actor_token_type is None)
    assert exchange.requested_token_type in TOKENS
    assert exchange.actor_token_type is None or exchange.actor_token_type in TOKENS
    assert exchange.reason is None or len(exchange.reason) <= MAX_REASON
    assert exchange.expires_in is None or exchange.expires_in > 0
    match exchange.way:
        case Way.USER_ID | Way.IMPERSONATION | Way.SUPPORT_CODE:
            assert subject_type == NAMING[exchange.way]
            assert exchange.unverified_actor_token is not None
            assert exchange.requested_subject is None
        case Way.OWN_TOKEN:
            assert subject_type in TOKENS
            assert exchange.requested_subject
            assert exchange.unverified_actor_token is None
        case Way.ON_BEHALF_OF:
            assert subject_type == TYPE_ACCESS_TOKEN
            assert exchange.requested_subject is None
            assert exchange.mode is None
            assert not exchange.break_glass


@given(parameters)
def test_tokens_are_not_shown(form: dict[str, str]) -> None:
    """What a request holds back of its secrets in a log it holds back whatever they look like."""
    form = {**form, "subject_token": "s3cret-subject", "subject_token_type": TYPE_USER_ID}
    form |= {"actor_token": "s3cret-actor", "actor_token_type": TYPE_ACCESS_TOKEN}
    parsed = outcome(form)
    assert "s3cret" not in f"{parsed!r} {getattr(parsed, 'public', '')}"


@given(parameters, st.sampled_from(sorted(ALIASES)))
def test_alias_means_what_it_stands_for(form: dict[str, str], alias: str) -> None:
    results = []
    for name in (alias, ALIASES[alias]):
        parsed = outcome({**form, "subject_token_type": name}, {alias: ALIASES[alias]})
        results.append(parsed.reason if isinstance(parsed, InvalidRequest) else parsed)
    assert results[0] == results[1]


GOOD = {"subject_token": "s", "subject_token_type": TYPE_ACCESS_TOKEN}


@pytest.mark.parametrize(
    ("form", "way"),
    [
        ({"subject_token_type": TYPE_USER_ID, "actor_token": "a", "actor_token_type": TYPE_ID_TOKEN}, Way.USER_ID),
        ({"requested_subject": "usr_1"}, Way.OWN_TOKEN),
        ({"subject_token_type": TYPE_ID_TOKEN, "requested_subject": "usr_1"}, Way.OWN_TOKEN),
        (
            {"subject_token_type": TYPE_IMPERSONATION, "actor_token": "a", "actor_token_type": TYPE_ACCESS_TOKEN},
            Way.IMPERSONATION,
        ),
        (
            {"subject_token_type": TYPE_SUPPORT_CODE, "actor_token": "a", "actor_token_type": TYPE_ACCESS_TOKEN},
            Way.SUPPORT_CODE,
        ),
        ({}, Way.ON_BEHALF_OF),
        ({"actor_token": "a", "actor_token_type": TYPE_ACCESS_TOKEN}, Way.ON_BEHALF_OF),
    ],
)
def test_type_and_parameters_choose_the_way(form: dict[str, str], way: Way) -> None:
    assert parse({**GOOD, **form}, {}).way is way


@pytest.mark.parametrize(
    "form",
    [
        {"subject_token": ""},
        {"subject_token_type": ""},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"subject_token_type": TYPE_ACCESS_TOKEN.upper()},
        {"subject_token_type": f"{TYPE_ACCESS_TOKEN} "},
        {"subject_token_type": "access_token"},
        {"subject_token_type": TYPE_USER_ID},  # without an actor
        {"subject_token_type": TYPE_IMPERSONATION},
        {"actor_token": "a"},
        {"actor_token_type": TYPE_ACCESS_TOKEN},
        {"actor_token": "a", "actor_token_type": ""},
        {"actor_token": "", "actor_token_type": TYPE_ACCESS_TOKEN},
        {"actor_token": "a", "actor_token_type": TYPE_USER_ID},
        {"actor_token": "a", "actor_token_type": TYPE_ACCESS_TOKEN, "requested_subject": "usr_1"},
        {"requested_token_type": TYPE_USER_ID},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"mode": "full"},  # has no meaning in way D
        {"override": "break_glass"},
        {"requested_subject": "usr_1", "mode": "write"},
        {"requested_subject": "usr_1", "override": "please"},
        {"requested_subject": "x" * 256},
        {"requested_subject": "usr_1", "reason": "x" * (MAX_REASON + 1)},
        {"requested_expires_in": "0"},
        {"requested_expires_in": "-1"},
        {"requested_expires_in": "1.5"},
        {"requested_expires_in": "٣"},
        {"requested_expires_in": "9" * 100},
    ],
)
def test_what_is_missing_contradictory_or_unknown_is_refused(form: dict[str, str]) -> None:
    assert parse(GOOD, {}).way is Way.ON_BEHALF_OF
    with pytest.raises(InvalidRequest):
        parse({**GOOD, **form}, {})
