"""`authserver demo`: everything on this machine, with seeded people, and a first exchange told as a story."""

import ipaddress
import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import click

from authserver import settings as settings_module
from authserver import telemetry
from authserver.app import Wired, create_app
from authserver.cli import Options, demo_cast, listener
from authserver.cli.db import migrate
from authserver.cli.narration import narrate
from authserver.storage.database import db

_REFRESH_SECONDS = demo_cast.TOKEN_SECONDS * 3 // 4


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address or name.")
@click.option("--port", default=9000, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free port.")
@click.option(
    "--data",
    default=Path(".authserver-demo"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for database, keys and settings; a second start continues with it.",
)
@click.option(
    "--credentials",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the known credentials are written (mode 0600).  [default: DATA/credentials.json]",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - one parameter an option
    options: Options, host: str, port: int, data: Path, credentials: Path | None, workers: int
) -> None:
    """Run the demo until Ctrl-C."""
    _refuse_unless_loopback(host)
    data = data.resolve()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (credentials or data / "credentials.json").resolve()
    file.unlink(missing_ok=True)
    with listener.reserve(host, port) as reservation:
        own = _write_settings(data, reservation.url)
        paths = (settings_module.config_folder() / "demo.toml", *options.config, own)
        settings = settings_module.load(paths)
        telemetry.configure("warning")
        migrate(settings.database)
        app = create_app(settings)
        wired: Wired = app.extensions["authserver"]
        with app.app_context():
            demo_cast.seed(wired)
            secrets = demo_cast.new_secrets(wired)
            passwords = demo_cast.new_passwords(wired)
            first = demo_cast.credentials(wired, secrets, passwords)
            db.engine.dispose()

        def when_ready() -> None:
            write_credentials(file, first)
            narrate(first, file, own)
            while not threading.Event().wait(_REFRESH_SECONDS):
                with app.app_context():
                    write_credentials(file, demo_cast.credentials(wired, secrets, passwords))

        environ = {"AUTHSERVER_CONFIG": os.pathsep.join(str(path.resolve()) for path in paths)}
        environ["AUTHSERVER_LOG__LEVEL"] = "warning"
        listener.run(reservation, workers=workers, environ=environ, on_ready=when_ready)


def _refuse_unless_loopback(host: str) -> None:
    """Refuse a host that others could reach: its credentials are known."""
    try:
        addresses = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError as error:
        msg = f"{host}: {error.strerror}"
        raise click.ClickException(msg) from None
    if not all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in addresses):
        msg = f"{host} is not a loopback address; the demo's credentials are known, so it serves this machine only"
        raise click.ClickException(msg)


def _write_settings(data: Path, url: str) -> Path:
    """Write the demo's own settings, with which the other commands can be used on its data."""
    file = data / "settings.toml"
    lines = (
        "# Written by `authserver demo` at each start.",
        "demo = true",
        "[server]",
        f"issuer = {json.dumps(url)}",
        "[database]",
        f"url = {json.dumps('sqlite:///' + str(data / 'authserver.sqlite3'))}",
        "[keys]",
        f"folder = {json.dumps(str(data / 'keys'))}",
        "[audit]",
        f"anchor_file = {json.dumps(str(data / 'audit-heads.jsonl'))}",
    )
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def write_credentials(file: Path, content: dict[str, Any]) -> None:
    """Write the credentials whole, or not at all, for their owner alone."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=2)
        stream.write("\n")
    beside.replace(file)
