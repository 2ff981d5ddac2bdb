"""`authserver serve`: run the server until it is told to stop."""

import os

import click

from authserver import settings, telemetry
from authserver.app import refuse_demo_data
from authserver.cli import Options, listener
from authserver.cli.wiring import in_plain_words, opened
from authserver.settings import SettingsError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address or name to listen on.")
@click.option("--port", default=9000, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free port.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.pass_obj
def command(options: Options, host: str, port: int, workers: int) -> None:
    """Run the server until Ctrl-C or SIGTERM."""
    with in_plain_words():  # what stops a start stops it here, in one line and before anything listens
        loaded = settings.load(options.config)
        if loaded.demo:
            raise SettingsError("demo: must be false for authserver serve; the demo is run by authserver demo")
        with opened(options) as server:
            refuse_demo_data(server)
    environ = {"AUTHSERVER_CONFIG": os.pathsep.join(str(path.resolve()) for path in options.config)}
    with listener.reserve(host, port) as reservation:
        telemetry.configure(loaded.log.level)
        click.echo(f"authserver listens on {reservation.url}", err=True)
        listener.run(reservation, workers=workers, environ=environ if options.config else {})
