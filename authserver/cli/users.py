"""`authserver users`: the people that this server knows, and how to stop one of them."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import click

from authserver.app import Wired
from authserver.audit.events import UserChanged
from authserver.cli import Options
from authserver.cli.options import Words, echo_table, given, moment, refuse
from authserver.cli.wiring import working
from authserver.impersonation.enablement import Enablement
from authserver.protocol.names import USER_ID_PREFIX, Population, Role
from authserver.protocol.refusals import Refusal
from authserver.storage import DbSession, people
from authserver.storage.database import UniqueViolation, Work
from authserver.storage.tables import User

BY = "cli"
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
    "enabled",
)
_SPOKEN = frozenset({"roles", "groups", "tier"})
"""What the trail has with its values: flags that decide what somebody may do. Of the rest it has the names."""
_PAGE = 500
_USERNAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,255}")
_TIER = re.compile(r"[a-z0-9_-]{0,32}")
_COUNTRY = re.compile(r"(?:[A-Z]{2})?")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,255}")

_ROLES = click.option("--roles", type=Words(Role), help=f"Some of {', '.join(Role)}; an empty one takes all away.")
_TIER_OPTION = click.option("--tier", help="What the policy knows customers by, such as vip.")
_COUNTRY_OPTION = click.option("--country", help="ISO 3166 alpha-2, or empty.")
_GROUPS = click.option("--groups", type=Words(), help="Words of your own that the policy may ask for.")
_CONFLICTS = click.option("--conflicts", type=Words(), help="People (ids or user names) whose affairs are not theirs.")
_NAME = click.option("--name", help="Their name.")
_EMAIL = click.option("--email", help="Their address; another one counts as not verified.")
_EMAIL_VERIFIED = click.option(
    "--email-verified/--no-email-verified", default=None, help="Whether they proved that the address is theirs."
)


@click.group(name="users")
def command() -> None:
    """Manage the users that this server knows. USER is a user name or an id."""


@command.command()
@click.argument("username")
@_NAME
@_EMAIL
@_EMAIL_VERIFIED
@click.option(
    "--population",
    type=click.Choice([str(each) for each in Population]),
    help="Staff or customers; by default as roles say.",
)
@_ROLES
@_TIER_OPTION
@_COUNTRY_OPTION
@_GROUPS
@_CONFLICTS
@click.pass_obj
def create(options: Options, /, username: str, population: str | None, **fields: Any) -> None:  # noqa: ANN401
    """Add a user and print the id, alone on the standard output."""
    values = given(**fields)
    if _USERNAME.fullmatch(username) is None:
        refuse("a user name has 1 to 255 characters without spaces")
    if username.startswith(f"{USER_ID_PREFIX}_"):
        refuse("a user name does not begin with usr_: ids do")
    wanted = population or _population_of(values.get("roles", ()))
    _check(values, wanted)
    with working(options) as (server, work):
        work.lock()
        if people.by_username(work.session, username) is not None:
            refuse(f"{username}: there is such a user already; see: authserver users set --help")
        values |= _resolved(work.session, values)
        row = User(**{**_new(server, username), **values}, username=username, population=wanted)
        user_id = row.id
        try:
            people.add(work.session, row)
        except UniqueViolation:
            refuse(f"{username}: there is such a user already")
        _record(server, work, user_id, "created", {**_spoken(values), "population": wanted})
    click.echo(f"Added {username}.", err=True)
    click.echo(user_id)


def _new(server: Wired, username: str) -> dict[str, Any]:
    nothing = {"tier": "", "country": "", "roles": [], "groups": [], "conflicts": [], "enabled": True}
    identity = {"id": server.entropy.identifier(USER_ID_PREFIX), "email": username, "name": username}
    return {**nothing, **identity, "created_at": server.clock.now()}


def _population_of(roles: Iterable[str]) -> str:
    """Return the population that roles belong to; customers have the customer role or none."""
    return Population.STAFF if set(roles) - {Role.CUSTOMER} else Population.CUSTOMERS


def _check(values: Mapping[str, Any], population: str) -> None:
    """Refuse what cannot be; the two populations never mix."""
    roles = set(values.get("roles", ()))
    if population == Population.STAFF and Role.CUSTOMER in roles:
        refuse("staff do not have the role customer: the two populations never mix")
    if population == Population.CUSTOMERS and roles - {Role.CUSTOMER}:
        refuse("customers have no role but customer: the two populations never mix")
    if _COUNTRY.fullmatch(values.get("country", "")) is None:
        refuse("--country is two capital letters, or empty")
    if _TIER.fullmatch(values.get("tier", "")) is None:
        refuse("--tier is up to 32 of a-z 0-9 _ -")
    for name in ("name", "email"):
        if name in values and _TEXT.fullmatch(values[name]) is None:
            refuse(f"--{name} has 1 to 255 characters")


def _resolved(session: DbSession, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return conflicts by id, which is what the policy compares."""
    if "conflicts" not in values:
        return {}
    return {"conflicts": [found(session, person).id for person in values["conflicts"]]}


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
@_NAME
@_EMAIL
@_EMAIL_VERIFIED
@_ROLES
@_TIER_OPTION
@_COUNTRY_OPTION
@_GROUPS
@_CONFLICTS
@click.pass_obj
def set_(options: Options, /, user: str, **fields: Any) -> None:  # noqa: ANN401 - the options
    """Change what is given and leave the rest; the next request is decided on it."""
    values = given(**fields)
    if not values:
        raise click.UsageError("nothing to change was given")
    with working(options) as (server, work):
        work.lock()
        row = found(work.session, user)
        _check(values, row.population)
        if values.get("email", row.email) != row.email:
            values.setdefault("email_verified", False)
        values |= _resolved(work.session, values)
        people.change(work.session, row.id, **values)
        _record(server, work, row.id, "changed", _spoken(values))
    click.echo(f"Changed {user}: {', '.join(sorted(values))}.")


@command.command()
@click.argument("user")
@click.pass_obj
def disable(options: Options, user: str) -> None:
    """Disable a user: their sessions, their tokens and every impersonation that they are in end at once."""
    with working(options) as (server, work):
        work.lock()
        user_id = found(work.session, user).id
        ended = _enablement(server).disable_person(work, user_id, by=BY)
    if ended is None:
        click.echo(f"{user} was disabled already.")
    else:
        click.echo(f"Disabled {user}: {ended.sessions} sessions and {ended.impersonations} impersonations ended.")


@command.command()
@click.argument("user")
@click.pass_obj
def enable(options: Options, user: str) -> None:
    """Enable a user again; they sign in anew, for what had ended stays ended."""
    with working(options) as (server, work):
        work.lock()
        changed = _enablement(server).enable_person(work, found(work.session, user).id, by=BY)
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
    click.echo(f"{user}: {ended.sessions} sessions and {ended.impersonations} impersonations ended.")


def found(session: DbSession, user: str) -> User:
    """Return a person by id or user name, or end the command."""
    by_id = user.startswith(f"{USER_ID_PREFIX}_")
    row = people.find(session, user) if by_id else people.by_username(session, user)
    if row is None:
        refuse(f"{user}: no such user; see: authserver users list")
    return row


def _enablement(server: Wired) -> Enablement:
    return Enablement(server.lifecycle, server.trail, server.clock)


def _spoken(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the trail may have of a change: the names of fields, and the flags that the policy asks for."""
    return {"fields": sorted(values), **{name: value for name, value in values.items() if name in _SPOKEN}}


def _record(server: Wired, work: Work, user_id: str, action: str, changes: Mapping[str, Any]) -> None:
    server.trail.record(work, UserChanged(user_id=user_id, action=action, by=BY, changes=changes))
