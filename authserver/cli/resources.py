"""`authserver resources`: the resource servers that tokens are for, their scopes, and which role has which."""

from typing import Any

import click

from authserver.cli import Options
from authserver.cli.options import Words, echo_table, given, registering
from authserver.cli.wiring import working
from authserver.protocol.names import Role
from authserver.protocol.scopes import Scope
from authserver.registry.resources import CLAIMS, IDENTIFIERS, ScopeEntry
from authserver.storage import resources

BY = "cli"

_NAME = click.option("--name", help="What people know it by.")
_OWNER = click.option("--owner", help="The client that introspects tokens for it; empty for none.")
_IDENTIFIER = click.option(
    "--subject-identifier", type=click.Choice(IDENTIFIERS), help="What of a user becomes `sub`; by default the id."
)
_EXTRA = click.option("--extra-claims", type=Words(CLAIMS), help=f"Further claims: some of {', '.join(CLAIMS)}.")
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
    values = _values(fields)
    with working(options) as (server, work), registering(uri, "resource"):
        server.registry.resources.register(work, uri, values, by=BY)
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
    with working(options) as (server, work), registering(uri, "resource"):
        server.registry.resources.change(work, uri, values, by=BY)
    click.echo(f"Changed {uri}: {', '.join(sorted(values))}.")


def _values(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that were given."""
    values = given(**fields)
    if "owner" in values:
        values["owner_client_id"] = values.pop("owner") or None
    return values


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
    entry = ScopeEntry(
        name=name,
        access="read" if access == "read" else "write",
        non_delegable=non_delegable,
        roles=tuple(Role(role) for role in roles),
        description=description,
    )
    with working(options) as (server, work), registering(uri, "resource"):
        server.registry.resources.change(work, uri, {}, [entry], by=BY)
    row = Scope(name, uri, entry.access, non_delegable=non_delegable)
    click.echo(f"{uri} has the scope {name}: {_words(row)}, for {' '.join(roles) or 'nobody yet'}.")


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
