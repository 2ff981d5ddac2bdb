"""Resource servers that tokens are for, their scopes, and which role has which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from authserver.audit.chain import Trail
from authserver.audit.events.changes import ResourceChanged
from authserver.protocol.access import ISSUER_SCOPES
from authserver.protocol.names import Role
from authserver.protocol.refusals import Conflict
from authserver.protocol.scopes import Scope, parse_scope
from authserver.registry.hands import take_hold
from authserver.registry.refusals import Taken, Unfit, Unknown, Wrong
from authserver.registry.words import is_line
from authserver.storage import DbSession, clients, resources
from authserver.storage.database import Work
from authserver.storage.tables import Resource
from authserver.tokens.targets import is_absolute_uri

IDENTIFIERS = ("id", "username", "email")
CLAIMS = ("name", "email", "username", "population", "tier", "country", "roles", "groups")
_MAX_URI, _MAX_SCOPE = 512, 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeEntry:
    """Everything about a scope: who has it is `roles`, and whoever is not named loses it."""

    name: str
    access: Literal["read", "write"]
    non_delegable: bool
    roles: tuple[Role, ...]
    description: str


class Resources:
    """Decides on what is given, then writes it with its event; whoever is named in `by` did it."""

    def __init__(self, issuer: str, trail: Trail) -> None:
        """Leave the resource `issuer` alone: the server keeps it itself."""
        self._issuer = issuer
        self._trail = trail

    def register(
        self, work: Work, uri: str, values: Mapping[str, Any], scopes: Sequence[ScopeEntry] = (), *, by: str
    ) -> None:
        """Register a resource server with its scopes. Raises Unfit, Taken."""
        if not is_absolute_uri(uri) or len(uri) > _MAX_URI:
            words = "must be an absolute URI without a fragment (RFC 8707), of up to 512 characters"
            raise Unfit("resources.uri", Wrong("uri", words, uri))
        self._begin(work, by)
        if resources.find(work.session, [uri]):
            raise Taken("resources.taken", Wrong("uri", "is registered already", uri))
        if _alike(uri) == _alike(self._issuer):
            raise Taken("resources.issuer", Wrong("uri", "is this server itself, whose scopes are fixed", uri))
        self._check(work.session, uri, values, scopes)
        row = {"name": uri, "subject_identifier": "id", "extra_claims": [], "reason_visible": False, **values}
        if not resources.add_new(work.session, {"uri": uri, **row}):
            raise Taken("resources.taken", Wrong("uri", "is registered already", uri))
        self._record(work, uri, "registered", values, by=by)
        self._put(work, uri, scopes, by=by)

    def change(
        self, work: Work, uri: str, values: Mapping[str, Any], scopes: Sequence[ScopeEntry] = (), *, by: str
    ) -> None:
        """Change what is given and leave the rest; a scope that is named is given anew, whole.

        Tokens that were issued stay as they are. Raises Unknown, Unfit, Taken; Conflict for the issuer's own.
        """
        self._begin(work, by)
        if uri == self._issuer:
            raise Conflict("resources.issuer", "This is this server itself, whose scopes are fixed.")
        if not resources.find(work.session, [uri]):
            raise Unknown("resources.unknown")
        self._check(work.session, uri, values, scopes)
        if values:
            resources.put(work.session, Resource(uri=uri, **values))
            self._record(work, uri, "changed", values, by=by)
        self._put(work, uri, scopes, by=by)

    def _begin(self, work: Work, by: str) -> None:
        """Let one writer at a time change resources: the issuer's own row stands for all of them."""
        take_hold(work, by)
        resources.hold(work.session, self._issuer)

    def _check(self, session: DbSession, uri: str, values: Mapping[str, Any], scopes: Sequence[ScopeEntry]) -> None:
        found = _wrongs(session, values)
        registered = resources.scopes_of(session)
        for entry in scopes:
            known = registered.get(entry.name)
            if not _is_scope(entry.name):
                found.append(Wrong("scopes", "is no scope (RFC 6749 section 3.3)", entry.name))
            elif entry.name in ISSUER_SCOPES or (known is not None and known.resource != uri):
                found.append(Wrong("scopes", "belongs to another resource: a scope has one", entry.name))
            if entry.description and not is_line(entry.description):
                found.append(Wrong("scopes", "has a description of more than 255 characters, or what cannot be seen"))
        if len({entry.name for entry in scopes}) != len(scopes):
            found.append(Wrong("scopes", "names one twice"))
        if found:
            raise Unfit("resources.unfit", *found)

    def _put(self, work: Work, uri: str, scopes: Sequence[ScopeEntry], *, by: str) -> None:
        registered = resources.scopes_of(work.session, [uri])
        for entry in scopes:
            scope = Scope(entry.name, uri, entry.access, non_delegable=entry.non_delegable)
            resources.put_scope(work.session, scope, roles=entry.roles, description=entry.description)
            resources.take_from_roles(work.session, entry.name, but=entry.roles)
            changes = {
                "scope": entry.name,
                "access": entry.access,
                "non_delegable": entry.non_delegable,
                "roles": list(entry.roles),
            }
            action = "scope_changed" if entry.name in registered else "scope_registered"
            self._record(work, uri, action, changes, by=by)

    def _record(self, work: Work, uri: str, action: str, changes: Mapping[str, Any], *, by: str) -> None:
        self._trail.record(work, ResourceChanged(uri=uri, action=action, by=by, changes=changes))


def _wrongs(session: DbSession, values: Mapping[str, Any]) -> list[Wrong]:
    found = []
    if "name" in values and not is_line(values["name"]):
        found.append(Wrong("name", "has 1 to 255 characters, and none that cannot be seen"))
    owner = values.get("owner_client_id")
    if owner is not None and clients.find(session, owner) is None:
        found.append(Wrong("owner_client_id", "is not registered", owner))
    if values.get("subject_identifier", "id") not in IDENTIFIERS:
        found.append(Wrong("subject_identifier", f"is one of {', '.join(IDENTIFIERS)}"))
    if not set(values.get("extra_claims", ())) <= set(CLAIMS):
        found.append(Wrong("extra_claims", f"is some of {', '.join(CLAIMS)}"))
    return found


def _is_scope(name: str) -> bool:
    try:
        return parse_scope(name) == (name,) and len(name) <= _MAX_SCOPE
    except ValueError:
        return False


def _alike(uri: str) -> str:
    """Return what two URIs have in common that people would take for one."""
    return uri.lower().rstrip("/")
