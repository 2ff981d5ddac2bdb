"""Tokens that nobody here issued: forged, broken or enormous (RFC 7515, RFC 8725, RFC 8693 §2.2.2)."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from authserver.storage import keys
from tests.oauth.exchanging import AT, ID, JWT, refused, sign
from tests.world import World, claims, header

BAD = "invalid_request"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def part(value: object) -> str:
    return b64(json.dumps(value).encode())


def resigned(token: str, change: dict[str, Any], signature: bytes | None = None) -> str:
    """Change a token's header; without a signature of its own it keeps the genuine one."""
    _, payload, old = token.split(".")
    return f"{part({**header(token), **change})}.{payload}.{old if signature is None else b64(signature)}"


def by_another_key(token: str) -> str:
    stranger = ECKey.generate_key("P-256")
    return jwt.encode(header(token), claims(token), stranger, algorithms=["ES256"])


def with_embedded_key(token: str) -> str:
    stranger = ECKey.generate_key("P-256")
    head = {**header(token), "jwk": stranger.as_dict(private=False)}
    return jwt.encode(head, claims(token), stranger, algorithms=["ES256"])


def changed(token: str, **values: Any) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{part({**claims(token), **values})}.{signature}"


FORGED: dict[str, Callable[[str], str]] = {
    "alg none without a signature": lambda token: resigned(token, {"alg": "none"}, b""),
    "alg none with the signature": lambda token: resigned(token, {"alg": "none"}),
    "alg None in capitals": lambda token: resigned(token, {"alg": "NONE"}, b""),
    "another algorithm of the server": lambda token: resigned(token, {"alg": "RS256"}),
    "alg left out": lambda token: f"{part({'typ': 'at+jwt', 'kid': header(token)['kid']})}.{token.split('.', 1)[1]}",
    "alg is no string": lambda token: resigned(token, {"alg": ["ES256"]}),
    "signed by a stranger": by_another_key,
    "a stranger's key in the header": with_embedded_key,
    "a key to fetch": lambda token: resigned(token, {"jku": "https://other.example/jwks"}),
    "a critical extension": lambda token: resigned(token, {"crit": ["exp"]}),
    "an unencoded payload": lambda token: resigned(token, {"b64": False, "crit": ["b64"]}),
    "unknown kid": lambda token: resigned(token, {"kid": "A" * 43}),
    "kid as a path": lambda token: resigned(token, {"kid": "../../../../dev/null"}),
    "kid as SQL": lambda token: resigned(token, {"kid": "' OR '1'='1"}),
    "kid is no string": lambda token: resigned(token, {"kid": {"a": 1}}),
    "no kid": lambda token: f"{part({'typ': 'at+jwt', 'alg': 'ES256'})}.{token.split('.', 1)[1]}",
    "another typ": lambda token: resigned(token, {"typ": "logout+jwt"}),
    "an ID token's typ": lambda token: resigned(token, {"typ": "JWT"}),
    "header is a list": lambda token: f"{part([])}.{token.split('.', 1)[1]}",
    "header is null": lambda token: f"{part(None)}.{token.split('.', 1)[1]}",
    "header is a number": lambda token: f"{part(1)}.{token.split('.', 1)[1]}",
    "header is no JSON": lambda token: f"{b64(b'{')}.{token.split('.', 1)[1]}",
    "header is nested deeply": lambda token: f"{b64(b'[' * 5000)}.{token.split('.', 1)[1]}",
    "header is not UTF-8": lambda token: f"{b64(bytes([0xFF, 0xFE]))}.{token.split('.', 1)[1]}",
    "sub changed": lambda token: changed(token, sub="usr_" + "0" * 32),
    "scope changed": lambda token: changed(token, scope="impersonate impersonations:approve"),
    "exp changed": lambda token: changed(token, exp=9_999_999_999),
    "payload empty": lambda token: f"{token.split('.')[0]}..{token.split('.')[2]}",
    "signature cut": lambda token: token[:-4],
    "signature left out": lambda token: token.rsplit(".", 1)[0] + ".",
    "truncated": lambda token: token[: len(token) // 2],
    "two parts": lambda token: token.rsplit(".", 1)[0],
    "four parts": lambda token: token + ".e30",
    "five parts, as if encrypted": lambda token: token + ".e30.e30",
    "JSON serialization": lambda token: json.dumps(
        dict(zip(("protected", "payload", "signature"), token.split("."), strict=True))
    ),
    "white space before": lambda token: " " + token,
    "a line break after": lambda token: token + "\n",
    "padding": lambda token: token + "==",
    "garbage": lambda _: "garbage",
    "dots": lambda _: "..",
    "one character": lambda _: "x",
    "not ASCII": lambda token: token[:-1] + "é",
    "an emoji": lambda _: "🔑.🔑.🔑",
    "right-to-left mark": lambda token: token + "\u200f",
    "control characters": lambda token: token + "\x01\x7f",
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_or_broken_token_is_invalid_request_in_every_way(world: World, name: str) -> None:
    """RFC 8693 §2.2.2: neither `invalid_grant` nor another grant's answer; nothing leaves the server."""
    handle, before = world.start().json["handle"], len(world.events("token:issued"))
    agent, customer = FORGED[name](world.token("agent")), FORGED[name](world.token("customer"))
    answers = [
        world.way_a(actor_token=agent),
        world.way_a(actor_token=agent, actor_token_type=JWT),
        world.way_b(subject_token=agent),
        world.way_c(handle, actor_token=agent),
        world.way_d(customer),
        world.way_d(actor_token=agent, actor_token_type=AT),
    ]
    reasons = {event["reason"] for event in world.events("request:refused")[-len(answers) :]}
    assert reasons <= {"token.not_genuine", "token.key", "token.header", "token.wrong_type"}, reasons
    for answer in answers:
        assert (answer.status_code, answer.json["error"]) == (400, BAD), answer.text
        assert answer.json == answers[0].json
    assert len(world.events("token:issued")) == before


@pytest.mark.parametrize("kind", [AT, ID])
def test_public_key_is_no_shared_secret(world: World, kind: str) -> None:
    """RFC 8725 §2.1: the algorithm belongs to the key, not to the token's header."""
    token = world.token("agent") if kind == AT else world.id_token("agent")
    kid = header(token)["kid"]
    with world.work() as work:
        stored = keys.find(work.session, kid)
        found = world.wired.keyring.verification_key(work.session, kid)
    assert stored is not None
    assert found is not None
    secrets = (
        json.dumps(stored.public_jwk).encode(),
        found[1].as_pem(private=False),
        found[1].as_der(private=False),
        kid.encode(),
    )
    for secret, alg in itertools.product(secrets, ("HS256", "HS384", "HS512")):
        signed = f"{part({**header(token), 'alg': alg})}.{token.split('.')[1]}"
        mac = hmac.new(secret, signed.encode(), getattr(hashlib, alg.replace("HS", "sha"))).digest()
        answer = world.way_a(actor_token=f"{signed}.{b64(mac)}", actor_token_type=kind)
        refused(world, answer, BAD, "token.not_genuine")
    assert world.way_a(actor_token=token, actor_token_type=kind).status_code == 200


@pytest.mark.parametrize("size", [16_385, 20_000])
def test_oversized_token_is_an_error_and_never_another_grant(world: World, size: int) -> None:
    """CVE-2026-9704; it is refused unread."""
    for text in ("a" * size, world.token("agent") + "a" * size, f"{part({'a': 'b' * size})}.e30.AA"):
        refused(world, world.way_a(actor_token=text), BAD, "token.oversized")
        refused(world, world.way_b(subject_token=text), BAD, "token.oversized")
        refused(world, world.way_d(text), BAD, "token.oversized")
    refused(world, world.way_c("h" * size), BAD, "handle.unknown_or_not_the_clients")
    refused(world, world.way_a(subject_token="u" * size), "access_denied", "target.unknown")


def test_token_that_another_key_signed_than_the_one_on_record_is_no_evidence(world: World) -> None:
    minted = sign(world)
    with world.work() as work:
        work.lock()
        world.wired.issuer.register(work, replace(minted, kid=header(world.id_token("agent"))["kid"]))
    refused(world, world.way_a(actor_token=minted.token), BAD, "token.mismatch")


def test_token_of_a_key_that_is_gone_is_no_evidence(world: World) -> None:
    assert world.way_a().status_code == 200
    with world.work() as work:
        world.wired.keyring.revoke(work, header(world.token("agent"))["kid"])
    refused(world, world.way_a(), BAD, "token.key")


@pytest.mark.parametrize(
    "text", ["usr_", "usr_<script>alert(1)</script>", "usr_" + "a" * 20_000, "usr_é", "eyJ.e30.AA"]
)
def test_target_that_is_no_user_id_never_stands_in_the_trail(world: World, text: str) -> None:
    """Design section 5: hostile text stays out; what was asked for is kept where it can be an id of ours."""
    event = refused(world, world.way_a(subject_token=text), "access_denied", "target.unknown")
    assert event["target"] is None
    assert refused(world, world.way_a(target="lead"), "access_denied", "policy.denied")["target"] == world.id("lead")
    unknown = "usr_" + "0" * 32
    assert refused(world, world.way_a(target=unknown), "access_denied", "target.unknown")["target"] == unknown
