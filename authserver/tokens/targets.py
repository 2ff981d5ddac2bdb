"""Which resources and scopes a request is for (RFC 8707, RFC 8693 §2.1): every grant asks here."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from authserver.protocol.access import ISSUER_SCOPES, OIDC_SCOPES, OPENID, SCOPES_OF_ROLES, entitled
from authserver.protocol.refusals import InvalidScope, InvalidTarget
from authserver.protocol.scopes import Scope, join_scope, parse_scope
from authserver.storage import DbSession, people, resources
from authserver.storage.clients import RegisteredClient

_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:[!$-;=?-\[\]_a-z~]+")


@dataclass(frozen=True, slots=True)
class Target:
    """The resources, all of which go into `aud`, and the scopes asked: each of one of them, and the client's."""

    resources: tuple[str, ...]
    asked: tuple[Scope, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the scopes asked."""
        return tuple(scope.name for scope in self.asked)


def resolve(
    session: DbSession,
    client: RegisteredClient,
    named: Iterable[str],
    scope: str | None,
    *,
    of_people: bool = False,
) -> Target:
    """Resolve resources by URI and scopes by name; without them the client's defaults, and all it may have.

    The issuer's own scopes are for people who sign in (`of_people`), never for a client or an impersonator.
    Raises InvalidTarget or InvalidScope.
    """
    uris = tuple(dict.fromkeys(named)) or client.default_resources
    if not uris:
        raise InvalidTarget("resource.no_default")
    if not all(is_absolute_uri(uri) for uri in uris):
        raise InvalidTarget("resource.not_absolute")
    if len(resources.find(session, uris)) != len(uris):
        raise InvalidTarget("resource.unknown")
    may_have = client.scopes if of_people else client.scopes - ISSUER_SCOPES
    catalogue = {name: entry for name, entry in resources.scopes_of(session, uris).items() if name in may_have}
    if set(uris) - {entry.resource for entry in catalogue.values()}:
        raise InvalidTarget("resource.not_the_clients")
    if scope is None:
        return Target(uris, tuple(catalogue.values()))
    try:
        names = parse_scope(scope)
    except ValueError as error:
        raise InvalidScope("scope.malformed") from error
    if not (names or of_people) or any(name not in catalogue for name in names):
        raise InvalidScope("scope.unknown_or_not_the_clients")
    return Target(uris, tuple(catalogue[name] for name in names))


def resolve_sign_in(
    session: DbSession, client: RegisteredClient, named: Iterable[str], scope: str | None, issuer: str
) -> Target:
    """Resolve what a person's sign-in is for: as `resolve`, and with `openid` the issuer itself, for its userinfo."""
    try:
        names = parse_scope(scope or "")
    except ValueError as error:
        raise InvalidScope("scope.malformed") from error
    openid = {name: Scope(name, issuer, "read", non_delegable=True) for name in names if name in OIDC_SCOPES}
    if set(openid) - client.scopes or (openid and OPENID not in openid):
        raise InvalidScope("scope.unknown_or_not_the_clients")
    rest = join_scope(name for name in names if name not in openid)
    uris = tuple(dict.fromkeys(named)) or client.default_resources
    if not rest and openid and set(uris) <= {issuer}:
        return Target((issuer,), tuple(openid.values()))
    target = resolve(session, client, uris, rest or (None if scope is None else ""), of_people=True)
    audience = target.resources if not openid or issuer in target.resources else (*target.resources, issuer)
    return Target(audience, (*openid.values(), *target.asked))


def for_device(target: Target) -> Target:
    """Return what a device may ask of a target: nothing that lets whoever holds it decide as the person."""
    return Target(target.resources, tuple(scope for scope in target.asked if scope.name not in SCOPES_OF_ROLES))


def restore(session: DbSession, uris: Iterable[str], names: Iterable[str], issuer: str) -> Target:
    """Return a target that was resolved before; a scope that is registered no more is gone."""
    audience = tuple(uris)
    catalogue = resources.scopes_of(session, audience)
    catalogue |= {name: Scope(name, issuer, "read", non_delegable=True) for name in OIDC_SCOPES}
    return Target(audience, tuple(catalogue[name] for name in names if name in catalogue))


def available(session: DbSession, user_id: str, target: Target) -> tuple[Scope, ...]:
    """Return what is asked, cut by what the person has at this moment."""
    user = people.find(session, user_id)
    if user is None or not user.enabled:
        return ()
    has = OIDC_SCOPES | entitled(user.roles) | resources.scopes_of_roles(session, user.roles)
    return tuple(scope for scope in target.asked if scope.name in has)


def narrow(whole: Target, named: Iterable[str], scope: str | None) -> Target:
    """Return what a token request asks of what was granted (RFC 6749 §6, RFC 8707 §2.2); without words for it, all.

    Raises InvalidTarget or InvalidScope for what goes beyond.
    """
    uris = tuple(dict.fromkeys(named)) or whole.resources
    if set(uris) - set(whole.resources):
        raise InvalidTarget("resource.not_granted")
    asked = tuple(entry for entry in whole.asked if entry.resource in uris)
    if scope is None:
        return Target(uris, asked)
    try:
        names = parse_scope(scope)
    except ValueError as error:
        raise InvalidScope("scope.malformed") from error
    granted = {entry.name: entry for entry in asked}
    if not names or any(name not in granted for name in names):
        raise InvalidScope("scope.not_granted")
    return Target(uris, tuple(granted[name] for name in names))


def is_redirect_uri(text: str) -> bool:
    """Tell whether a client may register `text`: https, http on loopback, or an app's own scheme (RFC 8252 §7).

    One is compared by its characters (RFC 9700 §2.1): a `*` would look as if it stood for something, and a user's name
    before the host as if that were the host.
    """
    if not is_absolute_uri(text) or "*" in text:
        return False
    parts = urlsplit(text)
    if "@" in parts.netloc:
        return False
    if parts.scheme == "http":
        return parts.hostname in {"127.0.0.1", "::1", "localhost"}
    return parts.scheme == "https" or "." in parts.scheme


def is_absolute_uri(text: str) -> bool:
    """Tell whether `text` is an absolute URI without a fragment (RFC 8707 §2)."""
    if _URI.fullmatch(text) is None:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.netloc) if parts.scheme in {"http", "https"} else bool(parts.path)
