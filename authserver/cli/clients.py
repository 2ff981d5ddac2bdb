"""`authserver clients`: register OAuth clients, change, disable and enable them."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from authserver.app import Wired
from authserver.audit.events import ClientChanged
from authserver.cli import Options
from authserver.cli.options import Words, echo_table, given, refuse
from authserver.cli.wiring import working
from authserver.impersonation.enablement import Enablement
from authserver.protocol.access import ISSUER_SCOPES
from authserver.protocol.names import (
    GRANT_AUTHORIZATION_CODE,
    GRANT_CLIENT_CREDENTIALS,
    GRANT_DEVICE_CODE,
    GRANT_REFRESH_TOKEN,
    GRANT_TOKEN_EXCHANGE,
    USER_ID_PREFIX,
    Way,
)
from authserver.storage import DbSession, clients, resources
from authserver.storage.clients import RegisteredClient
from authserver.storage.database import UniqueViolation, Work
from authserver.storage.tables import Client
from authserver.tokens.client_keys import check_public
from authserver.tokens.secret_hashes import SecretKind
from authserver.tokens.targets import is_redirect_uri

BY = "cli"
_GRANTS = {
    "authorization_code": GRANT_AUTHORIZATION_CODE,
    "refresh_token": GRANT_REFRESH_TOKEN,
    "client_credentials": GRANT_CLIENT_CREDENTIALS,
    "token_exchange": GRANT_TOKEN_EXCHANGE,
    "device_code": GRANT_DEVICE_CODE,
    GRANT_TOKEN_EXCHANGE: GRANT_TOKEN_EXCHANGE,
    GRANT_DEVICE_CODE: GRANT_DEVICE_CODE,
}
_SHORT_GRANTS = [name for name in _GRANTS if ":" not in name]
_SECRET, _KEYS, _NONE = "client_secret", "private_key_jwt", "none"
_PUBLIC_GRANTS = frozenset({GRANT_AUTHORIZATION_CODE, GRANT_REFRESH_TOKEN, GRANT_DEVICE_CODE})
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_DAY = 86400

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FIELDS = (
    click.option("--name", help="What people know it by."),
    click.option(
        "--auth-method", type=click.Choice([_SECRET, _KEYS, _NONE]), help="How it authenticates; none: public."
    ),
    click.option("--jwks", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its public keys."),
    click.option("--grants", "grant_types", type=Words(_GRANTS), help=f"Some of {', '.join(_SHORT_GRANTS)}."),
    click.option("--ways", type=Words(Way), help=f"The ways of token exchange: some of {' '.join(Way)}."),
    click.option("--scopes", type=Words(), help="The scopes that it may have."),
    click.option("--default-resources", type=Words(), help="What a request without `resource` is for."),
    click.option("--redirect-uris", type=Words(), help="Where its codes go, exactly; a loopback port may vary."),
    click.option("--post-logout-redirect-uris", type=Words(), help="Where people go after it signed them out."),
    click.option("--first-party/--third-party", default=None, help="Whether its users are spared the consent page."),
    click.option("--accepts-tokens-of", type=Words(), help="Clients whose tokens it may present as evidence."),
    click.option("--presents-id-tokens/--no-presents-id-tokens", default=None, help="ID tokens are evidence from it."),
    click.option("--receives-id-tokens/--no-receives-id-tokens", default=None, help="It may ask for ID tokens."),
    click.option("--id-token-alg", type=click.Choice(["RS256", "ES256", "PS256", "EdDSA"]), help="What signs them."),
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
    if _CLIENT_ID.fullmatch(client_id) is None or client_id.startswith(f"{USER_ID_PREFIX}_"):
        refuse(f"{client_id!r} is no client id: up to 128 of A-Z a-z 0-9 . _ -, and not beginning with usr_")
    values = _values(jwks, fields)
    with working(options) as (server, work):
        work.lock()
        row = Client(**{**_new(client_id), **values}, client_id=client_id, created_at=server.clock.now())
        _check(work.session, client_id, row.auth_method, row.jwks, values)
        _check_alg(server, work.session, values)
        try:
            clients.add(work.session, row)
        except UniqueViolation:
            refuse(f"{client_id}: there is such a client already; see: authserver clients set --help")
        shown = {name: value for name, value in values.items() if name != "jwks"}
        _record(server, work, client_id, "created", shown)
        secret = _new_secret(server, work, client_id, overlap=0) if row.auth_method == _SECRET else None
    _say(f"Registered client {client_id}.")
    _echo_secret(secret)


def _new(client_id: str) -> dict[str, Any]:
    """Return what a client is that nothing was said of: it may do nothing."""
    nothing: dict[str, Any] = {
        name: []
        for name in (
            *("grant_types", "ways", "scopes", "default_resources", "accepts_tokens_of"),
            *("redirect_uris", "post_logout_redirect_uris"),
        )
    }
    return {**nothing, "name": client_id, "auth_method": _SECRET, "jwks": None, "id_token_alg": "RS256"}


def _values(jwks: Path | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that were given."""
    values = given(**fields)
    if "grant_types" in values:
        values["grant_types"] = list(dict.fromkeys(_GRANTS[name] for name in values["grant_types"]))
    if jwks is not None:
        try:
            values["jwks"] = check_public(json.loads(jwks.read_bytes()))
        except (ValueError, RecursionError) as error:
            why = "is not JSON" if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)) else str(error)
            refuse(f"{jwks}: {why}")
    return values


def _check(session: DbSession, client_id: str, auth_method: str, jwks: object, values: Mapping[str, Any]) -> None:
    """Refuse what would not work: a method without its keys, and names of what is not registered."""
    if auth_method == _KEYS and jwks is None:
        refuse(f"{_KEYS} needs --jwks FILE with the client's public keys")
    if auth_method == _SECRET and values.get("jwks") is not None:
        refuse(f"--jwks is for --auth-method {_KEYS}")
    if auth_method == _NONE and not set(values.get("grant_types", ())) <= _PUBLIC_GRANTS:
        refuse("a public client (--auth-method none) may use authorization_code, device_code and refresh_token alone")
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        for uri in values.get(name, ()):
            if not is_redirect_uri(uri):
                refuse(
                    f"--{name.replace('_', '-')}: {uri} is no absolute URI of https, http at a loopback address, "
                    "or a scheme of an app's own, without a fragment"
                )
    known = {
        "scopes": set(resources.scopes_of(session)) | ISSUER_SCOPES,
        "default_resources": {row.uri for row in resources.listing(session)},
        "accepts_tokens_of": {row.client_id for row in clients.listing(session)} | {client_id},
    }
    for name, registered in known.items():
        where = "clients" if name == "accepts_tokens_of" else "resources"
        for word in values.get(name, ()):
            if word not in registered:
                refuse(f"--{name.replace('_', '-')}: {word} is not registered; see: authserver {where} list")


def _check_alg(server: Wired, session: DbSession, values: Mapping[str, Any]) -> None:
    """Refuse an algorithm that no key signs: the client would get no ID token."""
    alg = values.get("id_token_alg")
    if alg is not None and not server.keyring.signs(session, alg):
        refuse(f"--id-token-alg: no {alg} key signs; run first: authserver keys rotate --alg {alg}")


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
    secret = None
    with working(options) as (server, work):
        work.lock()
        before = _found(work.session, client_id)
        method = values.get("auth_method", before.auth_method)
        _check(work.session, client_id, method, values.get("jwks", before.jwks), values)
        _check_alg(server, work.session, values)
        clients.change(work.session, client_id, **values)
        shown = {name: value for name, value in values.items() if name != "jwks"}
        _record(server, work, client_id, "changed", {"fields": sorted(values), **shown})
        if method != before.auth_method and method == _SECRET:
            clients.change(work.session, client_id, jwks=None)
            secret = _new_secret(server, work, client_id, overlap=0)
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
    with working(options) as (server, work):
        work.lock()
        if _found(work.session, client_id).auth_method != _SECRET:
            refuse(f"{client_id} has no secret: it authenticates by its own key, or is public")
        secret = _new_secret(server, work, client_id, overlap=overlap)
    _say(f"Client {client_id} has a new secret; the old ones " + (f"live {overlap} s." if overlap else "are dead."))
    _echo_secret(secret)


@command.command()
@click.argument("client_id")
@click.pass_obj
def disable(options: Options, client_id: str) -> None:
    """Disable a client: its tokens are dead at once and its impersonations end."""
    with working(options) as (server, work):
        work.lock()
        _found(work.session, client_id)
        ended = Enablement(server.lifecycle, server.trail, server.clock).disable_client(work, client_id, by=BY)
    if ended is None:
        _say(f"Client {client_id} was disabled already.")
    else:
        _say(f"Disabled client {client_id}; its tokens are dead, {ended.impersonations} impersonations ended.")


@command.command()
@click.argument("client_id")
@click.pass_obj
def enable(options: Options, client_id: str) -> None:
    """Enable a client again; the tokens and impersonations that it had stay dead."""
    with working(options) as (server, work):
        work.lock()
        _found(work.session, client_id)
        changed = Enablement(server.lifecycle, server.trail, server.clock).enable_client(work, client_id, by=BY)
    _say(f"Enabled client {client_id}." if changed else f"Client {client_id} was enabled already.")


def _found(session: DbSession, client_id: str) -> RegisteredClient:
    client = clients.find(session, client_id)
    if client is None:
        refuse(f"{client_id}: no such client; see: authserver clients list")
    return client


def _new_secret(server: Wired, work: Work, client_id: str, *, overlap: int) -> str:
    """Store a new secret's hash, let the others run out, and return the only copy of it."""
    secret, now = server.entropy.token(), server.clock.now()
    secret_hash = server.hasher.hash(SecretKind.CLIENT_SECRET, secret)
    clients.add_secret(work.session, client_id, secret_hash, now=now)
    clients.expire_secrets(work.session, client_id, at=now + overlap, but=secret_hash)
    _record(server, work, client_id, "secret_created", {"overlap": overlap})
    return secret


def _record(server: Wired, work: Work, client_id: str, action: str, changes: Mapping[str, Any] | None = None) -> None:
    server.trail.record(work, ClientChanged(client_id=client_id, action=action, by=BY, changes=changes or {}))


def _echo_secret(secret: str | None) -> None:
    if secret is not None:
        _say("Its secret follows; it is shown this once.")
        click.echo(secret)


def _say(words: str) -> None:
    """Speak beside the standard output, which holds what scripts take."""
    click.echo(words, err=True)
