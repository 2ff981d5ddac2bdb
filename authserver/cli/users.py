"""`authserver users`: the people that this server knows, and how to stop one of them."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from authserver.app import Wired
from authserver.cli import Options
from authserver.cli.counts import counted
from authserver.cli.options import Words, echo_table, given, moment, refuse, registering
from authserver.cli.wiring import working
from authserver.impersonation.enablement import Enablement, Ended
from authserver.protocol.names import Population, Role
from authserver.protocol.refusals import Refusal
from authserver.registry.users import NewUser, named_user
from authserver.storage import DbSession, people
from authserver.storage.tables import User

BY = "cli"
_Command = TypeVar("_Command", bound=Callable[..., Any])
_SHOWN = (
    "id",
    "username",
    "email",
    "email_verified",
    "name",
    "population",
    "roles",
    "groups",
    "tier",
    "country",
    "conflicts",
    "locale",
    "time_zone",
    "appearance",
    "app_version",
    "enabled",
)
_PAGE = 500
_FIELDS = (
    click.option("--name", help="Their name."),
    click.option("--email", help="Their address; another one counts as not verified."),
    click.option(
        "--email-verified/--no-email-verified", default=None, help="Whether they proved that the address is theirs."
    ),
    click.option("--roles", type=Words(Role), help=f"Some of {', '.join(Role)}; an empty one takes all away."),
    click.option("--tier", help="What the policy knows customers by, such as vip."),
    click.option("--country", help="ISO 3166 alpha-2, or empty."),
    click.option("--groups", type=Words(), help="Words of your own that the policy may ask for."),
    click.option("--conflicts", type=Words(), help="People (ids or user names) whose affairs are not theirs."),
    click.option("--locale", help="Their language as a tag such as sv-SE, or empty."),
    click.option("--time-zone", help="Their time zone, such as Europe/Stockholm, or empty."),
    click.option("--appearance", type=click.Choice(["light", "dark", ""]), help="How their device looks, or empty."),
    click.option("--app-version", help="The version of the mobile app that they have, or empty."),
)


def _with_fields(function: _Command) -> _Command:
    """Give a command an option for every field that can be changed."""
    for option in reversed(_FIELDS):
        function = option(function)
    return function


@click.group(name="users")
def command() -> None:
    """Manage the users that this server knows. USER is a user name or an id."""


@command.command()
@click.argument("username")
@_with_fields
@click.option(
    "--population",
    type=click.Choice([str(each) for each in Population]),
    help="Staff or customers; by default as roles say.",
)
@click.pass_obj
def create(options: Options, /, username: str, population: str | None, **fields: Any) -> None:  # noqa: ANN401
    """Add a user and print the id, alone on the standard output."""
    new = NewUser(username=username, population=population, values=given(**fields))
    with working(options) as (server, work), registering(username, "user"):
        user_id = server.registry.users.create(work, new, by=BY).user_id
    click.echo(f"Added {username}.", err=True)
    click.echo(user_id)


@command.command(name="list")
@click.pass_obj
def list_(options: Options) -> None:
    """List all users."""
    rows: list[tuple[str, ...]] = []
    with working(options) as (_, work):
        after = ""
        while page := people.listing(work.session, after=after, limit=_PAGE):
            rows += [
                (row.id, row.username, row.population, " ".join(row.roles), "yes" if row.enabled else "no")
                for row in page
            ]
            after = page[-1].id
    echo_table(("ID", "USER NAME", "POPULATION", "ROLES", "ENABLED"), rows)


@command.command()
@click.argument("user")
@click.pass_obj
def show(options: Options, user: str) -> None:
    """Show one user as JSON."""
    with working(options) as (server, work):
        row = found(work.session, user)
        session = people.newest_session(work.session, row.id, now=server.clock.now())
        shown = {name: getattr(row, name) for name in _SHOWN}
        shown |= {"created_at": moment(row.created_at), "signed_in_at": moment(session.auth_time) if session else None}
    click.echo(json.dumps(shown, indent=2))


@command.command(name="set")
@click.argument("user")
@_with_fields
@click.pass_obj
def set_(options: Options, /, user: str, **fields: Any) -> None:  # noqa: ANN401 - the options
    """Change what is given and leave the rest; the next request is decided on it."""
    values = given(**fields)
    if not values:
        raise click.UsageError("nothing to change was given")
    with working(options) as (server, work), registering(user, "user"):
        server.registry.users.change(work, found(work.session, user).id, values, by=BY)
    click.echo(f"Changed {user}: {', '.join(sorted(values))}.")


@command.command()
@click.argument("user")
@click.pass_obj
def disable(options: Options, user: str) -> None:
    """Disable a user: their sessions, their tokens and every impersonation that they are in end at once."""
    with working(options) as (server, work), registering(user, "user"):
        ended = server.registry.users.disable(work, found(work.session, user).id, by=BY)
    if ended is None:
        click.echo(f"{user} was disabled already.")
    else:
        click.echo(f"Disabled {user}: {_ended(ended)} ended.")


@command.command()
@click.argument("user")
@click.pass_obj
def enable(options: Options, user: str) -> None:
    """Enable a user again; they sign in anew, for what had ended stays ended."""
    with working(options) as (server, work), registering(user, "user"):
        changed = server.registry.users.enable(work, found(work.session, user).id, by=BY)
    click.echo(f"Enabled {user}." if changed else f"{user} was enabled already.")


@command.command(name="set-password")
@click.argument("user")
@click.option(
    "--password",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
    help="Better left out: it is asked for, and stays out of the shell's history.",
)
@click.pass_obj
def set_password(options: Options, user: str, password: str) -> None:
    """Set a user's password, and sign them out everywhere; a weak one is refused."""
    try:
        with working(options) as (server, work):
            user_id = found(work.session, user).id
            server.sign_in.passwords.change(work, user_id, password, by=BY)
            _enablement(server).end_sessions(work, user_id, by=BY)
    except Refusal as refusal:
        refuse(" ".join([refusal.public, *refusal.extra.get("advice", [])]))
    click.echo(f"Set the password of {user}; they are signed out everywhere.", err=True)


@command.command(name="end-sessions")
@click.argument("user")
@click.pass_obj
def end_sessions(options: Options, user: str) -> None:
    """Sign a user out everywhere; what they act in ends with it."""
    with working(options) as (server, work):
        work.lock()
        ended = _enablement(server).end_sessions(work, found(work.session, user).id, by=BY)
    click.echo(f"{user}: {_ended(ended)} ended.")


def _ended(ended: Ended) -> str:
    return f"{counted(ended.sessions, 'session')} and {counted(ended.impersonations, 'impersonation')}"


def found(session: DbSession, user: str) -> User:
    """Return a person by id or user name, or end the command."""
    row = named_user(session, user)
    if row is None:
        refuse(f"{user}: no such user; see: authserver users list")
    return row


def _enablement(server: Wired) -> Enablement:
    return Enablement(server.lifecycle, server.trail, server.clock)
