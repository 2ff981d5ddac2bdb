"""Signing in and out, as any OAuth client does: code + PKCE, `state`, `nonce` and `iss` (RFC 9700, OIDC Core §3.1)."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, g, request

from authserver.console.answers import HOME, go, hand_over, local, problem_page
from authserver.console.api_client import ApiRefusedError
from authserver.console.calls import Call, StepUpNeededError, call
from authserver.console.links import is_foreign
from authserver.console.parts import ConsoleParts
from authserver.console.sessions import Content, Session, taken

_SIGN_IN_SECONDS = 900
_BINDING = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_KEPT = 16_384
_WORDS = {
    "access_denied": "You did not allow it, or may not sign in here.",
    "login_required": "Your organisation did not sign you in freshly enough.",
    "unmet_authentication_requirements": (
        "This needs a stronger sign-in than your account has, such as a passkey or an authenticator app. "
        "You can set one up in your account."
    ),
}
_OF_THEIR_OWN = ("/console/queue", "/console/active", "/console/impersonations/")
"""Pages whose forms are sent to addresses of their own, and which tell what was typed by its name."""
_FAILED = "You could not be signed in. Please try again."
_STALE = "This sign-in was begun too long ago, in another browser, or is finished already."


class UntrustworthySignInError(Exception):
    """What came back from the sign-in is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Why somebody is sent to sign in: where they were going, what they had typed, how strong it has to be."""

    path: str
    typed: Mapping[str, Sequence[str]] | None = None
    person: str = ""
    acr_values: str = ""
    max_age: int | None = None

    @classmethod
    def by(cls, path: str, step_up: StepUpNeededError | None = None, person: str = "") -> "Wanted":
        """Return what the present request wants; of a form all but its proof is kept.

        What one of a page's smaller forms was sent is not kept: it is not what stands in the page's large one.
        """
        there = path.partition("?")[0]
        fits = request.method == "POST" and (there == request.path or there.startswith(_OF_THEIR_OWN))
        form = request.form.to_dict(flat=False) if fits else {}
        typed = {name: values for name, values in form.items() if name not in {"csrf", "page"}}
        if len(json.dumps(typed)) > _MAX_KEPT:
            typed = {}
        age = None if step_up is None else step_up.max_age
        return cls(
            path=local(path),
            typed=typed or None,
            person=person,
            acr_values="" if step_up is None else step_up.acr_values,
            max_age=age if isinstance(age, int) and age >= 0 else None,
        )


def add_sign_in(blueprint: Blueprint, parts: ConsoleParts) -> None:
    """Add the endpoints."""

    @blueprint.get("/sign-in")
    def sign_in() -> Response:
        wanted = HOME if is_foreign(parts) else local(request.args.get("return_to", HOME))
        return begin(parts, Wanted(wanted))

    @blueprint.get("/callback")
    def callback() -> Response:
        try:
            return _finish(parts)
        except UntrustworthySignInError:
            parts.refused("console.sign_in_untrustworthy", "")
            return problem_page(400, "You could not be signed in", _FAILED, again=True)

    @blueprint.post("/sign-out")
    def sign_out() -> Response:
        """End the session here, then where they signed in; no token stands in that URL, so they are asked there."""
        here = call()
        here.session.end()
        g.pop("console_call")
        response = hand_over(f"{parts.issuer}/oauth/logout?{urlencode({'client_id': parts.client_id})}")
        clear(parts, response)
        return response


def begin(parts: ConsoleParts, wanted: Wanted) -> Response:
    """Send the browser to the authorization endpoint. Each sign-in is bound to the browser, and several may go on."""
    brought = request.cookies.get(_name(parts, "console-sign-in"), "")
    binding = brought if _BINDING.fullmatch(brought) else parts.token()
    state, nonce, verifier = parts.token(), parts.token(), parts.token()
    kept = {
        "nonce": nonce,
        "verifier": verifier,
        "path": wanted.path,
        "typed": wanted.typed,
        "person": wanted.person,
    }
    parts.store.create("sign_in", f"{binding}.{state}", kept, seconds=_SIGN_IN_SECONDS)
    query: dict[str, Any] = {
        "response_type": "code",
        "client_id": parts.client_id,
        "redirect_uri": f"{parts.issuer}/console/callback",
        "resource": parts.issuer,
        "state": state,
        "nonce": nonce,
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    if wanted.acr_values:
        query["acr_values"] = wanted.acr_values
    if wanted.max_age is not None:
        query["max_age"] = wanted.max_age
    url = f"{parts.issuer}/oauth/authorize?{urlencode(query)}"
    response = hand_over(url) if request.method == "POST" else go(url)
    _set(parts, response, "console-sign-in", binding, max_age=_SIGN_IN_SECONDS)
    return response


def _finish(parts: ConsoleParts) -> Response:
    """Take the answer of the authorization endpoint, and begin a session."""
    given = {name: values[0] for name, values in request.args.lists() if len(values) == 1}
    binding = request.cookies.get(_name(parts, "console-sign-in"), "")
    state = given.get("state", "")
    fits = _BINDING.fullmatch(binding) and _BINDING.fullmatch(state)
    kept = parts.store.take("sign_in", f"{binding}.{state}") if fits else None
    if kept is None:
        parts.refused("console.sign_in_not_begun_here", "")
        return problem_page(400, "You could not be signed in", _STALE, again=True)
    if given.get("iss") != parts.issuer:  # RFC 9207 §2.4
        raise UntrustworthySignInError
    if "error" in given:
        words = _WORDS.get(given["error"], _FAILED)
        return problem_page(403, "You could not be signed in", words, again=True, path=kept["path"])
    tokens = _redeem(parts, given.get("code", ""), kept["verifier"])
    subject = _subject(parts, tokens, kept["nonce"])
    session = _new_session(parts, {**taken(tokens, parts.now()), "person": subject})
    here = Call(parts, session)
    if here.me.id != subject:
        session.end()
        raise UntrustworthySignInError
    same = kept["person"] in {"", subject}
    if kept["typed"] and same:
        session.put("typed", {"path": kept["path"].partition("?")[0], "form": kept["typed"]})
    response = go(kept["path"] if same else HOME)
    _set(parts, response, "console", session.cookie, max_age=None)
    return response


def _new_session(parts: ConsoleParts, content: Content) -> Session:
    """Begin a session under a new cookie; the one before, if there was one, is over."""
    before = Session.find(parts, cookie(parts))
    if before is not None:
        before.end()
    return Session.begin(parts, content)


def _redeem(parts: ConsoleParts, code: str, verifier: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier,
        "redirect_uri": f"{parts.issuer}/console/callback",
    }
    try:
        return parts.api.form("/oauth/token", form, (parts.client_id, parts.client_secret()))
    except ApiRefusedError as error:
        raise UntrustworthySignInError from error


def _subject(parts: ConsoleParts, tokens: dict[str, Any], nonce: str) -> str:
    """Check the ID token's claims and return its `sub` (OIDC Core §3.1.3.7).

    It came from the token endpoint itself, so the connection vouches for its issuer in the signature's place (no. 6).
    """
    try:
        payload = str(tokens["id_token"]).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        sound = (
            claims["iss"] == parts.issuer
            and audience == [parts.client_id]
            and claims["nonce"] == nonce
            and int(claims["exp"]) > parts.now()
            and "act" not in claims
        )
        subject = str(claims["sub"])
    except (KeyError, IndexError, TypeError, ValueError, binascii.Error) as error:
        raise UntrustworthySignInError from error
    if not sound:
        raise UntrustworthySignInError
    return subject


# --- cookies


def cookie(parts: ConsoleParts) -> str:
    """Return the session's cookie, empty when the browser sent none."""
    return request.cookies.get(_name(parts, "console"), "")


def clear(parts: ConsoleParts, response: Response) -> None:
    """Drop the session's cookie."""
    _set(parts, response, "console", "", max_age=0)


def _name(parts: ConsoleParts, name: str) -> str:
    """Return a cookie's name: with the prefix no other host and no plain connection can set it (RFC 6265bis §4.1.3)."""
    return f"__Host-{name}" if parts.secure else name


def _set(parts: ConsoleParts, response: Response, name: str, value: str, *, max_age: int | None) -> None:
    path = "/" if parts.secure else "/console"  # what the prefix is for wants the whole host
    response.set_cookie(
        _name(parts, name), value, max_age=max_age, path=path, secure=parts.secure, httponly=True, samesite="Lax"
    )
