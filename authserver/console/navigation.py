"""Where one can go in the console: each role sees what the API gives it."""

from dataclasses import dataclass
from typing import Any, Self

from flask import current_app, request, url_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who is signed in, as `/api/v1/me` says."""

    id: str
    name: str
    username: str
    roles: frozenset[str]
    scopes: frozenset[str]
    acr: str

    @classmethod
    def of(cls, found: dict[str, Any]) -> Self:
        """Read the API's answer."""
        return cls(
            id=str(found["id"]),
            name=str(found.get("name") or found["username"]),
            username=str(found["username"]),
            roles=frozenset(found["roles"]),
            scopes=frozenset(found["scopes"]),
            acr=str(found.get("acr") or ""),
        )

    def may(self, scope: str, *roles: str) -> bool:
        """Tell whether they have a scope, and one of these roles where some are named."""
        return scope in self.scopes and (not roles or not self.roles.isdisjoint(roles))


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation: shown to whoever has its scope and one of its roles; none names everybody."""

    words: str
    endpoint: str
    group: str
    scope: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is shown; `here` is the page that one is on, or one below it."""

    words: str
    url: str
    here: bool


_READ, _AUDIT, _DIRECTORY = "impersonations:read", "audit:read", "directory:read"
PLACES = (
    Place("Find a customer", "home", "Desk", "impersonate", ("support", "lead")),
    Place("My impersonations", "mine", "Desk", "impersonate", ("support", "lead")),
    Place("Waiting for approval", "queue", "Oversight", "impersonations:approve", ("lead",)),
    Place("Active now", "active", "Oversight", "impersonations:end", ("lead", "admin")),
    Place("All impersonations", "impersonations", "Evidence", _READ, ("lead", "admin", "auditor")),
    Place("Audit trail", "trail", "Evidence", _AUDIT, ("auditor", "admin")),
    Place("Reports", "reports", "Evidence", _READ, ("lead", "admin", "auditor")),
    Place("Users", "users", "Directory", _DIRECTORY, ("admin",)),
    Place("Clients", "clients", "Directory", _DIRECTORY, ("admin",)),
    Place("Resources", "resources", "Directory", _DIRECTORY, ("admin",)),
    Place("Trusted issuers", "issuers", "Configuration", _DIRECTORY, ("admin",)),
    Place("Apps", "apps", "Configuration", _DIRECTORY, ("admin",)),
    Place("Keys", "keys", "Configuration", _DIRECTORY, ("admin",)),
    Place("Policy", "policy", "Configuration", _DIRECTORY, ("admin",)),
    Place("Health", "health", "Configuration", _DIRECTORY, ("admin",)),
)
"""Every place, in its order; one whose page is not there is not shown."""


def entries(me: Me) -> dict[str, list[Entry]]:
    """Return where somebody can go, by group."""
    shown = [place for place in PLACES if _is_there(place) and me.may(place.scope, *place.roles)]
    urls = [_url(place) for place in shown]
    here = max((url for url in urls if _is_at(url)), key=len, default="")
    groups: dict[str, list[Entry]] = {}
    for place, url in zip(shown, urls, strict=True):
        groups.setdefault(place.group, []).append(Entry(place.words, url, here=url == here))
    return groups


_WHO = {"support": "agents", "lead": "leads", "auditor": "auditors", "admin": "administrators"}


def closed_words(me: Me) -> str:
    """Say whom the present page is for, to somebody whom the API refused it; empty where that is not known."""
    places = [place for place in PLACES if place.roles and _is_there(place) and _is_at(_url(place))]
    place = max(places, key=lambda each: len(_url(each)), default=None)
    if place is None:
        return ""
    if not me.roles.isdisjoint(place.roles):
        return f"This console is not registered for what the page needs: its client lacks the scope {place.scope}."
    whom = " and ".join(_WHO[role] for role in place.roles)
    return f"This page is for {whom}. You are signed in as {me.name}."


def _url(place: Place) -> str:
    return url_for(f"console.{place.endpoint}")


def _is_there(place: Place) -> bool:
    return f"console.{place.endpoint}" in current_app.view_functions


def _is_at(url: str) -> bool:
    return request.path == url or (not url.endswith("/") and request.path.startswith(f"{url}/"))
