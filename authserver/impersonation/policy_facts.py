"""The facts that a policy decides on, and their form in Cedar.

Everything enters Cedar as data: identifiers as `{"type", "id"}` objects, addresses as `ip` values that were parsed here
first, and of free text only whether it is there. No input ever becomes part of a text that Cedar parses as Cedar.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any, Literal

Mode = Literal["read_only", "full"]
Consent = Literal["none", "standing", "given", "support_code"]
Approval = Literal["none", "given"]
Notice = Literal["none", "accepted", "withheld"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who acts or is acted for; `conflicts` holds ids of people, `country` is ISO 3166 alpha-2 or empty."""

    id: str
    roles: frozenset[str]
    groups: frozenset[str]
    tier: str
    country: str
    population: str
    enabled: bool
    conflicts: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFacts:
    """The OAuth client that makes the exchange."""

    id: str
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a decision depends on; without `target` only whether the actor may ask at all is decided.

    `auth_age` and `lifetime` are seconds, `hour` is 0 to 23, `weekday` 1 (Monday) to 7. `distinct_customers` counts
    those tried in the last hour with this one, `active_impersonations` the actor's others that are active now.
    """

    actor: Person
    client: ClientFacts
    target: Person | None
    mode: str
    reason: str
    reason_code: str
    reason_code_known: bool
    ticket_id: str
    ticket_valid: bool
    client_address: str
    session_address: str
    hour: int
    weekday: int
    acr: str
    auth_age: int
    distinct_customers: int
    active_impersonations: int
    lifetime: int
    resources: frozenset[str]
    scopes: frozenset[str]
    consent: Consent
    approval: Approval
    break_glass: bool
    report_owed: bool
    notice: Notice = "none"


@dataclass(frozen=True, slots=True)
class CedarQuestion:
    """One request to Cedar with the entities it speaks of."""

    request: dict[str, Any]
    entities: list[dict[str, Any]]


def ask_request(facts: Facts) -> CedarQuestion:
    """May this person, through this client, ask at all? Raises ValueError for an address that is none."""
    resource = {"type": "Client", "id": facts.client.id}
    client = {"uid": resource, "attrs": {"enabled": facts.client.enabled}, "parents": []}
    return _question("request", resource, facts, [_person(facts.actor), client])


def ask_impersonate(facts: Facts, target: Person) -> CedarQuestion:
    """May this person act for that one? Raises ValueError for an address that is none."""
    return _question("impersonate", _user(target.id), facts, [_person(facts.actor), _person(target)])


def _question(action: str, resource: dict[str, str], facts: Facts, entities: list[dict[str, Any]]) -> CedarQuestion:
    request = {
        "principal": _user(facts.actor.id),
        "action": {"type": "Action", "id": action},
        "resource": resource,
        "context": _context(facts),
    }
    return CedarQuestion(request, entities)


def _context(facts: Facts) -> dict[str, Any]:
    return {
        "mode": facts.mode,
        "hasReason": any(char.isprintable() and not char.isspace() for char in facts.reason),
        "hasReasonCode": bool(facts.reason_code),
        "reasonCodeKnown": facts.reason_code_known,
        "reasonCode": facts.reason_code if facts.reason_code_known else "",
        "hasTicket": bool(facts.ticket_id),
        "ticketValid": facts.ticket_valid,
        "ticketId": facts.ticket_id if facts.ticket_valid else "",
        "clientAddress": _address(facts.client_address),
        "sessionAddress": _address(facts.session_address),
        "hour": facts.hour,
        "weekday": facts.weekday,
        "acr": facts.acr,
        "authAge": facts.auth_age,
        "distinctCustomers": facts.distinct_customers,
        "activeImpersonations": facts.active_impersonations,
        "lifetime": facts.lifetime,
        "resources": sorted(facts.resources),
        "scopes": sorted(facts.scopes),
        "consent": facts.consent,
        "approval": facts.approval,
        "breakGlass": facts.break_glass,
        "reportOwed": facts.report_owed,
        "notice": facts.notice,
    }


def _person(person: Person) -> dict[str, Any]:
    attributes = {
        "roles": sorted(person.roles),
        "groups": sorted(person.groups),
        "tier": person.tier,
        "country": person.country,
        "population": person.population,
        "enabled": person.enabled,
        "conflicts": [{"__entity": _user(other)} for other in sorted(person.conflicts)],
    }
    return {"uid": _user(person.id), "attrs": attributes, "parents": []}


def _user(user_id: str) -> dict[str, str]:
    return {"type": "User", "id": user_id}


def _address(text: str) -> dict[str, Any]:
    """Give one address, never a range; an IPv4 address that IPv6 carries counts as what it is."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return {"__extn": {"fn": "ip", "arg": str(mapped or address)}}
