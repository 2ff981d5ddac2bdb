"""What a client's fields can be, in words."""

from typing import Any

from authserver.console.record_form import Form

Json = Any
METHODS = (
    ("client_secret", "A secret"),
    ("private_key_jwt", "Its own key (private_key_jwt)"),
    ("none", "Nothing: a public client"),
)
GRANTS = (
    ("authorization_code", "Sign-in of people", "authorization_code, with PKCE"),
    ("refresh_token", "Staying signed in", "refresh_token"),
    ("client_credentials", "As itself", "client_credentials"),
    ("urn:ietf:params:oauth:grant-type:token-exchange", "Token exchange", "acting as somebody: by the ways below"),
    ("urn:ietf:params:oauth:grant-type:device_code", "Devices without a keyboard", "device_code"),
)
WAYS = (
    ("A", "A · by user id", "support acts as a customer"),
    ("B", "B · own token", "somebody's own token for another audience"),
    ("C", "C · impersonation", "one that was started by itself"),
    ("D", "D · on behalf of", "a service calls the next one"),
    ("E", "E · trusted issuer", "a token of another issuer"),
    ("F", "F · support code", "a code that a customer made"),
)
ALGS = tuple((each, each) for each in ("RS256", "ES256", "PS256", "EdDSA"))
LIFETIMES = ((0, "Now"), (3600, "In an hour"), (86400, "In a day"), (604800, "In a week"), (2592000, "In 30 days"))
_OIDC = (
    ("openid", "openid", "an ID token"),
    ("profile", "profile", "name and user name"),
    ("email", "email", "e-mail address"),
    ("offline_access", "offline_access", "beyond the session"),
)


def method_words(method: str) -> str:
    """Name a way of authentication shortly."""
    return {"client_secret": "Secret", "private_key_jwt": "Own key", "none": "Public"}.get(method, method)


def choices_of(registered: Json, form: Form) -> dict[str, Json]:
    """Return the choices that depend on what is registered; what stands in the form already stays to be chosen."""
    scopes = [*_OIDC]
    for resource in registered["resources"]:
        scopes += [(each["name"], each["name"], _about(each, resource)) for each in resource["scopes"]]
    resources = [(each["uri"], each["name"], each["uri"]) for each in registered["resources"]]
    others = [(each["client_id"], each["name"], each["client_id"]) for each in registered["clients"]]
    return {
        "scopes": _with_own(scopes, form, "scopes"),
        "resources": _with_own(resources, form, "default_resources"),
        "others": _with_own(others, form, "accepts_tokens_of"),
    }


def _about(scope: Json, resource: Json) -> str:
    parts = [scope["description"], resource["name"], "never delegated" if scope["non_delegable"] else ""]
    return " · ".join(part for part in parts if part)


def _with_own(choices: list[tuple[str, str, str]], form: Form, name: str) -> list[tuple[str, str, str]]:
    unique = {value: (value, words, more) for value, words, more in reversed(choices)}
    known = [choice for choice in choices if unique.pop(choice[0], None)]
    have = [each for each in form.raw.getlist(name) if each not in {value for value, *_ in known}]
    return [*known, *((each, each, "") for each in have)]
