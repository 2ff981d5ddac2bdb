"""The demo's cast: who may break the glass is signed in by passkey, and every scope is said in words."""

from authserver.storage import resources
from tests.world import API, PAYMENTS, World, claims


def test_lead_alone_is_signed_in_as_break_glass_wants_it(world: World) -> None:
    for name in ("agent", "agent2", "auditor", "admin", "customer"):
        assert claims(world.token(name))["acr"] == "urn:authserver:acr:mfa"
    for token in (world.token("lead"), world.id_token("lead")):
        assert (claims(token)["acr"], claims(token)["amr"]) == ("phr", ["hwk", "user", "mfa"])
    assert world.way_a("lead", "vip", override="break_glass").status_code == 200
    assert world.way_a("agent", "vip", override="break_glass").json["error"] == "access_denied"


def test_every_scope_of_the_demo_is_said_in_words(world: World) -> None:
    with world.work() as work:
        words = resources.descriptions(work.session)
        known = resources.scopes_of(work.session, [API, PAYMENTS])
    assert known
    assert all(words[name] for name in known)
    assert words["accounts:read"] == "See your accounts, their balances and transactions"
