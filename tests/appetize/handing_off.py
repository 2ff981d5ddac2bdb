"""What the tests of handoffs share: apps, handoffs of them, an embed page in a browser, and a device that redeems."""

from dataclasses import dataclass
from typing import Any

from tests.signing_in import BrowserOf, hidden
from tests.world import API, ISSUER, PAYMENTS, Answer, World

EMBED = "http://localhost:9000"
BY_CODE = {"build_id": "code-build", "platform": "android", "passes": "code"}
BY_LINK = {"build_id": "link-build", "platform": "ios", "how": "deep_link"}
SECTIONS: dict[str, dict[str, Any]] = {
    "appetize": {"embed_origin": EMBED},
    "appetize.apps.by-code": BY_CODE,
    "appetize.apps.by-link": BY_LINK,
}


def hand_off(world: World, app: str = "by-code", *, started: str | None = None, **start: Any) -> dict[str, Any]:
    """Start an impersonation, unless one is named, and hand it off to an app; return the handoff."""
    impersonation = started or world.start(**start).json["id"]
    created = world.api("POST", "/appetize/handoffs", "agent", json={"impersonation": impersonation, "app": app})
    assert created.status_code == 201, created.text
    return {**created.json, "impersonation_id": impersonation}


def configured(world: World, handoff: dict[str, Any]) -> dict[str, Any]:
    """Fetch the configuration with the actor's token."""
    answer = world.api("POST", f"/appetize/handoffs/{handoff['id']}/config", "agent", json={})
    assert answer.status_code == 200, answer.text
    return answer.json


def new_code(world: World, **start: Any) -> tuple[str, dict[str, Any]]:
    """Return a code as the device finds it among its launch parameters, and its handoff."""
    handoff = hand_off(world, **start)
    return str(configured(world, handoff)["params"]["impersonatedUserToken"]), handoff


def fresh_code(world: World, handoff: dict[str, Any], who: str = "agent") -> Answer:
    """Ask for a fresh code by deep link with a token."""
    return world.api("POST", f"/appetize/handoffs/{handoff['id']}/code", who)


def redeem(world: World, code: str, **more: Any) -> Answer:
    """Redeem a code as the app in a device does: with nothing but the code."""
    return world.api("POST", "/appetize/redeem", json={"code": code}, **more)


def renew(world: World, token: str, resource: list[str] | None = None) -> Answer:
    """Renew a token as the app in a device does."""
    body = None if resource is None else {"resource": resource}
    return world.api("POST", "/appetize/renew", token=token, json=body)


@dataclass
class EmbedPage:
    """A browser at an embed page."""

    browser: BrowserOf
    handoff: dict[str, Any]

    @property
    def path(self) -> str:
        return f"/appetize/embed/{self.handoff['id']}"

    def ask(self) -> Answer:
        """Go where `embed_url` leads."""
        return self.browser.get(self.path)

    def present(self, ticket: str, *, origin: str | None = ISSUER, base_url: str = EMBED) -> Answer:
        """Send the form that carries a ticket."""
        headers = {} if origin is None else {"Origin": origin}
        form = {"ticket": ticket}
        return Answer.of(self.browser.http.post(self.path, data=form, headers=headers, base_url=base_url))

    def show(self, **headers: str) -> Answer:
        """Load the page itself."""
        return Answer.of(self.browser.http.get(self.path, headers=headers, base_url=EMBED))

    def call(self, name: str, body: Any = None, *, origin: str | None = EMBED, **more: Any) -> Answer:
        """Call as the page's script does."""
        headers = {} if origin is None else {"Origin": origin}
        sent = {"json": {} if body is None else body, "base_url": EMBED, "headers": headers, **more}
        return Answer.of(self.browser.http.post(f"{self.path}/{name}", **sent))


def ticket_of(shown: Answer) -> str:
    """Return the ticket in the page at the issuer."""
    assert shown.status_code == 200, shown.text
    return hidden(shown)["ticket"]


def at_page(world: World, app: str = "by-code", who: str = "agent", **start: Any) -> EmbedPage:
    """Sign an agent in, hand an impersonation off, and open its page."""
    page = unopened(world, app, who, **start)
    opened = page.present(ticket_of(page.ask()))
    assert opened.status_code == 303, opened.text
    return page


def unopened(world: World, app: str = "by-code", who: str = "agent", **start: Any) -> EmbedPage:
    """Sign somebody in, and hand an impersonation of the agent's off."""
    browser = BrowserOf(world)
    browser.sign_in(who)
    return EmbedPage(browser, hand_off(world, app, **start))


BOTH = [API, PAYMENTS]
