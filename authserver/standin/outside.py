"""What the phone's app asks of the world: a code's redemption, and the bank's API. A native app knows no CORS."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

_TIMEOUT = (2, 10)
_UNREACHABLE = 503
_CALLS = {("GET", "me"), ("GET", "accounts"), ("PUT", "nickname"), ("POST", "transfers")}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the JSON object that came with it; empty where there was none."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outside:
    """Speaks to one issuer and one bank, whatever is asked; keeps and logs nothing."""

    issuer: str
    bank: str
    names: Mapping[str, str]

    def redeem(self, code: str, proof: str | None) -> Answer:
        """Redeem a one-time code, with the app's proof that it holds a key (RFC 9449 §5)."""
        return _ask("POST", f"{self.issuer}/appetize/redeem", headers=_proving(proof), json={"code": code})

    def call(self, method: str, what: str, authorization: str, proof: str | None, body: object) -> Answer | None:
        """Call the bank's API, as whoever the token says; None where the app has no such call."""
        if (method, what) not in _CALLS:
            return None
        content = {} if method == "GET" else {"json": body}
        answer = _ask(
            method, f"{self.bank}/{what}", headers={"Authorization": authorization, **_proving(proof)}, **content
        )
        people = {key: self.names.get(str(answer.body.get(key)), answer.body.get(key)) for key in ("owner", "seen_by")}
        return Answer(answer.status, {**answer.body, "names": people}) if what == "me" else answer


def _proving(proof: str | None) -> dict[str, str]:
    return {} if proof is None else {"DPoP": proof}


def _ask(method: str, url: str, **content: Any) -> Answer:  # noqa: ANN401 - requests' own
    with requests.Session() as session:
        session.trust_env = False  # no proxy and no .netrc: both are on this machine
        try:
            response = session.request(method, url, timeout=_TIMEOUT, allow_redirects=False, **content)
            body = response.json()
        except requests.RequestException:  # what is no JSON is one too
            return Answer(_UNREACHABLE, {"error": "unreachable"})
    return Answer(response.status_code, body if isinstance(body, dict) else {})
