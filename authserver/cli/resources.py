"""`authserver resources`: the resource servers that tokens are for, their scopes, and which role has which."""

import re
from typing import Any

import click

from authserver.app import Wired
from authserver.audit.events import ResourceChanged
from authserver.cli import Options
from authserver.cli.options import Words, echo_table, given, refuse
from authserver.cli.wiring import working
from authserver.protocol.names import Role
from authserver.protocol.scopes import Scope, parse_scope
from authserver.storage import DbSession, clients, resources
from authserver.storage.database import Work
from authserver.storage.tables import Resource
from authserver.tokens.targets import is_absolute_uri

BY = "cli"
_IDENTIFIERS = ("id", "username", "email")
_CLAIMS = ("name", "email", "username", "population", "tier", "country", "roles", "groups")
_MAX_URI, _MAX_SCOPE = 512, 128
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,255}")

_NAME = click.option("--name", help="What people know it by.")
_OWNER = click.option("--owner", help="The client that introspects tokens for it; empty for none.")
_IDENTIFIER = click.option(
    "--subject-identifier", type=click.Choice(_IDENTIFIERS), help="What of a user becomes `sub`; by default the id."
)
_EXTRA = click.option("--extra-claims", type=Words(_CLAIMS), help=f"Further claims: some of {', '.join(_CLAIMS)}.")
_VISIBLE = click.option(
    "--reason-visible/--no-reason-visible", default=None, help="Its introspection tells an impersonation's reason."
)


@click.group(name="resources")
def command() -> None:
    """Register resource servers and their scopes. URI is what `resource` and `aud` name."""


@command.command()
@click.argument("uri")
@_NAME
@_OWNER
@_IDENTIFIER
@_EXTRA
@_VISIBLE
@click.pass_obj
def register(options: Options, /, uri: str, **fields: Any) -> None:  # noqa: ANN401 - the options
    """Register a resource server; then give it scopes with `scope`."""
    if not is_absolute_uri(uri) or len(uri) > _MAX_URI:
        refuse(f"{uri}: must be an absolute URI without a fragment (RFC 8707)")
    values = _values(fields)
    with working(options) as (server, work):
        work.lock()
        if resources.find(work.session, [uri]):
            refuse(f"{uri} is registered already; see: authserver resources set --help")
        _check_owner(work.session, values)
        row = {"name": uri, "subject_identifier": "id", "extra_claims": [], "reason_visible": False, **values}
        resources.put(work.session, Resource(uri=uri, **row))
        _record(server, work, uri, "registered", values)
    click.echo(f"Registered {uri}.")


@command.command(name="set")
@click.argument("uri")
@_NAME
@_OWNER
@_IDENTIFIER
@_EXTRA
@_VISIBLE
@click.pass_obj
def set_(options: Options, /, uri: str, **fields: Any) -> None:  # noqa: ANN401 - the options
    """Change what is given and leave the rest; tokens that were issued stay as they are."""
    values = _values(fields)
    if not values:
        raise click.UsageError("nothing to change was given")
    with working(options) as (server, work):
        work.lock()
        _check_not_issuer(server, uri)
        _find(work.session, uri)
        _check_owner(work.session, values)
        resources.put(work.session, Resource(uri=uri, **values))
        _record(server, work, uri, "changed", values)
    click.echo(f"Changed {uri}: {', '.join(sorted(values))}.")


def _values(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that were given."""
    values = given(**fields)
    if "owner" in values:
        values["owner_client_id"] = values.pop("owner") or None
    if _TEXT.fullmatch(values.get("name", "")) is None:
        refuse("--name has at most 255 characters")
    return values


def _check_owner(session: DbSession, values: dict[str, Any]) -> None:
    owner = values.get("owner_client_id")
    if owner is not None and clients.find(session, owner) is None:
        refuse(f"--owner: {owner}: no such client; see: authserver clients create --help")


@command.command()
@click.argument("uri")
@click.argument("name")
@click.option("--access", type=click.Choice(["read", "write"]), required=True, help="What an impersonator's mode cuts.")
@click.option("--non-delegable", is_flag=True, help="No impersonation ever has it: payments, credentials, limits.")
@click.option("--roles", type=Words(Role), default="", help="Who has it; whoever is not named loses it.")
@click.option("--description", default="", help="What it lets one do, in the customer's words.")
@click.pass_obj
def scope(  # noqa: PLR0913, PLR0917 - one parameter an option
    options: Options, uri: str, name: str, access: str, roles: list[str], description: str, *, non_delegable: bool
) -> None:
    """Register a scope of a resource server, or change it: everything about it is given anew."""
    if not _is_scope(name):
        refuse(f"{name!r} is no scope (RFC 6749 section 3.3)")
    if _TEXT.fullmatch(description) is None:
        refuse("--description has at most 255 characters")
    with working(options) as (server, work):
        work.lock()
        _check_not_issuer(server, uri)
        _find(work.session, uri)
        known = resources.scopes_of(work.session).get(name)
        if known is not None and known.resource != uri:
            refuse(f"{name} belongs to {known.resource}: a scope has one resource")
        row = Scope(name, uri, "read" if access == "read" else "write", non_delegable=non_delegable)
        resources.put_scope(work.session, row, roles=roles, description=description)
        resources.take_from_roles(work.session, name, but=roles)
        changes = {"scope": name, "access": access, "non_delegable": non_delegable, "roles": roles}
        _record(server, work, uri, "scope_registered" if known is None else "scope_changed", changes)
    click.echo(f"{uri} has the scope {name}: {_words(row)}, for {' '.join(roles) or 'nobody yet'}.")


def _is_scope(name: str) -> bool:
    try:
        return parse_scope(name) == (name,) and len(name) <= _MAX_SCOPE
    except ValueError:
        return False


@command.command(name="list")
@click.pass_obj
def list_(options: Options) -> None:
    """List all resource servers and their scopes."""
    with working(options) as (_, work):
        catalogue = resources.scopes_of(work.session)
        holders = resources.roles_of_scopes(work.session)
        rows = [
            (row.uri, scope.name, _words(scope), " ".join(holders.get(scope.name, ())), row.owner_client_id or "")
            for row in resources.listing(work.session)
            for scope in [entry for entry in catalogue.values() if entry.resource == row.uri] or [Scope("", "", "read")]
        ]
    echo_table(("RESOURCE", "SCOPE", "ACCESS", "ROLES", "OWNER"), rows)


def _words(scope: Scope) -> str:
    if not scope.name:
        return ""
    return f"{scope.access}, never delegated" if scope.non_delegable else scope.access


def _find(session: DbSession, uri: str) -> None:
    if not resources.find(session, [uri]):
        refuse(f"{uri} is not registered; see: authserver resources list")


def _check_not_issuer(server: Wired, uri: str) -> None:
    """Leave the issuer's own resource alone: the server keeps it itself."""
    if uri == server.settings.issuer:
        refuse(f"{uri} is this server itself, whose scopes are fixed")


def _record(server: Wired, work: Work, uri: str, action: str, changes: dict[str, Any]) -> None:
    server.trail.record(work, ResourceChanged(uri=uri, action=action, by=BY, changes=changes))
