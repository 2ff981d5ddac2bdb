"""Two origins of one server: nothing of the issuer answers at the embed page's, nor the page at the issuer's."""

from typing import Any

import pytest

from tests.appetize.handing_off import EMBED, SECTIONS, at_page, ticket_of, unopened
from tests.conftest import MakeWorld
from tests.world import ISSUER, Answer, World

CALLS = ("config", "code", "events", "state", "end")


@pytest.fixture
def world(make_sqlite_world: MakeWorld) -> World:
    return make_sqlite_world(**SECTIONS)


PATHS = (
    *("/login", "/account", "/oauth/jwks", "/oauth/token", "/api/v1/impersonations", "/appetize/handoffs", "/metrics"),
    *("/appetize/redeem", "/appetize/renew", "/healthz", "/.well-known/openid-configuration", "/session/token", "/"),
    *("/appetize/embed", "/appetize/embed/", "/appetize/embed/../../login", "/appetize/embedded", "/static"),
)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_of_the_issuer_answers_at_the_embed_origin(world: World, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        for origin in (EMBED, ISSUER):
            answer = Answer.of(
                world.http.open(path, method=method, headers={"Origin": origin}, base_url=EMBED, data={"a": "b"})
            )
            assert answer.status_code == 400, (method, answer.text)
            assert "Host" in answer.text


def test_embed_origin_serves_what_its_pages_are_made_of(world: World) -> None:
    assert Answer.of(world.http.get("/static/page.css", base_url=EMBED)).status_code == 200
    assert Answer.of(world.http.post("/static/page.css", base_url=EMBED)).status_code == 400


@pytest.mark.parametrize("name", ["", *(f"/{name}" for name in CALLS)])
@pytest.mark.parametrize("origin", [ISSUER, EMBED])
def test_page_does_not_answer_at_the_issuer(world: World, name: str, origin: str) -> None:
    page = unopened(world)
    ticket = ticket_of(page.ask())
    answer = world.http.post(f"{page.path}{name}", data={"ticket": ticket}, headers={"Origin": origin}, base_url=ISSUER)
    assert answer.status_code == 400
    assert page.present(ticket).status_code == 303


@pytest.mark.parametrize("origin", [None, EMBED, "null", f"{ISSUER}/", "http://localhost", "https://evil.example"])
def test_ticket_is_taken_from_the_issuers_form_alone(world: World, origin: str | None) -> None:
    page = unopened(world)
    ticket = ticket_of(page.ask())
    assert page.present(ticket, origin=origin).status_code == 403
    assert page.present(ticket).status_code == 303


@pytest.mark.parametrize("host", ["localhost", "localhost:9001", "localhost:9000.evil.example", "evil.localhost:9000"])
def test_other_hosts_are_foreign_still(world: World, host: str) -> None:
    page = at_page(world)
    environ: dict[str, Any] = {"HTTP_HOST": host}
    assert world.http.get(page.path, base_url=EMBED, environ_overrides=environ).status_code == 400


def test_without_an_embed_origin_there_is_no_page(make_sqlite_world: MakeWorld) -> None:
    world = make_sqlite_world()
    page = unopened(world, "demo-bank")
    assert page.handoff["embed_url"] is None
    assert page.ask().status_code == 404
    assert page.show().status_code == 400
    assert Answer.of(world.http.post(f"{page.path}/config", json={}, base_url=ISSUER)).status_code == 404
