"""What `authserver doctor` finds in the database, and in what must fit to it."""

from collections.abc import Iterator

from authserver.app import DEMO_MARK
from authserver.appetize.apps import Apps
from authserver.audit.chain import CHAIN
from authserver.cli.db import application
from authserver.cli.demo_cast import MEANT_SO
from authserver.cli.findings import Finding, note, ok, wrong
from authserver.cli.wiring import first_line, missing_file
from authserver.clock import Clock, SystemClock
from authserver.entropy import SystemEntropy
from authserver.protocol.access import ISSUER_SCOPES
from authserver.protocol.names import GRANT_TOKEN_EXCHANGE
from authserver.settings import Settings
from authserver.storage import DbSession, clients, marks, resources, schema, trail
from authserver.storage import apps as stored_apps
from authserver.storage.database import StorageError, db, unit_of_work
from authserver.storage.tables import Client
from authserver.tokens.key_files import PEPPER_FILE, KeyFileError, load_or_create_pepper
from authserver.tokens.keyring import ALWAYS, AUDIT_ALG, Keyring

_CLOCK_MARGIN = 60
_UPGRADE = "run: authserver db upgrade"


def check_database(settings: Settings, clock: Clock | None = None) -> Iterator[Finding]:
    """Look at everything that the database knows; nothing is created where there is none."""
    if missing_file(settings.database) is not None:
        yield wrong(f"database.url: there is no {settings.database.url}", f"{_UPGRADE}; or correct the path")
        return
    with application(settings.database).app_context():
        try:
            with unit_of_work() as work:
                yield from _all(settings, work.session, clock or SystemClock())
        except StorageError as error:
            yield wrong(f"database.url: it cannot be used: {first_line(error)}", "start it, or correct the address")
        finally:
            db.session.remove()
            db.engine.dispose()


def _all(settings: Settings, session: DbSession, clock: Clock) -> Iterator[Finding]:
    present, needed = schema.present(session), schema.needed()
    if present != needed:
        yield wrong(f"database.url: its schema is {present or 'not there'}, and {needed} is needed", _UPGRADE)
        return
    yield ok(f"database.url: it answers, and has schema {present}")
    yield from _demo(settings, session, clock)
    yield from _keys(settings, session, clock)
    yield from _pepper(settings, session)
    yield from _anchor(settings, session)
    yield from _clock(session, clock)
    yield from _clients(settings, session, clock)
    yield from _named_clients(settings, session)
    yield from _resources(settings, session)
    yield from _apps(settings, session)


def _demo(settings: Settings, session: DbSession, clock: Clock) -> Iterator[Finding]:
    mend = "serve a database of your own, with keys of its own: authserver serve refuses this one"
    if settings.demo:
        return
    if marks.get(session, DEMO_MARK) is not None:
        yield wrong("database.url: this database was made by the demo; its passwords and tokens are known", mend)
    for status in Keyring.from_settings(settings, clock).status(session):
        if status.key.demo:
            yield wrong(f"keys.folder: {status.key.kid} was made in demo mode", mend)


def _keys(settings: Settings, session: DbSession, clock: Clock) -> Iterator[Finding]:
    found = Keyring.from_settings(settings, clock).status(session)
    for status in found:
        if status.problem:
            yield wrong(f"keys.folder: {status.problem}", "see what it says; authserver keys list shows every key")
    signing = {(status.key.use, status.key.alg) for status in found if status.phase == "signing"}
    wanted = {("sig", alg) for alg in (*ALWAYS, settings.keys.access_token_alg)} | {("audit", AUDIT_ALG)}
    for use, alg in sorted(wanted - signing):
        yield note(f"keys: no {alg} key signs ({use}) yet", "it is made at the next start")
    if not wanted - signing and not any(status.problem for status in found):
        yield ok(f"keys: {', '.join(sorted(alg for _, alg in wanted))} sign, and their files can be read")


def _pepper(settings: Settings, session: DbSession) -> Iterator[Finding]:
    """Look at the file under which secrets are hashed; a new one would let no client in."""
    file = settings.keys.folder / PEPPER_FILE
    if not file.exists():
        if clients.listing(session):
            mend = f"restore {file}, or share the folder with the machine that has it"
            yield wrong(f"keys.folder: {file} is missing: no client secret of before can be verified", mend)
        return
    try:
        load_or_create_pepper(settings.keys.folder, SystemEntropy())
    except KeyFileError as error:
        yield wrong(f"keys.folder: {error}", "without it no client secret can be verified")
    else:
        yield ok(f"keys.folder: {file} can be read")


def _anchor(settings: Settings, session: DbSession) -> Iterator[Finding]:
    file = settings.audit.anchor_file
    if file.exists():
        return
    if trail.heads(session, CHAIN, limit=1):
        yield wrong(
            f"audit.anchor_file: {file} is gone, and heads were signed: nothing outside the database proves the trail",
            "restore it from a backup, then run: authserver audit verify",
        )
    else:
        yield note(f"audit.anchor_file: {file} is not there yet", "the running server writes it")


def _clock(session: DbSession, clock: Clock) -> Iterator[Finding]:
    newest = trail.newest(session, CHAIN, limit=1)
    behind = newest[0].at_ms // 1000 - clock.now() if newest else 0
    if behind > _CLOCK_MARGIN:
        yield wrong(f"clock: this machine is {behind} s behind the newest event of the trail", "synchronise it (NTP)")
    else:
        yield ok("clock: it is not behind the trail")


def _named_clients(settings: Settings, session: DbSession) -> Iterator[Finding]:
    """Look at the clients that the settings name; a name that is none's lets nobody do anything."""
    known = {row.client_id for row in clients.listing(session)}
    named = [("session_token.clients", name) for name in settings.session_token.clients]
    for issuer, trusted in settings.federation.issuers.items():
        named += [(f"federation.issuers.{issuer}.presenters", each.client) for each in trusted.presenters]
    for where, name in named:
        if name not in known:
            yield wrong(f"{where}: {name} is no client", "correct the name, or run: authserver clients create")


def _meant_so(settings: Settings, session: DbSession) -> frozenset[str]:
    """Return what the demo itself made incomplete, in its own database alone: nobody has to mend that."""
    return MEANT_SO if settings.demo and marks.get(session, DEMO_MARK) is not None else frozenset()


def _clients(settings: Settings, session: DbSession, clock: Clock) -> Iterator[Finding]:
    rows = clients.listing(session)
    if not rows:
        yield note("clients: none is registered", "see: authserver clients create --help")
        return
    catalogue, meant_so = resources.scopes_of(session), _meant_so(settings, session)
    built_in = dict.fromkeys(ISSUER_SCOPES, settings.issuer)  # their rows are made at the first start
    owners = built_in | {name: scope.resource for name, scope in catalogue.items()}
    known = {row.client_id for row in rows}
    problems = [
        finding
        for row in rows
        if row.enabled
        for finding in (*_authentication(session, row, clock), *_grants(row, owners), *_names(row, owners, known))
        if finding.level == "WRONG" or row.client_id not in meant_so
    ]
    yield from problems
    if not any(finding.level == "WRONG" for finding in problems):
        yield ok(f"clients: {len(rows)} registered")


def _authentication(session: DbSession, row: Client, clock: Clock) -> Iterator[Finding]:
    name = f"clients: {row.client_id}"
    if row.auth_method == "private_key_jwt":
        if not row.jwks:
            mend = f"run: authserver clients set {row.client_id} --jwks FILE"
            yield wrong(f"{name} authenticates by its own key, and none is registered", mend)
    elif not clients.has_secret(session, row.client_id, now=clock.now()):
        mend = f"run: authserver clients rotate-secret {row.client_id}"
        yield wrong(f"{name} has no secret that lives", mend)


def _grants(row: Client, owners: dict[str, str]) -> Iterator[Finding]:
    name, change = f"clients: {row.client_id}", f"run: authserver clients set {row.client_id}"
    exchanges = GRANT_TOKEN_EXCHANGE in row.grant_types
    if exchanges and not row.ways:
        yield wrong(f"{name} may exchange tokens, but in no way", f'{change} --ways "A B C D"')
    if row.ways and not exchanges:
        yield note(f"{name} has ways of exchange, but not the grant", f"{change} --grants token_exchange")
    if exchanges and not row.scopes:
        yield wrong(f"{name} may exchange tokens, and has no scope to ask for", f'{change} --scopes "…"')
    elif row.grant_types and not row.scopes:
        yield note(f"{name} may have tokens, and has no scope to ask for", f'{change} --scopes "…"')
    reached = {owners.get(scope) for scope in row.scopes}
    for uri in row.default_resources if row.scopes else ():
        if uri not in reached:
            yield wrong(f"{name} asks for {uri} by default, and has none of its scopes", f'{change} --scopes "…"')


def _names(row: Client, owners: dict[str, str], known: set[str]) -> Iterator[Finding]:
    for scope in row.scopes:
        if scope not in owners:
            yield wrong(f"clients: {row.client_id} has the scope {scope}, which is not registered", "register it")
    for other in row.accepts_tokens_of:
        if other not in known:
            yield wrong(f"clients: {row.client_id} accepts tokens of {other}, which is no client", "correct it")


def _resources(settings: Settings, session: DbSession) -> Iterator[Finding]:
    rows = [row for row in resources.listing(session) if row.uri != settings.issuer]
    with_scopes = {scope.resource for scope in resources.scopes_of(session).values()}
    meant_so = _meant_so(settings, session)
    if not rows:
        yield note("resources: no resource server is registered", "see: authserver resources register --help")
    for row in rows:
        change = f"run: authserver resources set {row.uri} --owner CLIENT"
        owner = clients.find(session, row.owner_client_id) if row.owner_client_id else None
        if row.uri not in with_scopes:
            advice = f"run: authserver resources scope {row.uri} NAME …; leave it if it was this server's former issuer"
            yield note(f"resources: {row.uri} has no scopes", advice)
        elif owner is None and row.uri not in meant_so:
            yield note(f"resources: {row.uri} has no owner: nobody can introspect tokens for it", change)
        elif owner is not None and not owner.enabled:
            yield note(f"resources: {row.uri} is owned by {owner.client_id}, which is disabled", change)
    if rows:
        yield ok(f"resources: {len(rows)} registered")


def _apps(settings: Settings, session: DbSession) -> Iterator[Finding]:
    """Look at the apps that are managed through the API; those of the settings were checked with them."""
    rows, apps = stored_apps.listing(session), Apps(settings)
    if not rows and not apps.configured:
        mend = "add [appetize.apps.NAME], or create one through the API"
        yield note("appetize.apps: there is none, so no device can be handed off to", mend)
    for row in rows:
        problems = apps.problems(row.settings)
        if row.name in apps.configured:
            mend = "take one of the two away"
            yield note(f"apps: {row.name} is stored and in the settings, which go before it", mend)
        elif row.enabled and problems:
            fields = ", ".join(f"{each.field}: {each.problem}" for each in problems)
            yield wrong(f"apps: {row.name} is not used: {fields}", "change it through the API, or the settings back")
    if rows:
        yield ok(f"apps: {len(rows)} managed through the API")
