"""Who may call what (design section 2): one table, walked through HTTP, and its default is no."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import pytest

from authserver.protocol.access import (
    DIRECTORY_READ,
    DIRECTORY_WRITE,
    ISSUER_SCOPES,
    KEYS_WRITE,
    ROLE_SCOPES,
    TABLE,
    Caller,
    Credential,
    Relation,
    may_call,
)
from authserver.protocol.names import Role
from authserver.storage import people
from authserver.tokens.issuer import Draft
from tests.world import API, ISSUER, REASON, Answer, World

STAFF_AND_CUSTOMERS = {
    "agent": Role.SUPPORT,
    "lead": Role.LEAD,
    "auditor": Role.AUDITOR,
    "admin": Role.ADMIN,
    "customer": Role.CUSTOMER,
}
ONE = "/api/v1/impersonations/{id}"
ACTIONS = [{"id": "1", "kind": "view.accounts", "at": "2027-01-15T08:00:00Z"}]
APP = {"build_id": "b", "platform": "ios"}
CALLS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "api.read_me": ("GET", "/api/v1/me", None),
    "api.read_options": ("GET", "/api/v1/impersonations/options", None),
    "api.search_customers": ("GET", "/api/v1/customers?q=casey", None),
    "api.preview_customer": ("GET", "/api/v1/customers/{customer}", None),
    "api.start_impersonation": ("POST", "/api/v1/impersonations", {"subject": "{customer}", **REASON}),
    "api.list_impersonations": ("GET", "/api/v1/impersonations", None),
    "api.read_impersonation": ("GET", ONE, None),
    "api.stream_impersonation": ("GET", f"{ONE}/stream", None),
    "api.stream_impersonations": ("GET", "/api/v1/impersonations/stream", None),
    "api.end_impersonations": ("POST", "/api/v1/impersonations/end", {"all": True, "reason": "an incident"}),
    "api.report_device": ("POST", f"{ONE}/device", {"state": "ended"}),
    "api.decide_approval": ("POST", f"{ONE}/approval", {"decision": "deny"}),
    "api.decide_consent": ("POST", f"{ONE}/consent", {"decision": "deny"}),
    "api.enter_consent_code": ("POST", f"{ONE}/consent-code", {"code": "000000"}),
    "api.extend_impersonation": ("POST", f"{ONE}/extend", {"expires_in": 3600}),
    "api.file_report": (
        "POST",
        f"{ONE}/report",
        {"report": "What was done, to whom, and why it could not wait for anybody."},
    ),
    "api.list_consents": ("GET", "/api/v1/consents", None),
    "api.grant_consent": ("POST", "/api/v1/consents", {"expires_in": 3600}),
    "api.withdraw_consent": ("POST", "/api/v1/consents/{consent}/withdraw", None),
    "api.end_impersonation": ("POST", f"{ONE}/end", None),
    "api.list_actions": ("GET", f"{ONE}/actions", None),
    "api.report_actions": ("POST", f"{ONE}/actions", {"actions": ACTIONS}),
    "api.list_audit_events": ("GET", "/api/v1/audit/events", None),
    "api.export_audit_events": ("GET", "/api/v1/audit/export", None),
    "api.verify_audit_trail": ("POST", "/api/v1/audit/verify", None),
    "api.read_timeline": ("GET", f"{ONE}/timeline", None),
    "api.read_statistics": ("GET", "/api/v1/statistics", None),
    "api.list_users": ("GET", "/api/v1/users", None),
    "api.list_clients": ("GET", "/api/v1/clients", None),
    "api.list_resources": ("GET", "/api/v1/resources", None),
    "api.read_user": ("GET", "/api/v1/users/{customer}", None),
    "api.create_user": ("POST", "/api/v1/users", {"username": "nova"}),
    "api.change_user": ("PATCH", "/api/v1/users/{customer}", {"tier": "vip"}),
    "api.disable_user": ("POST", "/api/v1/users/{customer}/disable", None),
    "api.enable_user": ("POST", "/api/v1/users/{customer}/enable", None),
    "api.reset_user_password": ("POST", "/api/v1/users/{customer}/password", None),
    "api.import_users": ("POST", "/api/v1/users/import", {"rows": [{"username": "nova"}]}),
    "api.read_client": ("GET", "/api/v1/clients/other-backend", None),
    "api.create_client": ("POST", "/api/v1/clients", {"client_id": "crm"}),
    "api.change_client": ("PATCH", "/api/v1/clients/other-backend", {"name": "Another"}),
    "api.create_client_secret": ("POST", "/api/v1/clients/other-backend/secrets", {}),
    "api.disable_client": ("POST", "/api/v1/clients/other-backend/disable", None),
    "api.enable_client": ("POST", "/api/v1/clients/other-backend/enable", None),
    "api.register_resource": ("POST", "/api/v1/resources", {"uri": "https://loans.example.com"}),
    "api.change_resource": ("PATCH", f"/api/v1/resources?uri={API}", {"name": "Mine"}),
    "api.list_apps": ("GET", "/api/v1/appetize/apps", None),
    "api.read_app": ("GET", "/api/v1/appetize/apps/demo-bank", None),
    "api.create_app": ("POST", "/api/v1/appetize/apps", {"name": "new", "settings": APP}),
    "api.change_app": ("PUT", "/api/v1/appetize/apps/demo-bank", {"settings": APP}),
    "api.disable_app": ("DELETE", "/api/v1/appetize/apps/demo-bank", None),
    "api.list_issuers": ("GET", "/api/v1/issuers", None),
    "api.list_keys": ("GET", "/api/v1/keys", None),
    "api.rotate_keys": ("POST", "/api/v1/keys/rotate", {"use": "sig"}),
    "api.read_policy": ("GET", "/api/v1/policy", None),
    "api.try_policy": ("POST", "/api/v1/policy/try", {}),
    "api.read_health": ("GET", "/api/v1/health", None),
    "appetize.create_handoff": ("POST", "/appetize/handoffs", {"impersonation": "{id}", "app": "demo-bank"}),
    "appetize.handoff_config": ("POST", "/appetize/handoffs/{handoff}/config", {}),
    "appetize.handoff_code": ("POST", "/appetize/handoffs/{handoff}/code", None),
    "pages.make_support_code": ("POST", "/session/support-codes", {}),
    "pages.list_support_codes": ("GET", "/session/support-codes", None),
    "pages.revoke_support_code": ("DELETE", "/session/support-codes/{code}", None),
}
"""Every call that shows or changes data with a bearer token."""
DIRECTORY = frozenset(rule.endpoint for rule in TABLE if rule.scope in {DIRECTORY_READ, DIRECTORY_WRITE, KEYS_WRITE})
"""What is the admins' alone, whoever it is about."""
MAY: dict[str, set[str]] = {
    "api.read_me": {"agent", "agent2", "lead", "auditor", "admin", "customer", "vip"},
    "api.read_options": {"agent", "agent2", "lead"},
    "api.search_customers": {"agent", "agent2", "lead"},
    "api.preview_customer": {"agent", "agent2", "lead"},
    "api.start_impersonation": {"agent", "agent2", "lead"},
    "api.list_impersonations": {"agent", "agent2", "lead", "auditor", "admin", "customer", "vip"},
    "api.read_impersonation": {"agent", "lead", "auditor", "admin", "customer"},
    "api.stream_impersonation": {"agent", "lead", "auditor", "admin", "customer"},
    "api.stream_impersonations": {"agent", "agent2", "lead", "auditor", "admin", "customer", "vip"},
    "api.end_impersonations": {"lead", "admin"},
    "api.report_device": {"agent"},
    "api.decide_approval": {"lead"},
    "api.decide_consent": {"customer"},
    "api.enter_consent_code": {"agent"},
    "api.extend_impersonation": {"agent"},
    "api.file_report": {"agent"},
    "api.list_consents": {"customer", "vip"},
    "api.grant_consent": {"customer", "vip"},
    "api.withdraw_consent": {"customer"},
    "api.end_impersonation": {"agent", "lead", "admin", "customer"},
    "api.list_actions": {"agent", "lead", "auditor", "admin", "customer"},
    "api.report_actions": set(),
    "api.list_audit_events": {"auditor", "admin"},
    "api.export_audit_events": {"auditor", "admin"},
    "api.verify_audit_trail": {"auditor", "admin"},
    "api.read_timeline": {"agent", "lead", "auditor", "admin", "customer"},
    "api.read_statistics": {"lead", "auditor", "admin"},
    **{endpoint: {"admin"} for endpoint in DIRECTORY},
    "appetize.create_handoff": {"agent"},
    "appetize.handoff_config": {"agent"},
    "appetize.handoff_code": {"agent"},
    "pages.make_support_code": {"customer", "vip"},
    "pages.list_support_codes": {"customer", "vip"},
    "pages.revoke_support_code": {"customer"},
}
"""Who may make it for the agent's impersonation of the customer; `agent2` and `vip` have no part in it."""
COLLECTIONS = frozenset(
    endpoint
    for endpoint, (_, path, _) in CALLS.items()
    if path.startswith(("/api/v1", "/session")) and ("{" not in path or "/customers/" in path)
).union(DIRECTORY)
"""What asks only who the caller is, not what is theirs."""
OF_CUSTOMERS = frozenset({"pages.revoke_support_code", "api.withdraw_consent"})
"""What is looked up among a customer's own: staff are refused before."""


@dataclass(frozen=True)
class Walk:
    """Calls about one impersonation of the customer by the agent, and one handoff of it."""

    world: World
    known: dict[str, str]

    @classmethod
    def begin(cls, world: World) -> Self:
        started = world.start().json["id"]
        handoff = world.api("POST", "/appetize/handoffs", "agent", json={"impersonation": started, "app": "demo-bank"})
        code = world.api("POST", "/session/support-codes", "customer").json["id"]
        consent = world.api("GET", "/api/v1/consents", "customer").json["items"][0]["id"]
        known = {
            "{id}": started,
            "{handoff}": handoff.json["id"],
            "{code}": code,
            "{consent}": consent,
            "{customer}": world.id("customer"),
        }
        return cls(world, known)

    def call(self, endpoint: str, **credential: Any) -> Answer:
        method, path, body = CALLS[endpoint]
        for name, value in self.known.items():
            path = path.replace(name, value)
        filled = (
            None
            if body is None
            else {
                name: self.known.get(value, value) if isinstance(value, str) else value for name, value in body.items()
            }
        )
        return self.world.api(method, path, json=filled, **credential)


def client_token(world: World) -> str:
    """Mint a client a token of its own that the issuer accepts, with every scope of the issuer: no grant gives one."""
    draft = Draft(
        way="test",
        client_id="other-backend",
        user_id=None,
        sub="other-backend",
        audience=(ISSUER,),
        scope=tuple(sorted(frozenset[str]().union(*ROLE_SCOPES.values()))),
        expires_at=world.clock.now() + 600,
    )
    with world.work() as work:
        minted = world.wired.issuer.sign(work.session, draft)
        work.lock()
        world.wired.issuer.register(work, minted)
    return minted.token


def acting_tokens(world: World) -> dict[str, str]:
    """Give the tokens that carry `act`: an impersonation's own, one of another, and one on behalf of the customer."""
    own = world.way_a().json["access_token"]
    return {
        "its own": own,
        "on behalf of its own": world.way_d(own).json["access_token"],
        "another's": world.way_a("agent2").json["access_token"],
        "on behalf": world.way_d().json["access_token"],
    }


# --- the table


def test_every_endpoint_has_a_rule_and_every_rule_an_endpoint(world: World) -> None:
    endpoints = {rule.endpoint for rule in world.app.url_map.iter_rules()}
    assert {rule.endpoint for rule in TABLE} == endpoints


def test_every_endpoint_that_wants_a_token_is_walked_here(world: World) -> None:
    del world
    wanting = {rule.endpoint for rule in TABLE if rule.credential in {Credential.PERSON, Credential.IMPERSONATION}}
    assert wanting - {"oauth.userinfo", "appetize.renew"} == set(CALLS) == set(MAY)


@pytest.mark.parametrize("credential", Credential)
def test_what_the_table_does_not_name_is_refused(credential: Credential) -> None:
    everything = Caller(credential, ISSUER_SCOPES, frozenset(Role))
    assert not may_call("api.of_tomorrow", everything, Relation)
    named = {rule.endpoint for rule in TABLE if rule.credential is credential}
    assert {rule.endpoint for rule in TABLE if may_call(rule.endpoint, everything, Relation)} == named


@pytest.mark.parametrize("role", Role)
def test_scope_alone_and_role_alone_open_nothing_of_a_role(role: Role) -> None:
    scoped = Caller(Credential.PERSON, frozenset[str]().union(*ROLE_SCOPES.values()), frozenset())
    titled = Caller(Credential.PERSON, frozenset(), frozenset({role}))
    for rule in TABLE:
        if rule.credential is Credential.PERSON and rule.endpoint != "api.read_me":
            assert not may_call(rule.endpoint, titled, Relation)
            assert rule.roles is None or may_call(rule.endpoint, scoped, Relation) is (
                rule.endpoint
                in {
                    "api.read_impersonation",
                    "api.list_actions",
                    "api.read_timeline",
                    "api.stream_impersonation",
                    "api.end_impersonation",
                }
            )


# --- people


@pytest.mark.parametrize("endpoint", CALLS)
def test_call_answers_those_who_may_make_it(world: World, endpoint: str) -> None:
    walk = Walk.begin(world)
    if endpoint == "api.stream_impersonation":
        world.end(walk.known["{id}"])  # what is over is told at once, and then no more
    if endpoint == "api.stream_impersonations":
        world.wired.watch.stop()  # of what goes on a stream would not end
        assert {walk.call(endpoint, who=who).status_code for who in MAY[endpoint]} == {503}
        return
    for who in sorted(MAY[endpoint]):
        allowed = walk.call(endpoint, who=who)
        assert allowed.status_code in {200, 201} or allowed.json["error"] == "conflict", (who, allowed.text)


@pytest.mark.parametrize("endpoint", CALLS)
def test_call_is_refused_to_everybody_else_and_the_refusal_recorded(world: World, endpoint: str) -> None:
    walk = Walk.begin(world)
    for who in sorted({*STAFF_AND_CUSTOMERS, "agent2", "vip"} - MAY[endpoint]):
        refused = walk.call(endpoint, who=who)
        strangers = {"vip"} if endpoint in OF_CUSTOMERS else {"agent2", "vip"}
        own = endpoint in COLLECTIONS or not MAY[endpoint] or who not in strangers
        assert refused.status_code == (403 if own else 404), (who, refused.text)
        assert refused.headers["Content-Type"] == "application/problem+json"
        event = world.events("request:refused")[-1]
        assert (event["endpoint"], event["actor"]) == (endpoint, world.id(who))
        assert event["error"] == refused.json["error"] == ("insufficient_scope" if own else "not_found")


@pytest.mark.parametrize(("who", "path"), [("admin", "/api/v1/users"), ("agent", "/api/v1/impersonations")])
def test_role_that_was_lost_counts_at_once(world: World, who: str, path: str) -> None:
    """The token still has the scope; what counts is what the role is entitled to now."""
    assert world.api("GET", path, who).status_code == 200
    with world.work() as work:
        work.lock()
        people.change(work.session, world.id(who), roles=[])
    assert world.api("GET", path, who).status_code == 403


# --- other credentials


@pytest.mark.parametrize("endpoint", CALLS)
def test_token_with_act_is_refused_everywhere_but_at_the_end_and_the_reports_of_its_own(
    world: World, endpoint: str
) -> None:
    own = {"api.end_impersonation", "api.report_device", "api.report_actions"}
    walk = Walk.begin(world)
    for kind, token in acting_tokens(world).items():
        if endpoint in own and kind.endswith("its own"):
            continue
        refused = walk.call(endpoint, token=token)
        assert (refused.status_code, refused.json["error"]) == (403, "insufficient_scope"), kind
        assert world.events("request:refused")[-1]["endpoint"] == endpoint


@pytest.mark.parametrize("endpoint", CALLS)
def test_token_with_act_is_refused_before_anything_else_is_told(world: World, endpoint: str) -> None:
    """Neither that an identifier is unknown nor that a body does not fit."""
    method, path, _ = CALLS[endpoint]
    token = world.way_a().json["access_token"]
    refused = world.api(method, path.replace("{id}", "imp_unknown").replace("{handoff}", "hnd_unknown"), token=token)
    assert (refused.status_code, refused.json["error"]) == (403, "insufficient_scope")


@pytest.mark.parametrize("endpoint", CALLS)
def test_clients_own_token_is_refused_everywhere(world: World, endpoint: str) -> None:
    refused = Walk.begin(world).call(endpoint, token=client_token(world))
    assert (refused.status_code, refused.json["error"]) == (403, "insufficient_scope")
    assert world.events("request:refused")[-1]["client_id"] == "other-backend"


@pytest.mark.parametrize("endpoint", CALLS)
def test_token_for_another_audience_is_refused_and_recorded(world: World, endpoint: str) -> None:
    refused = Walk.begin(world).call(endpoint, token=world.client_token("backend", resource=API))
    assert (refused.status_code, refused.json["error"]) == (401, "invalid_token")
    assert world.events("request:refused")[-1]["reason"] == "token.audience"


@pytest.mark.parametrize(
    "header",
    [
        lambda world: world.basic()["Authorization"],
        lambda world: f"Bearer {world.id_token('admin')}",
        lambda world: f"Bearer {world.token('admin')}x",
        lambda world: f"Token {world.token('admin')}",
        lambda world: world.token("admin"),
        lambda _: "Bearer",
        lambda _: "Bearer \xff\xfe",
        lambda _: "Bearer " + "a" * 20_000,
    ],
    ids=["basic", "id token", "bad signature", "scheme", "bare", "empty", "not ASCII", "oversized"],
)
@pytest.mark.parametrize("path", ["/api/v1/users", "/api/v1/impersonations"])
def test_credential_that_is_no_access_token_is_401(world: World, header: Callable[[World], str], path: str) -> None:
    refused = world.api("GET", path, headers={"Authorization": header(world)})
    assert (refused.status_code, refused.json["error"]) == (401, "invalid_token")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_token_in_the_query_is_no_credential(world: World) -> None:
    """RFC 6750 §2.3 is not supported."""
    refused = world.api("GET", "/api/v1/users", query_string={"access_token": world.token("admin")})
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="authserver"'
