"""OAuth clients changed through the API: what one may be, and that its secret is shown once."""

from functools import partial
from typing import Any

import pytest

from authserver.protocol.names import GRANT_CLIENT_CREDENTIALS, GRANT_TOKEN_EXCHANGE, Role
from authserver.storage import authorizations
from tests.conftest import MakeWorld
from tests.journeys.at_once import add_person, at_once, statuses
from tests.world import API, Answer, World, error

CLIENTS = "/api/v1/clients"
EXCHANGING: dict[str, Any] = {
    "grant_types": ["client_credentials", "token_exchange"],
    "ways": ["A", "B"],
    "scopes": ["accounts:read"],
    "default_resources": [API],
    "accepts_tokens_of": ["backend"],
}
PRIVATE = {"d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}
KEY: dict[str, Any] = {  # of RFC 7517 appendix A
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "kid": "k1",
}
URIS = [
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "myapp:callback",
    "http://app.example.com/callback",
    "https://app.example.com/callback#part",
    "https://*.example.com/callback",
    "https://app.example.com/*",
    "https://app.example.com@evil.example/callback",
    "https://app.example.com\\@evil.example/callback",
    "//evil.example/callback",
    "/callback",
    "https://",
    "https://app.example.com/a b",
    "https://app.example.com/\u202e",
    "",
]


def register(world: World, client_id: str = "crm", **body: Any) -> Answer:
    return world.api("POST", CLIENTS, "admin", json={"client_id": client_id, **body})


def change(world: World, client_id: str, **body: Any) -> Answer:
    return world.api("PATCH", f"{CLIENTS}/{client_id}", "admin", json=body)


def rotate(world: World, client_id: str, overlap: int = 0, who: str = "admin") -> Answer:
    return world.api("POST", f"{CLIENTS}/{client_id}/secrets", who, json={"overlap_seconds": overlap})


def let_in(world: World, client_id: str, secret: str) -> bool:
    world.credentials["clients"][client_id] = {"client_id": client_id, "client_secret": secret}
    answer = world.post("/oauth/introspect", {"token": "x"}, client=client_id)
    return answer.status_code == 200


def changes_of(world: World, client_id: str) -> list[dict[str, Any]]:
    by = world.id("admin")
    return [event for event in world.events("client:changed") if event["client_id"] == client_id and event["by"] == by]


def fields_of(refused: Answer) -> set[str]:
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_request"), refused.text
    return {entry["field"] for entry in refused.json["errors"]}


# --- registering and reading


def test_registered_client_exchanges_with_the_secret_that_was_shown_once(make_world: MakeWorld) -> None:
    world = make_world()
    made = register(world, name="Support CRM", **EXCHANGING)
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    assert made.json["grant_types"] == sorted([GRANT_CLIENT_CREDENTIALS, GRANT_TOKEN_EXCHANGE])
    secret = made.json["client_secret"]
    assert let_in(world, "crm", secret)
    assert world.way_a(client="crm").status_code == 200
    shown = world.api("GET", f"{CLIENTS}/crm", "admin")
    assert secret not in shown.text
    assert secret not in str(world.events())
    assert shown.json["secrets"] == [{"created_at": "2027-01-15T08:00:00.000Z", "expires_at": None}]
    assert [event["action"] for event in changes_of(world, "crm")] == ["created", "secret_created"]


def test_client_of_which_nothing_was_said_may_do_nothing(world: World) -> None:
    made = register(world)
    empty = {"grant_types": [], "ways": [], "scopes": [], "redirect_uris": [], "first_party": False, "enabled": True}
    assert made.json | empty == made.json
    assert (made.json["name"], made.json["auth_method"], made.json["in_use"]) == ("crm", "client_secret", False)
    world.credentials["clients"]["crm"] = {"client_id": "crm", "client_secret": made.json["client_secret"]}
    assert (
        error(world.post("/oauth/token", {"grant_type": "client_credentials"}, client="crm")) == "unauthorized_client"
    )


def test_client_with_an_issuers_scope_gets_none_of_it_for_itself(world: World) -> None:
    """A role's scope is a person's, whoever's client it is."""
    made = register(world, grant_types=["client_credentials"], scopes=["directory:write", "impersonate"])
    world.credentials["clients"]["crm"] = {"client_id": "crm", "client_secret": made.json["client_secret"]}
    form = {"grant_type": "client_credentials", "resource": world.wired.settings.issuer}
    assert error(world.post("/oauth/token", form, client="crm")) == "invalid_target"


@pytest.mark.parametrize("client_id", ["crm", "ünknown", "x" * 300])
def test_unknown_client_is_404(make_world: MakeWorld, client_id: str) -> None:
    world = make_world()
    for method, verb, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("POST", "/secrets", {}),
        ("POST", "/disable", None),
        ("POST", "/enable", None),
    ):
        assert world.api(method, f"{CLIENTS}/{client_id}{verb}", "admin", json=body).status_code == 404


def test_taken_client_id_is_409_and_the_first_keeps_its_secret(world: World) -> None:
    secret = register(world).json["client_secret"]
    refused = register(world, name="Mine")
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (409, "client_id")
    assert let_in(world, "crm", secret)


def test_one_of_many_gets_a_client_id(make_world: MakeWorld) -> None:
    answers = at_once(make_world(), *[register] * 5)
    assert statuses(answers) == [201, 409, 409, 409, 409]


# --- what a client cannot be


@pytest.mark.parametrize("uri", URIS)
@pytest.mark.parametrize("field", ["redirect_uris", "post_logout_redirect_uris"])
def test_uri_that_is_no_place_for_a_code_is_refused(world: World, uri: str, field: str) -> None:
    body: dict[str, Any] = {field: [uri]}
    for refused in (register(world, **body), change(world, "backend", **body)):
        assert refused.status_code == 400
        assert "errors" not in refused.json or fields_of(refused) == {field}
        assert not uri or uri not in refused.text


def test_uris_of_web_and_apps_are_taken(world: World) -> None:
    uris = ["https://crm.example.com/callback?x=1", "http://127.0.0.1/callback", "com.example.crm:/callback"]
    assert register(world, redirect_uris=uris).json["redirect_uris"] == uris


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"client_id": ".."}, {"client_id"}),
        ({"client_id": "usr_1"}, {"client_id"}),
        ({"scopes": ["nothing:read"]}, {"scopes"}),
        ({"default_resources": ["https://nobody.example"]}, {"default_resources"}),
        ({"accepts_tokens_of": ["nobody"]}, {"accepts_tokens_of"}),
        ({"auth_method": "private_key_jwt"}, {"jwks"}),
        ({"jwks": {"keys": [KEY]}}, {"jwks"}),
        ({"auth_method": "none", "grant_types": ["token_exchange"]}, {"grant_types"}),
        ({"auth_method": "none", "grant_types": ["client_credentials"]}, {"grant_types"}),
        ({"auth_method": "none", "scopes": ["directory:write"]}, {"scopes"}),
        ({"id_token_alg": "PS256"}, {"id_token_alg"}),
        ({"name": "a\u202eb"}, {"name"}),
        ({"name": ""}, {"name"}),
    ],
    ids=repr,
)
def test_client_that_would_not_work_is_refused_and_nothing_is_written(
    world: World, body: dict[str, Any], fields: set[str]
) -> None:
    before = world.api("GET", CLIENTS, "admin").json
    assert fields_of(register(world, **body)) == fields
    assert world.api("GET", CLIENTS, "admin").json == before
    assert not [event for event in world.events("client:changed") if event["by"] == world.id("admin")]
    assert world.events("request:refused")[-1]["reason"] == "clients.unfit"


@pytest.mark.parametrize(
    "body",
    [
        {"jwks_uri": "http://169.254.169.254/keys"},
        {"client_secret": "chosen"},
        {"enabled": False},
        {"created_at": 0},
        {"ways": ["Z"]},
        {"grant_types": ["password"]},
        {"grant_types": "client_credentials"},
        {"first_party": "yes"},
        {"scopes": None},
        {"redirect_uris": ["https://a.example/"] * 65},
        {},
    ],
    ids=repr,
)
def test_what_nobody_may_set_is_refused(world: World, body: dict[str, Any]) -> None:
    assert change(world, "other-backend", **body).status_code == 400
    assert not body or register(world, **body).status_code == 400


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [KEY | PRIVATE],
        [{"kty": "RSA", "e": "AQAB", "n": "w" * 171}],
        [{"kty": "oct", "k": "c2VjcmV0"}],
        [{**KEY, "x5u": "http://127.0.0.1:9000/"}],
        [{**KEY, "d": None}],
        [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}],
        [{"kty": {}}],
        ["x"],
        [KEY] * 17,
    ],
)
def test_keys_that_are_not_public_or_not_here_are_refused(world: World, keys: list[Any]) -> None:
    refused = register(world, auth_method="private_key_jwt", jwks={"keys": keys})
    assert refused.status_code == 400
    assert fields_of(refused) == {"jwks"}


# --- changing


def test_changed_client_is_bound_by_it_at_its_next_request(world: World) -> None:
    assert world.way_a(scope="accounts:read").status_code == 200
    shown = change(world, "backend", scopes=["payments:read"])
    assert (shown.status_code, shown.json["scopes"], shown.json["client_secret"]) == (200, ["payments:read"], None)
    assert error(world.way_a(scope="accounts:read")) == "invalid_target"
    assert change(world, "backend", scopes=["accounts:read"], ways=[]).json["first_party"] is True
    assert error(world.way_a(scope="accounts:read")) == "unauthorized_client"
    events = changes_of(world, "backend")
    assert events[0]["changes"] == {"fields": ["scopes"], "scopes": ["payments:read"]}


def test_client_that_may_exchange_does_not_become_a_public_one(world: World) -> None:
    """What stands already counts with what is changed."""
    assert fields_of(change(world, "backend", auth_method="none")) == {"grant_types", "scopes"}


def test_client_that_turns_to_a_key_and_back_has_one_new_secret(world: World) -> None:
    before = world.credentials["clients"]["other-backend"]["client_secret"]
    shown = change(world, "other-backend", auth_method="private_key_jwt", jwks={"keys": [KEY]}).json
    assert (shown["jwks"], shown["client_secret"]) == ({"keys": [KEY]}, None)
    assert not let_in(world, "other-backend", before)
    assert rotate(world, "other-backend").status_code == 409
    back = change(world, "other-backend", auth_method="client_secret").json
    assert back["jwks"] is None
    assert let_in(world, "other-backend", back["client_secret"])
    assert not let_in(world, "other-backend", before)


# --- secrets


def test_old_secret_lives_for_the_overlap_alone(make_world: MakeWorld) -> None:
    world = make_world()
    old = world.credentials["clients"]["other-backend"]["client_secret"]
    made = rotate(world, "other-backend", overlap=60)
    assert made.status_code == 201
    assert [secret["expires_at"] for secret in made.json["secrets"]].count("2027-01-15T08:01:00.000Z") == 1
    new = made.json["client_secret"]
    assert let_in(world, "other-backend", old)
    world.clock.pass_(60)
    assert not let_in(world, "other-backend", old)
    assert let_in(world, "other-backend", new)
    assert changes_of(world, "other-backend")[-1]["changes"] == {"overlap": 60}


@pytest.mark.parametrize("overlap", [-1, 90 * 86400 + 1, "60", 1.5, True, None])
def test_overlap_that_is_none_is_refused(world: World, overlap: object) -> None:
    body = {"overlap_seconds": overlap}
    assert world.api("POST", f"{CLIENTS}/other-backend/secrets", "admin", json=body).status_code == 400


def test_of_secrets_made_at_once_one_lives(make_world: MakeWorld) -> None:
    world = make_world()
    admins = ["admin", *(add_person(world, f"admin{number}", Role.ADMIN) for number in range(4))]
    answers = at_once(world, *[partial(rotate, client_id="other-backend", who=who) for who in admins])
    assert statuses(answers) == [201] * 5
    assert [let_in(world, "other-backend", answer.json["client_secret"]) for answer in answers].count(True) == 1


# --- disabling and enabling


def test_disabled_client_is_out_at_once_with_everything_of_it(make_world: MakeWorld) -> None:
    world = make_world()
    made = register(world, **EXCHANGING).json
    world.credentials["clients"]["crm"] = {"client_id": "crm", "client_secret": made["client_secret"]}
    active = world.way_a(client="crm").json
    answer = world.api("POST", f"{CLIENTS}/crm/disable", "admin")
    assert (answer.status_code, answer.json["enabled"]) == (200, False)
    assert answer.json["ended"] == {"sessions": 0, "impersonations": 1}
    assert world.introspect(active["access_token"]) == {"active": False}
    assert not let_in(world, "crm", made["client_secret"])
    [ended] = world.events("impersonation:ended", active["impersonation_id"])
    assert ended["ended_by"] == world.id("admin")
    assert world.api("POST", f"{CLIENTS}/crm/disable", "admin").json["ended"] is None
    enabled = world.api("POST", f"{CLIENTS}/crm/enable", "admin")
    assert (enabled.status_code, enabled.json["enabled"]) == (200, True)
    assert world.introspect(active["access_token"]) == {"active": False}
    assert let_in(world, "crm", made["client_secret"])


def test_nobody_disables_the_client_that_they_are_using(world: World) -> None:
    refused = world.api("POST", f"{CLIENTS}/backend/disable", "admin")
    assert (refused.status_code, refused.json["error"]) == (409, "conflict")
    assert world.api("GET", f"{CLIENTS}/backend", "admin").json["in_use"] is True


def test_who_is_to_be_answered_elsewhere_is_allowed_anew(world: World) -> None:
    """Nobody who allowed a client has allowed that its answers go to an address that came later."""
    person = world.id("agent")
    register(world, redirect_uris=["https://crm.example/a", "https://crm.example/b"])
    with world.work() as work:
        work.lock()
        authorizations.grant(work.session, person, "crm", ["openid"], now=world.clock.now())
    change(world, "crm", redirect_uris=["https://crm.example/a"], name="CRM")
    with world.work() as work:
        assert authorizations.granted(work.session, person, "crm")
    change(world, "crm", redirect_uris=["https://crm.example/a", "https://evil.example/"])
    with world.work() as work:
        assert not authorizations.granted(work.session, person, "crm")
