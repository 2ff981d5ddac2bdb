"""A person's browser in a test: cookies, forms, and an application that waits for its code."""

import base64
import hashlib
import html
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pyotp
from flask.testing import FlaskClient

from authserver.storage import accounts, clients
from authserver.storage.tables import Client
from authserver.tokens.secret_hashes import SecretKind
from tests.world import API, ISSUER, Answer, World

CALLBACK = "http://127.0.0.1:4711/callback"
VERIFIER = "a" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@dataclass
class BrowserOf:
    """A browser of its own, without scripts."""

    world: World
    http: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = self.world.app.test_client()

    @property
    def issuer(self) -> str:
        return self.world.wired.settings.issuer

    def get(self, path: str, **query: Any) -> Answer:
        return Answer.of(self.http.get(path, query_string=query or None, base_url=self.issuer))

    def post(self, path: str, _origin: str | None = ISSUER, **form: Any) -> Answer:
        origin = self.issuer if _origin == ISSUER else _origin
        headers = {} if origin is None else {"Origin": origin}
        return Answer.of(self.http.post(path, data=form, headers=headers, base_url=self.issuer))

    def follow(self, answer: Answer) -> Answer:
        """Go where an answer of this server sends the browser."""
        assert answer.status_code == 303, answer.text
        assert answer.headers["Location"].startswith("/"), answer.headers["Location"]
        return self.get(answer.headers["Location"])

    def cookie(self, kind: str = "session") -> str | None:
        """Return the value of a cookie that the browser holds."""
        prefix = "__Host-" if self.issuer.startswith("https:") else ""
        host = urlsplit(self.issuer).hostname or ""
        held = self.http.get_cookie(f"{prefix}authserver-{kind}", domain=host)
        return None if held is None else held.value

    def submit(self, shown: Answer, path: str, **form: Any) -> Answer:
        """Fill in the form of a page and send it, with its hidden fields."""
        return self.post(path, **{**hidden(shown), **form})

    def sign_in(self, who: str = "agent", **query: Any) -> Answer:
        """Sign in with the known password; return the last answer, which sends the browser on."""
        return self.log_in(self.get("/login", **query), who)

    def log_in(self, shown: Answer, who: str = "agent") -> Answer:
        """Fill in the sign-in page that is shown."""
        user = self.world.credentials["users"][who]
        return self.submit(shown, "/login", username=user["username"], password=user["password"])

    def authorize(self, **changes: Any) -> Answer:
        """Send an authorization request of `backend`; None leaves a parameter out."""
        return Answer.of(self.http.get(f"/oauth/authorize?{query_of(**changes)}", base_url=self.issuer))

    def code(self, **changes: Any) -> str:
        """Return a code for a browser that is signed in."""
        return answer_of(self.authorize(**changes))["code"]

    def tokens(self, client: str | None = "backend", **changes: Any) -> dict[str, Any]:
        """Return the tokens of an application that a person who is signed in goes to."""
        uri = changes.get("redirect_uri", CALLBACK)
        named = {} if client == "backend" else {"client_id": client}
        code = answer_of(self.authorize(**named, **changes), uri)["code"]
        answer = redeem(self.world, code, client, redirect_uri=uri)
        assert answer.status_code == 200, answer.text
        return dict(answer.json)


def query_of(**changes: Any) -> str:
    """Return the query of an authorization request of `backend`."""
    query = {
        "response_type": "code",
        "client_id": "backend",
        "redirect_uri": CALLBACK,
        "scope": "openid accounts:read",
        "state": "a state",
        "nonce": "a nonce",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return urlencode([(name, value) for name, value in query.items() if value is not None], doseq=True)


def hidden(shown: Answer) -> dict[str, str]:
    """Return the hidden fields of a page's forms."""
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', shown.text)
    return {name: html.unescape(value) for name, value in found}


def handed_over(answer: Answer) -> str:
    """Return where a page of ours hands the browser over to, by its refresh and by its link alike."""
    assert answer.status_code == 200, answer.text
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', answer.text)
    assert found is not None, answer.text
    assert f'href="{found[1]}"' in answer.text
    return html.unescape(found[1])


def answer_of(answer: Answer, uri: str = CALLBACK) -> dict[str, str]:
    """Return the parameters that an application gets at its redirect URI."""
    assert answer.status_code == 303, answer.text
    before, _, query = answer.headers["Location"].partition("?")
    assert before == uri, answer.headers["Location"]
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}


def redeem(world: World, code: str, client: str | None = "backend", /, **changes: Any) -> Answer:
    """Exchange a code for tokens; a public client has no secret, and says its `client_id` instead."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        **changes,
    }
    return token(world, form, client)


def refresh(world: World, value: str, client: str | None = "backend", **changes: Any) -> Answer:
    """Use a refresh token."""
    return token(world, {"grant_type": "refresh_token", "refresh_token": value, **changes}, client)


def token(world: World, form: dict[str, Any], client: str | None) -> Answer:
    """Ask for a token as a client, authenticated by the secret that it has or by nothing."""
    if client in world.credentials["clients"]:
        return world.post("/oauth/token", form, client=client)
    return world.post("/oauth/token", {"client_id": client, **form}, client=None)


def new_client(world: World, client_id: str, *, public: bool = False, **values: Any) -> None:
    """Register a client for people's sign-in: a third party, unless `values` say otherwise."""
    row: dict[str, Any] = {
        "name": "A third party",
        "auth_method": "none" if public else "client_secret",
        "grant_types": ["authorization_code", "refresh_token"],
        "ways": [],
        "scopes": ["openid", "profile", "email", "offline_access", "accounts:read", "cards:write"],
        "default_resources": [API],
        "accepts_tokens_of": [],
        "id_token_alg": "RS256",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "post_logout_redirect_uris": [],
        "first_party": False,
        **values,
    }
    now, secret = world.clock.now(), "s" * 43
    with world.work() as work:
        work.lock()
        clients.add(work.session, Client(client_id=client_id, jwks=None, created_at=now, **row))
        if not public:
            hashed = world.wired.hasher.hash(SecretKind.CLIENT_SECRET, client_id + secret)
            clients.add_secret(work.session, client_id, hashed, now=now)
            world.credentials["clients"][client_id] = {"client_id": client_id, "client_secret": client_id + secret}


def change_client(world: World, client_id: str = "backend", **values: Any) -> None:
    """Change a client's registration."""
    with world.work() as work:
        work.lock()
        assert clients.change(work.session, client_id, **values)


def new_app(world: World, who: str = "agent") -> pyotp.TOTP:
    """Give a person an authenticator app, whose first code has been used."""
    user_id, totp = world.id(who), world.wired.sign_in.totp
    with world.work() as work:
        app = pyotp.TOTP(totp.enrol(work, user_id, who).secret)
    with world.work() as work:
        assert totp.confirm(work, user_id, app.at(world.clock.now()), by=user_id)
    world.clock.pass_(30)
    return app


def new_recovery_codes(world: World, who: str = "agent") -> list[str]:
    """Give a person recovery codes."""
    with world.work() as work:
        return world.wired.sign_in.recovery.regenerate(work, world.id(who), by=world.id(who))


def new_password(world: World, who: str, password: str) -> None:
    """Give a person another password."""
    hashed = world.wired.sign_in.passwords.hash(password)
    with world.work() as work:
        work.lock()
        accounts.put_password(work.session, world.id(who), hashed, now=world.clock.now())


def stranger_reasons(world: World) -> set[str]:
    """Return the private reasons for which strangers were refused, as the trail has them."""
    with world.app.app_context():
        world.wired.jobs._record_strangers(everything=True)
    return {reason for event in world.events("strangers:refused") for reason in event["reasons"]}
