"""The demo's first exchange, told as it happens, over HTTP like any client's."""

import base64
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import requests

from authserver.cli.counts import counted
from authserver.cli.demo_cast import API
from authserver.protocol.names import GRANT_TOKEN_EXCHANGE, TYPE_ACCESS_TOKEN, TYPE_USER_ID

_TIMEOUT = 10
_REPORT_SECONDS, _POLL_SECONDS = 5, 0.1
_SHOWN = ("iss", "sub", "act", "aud", "client_id", "scope", "impersonation", "exp")


def narrate(credentials: dict[str, Any], file: Path, settings: Path, at_idp: Sequence[str] = ()) -> None:
    """Exchange, look, end, look again, and show what the trail has of it; what was changed since may forbid it.

    `at_idp` are those who may be chosen at the demo's IdP, where there is one.
    """
    _say(f"\nauthserver answers at {credentials['issuer']}; the credentials are in {file}\n")
    try:
        _tell(credentials)
    except requests.HTTPError as error:
        _say(f"   {error.response.text.strip()}")
        _say("   This was refused, for something was changed since the cast was made; the demo goes on.")
    except requests.RequestException:
        _say("   The story is cut short: the server does not answer, or is being stopped.")
        return
    if at_idp:
        _say(f"\nSign in through the IdP: open {credentials['account']}, press “Sign in with the demo's IdP”,")
        _say(f"   and there choose {' or '.join(at_idp)}; the role comes from the IdP's groups, by a rule.")
    _say(f"\nA phone that plays Appetize's part: {credentials['appetize']['device_stand_in']}/embed/demo-bank-standin")
    _say(f"What people were told lies in {settings.parent / 'mail'}, a file a message.")
    _say(f"Prove the trail:   {_program()} --config {settings} audit verify")
    _say("Serving until Ctrl-C.")


def _program() -> str:
    """Return how this program is called from here."""
    return f"{sys.executable} -m authserver.cli" if sys.argv[0].endswith(".py") else sys.argv[0]


def _tell(credentials: dict[str, Any]) -> None:
    issuer, users = credentials["issuer"], credentials["users"]
    backend = tuple(credentials["clients"]["backend"].values())
    agent, customer = users["agent"], users["customer"]
    if agent["access_token"] is None:
        _say("Avery, the agent of the first exchange, is disabled; the demo goes on without it.")
        return
    _say("1. Avery, a support agent, is signed in. The backend holds this access token:")
    _show(_claims(agent["access_token"]), _SHOWN)
    _say("2. The backend exchanges it for a token of Casey, who has given a standing consent (RFC 8693, way A):")
    answer = _post(
        f"{issuer}/oauth/token",
        backend,
        grant_type=GRANT_TOKEN_EXCHANGE,
        subject_token=customer["id"],
        subject_token_type=TYPE_USER_ID,
        actor_token=agent["access_token"],
        actor_token_type=TYPE_ACCESS_TOKEN,
        resource=API,
        reason="Casey sees a wrong balance",
        reason_code="customer_initiated_support",
        ticket_id="BANK-1042",
        requested_expires_in="600",
    ).json()
    token, impersonation_id = answer["access_token"], answer["impersonation_id"]
    before, after = _claims(agent["access_token"]), _claims(token)
    _show(after, _SHOWN)
    _say(f"   sub is now Casey ({before['sub']} -> {after['sub']}), act names Avery,")
    _say(f"   scope is narrowed ({before['scope']} -> {after['scope']}),")
    _say(f"   life is shortened ({before['exp'] - before['iat']} s -> {after['exp'] - after['iat']} s).")
    resource_server = tuple(credentials["clients"]["resource-server"].values())
    _say("3. The bank's API asks whether the token is alive:")
    _show(_post(f"{issuer}/oauth/introspect", resource_server, token=token).json(), ("active", *_SHOWN))
    bank = credentials["resource_server"]
    _say(f"4. The backend calls the bank's API at {bank} with it, which lets it read, and change nothing:")
    for method, path in (("GET", "/accounts"), ("PUT", "/nickname"), ("POST", "/transfers")):
        _say(_called(method, bank + path, token))
    bearer = {"Authorization": f"Bearer {agent['access_token']}"}
    _say("\n5. The bank's API has reported what was done:")
    _show_actions(f"{issuer}/api/v1/impersonations/{impersonation_id}/actions", bearer)
    _say("6. Avery ends the impersonation:")
    ended = requests.post(f"{issuer}/api/v1/impersonations/{impersonation_id}/end", headers=bearer, timeout=_TIMEOUT)
    ended.raise_for_status()
    _show(ended.json(), ("id", "state", "ended_by", "end_reason", "ended_at"))
    _say("7. The bank's API asks again, and lets nobody in:")
    _show(_post(f"{issuer}/oauth/introspect", resource_server, token=token).json(), ("active",))
    _say(_called("GET", bank + "/accounts", token) + "\n")
    _say("8. An auditor reads what it left in the trail:")
    _show_trail(credentials, impersonation_id)


def _called(method: str, url: str, token: str) -> str:
    """Call the bank's API; tell what it answered."""
    bearer = {"Authorization": f"Bearer {token}"}
    answer = requests.request(method, url, headers=bearer, json={} if method != "GET" else None, timeout=_TIMEOUT)
    body = answer.json()
    words = (
        body.get("error") or f"{counted(len(body['items']), 'account')} of {body['owner']}, seen by {body['seen_by']}"
    )
    return f"     {method:<5} {url.rpartition('/')[2]:<12} {answer.status_code} {words}"


def _show_actions(url: str, bearer: dict[str, str]) -> None:
    """Show performed actions; they arrive a moment after they were done."""
    items: list[dict[str, Any]] = []
    until = time.monotonic() + _REPORT_SECONDS
    while not items and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
        found = requests.get(url, headers=bearer, timeout=_TIMEOUT)
        found.raise_for_status()
        items = found.json()["items"]
    for item in items:
        _say(f"     {item['at']}  {item['kind']:<20} {json.dumps(item['details'])}  by {item['reported_by']}")
    _say("")


def _show_trail(credentials: dict[str, Any], impersonation_id: str) -> None:
    if credentials["users"]["auditor"]["access_token"] is None:
        return
    auditor = {"Authorization": f"Bearer {credentials['users']['auditor']['access_token']}"}
    query = {"impersonation_id": impersonation_id}
    url = f"{credentials['issuer']}/api/v1/audit/events"
    events = requests.get(url, headers=auditor, params=query, timeout=_TIMEOUT)
    events.raise_for_status()
    for event in reversed(events.json()["items"]):
        _say(f"   {event['seq']:>5}  {event['at']}  {event['name']}")


def _post(url: str, client: tuple[str, ...], **form: str) -> requests.Response:
    response = requests.post(url, data=form, auth=(client[0], client[1]), timeout=_TIMEOUT)
    response.raise_for_status()
    return response


def _claims(token: str) -> dict[str, Any]:
    """Read a token's claims for showing; nothing is decided on them."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def _show(content: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if name in content:
            _say(f"     {name:<14} {json.dumps(content[name])}")
    _say("")


def _say(line: str) -> None:
    click.echo(line)
