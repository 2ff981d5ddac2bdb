"""A strict OpenID provider in a process of its own, on Authlib's server side; called with a port.

PKCE, a nonce, an exact redirect URI and client_secret_basic are wanted; it names itself in its answers (RFC 9207),
signs with PS256 or ES256 and a key that may have no kid, knows sessions, acr, max_age and prompt, and makes logout
tokens. What `/control` is told it does wrong, and nothing else.
"""

import json
import secrets
import sys
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import OpenIDCode
from authlib.oidc.core.grants.util import create_half_hash  # type: ignore[attr-defined]
from flask import Flask, Response, jsonify, make_response, redirect, request
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from werkzeug.serving import WSGIRequestHandler

CLIENT_ID, CLIENT_SECRET = "authserver", "s3cret+/%"
SUB, EMAIL, PASSWORD = "strict-avery", "agent@example.com", "right"
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_FORM = """<form method=post><label>User<input name=username></label><label>Password<input name=password></label>
<label>Code<input name=code></label><button>Sign in</button></form>"""


@dataclass
class Login:
    """A person's session at the provider."""

    auth_time: int
    acr: str
    sid: str = field(default_factory=lambda: secrets.token_urlsafe(9))


@dataclass
class Code:
    """What a code stands for."""

    code: str
    redirect_uri: str
    nonce: str
    code_challenge: str
    login: Login
    scope: str
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


class Client:
    """The one client."""

    client_id = CLIENT_ID
    redirect_uris: tuple[str, ...] = ()

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uris[0]

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Provider:
    """Everything it knows, and what it was told to do wrong."""

    issuer: str
    client: Client = field(default_factory=Client)
    logins: dict[str, Login] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    wrong: dict[str, Any] = field(default_factory=dict)
    keys: list[tuple[str | None, str, Any]] = field(default_factory=list)

    def rotate(self, alg: str, kid: str | None) -> None:
        key = ECKey.generate_key("P-256") if alg == "ES256" else RSAKey.generate_key(2048)
        self.keys = [(kid, alg, key)]

    def sign(self, claims: dict[str, Any], typ: str) -> str:
        kid, alg, key = self.keys[0]
        header = {"alg": alg, "typ": typ, **({"kid": kid} if kid else {})}
        changed = {**claims, **self.wrong.get("claims", {})}
        payload = {name: value for name, value in changed.items() if value is not None}
        return jws.serialize_compact(header, json.dumps(payload).encode(), key, algorithms=[alg])

    def logout_token(self, changes: dict[str, Any]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(9),
            "events": {_LOGOUT: {}},
            **changes,
        }
        return self.sign(claims, "logout+jwt")


class _CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

    def save_authorization_code(self, code: str, asked: Any) -> None:
        data, provider = asked.payload.data, self.server.provider
        row = Code(code, data["redirect_uri"], data["nonce"], data["code_challenge"], asked.user, data["scope"])
        provider.codes[code] = row

    def query_authorization_code(self, code: str, _client: Any) -> Code | None:
        found: Code | None = self.server.provider.codes.get(code)
        return found

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del self.server.provider.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> Login:
        return authorization_code.login


class _IdToken(OpenIDCode):
    def __init__(self, provider: Provider) -> None:
        super().__init__(require_nonce=True)
        self.provider = provider

    def exists_nonce(self, nonce: str, _request: Any) -> bool:
        return any(code.nonce == nonce for code in self.provider.codes.values())

    def encode_id_token(self, token: dict[str, Any], asked: Any) -> str:
        code, now = asked.authorization_code, int(time.time())
        half = create_half_hash(token["access_token"], self.provider.keys[0][1])
        claims = {
            "iss": self.provider.issuer,
            "sub": SUB,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": code.nonce,
            "auth_time": code.login.auth_time,
            "acr": code.login.acr,
            "sid": code.login.sid,
            "at_hash": half.decode(),
            "email": EMAIL,
            "email_verified": True,
            "groups": ["support"],
        }
        return self.provider.sign(claims, "JWT")


def create(issuer: str) -> Flask:
    """Return the provider; `/control` changes what it does wrong, and starts afresh."""
    app, provider = Flask(__name__), Provider(issuer)
    provider.rotate("PS256", "first")
    server: Any = AuthorizationServer(app, query_client=lambda _id: provider.client, save_token=lambda *_: None)
    server.provider = provider
    server.register_grant(_CodeGrant, [_IdToken(provider), CodeChallenge(required=True)])
    names: Any = IssuerParameter()
    names.get_issuer = lambda: provider.wrong.get("names_itself", issuer)
    server.register_extension(names)
    server.scopes_supported = ["openid", "profile", "email"]
    app.before_request(lambda: time.sleep(provider.wrong.get("slow", 0)) if request.path != "/control" else None)
    _add_documents(app, provider)
    _add_sign_in(app, provider, server)
    _add_control(app, provider)
    return app


def _add_documents(app: Flask, provider: Provider) -> None:
    endpoints = {"authorization_endpoint": "authorize", "token_endpoint": "token", "end_session_endpoint": "logout"}

    @app.get("/.well-known/openid-configuration")
    def discovery() -> Response:
        at = {name: f"{provider.issuer}/{path}" for name, path in {**endpoints, "jwks_uri": "jwks"}.items()}
        told = {"issuer": provider.issuer, **at, "authorization_response_iss_parameter_supported": True}
        return jsonify({**told, "token_endpoint_auth_methods_supported": ["client_secret_basic"]})

    @app.get("/jwks")
    def jwks() -> Response:
        listed = [
            {**key.as_dict(private=False), "use": "sig", "alg": alg, **({"kid": kid} if kid else {})}
            for kid, alg, key in provider.keys
        ]
        return jsonify({"keys": [{n: v for n, v in key.items() if n != "kid" or v} for key in listed]})


def _add_sign_in(app: Flask, provider: Provider, server: Any) -> None:
    @app.route("/authorize", methods=["GET", "POST"])
    def authorize() -> Any:
        login = provider.logins.get(request.cookies.get("op", ""))
        if request.method == "POST":
            if request.form.get("password") != PASSWORD:
                return make_response("wrong", 403)
            login = Login(int(time.time()), "2" if request.form.get("code") == "123456" else "1")
        elif login is None or _again(login, provider.wrong):
            return _FORM
        cookie = secrets.token_urlsafe(9)
        provider.logins[cookie] = login
        answer = server.create_authorization_response(grant_user=login)
        answer.set_cookie("op", cookie)
        return answer

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.get("/logout")
    def logout() -> Any:
        provider.logins.pop(request.cookies.get("op", ""), None)
        provider.wrong["last_logout"] = request.args.to_dict()
        uri = request.args["post_logout_redirect_uri"]
        return redirect(f"{uri}?{urlencode({'state': request.args['state']})}", 302)


def _again(login: Login, wrong: dict[str, Any]) -> bool:
    """Tell whether who is signed in has to prove more or anew, unless the provider was told not to care."""
    if wrong.get("careless"):
        return False
    asked = request.args
    too_old = "max_age" in asked and time.time() - login.auth_time >= int(asked["max_age"])
    wanted = asked.get("acr_values", "").split()
    return too_old or "login" in asked.get("prompt", "") or (bool(wanted) and login.acr not in wanted)


def _add_control(app: Flask, provider: Provider) -> None:
    @app.post("/control")
    def control() -> Response:
        told = request.get_json()
        provider.wrong = dict(told.get("wrong", {}))
        if "redirect_uris" in told:
            provider.client.redirect_uris = tuple(told["redirect_uris"])
        if "rotate" in told:
            provider.rotate(*told["rotate"])
        if told.get("age"):
            for login in provider.logins.values():
                login.auth_time -= told["age"]
        if "logout" in told:
            token = provider.logout_token(told["logout"])
            return jsonify({"token": token})
        return jsonify({"sids": [login.sid for login in provider.logins.values()]})

    @app.get("/control")
    def seen() -> Response:
        return jsonify(provider.wrong)


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: Any) -> None:
        """Log nothing."""


def main() -> None:
    """Serve on 127.0.0.1 at the port that is named."""
    port = int(sys.argv[1])
    app = create(f"http://127.0.0.1:{port}")
    app.run("127.0.0.1", port, threaded=True, request_handler=_Quiet)


if __name__ == "__main__":
    main()
