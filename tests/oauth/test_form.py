"""A form is read once, strictly (RFC 6749 §3.1, §3.2 and appendix B)."""

from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authserver.oauth.form import Form
from authserver.protocol.names import GRANT_CLIENT_CREDENTIALS, GRANT_TOKEN_EXCHANGE, TYPE_ACCESS_TOKEN
from authserver.protocol.refusals import InvalidRequest
from tests.web.sending import FORM, OAUTH, send, well_formed
from tests.world import API, ISSUER, PAYMENTS, World, claims, error

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
PAIRS = st.lists(st.tuples(NAMES | st.sampled_from(["resource", "audience", "scope"]), NAMES), max_size=12)


@given(st.binary(max_size=400))
@example(b"\xff=\xfe")
@example(b"%00=a")
@example(b"a=%ff")
@example(b"&")
@example(b"=")
@example(b"&".join([b"a=a"] * 200))
def test_any_bytes_are_a_form_or_an_invalid_request(body: bytes) -> None:
    try:
        form = Form.parse(body)
    except InvalidRequest:
        return
    values = [*form.single.values(), *(value for values in form.several.values() for value in values)]
    assert all(value and "\0" not in value for value in values)
    assert not {"resource", "audience"} & form.single.keys()
    assert set(form.several) <= {"resource", "audience"}


@given(PAIRS)
def test_what_a_client_encodes_is_what_is_read(pairs: list[tuple[str, str]]) -> None:
    single = [(name, value) for name, value in pairs if name not in {"resource", "audience"}]
    body = urlencode(pairs).encode()
    if len({name for name, _ in single}) < len(single):
        with pytest.raises(InvalidRequest):
            Form.parse(body)
        return
    form = Form.parse(body)
    assert dict(form.single) == {name: value for name, value in single if value}
    for name in ("resource", "audience"):
        assert form.all(name) == tuple(value for key, value in pairs if key == name and value)
        assert form.get(name) is None


@given(PAIRS.filter(bool))
def test_form_agrees_with_the_standard_library(pairs: list[tuple[str, str]]) -> None:
    """No other reading of the same bytes gives a parameter another value."""
    body = urlencode(pairs).encode()
    try:
        form = Form.parse(body)
    except InvalidRequest:
        return
    other = parse_qs(body.decode())
    assert {name: [value] for name, value in form.single.items()} == {
        name: values for name, values in other.items() if name not in {"resource", "audience"}
    }


def test_form_cannot_be_changed_below() -> None:
    form = Form.parse(b"a=b&resource=c")
    with pytest.raises(TypeError):
        form.single["a"] = "x"  # type: ignore[index]
    with pytest.raises(TypeError):
        form.several["resource"] = ()  # type: ignore[index]


def test_plus_is_a_space_and_a_percent_is_decoded_once() -> None:
    assert dict(Form.parse(b"scope=a+b%2Bc%2520d&%6eame=x").single) == {"scope": "a b+c%20d", "name": "x"}


BAD_BODIES = (
    b"grant_type",  # no value
    b"grant_type=client_credentials&",
    b"grant_type=client_credentials&&scope=accounts:read",
    b"grant_type=client_credentials&grant_type=client_credentials",
    b"grant_type=client_credentials&scope=accounts:read&scope=cards:write",
    b"grant_type=client_credentials&scope=&scope=accounts:read",
    b"grant_type=client_credentials&gr%61nt_type=password",
    b"grant_type=client_credentials&unknown=1&unknown=2",
    b"grant_type=client_credentials&scope=accounts:read%00",
    b"grant_type=client_credentials&%00=1",
    b"grant_type=client_credentials&resource=%00",
    b"grant_type=client_credentials&scope=%ff%fe",
    b"grant_type=client_credentials&scope=%ed%a0%80",  # half of a pair of surrogates
    b"grant_type=client_credentials&scope=\xff\xfe",
    "grant_type=client_credentials&scope=é".encode(),
    b"\0",
    b"&".join(b"p%d=1" % number for number in range(101)),
    b'{"grant_type": "client_credentials"}',
    b"<form/>",
)


def test_body_that_is_no_form_is_an_invalid_request(world: World) -> None:
    """At every endpoint, and before client authentication."""
    for path in OAUTH:
        for body in BAD_BODIES:
            for client in ("backend", None):
                answer = send(world, path, body, client=client)
                assert (error(answer), answer.status_code) == ("invalid_request", 400), body
                well_formed(answer, path)


def test_other_media_types_are_refused(world: World) -> None:
    body = urlencode({"grant_type": GRANT_CLIENT_CREDENTIALS, "token": "unknown"}).encode()
    for path in OAUTH:
        for kind in (None, "", "application/json", "text/plain", "multipart/form-data; boundary=x", f"{FORM}2", "\xff"):
            answer = send(world, path, body, content_type=kind)
            assert (error(answer), answer.status_code) == ("invalid_request", 400)
        for kind in (FORM, FORM.upper(), f"{FORM}; charset=UTF-8", f"{FORM};charset=utf-8;x=y"):
            assert send(world, path, body, content_type=kind).status_code == 200


def test_multipart_form_is_none(world: World) -> None:
    data = {"grant_type": GRANT_CLIENT_CREDENTIALS}
    answer = world.http.post(
        "/oauth/token", data=data, content_type="multipart/form-data", headers=world.basic(), base_url=ISSUER
    )
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_query_string_parameters_do_not_count(world: World) -> None:
    """RFC 6749 §3.2, §2.3.1: neither the grant nor credentials nor a token are taken from the URI."""
    secret = world.credentials["clients"]["backend"]["client_secret"]
    good = {"grant_type": GRANT_CLIENT_CREDENTIALS, "token": "unknown"}
    credentials = {"client_id": "backend", "client_secret": secret}
    for path in OAUTH:
        assert error(send(world, path, query_string=good)) == "invalid_request"
        answer = send(world, path, urlencode(good).encode(), client=None, query_string=credentials)
        assert (error(answer), answer.status_code) == ("invalid_client", 401)


def test_query_string_neither_widens_nor_repeats(world: World) -> None:
    body = urlencode({"grant_type": GRANT_CLIENT_CREDENTIALS, "scope": "accounts:read"}).encode()
    query = {"scope": "payments:read", "resource": PAYMENTS, "grant_type": "password"}
    answer = send(world, "/oauth/token", body, query_string=query)
    assert answer.status_code == 200
    assert answer.json["scope"] == "accounts:read"
    assert claims(answer.json["access_token"])["aud"] == API


def test_repeated_parameter_is_refused_in_an_exchange(world: World) -> None:
    """RFC 8693 §2.1: only `resource` and `audience` may stand more than once."""
    form = {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": world.token("customer"),
        "subject_token_type": TYPE_ACCESS_TOKEN,
        "resource": API,
    }
    assert world.post("/oauth/token", form).status_code == 200
    for name, value in form.items():
        answer = world.post("/oauth/token", [*form.items(), (name, value)])
        if name == "resource":
            assert answer.status_code == 200
        else:
            assert (error(answer), answer.status_code) == ("invalid_request", 400)
