"""`authserver audit`: prove the trail, sign where it stands, and export it."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import click

from authserver.audit import export as exports
from authserver.audit import heads as signed_heads
from authserver.audit import proof
from authserver.audit.chain import CHAIN
from authserver.audit.events.readings import TrailRead
from authserver.audit.heads import HeadVerifier
from authserver.cli import Options
from authserver.cli.counts import counted
from authserver.cli.wiring import opened, working
from authserver.storage import trail as rows
from authserver.storage.database import unit_of_work
from authserver.tokens import keyring
from authserver.tokens.key_files import read_public

_READER = "cli"
_FORMATS = {"jsonl": exports.as_json_lines, "csv": exports.as_csv}
_FILE = click.Path(dir_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


def _verifier(keys: Mapping[str, Mapping[str, Any]]) -> HeadVerifier:
    """Return a verifier that trusts `keys` alone."""
    public = {kid: read_public(keyring.AUDIT_ALG, jwk) for kid, jwk in keys.items()}
    return keyring.HeadVerifier({kid: key for kid, key in public.items() if key is not None})


@click.group(name="audit")
def command() -> None:
    """Verify, sign and export the audit trail."""


@command.command()
@click.option("--anchor", type=_EXISTING, help="Signed heads outside the database; by default the configured file.")
@click.option("--public-keys", type=_EXISTING, help="Trust the audit keys in this JWKS, not those in the database.")
@click.pass_obj
def verify(options: Options, anchor: Path | None, public_keys: Path | None) -> None:
    """Verify every event, signed head and anchor line; exit 1 and name what is wrong."""
    with working(options) as (server, work), ExitStack() as stack:
        keys = _pinned(public_keys) if public_keys else rows.audit_keys(work.session)
        file = anchor or server.settings.audit.anchor_file
        lines: Iterable[str] = ()
        if file.exists():
            lines = stack.enter_context(file.open(encoding="utf-8", errors="replace"))
        else:
            click.echo(f"There is no anchor file {file}: nothing outside the database was compared.", err=True)
        label, length = "Verifying", rows.event_count(work.session, CHAIN)
        progress = click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())
        with progress as bar:
            report = proof.verify(work.session, _verifier(keys), keys, anchor_lines=lines, progress=bar.update)
    for words in report.findings:
        click.echo(words)
    verdict = "intact" if report.ok else "BROKEN"
    gone_over = (
        counted(report.events, "event"),
        counted(report.heads, "signed head"),
        counted(report.anchors, "anchor line"),
    )
    click.echo(f"The trail is {verdict}: {', '.join(gone_over)}.")
    sys.exit(0 if report.ok else 1)


def _pinned(file: Path) -> dict[str, dict[str, Any]]:
    """Read a JWK Set by `kid` (RFC 7517 §5)."""
    try:
        return {jwk["kid"]: dict(jwk) for jwk in json.loads(file.read_text(encoding="utf-8"))["keys"]}
    except (ValueError, TypeError, KeyError):
        raise click.ClickException(f"{file} is not a JWK Set whose keys have a kid") from None


@command.command()
@click.pass_obj
def keys(options: Options) -> None:
    """Print the public audit keys as a JWKS, for `verify --public-keys`; keep it away from this machine."""
    with working(options) as (_, work):
        found = rows.audit_keys(work.session)
    click.echo(json.dumps({"keys": [jwk | {"kid": kid} for kid, jwk in sorted(found.items())]}, indent=2))


@command.command()
@click.pass_obj
def heads(options: Options) -> None:
    """Sign now where the trail stands, in the database and in the configured anchor file."""
    with working(options) as (server, work):
        anchor = server.settings.audit.anchor_file
        signed = signed_heads.sign_head(work, server.clock, server.keyring.head_signer(work.session), anchor)
        if signed:
            click.echo(f"Event {signed.seq} was signed with key {signed.kid}, and written to {anchor}.")
        else:
            click.echo("Nothing to sign: the last event is signed already.")


@command.command()
@click.option("--format", "form", type=click.Choice(list(_FORMATS)), default="jsonl", show_default=True)
@click.option("--output", type=_FILE, help="A file, created with mode 0600; by default the standard output.")
@click.option("--name", help="Events of this name alone, such as token:issued.")
@click.option("--impersonation", "impersonation_id", help="Events of this impersonation alone.")
@click.pass_obj
def export(options: Options, form: str, output: Path | None, name: str | None, impersonation_id: str | None) -> None:
    """Export events, with personal values where they still exist; that it was done is an event too."""
    selection = rows.Selection(name=name, impersonation_id=impersonation_id)
    with opened(options) as server:
        with unit_of_work() as work:
            asked = {field: value for field, value in asdict(selection).items() if value not in (None, ())}
            server.trail.record(work, TrailRead(reader=_READER, how="export", query={"format": form, **asked}))
        with unit_of_work() as work, _opened(output) as target:
            target.writelines(_FORMATS[form](work.session, selection))


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        yield file
