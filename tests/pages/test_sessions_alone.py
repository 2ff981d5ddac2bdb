"""Where a browser's session alone counts: no token opens anything, and whose form failed is on record."""

from typing import Any

import pytest

from authserver.protocol.access import TABLE, Credential
from tests.signing_in import BrowserOf, stranger_reasons
from tests.world import ISSUER, Answer, World


@pytest.fixture
def browser(world: World) -> BrowserOf:
    """A browser in which the customer is signed in."""
    browser = BrowserOf(world)
    browser.sign_in("customer")
    return browser


def test_a_form_of_who_is_signed_in_that_is_not_ours_is_on_record_under_their_id(
    world: World, browser: BrowserOf
) -> None:
    for path in _posted(world):
        before = len(world.events("request:refused"))
        assert browser.post(path, csrf="x").status_code == 403, path
        refused = world.events("request:refused")[before:]
        assert [(event["reason"], event["actor"]) for event in refused] == [("csrf.token", world.id("customer"))], path
    assert not stranger_reasons(world)


def _posted(world: World) -> list[str]:
    """Return every path where a form of a session is posted: whatever the table names, with anything for its ids."""
    named = {rule.endpoint for rule in TABLE if rule.credential is Credential.BROWSER} - {"pages.session_token"}
    rules = [
        rule for rule in world.app.url_map.iter_rules() if rule.endpoint in named and "POST" in (rule.methods or ())
    ]
    return sorted({_filled(rule) for rule in rules})


def _filled(rule: Any) -> str:
    built = rule.build(dict.fromkeys(rule.arguments, "x"), append_unknown=False)
    assert built is not None
    return str(built[1])


def _endpoints(world: World) -> list[tuple[str, str, str]]:
    """Return endpoint, method and path of all that takes a session and no token."""
    by_token = {rule.endpoint for rule in TABLE if rule.credential is Credential.PERSON}
    alone = {rule.endpoint for rule in TABLE if rule.credential is Credential.BROWSER} - by_token
    return [
        (rule.endpoint, method, _filled(rule))
        for rule in world.app.url_map.iter_rules()
        for method in (rule.methods or set()) & {"GET", "POST", "DELETE"}
        if rule.endpoint in alone and rule.endpoint.startswith("pages.")
    ]


@pytest.mark.parametrize("beside", ["a session", "nothing"])
def test_a_token_opens_nothing_where_a_session_counts(world: World, browser: BrowserOf, beside: str) -> None:
    """Design section 2: a token with `act` gets 403 at /account, /device and /session, also beside a cookie."""
    client = browser.http if beside == "a session" else BrowserOf(world).http
    acting, own = world.way_a().json["access_token"], world.token("customer")
    walked = _endpoints(world)
    assert {"pages.account", "pages.device", "pages.session_token", "pages.decide_device"} <= {one[0] for one in walked}
    for endpoint, method, path in walked:
        for token, status in ((acting, 403), (own, 403), ("nonsense", 401)):
            headers = {"Authorization": f"Bearer {token}"}
            answer = Answer.of(client.open(path, method=method, headers=headers, base_url=ISSUER))
            assert answer.status_code == status, (endpoint, token)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        refused = world.events("request:refused")[-2:]
        assert [event["endpoint"] for event in refused] == [endpoint] * 2
        assert [event["actor"] for event in refused] == [world.id("agent"), world.id("customer")]
    assert browser.get("/account").status_code == 200
