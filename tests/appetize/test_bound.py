"""Codes whose tokens are bound to the device's key (DPoP, RFC 9449): redeemed, renewed, and refused."""

from functools import partial
from typing import Any

import pytest

from tests.appetize.handing_off import BOTH, BY_CODE, SECTIONS, configured, fresh_code, hand_off, new_code
from tests.conftest import MakeWorld
from tests.journeys.at_once import at_once, prove, statuses
from tests.proving import Holder
from tests.signing_in import stranger_reasons
from tests.world import API, ISSUER, PAYMENTS, Answer, World, claims
from tests.world import error as oauth_error

REDEEM, RENEW = f"{ISSUER}/appetize/redeem", f"{ISSUER}/appetize/renew"
BOUND = {
    **SECTIONS,
    "appetize.apps.bound": {**BY_CODE, "dpop": "required"},
    "appetize.apps.maybe": {**BY_CODE, "dpop": "optional"},
}
PHONE = Holder()


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    return make_sqlite_world(**BOUND)


def redeem(world: World, code: str, proof: str | None) -> Answer:
    headers = {} if proof is None else {"DPoP": proof}
    return world.api("POST", "/appetize/redeem", json={"code": code}, headers=headers)


def error(answer: Answer) -> str:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return str(answer.json["error"])


def proof(world: World, url: str = REDEEM, holder: Holder = PHONE, **more: Any) -> str:
    return holder.proof(url, world.clock.now(), **more)


def bound(world: World, app: str = "bound", holder: Holder = PHONE, **start: Any) -> str:
    """Return a token that is bound to a key."""
    answer = redeem(world, new_code(world, app=app, **start)[0], proof(world, holder=holder))
    assert answer.status_code == 200, answer.text
    return str(answer.json["access_token"])


def send(
    world: World,
    token: str,
    shown: str | None = None,
    *,
    path: str = "/appetize/renew",
    scheme: str = "DPoP",
    **more: Any,
) -> Answer:
    """Send a token with a proof, by default a good one for where it goes."""
    made = proof(world, f"{ISSUER}{path}", token=token) if shown is None else shown
    headers = {"Authorization": f"{scheme} {token}", **({"DPoP": made} if made else {})}
    return world.api("POST", path, headers=headers, **more)


# --- redeemed


@pytest.mark.parametrize("app", ["bound", "maybe"])
def test_code_with_a_proof_gives_tokens_bound_to_its_key(world: World, app: str) -> None:
    code, handoff = new_code(world, app=app, resource=BOTH)
    body = redeem(world, code, proof(world)).json
    assert body["token_type"] == "DPoP"
    for each in body["tokens"]:
        assert claims(each["access_token"])["cnf"] == {"jkt": PHONE.jkt}
    shown = world.introspect(body["access_token"])
    assert (shown["active"], shown["token_type"], shown["cnf"]) == (True, "DPoP", {"jkt": PHONE.jkt})
    [redeemed] = world.events("handoff-code:redeemed", handoff["impersonation_id"])
    issued = [event for event in world.events("token:issued") if event["way"] == "redeem"]
    assert {event["jkt"] for event in [redeemed, *issued]} == {PHONE.jkt}


@pytest.mark.parametrize("app", ["maybe", "by-code"])
def test_code_without_a_proof_gives_bearer_tokens_where_none_is_required(world: World, app: str) -> None:
    code, handoff = new_code(world, app=app)
    body = redeem(world, code, None).json
    assert (body["token_type"], "cnf" in claims(body["access_token"])) == ("Bearer", False)
    assert world.introspect(body["access_token"])["token_type"] == "Bearer"
    [redeemed] = world.events("handoff-code:redeemed", handoff["impersonation_id"])
    assert redeemed["jkt"] is None


def test_proof_is_not_looked_at_where_it_is_off(world: World) -> None:
    assert redeem(world, new_code(world)[0], "whatever").json["token_type"] == "Bearer"


def test_required_proof_that_is_missing_costs_no_code(world: World) -> None:
    code, handoff = new_code(world, app="bound")
    refused = redeem(world, code, None)
    assert (refused.status_code, error(refused)) == (400, "invalid_dpop_proof")
    [*_, event] = world.events("request:refused", handoff["impersonation_id"])
    assert (event["endpoint"], event["error"], event["reason"]) == (
        "appetize.redeem",
        "invalid_dpop_proof",
        "dpop.missing",
    )
    assert redeem(world, code, proof(world)).status_code == 200


@pytest.mark.parametrize("app", ["bound", "maybe"])
def test_bad_proof_costs_no_code(world: World, app: str) -> None:
    code, handoff = new_code(world, app=app)
    good = proof(world)
    bad = {
        "dpop.malformed": "",
        "dpop.several": f"{good},{good}",
        "dpop.type": proof(world, header={"typ": "JWT"}),
        "dpop.algorithm": proof(world, header={"alg": "none"}),
        "dpop.key": proof(world, header={"jwk": PHONE.key.as_dict(private=True)}),
        "dpop.signature": proof(world, header={"jwk": Holder().public}),
        "dpop.htm": proof(world, method="GET"),
        "dpop.htu": proof(world, RENEW),
        "dpop.iat": proof(world, iat=world.clock.now() - 61),
        "dpop.jti": proof(world, jti=""),
    }
    for reason, made in bad.items():
        refused = redeem(world, code, made)
        assert (refused.status_code, error(refused), reason) == (400, "invalid_dpop_proof", reason)
        assert world.events("request:refused", handoff["impersonation_id"])[-1]["reason"] == reason
    assert redeem(world, code, good).status_code == 200


def test_address_is_the_published_one_with_or_without_query(world: World) -> None:
    code, _ = new_code(world, app="bound")
    assert redeem(world, code, proof(world, "http://127.0.0.1:9001/appetize/redeem")).status_code == 400
    assert redeem(world, code, proof(world, "HTTP://127.0.0.1:9000/appetize/redeem?a=b#c")).status_code == 200


def test_used_code_still_kills_what_it_gave_and_a_bad_proof_does_not(world: World) -> None:
    code, _ = new_code(world, app="bound")
    token = redeem(world, code, proof(world)).json["access_token"]
    assert error(redeem(world, code, None)) == "invalid_dpop_proof"
    assert world.introspect(token)["active"]
    assert error(redeem(world, code, proof(world, holder=Holder()))) == "invalid_grant"
    assert world.introspect(token) == {"active": False}


def test_unknown_code_is_refused_before_its_proof_is_looked_at(world: World) -> None:
    assert error(redeem(world, "x" * 43, "whatever")) == "invalid_grant"
    assert stranger_reasons(world) == {"handoff_code.unknown"}


def test_proof_is_good_once(world: World) -> None:
    shown = proof(world)
    first, second = new_code(world, app="bound")[0], new_code(world, app="bound")[0]
    assert redeem(world, first, shown).status_code == 200
    refused = redeem(world, second, shown)
    assert (refused.status_code, error(refused)) == (400, "invalid_dpop_proof")
    assert redeem(world, second, proof(world)).status_code == 200


def test_another_key_may_use_the_same_jti(world: World) -> None:
    for holder in (PHONE, Holder()):
        shown = proof(world, holder=holder, jti="same")
        assert redeem(world, new_code(world, app="bound")[0], shown).status_code == 200


def test_used_proofs_are_stored_hashed_and_forgotten_when_too_old(world: World) -> None:
    redeem(world, new_code(world, app="bound")[0], proof(world, jti="to-be-seen-nowhere"))

    def dump() -> str:
        with world.work() as work:
            return "\n".join(work.session.connection().connection.iterdump())

    assert "to-be-seen-nowhere" not in dump()
    assert 'INSERT INTO "dpop_proofs"' in dump()
    world.clock.pass_(601)
    world.wired.jobs.tick()
    assert 'INSERT INTO "dpop_proofs"' not in dump()


def test_race_of_one_proof_for_several_codes_binds_one(make_world: MakeWorld) -> None:
    world = make_world(**BOUND)
    shown = proof(world)
    codes = [new_code(world, app="bound")[0] for _ in range(6)]
    answers = at_once(world, *(partial(redeem, code=code, proof=shown) for code in codes))
    assert statuses(answers) == [200] + [400] * 5
    assert sorted(answer.json.get("error", "") for answer in answers) == [""] + ["invalid_dpop_proof"] * 5
    assert len(world.events("handoff-code:redeemed")) == 1
    assert sorted(redeem(world, code, proof(world)).status_code for code in codes) == [200] * 5 + [400]
    assert prove(world).ok


# --- renewed


def test_bound_token_is_renewed_by_its_key_and_stays_bound(world: World) -> None:
    token = bound(world, resource=BOTH)
    answer = send(world, token)
    assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP"), answer.text
    fresh = answer.json["access_token"]
    assert claims(fresh)["cnf"] == {"jkt": PHONE.jkt}
    assert send(world, fresh).json["token_type"] == "DPoP"
    assert world.events("token:issued")[-1]["jkt"] == PHONE.jkt


def test_bound_token_without_its_proof_is_refused(world: World) -> None:
    token = bound(world)
    now = world.clock.now()
    thief = Holder()
    bad = {
        "dpop.missing": "",
        "dpop.other_key": thief.proof(RENEW, now, token=token),
        "dpop.ath": PHONE.proof(RENEW, now, token="another"),
        "dpop.htu": PHONE.proof(REDEEM, now, token=token),
        "dpop.htm": PHONE.proof(RENEW, now, method="GET", token=token),
        "dpop.iat": PHONE.proof(RENEW, now - 61, token=token),
        "dpop.malformed": "whatever",
    }
    for reason, made in bad.items():
        refused = send(world, token, made)
        assert (refused.status_code, refused.json["error"], reason) == (401, "invalid_dpop_proof", reason)
        assert refused.headers["WWW-Authenticate"] == (
            'DPoP realm="authserver", error="invalid_dpop_proof", algs="ES256 PS256 RS256 EdDSA Ed25519"'
        )
        assert world.events("request:refused")[-1]["reason"] == reason
    assert send(world, token).status_code == 200


def test_proof_of_a_renewal_is_good_once(make_world: MakeWorld) -> None:
    world = make_world(**BOUND)
    token = bound(world)
    shown = proof(world, RENEW, token=token)
    answers = at_once(world, *[partial(send, token=token, shown=shown)] * 6)
    assert statuses(answers) == [200] + [401] * 5
    assert len([event for event in world.events("token:issued") if event["way"] == "renew"]) == 1


def test_bound_token_is_no_bearer_token_anywhere(world: World) -> None:
    token = bound(world)
    impersonation = claims(token)["impersonation"]["id"]
    own = f"/api/v1/impersonations/{impersonation}"
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/appetize/renew", {}),
        ("POST", f"{own}/actions", {"actions": []}),
        ("POST", f"{own}/end", None),
        ("GET", own, None),
        ("GET", "/oauth/userinfo", None),
        ("GET", "/session/support-codes", None),
        ("GET", "/account", None),
    ]
    for method, path, body in calls:
        refused = world.api(method, path, token=token, json=body)
        assert (refused.status_code, refused.json["error"], path) == (401, "invalid_token", path)
        assert refused.headers["WWW-Authenticate"].startswith('DPoP realm="authserver", error="invalid_token", algs=')
        assert world.events("request:refused")[-1]["reason"] == "dpop.as_bearer"
    assert world.introspect(token)["active"]


def test_bound_token_speaks_for_its_own_impersonation_and_no_other_thing(world: World) -> None:
    token = bound(world)
    own = f"/api/v1/impersonations/{claims(token)['impersonation']['id']}"
    action = {"id": "1", "kind": "view.accounts", "at": "2027-01-15T08:00:00Z"}
    assert send(world, token, path=f"{own}/actions", json={"actions": [action]}).status_code == 200
    assert send(world, token, path="/api/v1/impersonations", json={}).status_code == 403
    assert send(world, token, path="/appetize/handoffs", json={}).status_code == 403
    assert send(world, token, path="/oauth/userinfo").status_code == 403
    assert send(world, token, path=f"{own}/end").status_code == 200
    assert world.introspect(token) == {"active": False}


@pytest.mark.parametrize("who", ["agent", "customer"])
def test_bearer_token_is_not_presented_as_a_bound_one(world: World, who: str) -> None:
    token = world.token(who)
    refused = send(world, token, path="/oauth/userinfo")
    assert (refused.status_code, refused.json["error"]) == (401, "invalid_token")
    assert refused.headers["WWW-Authenticate"].startswith("DPoP ")
    assert world.events("request:refused")[-1]["reason"] == "dpop.unbound"


def test_bound_token_is_evidence_of_nothing(world: World) -> None:
    """Nothing at the token endpoint asks for its proof, so nobody gets anything by it there."""
    token = bound(world)
    for answer in (
        world.way_d(token),
        world.way_d(token, resource=PAYMENTS),
        world.way_a(actor_token=token),
        world.way_b(subject_token=token),
        world.way_d(actor_token=token, actor_token_type="urn:ietf:params:oauth:token-type:access_token"),
    ):
        assert (answer.status_code, oauth_error(answer)) == (400, "invalid_request")
        assert world.events("request:refused")[-1]["reason"] == "token.bound"


def test_bound_token_is_revoked_by_its_client(world: World) -> None:
    token = bound(world)
    assert world.post("/oauth/revoke", {"token": token}).status_code == 200
    assert world.introspect(token) == {"active": False}


def test_several_devices_of_one_handoff_have_a_key_each(world: World) -> None:
    handoff = hand_off(world, "bound")
    first = redeem(world, configured(world, handoff)["params"]["impersonatedUserToken"], proof(world)).json
    other = Holder()
    second = redeem(world, fresh_code(world, handoff).json["value"], proof(world, holder=other)).json
    assert [claims(each["access_token"])["cnf"]["jkt"] for each in (first, second)] == [PHONE.jkt, other.jkt]
    assert claims(first["access_token"])["aud"] == API


# --- configured


def test_settings_refuse_a_proof_for_a_token_that_is_passed(make_sqlite_world: MakeWorld) -> None:
    app = {"build_id": "b", "platform": "android", "dpop": "required"}
    with pytest.raises(ValueError, match=r"appetize\.apps\.bare\.dpop: a token that is passed"):
        make_sqlite_world(**{"appetize.apps.bare": app})


def test_api_takes_and_refuses_the_setting_by_name(world: World) -> None:
    path, settings = "/api/v1/appetize/apps", {"build_id": "b", "platform": "ios", "dpop": "required"}
    refused = world.api("POST", path, "admin", json={"name": "mine", "settings": settings})
    assert (refused.status_code, refused.json["invalid"]) == (400, ["dpop"])
    unknown = world.api("POST", path, "admin", json={"name": "mine", "settings": {**settings, "dpop": "perhaps"}})
    assert (unknown.status_code, unknown.json["invalid"]) == (400, ["dpop"])
    made = world.api("POST", path, "admin", json={"name": "mine", "settings": {**settings, "passes": "code"}})
    assert (made.status_code, made.json["settings"]["dpop"]) == (201, "required")
    assert error(redeem(world, new_code(world, app="mine")[0], None)) == "invalid_dpop_proof"
    assert bound(world, app="mine")


def test_metadata_names_the_algorithms(world: World) -> None:
    for document in ("openid-configuration", "oauth-authorization-server"):
        shown = world.api("GET", f"/.well-known/{document}").json
        assert shown["dpop_signing_alg_values_supported"] == ["ES256", "PS256", "RS256", "EdDSA", "Ed25519"]
