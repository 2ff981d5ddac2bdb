"""What the tests of decisions share: requests that wait, the agent's number, the codes that were sent."""

from typing import Any

from tests.conftest import MakeWorld
from tests.signing_in import BrowserOf
from tests.world import Answer, World

EVERY_WAY = {"ways": ["account", "mail", "code"]}
ONE = "/api/v1/impersonations"


def asking(world: World, target: str = "customer-ask", **body: Any) -> dict[str, Any]:
    """Start what the customer is asked for."""
    started = world.start(target=target, **body)
    assert (started.status_code, started.json["state"]) == (201, "awaiting_consent"), started.text
    return started.json


def read(world: World, impersonation_id: str, who: str = "agent") -> dict[str, Any]:
    return world.api("GET", f"{ONE}/{impersonation_id}", who).json


def number(world: World, impersonation_id: str) -> int:
    """Return the number that the agent reads out."""
    found: int = read(world, impersonation_id)["consent_number"]
    return found


def consent(world: World, impersonation_id: str, who: str = "customer-ask", **body: Any) -> Answer:
    return world.api("POST", f"{ONE}/{impersonation_id}/consent", who, json={"decision": "approve", **body})


def approve(world: World, impersonation_id: str, who: str = "lead", **body: Any) -> Answer:
    return world.api("POST", f"{ONE}/{impersonation_id}/approval", who, json={"decision": "approve", **body})


def extend(world: World, impersonation_id: str, who: str = "agent", expires_in: int = 3600) -> Answer:
    return world.api("POST", f"{ONE}/{impersonation_id}/extend", who, json={"expires_in": expires_in})


def enter(world: World, impersonation_id: str, code: str, who: str = "agent") -> Answer:
    return world.api("POST", f"{ONE}/{impersonation_id}/consent-code", who, json={"code": code})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def with_codes(make: MakeWorld, **sections: Any) -> tuple[World, list[tuple[str, str]]]:
    """Give a world in which codes are a way, and what is sent in it: the impersonation's id and the code."""
    world = make(**{"consent": EVERY_WAY, **sections})
    sent: list[tuple[str, str]] = []
    world.wired.governance.codes.send = lambda _work, record, code: sent.append((record.id, code))
    return world, sent


def ask_each_time(world: World, who: str) -> None:
    """Have a customer take their standing consent back."""
    for item in world.api("GET", "/api/v1/consents", who).json["items"]:
        assert world.api("POST", f"/api/v1/consents/{item['id']}/withdraw", who).status_code == 200


def browser_of(world: World, who: str = "customer-ask") -> BrowserOf:
    browser = BrowserOf(world)
    browser.sign_in(who)
    return browser
