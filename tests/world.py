"""The whole server in a test: the demo's cast on a database of its own, a clock set by hand, HTTP in and JSON out."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from flask.testing import FlaskClient
from flask_openapi.openapi import OpenAPI
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from authserver import settings as settings_module
from authserver.app import Wired, create_app
from authserver.protocol.names import (
    GRANT_CLIENT_CREDENTIALS,
    GRANT_TOKEN_EXCHANGE,
    TYPE_ACCESS_TOKEN,
    TYPE_IMPERSONATION,
    TYPE_USER_ID,
)
from authserver.settings import Settings
from authserver.storage import trail
from authserver.storage.database import Work, db, unit_of_work
from tests.sharing import share_statements

ISSUER = "http://127.0.0.1:9000"
API = "https://api.example.com"
PAYMENTS = "https://payments.example.com"
START = 1_800_000_000
REASON = {"reason": "a wrong balance", "reason_code": "customer_initiated_support", "ticket_id": "BANK-1042"}


@dataclass
class HandClock:
    """A clock that is set by hand."""

    seconds: float = START

    def now(self) -> int:
        return int(self.seconds)

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def pass_(self, seconds: float) -> None:
        self.seconds += seconds


def settings_for(url: str, folder: Path, **sections: dict[str, Any]) -> Settings:
    """Return the demo's settings on this database and key folder, with changes by section."""
    own: dict[str, dict[str, Any]] = {
        "server": {"issuer": ISSUER},
        "database": {"url": url, "pool_size": 12},
        "keys": {"folder": str(folder / "keys")},
        "audit": {"anchor_file": str(folder / "heads.jsonl")},
    }
    demo = settings_module.config_folder() / "demo.toml"
    file = folder / "settings.toml"
    for name, values in sections.items():
        own.setdefault(name, {}).update(values)
    file.write_text(_toml(own), encoding="utf-8")
    return settings_module.load([demo, file], {})


def _toml(tree: dict[str, dict[str, Any]]) -> str:
    lines: list[str] = []
    for section, values in tree.items():
        lines.append(f"[{section}]")
        lines += [f"{json.dumps(key)} = {_toml_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    """Write tables inline; everything else is as in JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml_value(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    return json.dumps(value)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `json` is empty where the body is no JSON object."""

    status_code: int
    headers: Headers
    text: str
    json: dict[str, Any]

    @classmethod
    def of(cls, response: TestResponse) -> Self:
        body = response.get_json(silent=True)
        return cls(response.status_code, response.headers, response.text, body if isinstance(body, dict) else {})


@dataclass
class World:
    """A server with the cast, and the calls that tests make again and again."""

    app: OpenAPI
    clock: HandClock
    credentials: dict[str, Any]
    http: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = self.app.test_client()

    @property
    def wired(self) -> Wired:
        wired: Wired = self.app.extensions["authserver"]
        return wired

    # --- the cast

    def id(self, name: str) -> str:
        return str(self.credentials["users"][name]["id"])

    def token(self, name: str) -> str:
        return str(self.credentials["users"][name]["access_token"])

    def id_token(self, name: str) -> str:
        return str(self.credentials["users"][name]["id_token"])

    def basic(self, client: str = "backend", secret: str | None = None) -> dict[str, str]:
        known = self.credentials["clients"].get(client, {}).get("client_secret", "")
        pair = f"{client}:{known if secret is None else secret}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    # --- OAuth

    def post(self, path: str, form: Any = None, *, client: str | None = "backend", **more: Any) -> Answer:
        """POST a form (a mapping, or pairs where something is repeated) as a client."""
        headers = {**(self.basic(client) if client else {}), **more.pop("headers", {})}
        pairs = list(form.items()) if isinstance(form, dict) else list(form or [])
        answer = self.http.post(
            path,
            data=urlencode([(name, value) for name, value in pairs if value is not None]),
            content_type="application/x-www-form-urlencoded",
            headers=headers,
            base_url=ISSUER,
            **more,
        )
        return Answer.of(answer)

    def exchange(self, *, client: str | None = "backend", **form: Any) -> Answer:
        return self.post("/oauth/token", {"grant_type": GRANT_TOKEN_EXCHANGE, **form}, client=client)

    def way_a(self, actor: str = "agent", target: str = "customer", **form: Any) -> Answer:
        """Exchange by the target's user id; `form` overrides, None leaves out."""
        client = form.pop("client", "backend")
        known = self.credentials["users"].get(target)
        return self.exchange(
            client=client,
            **{
                "subject_token": known["id"] if known else target,
                "subject_token_type": TYPE_USER_ID,
                "actor_token": self.token(actor),
                "actor_token_type": TYPE_ACCESS_TOKEN,
                "resource": API,
                **REASON,
                **form,
            },
        )

    def way_b(self, actor: str = "agent", target: str = "customer", **form: Any) -> Answer:
        """Exchange the agent's own token, with `requested_subject`."""
        client = form.pop("client", "backend")
        known = self.credentials["users"].get(target)
        return self.exchange(
            client=client,
            **{
                "subject_token": self.token(actor),
                "subject_token_type": TYPE_ACCESS_TOKEN,
                "requested_subject": known["id"] if known else target,
                "resource": API,
                **REASON,
                **form,
            },
        )

    def way_c(self, handle: str, actor: str = "agent", **form: Any) -> Answer:
        """Exchange an impersonation's handle."""
        client = form.pop("client", "backend")
        return self.exchange(
            client=client,
            **{
                "subject_token": handle,
                "subject_token_type": TYPE_IMPERSONATION,
                "actor_token": self.token(actor),
                "actor_token_type": TYPE_ACCESS_TOKEN,
                **form,
            },
        )

    def way_d(self, subject_token: str | None = None, **form: Any) -> Answer:
        """Exchange a user's own token on their behalf."""
        client = form.pop("client", "backend")
        return self.exchange(
            client=client,
            **{
                "subject_token": subject_token or self.token("customer"),
                "subject_token_type": TYPE_ACCESS_TOKEN,
                "resource": API,
                **form,
            },
        )

    def client_token(self, client: str = "backend", **form: Any) -> str:
        answer = self.post("/oauth/token", {"grant_type": GRANT_CLIENT_CREDENTIALS, **form}, client=client)
        assert answer.status_code == 200, answer.text
        return str(answer.json["access_token"])

    def introspect(self, token: str, client: str = "resource-server") -> dict[str, Any]:
        answer = self.post("/oauth/introspect", {"token": token}, client=client)
        assert answer.status_code == 200, answer.text
        return dict(answer.json)

    # --- the API

    def api(self, method: str, path: str, who: str | None = None, *, token: str | None = None, **more: Any) -> Answer:
        """Call the API as one of the cast, or with a token."""
        bearer = token or (self.token(who) if who else None)
        headers = {**({"Authorization": f"Bearer {bearer}"} if bearer else {}), **more.pop("headers", {})}
        return Answer.of(self.http.open(path, method=method, headers=headers, base_url=ISSUER, **more))

    def start(self, who: str = "agent", target: str = "customer", **body: Any) -> Answer:
        """Start an impersonation through the API."""
        shown = {"subject": self.id(target), "resource": [API], **REASON, **body}
        return self.api("POST", "/api/v1/impersonations", who, json=shown)

    def end(self, impersonation_id: str, who: str = "agent") -> Answer:
        return self.api("POST", f"/api/v1/impersonations/{impersonation_id}/end", who)

    def decide(self, impersonation_id: str, what: str, who: str, decision: str = "approve") -> Answer:
        """Post to `approval` or `consent`."""
        return self.api("POST", f"/api/v1/impersonations/{impersonation_id}/{what}", who, json={"decision": decision})

    # --- behind the scenes

    @contextmanager
    def work(self) -> Iterator[Work]:
        """Give a unit of work, for what a test arranges directly."""
        with self.app.app_context(), unit_of_work() as work:
            yield work

    def events(self, name: str | None = None, impersonation_id: str | None = None) -> list[dict[str, Any]]:
        """Return the trail's events, oldest first, each with its name and payload."""
        with self.app.app_context():
            selection = trail.Selection(name=name, impersonation_id=impersonation_id)
            rows = trail.events(db.session(), "main", selection, limit=10_000)
            return [{"name": row.name, "seq": row.seq, **json.loads(row.payload)} for row in rows]

    def close(self) -> None:
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()


def claims(token: str) -> dict[str, Any]:
    """Read a token's claims without verifying them."""
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def header(token: str) -> dict[str, Any]:
    """Read a token's header."""
    first = token.split(".", maxsplit=1)[0]
    return dict(json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4))))


def error(answer: Answer) -> str:
    """Return the OAuth error of a refusal, after checking its form (RFC 6749 §5.2)."""
    body = answer.json
    assert answer.status_code >= 400, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(body) >= {"error", "error_description"}
    return str(body["error"])


def make_app(settings: Settings, clock: HandClock) -> OpenAPI:
    app = create_app(settings, clock)
    with app.app_context():
        share_statements(db.engine)
    return app
