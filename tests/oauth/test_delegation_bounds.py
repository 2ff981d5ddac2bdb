"""What an exchange or an authorization gave stays within it, and dies with what it came of."""

import os
import stat
from pathlib import Path

import pytest

from authserver.cli.db import migrate
from authserver.impersonation.enablement import Enablement
from authserver.settings import Database
from authserver.storage import people
from tests.conftest import MakeWorld
from tests.oauth.exchanging import refused
from tests.signing_in import BrowserOf, change_client, redeem, refresh
from tests.world import API, PAYMENTS, World, error


def test_impersonation_reaches_no_further_resource_on_behalf_of_its_subject(world: World) -> None:
    """Consent binds the resources: naming one more in way D, with or without a scope there, is refused."""
    held = world.way_a(resource=API).json["access_token"]
    for scope in (None, "accounts:read", "accounts:read payments:read"):
        answer = world.post(
            "/oauth/token",
            [
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token", held),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
                ("resource", API),
                ("resource", PAYMENTS),
                ("scope", scope),
            ],
        )
        assert error(answer) == "invalid_target"
    assert world.way_d(held).status_code == 200


def test_delegated_token_is_never_extended_by_delegating_it_again(world: World) -> None:
    first = world.way_d(requested_expires_in="60").json
    again = world.way_d(first["access_token"]).json
    assert (first["expires_in"], again["expires_in"]) == (60, 60)


def test_resource_of_a_handoff_without_a_scope_is_refused(world: World) -> None:
    started = world.start(resource=[API, PAYMENTS], scope="accounts:read").json["id"]
    body = {"impersonation": started, "app": "demo-bank", "resource": PAYMENTS}
    answer = world.api("POST", "/appetize/handoffs", "agent", json=body)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")


def enablement(world: World) -> Enablement:
    return Enablement(world.wired.lifecycle, world.wired.trail, world.clock)


def signed_in(world: World) -> BrowserOf:
    browser = BrowserOf(world)
    browser.sign_in("customer")
    return browser


def test_replayed_code_kills_what_was_delegated_from_it(world: World) -> None:
    code = signed_in(world).code()
    held = redeem(world, code).json["access_token"]
    delegated = world.way_d(held).json["access_token"]
    assert world.introspect(delegated)["active"]
    assert error(redeem(world, code)) == "invalid_grant"
    assert world.introspect(delegated) == {"active": False}


def test_refresh_token_does_not_outlive_the_disabling_of_its_client(make_world: MakeWorld) -> None:
    """Nor does a code: enabling the client again brings nothing back."""
    world = make_world()
    browser = signed_in(world)
    held, code = browser.tokens()["refresh_token"], browser.code()
    with world.work() as work:
        enablement(world).disable_client(work, "backend", by="test")
    with world.work() as work:
        enablement(world).enable_client(work, "backend", by="test")
    assert error(refresh(world, held)) == "invalid_grant"
    assert error(redeem(world, code)) == "invalid_grant"


def test_refresh_gives_no_scope_that_the_client_has_lost(world: World) -> None:
    held = signed_in(world).tokens()["refresh_token"]
    change_client(world, scopes=["openid"])
    answer = refresh(world, held)
    assert (answer.status_code, answer.json["scope"]) == (200, "openid")


@pytest.mark.parametrize("how", ["disabled", "a lead no more"])
def test_approval_does_not_outlive_its_approver(world: World, how: str) -> None:
    asked = world.way_a(target="vip").json
    world.decide(asked["impersonation_id"], "approval", "lead")
    held = world.way_c(asked["impersonation"]).json["access_token"]
    with world.work() as work:
        if how == "disabled":
            enablement(world).disable_person(work, world.id("lead"), by="test")
        else:
            work.lock()
            people.change(work.session, world.id("lead"), roles=["support"])
    refused(world, world.way_c(asked["impersonation"]), "access_denied", REASONS[how])
    assert world.introspect(held)["active"] == (how != "disabled")


REASONS = {"disabled": "impersonation.ended", "a lead no more": "impersonation.needs_again"}


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_port_that_there_is_not_is_no_redirect(world: World, port: str) -> None:
    answer = BrowserOf(world).authorize(redirect_uri=f"http://127.0.0.1:{port}/callback")
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


def test_ticket_and_reason_are_what_a_reader_can_see(world: World) -> None:
    refused(world, world.way_a(ticket_id="B-\u0661\u0662"), "invalid_request", "policy:reason.ticket-valid")
    refused(world, world.way_a(reason="\u200b"), "invalid_request", "policy:reason.required")


def test_new_database_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "new.sqlite3"
    before = os.umask(0)
    try:
        migrate(Database(url=f"sqlite:///{file}", pool_size=1))
    finally:
        os.umask(before)
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}
