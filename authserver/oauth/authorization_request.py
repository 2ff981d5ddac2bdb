"""The parameters of an authorization request, parsed once (RFC 6749 §4.1.1, RFC 7636, OIDC Core §3.1.2.1)."""

import re
from dataclasses import dataclass
from typing import Self

from authserver.protocol.refusals import InvalidRequest, Refusal

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_MAX_CHARS = 4096
_MAX_NONCE = 512
_MAX_DIGITS = 9
REPEATABLE = frozenset({"resource"})


class UnsupportedResponseType(Refusal):
    """`unsupported_response_type` (RFC 6749 §4.1.2.1)."""

    error = "unsupported_response_type"
    words = "Only response_type=code is supported."


class RequestNotSupported(Refusal):
    """`request_not_supported` (OIDC Core §3.1.2.6)."""

    error = "request_not_supported"
    words = "Request objects are not supported."


class RequestUriNotSupported(Refusal):
    """`request_uri_not_supported` (OIDC Core §3.1.2.6)."""

    error = "request_uri_not_supported"
    words = "Request objects by reference are not supported."


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A well-formed request; `resources` and `scope` are not resolved yet, `max_age` is seconds."""

    scope: str | None
    resources: tuple[str, ...]
    state: str | None
    nonce: str | None
    prompt: frozenset[str]
    max_age: int | None
    acr_values: tuple[str, ...]
    login_hint: str | None
    id_token_hint: str | None
    code_challenge: str

    @classmethod
    def parse(cls, parameters: dict[str, list[str]]) -> Self:
        """Read the parameters of a client and URI that have been checked. Raises a Refusal to be sent back."""
        if any(len(values) > 1 for name, values in parameters.items() if name not in REPEATABLE):
            raise InvalidRequest("authorize.repeated", "A parameter is repeated.")
        if any("\0" in value or len(value) > _MAX_CHARS for values in parameters.values() for value in values):
            raise InvalidRequest("authorize.characters", "A parameter is too long or holds what is not allowed.")
        if any(len(nonce) > _MAX_NONCE for nonce in parameters.get("nonce", ())):
            raise InvalidRequest("authorize.nonce", "nonce is too long.")
        single = {name: values[0] for name, values in parameters.items() if values[0]}
        _check_response(single)
        return cls(
            scope=single.get("scope"),
            resources=tuple(value for value in parameters.get("resource", []) if value),
            state=single.get("state"),
            nonce=single.get("nonce"),
            prompt=_prompt(single.get("prompt")),
            max_age=_max_age(single.get("max_age")),
            acr_values=tuple((single.get("acr_values") or "").split()),
            login_hint=single.get("login_hint"),
            id_token_hint=single.get("id_token_hint"),
            code_challenge=_challenge(single.get("code_challenge"), single.get("code_challenge_method")),
        )


def _check_response(single: dict[str, str]) -> None:
    if "request" in single:
        raise RequestNotSupported("authorize.request")
    if "request_uri" in single:
        raise RequestUriNotSupported("authorize.request_uri")
    response_type = single.get("response_type")
    if response_type is None:
        raise InvalidRequest("authorize.response_type", "response_type is required.")
    if response_type != "code":
        raise UnsupportedResponseType("authorize.response_type")
    if single.get("response_mode", "query") != "query":
        raise InvalidRequest("authorize.response_mode", "Only response_mode=query is supported.")


def _challenge(challenge: str | None, method: str | None) -> str:
    """Take S256 alone (RFC 7636 §4.3, RFC 9700 §2.1.1)."""
    if challenge is None or method != "S256" or _CHALLENGE.fullmatch(challenge) is None:
        raise InvalidRequest("authorize.pkce", "A code_challenge with code_challenge_method=S256 is required.")
    return challenge


def _prompt(text: str | None) -> frozenset[str]:
    values = frozenset((text or "").split())
    if values - _PROMPTS or ("none" in values and len(values) > 1):
        raise InvalidRequest("authorize.prompt", "prompt is not supported.")
    return values


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise InvalidRequest("authorize.max_age", "max_age is a number of seconds.")
    return int(text)
