"""`authserver keys`: list, rotate and revoke the keys that sign."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from authserver.app import Wired
from authserver.audit.events.changes import KeyChanged
from authserver.cli import Options
from authserver.cli.counts import counted
from authserver.cli.wiring import working
from authserver.storage.database import Work
from authserver.storage.keys import StoredKey
from authserver.tokens.key_files import KeyFileError
from authserver.tokens.keyring import AUDIT_ALG, KeyStatus, Revocation, Rotation

_ALGS = ("ES256", "RS256", "PS256", "EdDSA")


@click.group(name="keys")
def command() -> None:
    """List, rotate and revoke signing keys."""


@command.command(name="list")
@click.pass_obj
def list_(options: Options) -> None:
    """List every key that there ever was, and when it signs and retires; exit 1 where one cannot be used."""
    with working(options) as (server, work):
        found: list[KeyStatus] = server.keyring.status(work.session)
    click.echo(_line("KID", "USE", "ALG", "STATE", "SIGNS FROM", "RETIRES"))
    for status in found:
        key = status.key
        end = key.retires_at if key.revoked_at is None else key.revoked_at
        click.echo(_line(key.kid, key.use, key.alg, status.phase, _moment(key.signs_from), _moment(end)))
    problems = [status.problem for status in found if status.problem]
    for problem in problems:
        click.echo(f"Error: {problem}", err=True)
    sys.exit(1 if problems else 0)


@command.command()
@click.option("--alg", type=click.Choice(_ALGS), help="Which key; by default the one that signs access tokens.")
@click.option("--audit", is_flag=True, help="The key that signs heads of the audit trail instead.")
@click.pass_obj
def rotate(options: Options, alg: str | None, *, audit: bool) -> None:
    """Publish a new key that takes over once validators have had time to fetch it."""
    if audit and alg:
        raise click.UsageError("--alg and --audit exclude each other: the audit key has one algorithm")
    with working(options) as (server, work):
        keys = server.settings.keys
        rotation: Rotation = (
            server.keyring.rotate(work, AUDIT_ALG, 0, use="audit")
            if audit
            else server.keyring.rotate(work, alg or keys.access_token_alg, keys.publish_seconds)
        )
        key, old = rotation.key, rotation.predecessor
        _record(server, work, key, "published", {"signs_from": key.signs_from})
        if old is not None:
            _record(server, work, old, "retired", {"retires_at": old.retires_at, "successor": key.kid})
        now = server.clock.now()
    click.echo(f"Published {key.alg} key {key.kid}.")
    click.echo(f"It signs {_from(key.signs_from, now)}.")
    if old is None:
        click.echo(f"It is the first {key.alg} key.")
    elif audit:
        click.echo(f"Key {old.kid} signs no more; its public part is kept for ever.")
    else:
        until = "signs until then" if key.signs_from > now else "signed until now"
        click.echo(f"Key {old.kid} {until} and is published until {_moment(old.retires_at)}.")


@command.command()
@click.argument("kid")
@click.pass_obj
def revoke(options: Options, kid: str) -> None:
    """Withdraw a key at once; every token that it signed is dead."""
    with working(options) as (server, work):
        revocation: Revocation = server.keyring.revoke(work, kid)
        key, successor = revocation.key, revocation.successor
        _record(server, work, key, "revoked", {"successor": successor.kid if successor else None})
        if successor and revocation.created:
            _record(server, work, successor, "published", {"signs_from": successor.signs_from})
    click.echo(f"Revoked {key.alg} key {key.kid}.")
    if key.use == "audit":
        click.echo("It signs no more; its public part is kept, for what it signed stays provable.")
    else:
        click.echo("It has left the JWKS, and every token that it signed is dead.")
    if successor:
        click.echo(f"Key {successor.kid} signs{', made for it just now' if revocation.created else ''}.")
    try:
        revocation.delete_file()
    except KeyFileError as error:
        raise click.ClickException(f"the key is revoked, but {error}") from None


def _record(server: Wired, work: Work, key: StoredKey, action: str, details: Mapping[str, Any]) -> None:
    event = KeyChanged(kid=key.kid, use=key.use, alg=key.alg, action=action, by="cli", details=details)
    server.trail.record(work, event)


def _line(*columns: str) -> str:
    kid, use, alg, state, start, end = columns
    return f"{kid:<43}  {use:<5}  {alg:<7}  {state:<9}  {start:<20}  {end}".rstrip()


def _from(instant: int, now: int) -> str:
    return f"from {_moment(instant)}, in {counted(instant - now, 'second')}" if instant > now else "from now on"


def _moment(instant: int | None) -> str:
    """Write an instant as RFC 3339 in UTC; nothing for none."""
    return "" if instant is None else datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
