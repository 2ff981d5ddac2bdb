"""Stylesheet, scripts and brand mark: small, kept as long as they are what they were, and nothing else is served."""

import gzip
import re

import pytest

from tests.signing_in import BrowserOf
from tests.world import ISSUER, World


def assets(world: World) -> list[str]:
    """Return the addresses that the pages name."""
    browser = BrowserOf(world)
    login = browser.get("/login").text
    browser.sign_in()
    return sorted(set(re.findall(r'"(/static/[^"]+)"', login + browser.get("/account").text)))


def test_what_a_page_names_is_kept_for_ever(world: World) -> None:
    """RFC 8246: the name changes with the content."""
    named = assets(world)
    assert {re.sub(r"\?v=[0-9a-f]{16}", "", address) for address in named} >= {
        "/static/page.css",
        "/static/brand.svg",
        "/static/times.js",
        "/static/password.js",
    }
    for address in named:
        answer = world.http.get(address, base_url=ISSUER)
        assert answer.status_code == 200, address
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable", address
        assert answer.headers["X-Content-Type-Options"] == "nosniff", address
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin", address
        assert "Set-Cookie" not in answer.headers, address


@pytest.mark.parametrize("query", ["", "?v=", "?v=0123456789abcdef"])
def test_another_version_is_asked_for_again(world: World, query: str) -> None:
    """A node that runs the next version must not pin this one's content to its name."""
    answer = world.http.get(f"/static/page.css{query}", base_url=ISSUER)
    assert answer.headers["Cache-Control"] == "no-cache"
    again = world.http.get("/static/page.css", base_url=ISSUER, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_they_are_packed_for_whoever_can_unpack_them(world: World) -> None:
    plain, packed, refused = (
        world.http.get("/static/page.css", base_url=ISSUER, headers={"Accept-Encoding": coding})
        for coding in ("identity", "br, gzip", "gzip;q=0")
    )
    assert gzip.decompress(packed.data) == plain.data == refused.data
    assert packed.headers["Content-Encoding"] == "gzip"
    assert {answer.headers["Vary"] for answer in (plain, packed)} == {"Accept-Encoding"}
    assert plain.headers["ETag"] != packed.headers["ETag"]
    assert len(plain.data) < 20_000
    assert len(packed.data) < 5_000


@pytest.mark.parametrize(
    "name", ["none.css", "../account.py", "..%2faccount.py", "%2e%2e/account.py", "../templates/login.html", ""]
)
def test_nothing_else_is_served(world: World, name: str) -> None:
    assert world.http.get(f"/static/{name}", base_url=ISSUER).status_code == 404
