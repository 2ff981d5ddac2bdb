"""`authserver clients`: register OAuth clients, change, disable and enable them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from authserver.cli import Options
from authserver.cli.counts import counted
from authserver.cli.options import Words, echo_table, given, refuse, registering
from authserver.cli.wiring import working
from authserver.protocol.names import Way
from authserver.registry.client_fields import AUTH_METHODS, GRANTS, ID_TOKEN_ALGS
from authserver.storage import DbSession, clients
from authserver.storage.clients import RegisteredClient

BY = "cli"
_SHORT_GRANTS = [name for name in GRANTS if ":" not in name]
_DAY = 86400

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FIELDS = (
    click.option("--name", help="What people know it by."),
    click.option("--auth-method", type=click.Choice(AUTH_METHODS), help="How it authenticates; none: public."),
    click.option("--jwks", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its public keys."),
    click.option("--grants", "grant_types", type=Words(GRANTS), help=f"Some of {', '.join(_SHORT_GRANTS)}."),
    click.option("--ways", type=Words(Way), help=f"The ways of token exchange: some of {' '.join(Way)}."),
    click.option("--scopes", type=Words(), help="The scopes that it may have."),
    click.option("--default-resources", type=Words(), help="What a request without `resource` is for."),
    click.option("--redirect-uris", type=Words(), help="Where its codes go, exactly; a loopback port may vary."),
    click.option("--post-logout-redirect-uris", type=Words(), help="Where people go after it signed them out."),
    click.option("--first-party/--third-party", default=None, help="Whether its users are spared the consent page."),
    click.option("--accepts-tokens-of", type=Words(), help="Clients whose tokens it may present as evidence."),
    click.option("--presents-id-tokens/--no-presents-id-tokens", default=None, help="ID tokens are evidence from it."),
    click.option("--receives-id-tokens/--no-receives-id-tokens", default=None, help="It may ask for ID tokens."),
    click.option("--id-token-alg", type=click.Choice(ID_TOKEN_ALGS), help="What signs them."),
)


def _with_fields(function: _Command) -> _Command:
    """Give a command an option for every field that can be changed; lists are words, and an empty one is empty."""
    for option in reversed(_FIELDS):
        function = option(function)
    return function


@click.group(name="clients")
def command() -> None:
    """Register and manage OAuth clients. A list is one option: --scopes "accounts:read cards:write"."""


@command.command()
@click.argument("client_id")
@_with_fields
@click.pass_obj
def create(options: Options, /, client_id: str, jwks: Path | None, **fields: Any) -> None:  # noqa: ANN401 - the options
    """Register a client. Its secret is printed once, alone on the standard output; only a keyed hash is stored."""
    values = _values(jwks, fields)
    with working(options) as (server, work), registering(client_id, "client"):
        secret = server.registry.clients.create(work, client_id, values, by=BY)
    _say(f"Registered client {client_id}.")
    _echo_secret(secret)


def _values(jwks: Path | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given."""
    values = given(**fields)
    if jwks is not None:
        try:
            values["jwks"] = json.loads(jwks.read_bytes())
        except (ValueError, RecursionError):
            refuse(f"{jwks}: is not JSON")
    return values


@command.command(name="list")
@click.pass_obj
def list_(options: Options) -> None:
    """List all clients."""
    with working(options) as (_, work):
        rows = [
            (row.client_id, "yes" if row.enabled else "no", row.auth_method, " ".join(row.ways), row.name)
            for row in clients.listing(work.session)
        ]
    echo_table(("CLIENT", "ENABLED", "AUTHENTICATES BY", "WAYS", "NAME"), rows)


@command.command()
@click.argument("client_id")
@click.pass_obj
def show(options: Options, client_id: str) -> None:
    """Show one client as JSON; secrets are stored as hashes and cannot be shown."""
    with working(options) as (_, work):
        client = _found(work.session, client_id)
    shown = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(client).items()}
    click.echo(json.dumps(shown, indent=2))


@command.command(name="set")
@click.argument("client_id")
@_with_fields
@click.pass_obj
def set_(options: Options, /, client_id: str, jwks: Path | None, **fields: Any) -> None:  # noqa: ANN401 - the options
    """Change what is given and leave the rest. Who authenticates by a key has no secret, and gets a new one after."""
    values = _values(jwks, fields)
    if not values:
        raise click.UsageError("nothing to change was given")
    with working(options) as (server, work), registering(client_id, "client"):
        secret = server.registry.clients.change(work, client_id, values, by=BY)
    _say(f"Changed client {client_id}: {', '.join(sorted(values))}.")
    _echo_secret(secret)


@command.command(name="rotate-secret")
@click.argument("client_id")
@click.option(
    "--overlap",
    default=0,
    show_default=True,
    type=click.IntRange(0, 90 * _DAY),
    help="For how many seconds the old secrets live on.",
)
@click.pass_obj
def rotate_secret(options: Options, client_id: str, overlap: int) -> None:
    """Make a new secret, print it once, and let the old ones run out."""
    with working(options) as (server, work), registering(client_id, "client"):
        secret = server.registry.clients.rotate_secret(work, client_id, overlap=overlap, by=BY)
    _say(f"Client {client_id} has a new secret; the old ones " + (f"live {overlap} s." if overlap else "are dead."))
    _echo_secret(secret)


@command.command()
@click.argument("client_id")
@click.pass_obj
def disable(options: Options, client_id: str) -> None:
    """Disable a client: its tokens are dead at once and its impersonations end."""
    with working(options) as (server, work), registering(client_id, "client"):
        ended = server.registry.clients.disable(work, client_id, by=BY)
    if ended is None:
        _say(f"Client {client_id} was disabled already.")
    else:
        _say(
            f"Disabled client {client_id}; its tokens are dead, {counted(ended.impersonations, 'impersonation')} ended."
        )


@command.command()
@click.argument("client_id")
@click.pass_obj
def enable(options: Options, client_id: str) -> None:
    """Enable a client again; the tokens and impersonations that it had stay dead."""
    with working(options) as (server, work), registering(client_id, "client"):
        changed = server.registry.clients.enable(work, client_id, by=BY)
    _say(f"Enabled client {client_id}." if changed else f"Client {client_id} was enabled already.")


def _found(session: DbSession, client_id: str) -> RegisteredClient:
    client = clients.find(session, client_id)
    if client is None:
        refuse(f"{client_id}: no such client; see: authserver clients list")
    return client


def _echo_secret(secret: str | None) -> None:
    if secret is not None:
        _say("Its secret follows; it is shown this once.")
        click.echo(secret)


def _say(words: str) -> None:
    """Speak beside the standard output, which holds what scripts take."""
    click.echo(words, err=True)
