"""What may be said of a client: each field with its rule and its words."""

import re
from collections.abc import Mapping
from typing import Any

from authserver.protocol.access import ISSUER_SCOPES, NEVER_PUBLIC
from authserver.protocol.names import (
    GRANT_AUTHORIZATION_CODE,
    GRANT_CLIENT_CREDENTIALS,
    GRANT_DEVICE_CODE,
    GRANT_REFRESH_TOKEN,
    GRANT_TOKEN_EXCHANGE,
    USER_ID_PREFIX,
    Way,
)
from authserver.registry.refusals import Wrong
from authserver.registry.words import is_line
from authserver.storage import DbSession, clients, resources
from authserver.tokens.client_keys import check_public
from authserver.tokens.targets import is_redirect_uri

GRANTS = {
    "authorization_code": GRANT_AUTHORIZATION_CODE,
    "refresh_token": GRANT_REFRESH_TOKEN,
    "client_credentials": GRANT_CLIENT_CREDENTIALS,
    "token_exchange": GRANT_TOKEN_EXCHANGE,
    "device_code": GRANT_DEVICE_CODE,
    GRANT_TOKEN_EXCHANGE: GRANT_TOKEN_EXCHANGE,
    GRANT_DEVICE_CODE: GRANT_DEVICE_CODE,
}
"""Grant types by their names, and by shorter ones of ours."""
SECRET, KEYS, PUBLIC = "client_secret", "private_key_jwt", "none"
AUTH_METHODS = (SECRET, KEYS, PUBLIC)
ID_TOKEN_ALGS = ("RS256", "ES256", "PS256", "EdDSA")
LISTS = (
    *("grant_types", "ways", "scopes", "default_resources", "accepts_tokens_of"),
    *("redirect_uris", "post_logout_redirect_uris"),
)
_PUBLIC_GRANTS = frozenset({GRANT_AUTHORIZATION_CODE, GRANT_REFRESH_TOKEN, GRANT_DEVICE_CODE})
_CLIENT_ID = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,128}")
_MAX_ENTRIES = 64
_MAX_URI = 512
_URI_WORDS = (
    "is no absolute URI of https, http at a loopback address, or a scheme of an app's own, "
    "without a fragment, a wildcard or a user's name"
)


def client_id_wrongs(client_id: str) -> list[Wrong]:
    """Return what is wrong with a new client's id."""
    if _CLIENT_ID.fullmatch(client_id) is None or client_id.startswith(f"{USER_ID_PREFIX}_"):
        words = "is no client id: up to 128 of A-Z a-z 0-9 . _ -, and not beginning with usr_"
        return [Wrong("client_id", words, client_id)]
    return []


def parsed(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Wrong]]:
    """Return fields as they are stored, and what is wrong with them by themselves."""
    stored, found = dict(values), []
    for name in LISTS:
        if name in values:
            stored[name] = list(dict.fromkeys(values[name]))
            if len(stored[name]) > _MAX_ENTRIES:
                found.append(Wrong(name, f"has up to {_MAX_ENTRIES} entries"))
    if "grant_types" in values:
        grants = [GRANTS.get(grant, grant) for grant in values["grant_types"]]
        stored["grant_types"] = list(dict.fromkeys(grants))
        found += _foreign("grant_types", grants, GRANTS)
    found += _foreign("ways", values.get("ways", ()), tuple(Way))
    for name, choices in (("auth_method", AUTH_METHODS), ("id_token_alg", ID_TOKEN_ALGS)):
        found += _foreign(name, [values[name]] if name in values else (), choices)
    if "name" in values and not is_line(values["name"]):
        found.append(Wrong("name", "has 1 to 255 characters, and none that cannot be seen"))
    if values.get("jwks") is not None:
        try:
            stored["jwks"] = check_public(values["jwks"])
        except ValueError as error:
            found.append(Wrong("jwks", str(error)))
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        found += [Wrong(name, _URI_WORDS, uri) for uri in values.get(name, ()) if not _is_redirect(uri)]
    return stored, found


def _is_redirect(uri: str) -> bool:
    return len(uri) <= _MAX_URI and is_redirect_uri(uri)


def _foreign(name: str, given: Any, choices: Any) -> list[Wrong]:  # noqa: ANN401 - words and what they may be
    words = "is none of what it can be"
    return [Wrong(name, words, entry) for entry in given if entry not in choices]


def wrongs(session: DbSession, client_id: str, whole: Mapping[str, Any], given: Mapping[str, Any]) -> list[Wrong]:
    """Return what would not work: a method without its keys, and names of what is not registered.

    `whole` is the client as it would be; of what was not given and stands already, nothing is asked again.
    """
    method, grants = whole["auth_method"], set(whole["grant_types"])
    found = []
    if method == KEYS and whole["jwks"] is None:
        found.append(Wrong("jwks", f"is needed with {KEYS}: the client's public keys"))
    if method != KEYS and given.get("jwks") is not None:
        found.append(Wrong("jwks", f"is for {KEYS}"))
    if method == PUBLIC and not grants <= _PUBLIC_GRANTS:
        words = "of a public client are authorization_code, device_code and refresh_token alone"
        found.append(Wrong("grant_types", words))
    if method == PUBLIC:
        never = sorted(NEVER_PUBLIC & set(whole["scopes"]))
        found += [Wrong("scopes", "has one that no public client may have", scope) for scope in never]
    known = {
        "scopes": set(resources.scopes_of(session)) | ISSUER_SCOPES,
        "default_resources": {row.uri for row in resources.listing(session)},
        "accepts_tokens_of": {row.client_id for row in clients.listing(session)} | {client_id},
    }
    for name, registered in known.items():
        found += [Wrong(name, "is not registered", word) for word in given.get(name, ()) if word not in registered]
    return found
