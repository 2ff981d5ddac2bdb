"""The command line: one group whose commands are imported when they are called."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

import click

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "serve": "Run the server.",
        "demo": "Run everything on this machine with seeded people, and narrate a first exchange.",
        "db": "Create and migrate the database.",
        "keys": "List, rotate and revoke signing keys.",
        "clients": "Register and manage OAuth clients.",
        "resources": "Register resource servers and their scopes.",
        "users": "Manage the users that this server knows.",
        "policy": "Check the policy and explain its decisions.",
        "audit": "Verify and export the audit trail.",
        "impersonations": "List and end impersonations.",
        "doctor": "Say what is misconfigured and how to mend it.",
    }
)
"""Every command and its help line: `authserver.cli.<name>` holds it as `command`."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the group itself, handed to every command as the context's object."""

    config: tuple[Path, ...] = ()


class _LazyGroup(click.Group):
    """A group that imports a command only when it is called: importing all of them takes a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in the order of `COMMANDS`."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"authserver.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="authserver", message="%(prog)s %(version)s")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="AUTHSERVER_CONFIG",
    multiple=True,
    metavar="FILE",
    help="Settings in TOML; may be given several times, a later one wins. Also AUTHSERVER_CONFIG.",
)
@click.pass_context
def cli(ctx: click.Context, config: tuple[Path, ...]) -> None:
    """Run and manage an OAuth 2.0 authorization server for impersonation and delegation."""
    ctx.obj = Options(config=config)


def main() -> NoReturn:
    """Run the command line; settings that are wrong end it with status 2 and their message alone."""
    try:
        cli.main(prog_name="authserver")
    except ValueError as error:
        from authserver.settings import SettingsError

        if not isinstance(error, SettingsError):
            raise
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(2) from None
