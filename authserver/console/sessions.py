"""A browser's session at the console: its tokens stay here, and are renewed once, however many requests come."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from authserver.console.api_client import ApiRefusedError, ApiUnavailableError
from authserver.console.parts import ConsoleParts

Content = dict[str, Any]
_EARLY_SECONDS = 30
_RENEWING_SECONDS = 30  # longer than a call can take: a refresh token that is sent twice ends the session
_TRIES = 8
_POLL_SECONDS = 0.1
_POLLS = 60


class SignedOutError(Exception):
    """The session is over: its person has to sign in again."""


@dataclass(slots=True)
class Session:
    """One browser's session, as read last."""

    parts: ConsoleParts
    cookie: str
    content: Content

    @classmethod
    def begin(cls, parts: ConsoleParts, content: Content) -> "Session":
        """Begin a session under a secret of its own: never one that the browser brought (session fixation)."""
        cookie = parts.token()
        content = {"csrf": parts.token(), **content}
        parts.store.create("session", cookie, content, seconds=parts.session_seconds)
        return cls(parts, cookie, content)

    @classmethod
    def find(cls, parts: ConsoleParts, cookie: str) -> "Session | None":
        """Return the session of a cookie."""
        held = parts.store.read("session", cookie) if cookie else None
        return None if held is None else cls(parts, cookie, held.content)

    @property
    def csrf(self) -> str:
        """The proof that a form carries."""
        return str(self.content["csrf"])

    def change(self, decide: Callable[[Content], Content | None]) -> bool:
        """Compare and swap: put what `decide` makes of the content as it is; False where it makes None of it.

        Raises SignedOutError when the session is gone.
        """
        for _ in range(_TRIES):
            held = self.parts.store.read("session", self.cookie)
            if held is None:
                raise SignedOutError
            self.content = held.content
            wanted = decide(dict(held.content))
            if wanted is None:
                return False
            if self.parts.store.replace("session", self.cookie, wanted, version=held.version):
                self.content = wanted
                return True
        raise ApiUnavailableError("the session changes too often")

    def put(self, name: str, value: Any) -> None:  # noqa: ANN401 - JSON
        """Keep a value; None forgets it."""
        self.change(lambda content: _with(content, name, value))

    def pop(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """Return a value, and forget it."""
        found = self.content.get(name)
        if found is not None:
            self.put(name, None)
        return found

    def end(self) -> None:
        """Forget everything, and have the server forget the refresh token, if it answers."""
        content = self.parts.store.take("session", self.cookie)
        if content is None:
            return
        try:
            self.parts.api.form("/oauth/revoke", {"token": content["refresh_token"]}, _client(self.parts))
        except (ApiRefusedError, ApiUnavailableError):
            return

    # --- tokens

    def access_token(self, *, refused: str | None = None) -> str:
        """Return an access token that lives for a while yet, and is not the one that was `refused`."""
        if self._usable(refused):
            return str(self.content["access_token"])
        until = self.parts.now() + _RENEWING_SECONDS
        for _ in range(_POLLS):
            if self.change(lambda content: self._claim(content, refused, until)):
                return self._renew()
            if self._usable(refused):
                return str(self.content["access_token"])
            time.sleep(_POLL_SECONDS)  # another request renews it, and a refresh token is good once (RFC 9700 §4.14)
        raise ApiUnavailableError("the token is being renewed")

    def _usable(self, refused: str | None) -> bool:
        content = self.content
        return bool(content["access_token"] != refused) and self.parts.now() < content["token_until"] - _EARLY_SECONDS

    def _claim(self, content: Content, refused: str | None, until: int) -> Content | None:
        """Say that this request renews the token, unless another one does, or has."""
        current = content["access_token"] != refused and self.parts.now() < content["token_until"] - _EARLY_SECONDS
        if current or content.get("renewing_until", 0) > self.parts.now():
            return None
        return {**content, "renewing_until": until}

    def _renew(self) -> str:
        form = {"grant_type": "refresh_token", "refresh_token": self.content["refresh_token"]}
        try:
            tokens = self.parts.api.form("/oauth/token", form, _client(self.parts))
        except ApiRefusedError as error:
            if error.error == "invalid_client":  # the console's own fault: nobody else is to suffer for it
                self.put("renewing_until", None)
                raise ApiUnavailableError("invalid_client") from error
            self.parts.store.take("session", self.cookie)
            raise SignedOutError from error
        except ApiUnavailableError:
            self.put("renewing_until", None)
            raise
        self.change(lambda content: {**content, **taken(tokens, self.parts.now()), "renewing_until": 0})
        return str(self.content["access_token"])


def taken(tokens: dict[str, Any], now: int) -> Content:
    """Return what a session keeps of a token response (RFC 6749 §5.1)."""
    try:
        return {
            "access_token": str(tokens["access_token"]),
            "refresh_token": str(tokens["refresh_token"]),
            "token_until": now + int(tokens["expires_in"]),
        }
    except (KeyError, ValueError) as error:
        raise ApiUnavailableError("no tokens: may the client refresh?") from error


def _client(parts: ConsoleParts) -> tuple[str, str]:
    return parts.client_id, parts.client_secret()


def _with(content: Content, name: str, value: object) -> Content:
    content = {key: kept for key, kept in content.items() if key != name}
    return content if value is None else {**content, name: value}
