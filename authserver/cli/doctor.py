"""`authserver doctor`: what is misconfigured and how to mend it. It looks and changes nothing."""

import ipaddress
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click

from authserver import settings as settings_module
from authserver.cli import Options
from authserver.cli.counts import counted
from authserver.cli.doctor_database import check_database
from authserver.cli.findings import Finding, note, ok, wrong
from authserver.cli.listener import REQUEST_THREADS
from authserver.impersonation.policy import PolicyError, PolicySet
from authserver.settings import Settings, SettingsError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@click.command()
@click.pass_obj
def command(options: Options) -> None:
    """Say what is misconfigured and how to mend it; exit 1 where something is wrong."""
    found = list(examine(options))
    for finding in found:
        click.echo(f"{finding.level:<5}  {finding.what}")
        if finding.mend:
            click.echo(f"       {finding.mend}")
    problems = sum(finding.level == "WRONG" for finding in found)
    click.echo(f"{problems} wrong, {sum(finding.level == 'note' for finding in found)} to note.")
    sys.exit(1 if problems else 0)


def examine(options: Options) -> Iterator[Finding]:
    """Look at everything, what others rest on first."""
    try:
        settings = settings_module.load(options.config)
    except SettingsError as error:
        for line in str(error).splitlines():
            yield wrong(line, "correct it in the file or the AUTHSERVER_* variable that sets it")
        return
    yield from _issuer(settings)
    yield from _policy(settings)
    yield from _ticket_hook(settings)
    yield from _pool(settings)
    yield from _key_files(settings)
    yield from _anchor(settings)
    yield from _apps(settings)
    yield from _notification(settings)
    yield from check_database(settings)


def _issuer(settings: Settings) -> Iterator[Finding]:
    issuer = settings.issuer
    mend = "set it to the https origin that clients use, equal to the byte"
    if issuer.startswith("https://"):
        yield ok(f"server.issuer: {issuer}")
    elif not _is_loopback(urlsplit(issuer).hostname or ""):
        yield wrong(f"server.issuer: {issuer} is not https: secrets and tokens would travel in the clear", mend)
    elif settings.demo:
        yield ok(f"server.issuer: {issuer}, for the demo")
    else:
        yield note(f"server.issuer: {issuer} names this machine itself; nobody else can use it", mend)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _policy(settings: Settings) -> Iterator[Finding]:
    folder = settings.policy.folder
    try:
        policy = PolicySet.load(folder)
    except PolicyError as error:
        yield wrong(f"policy.folder: {error}", "correct that file, and look at it with: authserver policy check")
        return
    yield ok(f"policy.folder: {counted(len(policy.rules), 'policy', 'policies')} in {folder}")
    if not settings.demo and folder == settings_module.config_folder() / "policy":
        yield note(
            "policy.folder: the shipped policies let nobody exchange but from this machine itself",
            "copy the folder, write your networks into network.cedar, and point policy.folder to the copy",
        )


def _ticket_hook(settings: Settings) -> Iterator[Finding]:
    url = urlsplit(settings.ticket_hook.url)
    if url.scheme == "http" and not _is_loopback(url.hostname or ""):
        yield wrong(
            f"ticket_hook.url: {settings.ticket_hook.url} is not https: whoever is on the way can vouch for any ticket",
            "ask the ticket system by https",
        )
    elif url.scheme:
        yield ok(f"ticket_hook.url: {settings.ticket_hook.url}")


def _pool(settings: Settings) -> Iterator[Finding]:
    size = settings.database.pool_size
    threads = f"the {REQUEST_THREADS} threads that a worker has for requests"
    if size < REQUEST_THREADS:
        what = f"database.pool_size: {size} connections are fewer than {threads}, which then wait"
        yield wrong(what, f"set it to {REQUEST_THREADS}")
    else:
        yield ok(f"database.pool_size: {size} connections for {threads}")


def _key_files(settings: Settings) -> Iterator[Finding]:
    folder = settings.keys.folder
    if not folder.is_dir():
        yield note(f"keys.folder: {folder} is not there yet", "it is made at the first start; or correct the path")
        return
    open_to_others = False
    for path in (folder, *sorted(folder.glob("*.pem")), *sorted(folder.glob("*.key"))):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHERS:
            open_to_others = True
            wanted = "700" if path == folder else "600"
            yield wrong(f"keys.folder: others may use {path} (mode {mode:04o})", f"run: chmod {wanted} {path}")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield wrong(f"keys.folder: {folder} cannot be used by this user", "give it to the user that runs the server")
    elif not open_to_others:
        yield ok(f"keys.folder: {folder} is this user's alone")
    if not settings.keys.passphrase and not settings.demo:
        yield note("keys.passphrase: private keys are not encrypted on disk", "set AUTHSERVER_KEYS__PASSPHRASE")


def _anchor(settings: Settings) -> Iterator[Finding]:
    """Look at where the file of signed heads lies; whether it should be there is known by the database."""
    file = settings.audit.anchor_file.absolute()
    if not file.parent.is_dir():
        yield wrong(f"audit.anchor_file: there is no folder {file.parent}", "make the folder, or correct the path")
    elif not os.access(file if file.exists() else file.parent, os.W_OK) or file.is_dir():
        yield wrong(f"audit.anchor_file: {file} cannot be written", "give it to the user that runs the server")
    elif file.exists() and _mode(file) & _OTHERS_WRITE:
        yield wrong(f"audit.anchor_file: others may change {file}", f"run: chmod go-w {file}")
    else:
        yield ok(f"audit.anchor_file: {file} can be written")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _apps(settings: Settings) -> Iterator[Finding]:
    """Look at the apps of the settings; whether there are others is known by the database."""
    apps = settings.appetize.apps
    if apps:
        yield ok(f"appetize.apps: {', '.join(sorted(apps))}")
    yield from _embed_origin(settings)


def _embed_origin(settings: Settings) -> Iterator[Finding]:
    """Look at where the embed page is; what cannot be served at all stopped the settings before this."""
    embed, issuer = settings.appetize.embed_origin, settings.issuer
    here, there = urlsplit(embed), urlsplit(issuer)
    host = here.hostname or ""
    mend = "give the page a name of its own, on another site than the issuer's, and send it to this server"
    if not embed:
        what = "appetize.embed_origin: not set, so there is no page that shows a device; pages of your own can"
        yield note(what, f"set it where agents are to have one: {mend}")
    elif host == there.hostname:
        yield note(f"appetize.embed_origin: {embed} shares its host with the issuer, which the demo alone may do", mend)
    elif here.scheme == "http" and not _is_loopback(host):
        yield wrong(f"appetize.embed_origin: {embed} is not https: what is passed to a device is in the clear", mend)
    elif _is_loopback(host) and not _is_loopback(there.hostname or ""):
        yield wrong(f"appetize.embed_origin: {embed} names each agent's own machine, and not this server", mend)
    elif host.endswith(f".{there.hostname}") or (there.hostname or "").endswith(f".{host}"):
        yield note(f"appetize.embed_origin: {embed} is a name under the issuer's, or above: cookies may cross", mend)
    else:
        yield ok(f"appetize.embed_origin: {embed}")


def _notification(settings: Settings) -> Iterator[Finding]:
    notification = settings.notification
    if not notification.channels:
        yield note(
            "notification.channels: none is configured, so no customer is told, and what a notice gates is refused",
            "set notification.channels, such as ['mail', 'folder'], and [notification.smtp]",
        )
        return
    yield ok(f"notification.channels: {', '.join(notification.channels)}")
    smtp = notification.smtp
    if "mail" in notification.channels and smtp.security == "none" and not _is_loopback(smtp.host):
        mend = "set it to starttls or tls"
        yield wrong(f"notification.smtp.security: mail to {smtp.host} would travel in the clear", mend)
