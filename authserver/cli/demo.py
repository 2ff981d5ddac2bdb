"""`authserver demo`: everything on this machine, with seeded people, and a first exchange told as a story."""

import fcntl
import ipaddress
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from authserver import settings as settings_module
from authserver import standin, telemetry
from authserver.app import Wired, create_app
from authserver.cli import Options, demo_cast, demo_idp, listener
from authserver.cli.db import migrate
from authserver.cli.narration import narrate
from authserver.cli.wiring import in_plain_words
from authserver.entropy import SystemEntropy
from authserver.resource import ResourceServer
from authserver.resource.sample import serving
from authserver.storage.database import db

_REFRESH_SECONDS = demo_cast.TOKEN_SECONDS * 3 // 4
_CONSOLE_SECRET = "console-secret"
_DEVICE_BESIDE = 300
"""How far the device stand-in's port is from the server's: 9300 beside 9000."""


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
@click.option("--with-idp", is_flag=True, help="Also run a local identity provider, and let the staff sign in there.")
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 - one parameter an option
    options: Options,
    host: str,
    port: int,
    data: Path,
    credentials: Path | None,
    workers: int,
    *,
    with_idp: bool,
) -> None:
    """Run the demo until Ctrl-C."""
    _refuse_unless_loopback(host)
    data = data.resolve()
    file = (credentials or data / "credentials.json").resolve()
    with (
        in_plain_words(),
        listener.reserve(host, port) as reservation,
        _held(data),
        _idp(data, reservation.port, wanted=with_idp) as idp,
        standin.reserve(reservation.port + _DEVICE_BESIDE) as device,
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        own = _own_settings(data, reservation.url)
        write_private(data / _CONSOLE_SECRET, SystemEntropy().token())
        settings_file = _write_settings(data, [_told(standin.url(device)), *_trees(options.config)], own, idp)
        _refuse_overridden(own, os.environ)
        settings = settings_module.load([settings_file])
        telemetry.configure("warning")
        migrate(settings.database)
        app = create_app(settings)
        wired: Wired = app.extensions["authserver"]
        with app.app_context():
            demo_cast.seed(wired)
            secrets = demo_cast.new_secrets(wired)
            passwords = demo_cast.new_passwords(wired)
            first = demo_cast.credentials(wired, secrets, passwords, standin.url(device))
            db.engine.dispose()

        def when_ready() -> None:
            people = () if idp is None else idp.people
            with (
                _bank(reservation, secrets["resource-server"]) as url,
                standin.serving(standin.Surroundings(reservation.url, url, demo_cast.names(first)), device),
            ):
                write_credentials(file, {**first, "resource_server": url})
                narrate({**first, "resource_server": url}, file, settings_file, people)
                while not threading.Event().wait(_REFRESH_SECONDS):
                    with app.app_context():
                        again = demo_cast.credentials(wired, secrets, passwords, standin.url(device))
                    write_credentials(file, {**again, "resource_server": url})

        environ = {"AUTHSERVER_CONFIG": str(settings_file), "AUTHSERVER_LOG__LEVEL": "warning"}
        listener.run(reservation, workers=workers, environ=environ, on_ready=when_ready)


@contextmanager
def _bank(reservation: listener.Reservation, secret: str) -> Iterator[str]:
    """Run the sample resource server beside this one, on a free port; give its URL."""
    bank = ResourceServer(reservation.url, demo_cast.API, "resource-server", secret)
    with serving(bank, reservation.address) as port:
        yield listener.Reservation(reservation.host, reservation.address, port).url


def _idp(data: Path, beside: int, *, wanted: bool) -> AbstractContextManager[demo_idp.DemoIdp | None]:
    return demo_idp.running(data, beside) if wanted else nullcontext()


def _refuse_unless_loopback(host: str) -> None:
    """Refuse a host that others could reach: its credentials are known."""
    try:
        addresses = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        raise click.ClickException(f"{host}: unknown host") from None
    if not all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in addresses):
        msg = f"{host} is not a loopback address; the demo's credentials are known, so it serves this machine only"
        raise click.ClickException(msg)


@contextmanager
def _held(data: Path) -> Iterator[None]:
    """Keep the folder to one demo: a second one would make new secrets under the first."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(f"{data}: another demo runs on this folder; name another by --data") from None
        yield


def _told(device: str) -> dict[str, Any]:
    """Return what holds unless another file says otherwise: messages in a folder, to look at; our own device."""
    hosts = settings_module.read(settings_module.config_folder() / "default.toml")["appetize"]["allowed_hosts"]
    played = {"sdk_url": f"{device}/embed.js", "base_url": device}
    by_key = {"build_id": "demo-bank-standin", "platform": "android", "passes": "code", "dpop": "required"}
    return {
        "notification": {"channels": ["folder"], "security_contacts": ["security@example.com"]},
        "appetize": {
            "allowed_hosts": [*hosts, urlsplit(device).netloc],
            "apps": {"demo-bank": played, "demo-bank-dpop": {**by_key, **played}},
        },
    }


def _own_settings(data: Path, url: str) -> dict[str, Any]:
    """Return what no file and no variable may change: where this demo is, and what it keeps."""
    return {
        "demo": True,
        "server": {"issuer": url},
        "database": {"url": f"sqlite:///{data / 'authserver.sqlite3'}"},
        "keys": {"folder": str(data / "keys")},
        "audit": {"anchor_file": str(data / "audit-heads.jsonl")},
        "notification": {"folder": str(data / "mail")},
        "appetize": {"embed_origin": _other_origin(url)},
        "console": {"enabled": True, "client_id": "console", "client_secret_file": str(data / _CONSOLE_SECRET)},
    }


def _other_origin(url: str) -> str:
    """Return the embed page's origin: this same server, by loopback's other name."""
    parts = urlsplit(url)
    return f"http://{'127.0.0.1' if parts.hostname == 'localhost' else 'localhost'}:{parts.port}"


def _trees(more: Sequence[Path]) -> list[dict[str, Any]]:
    files = (settings_module.config_folder() / "demo.toml", *more)
    return [settings_module.read(path) for path in files]


def _write_settings(
    data: Path, trees: Sequence[Mapping[str, Any]], own: Mapping[str, Any], idp: demo_idp.DemoIdp | None
) -> Path:
    """Write everything that differs from the defaults, so that other commands see the demo as it runs."""
    trusted = {} if idp is None else {"federation": {"issuers": {demo_idp.NAME: idp.settings}}}
    tree = settings_module.merged([*trees, trusted, own])
    file = data / "settings.toml"
    file.write_text("\n".join(("# Written by `authserver demo` at each start.", *_toml(tree), "")), encoding="utf-8")
    return file


def _toml(tree: Mapping[str, Any], *path: str) -> Iterator[str]:
    """Write a tree as TOML; texts, numbers and lists are written in JSON as in TOML."""
    if path:
        yield f"[{'.'.join(json.dumps(key) for key in path)}]"
    for key, value in tree.items():
        if not isinstance(value, dict):
            yield f"{json.dumps(key)} = {_toml_value(value)}"
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _toml(value, *path, key)


def _toml_value(value: object) -> str:
    """Write a table that stands in a list inline; everything else is as in JSON."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml_value(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _refuse_overridden(own: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Refuse variables that would send the demo's people and keys into another database than its own."""
    for section, values in own.items():
        for key, value in values.items() if isinstance(values, dict) else [("", values)]:
            name = f"{section}.{key}".rstrip(".")
            variable = f"AUTHSERVER_{name.upper().replace('.', '__')}"
            if environ.get(variable, str(value)).lower() != str(value).lower():
                raise click.ClickException(f"{variable} is set, and the demo keeps its own {name}; unset it")


def write_credentials(file: Path, content: dict[str, Any]) -> None:
    """Write the credentials whole, or not at all, for their owner alone."""
    write_private(file, json.dumps(content, indent=2) + "\n")


def write_private(file: Path, text: str) -> None:
    """Write a file whole, or not at all, for its owner alone."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    beside.replace(file)
